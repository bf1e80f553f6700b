"""Diagonals, triangles and one-hot vectors: the standard's cases and LiteRT's results, on the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from tests.harness import check_file, floats
from tests.oracles import evaluated, litert, onnx_model, onnx_node, same, standard_case, standard_cases, tflite_node, write

RNG = np.random.default_rng(2)
STANDARD = [c for c in standard_cases(["trilu", "onehot"], ["Trilu", "OneHot"]) if "bfloat16" not in c.name and "zero" not in c.name]


@pytest.mark.parametrize("case", STANDARD, ids=lambda c: c.name)
def test_standard(case: Any, tmp_path: Path) -> None:
    path, arrays, expected = standard_case(tmp_path, case, 1)
    same(evaluated(path, arrays), expected, 0)


@pytest.mark.parametrize("case", standard_cases(["eyelike"], ["EyeLike"]), ids=lambda c: c.name)
def test_standard_constants(case: Any, tmp_path: Path) -> None:
    path, arrays, expected = standard_case(tmp_path, case, 1)
    same(evaluated(path, arrays), expected, 0)


@pytest.mark.device
@pytest.mark.parametrize("k", [-9, -2, 0, 1, 9])
def test_triangles_of_ragged_floats(tmp_path: Path, k: int) -> None:
    """What is not kept is zero, whatever it was."""
    x = floats((2, 5, 7))
    x[0][0, 0, -1], x[0][1, -1, 0] = np.nan, np.inf
    for upper in (0, 1):
        path = onnx_node(tmp_path, "Trilu", x, [np.array(k)], upper=upper)
        np.testing.assert_array_equal(evaluated(path, x)[0], (np.triu if upper else np.tril)(x[0], k))
        assert check_file(path, x) == 1


@pytest.mark.device
@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32"])
def test_one_hot_of_computed_values(tmp_path: Path, dtype: str) -> None:
    index, values = RNG.integers(0, 6, (3, 4)).astype(dtype), np.array([2.5, -1], np.float32)
    for axis in (0, -1):
        node = helper.make_node("OneHot", ["x", "depth", "values"], ["y"], axis=axis)
        model = onnx_model([node], {"x": (dtype, (3, 4)), "values": (np.float32, (2,))}, ["y"], {"depth": np.array(5)})
        path = write(tmp_path, model)
        expected = np.where(np.moveaxis(index[..., None] == np.arange(5), -1, axis), values[1], values[0])
        same(evaluated(path, [index, values]), [expected], 0)
        assert check_file(path, [index, values]) == 1


@pytest.mark.device
@pytest.mark.parametrize(("shape", "axis"), [((5,), -1), ((2, 3), 0), ((2, 3), 1)])
def test_litert_one_hot(tmp_path: Path, shape: tuple[int, ...], axis: int) -> None:
    index = RNG.integers(-2, 6, shape, np.int32)
    for on, off in ((2.5, -1.0), (3, 1)):
        dtype = "float32" if isinstance(on, float) else "int32"
        path, feed = tflite_node(tmp_path, "ONE_HOT", [index, np.asarray(4), np.asarray(on), np.asarray(off)], {"axis": axis},
                                 dtype=dtype, fed=1)
        same(evaluated(path, feed), litert(path, feed), 0)
        assert check_file(path, feed) == 1


@pytest.mark.device
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4)])
def test_litert_diagonals(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path, feed = tflite_node(tmp_path, "MATRIX_DIAG", floats(shape), {})
    same(evaluated(path, feed), litert(path, feed), 0)
    assert check_file(path, feed) == 1


@pytest.mark.device
@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 5), (2, 2, 6, 3)])
def test_litert_set_diagonals(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path, feed = tflite_node(tmp_path, "MATRIX_SET_DIAG", floats(shape, (*shape[:-2], min(shape[-2:]))), {})
    same(evaluated(path, feed), litert(path, feed), 0)
    assert check_file(path, feed) >= 1


@pytest.mark.parametrize(("op", "shape"), [("Trilu", (3,)), ("EyeLike", (2, 3, 4))])
def test_refused(tmp_path: Path, op: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(UnsupportedError, match="would be accepted"):
        load(onnx_node(tmp_path, op, floats(shape)))
