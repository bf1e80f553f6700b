"""Data of floats in front of integer weights: bit by bit what LiteRT's hybrid kernels give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler import compile_model, passes
from planish.compiler.frontend import load
from planish.compiler.lower import lower
from planish.runtime import Session
from planish.runtime.devices import find
from tests.compiler.ops.test_recurrent_tflite import runs
from tests.harness import CPU, execute
from tests.oracles import evaluated, litert, same, write
from tests.tflite_writer import Quantization, TfliteWriter

RNG = np.random.default_rng(0)
X = (2, 7, 6, 16)
STEP = {"stride_w": 1, "stride_h": 1}
SAME, VALID = {"padding": "SAME", **STEP}, {"padding": "VALID", **STEP}
KERNELS = [
    # operator, shapes of data, weights and result, options, axis of the channels, whether each has a scale of its own
    ("CONV_2D", X, (7, 3, 3, 16), (2, 7, 6, 7), SAME | {"fused_activation_function": "RELU6"}, 0, True),
    ("CONV_2D", X, (7, 3, 3, 16), (2, 7, 6, 7), SAME | {"fused_activation_function": "RELU"}, 0, False),
    ("CONV_2D", X, (9, 1, 1, 16), (2, 4, 3, 9), SAME | {"stride_w": 2, "stride_h": 2}, 0, True),
    ("CONV_2D", X, (8, 3, 3, 4), (2, 5, 4, 8), VALID, 0, True),
    ("DEPTHWISE_CONV_2D", X, (1, 3, 3, 16), X, SAME | {"depth_multiplier": 1, "fused_activation_function": "RELU"}, 3, True),
    ("DEPTHWISE_CONV_2D", X, (1, 5, 3, 32), (2, 3, 4, 32), VALID | {"depth_multiplier": 2}, 3, True),
    *(("FULLY_CONNECTED", x, (9, 16), y, {"keep_num_dims": keep, "asymmetric_quantize_inputs": asymmetric}, 0, channels)
      for x, y, keep in [(X, (2, 7, 6, 9), True), (X, (84, 9), False)] for asymmetric in (True, False) for channels in (True, False)),
    *(("BATCH_MATMUL", (2, 5, 16), w, (2, 5, 7), {"adj_y": turned, "asymmetric_quantize_inputs": asymmetric}, 1, False)
      for w, turned in [((16, 7), False), ((7, 16), True)] for asymmetric in (True, False)),
    ("BATCH_MATMUL", (2, 16, 5), (2, 16, 7), (2, 5, 7), {"adj_x": True, "asymmetric_quantize_inputs": True}, 2, False),
]  # fmt: skip


def hybrid(
    folder: Path, op: str, x: Sequence[int], w: Sequence[int], y: Sequence[int], options: Mapping[str, Any], axis: int, channels: bool
) -> Path:
    m = TfliteWriter()
    scale = RNG.uniform(0.002, 0.01, w[axis] if channels else 1).astype(np.float32)
    stored = RNG.integers(-127, 128, w).astype(np.int8)
    operands = [m.input("x", x, "float32"), m.constant(stored, "int8", Quantization(scale.tolist(), [0] * scale.size, axis))]
    if op != "BATCH_MATMUL":
        operands.append(m.constant(RNG.standard_normal(y[-1]).astype(np.float32)))
    m.output(m.op(op, operands, options, shape=y, version=4))
    return write(folder, m)


def data(shape: Sequence[int]) -> np.ndarray:
    """Images, and rows, of their own ranges; among them a row of zeros, one above zero and one below."""
    x = RNG.standard_normal(shape) * RNG.uniform(0.1, 10, (shape[0], *[1] * (len(shape) - 1))) + RNG.uniform(-1, 1)
    x.reshape(-1, shape[-1])[:3] = [[0], [1], [-1]] * (np.array([[0], [1], [1]]) + np.abs(x.reshape(-1, shape[-1])[:3]))
    return x.astype(np.float32)


@pytest.mark.parametrize(("op", "x", "w", "y", "options", "axis", "channels"), KERNELS)
def test_bit_by_bit(
    tmp_path: Path, op: str, x: tuple[int, ...], w: tuple[int, ...], y: tuple[int, ...], options: dict[str, Any], axis: int, channels: bool
) -> None:
    path, fed = hybrid(tmp_path, op, x, w, y, options, axis, channels), data(x)
    (actual,), (expected,) = evaluated(path, [fed]), litert(path, [fed])
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("low", [0.0, 0.5, -0.5, -1.0])
def test_ranges(tmp_path: Path, low: float) -> None:
    """Of one sign, the grid reaches to zero; around zero, halves of the zero point go away from it; without any, all is bias."""
    path = hybrid(tmp_path, *KERNELS[2])
    x = np.full(X, low, np.float32)
    x[0] = RNG.uniform(low, 1, X[1:])
    x[0, 0, 0, :2] = low, 1
    np.testing.assert_array_equal(evaluated(path, [x]), litert(path, [x]))


def test_transposed(tmp_path: Path) -> None:
    """LiteRT adds up reals here, not counts; what they differ by is less than a step."""
    m = TfliteWriter()
    shape, w = (1, 9, 9, 5), RNG.integers(-127, 128, (5, 3, 3, 8)).astype(np.int8)
    q = Quantization(RNG.uniform(0.002, 0.01, 5).tolist(), [0] * 5, 0)
    operands = [m.constant(np.array(shape, np.int32)), m.constant(w, "int8", q), m.input("x", (1, 4, 4, 8), "float32")]
    m.output(m.op("TRANSPOSE_CONV", operands, VALID | {"stride_w": 2, "stride_h": 2}, shape=shape, version=3))
    path, x = write(tmp_path, m), data((1, 4, 4, 8))
    (actual,), (expected,) = evaluated(path, [x]), litert(path, [x])
    np.testing.assert_allclose(actual, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 8), (16, 8), (64, 3)])
def test_weights_of_four_bits(tmp_path: Path, inputs: int, outputs: int) -> None:
    """Large layers have symmetric grids, whatever they ask for, and the bias in the middle of the sum."""
    m, x = TfliteWriter(), data((6, inputs))
    q = Quantization(RNG.uniform(0.01, 0.1, outputs).tolist(), [0] * outputs, 0)
    operands = [m.input("x", x.shape, "float32"), m.constant(RNG.integers(-7, 8, (outputs, inputs)), "int4", q)]
    operands.append(m.constant(RNG.standard_normal(outputs).astype(np.float32)))
    m.output(m.op("FULLY_CONNECTED", operands, {"asymmetric_quantize_inputs": True}, shape=(6, outputs), version=12))
    path = write(tmp_path, m)
    same(evaluated(path, [x]), litert(path, [x]), 1e-5)


def test_weights_that_are_fed(tmp_path: Path) -> None:
    m = TfliteWriter()
    x, w = data((6, 16)), RNG.integers(-127, 128, (3, 16)).astype(np.int8)
    operands = [m.input("x", x.shape, "float32"), m.input("w", w.shape, "int8", Quantization([0.1], [0]))]
    m.output(m.op("FULLY_CONNECTED", operands, {"fused_activation_function": "RELU"}, shape=(6, 3), version=3))
    path = write(tmp_path, m)
    np.testing.assert_array_equal(evaluated(path, [x, w]), litert(path, [x, w]))


@pytest.mark.device
@pytest.mark.parametrize("kernel", [0, 1, 4, 6, 9])
def test_on_the_device(tmp_path: Path, kernel: int) -> None:
    """Bit by bit, too: a range of two launches, counts, and a product whose epilogue makes reals of its sums."""
    path, x = hybrid(tmp_path, *KERNELS[kernel]), data(KERNELS[kernel][1])
    graph = load(path)
    schedule = lower(passes.run(load(path), CPU), CPU, "f32")
    assert len(schedule.launches) == 4
    (actual,) = execute(schedule, CPU, {graph.inputs[0]: x}).values()
    np.testing.assert_array_equal(actual, litert(path, [x])[0])


def recurrent(op: str, asymmetric: bool, projection: bool = False) -> tuple[TfliteWriter, tuple[int, ...]]:
    """A layer of floats with weights of eight bits: 3 sequences of 4 steps, where the operator takes so many."""
    m, (batch, steps, inputs, units) = TfliteWriter(), (3, 4, 16, 24)
    state = 20 if projection else units

    def weights(*shape: int) -> int:
        return m.constant(RNG.integers(-127, 128, shape).astype(np.int8), "int8", Quantization([float(RNG.uniform(1e-3, 4e-3))], [0]))

    def floats(*shape: int) -> int:
        return m.constant((0.3 * RNG.standard_normal(shape)).astype(np.float32))

    shape = (batch, inputs) if op in ("LSTM", "RNN", "SVDF") else (batch, steps, inputs)
    x, options = m.input("x", shape, "float32"), {"fused_activation_function": "TANH", "asymmetric_quantize_inputs": asymmetric}
    if op == "SVDF":
        times = m.constant(RNG.integers(-127, 128, (units, 5)).astype(np.int8), "int8", Quantization([0.004], [0]))
        operands = [x, weights(units, inputs), times, floats(units), m.variable((batch, units * 5), "float32")]
        options |= {"rank": 1, "fused_activation_function": "NONE"}
    elif "RNN" in op:
        operands = [x, weights(units, inputs), weights(units, units), floats(units), m.variable((batch, units), "float32")]
    else:
        operands = [x, *(weights(units, inputs) for _ in range(4)), *(weights(units, state) for _ in range(4)), -1, -1, -1,
                    *(floats(units) for _ in range(4)), weights(state, units) if projection else -1, -1,
                    m.variable((batch, state), "float32"), m.variable((batch, units), "float32")]
        options |= {"kernel_type": "FULL"} if op == "LSTM" else {}
    m.output(m.op(op, operands, options, shape=(*shape[:-1], state), version=3))
    return m, shape


LAYERS = [*((op, False) for op in ("LSTM", "RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN")),
          ("UNIDIRECTIONAL_SEQUENCE_LSTM", True)]  # fmt: skip


@pytest.mark.parametrize("asymmetric", [True, False])
@pytest.mark.parametrize(("op", "projection"), LAYERS)
def test_recurrent(tmp_path: Path, op: str, projection: bool, asymmetric: bool) -> None:
    """Reals here, but on the grids of LiteRT's counts: inputs, states, and what is projected."""
    m, shape = recurrent(op, asymmetric, projection)
    path, x = write(tmp_path, m), data(shape) / 8
    same(runs(path, [[x]])[0], litert(path, [x]), 1e-5)


@pytest.mark.device
@pytest.mark.parametrize(("op", "asymmetric", "projection"), [("UNIDIRECTIONAL_SEQUENCE_LSTM", False, True),
                                                              ("UNIDIRECTIONAL_SEQUENCE_RNN", True, False)])
def test_recurrent_on_the_device(tmp_path: Path, op: str, asymmetric: bool, projection: bool) -> None:
    m, shape = recurrent(op, asymmetric, projection)
    path, x = write(tmp_path, m), data(shape) / 8
    plan, _ = compile_model(path)
    assert plan is not None
    with Session(plan, find()) as session:
        same(list(session.run([x]).values()), litert(path, [x]), 2e-5)
