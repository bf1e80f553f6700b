"""Ordinary functions of arrays whose shapes depend on data: what stands between such an operator and an output of the model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx

from planish.runtime import host

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .importing import OnnxNode
from .op import Op, normal_axis

ELEMENTWISE = {
    "Abs": "abs", "Add": "add", "Div": "div", "Equal": "equal", "Exp": "exp", "Greater": "greater", "GreaterOrEqual": "greater_equal",
    "Less": "less", "LessOrEqual": "less_equal", "Log": "log", "Max": "max", "Min": "min", "Mul": "mul", "Neg": "neg", "Not": "not",
    "Sqrt": "sqrt", "Sub": "sub", "Where": "where",
}  # fmt: skip
REDUCTIONS = {"ReduceMax": "reduce_max", "ReduceMin": "reduce_min", "ReduceSum": "sum"}


@dataclass(frozen=True)
class OnHost(Op):
    """A function of arrays, `fn` of `planish.runtime.host.ARRAYS`, with its parameters."""

    fn: str
    params: tuple[int | str, ...] = ()
    host: ClassVar[str] = "array"
    reason: ClassVar[str] = "the shapes of its operands depend on data"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        """Tried out: the dimensions that change where those of the operands that depend on data do."""
        given = [t for t in types if t is not None]
        whole, others = self._tried(given, lambda extent: extent), []
        for less in (lambda extent: max(extent - 1, 0), lambda extent: 0):
            with suppress(GraphError):  # one that picks from what is empty, or splits into parts of equal size
                others.append(self._tried(given, less))
        if not others:
            raise GraphError(f"{self.fn} of {', '.join(map(str, given))} does not allow for smaller shapes")
        changing = tuple(d for d, e in enumerate(whole.shape) if any(o.shape[d] != e for o in others))
        return (TensorType(whole.shape, whole.dtype, changing),)

    def _tried(self, types: list[TensorType], count: Callable[[int], int]) -> np.ndarray:
        arrays = [np.zeros((), t.dtype) for t in types]
        shapes = [tuple(count(e) if d in t.open else e for d, e in enumerate(t.shape)) for t in types]
        try:
            with np.errstate(all="ignore"):
                (result,) = host.array(*map(np.broadcast_to, arrays, shapes), fn=self.fn, params=list(self.params))
        except (ValueError, LookupError) as error:
            raise GraphError(f"{self.fn} of {', '.join(map(str, types))}: {error}") from None
        return result


def _elementwise(n: OnnxNode) -> str:
    return n.emit(OnHost(ELEMENTWISE[n.op]), *n.inputs)


def _reduce(n: OnnxNode) -> str:
    return n.emit(OnHost(REDUCTIONS[n.op], (n.attr("keepdims", 1), *_axes(n, n.type(0).rank))), n.input(0))


def _shape(n: OnnxNode) -> str:
    return n.emit(OnHost("slice", (0, n.attr("start", 0), n.attr("end", n.type(0).rank), 1)), n.emit(OnHost("shape"), n.input(0)))


def _cast(n: OnnxNode) -> str:
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(n.attr("to")))
    if dtype.kind not in "fbiu":
        raise Unsupported(f"a cast to {dtype}; numbers and truth values would be accepted")
    return n.emit(OnHost("cast", (dtype.name,)), n.input(0))


def _concat(n: OnnxNode) -> str:
    return n.emit(OnHost("concat", (n.attr("axis"),)), *n.inputs)


def _gather(n: OnnxNode) -> str:
    return n.emit(OnHost("gather", (n.attr("axis", 0),)), *n.inputs)


def _gather_nd(n: OnnxNode) -> str:
    if n.attr("batch_dims", 0):
        raise Unsupported("batch_dims and shapes that depend on data; 0 would be accepted")
    return n.emit(OnHost("gather_nd"), *n.inputs)


def _identity(n: OnnxNode) -> str:
    return n.input(0)


def _reshape(n: OnnxNode) -> str:
    shape = n.integers(1, "shape")
    if 0 in shape:
        raise Unsupported(f"shape {list(shape)} where shapes depend on data; one without 0 would be accepted")
    return n.emit(OnHost("reshape", shape), n.input(0))


def _slice(n: OnnxNode) -> str:
    if n.opset < 10:
        begin, end, axes, steps = (tuple(n.attr(name) or ()) for name in ("starts", "ends", "axes", "steps"))
    else:
        begin, end = n.integers(1, "begin"), n.integers(2, "end")
        axes, steps = (n.integers(k, name) if n.input(k) else () for k, name in ((3, "axes"), (4, "steps")))
    ranges = zip(axes or range(len(begin)), begin, end, steps or (1,) * len(begin), strict=True)
    return n.emit(OnHost("slice", tuple(e for each in ranges for e in each)), n.input(0))


def _axes(n: OnnxNode, rank: int) -> tuple[int, ...]:
    axes = n.integers(1, "axes") if n.input(1) else n.attr("axes")
    if axes is None:
        raise Unsupported("no axes where shapes depend on data; a list of them would be accepted")
    return tuple(normal_axis(a, rank) for a in axes)


def _squeeze(n: OnnxNode) -> str:
    return n.emit(OnHost("squeeze", _axes(n, n.type(0).rank)), n.input(0))


def _unsqueeze(n: OnnxNode) -> str:
    count = len(n.integers(1, "axes") if n.input(1) else n.attr("axes"))
    return n.emit(OnHost("insert_axes", _axes(n, n.type(0).rank + count)), n.input(0))


def _transpose(n: OnnxNode) -> str:
    return n.emit(OnHost("transpose", tuple(n.attr("perm") or reversed(range(n.type(0).rank)))), n.input(0))


OPEN: dict[str, Callable[..., str]] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise), **dict.fromkeys(REDUCTIONS, _reduce), "Cast": _cast, "Concat": _concat, "Gather": _gather,
    "GatherND": _gather_nd, "Identity": _identity, "Reshape": _reshape, "Shape": _shape, "Slice": _slice, "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze, "Transpose": _transpose,
}  # fmt: skip
"""Importers of operators for operands whose shapes depend on data."""
