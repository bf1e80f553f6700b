"""MediaPipe's operators on landmarks, against their matrices multiplied out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from tests.compiler.ops.test_sample import custom
from tests.harness import CPU, GPU, check_graph, floats
from tests.oracles import evaluated, same, write

V2 = {"left_rotation_idx": 2, "right_rotation_idx": 7, "target_rotation_radians": 0.25, "output_height": 16, "output_width": 24,
      "scale_x": 1.5, "scale_y": 1.25, "subset_idxs": [1, 3, 4, 8, 2]}  # fmt: skip
V1 = {"dimensions": 3, "landmarks_range": 192, "left_rotation_idx": 2, "right_rotation_idx": 7, "bbox_size_multiplier": 1.5,
      "input_hw": [96, 64], "output_hw": [16, 24], "subset": [1, 3, 4, 8, 2]}  # fmt: skip


def affine(a: float, b: float, x: float, c: float, d: float, y: float) -> np.ndarray:
    return np.array([[a, b, x], [c, d, y], [0, 0, 1]])


def rotation(angle: float, x: float = 0, y: float = 0) -> np.ndarray:
    return affine(np.cos(angle), -np.sin(angle), x, np.sin(angle), np.cos(angle), y)


def matrix(points: np.ndarray, o: dict[str, Any], version: int) -> np.ndarray:
    """As MediaPipe says it: a product of shifts, a rotation and scales."""
    dx, dy = points[o["right_rotation_idx"], :2] - points[o["left_rotation_idx"], :2]
    angle = np.arctan2(dy, dx)
    if version == 2:
        angle = 0 if dx == 0 or dy == 0 else angle
    turn = (o["target_rotation_radians"] if version == 2 else 0) - angle
    turned = points[o["subset_idxs" if version == 2 else "subset"], :2] @ rotation(turn)[:2, :2].T
    (w, h), middle = np.ptp(turned, 0), (turned.max(0) + turned.min(0)) / 2
    x, y = rotation(-turn)[:2, :2] @ middle
    if version == 2:
        width, height = o["output_width"], o["output_height"]
        scale = affine(o["scale_x"] * w / width, 0, 0, 0, o["scale_y"] * h / height, 0)
        m = affine(1, 0, x, 0, 1, y) @ rotation(-turn) @ scale @ affine(1, 0, -width / 2, 0, 1, -height / 2)
    else:
        unit, (ih, iw), (oh, ow) = o["landmarks_range"], o["input_hw"], o["output_hw"]
        scale = affine(w * o["bbox_size_multiplier"] / unit, 0, 0, 0, h * o["bbox_size_multiplier"] / unit, 0)
        relative = affine(2 / (ow - 1), 0, -1, 0, 2 / (oh - 1), -1)
        absolute = affine((iw - 1) / 2, 0, (iw - 1) / 2, 0, (ih - 1) / 2, (ih - 1) / 2)
        m = absolute @ rotation(-turn, x / unit * 2 - 1, y / unit * 2 - 1) @ scale @ relative
    result = np.eye(4, dtype=np.float32)
    result[:2, :2], result[:2, 3] = m[:2, :2], m[:2, 2]
    return result


@pytest.mark.parametrize(("version", "options"), [(1, V1), (2, V2)])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("straight", [False, True])
def test_matrix(tmp_path: Path, version: int, options: dict[str, Any], batch: int, straight: bool) -> None:
    x = floats((batch, 11, 3))[0] * 40 + 96
    if straight:
        x[:, 7, 1] = x[:, 2, 1]
    x = x if version == 2 else x.reshape(batch, 1, 1, 33)
    (y,) = evaluated(write(tmp_path, custom("Landmarks2TransformMatrix", options, version, x)), [x])
    expected = np.stack([matrix(points, options, version) for points in x.reshape(batch, 11, 3).astype(np.float64)])
    same([y], [expected.reshape(batch, *[1] * (2 - version), 4, 4)], 1e-4)


@pytest.mark.parametrize(("shape", "version", "options", "size"), [
    ((1, 11, 3), 2, None, 3), ((1, 11, 2), 2, None, 2), ((1, 1, 2, 12), 1, {"dimensions": 2, "scale": 0.5}, 2),
    ((3, 1, 1, 9), 1, {"dimensions": 3}, 3),
])  # fmt: skip
def test_transform(tmp_path: Path, shape: tuple[int, ...], version: int, options: dict[str, Any] | None, size: int) -> None:
    x, m = floats(shape, (1, 4, 4) if version == 2 else (1, 1, 4, 4))
    (y,) = evaluated(write(tmp_path, custom("TransformLandmarks", options, version, x, m)), [x, m])
    points, m = x.reshape(-1, size).copy(), m.reshape(4, 4)
    points[:, :2] = points[:, :2] @ m[:2, :2].T + m[:2, 3] * (options or {}).get("scale", 1)
    same([y], [points.reshape(shape)])


@pytest.mark.device
def test_on_the_device(tmp_path: Path) -> None:
    x = floats((1, 11, 3))
    graph = load(write(tmp_path, custom("Landmarks2TransformMatrix", V2, 2, *x)))
    assert check_graph(graph, dict(zip(graph.inputs, x)), targets=[CPU, GPU], candidates=1) == 2


def test_refused(tmp_path: Path) -> None:
    x, m = floats((1, 11, 4), (1, 4, 4))
    with pytest.raises(UnsupportedError, match="2 or 3 and a matrix of 4x4"):
        load(write(tmp_path, custom("TransformLandmarks", None, 2, x, m)))
    with pytest.raises(UnsupportedError, match="options that are no map"):
        load(write(tmp_path, custom("Landmarks2TransformMatrix", None, 2, x)))
