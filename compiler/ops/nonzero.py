"""Where the elements are that are not zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..ir import TensorType
from .importing import OnnxNode, TfliteNode, onnx_op, tflite_op
from .op import Op


@dataclass(frozen=True)
class NonZero(Op):
    """The coordinates of the elements that are not zero, row-major: [n, rank] by row, else [rank, n], a scalar being a vector of one."""

    by_row: bool = False
    host: ClassVar[str] = "nonzero"
    reason: ClassVar[str] = "how many elements are not zero depends on data"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        shape = (x.size, x.rank) if self.by_row else (max(x.rank, 1), x.size)
        return (TensorType(shape, np.dtype(np.int64), (0 if self.by_row else 1,)),)


@onnx_op("NonZero", host="always")
def onnx_nonzero(n: OnnxNode) -> str:
    return n.emit(NonZero(), n.input(0))


@tflite_op("WHERE", host="always")
def tflite_where(n: TfliteNode) -> str:
    return n.emit(NonZero(by_row=True), n.input(0))
