"""What a sliding window sees, laid out as rows: the way to convolutions of any number of axes, and of computed weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .elementwise import Elementwise
from .importing import SourceNode
from .movement import Reshape, Transpose
from .op import Op, Shape

if TYPE_CHECKING:
    from ..kernel import Index, Kernel, Site


@dataclass(frozen=True)
class Windows(Op):
    """y[n, o…, (g,k…,c)] = x[n, (o * stride - before + k * dilation) / expand, g * C + c]: of x [N,spatial…,groups * C].

    (g,k…,c) counts the last two axes of y: [taps,C] of a single group, whose channels move as vectors, else [1,groups * taps * C].
    What lies outside, or between the elements of an expanded x, is zero.

    Attributes:
        steps: positions of the window along each spatial axis.
        before: padding in front; negative where the window starts inside.
        dilation: may be negative, for a window that is walked backwards.
        expand: distance of the elements of x, which a transposed convolution moves apart.
        groups: of channels; the taps of one lie together.
    """

    kernel: Shape
    steps: Shape
    stride: Shape
    before: Shape
    dilation: Shape
    expand: Shape
    groups: int = 1
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if any(len(v) != x.rank - 2 for v in (self.kernel, self.steps, self.stride, self.before, self.dilation, self.expand)):
            raise GraphError(f"windows of {len(self.kernel)} axes do not slide over {x}, which is [N,…,C]")
        if x.shape[-1] % self.groups or min((*self.steps, *self.kernel), default=1) < 1:
            raise GraphError(f"{self.steps} windows of {self.kernel} over {x} in {self.groups} groups")
        taps, channels = prod(self.kernel), x.shape[-1]
        last = (taps, channels) if self.groups == 1 else (1, taps * channels)
        return (TensorType((x.shape[0], *self.steps, *last), x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = arrays[0]
        assert x is not None
        (result,) = self.infer(TensorType.of(x))
        axes, taps = len(self.kernel), prod(self.kernel)
        y, inside = x, np.ones((), bool)
        for d, extent in enumerate(x.shape[1:-1]):
            place = np.arange(self.steps[d])[:, None] * self.stride[d] - self.before[d] + np.arange(self.kernel[d]) * self.dilation[d]
            element, between = np.divmod(place, self.expand[d])
            y = np.take(y, element.clip(0, extent - 1), 1 + 2 * d)
            seen = (element >= 0) & (element < extent) & (between == 0)
            inside = inside[..., None, None] & seen
        y = np.where(inside[None, ..., None], y, x.dtype.type(0))
        y = y.transpose(0, *range(1, 2 * axes, 2), *range(2, 2 * axes + 1, 2), 2 * axes + 1)
        y = y.reshape(x.shape[0], *self.steps, taps, self.groups, x.shape[-1] // self.groups).swapaxes(-3, -2)
        return (y.reshape(result.shape),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..mapping import gathered

        x, taps = site.input(0).shape, prod(self.kernel)
        each = x[-1] // self.groups

        def gather(at: Index) -> tuple[Index, str | None]:
            window, channel = f"({at[-2]})", at[-1]
            if self.groups > 1:
                window, channel = f"({at[-1]}) / {each}", f"({at[-1]}) / {taps * each} * {each} + ({at[-1]}) % {each}"
            moved, inside = [], []
            for d, (o, kernel) in enumerate(zip(at[1:-2], self.kernel)):
                tap = f"{window} / {prod(self.kernel[d + 1 :])} % {kernel}"
                place = f"(({o}) * {self.stride[d]} - {self.before[d]} + {tap} * {self.dilation[d]})"
                moved.append(f"{place} / {self.expand[d]}")
                inside.append(f"{place} >= 0 && {place} < {(x[d + 1] - 1) * self.expand[d] + 1}")
                if self.expand[d] > 1:
                    inside.append(f"{place} % {self.expand[d]} == 0")
            return (at[0], *moved, channel), " && ".join(inside) or None

        return gathered(site, gather)


def rows_product(n: SourceNode, rows: str, w: str, groups: int, bias: str) -> str:
    """y[…,o] = bias[o] + sum over j of rows[…,(g,j)] * w[o,j], with w [O,…] and o of group g."""
    from .conv import biased
    from .matmul import MatMul

    *outer, width = n.shape(rows)
    o, each = n.shape(w)[0], width // groups
    if groups == 1:
        columns = n.emit(Transpose((1, 0)), n.emit(Reshape((o, each)), w))
        y = n.emit(MatMul(), n.emit(Reshape((prod(outer), width)), rows), columns)
        return n.emit(Reshape((*outer, o)), biased(n, y, bias))
    apart = n.emit(Transpose((1, 0, 2)), n.emit(Reshape((prod(outer), groups, each)), rows))
    columns = n.emit(Transpose((0, 2, 1)), n.emit(Reshape((groups, o // groups, each)), w))
    y = n.emit(MatMul(), apart, columns)
    if bias:
        y = n.emit(Elementwise("add"), y, n.emit(Reshape((groups, 1, o // groups)), bias))
    return n.emit(Reshape((*outer, o)), n.emit(Transpose((1, 0, 2)), y))


def windows(n: SourceNode, x: str, op: Windows) -> str:
    """Emits windows as rows [N,o…,(g,k…,c)], unless they are x itself."""
    if prod(op.kernel) == 1 and op.steps == n.shape(x)[1:-1] and not any(op.before) and {*op.stride, *op.expand} <= {1}:
        return x
    return n.emit(Reshape((n.shape(x)[0], *op.steps, prod(op.kernel) * n.shape(x)[-1])), n.emit(op, x))
