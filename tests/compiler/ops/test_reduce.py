"""Reductions: every kernel against the numpy reference, every operator of both formats against their own runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.movement import Slice, Transpose
from planish.compiler.ops.reduce import Reduce
from planish.compiler.ops.resize import Resize2D
from tests.harness import CPU, GPU, Case, check, floats
from tests.oracles import evaluated, litert, onnx_node, ort, same, tflite_node

KERNELS = pytest.mark.device
CASES = [
    # x, op
    ((), Reduce("sum", ())),
    ((17,), Reduce("max", (0,), keepdims=True)),
    ((3, 5), Reduce("sum", (0,))),
    ((3, 33), Reduce("min", (1,))),
    ((2, 3, 5), Reduce("mean", (1,), keepdims=True)),
    ((3, 1, 17), Reduce("prod", (0, 2))),
    ((2, 7, 5, 17), Reduce("sum", (1, 3), keepdims=True)),
    ((1, 9, 7, 33), Reduce("mean", (1, 2))),
    ((2, 3, 4, 5), Reduce("max", (0, 1, 2, 3))),
    ((2, 3, 2, 5, 3), Reduce("sum", (1, 3))),
    ((2, 1, 3, 2, 4, 5), Reduce("mean", (0, 2, 5), keepdims=True)),
    ((4, 3, 2), Reduce("sum", ())),
    ((5, 3000), Reduce("sum", (1,))),
    ((2000, 6), Reduce("mean", (0,))),
    ((2000, 6), Reduce("mean", (0,), ordered=True)),
    ((2, 7, 5, 17), Reduce("sum", (1, 3), keepdims=True, ordered=True)),
    ((5, 3000), Reduce("sum", (1,), ordered=True)),
]


def length(x: tuple[int, ...], op: Reduce) -> int:
    return int(np.prod([x[a] for a in op.axes], dtype=np.int64))


@KERNELS
@pytest.mark.parametrize(("x", "op"), CASES)
def test_every_candidate(x: tuple[int, ...], op: Reduce) -> None:
    assert check(Case(op, floats(x), framed=False), reduction=length(x, op)) >= 3


BLOCKED = [
    ((1, 6, 5, 17), Reduce("sum", (1, 2), keepdims=True)),
    ((3, 4, 5, 20), Reduce("max", (3,), keepdims=True)),
    ((2, 6, 3, 5), Reduce("mean", (0, 3), keepdims=True)),
    ((1, 6, 5, 17), Reduce("prod", (2,), keepdims=True)),
    ((2, 3, 5, 17), Reduce("sum", (1, 3))),
    ((3, 2, 2, 1), Reduce("min", (3,), keepdims=True)),
]


@KERNELS
@pytest.mark.parametrize(("x", "op"), BLOCKED)
def test_blocked_channels(x: tuple[int, ...], op: Reduce) -> None:
    """Behind an op on images the operand lies in blocks of channels, and a result of rank 4 too."""
    blocks = Resize2D(x[1:3], "nearest", (1.0, 1.0))
    assert check(Case(op, floats(x), before=(blocks,)), reduction=length(x, op), candidates=2) >= 3


@KERNELS
@pytest.mark.parametrize("axes", [(0,), (2,), (1, 2)])
@pytest.mark.parametrize("before", [Slice((1, 2, 0), (3, 5, 6), (2, 1, 3)), Transpose((2, 0, 1))], ids=repr)
def test_reads_a_view(before: Any, axes: tuple[int, ...]) -> None:
    case = Case(Reduce("sum", axes), floats((7, 9, 18)), before=(before,), framed=False)
    assert check(case, targets=[CPU, GPU], candidates=1) == 2


@KERNELS
@pytest.mark.parametrize(("x", "op"), [CASES[6], CASES[7], BLOCKED[1]])
def test_half_precision(x: tuple[int, ...], op: Reduce) -> None:
    (values,) = floats(x)
    halves = values.astype(np.float16).astype(np.float32)
    assert check(Case(op, [halves]), precision="f16", reduction=length(x, op), candidates=2) >= 3


@KERNELS
@pytest.mark.parametrize(("x", "op"), [CASES[3], CASES[7], BLOCKED[0]])
@pytest.mark.parametrize("framed", [True, False])
def test_epilogue(x: tuple[int, ...], op: Reduce, framed: bool) -> None:
    shape = op.infer(TensorType(x, np.dtype(np.float32)))[0].shape
    scale, residual = floats(shape[-1:], shape, seed=1)
    steps = (Step(Elementwise("mul"), (0, "scale")), Step(Elementwise("add"), ("residual", 1)), Step(Elementwise("exp"), (2,)))
    extra = (("scale", scale, True), ("residual", residual, False))
    case = Case(op, floats(x), epilogue=steps, extra=extra, framed=framed)
    assert check(case, targets=[CPU, GPU], reduction=length(x, op), candidates=1) == 2


@KERNELS
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint32"])
@pytest.mark.parametrize("kind", ["max", "min", "sum"])
def test_integers(kind: Any, dtype: str) -> None:
    rng, info = np.random.default_rng(0), np.iinfo(dtype)
    x = rng.integers(info.min if kind != "sum" else 0, info.max if kind != "sum" else 9, (3, 5, 6), dtype, endpoint=True)
    assert check(Case(Reduce(kind, (1,)), [x]), targets=[GPU], candidates=1) == 1
    assert check(Case(Reduce(kind, (0, 2)), [x]), targets=[CPU], candidates=1) == 1


@KERNELS
@pytest.mark.parametrize("kind", ["any", "all"])
@pytest.mark.parametrize("axes", [(1,), (0, 2)])
def test_truth(kind: Any, axes: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).random((3, 4, 5)) < (0.2 if kind == "any" else 0.8)
    assert check(Case(Reduce(kind, axes), [x])) >= 3


@KERNELS
@pytest.mark.parametrize("kind", ["max", "min", "sum"])
@pytest.mark.parametrize("axes", [(0,), (1,)])
def test_what_is_no_number_stays(kind: Any, axes: tuple[int, ...]) -> None:
    (x,) = floats((4, 33))
    x[1, 20], x[2, 5], x[3, 7] = np.nan, np.inf, -np.inf
    assert check(Case(Reduce(kind, axes), [x], framed=False), targets=[CPU, GPU]) >= 2


@KERNELS
@pytest.mark.parametrize("kind", ["sum", "prod", "max", "min", "mean"])
def test_of_nothing(kind: Any) -> None:
    """What combines with everything: 0, 1, infinities; the mean of nothing is no number."""
    case = Case(Reduce(kind, (1,)), floats((3, 4)), before=(Slice((0, 0), (3, 0), (1, 1)),), framed=False)
    assert check(case, targets=[CPU], candidates=1) == 1


def test_refused_types() -> None:
    x = TensorType((2, 0), np.dtype(np.int32))
    with pytest.raises(GraphError, match="has no axes"):
        Reduce("sum", (2,)).infer(x)
    with pytest.raises(GraphError, match="any needs truth values"):
        Reduce("any", (0,)).infer(x)
    with pytest.raises(GraphError, match="mean of no integers"):
        Reduce("mean", (1,)).infer(x)


# -- importers

ONNX = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
        "ReduceSumSquare", "ReduceLogSumExp"]  # fmt: skip


def check_onnx(tmp_path: Path, op: str, x: np.ndarray, opset: int, axes: list[int] | None, **attributes: int) -> None:
    """Axes are an operand since opset 18, of ReduceSum since 13."""
    operand = opset >= (13 if op == "ReduceSum" else 18)
    constants = [np.array(axes, np.int64)] if operand and axes is not None else []
    if not operand and axes is not None:
        attributes = {**attributes, "axes": axes}  # type: ignore[dict-item]
    path = onnx_node(tmp_path, op, [x], constants, opset=opset, **attributes)
    same(evaluated(path, [x]), ort(path, [x]))


@pytest.mark.parametrize("op", ONNX)
@pytest.mark.parametrize("opset", [7, 13, 18])
@pytest.mark.parametrize(("axes", "keepdims"), [([1], 1), ([-1, 0], 0), ([2, 1, 3], 1), (None, 0), (None, 1)])
def test_onnx(tmp_path: Path, op: str, opset: int, axes: list[int] | None, keepdims: int) -> None:
    if opset < 11 and axes == [-1, 0]:
        axes = [3, 0]
    check_onnx(tmp_path, op, np.random.default_rng(0).random((2, 3, 4, 5), np.float32), opset, axes, keepdims=keepdims)


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMax", "ReduceL2", "ReduceLogSum"])
@pytest.mark.parametrize("axes", [[], None])
@pytest.mark.parametrize("empty", [0, 1])
def test_onnx_without_axes(tmp_path: Path, op: str, axes: list[int] | None, empty: int) -> None:
    check_onnx(tmp_path, op, np.random.default_rng(0).random((2, 3), np.float32), 18, axes, noop_with_empty_axes=empty)


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceSumSquare"])
@pytest.mark.parametrize("opset", [13, 20])
def test_onnx_integers(tmp_path: Path, op: str, opset: int) -> None:
    check_onnx(tmp_path, op, np.random.default_rng(0).integers(-5, 6, (3, 4), np.int32), opset, [1])


@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin"])
def test_onnx_truth(tmp_path: Path, op: str) -> None:
    check_onnx(tmp_path, op, np.array([[True, False], [True, True], [False, False]]), 20, [1])


@pytest.mark.parametrize("op", ["ReduceLogSumExp", "ReduceL2"])
def test_onnx_does_not_overflow(tmp_path: Path, op: str) -> None:
    check_onnx(tmp_path, op, np.array([[200.0, 201.0], [-np.inf, -np.inf], [-200.0, -np.inf]], np.float32), 18, [1])


def test_onnx_refused(tmp_path: Path) -> None:
    (x,) = floats((2, 3))
    with pytest.raises(UnsupportedError, match=r"operand 1 \(axes\) is computed at run time; it must be constant"):
        load(onnx_node(tmp_path, "ReduceSum", [x, np.array([1])]))


@pytest.mark.parametrize("op", ["SUM", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"])
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("axes", [[1], [0, -1], [1, 2], [0, 1, 2, 3], [2, -2]])
def test_tflite(tmp_path: Path, op: str, axes: list[int], keep: bool) -> None:
    path, x = tflite_node(tmp_path, op, [*floats((2, 3, 4, 5)), axes], {"keep_dims": keep})
    same(evaluated(path, x), litert(path, x))


@pytest.mark.parametrize("op", ["REDUCE_ANY", "REDUCE_ALL"])
def test_tflite_truth(tmp_path: Path, op: str) -> None:
    x = np.array([[True, False], [True, True], [False, False]])
    path, _ = tflite_node(tmp_path, op, [x, [1]], {}, dtype="bool")
    same(evaluated(path, [x]), litert(path, [x]))


def test_order_under_a_transpose() -> None:
    """A transpose in front of a sum moves behind it where elements follow one another as before."""
    op = Reduce("sum", (1, 2), ordered=True)
    assert op.permuted((1, 0, 2), ()) == (Reduce("sum", (0, 2), ordered=True), (0,))
    assert op.permuted((0, 2, 1), ()) is None
