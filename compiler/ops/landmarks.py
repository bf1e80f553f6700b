"""MediaPipe's custom operators on landmarks: points on a face, of which a region is cut out, upright, and points put back."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..errors import Unsupported
from .elementwise import Elementwise
from .gather import gather
from .importing import TfliteNode, tflite_op
from .matmul import MatMul
from .movement import Concat, Reshape, Transpose
from .reduce import Reduce
from .reshaping import cut


class _Arithmetic:
    """Arithmetic on values and numbers, each call an element-wise function of the table."""

    def __init__(self, n: TfliteNode):
        self.n = n

    def __call__(self, fn: str, *operands: str | float) -> str:
        like = next(v for v in operands if isinstance(v, str))
        return self.n.emit(Elementwise(fn), *(v if isinstance(v, str) else self.n.scalar(v, like) for v in operands))

    def sum(self, *terms: str | float) -> str:
        first, *rest = terms
        for term in rest:
            first = self("add", first, term)
        assert isinstance(first, str)
        return first

    def mul(self, *factors: str | float) -> str:
        first, *rest = factors
        for factor in rest:
            first = self("mul", first, factor)
        assert isinstance(first, str)
        return first


def _options(n: TfliteNode) -> dict[str, Any]:
    if not isinstance(n.custom, dict):
        raise Unsupported("options that are no map; those of MediaPipe would be accepted")
    return n.custom


@tflite_op("Landmarks2TransformMatrix")
def mediapipe_landmarks_to_matrix(n: TfliteNode) -> str:
    """Landmarks [N,…] of 3 (or `dimensions`) numbers -> matrices of 4x4 from places in the region to places in the image.

    The region is the box around the landmarks of a subset after a rotation which makes the line from the left to the right
    landmark horizontal (version 2: gives it the target's angle). In version 1 landmarks and boxes count in `landmarks_range`.
    """
    o, f, batch = _options(n), _Arithmetic(n), n.shape(0)[0]
    size = int(o["dimensions"]) if n.version == 1 else 3
    points = n.emit(Reshape((batch, prod(n.shape(0)[1:]) // size, size)), n.input(0))

    def coordinates(of: list[int]) -> list[str]:
        picked = gather(n, points, n.add_constant(np.asarray(of, np.int64)), 1)
        return [cut(n, picked, {2: (k, 1, 1)}) for k in range(2)]

    left, right = coordinates([int(o["left_rotation_idx"])]), coordinates([int(o["right_rotation_idx"])])
    dx, dy = (f("sub", b, a) for a, b in zip(left, right))
    angle = f("atan2", dy, dx)
    if n.version > 1:
        straight = f("logical_or", f("equal", dx, 0.0), f("equal", dy, 0.0))
        angle = n.emit(Elementwise("where"), straight, n.scalar(0, angle), angle)
    turn = f("sub", float(o["target_rotation_radians"]) if n.version > 1 else 0.0, angle)
    c, s = f("cos", turn), f("sin", turn)
    x, y = coordinates([int(k) for k in o["subset" if n.version == 1 else "subset_idxs"]])
    turned = [f("sub", f.mul(x, c), f.mul(y, s)), f("add", f.mul(x, s), f.mul(y, c))]
    ends = [[n.emit(Reduce(kind, (1,), True), v) for v in turned] for kind in ("max", "min")]
    width, height = (f("sub", high, low) for high, low in zip(*ends))
    u, v = (f.mul(f("add", high, low), 0.5) for high, low in zip(*ends))
    middle = [f("add", f.mul(u, c), f.mul(v, s)), f("sub", f.mul(v, c), f.mul(u, s))]
    rows = (_relative if n.version == 1 else _absolute)(f, o, (c, s), (width, height), middle)
    numbers = [*rows[0], *rows[1], 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    cells = [v if isinstance(v, str) else n.add_constant(np.full((batch, 1, 1), v, np.float32)) for v in numbers]
    return n.emit(Reshape((batch, 4, 4) if n.version > 1 else (batch, 1, 4, 4)), n.emit(Concat(2), *cells))


Rows = tuple[tuple[str | float, ...], tuple[str | float, ...]]


def _absolute(f: _Arithmetic, o: dict[str, Any], turn: tuple[str, str], box: tuple[str, str], middle: list[str]) -> Rows:
    """From pixels of the region, centred, scaled to the box, turned back and moved to its middle."""
    (c, s), w, h = turn, float(o["output_width"]), float(o["output_height"])
    sx, sy = f.mul(box[0], float(o["scale_x"]) / w), f.mul(box[1], float(o["scale_y"]) / h)
    a, b, d, e = f.mul(c, sx), f.mul(s, sy), f("neg", f.mul(s, sx)), f.mul(c, sy)
    shift = (f.sum(m, f.mul(p, -w / 2), f.mul(q, -h / 2)) for m, p, q in zip(middle, (a, d), (b, e)))
    return ((a, b, 0.0, next(shift)), (d, e, 0.0, next(shift)))


def _relative(f: _Arithmetic, o: dict[str, Any], turn: tuple[str, str], box: tuple[str, str], middle: list[str]) -> Rows:
    """The same between -1 … 1 on the region and on the image, whose pixels are `output_hw` and `input_hw`."""
    (c, s), unit = turn, float(o["landmarks_range"])
    (ih, iw), (oh, ow) = ([float(v) for v in o[name]] for name in ("input_hw", "output_hw"))
    sx, sy = (f.mul(v, float(o["bbox_size_multiplier"]) / unit) for v in box)
    rows = ((f.mul(c, sx), f.mul(s, sy)), (f("neg", f.mul(s, sx)), f.mul(c, sy)))
    half = ((iw - 1) / 2, (ih - 1) / 2)
    steps = (2 / (ow - 1), 2 / (oh - 1))
    result = []
    for row, m, k in zip(rows, middle, half):
        shift = f("sub", f.mul(m, 2 / unit), f("add", *row))
        result.append((f.mul(row[0], k * steps[0]), f.mul(row[1], k * steps[1]), 0.0, f.mul(shift, k)))
    return (result[0], result[1])


@tflite_op("TransformLandmarks")
def mediapipe_transform_landmarks(n: TfliteNode) -> str:
    """x and y of each landmark under a matrix of 4x4, or one for each of the batch; a third number stays.

    Version 1 says how many `dimensions` a landmark has and by what to scale the matrix's shift; in 2 these are the last axis and 1.
    """
    o = _options(n) if n.version == 1 else {}
    shape = n.shape(0)
    size, scale = int(o.get("dimensions", 3 if n.version == 1 else shape[-1])), float(o.get("scale", 1.0))
    matrices = n.type(1).size // 16
    if size not in (2, 3) or shape[-1] % size or matrices not in (1, shape[0]):
        raise Unsupported(f"landmarks {n.type(0)} of {size} numbers under {n.type(1)}; 2 or 3 and a matrix of 4x4 would be accepted")
    points = n.emit(Reshape((matrices, n.type(0).size // matrices // size, size)), n.input(0))
    rows = cut(n, n.emit(Reshape((matrices, 4, 4)), n.input(1)), {1: (0, 2, 1)})
    turn = n.emit(Transpose((0, 2, 1)), cut(n, rows, {2: (0, 2, 1)}))
    shift = n.emit(Transpose((0, 2, 1)), cut(n, rows, {2: (3, 1, 1)}))
    shift = n.emit(Elementwise("mul"), shift, n.scalar(scale, shift)) if scale != 1 else shift
    moved = n.emit(Elementwise("add"), n.emit(MatMul(), cut(n, points, {2: (0, 2, 1)}), turn), shift)
    return n.emit(Reshape(shape), n.emit(Concat(2), moved, cut(n, points, {2: (2, 1, 1)})) if size == 3 else moved)
