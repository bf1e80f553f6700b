"""Quantised .tflite models against LiteRT's integer kernels: every kind of operator, of grid, and of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler import passes
from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import evaluate
from planish.compiler.lower import lower
from tests.harness import CPU, check_file, execute
from tests.oracles import evaluated, litert, write
from tests.tflite_writer import Quantization, TfliteWriter

RNG = np.random.default_rng(0)
CONV = {"padding": "SAME", "stride_w": 1, "stride_h": 1}
POOL = {"padding": "SAME", "stride_w": 2, "stride_h": 2, "filter_width": 2, "filter_height": 2}
X = (1, 5, 6, 8)


def stored(shape: Sequence[int], dtype: str) -> np.ndarray:
    info = np.iinfo(dtype)
    return RNG.integers(info.min, info.max + 1, shape).astype(dtype)


def node(folder: Path, op: str, inputs: Sequence[np.ndarray], constants: Sequence[Any], options: Mapping[str, Any], shape: Sequence[int],
         dtype: str, grids: Sequence[tuple[float, int]], version: int = 1) -> Path:
    """A model of one operator as a file.

    Args:
        constants: operands after those that are fed: (array, quantization, stored type).
        grids: scale and zero point of each operand that is fed, then of the result, of the type `dtype`.
    """
    m = TfliteWriter()
    *given, result = [Quantization([scale], [zero_point]) for scale, zero_point in grids]
    operands = [m.input(f"x{k}", x.shape, x.dtype.name, q) for k, (x, q) in enumerate(zip(inputs, given, strict=True))]
    operands += [m.constant(array, kind, q) for array, q, kind in constants]
    if op == "TRANSPOSE_CONV":
        operands = [m.constant(np.array(shape, np.int32)), operands[1], operands[0], *operands[2:]]
    m.output(m.op(op, operands, options, shape=shape, dtype=dtype, quantization=result, version=version))
    return write(folder, m)


def agree(path: Path, arrays: Sequence[np.ndarray], most: int = 0) -> None:
    """Every stored number of every result is as LiteRT has it, or at most so many steps off."""
    for actual, expected in zip(evaluated(path, arrays), litert(path, arrays), strict=True):
        assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
        steps = np.abs(actual.astype(np.int64) - expected)
        assert steps.max() <= most and (steps > 1).mean() <= 0.01, f"{steps.max()} steps"
        assert np.unique(expected).size > 1


VERSIONS = {"RELU_N1_TO_1": 1, "HARD_SWISH": 1, "ELU": 1, "RESHAPE": 1}
UNARY = [
    # operator, options, shape of the result, grids of operand and result, greatest difference in steps
    ("RELU", {}, X, [(0.05, 3), (0.05, 3)], 0),
    ("RELU", {}, X, [(0.0517, 3), (0.0311, -128)], 0),
    ("RELU6", {}, X, [(0.0613, 3), (6 / 255, -128)], 0),
    ("RELU_N1_TO_1", {}, X, [(0.02, 3), (0.01, -10)], 0),
    ("LEAKY_RELU", {"alpha": 0.31}, X, [(0.0517, 3), (0.0413, -20)], 0),
    ("HARD_SWISH", {}, X, [(0.05, 3), (0.04, -100)], 0),
    ("HARD_SWISH", {}, X, [(0.31, 3), (0.04, -100)], 0),
    ("HARD_SWISH", {}, X, [(0.0007, 3), (0.0005, -100)], 0),
    ("LOGISTIC", {}, X, [(0.05, 3), (1 / 256, -128)], 0),
    ("TANH", {}, X, [(0.03, 3), (1 / 128, 0)], 0),
    ("ELU", {}, X, [(0.03, 3), (0.03, -90)], 0),
    ("ABS", {}, X, [(0.03, 0), (0.02, -128)], 0),
    ("SOFTMAX", {"beta": 1.0}, X, [(0.03, 3), (1 / 256, -128)], 1),
    ("LOG_SOFTMAX", {}, X, [(0.03, 3), (16 / 256, 127)], 1),
    ("L2_NORMALIZATION", {}, X, [(0.03, 3), (1 / 128, 0)], 1),
    ("MAX_POOL_2D", POOL, (1, 3, 3, 8), [(0.03, 3), (0.03, 3)], 0),
    ("AVERAGE_POOL_2D", POOL, (1, 3, 3, 8), [(0.03, 3), (0.03, 3)], 0),
    ("DEPTH_TO_SPACE", {"block_size": 2}, (1, 10, 12, 2), [(0.03, 3), (0.03, 3)], 0),
    ("QUANTIZE", {}, X, [(0.0517, 3), (0.0313, -7)], 0),
]
WITH_CONSTANTS = [
    ("RESHAPE", [[1, 30, 8]], {}, (1, 30, 8), [(0.03, 3), (0.03, 3)], 0),
    ("RESHAPE", [[1, 30, 8]], {}, (1, 30, 8), [(0.03, 3), (0.05, 1)], 0),
    ("TRANSPOSE", [[0, 2, 1, 3]], {}, (1, 6, 5, 8), [(0.03, 3), (0.03, 3)], 0),
    ("PAD", [[[0, 0], [1, 2], [0, 1], [0, 0]]], {}, (1, 8, 7, 8), [(0.03, 3), (0.03, 3)], 0),
    ("MEAN", [[1, 2]], {"keep_dims": True}, (1, 1, 1, 8), [(0.03, 3), (0.01, 5)], 0),
    ("SUM", [[1]], {}, (1, 6, 8), [(0.0317, 3), (0.1, 5)], 0),
    ("REDUCE_MAX", [[1, 2]], {}, (1, 8), [(0.03, 3), (0.03, 3)], 0),
    ("RESIZE_BILINEAR", [[10, 9]], {}, (1, 10, 9, 8), [(0.03, 3), (0.03, 3)], 0),
    ("RESIZE_BILINEAR", [[3, 11]], {"align_corners": True}, (1, 3, 11, 8), [(0.03, 3), (0.03, 3)], 0),
    ("RESIZE_BILINEAR", [[13, 4]], {"half_pixel_centers": True}, (1, 13, 4, 8), [(0.03, 3), (0.03, 3)], 0),
    ("RESIZE_NEAREST_NEIGHBOR", [[10, 9]], {}, (1, 10, 9, 8), [(0.03, 3), (0.03, 3)], 0),
]
BINARY = [("ADD", 0), ("SUB", 0), ("MUL", 0), ("SQUARED_DIFFERENCE", 0), ("MAXIMUM", 0), ("MINIMUM", 0), ("CONCATENATION", 0)]


@pytest.mark.parametrize(("op", "options", "shape", "grids", "most"), UNARY)
def test_unary(tmp_path: Path, op: str, options: dict[str, Any], shape: tuple[int, ...], grids: list[tuple[float, int]], most: int) -> None:
    x = stored(X, "int8")
    agree(node(tmp_path, op, [x], [], options, shape, "int8", grids, VERSIONS.get(op, 2)), [x], most)


@pytest.mark.parametrize(("op", "constants", "options", "shape", "grids", "most"), WITH_CONSTANTS)
def test_with_constants(tmp_path: Path, op: str, constants: list[Any], options: dict[str, Any], shape: tuple[int, ...],
                        grids: list[tuple[float, int]], most: int) -> None:
    x = stored(X, "int8")
    held = [(np.array(c, np.int32), None, "int32") for c in constants]
    agree(node(tmp_path, op, [x], held, options, shape, "int8", grids, VERSIONS.get(op, 2)), [x], most)


@pytest.mark.parametrize(("op", "most", "dtype"), [(*row, dtype) for row in BINARY for dtype in ("int8", "uint8")
                                                   if (row[0], dtype) != ("SQUARED_DIFFERENCE", "uint8")])
def test_binary(tmp_path: Path, op: str, most: int, dtype: str) -> None:
    a, b = stored(X, dtype), stored(X, dtype)
    z = 120 if dtype == "uint8" else -3
    same = op in ("MAXIMUM", "MINIMUM", "CONCATENATION")
    grids = [(0.03, z)] * 3 if same else [(0.0303, z), (0.0517, z + 9), (0.0811, z - 20)]
    options, shape = ({"axis": 3}, (1, 5, 6, 16)) if op == "CONCATENATION" else ({}, X)
    agree(node(tmp_path, op, [a, b], [], options, shape, dtype, grids, 2), [a, b], most)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_slopes(tmp_path: Path, dtype: str) -> None:
    x, zero = stored(X, dtype), 120 if dtype == "uint8" else -3
    slope = (stored((1, 1, 8), dtype), Quantization([0.009], [zero + 7]), dtype)
    agree(node(tmp_path, "PRELU", [x], [slope], {}, X, dtype, [(0.0517, zero), (0.0413, zero - 20)]), [x])


@pytest.mark.parametrize("op", ["MAXIMUM", "MINIMUM"])
def test_stored_numbers_of_several_grids_are_compared(tmp_path: Path, op: str) -> None:
    a, b = stored(X, "int8"), stored(X, "int8")
    agree(node(tmp_path, op, [a, b], [], {}, X, "int8", [(0.0303, -3), (0.0517, 6), (0.0811, -23)], 2), [a, b])


PRODUCTS = {
    # operator -> weights, options, shape of the result, axis of the weights that counts its channels
    "CONV_2D": ((7, 3, 3, 8), CONV | {"fused_activation_function": "RELU6"}, (1, 5, 6, 7), 0),
    "DEPTHWISE_CONV_2D": ((1, 3, 3, 8), CONV | {"depth_multiplier": 1}, X, 3),
    "FULLY_CONNECTED": ((7, 8), {"keep_num_dims": True}, (1, 5, 6, 7), 0),
    "TRANSPOSE_CONV": ((7, 3, 3, 8), CONV, (1, 5, 6, 7), 0),
}


def product(folder: Path, op: str, x: np.ndarray, grids: list[tuple[float, int]], *, channels: bool = True, weights: str = "int8",
            bias: str = "int32", offset: int = 0) -> Path:
    shape, options, result, axis = PRODUCTS[op]
    w = RNG.integers(-7, 8, shape) if weights == "int4" else stored(shape, weights)
    w = np.maximum(w, -127) if weights == "int8" else w
    scale = RNG.uniform(0.002, 0.01, shape[axis]).astype(np.float32) if channels else np.array([0.005], np.float32)
    steps = Quantization((scale * np.float32(grids[0][0])).tolist())
    held = [(w, Quantization(scale.tolist(), [offset], axis), weights)]
    if bias:
        held.append((RNG.integers(-2000, 2000, shape[axis]), steps, bias))
    return node(folder, op, [x], held, options, result, x.dtype.name, grids, 3)


@pytest.mark.parametrize("op", PRODUCTS)
@pytest.mark.parametrize("channels", [True, False])
def test_products(tmp_path: Path, op: str, channels: bool) -> None:
    """Bit by bit, for the two roundings of LiteRT's sums are ours."""
    x = stored(X, "int8")
    agree(product(tmp_path, op, x, [(0.05, 3), (0.05, -7)], channels=channels), [x], op == "TRANSPOSE_CONV")


def test_groups(tmp_path: Path) -> None:
    """Sums of channels in groups have halves of their own: LiteRT rounds them away from zero."""
    x, w = stored((1, 20, 20, 8), "int8"), np.maximum(stored((8, 1, 1, 4), "int8"), -127)
    held = [(w, Quantization([2**-6] * 8, [0] * 8, 0), "int8"), (stored((8,), "int8"), Quantization([2**-7] * 8), "int32")]
    agree(node(tmp_path, "CONV_2D", [x], held, CONV, x.shape, "int8", [(0.5, 3), (2.0, -7)], 5), [x])


@pytest.mark.parametrize("op", PRODUCTS)
def test_products_of_unsigned(tmp_path: Path, op: str) -> None:
    x = stored(X, "uint8")
    agree(product(tmp_path, op, x, [(0.05, 130), (0.05, 120)], channels=False, weights="uint8", offset=128), [x], 1)


def test_a_fed_shape_is_that_of_the_recorded_result(tmp_path: Path) -> None:
    x, w = np.ones((1, 2, 3, 4), np.float32), np.ones((5, 2, 2, 4), np.float32)
    m = TfliteWriter()
    operands = [m.input("shape", (4,), "int32"), m.constant(w), m.input("x", x.shape, "float32")]
    m.output(m.op("TRANSPOSE_CONV", operands, CONV | {"stride_w": 2, "stride_h": 2}, shape=(1, 4, 6, 5)))
    path, arrays = write(tmp_path, m), [np.array([1, 4, 6, 5], np.int32), x]
    np.testing.assert_allclose(evaluated(path, arrays)[0], litert(path, arrays)[0], atol=1e-5)


def test_integer_biases_of_gates(tmp_path: Path) -> None:
    """Without data the gates of a recurrent operator are its biases, in the scale that the file gives them."""
    m, (units, features) = TfliteWriter(), (3, 4)
    q = Quantization([0.01], [0])
    w = [m.constant(stored((units, features), "int8"), "int8", q)]
    r = [m.constant(stored((units, units), "int8"), "int8", q)]
    b = m.constant(np.array([10, 20, 30]), "int32", Quantization([0.0005]))
    x = m.input("x", (1, features), "int8", Quantization([0.05], [0]))
    state = m.variable((1, units), "int8", Quantization([1 / 128], [0]))
    m.output(m.op("RNN", [x, *w, *r, b, state], {"fused_activation_function": "TANH"}, shape=(1, units), dtype="int8",
                  quantization=Quantization([1 / 128], [0])))
    graph = load(write(tmp_path, m))
    values = evaluate(graph, {v: np.zeros(graph.type(v).shape, graph.type(v).dtype) for v in graph.inputs})
    expected = np.round(np.tanh(np.array([[10, 20, 30]]) * 0.0005) * 128)
    np.testing.assert_array_equal(values[list(graph.outputs.values())[-1]], expected)


@pytest.mark.parametrize("op", ["CONV_2D", "FULLY_CONNECTED"])
def test_weights_of_four_bits(tmp_path: Path, op: str) -> None:
    x = stored(X, "int8")
    agree(product(tmp_path, op, x, [(0.05, 3), (0.005, -7)], weights="int4"), [x])


@pytest.mark.parametrize("op", PRODUCTS)
def test_activations_of_sixteen_bits(tmp_path: Path, op: str) -> None:
    x = stored(X, "int16")
    agree(product(tmp_path, op, x, [(0.0005, 0), (0.0004, 0)], channels=op != "FULLY_CONNECTED", bias="int64"), [x])


def test_products_without_bias(tmp_path: Path) -> None:
    x = stored(X, "int8")
    agree(product(tmp_path, "FULLY_CONNECTED", x, [(0.05, 3), (0.05, -7)], bias=""), [x])


def test_fake_quant(tmp_path: Path) -> None:
    x = np.linspace(-3, 9, 1000, dtype=np.float32)
    m = TfliteWriter()
    options = {"min": -1.3, "max": 6.1, "num_bits": 8, "narrow_range": False}
    m.output(m.op("FAKE_QUANT", [m.input("x", x.shape, "float32")], options, shape=x.shape, version=2))
    path = write(tmp_path, m)
    np.testing.assert_allclose(evaluated(path, [x])[0], litert(path, [x])[0], atol=1e-5)


def chain(folder: Path) -> Path:
    """A float, stored, through products and movements, and back."""
    m, q = TfliteWriter(), Quantization([0.05], [3])
    x = m.op("QUANTIZE", [m.input("x", X, "float32")], shape=X, dtype="int8", quantization=q)
    w = m.constant(stored((8, 1, 1, 8), "int8"), "int8", Quantization([0.003]))
    b = m.constant(np.arange(8), "int32", Quantization([0.00015]))
    x = m.op("CONV_2D", [x, w, b], CONV | {"fused_activation_function": "RELU"}, shape=X, dtype="int8", quantization=q)
    x = m.op("MAX_POOL_2D", [x], POOL, shape=(1, 3, 3, 8), dtype="int8", quantization=q)
    x = m.op("RESHAPE", [x, m.constant(np.array([1, 9, 8], np.int32))], shape=(1, 9, 8), dtype="int8", quantization=q)
    m.output(m.op("DEQUANTIZE", [x], shape=(1, 9, 8)))
    return write(folder, m)


def test_what_only_moves_is_not_rounded_again(tmp_path: Path) -> None:
    graph = load(chain(tmp_path))
    rounded = [n.op.fn for n in graph.nodes() if getattr(n.op, "fn", "").startswith(("quantize", "rescale"))]
    assert rounded == ["quantize_even", "rescale"]


MEANS = [
    # shape, axes, kept, grids: of images, on one grid, of anything
    ((1, 40, 40, 21), [1, 2], True, [(0.031, 3), (0.017, -9)]),
    ((1, 40, 40, 21), [2, 1], True, [(0.031, 3), (0.031, 3)]),
    ((2, 9, 7), [1], False, [(0.031, 3), (0.031, 3)]),
    ((2, 7, 40, 5), [-2, 1], True, [(0.031, 3), (0.017, -9)]),
    ((3, 33), [1], False, [(0.031, -3), (0.017, 9)]),
    ((1, 40, 40, 5), [1, 2], False, [(0.031, 3), (0.017, -9)]),
]


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize(("shape", "axes", "kept", "grids"), MEANS)
def test_means(tmp_path: Path, shape: tuple[int, ...], axes: list[int], kept: bool, grids: list[tuple[float, int]], dtype: str) -> None:
    x = stored(shape, dtype)
    at = [(scale, zero + (120 if dtype == "uint8" else 0)) for scale, zero in grids]
    result = np.mean(x, tuple(axes), keepdims=kept).shape
    agree(node(tmp_path, "MEAN", [x], [(np.array(axes, np.int32), None, "int32")], {"keep_dims": kept}, result, dtype, at, 2), [x])


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("seed", range(3))
def test_every_number_of_a_chain(tmp_path: Path, dtype: str, seed: int) -> None:
    """Stored, convolved by depth in more channels than vector code takes at once, added, multiplied, stored on another grid."""
    rng, m = np.random.default_rng(seed), TfliteWriter()
    zero = 128 if dtype == "uint8" else 0
    shape, channels = (1, 24, 24, 13), 13

    def grid(scale: float) -> Quantization:
        return Quantization([float(np.float32(scale * rng.uniform(0.5, 1.5)))], [zero + int(rng.integers(-40, 40))])

    def op(name: str, *operands: Any, scale: float, **options: Any) -> Any:
        return m.op(name, list(operands), options, shape=shape, dtype=dtype, quantization=grid(scale), version=3 if "CONV" in name else 2)

    x = m.op("QUANTIZE", [m.input("x", shape, "float32")], shape=shape, dtype=dtype, quantization=(first := grid(0.05)))
    scales = rng.uniform(0.004, 0.01, channels if dtype == "int8" else 1)
    steps = (scales * first.scale[0]).tolist()
    w = m.constant(rng.integers(1, 255, (1, 3, 3, channels)) - 128 + zero, dtype, Quantization(scales.tolist(), [zero], 3))
    y = op("DEPTHWISE_CONV_2D", x, w, m.constant(rng.integers(-2000, 2000, channels), "int32", Quantization(steps)), scale=0.06,
           padding="SAME", stride_w=1, stride_h=1, depth_multiplier=1)
    z = op("ADD", y, op("LEAKY_RELU", x, scale=0.04, alpha=0.3), scale=0.08, fused_activation_function="RELU")
    m.output(op("QUANTIZE", op("MUL", z, y, scale=0.4, fused_activation_function="RELU6"), scale=0.6))
    given = rng.standard_normal(shape).astype(np.float32) * 4
    agree(write(tmp_path, m), [given])


def test_an_input_that_is_cast_is_taken_as_stored(tmp_path: Path) -> None:
    m = TfliteWriter()
    m.output(m.op("CAST", [m.input("x", (6,), "uint8", Quantization([0.5], [3]))], shape=(6,), dtype="int32"))
    x = np.arange(6, dtype=np.uint8)
    agree(write(tmp_path, m), [x])


@pytest.mark.parametrize("op", ["EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_comparisons(tmp_path: Path, dtype: str, op: str) -> None:
    """Every pair of stored numbers, many of which are nearly equal."""
    info, m = np.iinfo(dtype), TfliteWriter()
    every = np.arange(info.min, info.max + 1, dtype=dtype)
    arrays = [every[:, None], every]
    grids = [Quantization([0.0123], [info.min + 130]), Quantization([0.0117], [info.min + 101])]
    names = [m.input(f"x{k}", a.shape, dtype, q) for k, (a, q) in enumerate(zip(arrays, grids))]
    m.output(m.op(op, names, {}, shape=(256, 256), dtype="bool"))
    agree(write(tmp_path, m), arrays)


def test_a_computed_tensor_of_several_scales_is_refused(tmp_path: Path) -> None:
    m = TfliteWriter()
    q = Quantization([0.5, 0.25], [0])
    m.output(m.op("RELU", [m.input("x", (2,), "int8", q)], shape=(2,), dtype="int8", quantization=q))
    with pytest.raises(UnsupportedError, match="computed, of type INT8 with 2 scales"):
        load(write(tmp_path, m))


@pytest.mark.device
def test_rounding_joins_the_producer(tmp_path: Path) -> None:
    """One launch stores the input, one computes the products, one the maxima."""
    path = chain(tmp_path)
    x = RNG.standard_normal(X).astype(np.float32) * 4
    schedule = lower(passes.run(load(path), CPU), CPU, "f32")
    assert len(schedule.launches) == 3
    graph = load(path)
    (actual,) = execute(schedule, CPU, {graph.inputs[0]: x}).values()
    np.testing.assert_allclose(actual, litert(path, [x])[0], atol=1e-6)


@pytest.mark.device
@pytest.mark.parametrize("op", ["CONV_2D", "FULLY_CONNECTED"])
def test_on_the_device(tmp_path: Path, op: str) -> None:
    x = stored(X, "int8")
    check_file(product(tmp_path, op, x, [(0.05, 3), (0.05, -7)]), [x])
