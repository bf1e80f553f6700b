"""The largest or smallest elements along an axis: where they are, and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log, prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .elementwise import Elementwise
from .gather import GatherElements
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .movement import Reshape
from .op import Op, Perm, normal_axis
from .reshaping import axes_of, part, squeeze

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

KEPT = 512
"""Most elements that one work-item keeps in order."""
INT32, INT64 = np.dtype(np.int32), np.dtype(np.int64)


@dataclass(frozen=True)
class Top(Op):
    """The coordinates on an axis of its `count` largest (or smallest) elements, the best first; NaN counts as the largest number.

    Attributes:
        last: of equal elements the one with the highest coordinate is first, not the one with the lowest.
        dtype: of the result.
    """

    axis: int
    count: int = 1
    largest: bool = True
    last: bool = False
    dtype: np.dtype[Any] = INT64
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if not 0 <= self.axis < x.rank or not 0 <= self.count <= x.shape[self.axis]:
            raise GraphError(f"axis {self.axis} of {x} does not have {self.count} elements")
        return (TensorType((*x.shape[: self.axis], self.count, *x.shape[self.axis + 1 :]), self.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = arrays[0]
        assert x is not None
        mirrored = self.largest != self.last
        order = np.argsort(np.flip(x, self.axis) if mirrored else x, self.axis, kind="stable")
        order = x.shape[self.axis] - 1 - order if mirrored else order
        order = np.flip(order, self.axis) if self.largest else order
        return (np.take(order, np.arange(self.count), self.axis).astype(self.dtype),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from .reduce_kernels import share_groups

        rows = prod(e for d, e in enumerate(site.input(0).shape) if d != self.axis)
        groups = share_groups(site.target, rows, site.input(0).shape[self.axis])
        selected = [self._kernel(site, "top_select", rows, self.count, group) for group in groups]
        ranked = [self._kernel(site, "top_rank", rows, 1)] if self.count > 1 else []
        extent = site.input(0).shape[self.axis]
        passes = 1 + self.count * (1 + log(extent / self.count)) * self.count / 2 / extent if 0 < self.count <= KEPT else 0
        inserted = [self._kernel(site, "top_insert", rows, passes)] if self.count > 1 and passes else []
        return sorted((*selected, *ranked, *inserted), key=lambda k: k.cost)

    def _kernel(self, site: Site, template: str, rows: int, passes: float, group: int = 1) -> Kernel:
        """A candidate in which a work-item, or a group, looks at the elements of a row `passes` times.

        In a row in random order, k * (1 + log(extent / k)) elements are among the best k seen so far; each moves half of these.
        """
        from ..access import compute_type
        from ..indexing import unravel
        from ..kernel import Kernel
        from .reduce_kernels import share_cost

        x, extent = site.input(0), site.input(0).shape[self.axis]
        kept = [d for d in range(x.type.rank) if d != self.axis]
        index = dict(zip(kept, unravel("row", [x.shape[d] for d in kept])))
        a, b = ("a", "b") if self.largest else ("b", "a")
        greater = f"(({a}) > ({b}) || (({a}) != ({a}) && ({b}) == ({b})))" if x.type.dtype.kind == "f" else f"(({a}) > ({b}))"
        params = {"EXTENT": extent, "COUNT": self.count, "WG": group, "T": compute_type(x.type.dtype), "R": compute_type(self.dtype),
                  "BETTER": greater, "TIE": ">" if self.last else "<", "at": lambda i: [index.get(d, i) for d in range(x.type.rank)]}
        shared = extent if template == "top_rank" else 1
        steps = int(extent * passes)
        cost = share_cost(site.target, site.moved(), steps, rows * shared, group)
        grid = (extent, rows, 1) if shared > 1 else (rows, 1, 1) if template == "top_insert" else (group, rows, 1)
        return Kernel(template, params, (site.read("x", 0),), grid, (group, 1, 1) if group > 1 else None,
                      flops=rows * shared * steps, nbytes=site.moved(), cost=cost)

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        return replace(self, axis=perm[self.axis]), perm


def arg(n: SourceNode, op: Top, *, keepdims: bool) -> str:
    """Emits a search for one element of operand 0."""
    (axis,) = axes_of([op.axis], len(n.shape(0)))
    y = n.emit(replace(op, axis=axis), n.input(0))
    return y if keepdims else squeeze(n, y, [axis])


@onnx_op("ArgMax", "ArgMin")
def onnx_arg(n: OnnxNode) -> str:
    op = Top(n.attr("axis", 0), 1, n.op == "ArgMax", bool(n.attr("select_last_index", 0)))
    return arg(n, op, keepdims=bool(n.attr("keepdims", 1)))


@tflite_op("ARG_MAX", "ARG_MIN")
def tflite_arg(n: TfliteNode) -> str:
    (axis,) = n.integers(1, "axis")
    return arg(n, Top(axis, 1, n.op == "ARG_MAX", dtype=n.results[0].dtype), keepdims=False)


def top_k(n: OnnxNode | TfliteNode, count: int, op: Top) -> list[str]:
    """Values and coordinates of the best elements of operand 0."""
    (axis,) = axes_of([op.axis], len(n.shape(0)))
    index = part(n, 1).emit(replace(op, axis=axis, count=count), n.input(0))
    return [part(n, 0).emit(GatherElements(axis), n.input(0), index), index]


@onnx_op("TopK")
def onnx_top_k(n: OnnxNode) -> list[str]:
    """K is an attribute before opset 10. What need not be sorted is sorted as well."""
    count = n.integers(1, "K")[0] if n.input(1) else int(n.attr("k"))
    return top_k(n, count, Top(n.attr("axis", -1), largest=bool(n.attr("largest", 1))))


@tflite_op("TOPK_V2")
def tflite_top_k(n: TfliteNode) -> list[str]:
    return top_k(n, n.integers(1, "k")[0], Top(-1, dtype=n.results[1].dtype))


@onnx_op("Hardmax")
def onnx_hardmax(n: OnnxNode) -> str:
    """1 where the first of the largest elements is, 0 elsewhere: along an axis, before opset 13 along this and all behind it as one."""
    x, shape = n.input(0), n.shape(0)
    axis = normal_axis(n.attr("axis", -1 if n.opset >= 13 else 1), len(shape))
    if n.opset < 13:
        x = n.emit(Reshape((*shape[:axis], prod(shape[axis:]))), x)
    best = n.emit(Top(axis, dtype=INT32), x)
    places = np.arange(n.shape(x)[axis], dtype=np.int32).reshape([-1 if d == axis else 1 for d in range(len(n.shape(x)))])
    hit = n.emit(Elementwise("equal"), n.add_constant(places), best)
    y = n.emit(Elementwise("where"), hit, n.scalar(1, x), n.scalar(0, x))
    return n.emit(Reshape(shape), y) if n.opset < 13 else y
