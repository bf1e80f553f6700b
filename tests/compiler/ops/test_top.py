"""The best elements along an axis: kernels against the references, references against the standard and both runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.top import Top
from tests.harness import CPU, GPU, TARGETS, Case, check, floats
from tests.oracles import evaluated, litert, onnx_node, ort, same, standard_case, standard_cases, tflite_node

RNG = np.random.default_rng(11)
STANDARD = standard_cases(["argmax", "argmin", "topk", "hardmax"], ["ArgMax", "ArgMin", "TopK", "Hardmax"])
INT32 = np.dtype(np.int32)


def repeated(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    """Numbers of which many are equal."""
    return RNG.integers(0, 5, shape).astype(dtype)


@pytest.mark.device
@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (Top(0), (1,)),
        (Top(1), (3, 130)),
        (Top(0, 3, largest=False), (17, 5)),
        (Top(2, 5, last=True), (2, 3, 7, 5)),
        (Top(3, 17, largest=False, last=True), (1, 3, 4, 17)),
        (Top(0, 40), (300,)),
    ],
    ids=str,
)
def test_every_candidate(op: Top, shape: tuple[int, ...]) -> None:
    assert check(Case(op, [repeated(shape)])) >= 3 + 3 * (op.count > 1)


@pytest.mark.device
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "uint64", "bool"])
def test_types(dtype: str) -> None:
    """Numbers from end to end of a type, which float32 would not tell from each other."""
    info = None if dtype == "bool" else np.iinfo(dtype)
    x = repeated((4, 9), dtype) if info is None else info.max - repeated((4, 9), dtype)
    if info:
        x[1, 3], x[2, 4] = info.min, info.max
    for op in (Top(1, 4, dtype=INT32), Top(0, largest=False)):
        assert check(Case(op, [x]), targets=[CPU]) >= 1


@pytest.mark.device
def test_not_a_number_is_the_largest() -> None:
    x = np.array([[1, np.nan, np.inf, np.nan, -np.inf]], np.float32)
    for op, expected in ((Top(1, 5), [1, 3, 2, 0, 4]), (Top(1, 5, largest=False), [4, 0, 2, 1, 3]), (Top(1, last=True), [3])):
        np.testing.assert_array_equal(op.reference(x)[0], [expected])
        assert check(Case(op, [x], framed=False), targets=[CPU, GPU]) >= 2


@pytest.mark.device
def test_blocks_and_an_epilogue() -> None:
    step = Step(Elementwise("add"), (0, "e"))
    extra = ("e", np.arange(17, dtype=np.int32), False)
    case = Case(Top(1, 2, dtype=INT32), floats((1, 5, 3, 17)), before=(Pool2D("max", (1, 1)),), epilogue=(step,), extra=(extra,))
    assert check(case, targets=TARGETS[1:]) >= 4
    assert check(Case(Top(3), [repeated((1, 5, 3, 17))]), targets=[GPU], precision="f16") >= 1
    assert check(Case(Top(3), floats((1, 5, 3, 17)), before=(Pool2D("max", (1, 1)),)), targets=[CPU, GPU]) >= 2


def test_too_many() -> None:
    for op in (Top(1, 5), Top(2), Top(0, -1)):
        with pytest.raises(GraphError, match="does not have"):
            op.infer(TensorType((3, 4), np.dtype(np.float32)))


def test_permuted() -> None:
    x, perm = repeated((2, 3, 4)), (2, 0, 1)
    moved = Top(0, 2).permuted(perm, ())
    assert moved is not None
    np.testing.assert_array_equal(Top(0, 2).reference(x.transpose(perm))[0], moved[0].reference(x)[0].transpose(moved[1]))


@pytest.mark.parametrize("case", STANDARD, ids=lambda c: c.name)
def test_standard(case: Any, tmp_path: Path) -> None:
    path, arrays, expected = standard_case(tmp_path, case, 1)
    same(evaluated(path, arrays), expected, 0)


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("attributes", [{}, {"axis": 1}, {"axis": -1}])
def test_hardmax_before_and_after_its_axis_changed(tmp_path: Path, opset: int, attributes: dict[str, int]) -> None:
    path, x = onnx_node(tmp_path, "Hardmax", floats((2, 3, 4)), opset=opset, **attributes), floats((2, 3, 4))
    same(evaluated(path, x), ort(path, x), 0)


def test_top_k_of_an_attribute(tmp_path: Path) -> None:
    x = floats((2, 7))
    values, index = evaluated(onnx_node(tmp_path, "TopK", x, opset=9, k=3, outputs=2), x)
    np.testing.assert_array_equal(index, np.argsort(-x[0], 1)[:, :3])
    np.testing.assert_array_equal(values, -np.sort(-x[0], 1)[:, :3])


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8"])
@pytest.mark.parametrize(("op", "axis", "result"), [("ARG_MAX", 1, "int32"), ("ARG_MIN", -1, "int64"), ("ARG_MAX", 0, "int64")])
def test_litert_arg(tmp_path: Path, op: str, axis: int, result: str, dtype: str) -> None:
    x = repeated((2, 9, 5), dtype)
    path, feed = tflite_node(tmp_path, op, [x, np.asarray(axis)], {"output_type": result.upper()}, dtype=result, fed=1)
    same(evaluated(path, feed), litert(path, feed), 0)


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint8"])
def test_litert_top_k(tmp_path: Path, dtype: str) -> None:
    for count in (1, 4, 9):
        path, feed = tflite_node(tmp_path, "TOPK_V2", [repeated((2, 3, 9), dtype), np.asarray(count)], {}, dtype=[dtype, "int32"], fed=1)
        same(evaluated(path, feed), litert(path, feed), 0)
