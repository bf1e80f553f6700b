"""What an op is: attributes, shape inference, a numpy reference, and its candidate kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from planish.runtime import host

from ..ir import TensorType
from ..layout import Layout

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

Shape = tuple[int, ...]
Perm = tuple[int, ...]


@dataclass(frozen=True)
class Op:
    """One operation on tensors, as a value that holds its attributes.

    A subclass says everything about its op: `infer`, `reference`, `kernels`, and how it behaves under a permutation of
    axes. The importers of both formats stand beside it in the same file.

    Attributes:
        layout: what its kernels take as operand 0 and how they store the result.
            "image": channels in vectors, and blocked channels as a result;
            "any": every layout, and a result that is blocked where an operand is;
            "gather": every layout, and a strided result;
            "linear": a strided layout, and a strided result.
        view: the result may be another view of operand 0, without a launch.
        host: of an op that runs on the host, the function of `planish.runtime.host` that computes it, with the op's attributes; it
            has no kernels, and its reference is that function. "" for all others.
        driven: whether its launches are those of a graph of its own, which the host runs again and again; it has no kernels itself.
        reason: why the host computes or drives it.
    """

    layout: ClassVar[Literal["image", "any", "gather", "linear"]] = "linear"
    view: ClassVar[bool] = False
    host: ClassVar[str] = ""
    driven: ClassVar[bool] = False
    reason: ClassVar[str] = ""

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """The types of the results.

        Raises:
            GraphError: the operands do not fit the op.
        """
        raise NotImplementedError

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        """The results, by plain numpy: obvious rather than fast, and the oracle of every kernel."""
        if not self.host:
            raise NotImplementedError
        return host.FUNCTIONS[self.host].call(*arrays, **self.attributes())

    def kernels(self, site: Site) -> Sequence[Kernel]:
        """The kernels that can compute it on a target, best guess first."""
        raise NotImplementedError

    def attributes(self) -> dict[str, Any]:
        """The attributes by name, as JSON has them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    def takes_strided(self, x: TensorType, layout: Layout) -> bool:
        """Of an "image" op: whether some kernel reads this operand 0 element by element, from any strided layout."""
        return False

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        """How the op behaves when a transpose in front of it moves behind it.

        With x = transpose(u, perm), the op and the permutation (op', q) for which op(x) = transpose(op'(u), q). An axis a of x is
        axis perm[a] of u. Of element-wise ops and concatenations every operand is permuted alike.

        Args:
            types: of the operands as they are now (of x, not of u).

        Returns:
            None where there is no such op.
        """
        return None


def normal_axis(axis: int, rank: int) -> int:
    return axis + rank if axis < 0 else axis
