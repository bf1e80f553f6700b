"""Distinct elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .elementwise import Cast
from .importing import OnnxNode, TfliteNode, onnx_op, tflite_op
from .op import Op, normal_axis


@dataclass(frozen=True)
class Unique(Op):
    """The distinct elements of x, or its distinct slices along an axis: sorted, or in the order in which they first occur.

    Further results: where each occurs first; which of them each element (or slice) of x is; how often each occurs.
    """

    axis: int | None = None
    sorted: bool = True
    host: ClassVar[str] = "unique"
    reason: ClassVar[str] = "how many elements are distinct depends on data"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        index, axis = np.dtype(np.int64), self.axis
        if axis is None:
            y, all_open = TensorType((x.size,), x.dtype, (0,)), bool(x.open)
        elif 0 <= axis < x.rank:
            y, all_open = TensorType(x.shape, x.dtype, tuple(sorted({*x.open, axis}))), axis in x.open
        else:
            raise GraphError(f"{x} has no axis {axis}")
        extent = (y.shape[axis or 0],)
        one_each = TensorType(extent, index, (0,))
        return y, one_each, TensorType(extent, index, (0,) if all_open else ()), one_each


@onnx_op("Unique", host="always")
def onnx_unique(n: OnnxNode) -> tuple[str, ...]:
    axis = n.attr("axis")
    return n.emit_all(Unique(None if axis is None else normal_axis(axis, n.type(0).rank), bool(n.attr("sorted", 1))), n.input(0))


@tflite_op("UNIQUE", host="always")
def tflite_unique(n: TfliteNode) -> tuple[str, str]:
    y, _, inverse, _ = n.emit_all(Unique(sorted=False), n.input(0))
    dtype = np.dtype(n.options.idx_out_type.lower())
    return y, inverse if n.type(inverse).dtype == dtype else n.emit(Cast(dtype), inverse)
