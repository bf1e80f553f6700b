"""Quantised operators on the device: as the standard's cases and ONNX Runtime have them, to the last bit where they are integers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper

from planish.compiler import onnx_backend
from planish.compiler.errors import Unsupported
from planish.compiler.ops.quantized_onnx import _digits
from tests.conformance.onnx_suite import cases, run
from tests.oracles import onnx_model, ort, write

pytestmark = pytest.mark.device
RNG = np.random.default_rng(0)
OPERATORS = ("quantizelinear", "dequantizelinear", "dynamicquantizelinear", "qlinear", "matmulinteger", "convinteger")
STANDARD = [name for name in cases() if name.removeprefix("test_").startswith(OPERATORS)]
F32, F16 = np.float32, np.float16


@pytest.mark.parametrize("name", STANDARD)
def test_standard(name: str) -> None:
    outcome = run(name)
    assert outcome.status == "passed", outcome


def bytes_of(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    """Integers of 8 or 16 bits, the ends among them."""
    info = np.iinfo(dtype)
    array = RNG.integers(info.min, info.max, shape, dtype, endpoint=True)
    array.flat[:2] = info.min, info.max
    return array


def scales(*shape: int, dtype: Any = F32) -> np.ndarray:
    return RNG.uniform(0.01, 0.1, shape).astype(dtype)


def one(scale: float = 0.05, zero: int = 120, dtype: Any = np.uint8) -> list[np.ndarray]:
    """A scale and a zero point."""
    return [np.asarray(F32(scale)), np.asarray(dtype(zero))]


def check(folder: Path, op: str, operands: Sequence[np.ndarray | None], constants: Sequence[int] = (), *, version: int = 21, off: int = 0,
          outputs: int = 1, **attributes: Any) -> None:
    """Holds a node against ONNX Runtime; stored integers may be `off` by so much, reals by a part in 1e5."""
    domain, _, name = op.rpartition("::")
    names = [f"x{k}" if a is not None else "" for k, a in enumerate(operands)]
    results = [f"y{k}" for k in range(outputs)]
    fed = {f"x{k}": a for k, a in enumerate(operands) if a is not None and k not in constants}
    held = {f"x{k}": a for k, a in enumerate(operands) if a is not None and k in constants}
    node = helper.make_node(name, names, results, domain=domain, **attributes)
    model = onnx_model([node], {k: (a.dtype, a.shape) for k, a in fed.items()}, results, held, version)
    for info in model.graph.output:
        info.ClearField("type")
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    expected = ort(write(folder, model), list(fed.values()))
    for a, b in zip(onnx_backend.run_model(model, list(fed.values())), expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        if b.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
        else:
            assert np.abs(a.astype(np.int64) - b).max(initial=0) <= off, (a, b)


X = np.concatenate([np.arange(-40, 40) / 2, RNG.normal(0, 300, 40)]).astype(F32).reshape(2, 5, 12)
"""With a scale of 1 a third of it lies between two integers."""


@pytest.mark.parametrize(
    ("scale", "zero", "attributes"),
    [
        (F32(1), np.uint8(3), {}), (F32(0.5), np.int8(-1), {}), (F32(0.003), np.uint16(300), {}), (F32(0.1), np.int16(5), {}),
        (scales(5), bytes_of(5), {"axis": 1}), (scales(12), bytes_of(12, dtype=np.int8), {"axis": -1}), (scales(2), None, {"axis": 0}),
        (scales(2, 5, 3), bytes_of(2, 5, 3), {"axis": 2, "block_size": 4}), (scales(2, 2, 12), None, {"axis": 1, "block_size": 3}),
        (F32(0.7), None, {"output_dtype": TensorProto.INT16}),
    ],
)  # fmt: skip
def test_quantize(tmp_path: Path, scale: np.ndarray, zero: np.ndarray | None, attributes: dict[str, Any]) -> None:
    """Scales and zero points are constants, or, where there are several, computed."""
    operands = [X, np.asarray(scale), None if zero is None else np.asarray(zero)]
    check(tmp_path, "QuantizeLinear", operands, (1, 2) if np.ndim(scale) == 0 else (), **attributes)


def test_quantize_of_halves(tmp_path: Path) -> None:
    check(tmp_path, "QuantizeLinear", [X.astype(F16), np.asarray(F16(0.5)), np.asarray(np.uint8(9))], (1, 2))


@pytest.mark.parametrize(
    ("x", "scale", "zero", "attributes"),
    [
        (bytes_of(2, 5, 12), F32(0.3), np.uint8(7), {}), (bytes_of(2, 5, 12, dtype=np.int8), scales(5), bytes_of(5, dtype=np.int8), {}),
        (bytes_of(9, dtype=np.uint16), F32(0.01), np.uint16(30000), {}), (bytes_of(9, dtype=np.int32), F32(0.01), None, {}),
        (bytes_of(3, 10, dtype=np.int8), scales(3, 3), bytes_of(3, 3, dtype=np.int8), {"axis": 1, "block_size": 4}),
        (bytes_of(3, 10), scales(10, dtype=F16), bytes_of(10), {"axis": 1}),
    ],
)  # fmt: skip
def test_dequantize(tmp_path: Path, x: np.ndarray, scale: np.ndarray, zero: np.ndarray | None, attributes: dict[str, Any]) -> None:
    check(tmp_path, "DequantizeLinear", [x, np.asarray(scale), None if zero is None else np.asarray(zero)], (1, 2), **attributes)


@pytest.mark.parametrize("dtype", [ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2])
def test_weights_of_few_bits(tmp_path: Path, dtype: Any) -> None:
    """Stored as constants, made real in blocks."""
    w = RNG.integers(0, 8, (6, 10)).astype(dtype)
    blocked = "int" in np.dtype(dtype).name
    scale, attributes = (scales(6, 3), {"axis": 1, "block_size": 4}) if blocked else (scales(6), {"axis": 0})
    check(tmp_path, "DequantizeLinear", [w, scale], (0, 1), **attributes)


def test_dynamic(tmp_path: Path) -> None:
    check(tmp_path, "DynamicQuantizeLinear", [X], outputs=3)


@pytest.mark.parametrize(
    ("x", "w", "zeros", "attributes"),
    [
        (bytes_of(2, 5, 7, 9), bytes_of(4, 5, 3, 3), (np.uint8(120), np.uint8(130)), {"pads": [1, 1, 1, 1]}),
        (bytes_of(1, 6, 8, 8, dtype=np.uint8), bytes_of(4, 3, 3, 2), (np.uint8(3), None), {"group": 2, "strides": [2, 1]}),
        (bytes_of(1, 300, 5, 5), bytes_of(3, 300, 3, 3), (np.uint8(128), np.uint8(0)), {"dilations": [2, 2]}),
        (bytes_of(2, 3, 17), bytes_of(5, 3, 4), (np.uint8(255), np.uint8(9)), {"auto_pad": "SAME_UPPER"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("constant", [False, True])
def test_conv_integer(tmp_path: Path, x: np.ndarray, w: np.ndarray, zeros: Any, attributes: dict[str, Any], constant: bool) -> None:
    operands = [x, w, *(None if z is None else np.asarray(z) for z in zeros)]
    check(tmp_path, "ConvInteger", operands, (1, 2, 3) if constant else (), version=10, **attributes)


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_qlinear_conv(tmp_path: Path, each: bool, dtype: Any) -> None:
    """With scales of the whole weights, or of each output channel, and a bias."""
    x, w, zero = bytes_of(2, 5, 7, 9, dtype=dtype), bytes_of(6, 5, 3, 3, dtype=np.int8), np.asarray(bytes_of(4, dtype=dtype)[3])
    w_scale, w_zero = (scales(6), np.zeros(6, np.int8)) if each else (F32(0.02), np.asarray(np.int8(0)))
    bias = RNG.integers(-5000, 5000, 6, np.int32)
    operands = [x, F32(0.05), zero, w, np.asarray(w_scale), w_zero, F32(1.7), zero, bias]
    check(tmp_path, "QLinearConv", [np.asarray(a) for a in operands], range(1, 9), version=10, pads=[1, 0, 1, 2])


@pytest.mark.parametrize("shapes", [((7, 5), (5, 9)), ((2, 3, 600), (600, 17)), ((4, 5), (5,)), ((2, 4, 5), (2, 5, 3))])
@pytest.mark.parametrize("constant", [False, True])
def test_matmul_integer(tmp_path: Path, shapes: Any, constant: bool) -> None:
    a, b = (bytes_of(*s) for s in shapes)
    check(tmp_path, "MatMulInteger", [a, b, np.asarray(np.uint8(12)), np.asarray(np.uint8(99))], (1, 2, 3) if constant else (), version=10)


def test_matmul_integer_of_columns(tmp_path: Path) -> None:
    check(tmp_path, "MatMulInteger", [bytes_of(7, 5), bytes_of(5, 9, dtype=np.int8), np.asarray(np.uint8(3)), bytes_of(9, dtype=np.int8)],
          (1, 3), version=10)


def test_qlinear_matmul(tmp_path: Path) -> None:
    a, b = bytes_of(2, 7, 40), bytes_of(40, 9, dtype=np.int8)
    check(tmp_path, "QLinearMatMul", [a, *one(0.01, 128), b, scales(9), np.zeros(9, np.int8), *one(0.9, 77)], (3, 4, 5))


@pytest.mark.parametrize("dtype", [ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2])
def test_qlinear_matmul_of_floats(dtype: Any) -> None:
    """Of 8 bits, of which neither ONNX Runtime nor the standard's reference has a product."""
    a, b, zero = RNG.normal(0, 3, (7, 40)).astype(dtype), RNG.normal(0, 3, (40, 9)).astype(dtype), np.zeros((), dtype)
    fed = {"a": a, "sa": F32(0.5), "za": zero, "b": b, "sb": F32(2.0), "zb": zero, "sy": F32(4.0), "zy": zero}
    arrays = {name: np.asarray(array) for name, array in fed.items()}
    node = helper.make_node("QLinearMatMul", [*fed], ["y"])
    model = onnx_model([node], {k: (v.dtype, v.shape) for k, v in arrays.items()}, ["y"], {}, 21)
    model.graph.output[0].ClearField("type")
    (y,) = onnx_backend.run_model(model, arrays)
    expected = (a.astype(np.float64) @ b.astype(np.float64) / 4).astype(F32).astype(dtype)
    np.testing.assert_array_equal(y.view(np.uint8), expected.view(np.uint8))


BIAS = RNG.integers(-99, 99, 5, np.int32)


@pytest.mark.parametrize(
    ("op", "operands", "attributes"),
    [
        ("com.microsoft::QLinearAdd", [bytes_of(2, 5, 7), *one(), bytes_of(5, 1), *one(0.1, 9), *one(0.13)], {}),
        ("com.microsoft::QLinearMul", [bytes_of(2, 5, 7), *one(), bytes_of(7), *one(0.1, 9), *one(0.4)], {}),
        ("com.microsoft::QLinearSigmoid", [bytes_of(3, 17), *one(), *one(1 / 256, 0)], {}),
        ("com.microsoft::QLinearLeakyRelu", [bytes_of(3, 17), *one(), *one(0.06, 20)], {"alpha": 0.2}),
        ("com.microsoft::QLinearAveragePool", [bytes_of(2, 3, 8, 9), *one(), *one(0.04)],
         {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}),
        ("com.microsoft::QLinearAveragePool", [bytes_of(2, 8, 9, 3), *one(), *one(0.04)], {"kernel_shape": [2, 2], "channels_last": 1}),
        ("com.microsoft::QLinearGlobalAveragePool", [bytes_of(2, 3, 8, 9), *one(), *one(0.004)], {}),
        ("com.microsoft::QLinearSoftmax", [bytes_of(4, 21), *one(), *one(1 / 256, 0)], {"axis": -1, "opset": 13}),
        ("com.microsoft::QLinearConcat", [*one(0.1), bytes_of(2, 3), *one(), bytes_of(2, 5), *one(0.09, 5)], {"axis": 1}),
        ("com.microsoft::QLinearWhere", [RNG.random((4, 5)) < 0.5, bytes_of(4, 5), *one(), bytes_of(4, 5), *one(0.09, 5), *one(0.1)], {}),
        ("com.microsoft::QLinearConv", [bytes_of(1, 6, 7, 5), *one(), bytes_of(4, 5, 3, 3), *one(), *one(2.0), BIAS[:4]],
         {"channels_last": 1}),
        ("com.microsoft::QGemm", [bytes_of(4, 30), *one(), bytes_of(5, 30, dtype=np.int8), *one(0.02, 0, np.int8), BIAS, *one(1.2)],
         {"transB": 1}),
        ("com.microsoft::QGemm", [bytes_of(30, 4), *one(), bytes_of(30, 5), *one(0.02), None], {"transA": 1, "alpha": 0.5}),
        ("com.microsoft::MatMulIntegerToFloat", [bytes_of(4, 30), bytes_of(30, 5), F32(0.1), scales(5), np.uint8(3), bytes_of(5),
                                                 scales(5)], {}),
        ("com.microsoft::QuantizeLinear", [X, *one()], {}),
        ("com.microsoft::DequantizeLinear", [bytes_of(3, 7), *one()], {}),
    ],
)  # fmt: skip
def test_operators_of_onnx_runtime(tmp_path: Path, op: str, operands: list[Any], attributes: dict[str, Any]) -> None:
    arrays = [None if a is None else np.asarray(a) for a in operands]
    held = {"QGemm": (3, 6), "QLinearConv": (3, 8)}.get(op.removeprefix("com.microsoft::"), ())
    constants = [k for k, a in enumerate(arrays) if a is not None and (a.size == 1 or k in held)]
    check(tmp_path, op, arrays, constants, off=1 if "Pool" in op or "Softmax" in op else 0, **attributes)


def test_digits_add_up() -> None:
    """Long sums are cut into parts of few bits; beyond 65793 weights of the greatest size there is no exact way in float32."""
    for count, extreme in ((200, 255), (5000, 255), (20000, 127), (60000, 255)):
        w = np.full((2, count), extreme, np.int32)
        w[1] = -RNG.integers(0, extreme, count)
        parts = list(_digits(w, (1,)))
        np.testing.assert_array_equal(sum(f * p for f, p in parts), w)
        assert all(255 * np.abs(p).sum(1).max() < 1 << 24 for _, p in parts)
    with pytest.raises(Unsupported, match="products of integers"):
        list(_digits(np.ones((1, 1 << 17), np.int32), (1,)))
