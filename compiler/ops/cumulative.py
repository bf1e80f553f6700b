"""Running sums and products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .op import Op, Perm
from .reshaping import axes_of

if TYPE_CHECKING:
    from ..kernel import Kernel, Site


@dataclass(frozen=True)
class Cumulative(Op):
    """y[…,i,…] = x[…,0,…] + … + x[…,i,…] along an axis, or the product.

    Attributes:
        exclusive: without x[…,i,…] itself; reverse: from the end of the axis.
    """

    kind: Literal["sum", "prod"]
    axis: int
    exclusive: bool = False
    reverse: bool = False
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if not 0 <= self.axis < x.rank:
            raise GraphError(f"{x} has no axis {self.axis}")
        if x.dtype.kind not in "fiu":
            raise GraphError(f"a running {self.kind} of {x.dtype}; numbers would be accepted")
        return (x,)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = arrays[0]
        assert x is not None
        x = np.flip(x, self.axis) if self.reverse else x
        run = (np.cumsum if self.kind == "sum" else np.cumprod)(x, self.axis, dtype=np.float64 if x.dtype.kind == "f" else x.dtype)
        if self.exclusive:
            around = [(int(d == self.axis), 0) for d in range(x.ndim)]
            run = np.delete(np.pad(run, around, constant_values=self.kind == "prod"), -1, self.axis)
        return ((np.flip(run, self.axis) if self.reverse else run).astype(x.dtype),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        """Of one work-item for a vector of neighbouring rows, or, where rows are long and few, of a work-group."""
        from ..indexing import width
        from .reduce_kernels import share_groups

        x, y = site.input(0), site.output
        lanes = 1 if self.axis == x.type.rank - 1 else width(y, site.target.lanes)
        rows = y.type.size // x.shape[self.axis]
        return sorted((self._kernel(site, lanes, g) for g in share_groups(site.target, ceil(rows / lanes), x.shape[self.axis])),
                      key=lambda k: k.cost)

    def _kernel(self, site: Site, lanes: int, group: int) -> Kernel:
        from ..access import compute_type
        from ..indexing import unravel
        from ..kernel import Kernel
        from .reduce_kernels import share_cost

        y, last = site.output, site.output.type.rank - 1
        extent, outer = y.shape[self.axis], [d for d in range(last) if d != self.axis]
        index = dict(zip(outer, unravel("row", [y.shape[d] for d in outer]))) | {last: "cb * LANES", self.axis: "i"}
        vectors = 1 if self.axis == last else ceil(y.shape[last] / lanes)
        rows = prod(y.shape[d] for d in outer)
        part = ceil(extent / group)
        params = {"EXTENT": extent, "LANES": lanes, "WG": group, "PART": part, "T": compute_type(site.input(0).type.dtype, lanes),
                  "START": int(self.kind == "prod"), "JOIN": "(a) + (b)" if self.kind == "sum" else "(a) * (b)",
                  "AT": "EXTENT - 1 - (k)" if self.reverse else "(k)", "exclusive": self.exclusive,
                  "index": [index[d] for d in range(last + 1)]}
        cost = share_cost(site.target, site.moved(), extent * (1 + (group > 1)), vectors * rows, group)
        return Kernel("cumulative", params, (site.read("x", 0),), (vectors * group, rows, 1), (group, 1, 1) if group > 1 else None,
                      lanes, y.type.size, site.moved(), cost)

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        return replace(self, axis=perm[self.axis]), perm


def cumulative(n: SourceNode, kind: Literal["sum", "prod"], *, exclusive: bool, reverse: bool) -> str:
    (axis,) = axes_of(n.integers(1, "the axis"), len(n.shape(0)))
    return n.emit(Cumulative(kind, axis, exclusive, reverse), n.input(0))


@onnx_op("CumSum", "CumProd")
def onnx_cumulative(n: OnnxNode) -> str:
    return cumulative(n, "sum" if n.op == "CumSum" else "prod", exclusive=bool(n.attr("exclusive", 0)), reverse=bool(n.attr("reverse", 0)))


@tflite_op("CUMSUM")
def tflite_cumsum(n: TfliteNode) -> str:
    return cumulative(n, "sum", exclusive=bool(n.options.exclusive), reverse=bool(n.options.reverse))
