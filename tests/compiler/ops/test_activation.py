"""Element-wise operators of both formats, against the ONNX standard's own cases, ONNX Runtime and LiteRT."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from tests.oracles import evaluated, litert, onnx_model, onnx_node, ort, same, standard_case, standard_cases, write
from tests.tflite_writer import TfliteWriter

RNG = np.random.default_rng(0)
X = np.concatenate([[0, 1, -1, 0.5, -0.5, 3, -3, 6, 7, -7, 20, -20], RNG.normal(0, 3, 12)]).reshape(2, 3, 4).astype(np.float32)
Y = np.roll(X, 5).reshape(2, 3, 4)
UNIT = np.linspace(-1, 1, 11, dtype=np.float32)
POSITIVE = np.abs(X) + 0.25
INT = np.array([0, 1, 2, 3, 7, -1, -2, -7, 100, -100, 6, 5], np.int32).reshape(3, 4)
DIVISOR = np.array([3, -3, 2, 5, -2, 3, -2, 2, -7, 7, 1, -1], np.int32).reshape(3, 4)
TRUTH = X > 0.4

OPERATORS = (
    "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr",
    "BitwiseXor", "Cast", "CastLike", "Ceil", "Celu", "Clip", "Cos", "Cosh", "Div", "Dropout", "Elu", "Equal", "Erf", "Exp", "Floor",
    "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual",
    "Log", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "PRelu", "Reciprocal", "Relu", "Round", "Selu",
    "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Swish", "Tan", "Tanh", "ThresholdedRelu",
    "Where", "Xor",
)  # fmt: skip
MODULES = {"And": "and_", "Not": "not_", "Or": "or_", "GreaterOrEqual": "greater_or_equal", "LessOrEqual": "less_or_equal"}
"""Of the standard's cases, where they are not called as the operator."""


def accepted(case: Any) -> bool:
    """Whether it is one node, its types are numpy's, and it is not refused: sequences, training."""
    refused = ("test_identity_sequence", "test_identity_opt")
    if len(case.model.graph.node) > 1 or case.name in refused:
        return False
    arrays = [np.asarray(a) for part in case.data_sets[0] for a in part]
    return all(a.dtype.isbuiltin == 1 and a.dtype.kind in "fiub" for a in arrays) and "_training" not in case.name


STANDARD = standard_cases([MODULES.get(o, o.lower()) for o in OPERATORS], OPERATORS)


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in STANDARD if accepted(c)])
def test_standard(tmp_path: Path, case: Any) -> None:
    path, arrays, expected = standard_case(tmp_path, case, len(case.data_sets[0][0]))
    same(evaluated(path, arrays), expected, 1e-3 if any(a.dtype == np.float16 for a in expected) else 1e-5)


UNARY = [
    # operator, operand, attributes
    ("Relu", X, {}), ("Sigmoid", X, {}), ("Tanh", X, {}), ("Softplus", X, {}), ("Softsign", X, {}), ("Neg", X, {}), ("Abs", X, {}),
    ("Exp", X, {}), ("Log", POSITIVE, {}), ("Sqrt", POSITIVE, {}), ("Reciprocal", POSITIVE, {}), ("Floor", X, {}), ("Ceil", X, {}),
    ("Sin", X, {}), ("Cos", X, {}), ("Tan", UNIT, {}), ("Asin", UNIT, {}), ("Acos", UNIT, {}), ("Atan", X, {}), ("Identity", X, {}),
    ("Elu", X, {}), ("Elu", X, {"alpha": 0.3}), ("LeakyRelu", X, {}), ("LeakyRelu", X, {"alpha": 0.3}), ("Selu", X, {}),
    ("Selu", X, {"alpha": 1.2, "gamma": 0.7}), ("HardSigmoid", X, {}), ("HardSigmoid", X, {"alpha": 0.4, "beta": 0.1}), ("Not", TRUTH, {}),
    ("Neg", INT, {}), ("Abs", INT, {}),
]  # fmt: skip
UNARY_13 = [
    ("Round", X, {}), ("Sign", X, {}), ("Sign", INT, {}), ("Erf", X, {}), ("Sinh", UNIT, {}), ("Cosh", UNIT, {}), ("Asinh", X, {}),
    ("Acosh", POSITIVE + 1, {}), ("Atanh", UNIT * 0.9, {}), ("Shrink", X, {}), ("Shrink", X, {"lambd": 2.0, "bias": 1.5}), ("Celu", X, {}),
    ("Celu", X, {"alpha": 0.4}), ("ThresholdedRelu", X, {}), ("ThresholdedRelu", X, {"alpha": 3.0}), ("Dropout", X, {}),
    ("IsNaN", np.array([1, np.nan, -np.inf], np.float32), {}), ("IsInf", np.array([1, np.nan, -np.inf, np.inf], np.float32), {}),
    ("IsInf", np.array([1, -np.inf, np.inf], np.float32), {"detect_negative": 0}),
    ("IsInf", np.array([1, -np.inf, np.inf], np.float32), {"detect_positive": 0}),
    ("IsInf", np.array([1, -np.inf, np.inf], np.float32), {"detect_positive": 0, "detect_negative": 0}),
    ("Cast", X, {"to": 7}), ("Cast", X, {"to": 9}), ("Cast", INT, {"to": 1}), ("Cast", INT, {"to": 3}), ("Cast", TRUTH, {"to": 1}),
]  # fmt: skip
UNARY_20 = [
    ("Relu", INT, {}), ("HardSwish", X, {}), ("Mish", X, {}), ("Gelu", X, {}), ("Gelu", X, {"approximate": "tanh"}),
    ("BitwiseNot", INT, {}),
    ("BitwiseNot", np.array([0, 255, 7], np.uint8), {}),
]  # fmt: skip
BINARY = [
    ("Add", X, Y), ("Sub", X, Y[0]), ("Mul", X[:, :1], Y), ("Div", X, POSITIVE), ("Pow", POSITIVE, np.float32(1.5)),
    ("Pow", POSITIVE, Y[0, 0] / 9),
    ("PRelu", X, Y), ("PRelu", X, Y[0, 0]), ("PRelu", X, Y[0, :, :1]), ("And", TRUTH, TRUTH[0]), ("Or", TRUTH, TRUTH[0]),
    ("Xor", TRUTH, TRUTH[0]),
    ("Equal", INT, DIVISOR), ("Less", X, Y), ("Greater", X, Y), ("Max", X, Y), ("Min", X, Y), ("Sum", X, Y), ("Mean", X, Y),
    ("Add", INT, DIVISOR), ("Sub", INT, DIVISOR), ("Mul", INT, DIVISOR), ("Div", INT, DIVISOR),
]  # fmt: skip
BINARY_13 = [
    ("Equal", X, X.round()), ("Equal", TRUTH, TRUTH[0]), ("LessOrEqual", X, X.round()), ("GreaterOrEqual", X, X.round()),
    ("Less", INT, DIVISOR),
    ("Mod", INT, DIVISOR), ("Max", INT, DIVISOR), ("Min", INT.astype(np.int64), DIVISOR.astype(np.int64)), ("Pow", INT, np.float32(2)),
    ("Pow", POSITIVE, np.array([[2]], np.int64)), ("Add", X, Y[0, :1]), ("Max", X, Y[0]), ("Mean", X, Y[:1, :1, :1]), ("CastLike", X, INT),
]  # fmt: skip


def check_onnx(
    tmp_path: Path, op: str, arrays: Sequence[np.ndarray], opset: int, constants: Sequence[np.ndarray | None] = (), **attributes: Any
) -> None:
    path = onnx_node(tmp_path, op, arrays, constants, opset=opset, **attributes)
    same(evaluated(path, arrays), ort(path, arrays))


@pytest.mark.parametrize(("opset", "op", "x", "attributes"), [
    *[(opset, *row) for opset in (7, 13, 20) for row in UNARY],
    *[(opset, *row) for opset in (13, 20) for row in UNARY_13],
    *[(20, *row) for row in UNARY_20],
])  # fmt: skip
def test_unary(tmp_path: Path, opset: int, op: str, x: np.ndarray, attributes: dict[str, Any]) -> None:
    if opset == 13 and op == "Celu":
        opset = 12
    check_onnx(tmp_path, op, [x], opset, **attributes)


@pytest.mark.parametrize(("opset", "op", "x", "y"), [
    *[(opset, *row) for opset in (7, 13, 20) for row in BINARY],
    *[(opset, *row) for opset in (16, 20) for row in BINARY_13],
])  # fmt: skip
def test_binary(tmp_path: Path, opset: int, op: str, x: np.ndarray, y: np.ndarray) -> None:
    check_onnx(tmp_path, op, [x, np.asarray(y)], opset)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint32])
@pytest.mark.parametrize("fmod", [0, 1])
def test_mod(tmp_path: Path, dtype: type, fmod: int) -> None:
    a, b = (np.abs(v) if np.dtype(dtype).kind == "u" else v for v in (INT, DIVISOR))
    check_onnx(tmp_path, "Mod", [a.astype(dtype), b.astype(dtype)], 13, fmod=fmod)
    check_onnx(tmp_path, "Mod", [X, DIVISOR.astype(np.float32)], 13, fmod=1)


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint32, np.uint64])
def test_bit_shift(tmp_path: Path, direction: str, dtype: type) -> None:
    check_onnx(tmp_path, "BitShift", [np.array([1, 200, 7, 255], dtype), np.array([1, 3, 0, 7], dtype)], 11, direction=direction)


@pytest.mark.parametrize("op", ["BitwiseAnd", "BitwiseOr", "BitwiseXor"])
def test_bitwise(tmp_path: Path, op: str) -> None:
    check_onnx(tmp_path, op, [INT, DIVISOR], 18)


@pytest.mark.parametrize("op", ["Max", "Min", "Sum", "Mean"])
@pytest.mark.parametrize("opset", [8, 13])
def test_one_and_many_operands(tmp_path: Path, op: str, opset: int) -> None:
    check_onnx(tmp_path, op, [X], opset)
    check_onnx(tmp_path, op, [X, Y[0], X[:, :, :1] * 2, -Y], opset)


LOW, HIGH = np.array(-1.5, np.float32), np.array(2, np.float32)


@pytest.mark.parametrize(("opset", "bounds", "attributes"), [
    (7, [], {"min": -1.5, "max": 2.0}), (10, [], {"max": 2.0}), (7, [], {"min": 0.0}),
    (11, [LOW, HIGH], {}), (13, [LOW], {}), (13, [None, HIGH], {}), (13, [], {}),
])  # fmt: skip
def test_clip(tmp_path: Path, opset: int, bounds: list[np.ndarray | None], attributes: dict[str, float]) -> None:
    check_onnx(tmp_path, "Clip", [X], opset, bounds, **attributes)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_clip_of_integers_without_a_bound(tmp_path: Path, dtype: type) -> None:
    info = np.iinfo(dtype)
    x = np.array([info.min, info.min + 1, 3, info.max - 1, info.max], dtype)
    check_onnx(tmp_path, "Clip", [x], 13, [None, np.array(3, dtype)])
    check_onnx(tmp_path, "Clip", [x], 13, [np.array(3, dtype)])


def test_clip_by_computed_bounds_and_by_bounds_that_cross(tmp_path: Path) -> None:
    check_onnx(tmp_path, "Clip", [X, LOW, HIGH], 13)
    crossed = onnx_node(tmp_path, "Clip", [X], [HIGH, LOW], opset=13)
    same(evaluated(crossed, [X]), [np.full_like(X, LOW)])


@pytest.mark.parametrize("opset", [9, 16])
def test_where(tmp_path: Path, opset: int) -> None:
    check_onnx(tmp_path, "Where", [TRUTH, X, Y], opset)
    check_onnx(tmp_path, "Where", [TRUTH[0], X[:1, :1], Y[:, :, :1]], opset)
    check_onnx(tmp_path, "Where", [TRUTH, X.astype(np.int64), np.array(7)], opset)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 5, 8])
def test_integers_to_constant_powers(tmp_path: Path, exponent: int) -> None:
    small = INT % 8 - 3
    check_onnx(tmp_path, "Pow", [small], 15, [np.array(exponent, np.int32)])
    check_onnx(tmp_path, "Pow", [small], 15, [np.array([[[exponent]]], np.int32)])


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32])
def test_integers_to_computed_powers(tmp_path: Path, dtype: Any) -> None:
    base = np.array([0, 1, 2, 3, 5, 7, 1, 2, 3, -1, -1, -2], np.int64).astype(dtype)
    times = np.array([3, 70, 31, 20, 0, 11, 64, 0, 1, 101, 90, 7], np.int64).astype(dtype)
    path = onnx_node(tmp_path, "Pow", [base, times], opset=15)
    with np.errstate(over="ignore"):
        keep = times < 64 if dtype == np.uint32 else np.ones(12, bool)
        same([evaluated(path, [base, times])[0][keep]], [np.power(base, times)[keep]])


def test_integers_to_negative_powers(tmp_path: Path) -> None:
    base, times = np.array([1, -1, -1, 2, -3], np.int32), np.array([-3, -3, -2, -1, -1], np.int32)
    same(evaluated(onnx_node(tmp_path, "Pow", [base, times], opset=15), [base, times]), [np.array([1, -1, 1, 0, 0], np.int32)])


def test_the_mask_of_a_dropout(tmp_path: Path) -> None:
    model = onnx_model([helper.make_node("Dropout", ["x"], ["y", "mask"])], {"x": (np.float32, X.shape)}, ["y", "mask"], opset=13)
    model.graph.output[1].type.tensor_type.elem_type = 9
    path = write(tmp_path, model)
    same(evaluated(path, [X]), ort(path, [X]))


@pytest.mark.parametrize(("op", "arrays", "constants", "opset", "reason"), [
    ("Dropout", [X], [np.array(0.5, np.float32), np.array(True)], 13, "training_mode"),
    ("Exp", [INT], [], 13, "exp of int32; floats would be accepted"),
])  # fmt: skip
def test_what_is_refused(tmp_path: Path, op: str, arrays: list[np.ndarray], constants: list[np.ndarray], opset: int, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        load(onnx_node(tmp_path, op, arrays, constants, opset=opset))


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "PRelu"])
def test_broadcasting_before_opset_7(tmp_path: Path, op: str) -> None:
    """By `axis` and `broadcast`, in which ONNX Runtime takes no part; slopes of a PRelu are per channel."""
    y = np.array([2, 0.5, -4], np.float32)
    attributes = {} if op == "PRelu" else {"broadcast": 1, "axis": 1}
    numpy = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "PRelu": lambda x, s: np.where(x < 0, x * s, x)}[op]
    same(evaluated(onnx_node(tmp_path, op, [X], [y], opset=6, **attributes), [X]), [numpy(X, y[:, None])])
    if op != "PRelu":
        same(evaluated(onnx_node(tmp_path, op, [X], [POSITIVE[0]], opset=6, broadcast=1), [X]), [numpy(X, POSITIVE[0])])


@pytest.mark.parametrize(("op", "attributes", "expected"), [
    ("ImageScaler", {"scale": 2.0, "bias": [1.0, 2.0, 3.0]}, X * 2 + np.array([[1], [2], [3]], np.float32)),
    ("Affine", {"alpha": 2.0, "beta": 0.5}, X * 2 + 0.5),
])  # fmt: skip
def test_experimental_operators(tmp_path: Path, op: str, attributes: dict[str, Any], expected: np.ndarray) -> None:
    x, expected = (a[..., None] if op == "ImageScaler" else a for a in (X, expected))
    same(evaluated(onnx_node(tmp_path, op, [x], opset=7, **attributes), [x]), [expected])


# -- TFLite


def check_tflite(tmp_path: Path, op: str, arrays: Sequence[np.ndarray], options: dict[str, Any] | None = None, dtype: str = "") -> None:
    """One operator against LiteRT, all operands fed; dtype: of the result, where it is not that of operand 0."""
    m = TfliteWriter()
    tensors = [m.input(f"x{k}", a.shape, a.dtype.name) for k, a in enumerate(arrays)]
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    m.output(m.op(op, tensors, options or {}, shape=shape, dtype=dtype or arrays[0].dtype.name))
    path = write(tmp_path, m)
    same(evaluated(path, arrays), litert(path, arrays))


@pytest.mark.parametrize(("op", "x", "options"), [
    ("RELU", X, {}), ("RELU6", X, {}), ("RELU_N1_TO_1", X, {}), ("RELU_0_TO_1", X, {}), ("LOGISTIC", X, {}), ("TANH", X, {}),
    ("HARD_SWISH", X, {}),
    ("ELU", X, {}), ("LEAKY_RELU", X, {"alpha": 0.3}), ("GELU", X, {}), ("GELU", X, {"approximate": True}), ("NEG", X, {}), ("ABS", X, {}),
    ("SIGN", X, {}), ("EXP", X, {}), ("LOG", POSITIVE, {}), ("SQRT", POSITIVE, {}), ("RSQRT", POSITIVE, {}), ("SQUARE", X, {}),
    ("FLOOR", X, {}),
    ("CEIL", X, {}), ("ROUND", X, {}), ("SIN", X, {}), ("COS", X, {}), ("LOGICAL_NOT", TRUTH, {}), ("NEG", INT, {}), ("ABS", INT, {}),
])  # fmt: skip
def test_tflite_unary(tmp_path: Path, op: str, x: np.ndarray, options: dict[str, Any]) -> None:
    check_tflite(tmp_path, op, [x], options)


COMPARISONS = ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")


@pytest.mark.parametrize(("op", "x", "y"), [
    ("ADD", X, Y), ("SUB", X, Y[0]), ("MUL", X[:, :1], Y), ("DIV", X, POSITIVE), ("POW", POSITIVE, Y / 9), ("PRELU", X, Y[0]),
    ("PRELU", X, Y[0, 0]),
    ("MAXIMUM", X, Y), ("MINIMUM", X, Y[0]), ("SQUARED_DIFFERENCE", X, Y[0]), ("FLOOR_DIV", X, POSITIVE), ("FLOOR_DIV", X, -POSITIVE),
    ("FLOOR_MOD", X, POSITIVE), ("FLOOR_MOD", X, -POSITIVE), ("ATAN2", X, Y), ("LOGICAL_AND", TRUTH, TRUTH[0]),
    ("LOGICAL_OR", TRUTH, TRUTH[0]),
    ("ADD", INT, DIVISOR), ("SUB", INT, DIVISOR), ("MUL", INT, DIVISOR), ("DIV", INT, DIVISOR), ("FLOOR_DIV", INT, DIVISOR),
    ("FLOOR_MOD", INT, DIVISOR), ("MAXIMUM", INT, DIVISOR), ("MINIMUM", INT, DIVISOR), ("SQUARED_DIFFERENCE", INT, DIVISOR),
    ("BITWISE_XOR", INT, DIVISOR), ("RIGHT_SHIFT", INT, DIVISOR), ("RIGHT_SHIFT", INT, 40 * DIVISOR),
    *[(op, X, X.round()) for op in COMPARISONS], *[(op, INT, DIVISOR) for op in COMPARISONS],
])  # fmt: skip
def test_tflite_binary(tmp_path: Path, op: str, x: np.ndarray, y: np.ndarray) -> None:
    check_tflite(tmp_path, op, [x, y], dtype="bool" if op in COMPARISONS else "")


@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])
@pytest.mark.parametrize("op", ["ADD", "SUB", "MUL", "DIV"])
def test_fused_activations(tmp_path: Path, op: str, activation: str) -> None:
    check_tflite(tmp_path, op, [X, POSITIVE], {"fused_activation_function": activation})


def test_fused_tanh_and_what_is_not_fused(tmp_path: Path) -> None:
    m = TfliteWriter()
    x = m.input("x", X.shape, "float32")
    m.output(m.op("ADD", [x, x], {"fused_activation_function": "TANH"}, shape=X.shape))
    same(evaluated(write(tmp_path, m), [X]), [np.tanh(X + X)])
    m = TfliteWriter()
    x = m.input("x", X.shape, "float32")
    m.output(m.op("ADD", [x, x], {"fused_activation_function": "SIGN_BIT"}, shape=X.shape))
    with pytest.raises(UnsupportedError, match="fused activation SIGN_BIT; one of NONE, RELU"):
        load(write(tmp_path, m))


def test_select(tmp_path: Path) -> None:
    check_tflite(tmp_path, "SELECT_V2", [TRUTH, X, Y], dtype="float32")
    check_tflite(tmp_path, "SELECT_V2", [TRUTH[0], X, Y[:, :, :1]], dtype="float32")
    check_tflite(tmp_path, "SELECT", [TRUTH, X, Y], dtype="float32")
    m = TfliteWriter()
    arrays = [np.array([True, False]), X, Y]
    m.output(m.op("SELECT", [m.input(f"x{k}", a.shape, a.dtype.name) for k, a in enumerate(arrays)], shape=X.shape))
    path = write(tmp_path, m)
    same(evaluated(path, arrays), litert(path, arrays))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_add_n(tmp_path: Path, count: int) -> None:
    check_tflite(tmp_path, "ADD_N", [X, Y, -X * 2, Y + 1][:count])


@pytest.mark.parametrize("target", ["float32", "int32", "int64", "uint8", "bool", "int16"])
@pytest.mark.parametrize("x", [np.abs(X), INT % 5, TRUTH], ids=["float32", "int32", "bool"])
def test_cast(tmp_path: Path, x: np.ndarray, target: str) -> None:
    kinds = {"in_data_type": x.dtype.name.upper(), "out_data_type": target.upper()}
    check_tflite(tmp_path, "CAST", [x], kinds, dtype=target)


def test_dequantize_widens(tmp_path: Path) -> None:
    m = TfliteWriter()
    half = X.astype(np.float16)
    wide = m.op("DEQUANTIZE", [m.constant(half)], shape=X.shape)
    m.output(m.op("ADD", [m.input("x", X.shape, "float32"), wide], shape=X.shape))
    path = write(tmp_path, m)
    same(evaluated(path, [Y]), litert(path, [Y]))
