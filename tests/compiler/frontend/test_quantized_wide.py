"""Operators between tensors of 16 bits against LiteRT's integer kernels, number for number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler import passes
from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.lower import lower
from planish.compiler.ops import tables_tflite
from tests.compiler.frontend.test_quantized import CONV, X, agree, node, stored
from tests.harness import CPU, check_file, execute
from tests.oracles import evaluated, litert, write
from tests.tflite_writer import Quantization, TfliteWriter

ALL = np.arange(-(1 << 15), 1 << 15).astype(np.int16)
UNIT = 2.0**-15
"""The scale of results between -1 and 1."""


def scaled(*scales: float) -> list[tuple[float, int]]:
    return [(scale, 0) for scale in scales]


FUNCTIONS = [
    # operator, options, scales of operand and result
    ("LOGISTIC", {}, [3.1e-4, UNIT]),
    ("LOGISTIC", {}, [2.0**-12, UNIT]),
    ("LOGISTIC", {}, [2.0**-11, UNIT]),
    ("TANH", {}, [1.7e-4, UNIT]),
    ("TANH", {}, [2.0**-12, UNIT]),
    ("TANH", {}, [2.0**-11, UNIT]),
    ("TANH", {}, [2.0**-13, UNIT]),
    ("GELU", {"approximate": False}, [3.1e-4, 1.3e-4]),
    ("GELU", {"approximate": True}, [1.1e-3, 1.1e-3]),
    ("EXP", {}, [3.1e-4, 0.7]),
    ("EXP", {}, [1.1e-4, 3.3e-3]),
    ("LOG", {}, [3.1e-4, 3.3e-4]),
    ("RELU", {}, [3.1e-4, 2.3e-4]),
    ("RELU6", {}, [3.1e-4, 5.3e-4]),
    ("LEAKY_RELU", {"alpha": 0.31}, [3.1e-4, 2.3e-4]),
    ("ABS", {}, [3.1e-4, 5.3e-4]),
    ("QUANTIZE", {}, [3.1e-4, 2.3e-4]),
    ("QUANTIZE", {}, [2.0**-12, 2.0**-10]),
]


@pytest.mark.parametrize(("op", "options", "scales"), FUNCTIONS)
def test_every_number(tmp_path: Path, op: str, options: Mapping[str, Any], scales: list[float]) -> None:
    agree(node(tmp_path, op, [ALL], [], options, ALL.shape, "int16", scaled(*scales), 2), [ALL])


def test_inverse_roots_of_numbers_that_are_not_negative(tmp_path: Path) -> None:
    x = ALL[1 << 15 :]
    agree(node(tmp_path, "RSQRT", [x], [], {}, x.shape, "int16", scaled(1.1e-4, 3.3e-3), 2), [x])


def test_the_table_of_sigmoids_rises_to_one() -> None:
    assert tables_tflite.SIGMOID[[0, 1, 24, 255]].tolist() == [32768, 33451, 47911, 65535]


@pytest.mark.parametrize("beta", [1.0, 0.5])
@pytest.mark.parametrize("scale", [1.3e-4, 1.1e-3])
@pytest.mark.parametrize("count", [1, 2, 100, 1001])
def test_softmax(tmp_path: Path, count: int, scale: float, beta: float) -> None:
    x = stored((3, 5, count), "int16")
    path = node(tmp_path, "SOFTMAX", [x], [], {"beta": beta}, x.shape, "int16", scaled(scale, UNIT), 3)
    actual, expected = evaluated(path, [x])[0], litert(path, [x])[0]
    np.testing.assert_array_equal(actual, expected)
    assert expected.max() > 0


BINARY = [
    ("ADD", {"pot_scale_int16": False}, [3.1e-4, 1.3e-4, 5.3e-4]),
    ("ADD", {"pot_scale_int16": False, "fused_activation_function": "RELU6"}, [2.0**-12, 2.0**-10, 2.0**-10]),
    ("ADD", {"pot_scale_int16": True}, [2.0**-12, 2.0**-10, 2.0**-10]),
    ("SUB", {"pot_scale_int16": False}, [3.1e-4, 1.3e-4, 5.3e-4]),
    ("SUB", {"pot_scale_int16": True}, [2.0**-10, 2.0**-13, 2.0**-10]),
    ("MUL", {"fused_activation_function": "RELU"}, [3.1e-4, 1.3e-4, 9.1e-4]),
    ("MAXIMUM", {}, [3.1e-4, 1.3e-4, 5.3e-4]),
    ("MINIMUM", {}, [3.1e-4, 3.1e-4, 3.1e-4]),
]


@pytest.mark.parametrize(("op", "options", "scales"), BINARY)
def test_binary(tmp_path: Path, op: str, options: Mapping[str, Any], scales: list[float]) -> None:
    a, b = stored(X, "int16"), stored(X, "int16")
    agree(node(tmp_path, op, [a, b], [], options, X, "int16", scaled(*scales), 2), [a, b])


def test_concatenation_of_several_grids(tmp_path: Path) -> None:
    a, b = stored(X, "int16"), stored(X, "int16")
    agree(node(tmp_path, "CONCATENATION", [a, b], [], {"axis": 3}, (*X[:3], 16), "int16", scaled(3.1e-4, 1.3e-4, 5.3e-4), 2), [a, b])


def test_prelu_has_slopes_of_eight_bits(tmp_path: Path) -> None:
    x, slopes = stored(X, "int16"), stored((1, 1, 8), "int8")
    held = [(slopes, Quantization([0.013], [0]), "int8")]
    agree(node(tmp_path, "PRELU", [x], held, {}, X, "int16", scaled(3.1e-4, 5.3e-4)), [x])


@pytest.mark.parametrize("window", [2, 3, 7])
@pytest.mark.parametrize("activation", ["NONE", "RELU6"])
def test_average_pool(tmp_path: Path, window: int, activation: str) -> None:
    x = stored((1, 15, 15, 8), "int16")
    options = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "filter_width": window, "filter_height": window,
               "fused_activation_function": activation}
    agree(node(tmp_path, "AVERAGE_POOL_2D", [x], [], options, x.shape, "int16", scaled(3.1e-4, 3.1e-4), 2), [x])


@pytest.mark.parametrize(("op", "axes", "scale"), [("MEAN", [1, 2], 1.1e-4), ("MEAN", [3], 3.1e-4), ("MEAN", [0, 1, 2, 3], 1.1e-5),
                                                  ("SUM", [1, 2], 1.7e-2), ("SUM", [3], 1.3e-3)])
@pytest.mark.parametrize("kept", [True, False])
def test_reductions(tmp_path: Path, op: str, axes: list[int], scale: float, kept: bool) -> None:
    x = stored((2, 40, 40, 9), "int16")
    held = [(np.array(axes, np.int32), None, "int32")]
    shape = np.sum(x, tuple(axes), keepdims=kept).shape
    path = node(tmp_path, op, [x], held, {"keep_dims": kept}, shape, "int16", scaled(3.1e-4, scale), 2)
    np.testing.assert_array_equal(evaluated(path, [x])[0], litert(path, [x])[0])


@pytest.mark.parametrize(("of", "to"), [("int16", "int8"), ("int8", "int16"), ("uint8", "int16")])
def test_conversions_between_widths(tmp_path: Path, of: str, to: str) -> None:
    x = ALL if of == "int16" else np.arange(np.iinfo(of).min, np.iinfo(of).max + 1).astype(of)
    scales = {"int16": Quantization([3.1e-4], [0]), "int8": Quantization([0.071], [5]), "uint8": Quantization([0.071], [131])}
    m = TfliteWriter()
    m.output(m.op("QUANTIZE", [m.input("x", x.shape, of, scales[of])], shape=x.shape, dtype=to, quantization=scales[to], version=2))
    agree(write(tmp_path, m), [x])


def test_floats_and_back(tmp_path: Path) -> None:
    x, q, m = np.random.default_rng(0).standard_normal(5000).astype(np.float32) * 4, Quantization([3.1e-4], [0]), TfliteWriter()
    y = m.op("QUANTIZE", [m.input("x", x.shape, "float32")], shape=x.shape, dtype="int16", quantization=q, version=3)
    m.output(m.op("DEQUANTIZE", [y], shape=x.shape, version=3))
    path = write(tmp_path, m)
    np.testing.assert_array_equal(evaluated(path, [x])[0], litert(path, [x])[0])


def test_numbers_of_one_operand_on_another_grid(tmp_path: Path) -> None:
    """What is concatenated alone is passed on; its reals are those of the new grid."""
    m, (first, second) = TfliteWriter(), (Quantization([scale], [0]) for scale in (3.1e-4, 7.3e-4))
    x = m.input("x", X, "int16", first)
    y = m.op("CONCATENATION", [x], {"axis": 3}, shape=X, dtype="int16", quantization=second, version=3)
    m.output(*(m.op("DEQUANTIZE", [v], shape=X, version=3) for v in (x, y)))
    path, given = write(tmp_path, m), stored(X, "int16")
    for actual, expected in zip(evaluated(path, [given]), litert(path, [given]), strict=True):
        np.testing.assert_array_equal(actual, expected)


PRODUCTS = {
    # operator -> shapes of the data, of the weights and of the result, axis of the weights that counts its channels, options
    "CONV_2D": ((1, 12, 12, 32), (13, 3, 3, 32), (1, 12, 12, 13), 0, CONV),
    "DEPTHWISE_CONV_2D": ((1, 12, 12, 13), (1, 3, 3, 13), (1, 12, 12, 13), 3, CONV | {"depth_multiplier": 1}),
    "FULLY_CONNECTED": ((40, 2000), (13, 2000), (40, 13), 0, {}),
    "TRANSPOSE_CONV": ((1, 6, 6, 32), (13, 3, 3, 32), (1, 12, 12, 13), 0, CONV | {"stride_w": 2, "stride_h": 2}),
    "BATCH_MATMUL": ((3, 20, 200), (3, 200, 13), (3, 20, 13), 0, {}),
}
VERSIONS = {"CONV_2D": 4, "DEPTHWISE_CONV_2D": 5, "FULLY_CONNECTED": 7, "TRANSPOSE_CONV": 4, "BATCH_MATMUL": 4}


def products(folder: Path, op: str, x: np.ndarray, *, channels: bool = True, weights: str = "int8", bias: str = "int64",
             options: Mapping[str, Any] | None = None, widest: float = 4) -> Path:
    """A model whose results fill their range, as far as `widest` standard deviations of the sums."""
    rng = np.random.default_rng(1)
    _, shape, result, axis, given = PRODUCTS[op]
    most = np.iinfo(weights).max
    w = np.clip(np.round(rng.standard_normal(shape) * most / 3), -most, most)
    scale = rng.uniform(0.001, 0.01, shape[axis] if channels else 1).astype(np.float32)
    terms = {"DEPTHWISE_CONV_2D": 9, "BATCH_MATMUL": shape[1]}.get(op, w.size // shape[axis])
    deviation = float(np.sqrt(terms) * x.std() * w.std())
    held = [(w, Quantization(scale.tolist(), [0], axis), weights)]
    if bias:
        steps = Quantization((scale * np.float32(3.1e-4)).tolist(), [0])
        held.append((np.round(rng.uniform(-deviation, deviation, result[-1])), steps, bias))
    grids = scaled(3.1e-4, deviation * 3.1e-4 * float(scale.mean()) * widest / (1 << 15))
    return node(folder, op, [x], held, given | (options or {}), result, "int16", grids, VERSIONS[op])


def near(actual: np.ndarray, path: Path, x: np.ndarray, *, weights: str = "int8") -> None:
    """All numbers are LiteRT's; with weights of 16 bits, whose sums floats of 24 bits do not hold, 99 % are, and none is off by two."""
    expected = litert(path, [x])[0].astype(np.int64)
    steps = np.abs(actual - expected)
    assert steps.max() <= (weights == "int16") and (steps > 0).mean() <= 0.01 and np.ptp(expected) > 1 << 10


FORMS: list[tuple[str, dict[str, Any]]] = [
    *((op, {"bias": ""} if op == "BATCH_MATMUL" else {}) for op in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")),
    ("BATCH_MATMUL", {"bias": "", "channels": False}),
    ("BATCH_MATMUL", {"bias": "", "channels": False, "weights": "int16"}),
    ("CONV_2D", {"bias": "int32", "options": {"quantized_bias_type": "INT32"}}),
    ("CONV_2D", {"channels": False, "options": {"fused_activation_function": "RELU6"}}),
    ("FULLY_CONNECTED", {"bias": "int32", "options": {"quantized_bias_type": "INT32"}}),
    ("FULLY_CONNECTED", {"channels": False, "bias": ""}),
    ("FULLY_CONNECTED", {"weights": "int16", "options": {"quantized_bias_type": "INT64"}}),
    ("TRANSPOSE_CONV", {"bias": "int32", "options": {"quantized_bias_type": "INT32"}}),
]


@pytest.mark.parametrize(("op", "form"), FORMS)
def test_products(tmp_path: Path, op: str, form: Mapping[str, Any]) -> None:
    x = stored(PRODUCTS[op][0], "int16")
    path = products(tmp_path, op, x, **form)
    near(evaluated(path, [x])[0], path, x, weights=form.get("weights", "int8"))


def test_results_far_too_coarse_are_refused(tmp_path: Path) -> None:
    x = stored(PRODUCTS["CONV_2D"][0], "int16")
    with pytest.raises(UnsupportedError, match=r"the steps of its products are .* of its result's"):
        load(products(tmp_path, "CONV_2D", x, widest=1e-9))


def test_tables_are_of_symmetric_numbers(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="zero points of 7 and 0 with 16 bits; 0 would be accepted"):
        load(node(tmp_path, "GELU", [ALL], [], {"approximate": False}, ALL.shape, "int16", [(3.1e-4, 7), (3.1e-4, 0)], 2))


@pytest.mark.device
@pytest.mark.parametrize(("op", "options", "scales"), [("TANH", {}, [1.7e-4, UNIT]), ("SOFTMAX", {"beta": 1.0}, [3.1e-4, UNIT]),
                                                       ("LEAKY_RELU", {"alpha": 0.31}, [3.1e-4, 2.3e-4])])
def test_functions_on_the_device(tmp_path: Path, op: str, options: Mapping[str, Any], scales: list[float]) -> None:
    x = stored((3, 5, 37), "int16")
    check_file(node(tmp_path, op, [x], [], options, x.shape, "int16", scaled(*scales), 2), [x])


@pytest.mark.device
@pytest.mark.parametrize("op", ["CONV_2D", "FULLY_CONNECTED"])
def test_products_on_the_device(tmp_path: Path, op: str) -> None:
    x = stored(PRODUCTS[op][0], "int16")
    path = products(tmp_path, op, x)
    graph = load(path)
    (actual,) = execute(lower(passes.run(load(path), CPU), CPU, "f32"), CPU, {graph.inputs[0]: x}).values()
    near(actual, path, x)
