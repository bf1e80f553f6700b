"""Resizing: the kernel against the numpy reference, every mode of both formats against their own runtimes and the standard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.movement import Slice, Transpose
from planish.compiler.ops.resize import COORDINATES, ROUNDINGS, Resize2D
from tests.harness import CPU, GPU, Case, check, check_file, floats
from tests.oracles import evaluated, litert, onnx_node, ort, same, standard_case, standard_cases, tflite_node

KERNELS = pytest.mark.device
CASES = [
    # x, op
    ((1, 5, 7, 17), Resize2D((11, 14), "nearest", (2.2, 2.0), "asymmetric", "floor")),
    ((3, 5, 7, 21), Resize2D((10, 14), "linear", (2.0, 2.0))),
    ((1, 6, 4, 3), Resize2D((4, 9), "cubic", (0.7, 2.3), exclude_outside=True)),
    ((2, 1, 9, 1), Resize2D((3, 1), "linear", (3.0, 0.1), "align_corners")),
    ((1, 30, 21, 20), Resize2D((4, 8), "linear", (4 / 30, 8 / 21), antialias=True)),
    ((1, 4, 5, 16), Resize2D((7, 6), "linear", (1.75, 1.2), "tf_crop_and_resize", crop=((-0.2, 1.1), (0.9, 0.1)))),
]


@KERNELS
@pytest.mark.parametrize(("x", "op"), CASES)
@pytest.mark.parametrize("framed", [True, False])
def test_kernel(x: tuple[int, ...], op: Resize2D, framed: bool) -> None:
    assert check(Case(op, floats(x), framed=framed)) == 3


@KERNELS
@pytest.mark.parametrize(("x", "op"), [CASES[1], CASES[4]])
def test_half_precision(x: tuple[int, ...], op: Resize2D) -> None:
    (values,) = floats(x)
    assert check(Case(op, [values.astype(np.float16).astype(np.float32)]), precision="f16") == 3


@KERNELS
@pytest.mark.parametrize(("x", "op"), [CASES[0], CASES[2]])
def test_epilogue(x: tuple[int, ...], op: Resize2D) -> None:
    shape = (x[0], *op.size, x[3])
    bias, residual = floats(shape[3:], shape, seed=1)
    steps = (Step(Elementwise("add"), (0, "bias")), Step(Elementwise("exp"), (1,)), Step(Elementwise("add"), ("residual", 2)))
    extra = (("bias", bias, True), ("residual", residual, False))
    assert check(Case(op, floats(x), epilogue=steps, extra=extra)) == 3


@KERNELS
@pytest.mark.parametrize("before", [Slice((0, 1, 0, 0), (1, 4, 4, 16), (1, 2, 2, 1)), Transpose((0, 2, 1, 3))], ids=repr)
def test_reads_a_view(before: Any) -> None:
    op = Resize2D((9, 5), "linear", (1.5, 0.7))
    assert check(Case(op, floats((1, 9, 8, 16)), before=(before,), framed=False), targets=[CPU, GPU]) == 2


def test_refused_types() -> None:
    for shape, size, dtype in [((1, 4, 4), (2, 2), np.float32), ((1, 4, 4, 1), (0, 2), np.float32), ((1, 4, 4, 1), (2, 2), np.uint8)]:
        with pytest.raises(GraphError, match="cannot be resized"):
            Resize2D(size, "linear", (1.0, 1.0)).infer(TensorType(shape, np.dtype(dtype)))


# -- importers

BY_FLOAT_SIZE = ("test_resize_downsample_scales_linear_align_corners", "test_resize_downsample_scales_cubic_align_corners")
"""Here the standard's numbers follow from a size that is not rounded; its text, and ONNX Runtime, take the rounded one."""


@pytest.mark.parametrize("case", standard_cases(["resize", "upsample"], ["Resize", "Upsample"]), ids=lambda c: c.name)
def test_standard(tmp_path: Path, case: Any) -> None:
    path, arrays, expected = standard_case(tmp_path, case, 1)
    same(evaluated(path, arrays), ort(path, arrays) if case.name in BY_FLOAT_SIZE else expected)


def check_onnx(tmp_path: Path, x: list[np.ndarray], constants: list[Any], opset: int = 18, op: str = "Resize", **attributes: Any) -> None:
    path = onnx_node(tmp_path, op, x, constants, opset=opset, **attributes)
    same(evaluated(path, x), ort(path, x))


MODES = [("nearest", rounding) for rounding in ROUNDINGS] + [("linear", "floor"), ("cubic", "floor")]


@pytest.mark.device
@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32])
def test_onnx_integers(tmp_path: Path, dtype: Any, mode: str) -> None:
    x = [np.random.default_rng(0).integers(-100 if np.dtype(dtype).kind == "i" else 0, 100, (2, 5, 5, 4)).astype(dtype)]
    scales = np.array([1, 1, 2, 4], np.float32)  # whose weights are exact, so that cutting is too
    check_onnx(tmp_path, x, [None, scales], mode=mode)
    check_file(onnx_node(tmp_path, "Resize", x, [None, scales], mode=mode), x)


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize(("mode", "rounding"), MODES)
def test_onnx(tmp_path: Path, mode: str, rounding: str, coordinates: str) -> None:
    """Both runtimes compute positions in float32, which decides ties."""
    rng = np.random.default_rng(0)
    crop = np.array([0, 0, -0.1, 0.2, 1, 1, 0.9, 1.2], np.float32) if coordinates == "tf_crop_and_resize" else None
    how = {"mode": mode, "nearest_mode": rounding, "coordinate_transformation_mode": coordinates, "extrapolation_value": 3.0}
    for height, width in rng.integers(2, 9, (6, 2)):
        x = [rng.standard_normal((1, 2, height, width)).astype(np.float32)]
        scales = np.array([1, 1, *rng.choice([0.5, 0.6, 0.8, 1.5, 2, 3, 1.3], 2)], np.float32)
        check_onnx(tmp_path, x, [crop, scales], **how)
        sizes = np.array([1, 2, height + rng.integers(1, 12), width + rng.integers(1, 12)])
        check_onnx(tmp_path, x, [crop, None, sizes], **how)


@pytest.mark.parametrize("opset", [11, 13, 18, 19])
@pytest.mark.parametrize("attributes", [{"cubic_coeff_a": -0.5}, {"exclude_outside": 1}, {}])
def test_onnx_cubic(tmp_path: Path, attributes: dict[str, Any], opset: int) -> None:
    roi = np.zeros(0, np.float32)
    check_onnx(tmp_path, floats((2, 3, 7, 6)), [roi, np.array([1, 1, 0.6, 2.2], np.float32)], opset, mode="cubic", **attributes)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("scales", [(0.23, 0.6), (0.5, 2.0)])
def test_onnx_antialias(tmp_path: Path, mode: str, scales: tuple[float, float]) -> None:
    check_onnx(tmp_path, floats((1, 2, 20, 11)), [None, np.array([1, 1, *scales], np.float32)], mode=mode, antialias=1)


@pytest.mark.parametrize(
    ("shape", "scales"),
    [((2, 3, 7), (1, 1, 2.5)), ((5, 7), (2, 0.6)), ((1, 2, 3, 4, 5), (1, 1, 2, 1.5, 0.7)), ((1, 4, 5, 3), (1, 2, 2, 1))],
)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_onnx_other_axes(tmp_path: Path, shape: tuple[int, ...], scales: tuple[float, ...], mode: str) -> None:
    check_onnx(tmp_path, floats(shape), [None, np.array(scales, np.float32)], mode=mode)


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
def test_onnx_sizes_of_some_axes(tmp_path: Path, policy: str) -> None:
    check_onnx(tmp_path, floats((1, 2, 5, 7)), [None, None, np.array([9, 8])], mode="linear", axes=[3, 2], keep_aspect_ratio_policy=policy)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", [(1, 1, 2, 3), (1, 1, 0.6, 0.4), (1, 1, 0.5, 2), (1, 1, 1, 1)])
def test_onnx_before_opset_11(tmp_path: Path, mode: str, scales: tuple[float, ...]) -> None:
    factors = np.array(scales, np.float32)
    check_onnx(tmp_path, floats((1, 2, 5, 7)), [factors], 10, mode=mode)
    if min(scales) >= 1:
        check_onnx(tmp_path, floats((1, 2, 5, 7)), [factors], 9, "Upsample", mode=mode)
        check_onnx(tmp_path, floats((1, 2, 5, 7)), [], 7, "Upsample", mode=mode, scales=list(map(float, scales)))


def test_onnx_refused(tmp_path: Path) -> None:
    x, scales = floats((1, 2, 4, 4)), np.array([1, 1, 2, 2], np.float32)
    for attributes, reason in [
        ({"coordinate_transformation_mode": "tf_half_pixel_for_nn"}, "tf_half_pixel_for_nn; one of half_pixel, "),
        ({"mode": "area"}, "mode area; one of nearest, linear, cubic would be accepted"),
        ({"nearest_mode": "up"}, "nearest_mode up; one of round_prefer_floor, "),
        ({"antialias": 1}, "antialias=1 with mode nearest; linear and cubic would be accepted"),
    ]:
        with pytest.raises(UnsupportedError, match=reason):
            load(onnx_node(tmp_path, "Resize", x, [None, scales], **attributes))
    with pytest.raises(UnsupportedError, match="computed at run time; one of them must be constant"):
        load(onnx_node(tmp_path, "Resize", [*x, np.zeros(8, np.float32), scales]))


SIZES = [(10, 14), (5, 7), (3, 4), (1, 1), (13, 5), (8, 21)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("options", [{}, {"align_corners": True}, {"half_pixel_centers": True}], ids=str)
@pytest.mark.parametrize("op", ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
def test_tflite(tmp_path: Path, op: str, size: tuple[int, int], options: dict[str, bool]) -> None:
    path, x = tflite_node(tmp_path, op, [*floats((2, 5, 7, 3)), list(size)], options)
    same(evaluated(path, x), litert(path, x))


def test_tflite_nearest_is_decided_in_float32(tmp_path: Path) -> None:
    """From many extents to many sizes, the same pixels."""
    for extent in range(2, 41, 3):
        for options in ({}, {"align_corners": True}, {"half_pixel_centers": True}, {"align_corners": True, "half_pixel_centers": True}):
            x = np.arange(extent, dtype=np.float32).reshape(1, extent, 1, 1)
            for size in range(1, 41, 3):
                path, arrays = tflite_node(tmp_path, "RESIZE_NEAREST_NEIGHBOR", [x, [size, 1]], options)
                same(evaluated(path, arrays), litert(path, arrays), 0)


def test_tflite_rounds_integers(tmp_path: Path) -> None:
    x = np.array([3, -4, 7, 0, -3, -8], np.int8).reshape(1, 2, 3, 1)
    path, feed = tflite_node(tmp_path, "RESIZE_BILINEAR", [x, [4, 6]], {}, dtype="int8", fed=1)
    same(evaluated(path, feed), litert(path, feed), 0)
