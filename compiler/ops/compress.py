"""Slices for which a condition holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .gather import gather
from .importing import OnnxNode, onnx_op
from .movement import Reshape
from .op import Op, normal_axis


@dataclass(frozen=True)
class Compress(Op):
    """The slices of x along an axis, or its elements in row-major order, for which a condition holds.

    Operands: x; the condition (bool), a vector, false where it is too short.
    """

    axis: int | None = None
    host: ClassVar[str] = "compress"
    reason: ClassVar[str] = "for how many elements the condition holds depends on data"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, condition = types[0], types[1]
        assert x is not None and condition is not None
        if condition.rank != 1 or condition.dtype != np.bool_:
            raise GraphError(f"a condition {condition} for {x}; a vector of bool would be accepted")
        if self.axis is None:
            return (TensorType((min(x.size, condition.size),), x.dtype, (0,)),)
        if not 0 <= self.axis < x.rank:
            raise GraphError(f"{x} has no axis {self.axis}")
        shape = (*x.shape[: self.axis], min(x.shape[self.axis], condition.size), *x.shape[self.axis + 1 :])
        return (TensorType(shape, x.dtype, tuple(sorted({*x.open, self.axis}))),)


@onnx_op("Compress", host="where the condition is computed")
def onnx_compress(n: OnnxNode) -> str:
    x, axis = n.input(0), n.attr("axis")
    axis = None if axis is None else normal_axis(axis, n.type(0).rank)
    condition = n.array(1)
    if condition is None or n.type(0).open:
        return n.emit(Compress(axis), x, n.input(1))
    if axis is None:
        x, axis = n.emit(Reshape((n.type(0).size,)), x), 0
    return gather(n, x, n.add_constant(np.flatnonzero(condition)), axis)
