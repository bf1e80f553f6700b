"""Normalisations: the cases of the ONNX standard, every option against ONNX Runtime and LiteRT, and on the device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from planish.compiler import passes
from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step
from planish.compiler.lower import lower
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.lrn import LocalResponseNorm
from tests.harness import CPU, GPU, Case, assert_close, check, execute, floats
from tests.oracles import evaluated, litert, onnx_model, onnx_node, ort, same, standard_case, standard_cases, tflite_node, write

MODULES = (
    "batch_normalization", "instance_normalization", "layernormalization", "groupnormalization", "lrn", "lpnormalization",
    "meanvariancenormalization", "rmsnormalization",
)  # fmt: skip
OPERATORS = (
    "BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization", "LRN", "LpNormalization",
    "MeanVarianceNormalization", "RMSNormalization",
)  # fmt: skip
SHAPES = ((2, 6, 5, 7), (3, 6), (2, 6, 9), (1, 6, 2, 3, 4))


@pytest.mark.parametrize("case", standard_cases(MODULES, OPERATORS), ids=lambda c: c.name)
@pytest.mark.parametrize("computed", [False, True], ids=["constant", "computed"])
def test_standard(tmp_path: Path, case: Any, computed: bool) -> None:
    """With scales and statistics that are constant, and computed at run time."""
    path, inputs, outputs = standard_case(tmp_path, case, len(case.data_sets[0][0]) if computed else 1)
    same(evaluated(path, inputs), outputs, 2e-5)


def affine(x: Sequence[int], *axes: int) -> list[np.ndarray]:
    """A scale and a shift along some axes."""
    scale, shift = floats(*[tuple(x[a] for a in axes)] * 2, seed=1)
    return [scale, shift]


def statistics(x: Sequence[int]) -> list[np.ndarray]:
    """Scale, shift, mean and variance of channels."""
    mean, variance = floats((x[1],), (x[1],), seed=2)
    return [*affine(x, 1), mean, np.abs(variance) + np.float32(0.1)]


@pytest.mark.parametrize("opset", [7, 9, 14, 15, 21])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm(tmp_path: Path, shape: tuple[int, ...], opset: int) -> None:
    (x,) = floats(shape)
    path = onnx_node(tmp_path, "BatchNormalization", [x], statistics(shape), opset=opset, epsilon=1e-2)
    same(evaluated(path, [x]), ort(path, [x]))


def test_batch_norm_of_activations(tmp_path: Path) -> None:
    """Before opset 9 the statistics may be those of each activation."""
    (x,), numbers = floats((2, 3, 4)), floats(*[(3, 4)] * 4, seed=1)
    scale, shift, mean, variance = numbers[0], numbers[1], numbers[2], np.abs(numbers[3])
    path = onnx_node(tmp_path, "BatchNormalization", [x], [scale, shift, mean, variance], opset=7, spatial=0)
    same(evaluated(path, [x]), [scale * (x - mean) / np.sqrt(variance + np.float32(1e-5)) + shift])


@pytest.mark.parametrize("opset", [14, 15])
def test_batch_norm_in_training(tmp_path: Path, opset: int) -> None:
    (x,) = floats((4, 6, 5, 7))
    scale, shift, mean, variance = statistics(x.shape)
    node = helper.make_node("BatchNormalization", ["x", *"sbmv"], ["y", "mean", "var"], training_mode=1, momentum=0.7)
    held = dict(zip("sbmv", (scale, shift, mean, variance)))
    path = write(tmp_path, onnx_model([node], {"x": (np.float32, x.shape)}, ["y", "mean", "var"], held, opset))
    same(evaluated(path, [x]), ort(path, [x]))


def test_statistics_without_training_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("BatchNormalization", ["x", *"sbmv"], ["y", "mean", "var"])
    held = dict(zip("sbmv", statistics((1, 3))))
    with pytest.raises(UnsupportedError, match="a single output would be accepted"):
        load(write(tmp_path, onnx_model([node], {"x": (np.float32, (1, 3))}, ["y"], held, 9)))


def test_batch_norm_folds_into_the_convolution(tmp_path: Path) -> None:
    x, w = floats((1, 5, 8, 9), (6, 5, 3, 3))
    nodes = [helper.make_node("Conv", ["x", "w", "c"], ["conv"]), helper.make_node("BatchNormalization", ["conv", *"sbmv"], ["bn"]),
             helper.make_node("Relu", ["bn"], ["y"])]
    held = {"w": w, "c": floats((6,))[0], **dict(zip("sbmv", statistics((1, 6))))}
    path = write(tmp_path, onnx_model(nodes, {"x": (np.float32, x.shape)}, ["y"], held))
    same(evaluated(path, [x]), ort(path, [x]))
    computing = [n for n in passes.run(load(path), CPU, stop_after="fuse").nodes() if isinstance(n.op, Conv2D) or n.epilogue]
    assert [(type(n.op), [s.op for s in n.epilogue]) for n in computing] == [(Conv2D, [Elementwise("add"), Elementwise("relu")])]


@pytest.mark.parametrize(("op", "shape", "axes", "attributes", "opset"), [
    ("InstanceNormalization", (2, 6, 5, 7), (1,), {}, 18),
    ("InstanceNormalization", (1, 3, 9), (1,), {"epsilon": 1e-2}, 6),
    ("InstanceNormalization", (1, 2, 3, 4, 5), (1,), {}, 22),
    ("LayerNormalization", (2, 3, 7), (2,), {}, 17),
    ("LayerNormalization", (2, 3, 7), (1, 2), {"axis": 1, "epsilon": 1e-2}, 17),
    ("LayerNormalization", (2, 3, 4, 5), (3,), {"axis": -1}, 21),
    ("GroupNormalization", (2, 6, 5, 7), (1,), {"num_groups": 3}, 21),
    ("GroupNormalization", (2, 6, 9), (1,), {"num_groups": 1, "epsilon": 1e-2}, 21),
    ("GroupNormalization", (3, 6), (1,), {"num_groups": 2}, 21),
])  # fmt: skip
def test_scaled(tmp_path: Path, op: str, shape: tuple[int, ...], axes: tuple[int, ...], attributes: dict[str, Any], opset: int) -> None:
    (x,) = floats(shape)
    path = onnx_node(tmp_path, op, [3 * x + 2], affine(shape, *axes), opset=opset, **attributes)
    same(evaluated(path, [3 * x + 2]), ort(path, [3 * x + 2]))


def test_group_norm_with_scales_of_groups(tmp_path: Path) -> None:
    """Before opset 21."""
    x, scale, shift = floats((2, 6, 4, 5), (3,), (3,))
    path = onnx_node(tmp_path, "GroupNormalization", [x], [scale, shift], num_groups=3)
    groups = x.astype(np.float64).reshape(2, 3, 2, 4, 5)
    mean, variance = (f(groups, axis=(2, 3, 4), keepdims=True) for f in (np.mean, np.var))
    y = (groups - mean) / np.sqrt(variance + 1e-5) * scale.reshape(3, 1, 1, 1) + shift.reshape(3, 1, 1, 1)
    same(evaluated(path, [x]), [y.reshape(x.shape).astype(np.float32)])


def test_layer_norm_in_half_precision(tmp_path: Path) -> None:
    """It is normalised in single precision, which the mean and the deviation keep."""
    x = (100 + floats((3, 64))[0]).astype(np.float16)
    scale, shift = (a.astype(np.float16) for a in affine(x.shape, 1))
    node = helper.make_node("LayerNormalization", ["x", "s", "b"], ["y", "mean", "inverse"])
    path = write(tmp_path, onnx_model([node], {"x": (np.float16, x.shape)}, ["y", "mean", "inverse"], {"s": scale, "b": shift}))
    model = onnx.load(path)
    for output in model.graph.output:
        output.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16 if output.name == "y" else onnx.TensorProto.FLOAT
    y, mean, inverse = evaluated(write(tmp_path, model), [x])
    expected = ort(path, [x])
    same([mean, inverse], expected[1:], 1e-5)
    same([y], expected[:1], 4e-3)


@pytest.mark.parametrize(("op", "attributes", "opset"), [
    ("LRN", {"size": 5}, 13),
    ("LRN", {"size": 3, "alpha": 0.3, "beta": 0.5, "bias": 2.0}, 9),
    ("LRN", {"size": 15, "alpha": 0.5, "beta": 1.0}, 13),
    ("LRN", {"size": 1, "alpha": 0.5, "beta": 0.9}, 13),
    ("LpNormalization", {}, 18),
    ("LpNormalization", {"p": 1, "axis": 1}, 22),
    ("MeanVarianceNormalization", {}, 13),
    ("MeanVarianceNormalization", {"axes": [0, 1, 2, 3]}, 9),
])  # fmt: skip
def test_plain(tmp_path: Path, op: str, attributes: dict[str, Any], opset: int) -> None:
    (x,) = floats((2, 7, 4, 5))
    x[:, :, 1] = 0 if op == "LpNormalization" else x[:, :, 1]
    path = onnx_node(tmp_path, op, [x], opset=opset, **attributes)
    same(evaluated(path, [x]), ort(path, [x]))


def test_an_even_lrn_window_reaches_further_up(tmp_path: Path) -> None:
    """ONNX Runtime refuses these; the standard says floor((size - 1) / 2) channels below and ceil((size - 1) / 2) above."""
    (x,) = floats((2, 7, 4, 5))
    squares = np.stack([(x[:, max(c - 1, 0) : c + 3] ** 2).sum(1) for c in range(7)], 1)
    path = onnx_node(tmp_path, "LRN", [x], opset=13, size=4, alpha=0.8, beta=0.5, bias=2.0)
    same(evaluated(path, [x]), [x / np.sqrt(2 + np.float32(0.2) * squares)])


@pytest.mark.parametrize("shape", [(2, 7), (2, 7, 3), (1, 5, 2, 3, 2)], ids=str)
def test_lrn_of_any_rank(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """ONNX Runtime takes four axes: those behind the channels count as one."""
    (x,) = floats(shape)
    image = x.reshape(*shape[:2], -1, 1)
    expected = ort(onnx_node(tmp_path, "LRN", [image], opset=13, size=3, alpha=0.5), [image])[0].reshape(shape)
    same(evaluated(onnx_node(tmp_path, "LRN", [x], opset=13, size=3, alpha=0.5), [x]), [expected])


@pytest.mark.parametrize("attributes", [{}, {"axis": 1, "epsilon": 1e-2}], ids=str)
def test_rms_norm(tmp_path: Path, attributes: dict[str, Any]) -> None:
    x, scale = floats((2, 3, 7), (3, 7) if attributes else (7,))
    path = onnx_node(tmp_path, "RMSNormalization", [x], [scale], opset=23, **attributes)
    same(evaluated(path, [x]), ort(path, [x]))


@pytest.mark.parametrize(("op", "attributes", "constants", "reason"), [
    ("GroupNormalization", {"num_groups": 4}, affine((1, 6), 1), "6 channels in 4 groups"),
    ("LayerNormalization", {"stash_type": 10}, affine((1, 4), 1), "stash_type 10"),
    ("LpNormalization", {"p": 3}, [], "p = 3; 1 and 2 would be accepted"),
])  # fmt: skip
def test_refused(tmp_path: Path, op: str, attributes: dict[str, Any], constants: list[np.ndarray], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        load(onnx_node(tmp_path, op, floats((1, 6, 4)), constants, opset=21, **attributes))


def test_tflite_l2(tmp_path: Path) -> None:
    """LiteRT itself takes no fused activation here."""
    (x,) = floats((2, 3, 4, 5))
    x[0, 0] *= 1e-7
    x[0, 1] = 0
    path, feed = tflite_node(tmp_path, "L2_NORMALIZATION", [x], {})
    expected = litert(path, feed)
    same(evaluated(path, feed), expected)
    path, feed = tflite_node(tmp_path, "L2_NORMALIZATION", [x], {"fused_activation_function": "RELU"})
    same(evaluated(path, feed), [np.maximum(expected[0], 0)])


@pytest.mark.parametrize("options", [
    {"radius": 2, "bias": 1.0, "alpha": 0.5, "beta": 0.75},
    {"radius": 9, "bias": 2.0, "alpha": 1.5, "beta": 0.5},
    {"radius": 0, "bias": 1.0, "alpha": 0.1, "beta": 1.0},
])  # fmt: skip
def test_tflite_lrn(tmp_path: Path, options: dict[str, Any]) -> None:
    path, feed = tflite_node(tmp_path, "LOCAL_RESPONSE_NORMALIZATION", floats((2, 3, 4, 7)), options)
    same(evaluated(path, feed), litert(path, feed))


LRN = [
    # x, op
    ((1, 5, 7, 17), LocalResponseNorm(2, 2, 0.5, 0.75, 1.0)),
    ((3, 4, 3, 5), LocalResponseNorm(1, 2, 1.0, 0.5, 2.0)),
    ((1, 3, 4, 40), LocalResponseNorm(18, 19, 0.1, 1.0, 0.5)),
    ((2, 2, 3, 1), LocalResponseNorm(2, 2, 2.0, 0.9, 1.0)),
    ((1, 3, 3, 16), LocalResponseNorm(0, 0, 2.0, 0.75, 1.0)),
]


@pytest.mark.device
@pytest.mark.parametrize(("x", "op"), LRN)
@pytest.mark.parametrize("framed", [True, False], ids=["framed", "bare"])
def test_lrn_kernel(x: tuple[int, ...], op: LocalResponseNorm, framed: bool) -> None:
    assert check(Case(op, floats(x), framed=framed)) >= 3


@pytest.mark.device
def test_lrn_epilogue_and_half_precision() -> None:
    (x,), (residual,) = floats((1, 5, 7, 17)), floats((1, 5, 7, 17), seed=1)
    steps = (Step(Elementwise("relu"), (0,)), Step(Elementwise("add"), (1, "residual")))
    assert check(Case(LRN[0][1], [x], epilogue=steps, extra=(("residual", residual, False),))) >= 3
    assert check(Case(LRN[0][1], [x.astype(np.float16).astype(np.float32)]), precision="f16") >= 3


@pytest.mark.device
@pytest.mark.parametrize("target", [CPU, GPU], ids=lambda t: t.name)
@pytest.mark.parametrize(("op", "shape", "constants", "attributes", "launches"), [
    ("InstanceNormalization", (1, 5, 90, 110), affine((1, 5), 1), {}, 5),
    ("GroupNormalization", (2, 6, 5, 7), affine((1, 6), 1), {"num_groups": 3}, 9),
    ("LayerNormalization", (2, 5, 17), affine((1, 17), 1), {}, 4),
    ("LpNormalization", (2, 5, 17), [], {}, 3),
    ("BatchNormalization", (2, 5, 3, 4), statistics((1, 5)), {}, 2),
])  # fmt: skip
def test_on_the_device(tmp_path: Path, op: str, shape: tuple[int, ...], constants: list[np.ndarray], attributes: dict[str, Any],
                       launches: int, target: Any) -> None:
    """The whole pipeline, far from zero: sums over an image and differences of large numbers have to stay exact."""
    x = floats(shape)[0] + np.float32(50)
    path = onnx_node(tmp_path, op, [x], constants, opset=21, **attributes)
    schedule = lower(passes.run(load(path), target), target)
    assert len(schedule.launches) <= launches
    (actual,) = execute(schedule, target, {"x0": x}).values()
    assert_close(actual, evaluated(path, [x])[0], reduction=int(np.prod(shape)), what=op)
