"""Of boxes that overlap, the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .importing import OnnxNode, TfliteNode, onnx_op, tflite_op
from .op import Op


@dataclass(frozen=True)
class NonMaxSuppression(Op):
    """The (batch, class, box) of the boxes kept, of each batch and class the best first: int64 [n, 3].

    Operands: boxes [batch, box, 4], of opposite corners or, centered, of (x, y, width, height); scores [batch, class, box]; and as
    scalars, or absent: how many to keep of a class (0), the overlap above which the worse box goes (0), the score above which a box
    counts (any).

    Attributes:
        most: how many may be kept of a class, as far as that is known.
    """

    centered: bool = False
    most: int | None = None
    host: ClassVar[str] = "non_max_suppression"
    reason: ClassVar[str] = "how many boxes are kept depends on data"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        boxes, scores = types[0], types[1]
        assert boxes is not None and scores is not None
        if not (boxes.rank == scores.rank == 3 and boxes.shape == (scores.shape[0], scores.shape[2], 4)):
            raise GraphError(f"boxes {boxes} with scores {scores}; [batch, box, 4] with [batch, class, box] would be accepted")
        batch, classes, box = scores.shape
        kept = box if self.most is None else min(box, max(self.most, 0))
        return (TensorType((batch * classes * kept, 3), np.dtype(np.int64), (0,)),)

    def attributes(self) -> dict[str, object]:
        return {"centered": self.centered}


@dataclass(frozen=True)
class PaddedNonMaxSuppression(Op):
    """The numbers of the boxes kept, the best first, and their scores, both with zeros behind; and how many they are.

    Operands: boxes [box, 4], of opposite corners; scores [box]; and as scalars: the overlap from which the worse box goes, the score
    above which a box counts, and, if given, the sigma by which the scores of boxes that overlap decay.
    """

    size: int
    host: ClassVar[str] = "padded_non_max_suppression"
    reason: ClassVar[str] = "each box kept decides on the next, one after another"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        boxes, scores = types[0], types[1]
        assert boxes is not None and scores is not None
        if boxes.shape != (*scores.shape, 4) or scores.rank != 1:
            raise GraphError(f"boxes {boxes} with scores {scores}; [box, 4] with [box] would be accepted")
        if self.size < 0:
            raise GraphError(f"{self.size} of boxes {boxes} to keep; 0 and more would be accepted")
        return TensorType((self.size,), np.dtype(np.int32)), TensorType((self.size,), scores.dtype), TensorType((), np.dtype(np.int32))


@onnx_op("NonMaxSuppression", host="always")
def onnx_non_max_suppression(n: OnnxNode) -> str:
    limit = n.array(2)
    most = 0 if not n.input(2) else None if limit is None else int(limit.item())
    return n.emit(NonMaxSuppression(bool(n.attr("center_point_box", 0)), most), *n.inputs)


@tflite_op("NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", host="always")
def tflite_non_max_suppression(n: TfliteNode) -> tuple[str, ...]:
    (size,) = n.integers(2, "how many boxes to keep")
    indices, scores, count = n.emit_all(PaddedNonMaxSuppression(size), *n.inputs[:2], *n.inputs[3:])
    return (indices, count) if n.op.endswith("V4") else (indices, scores, count)
