"""Regions: the kernels against the numpy reference, the importers against ONNX Runtime and the standard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.roi import RoiAlign, RoiPool
from tests.harness import Case, check, floats
from tests.oracles import evaluated, onnx_node, ort, same, standard_case, standard_cases

KERNELS = pytest.mark.device
ROIS = np.array([[1.3, 0.7, 6.2, 5.1], [-3.1, -2.2, 1.4, 2.6], [4.4, 3.3, 12.7, 9.6], [2.6, 2.7, 2.4, 2.2], [20.3, 20.4, 22.1, 23.2]],
                np.float32)
"""Inside, over the edges, of negative extent, and outside."""
BATCH = np.array([0, 1, 1, 0, 1], np.int64)
ALIGNED = [RoiAlign((2, 3)), RoiAlign((3, 2), 0.7, 2), RoiAlign((1, 1), 1.0, 3, half_pixel=False), RoiAlign((2, 2), 0.5, mode="max"),
           RoiAlign((2, 2), 1.0, 1, "max", half_pixel=False)]


@KERNELS
@pytest.mark.parametrize("op", ALIGNED, ids=repr)
@pytest.mark.parametrize("channels", [3, 17])
def test_aligned(op: RoiAlign, channels: int) -> None:
    assert check(Case(op, [*floats((2, 7, 8, channels)), ROIS, BATCH])) >= 3


@KERNELS
@pytest.mark.parametrize("op", [RoiPool((2, 3)), RoiPool((3, 3), 0.6)], ids=repr)
@pytest.mark.parametrize("framed", [True, False])
def test_pooled(op: RoiPool, framed: bool) -> None:
    rois = np.concatenate([BATCH[:, None].astype(np.float32), ROIS], 1)
    assert check(Case(op, [*floats((2, 7, 8, 17)), rois], framed=framed)) >= 3


@KERNELS
def test_epilogue() -> None:
    steps = (Step(Elementwise("relu"), (0,)),)
    assert check(Case(RoiAlign((2, 2)), [*floats((2, 7, 8, 5)), ROIS, BATCH], epilogue=steps)) >= 3


def test_refused() -> None:
    f, i = np.dtype(np.float32), np.dtype(np.int64)
    x = TensorType((1, 4, 4, 3), f)
    with pytest.raises(GraphError, match="are no regions"):
        RoiAlign((2, 2)).infer(x, TensorType((2, 4), f), TensorType((3,), i))
    with pytest.raises(GraphError, match="holds no regions"):
        RoiPool((2, 2)).infer(x, TensorType((2, 4), f))
    with pytest.raises(GraphError, match="would fit"):
        RoiPool((0, 2)).infer(x, TensorType((2, 5), f))


# -- importers


@pytest.mark.parametrize("case", standard_cases(["roialign"], ["RoiAlign"]), ids=lambda c: c.name)
def test_standard(tmp_path: Path, case: Any) -> None:
    path, inputs, outputs = standard_case(tmp_path, case, 3)
    same(evaluated(path, inputs), outputs, 1e-4)


@pytest.mark.parametrize("opset", [10, 16])
@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("attributes", [{}, {"coordinate_transformation_mode": "output_half_pixel"}])
@pytest.mark.parametrize("samples", [0, 2])
def test_onnx_align(tmp_path: Path, opset: int, mode: str, attributes: dict[str, Any], samples: int) -> None:
    if attributes and opset == 10:
        attributes = {}
    arrays = [*floats((2, 3, 7, 8)), np.delete(ROIS, 3, 0), np.delete(BATCH, 3)]
    path = onnx_node(tmp_path, "RoiAlign", arrays, opset=opset, mode=mode, output_height=3, output_width=2, spatial_scale=0.8,
                     sampling_ratio=samples, **attributes)
    same(evaluated(path, arrays), ort(path, arrays))


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_onnx_max(tmp_path: Path, scale: float) -> None:
    arrays = [*floats((2, 3, 7, 8)), np.concatenate([BATCH[:, None].astype(np.float32), ROIS], 1)]
    path = onnx_node(tmp_path, "MaxRoiPool", arrays, pooled_shape=[2, 3], spatial_scale=scale)
    same(evaluated(path, arrays), ort(path, arrays))


def test_onnx_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="avg and max, half_pixel and output_half_pixel would be accepted"):
        load(onnx_node(tmp_path, "RoiAlign", [*floats((2, 3, 7, 8)), ROIS, BATCH], mode="sum"))
