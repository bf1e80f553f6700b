"""Cases of operators that run on the host, and of ordinary ones on what they give."""

from __future__ import annotations

from itertools import product

import numpy as np

from tests.conformance.tflite_case import Case, Cases, family, numbers, scalar


def boxes(count: int, seed: int = 0) -> np.ndarray:
    """Corners of boxes that often overlap."""
    corner, size = np.random.default_rng([seed, count]).random((2, count, 2), np.float32)
    return np.concatenate([3 * corner, 3 * corner + size + np.float32(0.5)], 1)


def scores(*shape: int, seed: int = 1) -> np.ndarray:
    """Different ones, between 0 and 1."""
    size = int(np.prod(shape))
    return (np.random.default_rng([seed, *shape]).permutation(size) / size).astype(np.float32).reshape(shape)


@family
def picked() -> Cases:
    for density, shape in product((0.1, 0.5, 1.0), ((7,), (3, 5), (2, 3, 4), (2, 3, 1, 4, 2))):
        found = np.random.default_rng(len(shape)).random(shape) < density
        found[..., -1] |= not found.any()  # LiteRT's interpreter does not hand out what is empty
        yield Case("WHERE", [found], results=["int64"])
    for index, count, spread in product(("int32", "int64"), (1, 9, 40), (0, 4, 100)):
        x = numbers((count,), "int32", 0, 0, spread)
        yield Case("UNIQUE", [x], {"idx_out_type": index.upper()}, results=["int32", index])


@family
def suppressed() -> Cases:
    for size, overlap, least, sigma in product((1, 5, 40), (0.1, 0.5, 1.0), (0.0, 0.4, 1.0), (None, 0.0, 0.5)):
        numbers = [scalar(v, "float32") for v in (overlap, least, sigma) if v is not None]
        yield Case("NON_MAX_SUPPRESSION_V4" if sigma is None else "NON_MAX_SUPPRESSION_V5", [boxes(30), scores(30), scalar(size), *numbers],
                   fed=2, results=["int32", "int32"] if sigma is None else ["int32", "float32", "int32"])
    for op, count in (("NON_MAX_SUPPRESSION_V4", 2), ("NON_MAX_SUPPRESSION_V5", 3)):
        values = [scalar(v, "float32") for v in (0.5, 0.2, 0.3)[:count]]
        yield Case(op, [boxes(30), scores(30), scalar(6), *values], fed=[0, 1, 3, 4, 5][: 2 + count],
                   results=["int32", "int32"] if count == 2 else ["int32", "float32", "int32"])


@family
def detected() -> Cases:
    for background, classes, of_each, overlap in product((0, 1), (1, 4), (1, 3), (0.4, 0.7)):
        anchors = np.concatenate([numbers((40, 2), low=0, high=3), numbers((40, 2), seed=1, low=0.5, high=1.5)], 1)
        custom = {"max_detections": 6, "max_classes_per_detection": min(of_each, classes),
                  "detections_per_class": 5, "num_classes": classes, "use_regular_nms": of_each == 1 and classes > 1,
                  "nms_score_threshold": 0.3, "nms_iou_threshold": overlap,
                  "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0}
        yield Case("TFLite_Detection_PostProcess", [numbers((1, 40, 4)), scores(1, 40, classes + background), anchors], fed=2,
                   results=["float32"] * 4, custom=custom)
