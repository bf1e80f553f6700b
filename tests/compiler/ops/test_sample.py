"""Sampling: the kernel against the numpy reference, the importers against the standard, ONNX Runtime, and what the formats say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers.flexbuffers
import numpy as np
import pytest

from planish.compiler.errors import GraphError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.sample import Sample
from tests.harness import Case, check, check_graph, floats
from tests.oracles import evaluated, onnx_node, ort, same, standard_case, standard_cases, write
from tests.tflite_writer import TfliteWriter

KERNELS = pytest.mark.device
MODES = ("nearest", "linear", "cubic")
PADDINGS = ("zeros", "border", "reflection", "cut")


def points(x: tuple[int, ...], outer: tuple[int, ...], seed: int = 1) -> np.ndarray:
    """Positions inside and far outside an image, none of them where two elements are as near."""
    reach = np.array(x[1:-1]) + 6
    at = np.random.default_rng(seed).integers(-7 * 8, reach * 8, (x[0], *outer, len(x) - 2)) / 8 + 0.03
    return at.astype(np.float32)


@KERNELS
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode(mode: Any, padding: Any) -> None:
    for x, outer, corners in (((2, 5, 4, 17), (3, 5), True), ((1, 4, 6, 3), (7,), False)):
        op = Sample(mode, padding, corners)
        assert check(Case(op, [*floats(x), points(x, outer)])) >= 3


@KERNELS
@pytest.mark.parametrize(
    ("x", "outer", "op"),
    [
        ((2, 9, 4), (5,), Sample("cubic", "reflection")),
        ((1, 3, 4, 5, 6), (2, 2, 3), Sample("linear", "border", reverse=True)),
        ((1, 3, 4, 1, 1), (), Sample("cubic", "zeros")),
        ((1, 1, 1, 5), (4,), Sample("linear", "reflection", corners=True)),
    ],
)
@pytest.mark.parametrize("framed", [True, False])
def test_any_number_of_axes(x: tuple[int, ...], outer: tuple[int, ...], op: Sample, framed: bool) -> None:
    assert check(Case(op, [*floats(x), points(x, outer)], framed=framed)) >= 3


@KERNELS
def test_epilogue() -> None:
    x = (1, 5, 6, 17)
    steps = (Step(Elementwise("add"), (0, "bias")), Step(Elementwise("relu"), (1,)))
    extra = (("bias", *floats((17,), seed=2), True),)
    assert check(Case(Sample(), [*floats(x), points(x, (4, 3))], epilogue=steps, extra=extra)) >= 3


@KERNELS
def test_positions_that_are_no_numbers_stay_inside() -> None:
    at = np.array([[[np.nan, 1], [np.inf, 2], [3, -np.inf], [1e30, -1e30]]], np.float32)
    for op in (Sample(), Sample(padding="border"), Sample("cubic", "border"), Sample(padding="cut")):
        assert check(Case(op, [*floats((1, 4, 5, 3)), at])) >= 3


def test_refused() -> None:
    x = TensorType((1, 4, 4, 3), np.dtype(np.float32))
    for at in ((1, 5, 3), (2, 5, 2)):
        with pytest.raises(GraphError, match="does not hold points"):
            Sample().infer(x, TensorType(at, np.dtype(np.float32)))


# -- importers

STANDARD = [(c, fed) for c in standard_cases(["gridsample", "affinegrid", "deformconv"], ["GridSample", "AffineGrid", "DeformConv"])
            for fed in (1 if c.model.graph.node[0].op_type == "AffineGrid" else len(c.model.graph.input),)]


@pytest.mark.parametrize(("case", "fed"), STANDARD, ids=lambda c: getattr(c, "name", None))
def test_standard(tmp_path: Path, case: Any, fed: int) -> None:
    path, inputs, outputs = standard_case(tmp_path, case, fed)
    same(evaluated(path, inputs), outputs, 1e-4)


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("padding", PADDINGS[:3])
@pytest.mark.parametrize(("mode", "x"), [*((mode, (2, 3, 5, 4)) for mode in MODES), ("linear", (1, 2, 3, 4, 5))])
def test_grid_sample(tmp_path: Path, mode: str, x: tuple[int, ...], padding: str, corners: int) -> None:
    grid = np.random.default_rng(0).uniform(-2.2, 2.2, (x[0], *(4, 3, 2)[: len(x) - 2], len(x) - 2)).astype(np.float32)
    arrays = [*floats(x), grid]
    path = onnx_node(tmp_path, "GridSample", arrays, opset=20, mode=mode, padding_mode=padding, align_corners=corners)
    same(evaluated(path, arrays), ort(path, arrays), 2e-5)


def test_grid_sample_of_integers(tmp_path: Path) -> None:
    x, grid = np.arange(24, dtype=np.int32).reshape(1, 2, 3, 4), floats((1, 2, 2, 2))[0]
    path = onnx_node(tmp_path, "GridSample", [x, grid], opset=20, mode="nearest")
    ours, as_floats = evaluated(path, [x, grid]), onnx_node(tmp_path, "GridSample", [x.astype(np.float32), grid], opset=20, mode="nearest")
    same(ours, [evaluated(as_floats, [x.astype(np.float32), grid])[0].astype(np.int32)])


@KERNELS
def test_deformed_convolution_on_the_device(tmp_path: Path) -> None:
    """In groups of channels and of offsets, with a mask and a bias."""
    arrays = floats((2, 4, 6, 5), (6, 2, 3, 2), (2, 2 * 6 * 2, 4, 4), (6,), (2, 2 * 6, 4, 4))
    graph = load(onnx_node(tmp_path, "DeformConv", arrays, opset=19, group=2, offset_group=2))
    graph.sweep()
    assert check_graph(graph, dict(zip(graph.inputs, arrays)), reduction=12, candidates=1) == 3


def custom(op: str, options: dict[str, Any] | None, version: int, *operands: np.ndarray) -> TfliteWriter:
    m = TfliteWriter()
    names = [m.input(f"x{k}", a.shape, "float32") for k, a in enumerate(operands)]
    blob = bytes(flatbuffers.flexbuffers.Dumps(options)) if options else b""
    m.output(m.op("CUSTOM", names, shape=(1,), custom_code=op, custom_options=blob, version=version))
    return m


def test_resampler(tmp_path: Path) -> None:
    """Between the last pixel and the zeros outside there is half of both."""
    x = np.arange(1, 13, dtype=np.float32).reshape(1, 3, 4, 1)
    warp = np.array([[[[0, 0], [3, 2], [1.5, 0]], [[-0.5, 1], [3.25, 2], [9, 9]]]], np.float32)
    path = write(tmp_path, custom("Resampler", None, 1, x, warp))
    same(evaluated(path, [x, warp]), [np.array([[1, 12, 2.5], [2.5, 9, 0]], np.float32).reshape(1, 2, 3, 1)])


@pytest.mark.parametrize(
    ("version", "options"), [(1, {"mode": "bilinear", "output_size": [2, 3]}), (2, {"output_height": 2, "output_width": 3})]
)
def test_mediapipe_transform(tmp_path: Path, version: int, options: dict[str, Any]) -> None:
    """A shear by half a pixel a row, twice as large; what leaves the image at all is zero."""
    x = np.arange(1, 13, dtype=np.float32).reshape(1, 3, 4, 1)
    matrix = np.array([[2, 0.5, 0, 0.25], [0, 1, 0, 0.5], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)[None]
    path = write(tmp_path, custom("TransformTensorBilinear", options, version, x, matrix))
    expected = np.zeros((1, 2, 3, 1), np.float32)
    shift = 0.0 if version == 1 else 0.5
    for row, column in np.ndindex(2, 3):
        px, py = (matrix[0, :2] @ [column + shift, row + shift, 0, 1]) - shift
        if 0 <= px <= 3 and 0 <= py <= 2:
            expected[0, row, column] = 1 + px + 4 * py
    same(evaluated(path, [x, matrix]), [expected])


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "reason"),
    [
        ("GridSample", [(1, 2, 4, 4), (1, 3, 3, 2)], {"mode": "quintic"}, "mode quintic; one of nearest, linear, cubic"),
        ("GridSample", [(1, 2, 4, 4), (1, 3, 3, 3)], {}, "one of 2 coordinates would be accepted"),
        ("DeformConv", [(1, 2, 4, 4), (3, 2, 2, 2), (1, 8, 4, 4)], {}, "does not fit weights"),
    ],
)
def test_onnx_refused(tmp_path: Path, op: str, inputs: list[tuple[int, ...]], attributes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        load(onnx_node(tmp_path, op, floats(*inputs), opset=20, **attributes))


def test_tflite_refused(tmp_path: Path) -> None:
    x, matrix = floats((1, 3, 4, 1), (1, 4, 4))
    with pytest.raises(UnsupportedError, match="the size of the result would be accepted"):
        load(write(tmp_path, custom("TransformTensorBilinear", {"output_height": 3}, 2, x, matrix)))
