"""Running sums and products: kernels against the references, references against the standard and LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.cumulative import Cumulative
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.pool import Pool2D
from tests.harness import CPU, GPU, Case, check, floats
from tests.oracles import evaluated, litert, same, standard_case, standard_cases, tflite_node

RNG = np.random.default_rng(3)
STANDARD = standard_cases(["cumsum", "cumprod"], ["CumSum", "CumProd"])


@pytest.mark.device
@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (Cumulative("sum", 0), (1,)),
        (Cumulative("sum", 0, reverse=True), (300,)),
        (Cumulative("prod", 1, exclusive=True), (3, 37)),
        (Cumulative("sum", 1), (3, 5, 17)),
        (Cumulative("sum", 0, exclusive=True, reverse=True), (9, 33)),
        (Cumulative("prod", 2, reverse=True), (2, 3, 4, 5, 1, 7)),
    ],
    ids=str,
)
def test_every_candidate(op: Cumulative, shape: tuple[int, ...]) -> None:
    x = [1 + floats(shape)[0] / 8]
    assert check(Case(op, x, epilogue=(Step(Elementwise("neg"), (0,)),)), reduction=shape[op.axis]) >= 3


@pytest.mark.device
@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "int64", "uint64"])
@pytest.mark.parametrize("kind", ["sum", "prod"])
def test_integers_wrap(kind: Any, dtype: str) -> None:
    info = np.iinfo(dtype)
    x = RNG.integers(info.min, info.max, (5, 9), dtype)
    assert check(Case(Cumulative(kind, 1), [x]), targets=[CPU]) == 1


@pytest.mark.device
def test_blocks_and_halves() -> None:
    for axis in (1, 3):
        case = Case(Cumulative("sum", axis), floats((1, 5, 3, 17)), before=(Pool2D("max", (1, 1)),))
        assert check(case, targets=[CPU, GPU]) >= 2
        assert check(case, targets=[GPU], precision="f16") >= 1


def test_permuted() -> None:
    (x,), perm = floats((2, 3, 4)), (2, 0, 1)
    moved = Cumulative("sum", 1, reverse=True).permuted(perm, ())
    assert moved is not None
    expected = Cumulative("sum", 1, reverse=True).reference(x.transpose(perm))[0]
    np.testing.assert_array_equal(moved[0].reference(x)[0].transpose(moved[1]), expected)


@pytest.mark.parametrize(("axis", "dtype", "message"), [(2, "float32", "no axis 2"), (0, "bool", "numbers would be accepted")])
def test_wrong_operands(axis: int, dtype: str, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        Cumulative("sum", axis).infer(TensorType((3, 4), np.dtype(dtype)))


@pytest.mark.parametrize("case", STANDARD, ids=lambda c: c.name)
def test_standard(case: Any, tmp_path: Path) -> None:
    path, arrays, expected = standard_case(tmp_path, case, 1)
    same(evaluated(path, arrays), expected)


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize(("axis", "reverse"), [(0, False), (-1, True), (1, True)])
def test_litert(tmp_path: Path, axis: int, reverse: bool, exclusive: bool) -> None:
    for x in (*floats((2, 3, 5)), RNG.integers(-9, 9, (2, 3, 5), np.int32)):
        options = {"exclusive": exclusive, "reverse": reverse}
        path, feed = tflite_node(tmp_path, "CUMSUM", [x, np.asarray(axis)], options, dtype=x.dtype.name, fed=1)
        same(evaluated(path, feed), litert(path, feed))
