"""Softmax: every kernel against the numpy reference, every option of both formats against their own runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.movement import Slice, Transpose
from planish.compiler.ops.resize import Resize2D
from planish.compiler.ops.softmax import Softmax
from tests.harness import CPU, GPU, Case, check, floats
from tests.oracles import evaluated, litert, onnx_node, ort, same, tflite_node

KERNELS = pytest.mark.device
CASES = [
    # x, op
    ((1,), Softmax(0)),
    ((17,), Softmax(0, log=True)),
    ((3, 1001), Softmax(1)),
    ((5, 3), Softmax(0, log=True)),
    ((2, 33, 17), Softmax(1)),
    ((3, 4, 5), Softmax(2)),
    ((1, 5, 3, 4), Softmax(1)),
    ((3, 2, 4, 16), Softmax(3)),
    ((2, 3, 1, 4, 5), Softmax(2)),
    ((2, 1, 3, 2, 2, 7), Softmax(4, log=True)),
]


@KERNELS
@pytest.mark.parametrize(("x", "op"), CASES)
def test_every_candidate(x: tuple[int, ...], op: Softmax) -> None:
    assert check(Case(op, floats(x), framed=False)) >= 3


@KERNELS
@pytest.mark.parametrize("axis", range(4))
def test_behind_blocked_channels(axis: int) -> None:
    blocks = Resize2D((4, 5), "nearest", (1.0, 1.0))
    assert check(Case(Softmax(axis), floats((3, 4, 5, 17)), before=(blocks,)), candidates=1) == 3


@KERNELS
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("before", [Slice((1, 2, 0), (3, 5, 6), (2, 1, 3)), Transpose((2, 0, 1))], ids=repr)
def test_reads_a_view(before: Any, axis: int) -> None:
    case = Case(Softmax(axis), floats((7, 9, 18)), before=(before,), framed=False)
    assert check(case, targets=[CPU, GPU], candidates=1) == 2


@KERNELS
@pytest.mark.parametrize(("x", "op"), [CASES[3], CASES[5]])
def test_half_precision(x: tuple[int, ...], op: Softmax) -> None:
    (values,) = floats(x)
    assert check(Case(op, [values.astype(np.float16).astype(np.float32)]), precision="f16", candidates=2) >= 3


@KERNELS
@pytest.mark.parametrize(("x", "op"), [CASES[4], CASES[5]])
def test_epilogue(x: tuple[int, ...], op: Softmax) -> None:
    scale, residual = floats(x[-1:], x, seed=1)
    steps = (Step(Elementwise("mul"), (0, "scale")), Step(Elementwise("add"), ("residual", 1)), Step(Elementwise("tanh"), (2,)))
    extra = (("scale", scale, True), ("residual", residual, False))
    assert check(Case(op, floats(x), epilogue=steps, extra=extra), candidates=2) >= 3


@KERNELS
@pytest.mark.parametrize("op", [Softmax(1), Softmax(1, log=True), Softmax(0)])
def test_large_and_masked(op: Softmax) -> None:
    """Shifted by the maximum nothing overflows; -inf is a weight of zero, and a row of it alone has none."""
    (x,) = floats((19, 19))
    x[0] += 1e4
    x[1, 3:], x[2] = -np.inf, -np.inf
    x[3, 2] = np.nan
    with np.errstate(all="ignore"):
        assert check(Case(op, [x], framed=False), targets=[CPU, GPU]) >= 2


# -- importers


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("opset", [7, 11, 13, 22])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, 3, -1, -2])
def test_onnx(tmp_path: Path, op: str, opset: int, axis: int | None) -> None:
    if opset < 11 and axis is not None:
        axis %= 4
    x = floats((2, 3, 4, 5))
    path = onnx_node(tmp_path, op, x, opset=opset, **({} if axis is None else {"axis": axis}))
    same(evaluated(path, x), ort(path, x))


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("shape", [(5,), (2, 7, 1, 1), (1, 1)])
def test_onnx_shapes(tmp_path: Path, shape: tuple[int, ...], opset: int) -> None:
    x = floats(shape)
    path = onnx_node(tmp_path, "Softmax", x, opset=opset, axis=min(len(shape) - 1, 1))
    same(evaluated(path, x), ort(path, x))


def test_onnx_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="has no axis 3"):
        load(onnx_node(tmp_path, "Softmax", floats((2, 3)), axis=3))
    with pytest.raises(UnsupportedError, match="floats would be accepted"):
        load(onnx_node(tmp_path, "Softmax", [np.zeros((2, 3), np.int32)]))


@pytest.mark.parametrize("beta", [1.0, 0.5])
@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 4), (1, 2, 3, 5)])
def test_tflite(tmp_path: Path, shape: tuple[int, ...], beta: float) -> None:
    path, x = tflite_node(tmp_path, "SOFTMAX", floats(shape), {"beta": beta})
    same(evaluated(path, x), litert(path, x))


@pytest.mark.parametrize("shape", [(3, 5), (1, 2, 3, 5)])
def test_tflite_logarithm(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path, x = tflite_node(tmp_path, "LOG_SOFTMAX", floats(shape), {})
    same(evaluated(path, x), litert(path, x))
