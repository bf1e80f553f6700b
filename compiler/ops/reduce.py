"""Reductions: sum, mean, maximum, minimum, product, any and all, over any axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .elementwise import Cast, Elementwise
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .op import Op, Perm, normal_axis

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

Kind = Literal["sum", "mean", "max", "min", "prod", "any", "all"]


@dataclass(frozen=True)
class Reduce(Op):
    """The elements along some axes combined to one.

    Attributes:
        axes: not negative, in rising order; none of them leaves the operand as it is.
        keepdims: reduced axes stay, with extent 1.
        ordered: a sum, or a mean, of floats adds one element after another.
    """

    kind: Kind
    axes: tuple[int, ...]
    keepdims: bool = False
    ordered: bool = False
    layout: ClassVar[Literal["any"]] = "any"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if list(self.axes) != sorted(set(self.axes)) or not all(0 <= a < x.rank for a in self.axes):
            raise GraphError(f"{x} has no axes {self.axes} to reduce")
        if self.kind in ("any", "all") and x.dtype != np.bool_:
            raise GraphError(f"{self.kind} needs truth values, not {x}")
        if self.kind == "mean" and x.dtype.kind != "f" and 0 in (x.shape[a] for a in self.axes):
            raise GraphError(f"{x} along axes {self.axes} has no mean: it is the mean of no integers")
        kept = (1 if d in self.axes else e for d, e in enumerate(x.shape) if self.keepdims or d not in self.axes)
        return (TensorType(tuple(kept), x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = arrays[0]
        assert x is not None
        if self.ordered:
            return (self._in_order(x),)
        how: dict[str, Any] = {"axis": self.axes, "keepdims": self.keepdims}
        wide = x.astype(np.float64) if x.dtype.kind == "f" else x
        with np.errstate(all="ignore"):
            if self.kind == "mean":
                y = np.sum(wide, **how) / np.prod([x.shape[a] for a in self.axes])
            elif self.kind in ("max", "min"):
                y = getattr(np, self.kind)(wide, **how, initial=extreme(self.kind, x.dtype))
            else:
                y = getattr(np, self.kind)(wide, **how)
            return (np.asarray(y).astype(x.dtype),)

    def _in_order(self, x: np.ndarray) -> np.ndarray:
        (y,) = self.infer(TensorType.of(x))
        count = prod(x.shape[a] for a in self.axes)
        total = np.zeros(y.size, x.dtype)
        with np.errstate(all="ignore"):
            for row in np.moveaxis(x, self.axes, range(len(self.axes))).reshape(count, y.size):
                total += row
            return np.asarray(total / x.dtype.type(count) if self.kind == "mean" else total).reshape(y.shape)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from .reduce_kernels import reduce

        return reduce(site, self)

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        axes = [perm[a] for a in self.axes]
        if self.ordered and axes != sorted(axes):
            return None
        op = replace(self, axes=tuple(sorted(axes)))
        if self.keepdims:
            return op, perm
        kept = sorted(perm[d] for d in range(len(perm)) if d not in self.axes)
        return op, tuple(kept.index(perm[d]) for d in range(len(perm)) if d not in self.axes)


def extreme(kind: Kind, dtype: np.dtype) -> float:
    """What the maximum, or the minimum, of nothing is."""
    if dtype.kind == "f":
        return -np.inf if kind == "max" else np.inf
    return int(np.iinfo(dtype).min if kind == "max" else np.iinfo(dtype).max)


def reduced(n: SourceNode, kind: Kind, x: str, axes: Sequence[int], keepdims: bool, ordered: bool = False) -> str:
    """Emits a reduction; of truth values maximum and minimum are any and all."""
    rank = len(n.shape(x))
    rising = tuple(sorted({normal_axis(int(a), rank) for a in axes}))
    if n.type(x).dtype == np.bool_ and kind in ("max", "min"):
        kind = "any" if kind == "max" else "all"
    return n.emit(Reduce(kind, rising, keepdims, ordered), x)


KINDS: dict[str, Kind] = {"ReduceSum": "sum", "ReduceMean": "mean", "ReduceMax": "max", "ReduceMin": "min", "ReduceProd": "prod"}


def _axes(n: OnnxNode) -> tuple[int, ...]:
    """Of an attribute or, in later operator sets, an operand; where both are absent, all, or none with `noop_with_empty_axes`."""
    axes = n.integers(1, "axes") if n.input(1) else tuple(n.attr("axes") or ())
    if not axes and not n.attr("noop_with_empty_axes", 0):
        return tuple(range(len(n.shape(0))))
    return axes


@onnx_op(*KINDS)
def onnx_reduce(n: OnnxNode) -> str:
    return reduced(n, KINDS[n.op], n.input(0), _axes(n), bool(n.attr("keepdims", 1)))


@onnx_op("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceSumSquare")
def onnx_reduce_norm(n: OnnxNode) -> str:
    """A sum of magnitudes, squares or the elements themselves, followed by a root or a logarithm."""
    x, axes, keepdims = n.input(0), _axes(n), bool(n.attr("keepdims", 1))
    before = {"ReduceL1": "abs", "ReduceL2": "square", "ReduceSumSquare": "square"}.get(n.op)
    after = {"ReduceL2": "sqrt", "ReduceLogSum": "log"}.get(n.op)
    dtype = n.type(x).dtype
    if after and dtype.kind != "f":
        x = n.emit(Cast(np.dtype(np.float32)), x)
    y = reduced(n, "sum", n.emit(Elementwise(before), x) if before else x, axes, keepdims)
    y = n.emit(Elementwise(after), y) if after else y
    return y if n.type(y).dtype == dtype else n.emit(Cast(dtype), y)


@onnx_op("ReduceLogSumExp")
def onnx_reduce_log_sum_exp(n: OnnxNode) -> str:
    """log(sum(exp(x - max))) + max, which does not overflow; an infinite maximum counts as the largest number."""
    x, axes, keepdims, dtype = n.input(0), _axes(n), bool(n.attr("keepdims", 1)), n.type(0).dtype
    if dtype.kind != "f":
        x = n.emit(Cast(np.dtype(np.float32)), x)
    limit = float(np.finfo(n.type(x).dtype).max)
    finite = Elementwise("clip", (-limit, limit))
    top = n.emit(finite, reduced(n, "max", x, axes, True))
    powers = n.emit(Elementwise("exp"), n.emit(Elementwise("sub"), x, top))
    total = n.emit(Elementwise("log"), reduced(n, "sum", powers, axes, keepdims))
    y = n.emit(Elementwise("add"), total, top if keepdims else n.emit(finite, reduced(n, "max", x, axes, False)))
    return y if dtype.kind == "f" else n.emit(Cast(dtype), y)


TFLITE_KINDS: dict[str, Kind] = {"MEAN": "mean", "SUM": "sum", "REDUCE_MAX": "max", "REDUCE_MIN": "min", "REDUCE_PROD": "prod",
                                 "REDUCE_ANY": "any", "REDUCE_ALL": "all"}


@tflite_op(*TFLITE_KINDS)
def tflite_reduce(n: TfliteNode) -> str:
    """LiteRT adds one element after another, but for means along the last axes, which it computes in vectors."""
    axes, rank = n.integers(1, "axes"), len(n.shape(0))
    rising = sorted({normal_axis(a, rank) for a in axes})
    last = rising == list(range(rank - len(rising), rank)) and len(rising) < rank
    ordered = n.ordered and n.type(0).dtype.kind == "f" and (n.op == "SUM" or (n.op == "MEAN" and not last))
    return reduced(n, TFLITE_KINDS[n.op], n.input(0), axes, bool(n.options.keep_dims), ordered)
