"""Bits taken as another type: the kernels and both formats' operators, against numpy, the standard's cases and LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.bitcast import BitCast, Reinterpret
from planish.compiler.ops.elementwise import Cast, Elementwise
from planish.compiler.ops.movement import Slice, Transpose
from tests.harness import CPU, GPU, Case, check, floats
from tests.oracles import evaluated, litert, onnx_node, same, standard_case, standard_cases, write
from tests.tflite_writer import TfliteWriter

KERNELS = pytest.mark.device
RNG = np.random.default_rng(0)
NEGATED = (Step(Elementwise("neg"), (0,)),)


def bits(dtype: Any, *shape: int) -> np.ndarray:
    """Any bits that are finite numbers, both positive and negative."""
    numbers = RNG.normal(0, 100, shape)
    return numbers.astype(dtype) if np.dtype(dtype).kind == "f" else RNG.integers(-100, 100, shape).astype(dtype)


@KERNELS
@pytest.mark.parametrize("case", [
    Case(BitCast(np.dtype(np.int64)), [bits(np.float64, 3, 5)], framed=False),
    Case(BitCast(np.dtype(np.float64)), [bits(np.float64, 17).view(np.int64)], framed=False),
    Case(BitCast(np.dtype(np.int16)), [bits(np.float16, 2, 3, 5)], framed=False),
    Case(BitCast(np.dtype(np.float16)), [bits(np.float16, 3, 7).view(np.uint16)], framed=False),
    Case(BitCast(np.dtype(np.int32)), [bits(np.int8, 3, 5, 4)], framed=False),
    Case(BitCast(np.dtype(np.uint8)), [bits(np.int64, 3, 5)], framed=False),
    Case(BitCast(np.dtype(np.int16)), [bits(np.int32)], framed=False),
    Case(BitCast(np.dtype(np.float16)), [bits(np.float16, 3, 5, 2).view(np.int32)[..., 0]], epilogue=NEGATED, framed=False),
    Case(BitCast(np.dtype(np.int64)), [bits(np.int32, 3, 2)], epilogue=NEGATED, framed=False),
    Case(BitCast(np.dtype(np.float64)), [bits(np.float64, 7).view(np.int64)], epilogue=NEGATED, framed=False),
    Case(BitCast(np.dtype(np.int64)), [bits(np.float64, 7)], epilogue=(Step(Cast(np.dtype(np.float32)), (0,)),), framed=False),
    Case(BitCast(np.dtype(np.float16)), [bits(np.float16, 7).view(np.int16)], epilogue=(Step(Cast(np.dtype(np.int32)), (0,)),),
         framed=False),
], ids=lambda c: f"{c.operands[0].dtype}->{c.op.dtype}{' epilogue' if c.epilogue else ''}")  # fmt: skip
def test_in_memory(case: Case) -> None:
    assert check(case, targets=[CPU, GPU]) == 2


CUT, TURNED = Slice((1, 2, 0), (3, 5, 4), (2, 1, 1)), Transpose((2, 0, 1))


@KERNELS
@pytest.mark.parametrize(("shape", "before", "dtype"), [
    ((7, 9, 4), (CUT,), np.int16), ((9, 2, 7), (TURNED,), np.int16), ((7, 9, 4), (CUT, Slice((0, 0, 0), (3, 5, 2), (1, 1, 1))), np.int64),
    ((9, 2, 7), (TURNED,), np.int64),
], ids=str)  # fmt: skip
def test_reads_a_view(shape: tuple[int, ...], before: Any, dtype: Any) -> None:
    assert check(Case(BitCast(np.dtype(dtype)), [bits(np.int32, *shape)], before=before, framed=False), targets=[CPU, GPU]) == 2


@KERNELS
@pytest.mark.parametrize("precision", ["f32", "f16"])
@pytest.mark.parametrize(("x", "dtype"), [
    (floats((3, 5, 17))[0], np.int32), (floats((7, 33))[0].view(np.uint32), np.float32), (bits(np.int32, 5), np.uint32),
])  # fmt: skip
def test_in_registers(x: np.ndarray, dtype: Any, precision: str) -> None:
    assert check(Case(Reinterpret(np.dtype(dtype)), [x], framed=False), precision=precision) >= 3


def test_unfit() -> None:
    with pytest.raises(GraphError, match="32 bits"):
        Reinterpret(np.dtype(np.int64)).infer(TensorType((3,), np.dtype(np.float32)))
    with pytest.raises(GraphError, match="the 4 parts of int32"):
        BitCast(np.dtype(np.int32)).infer(TensorType((3,), np.dtype(np.int8)))


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in standard_cases(["bitcast"], ["BitCast"])])
def test_standard(tmp_path: Path, case: Any) -> None:
    path, arrays, expected = standard_case(tmp_path, case, 1)
    same(evaluated(path, arrays), expected)


def test_other_widths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="of the same width"):
        load(onnx_node(tmp_path, "BitCast", floats((3,)), opset=26, to=7))


@pytest.mark.parametrize(("x", "dtype", "shape"), [
    (floats((2, 3))[0], "int32", (2, 3)), (bits(np.int32, 4), "float32", (4,)), (bits(np.int8, 2, 3, 4), "float32", (2, 3)),
    (floats((2, 3))[0], "uint8", (2, 3, 4)), (bits(np.int16, 3, 2), "uint32", (3,)), (bits(np.uint8, 5), "int8", (5,)),
])  # fmt: skip
def test_tflite(tmp_path: Path, x: np.ndarray, dtype: str, shape: tuple[int, ...]) -> None:
    m = TfliteWriter()
    m.output(m.op("BITCAST", [m.input("x", x.shape, x.dtype.name)], {}, shape=shape, dtype=dtype))
    path = write(tmp_path, m)
    (actual,), (expected,) = evaluated(path, [x]), litert(path, [x])
    assert actual.shape == expected.shape and actual.tobytes() == expected.tobytes()
