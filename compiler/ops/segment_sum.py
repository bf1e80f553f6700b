"""Sums of segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..errors import GraphError
from ..ir import TensorType
from .importing import TfliteNode, tflite_op
from .op import Op
from .scatter import joined


@dataclass(frozen=True)
class SegmentSum(Op):
    """The sums of the slices of x along its first axis that have the same number: [n, …], n the largest number + 1.

    Operands: x; the numbers, which rise from 0 without gaps, so that n is at most as many as they are.
    """

    host: ClassVar[str] = "segment_sum"
    reason: ClassVar[str] = "how many segments there are depends on data"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, ids = types
        assert x is not None and ids is not None
        if ids.rank != 1 or x.shape[:1] != ids.shape or ids.dtype.kind not in "iu":
            raise GraphError(f"{ids} does not number the slices of {x}")
        return (TensorType(x.shape, x.dtype, tuple(sorted({0, *x.open}))),)


@tflite_op("SEGMENT_SUM", host="where the segments are computed")
def tflite_segment_sum(n: TfliteNode) -> str:
    ids = n.array(1)
    if ids is None or n.type(0).open:
        return n.emit(SegmentSum(), n.input(0), n.input(1))
    return joined(n, "add", 0, int(ids[-1]) + 1 if ids.size else 0)
