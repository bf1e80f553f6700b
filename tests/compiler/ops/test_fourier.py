"""Fourier transforms, against numpy's, LiteRT's, the standard's cases and, on the device, the products that they become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from planish.compiler.errors import ModelError, UnsupportedError
from planish.compiler.frontend import load
from tests.harness import CPU, GPU, check_graph, floats
from tests.oracles import evaluated, litert, onnx_model, onnx_node, ort, same, standard_case, standard_cases, write
from tests.tflite_writer import TfliteWriter

NOISE = ("test_dft_inverse", "test_dft_inverse_opset19")
"""Cases whose expected numbers hold the rounding errors, beyond 1e-7, of numpy's transform in single precision."""


def pairs(z: np.ndarray) -> np.ndarray:
    return np.stack([z.real, z.imag], -1).astype(np.float32)


@pytest.mark.parametrize("case", [
    pytest.param(c, id=c.name) for c in standard_cases(["dft", "stft", "melweightmatrix"], ["DFT", "STFT", "MelWeightMatrix"])
])  # fmt: skip
def test_standard(tmp_path: Path, case: Any) -> None:
    path, arrays, expected = standard_case(tmp_path, case, 0 if "mel" in case.name else 1)
    for actual, wanted in zip(evaluated(path, arrays), expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-3, atol=1e-6 if case.name in NOISE else 1e-7 + 1e-6 * np.abs(wanted).max())


@pytest.mark.parametrize("inverse", [0, 1])
@pytest.mark.parametrize(("shape", "axis", "length"), [
    ((3, 7, 1), 1, None), ((3, 7, 2), 1, 5), ((3, 7, 2), 1, 11), ((2, 5, 3, 2), 1, None), ((2, 5, 3, 2), -2, None), ((2, 1, 2), 1, None),
    ((2, 600, 2), 1, None), ((4, 1024, 1), 1, None), ((1, 521, 2), 1, None), ((3, 4096, 2), 1, None),
])  # fmt: skip
def test_dft(tmp_path: Path, shape: tuple[int, ...], axis: int, length: int | None, inverse: int) -> None:
    x = floats(shape)
    constants = [np.asarray(length, np.int64) if length else None, np.asarray(axis, np.int64)]
    path = onnx_node(tmp_path, "DFT", x, constants, opset=20, inverse=inverse)
    z = x[0][..., 0] + (1j * x[0][..., 1] if shape[-1] == 2 else 0)
    at = axis if axis >= 0 else axis + 1
    expected = (np.fft.ifft if inverse else np.fft.fft)(z, length, at)
    same(evaluated(path, x), [pairs(expected)], 1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("length", "given"), [(8, 5), (9, 5), (None, 5), (6, 5), (10, 5)])
def test_to_a_real_signal(tmp_path: Path, length: int | None, given: int) -> None:
    x = floats((3, given, 2))
    path = onnx_node(tmp_path, "DFT", x, [np.asarray(length, np.int64)] if length else [], opset=17, inverse=1, onesided=1)
    expected = np.fft.irfft(x[0][..., 0] + 1j * x[0][..., 1], length, 1)[..., None]
    same(evaluated(path, x), [expected.astype(np.float32)])


@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("window", ["none", "constant", "computed"])
def test_stft(tmp_path: Path, window: str, onesided: int) -> None:
    x, weights = floats((2, 50, 1), (16,))
    arrays = [x]
    constants: list[np.ndarray | None] = [np.asarray(6, np.int64), None if window == "none" else weights, np.asarray(16, np.int64)]
    path = onnx_node(tmp_path, "STFT", arrays, constants, opset=17, onesided=onesided)
    expected = ort(path, arrays)
    if window == "computed":
        node = helper.make_node("STFT", ["x", "step", "w"], ["y"], onesided=onesided)
        given = {"x": (np.float32, x.shape), "w": (np.float32, weights.shape)}
        path, arrays = write(tmp_path, onnx_model([node], given, ["y"], {"step": np.asarray(6, np.int64)})), [x, weights]
    same(evaluated(path, arrays), expected, 1e-4)


@pytest.mark.device
@pytest.mark.parametrize("length", [7, 600])
def test_on_the_device(tmp_path: Path, length: int) -> None:
    x = floats((3, length, 2))
    graph = load(onnx_node(tmp_path, "DFT", x, opset=17, inverse=1))
    assert check_graph(graph, dict(zip(graph.inputs, x)), targets=[CPU, GPU], candidates=1, reduction=2 * length) == 2


def rfft2d(x: np.ndarray, size: tuple[int, int], op: str | None) -> TfliteWriter:
    m = TfliteWriter()
    shape = (*x.shape[:-2], size[0], size[1] // 2 + 1)
    y = m.op("RFFT2D", [m.input("x", x.shape, "float32"), m.constant(np.array(size, np.int32))], {}, shape=shape, dtype="complex64")
    if op:
        flat = m.op("RESHAPE", [y, m.constant(np.array([-1, shape[-1]], np.int32))], {}, shape=(x.size, shape[-1]), dtype="complex64")
        y = m.op(op, [flat], {}, shape=(int(np.prod(shape[:-1])), shape[-1]), dtype="float32")
    m.output(y)
    return m


@pytest.mark.parametrize("op", ["REAL", "IMAG", "COMPLEX_ABS"])
@pytest.mark.parametrize(("shape", "size"), [((3, 1, 16), (1, 16)), ((2, 3, 4, 8), (4, 8)), ((2, 5, 20), (8, 16)), ((3, 6), (4, 8))])
def test_rfft2d(tmp_path: Path, shape: tuple[int, ...], size: tuple[int, int], op: str) -> None:
    (x,) = floats(shape)
    model = rfft2d(x, size, op)
    path = write(tmp_path, model)
    same(evaluated(path, [x]), litert(path, [x]), 1e-4)


def test_complex_numbers_elsewhere_are_refused(tmp_path: Path) -> None:
    (x,) = floats((3, 1, 16))
    with pytest.raises(ModelError, match="is complex; real ones would be accepted"):
        load(write(tmp_path, rfft2d(x, (1, 16), None)))
    with pytest.raises(UnsupportedError, match="of complex numbers; only RFFT2D, RESHAPE"):
        load(write(tmp_path, rfft2d(x, (1, 16), "NEG")))


@pytest.mark.parametrize(("shape", "attributes", "reason"), [
    ((2, 3, 2), {"axis": 2}, "any but the last"), ((2, 3, 3), {}, "a last axis of 1 or 2"),
    ((1, 8209, 1), {}, "lengths with small factors"),
])  # fmt: skip
def test_refused(tmp_path: Path, shape: tuple[int, ...], attributes: dict[str, int], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        load(onnx_node(tmp_path, "DFT", floats(shape), opset=17, **attributes))
