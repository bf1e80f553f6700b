"""Operators on floats in models that round floats to eight bits: bit by bit what LiteRT's kernels give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler import passes
from planish.compiler.frontend import load
from planish.compiler.ir import Graph
from planish.compiler.lower import lower
from planish.compiler.ops.conv import Conv2D, OrderedConv2D
from planish.compiler.ops.reduce import Reduce
from tests.harness import CPU, execute
from tests.oracles import evaluated, litert, write
from tests.tflite_writer import Quantization, TfliteWriter

RNG = np.random.default_rng(0)
STEP = {"stride_w": 1, "stride_h": 1}
SAME, VALID = {"padding": "SAME", **STEP}, {"padding": "VALID", **STEP}
TWO = {"stride_w": 2, "stride_h": 2}
RELU = {"fused_activation_function": "RELU"}


def reals(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def weights(m: TfliteWriter, *shape: int) -> int:
    """Constants of eight bits."""
    return m.constant(RNG.integers(-127, 128, shape).astype(np.int8), "int8", Quantization([0.01], [0]))


def beside_rounding(folder: Path, op: str, x: Sequence[int], constants: Sequence[np.ndarray], options: Mapping[str, Any]) -> Path:
    """An operator, and one with weights of eight bits that reads the same floats."""
    m = TfliteWriter()
    image = m.input("x", x, "float32")
    y = m.op(op, [image, *map(m.constant, constants)], options, shape=(1,))
    m.output(y, m.op("FULLY_CONNECTED", [image, weights(m, 4, x[-1])], shape=(int(np.prod(x[:-1])), 4), version=3))
    return write(folder, m)


def on_device(graph: Graph, x: np.ndarray) -> list[np.ndarray]:
    return list(execute(lower(passes.run(graph, CPU), CPU, "f32"), CPU, {graph.inputs[0]: x}).values())


def axes(*axes: int) -> list[np.ndarray]:
    return [np.array(axes, np.int32)]


X = (2, 9, 11, 13)
CASES = [
    # operator, shape of x, constants, options
    ("CONV_2D", (2, 13, 11, 3), [reals(24, 3, 3, 3), reals(24)], SAME | TWO | RELU),
    ("CONV_2D", (2, 13, 11, 17), [reals(16, 3, 3, 17), reals(16)], SAME),
    ("CONV_2D", (1, 13, 11, 24), [reals(8, 3, 2, 24), reals(8)], VALID | {"dilation_w_factor": 2, "dilation_h_factor": 2}),
    ("CONV_2D", (2, 9, 7, 32), [reals(40, 1, 1, 32), reals(40)], VALID | {"fused_activation_function": "RELU6"}),
    ("CONV_2D", (1, 9, 7, 320), [reals(24, 1, 1, 320), reals(24)], VALID | TWO),
    *(("DEPTHWISE_CONV_2D", (2, 11, 12, c), [reals(1, 3, 5, c * times), reals(c * times)], options | {"depth_multiplier": times} | RELU)
      for c, times in [(16, 1), (17, 1), (1, 1), (1, 8), (3, 4)] for options in (SAME, VALID | TWO)),
    ("DEPTHWISE_CONV_2D", (1, 11, 12, 8), [reals(1, 3, 3, 8), reals(8)], SAME | {"dilation_w_factor": 2, "dilation_h_factor": 2}),
    *((op, X, axes(*along), {"keep_dims": True}) for op in ("MEAN", "SUM") for along in [(1, 2), (1,), (2,), (0, 2), (1, 3), (0, 1, 2, 3)]),
    *(("SUM", X, axes(*along), {}) for along in [(3,), (2, 3), (1, 2, 3)]),
    ("MEAN", (1, 64, 64, 3), axes(2, 1), {"keep_dims": True}),
    ("MEAN", (3, 700, 5), axes(-2), {}),
    *((op, X, [reals(13)], RELU) for op in ("ADD", "SUB", "MUL", "DIV")),
]  # fmt: skip
BESIDES = [  # the references of these are exact; the kernels round as LiteRT's do
    ("AVERAGE_POOL_2D", X, [], SAME | TWO | {"filter_width": 3, "filter_height": 3}),
    ("AVERAGE_POOL_2D", X, [], VALID | {"filter_width": 7, "filter_height": 7}),
]


@pytest.mark.parametrize(("op", "x", "constants", "options"), CASES)
def test_bit_by_bit(tmp_path: Path, op: str, x: Sequence[int], constants: Sequence[np.ndarray], options: Mapping[str, Any]) -> None:
    path, fed = beside_rounding(tmp_path, op, x, constants, options), reals(*x) * 3 + np.float32(0.3)
    for actual, expected in zip(evaluated(path, [fed]), litert(path, [fed]), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.device
@pytest.mark.parametrize(("op", "x", "constants", "options"), CASES + BESIDES)
def test_on_the_device(tmp_path: Path, op: str, x: Sequence[int], constants: Sequence[np.ndarray], options: Mapping[str, Any]) -> None:
    path, fed = beside_rounding(tmp_path, op, x, constants, options), reals(*x) * 3 + np.float32(0.3)
    for actual, expected in zip(on_device(load(path), fed), litert(path, [fed]), strict=True):
        np.testing.assert_array_equal(actual, expected)


def network(rounding: bool) -> TfliteWriter:
    """Normalised convolutions, the second one with weights of eight bits if `rounding`; the last bit of the first decides its steps."""
    m = TfliteWriter()
    value, channels = m.input("x", (1, 32, 30, 3), "float32"), 3
    for out in (16, 24, 8):
        shape = (1, 32, 30, out)
        if rounding and out == 24:
            value = m.op("CONV_2D", [value, weights(m, out, 3, 3, channels), m.constant(reals(out))], SAME, shape=shape, version=3)
        else:
            value = m.op("CONV_2D", [value, m.constant(reals(out, 3, 3, channels)), m.constant(reals(out))], SAME | RELU, shape=shape)
        each = m.constant(np.array([1, 2], np.int32))
        mean = m.op("MEAN", [value, each], {"keep_dims": True}, shape=(1, 1, 1, out))
        square = m.op("SQUARED_DIFFERENCE", [value, mean], shape=shape)
        spread = m.op("RSQRT", [m.op("MEAN", [square, each], {"keep_dims": True}, shape=(1, 1, 1, out))], shape=(1, 1, 1, out))
        value = m.op("MUL", [m.op("SUB", [value, mean], shape=shape), spread], shape=shape)
        taps = [m.constant(reals(1, 3, 3, out)), m.constant(reals(out))]
        value, channels = m.op("DEPTHWISE_CONV_2D", [value, *taps], SAME | {"depth_multiplier": 1}, shape=shape), out
    m.output(value)
    return m


@pytest.mark.device
def test_network(tmp_path: Path) -> None:
    path, x = write(tmp_path, network(True)), reals(1, 32, 30, 3)
    expected = litert(path, [x])[0]
    np.testing.assert_array_equal(evaluated(path, [x])[0], expected)
    np.testing.assert_array_equal(on_device(load(path), x)[0], expected)


@pytest.mark.parametrize("rounding", [True, False])
def test_order_is_kept_only_where_floats_are_rounded(tmp_path: Path, rounding: bool) -> None:
    ops = [node.op for node in load(write(tmp_path, network(rounding))).nodes()]
    assert sum(isinstance(op, OrderedConv2D) for op in ops) == (5 if rounding else 0)
    assert sum(isinstance(op, Conv2D) for op in ops) == (1 if rounding else 6)
    assert {op.ordered for op in ops if isinstance(op, Reduce) and op.kind == "mean"} == {rounding}
    assert ("rsqrt" in [getattr(op, "fn", "") for op in ops]) == (not rounding)


def test_what_has_no_order(tmp_path: Path) -> None:
    """Weights that are computed; groups; means along the last axis."""
    m = TfliteWriter()
    x, w = m.input("x", (1, 5, 6, 8), "float32"), m.input("w", (4, 1, 1, 8), "float32")
    y = m.op("CONV_2D", [x, w, m.constant(reals(4))], SAME, shape=(1, 5, 6, 4))
    groups = m.op("CONV_2D", [x, m.constant(reals(6, 3, 3, 4)), m.constant(reals(6))], SAME, shape=(1, 5, 6, 6))
    mean = m.op("MEAN", [x, m.constant(np.array([3], np.int32))], shape=(1, 5, 6))
    m.output(y, groups, mean, m.op("FULLY_CONNECTED", [x, weights(m, 4, 8)], shape=(30, 4), version=3))
    ops = [node.op for node in load(write(tmp_path, m)).nodes()]
    assert not any(isinstance(op, OrderedConv2D) or getattr(op, "ordered", False) for op in ops)
