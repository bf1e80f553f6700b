"""The last step of object detectors: boxes against anchors, and of those that overlap, the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .importing import TfliteNode, tflite_op
from .op import Op


@dataclass(frozen=True)
class Detections(Op):
    """The objects found, the best first: boxes [1, n, 4], classes [1, n], scores [1, n], with zeros behind, and their number [1].

    Operands: encodings [1, box, 4 or more], of (y, x, height, width) against anchors; scores [1, box, class], with a column for the
    background in front of those of the `classes`, or without; anchors [box, 4 or more].

    Attributes:
        scales: by which the four numbers of an encoding are divided.
        most: objects; most_classes: of each, so that n is the product; most_of_class: objects, with `regular` suppression.
        regular: every class is suppressed by itself, and an object has one class.
        threshold: the score from which on a box counts; overlap: above which the worse box goes.
    """

    scales: tuple[float, ...]
    classes: int
    most: int
    most_classes: int
    most_of_class: int
    regular: bool
    threshold: float
    overlap: float
    host: ClassVar[str] = "detections"
    reason: ClassVar[str] = "each box kept decides on the next, one after another"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        encodings, scores, anchors = types
        assert encodings is not None and scores is not None and anchors is not None
        boxes = encodings.shape[1] if encodings.rank == 3 and encodings.shape[2] >= 4 else -1
        fit = (encodings.shape[:2] == scores.shape[:2] == (1, boxes) and scores.rank == 3
               and scores.shape[2] - self.classes in (0, 1) and anchors.rank == 2 and anchors.shape[0] == boxes and anchors.shape[1] >= 4)
        if not fit:
            raise GraphError(f"encodings {encodings}, scores {scores}, anchors {anchors}; [1, box, 4], [1, box, {self.classes} or "
                             f"{self.classes + 1}], [box, 4] would be accepted")
        size, dtype = self.most * self.most_classes, np.dtype(np.float32)
        return TensorType((1, size, 4), dtype), TensorType((1, size), dtype), TensorType((1, size), dtype), TensorType((1,), dtype)


@tflite_op("TFLite_Detection_PostProcess", host="always")
def tflite_detection_post_process(n: TfliteNode) -> tuple[str, ...]:
    given = n.custom
    if not isinstance(given, dict):
        raise Unsupported("its custom options are no map; those that TensorFlow's converter writes would be accepted")
    op = Detections(
        scales=tuple(float(given[f"{side}_scale"]) for side in "yxhw"), classes=int(given["num_classes"]),
        most=int(given["max_detections"]), most_classes=int(given["max_classes_per_detection"]),
        most_of_class=int(given.get("detections_per_class", 100)), regular=bool(given.get("use_regular_nms", False)),
        threshold=float(given["nms_score_threshold"]), overlap=float(given["nms_iou_threshold"]))
    return n.emit_all(op, *n.inputs)
