"""Scattered updates: kernels against the references, references against the standard and both runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from onnx import helper

from planish.compiler.errors import GraphError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.scatter import Reduction, ScatterElements, ScatterND
from tests.harness import CPU, GPU, Case, check, check_file, floats
from tests.oracles import evaluated, litert, onnx_model, onnx_node, ort, same, standard_case, standard_cases, tflite_node, write

RNG = np.random.default_rng(8)
OPERATORS = ["Scatter", "ScatterElements", "ScatterND", "TensorScatter"]
SCATTERS = [
    # op without its reduction, shapes of the index and the updates
    (ScatterElements((9,), 0), (14,), (14,)),
    (ScatterElements((3, 17), 1), (3, 5), (3, 5)),
    (ScatterElements((5, 17), 0), (8, 16), (8, 16)),
    (ScatterElements((2, 3, 4, 5, 1, 2), 2), (1, 3, 6, 5, 1, 2), (1, 3, 6, 5, 1, 2)),
    (ScatterND((7, 16)), (9, 1), (9, 16)),
    (ScatterND((3, 4, 17)), (2, 6, 2), (2, 6, 17)),
    (ScatterND((3, 4, 5)), (40, 3), (40,)),
]


@pytest.mark.device
@pytest.mark.parametrize(("number", "replaces"), [(k, replaces) for k in range(len(SCATTERS)) for replaces in (False, True)])
def test_every_kernel(number: int, replaces: bool) -> None:
    """Many updates of one place, places counted from the end, and places outside; every reduction in turn."""
    op, index, updates = SCATTERS[number]
    reduction = get_args(Reduction)[0 if replaces else 1 + number % 4]
    op = ScatterND(op.shape, reduction) if isinstance(op, ScatterND) else ScatterElements(op.shape, op.axis, reduction)
    x, values = floats(op.shape, updates)
    places = RNG.integers(-min(op.shape) - 1, min(op.shape) + 1, index, np.int32)
    assert check(Case(op, [x, places, values], epilogue=(Step(Elementwise("relu"), (0,)),)), targets=[CPU, GPU]) >= 2


@pytest.mark.device
@pytest.mark.parametrize("dtype", ["uint8", "int64", "uint64", "bool"])
def test_types(dtype: str) -> None:
    x, values = (RNG.integers(0, 2, shape).astype(dtype) for shape in ((5, 8), (3, 8)))
    index = np.array([[4], [0], [4]], np.int16)
    for reduction in ("none",) if dtype == "bool" else ("none", "add", "max"):
        assert check(Case(ScatterND((5, 8), reduction), [x, index, values]), targets=[CPU]) == 1


@pytest.mark.device
def test_blocks_and_broadcast_operands() -> None:
    (x,), index = floats((1, 4, 3, 17)), np.array([[0, 1], [0, 3]])
    update = floats((2, 3, 17))[0]
    assert check(Case(ScatterND(x.shape, "add"), [x, index, update], before=(Pool2D("max", (1, 1)),)), targets=[CPU, GPU]) >= 2
    assert check(Case(ScatterND(x.shape, "max"), [x, index, update]), targets=[GPU], precision="f16") >= 1
    for start in (np.float32(1.5), np.full((3, 16), 1.5, np.float32)):
        op = ScatterND((4, 3, 16), "mul")
        assert check(Case(op, [np.asarray(start), index[:, 1:], update[..., :16]], constants=frozenset({0})), targets=[CPU]) == 1


def test_the_last_update_of_a_place_stays_and_those_outside_are_ignored() -> None:
    x, index, values = np.zeros(4, np.float32), np.array([1, 1, -1, 4, -5]), np.arange(1, 6, dtype=np.float32)
    for op, places in ((ScatterElements((4,), 0), index), (ScatterND((4,)), index[:, None])):
        np.testing.assert_array_equal(op.reference(x, places, values)[0], [0, 2, 0, 3])


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (ScatterElements((3, 4), 0), [(3, 4), (3,), (3,)], "does not place"),
        (ScatterElements((3, 4), 0), [(3, 4), (3, 5), (3, 5)], "does not place"),
        (ScatterElements((3, 4), 0), [(3, 4), (2, 4), (3, 4)], "does not place"),
        (ScatterElements((3, 4), 2), [(3, 4), (3, 4), (3, 4)], "does not place"),
        (ScatterND((3, 4)), [(3, 4), (2, 3), (2,)], "does not hold coordinates"),
        (ScatterND((3, 4)), [(3, 4), (2, 1), (2, 5)], "does not hold coordinates"),
        (ScatterND((3, 4)), [(5, 3, 4), (2, 1), (2, 4)], "does not update"),
        (ScatterND((3, 4), "mean"), [(3, 4), (2, 1), (2, 4)], "reduction mean"),  # type: ignore[arg-type]
    ],
)
def test_wrong_operands(op: Any, shapes: list[tuple[int, ...]], message: str) -> None:
    x, index, updates = shapes
    f32 = np.dtype(np.float32)
    with pytest.raises(GraphError, match=message):
        op.infer(TensorType(x, f32), TensorType(index, np.dtype(np.int64)), TensorType(updates, f32))


@pytest.mark.parametrize("case", standard_cases([o.lower() for o in OPERATORS], OPERATORS), ids=lambda c: c.name)
def test_standard(case: Any, tmp_path: Path) -> None:
    path, arrays, expected = standard_case(tmp_path, case, 3)
    same(evaluated(path, arrays), expected)


def test_onnxruntime(tmp_path: Path) -> None:
    """Updates of one place one after another, in the order of the index."""
    x, values = floats((3, 4), (6, 4))
    index = RNG.integers(-3, 3, (6, 4))
    for reduction in get_args(Reduction):
        path = onnx_node(tmp_path, "ScatterElements", [x, index, values], reduction=reduction)
        same(evaluated(path, [x, index, values]), ort(path, [x, index, values]))
        path = onnx_node(tmp_path, "ScatterND", [x, index[:, :1], values], reduction=reduction)
        same(evaluated(path, [x, index[:, :1], values]), ort(path, [x, index[:, :1], values]))


@pytest.mark.device
@pytest.mark.parametrize("every", [False, True])
def test_known_places(tmp_path: Path, every: bool) -> None:
    """Nothing is looked for: updates are gathered."""
    x, rows, values = floats((6, 16), (4, 16), (6, 16))
    index = np.array([[5], [-6], [2], [5]])
    orders = RNG.permuted(np.tile(np.arange(6)[:, None], 16), axis=0) if every else RNG.integers(-6, 6, (6, 16))
    for op, places, updates in (("ScatterND", index, rows), ("ScatterElements", orders, values)):
        path = onnx_model([helper.make_node(op, ["x", "places", "updates"], ["y"])],
                          {"x": (x.dtype, x.shape), "updates": (x.dtype, updates.shape)}, ["y"], {"places": places}, 18)
        path = write(tmp_path, path)
        assert not any(isinstance(n.op, ScatterElements | ScatterND) for n in load(path).nodes())
        same(evaluated(path, [x, updates]), ort(path, [x, updates]), 0)
        assert check_file(path, [x, updates]) >= 1


@pytest.mark.device
@pytest.mark.parametrize(("index", "shape"), [((4, 1), (7, 5)), ((2, 3, 2), (4, 3, 5)), ((5, 2), (3, 3))])
def test_litert_scatter(tmp_path: Path, index: tuple[int, ...], shape: tuple[int, ...]) -> None:
    places = RNG.integers(0, 3, index, np.int32)
    rows = (*index[:-1], *shape[index[-1] :])
    for values in (floats(rows)[0], RNG.integers(-9, 9, rows, np.int32), RNG.random(rows) < 0.5):
        path, feed = tflite_node(tmp_path, "SCATTER_ND", [places, values, np.array(shape)], {}, dtype=values.dtype.name, fed=2)
        same(evaluated(path, feed), litert(path, feed))
        assert check_file(path, feed) == 1


@pytest.mark.device
@pytest.mark.parametrize(("index", "shape"), [(3, (5,)), ([0, 2, 4], (5,)), ([[0, 1], [2, 0]], (3, 4))])
def test_litert_sparse_to_dense(tmp_path: Path, index: Any, shape: tuple[int, ...]) -> None:
    count = np.shape(index)[:1]
    for values in (np.float32(2.5), floats(count or (1,))[0] if count else np.float32(-1)):
        operands = [np.asarray(index, np.int32), np.array(shape), values, np.float32(0.5)]
        path, feed = tflite_node(tmp_path, "SPARSE_TO_DENSE", operands, {"validate_indices": True}, fed=1)
        same(evaluated(path, feed), litert(path, feed), 0)
        assert check_file(path, feed) == 1


@pytest.mark.device
@pytest.mark.parametrize("op", ["UNSORTED_SEGMENT_SUM", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_MIN"])
def test_litert_unsorted_segments(tmp_path: Path, op: str) -> None:
    """Segments without a row, and rows without a segment."""
    for x, ids in ((floats((7, 5))[0], [1, 0, 3, -1, 1, 3, 3]), (RNG.integers(-9, 9, (2, 3), np.int32), [[1, 0, 3], [1, 1, 0]])):
        path, feed = tflite_node(tmp_path, op, [x, np.array(ids, np.int32), np.asarray(5)], {}, dtype=x.dtype.name, fed=2)
        same(evaluated(path, feed), litert(path, feed))
        assert check_file(path, feed) >= 1


@pytest.mark.device
def test_litert_segment_sum(tmp_path: Path) -> None:
    path, feed = tflite_node(tmp_path, "SEGMENT_SUM", [*floats((6, 3)), np.array([0, 0, 1, 2, 2, 2])], {})
    same(evaluated(path, feed), litert(path, feed))
    assert check_file(path, feed) == 1


@pytest.mark.device
def test_nothing_to_scatter(tmp_path: Path) -> None:
    (x,), none = floats((3, 4)), np.zeros((0, 4), np.float32)
    for op, index in (("ScatterElements", np.zeros((0, 4), np.int64)), ("ScatterND", np.zeros((0, 1), np.int64))):
        path = onnx_node(tmp_path, op, [x], [index, none])
        same(evaluated(path, [x]), [x], 0)
        assert check_file(path, [x]) >= 1


@pytest.mark.device
@pytest.mark.parametrize("combiner", ["SUM", "MEAN", "SQRTN"])
def test_litert_embedding_lookup_sparse(tmp_path: Path, combiner: str) -> None:
    """Two bags of a pair are empty."""
    weights, table = floats((5,), (7, 3, 2))
    index = np.array([[0, 0, 0], [0, 0, 2], [1, 1, 0], [1, 1, 1], [1, 1, 3]])
    operands = [np.array([1, 3, 0, 6, 3]), index, np.array([2, 2, 4]), np.abs(weights), table]
    path, feed = tflite_node(tmp_path, "EMBEDDING_LOOKUP_SPARSE", operands, {"combiner": combiner})
    same(evaluated(path, feed), litert(path, feed))
    assert check_file(path, feed) >= 1


@pytest.mark.device
@pytest.mark.parametrize(
    ("shape", "part", "starts"),
    [
        ((7,), (3,), [2]),
        ((5, 6), (5, 2), [1, 3]),
        ((4, 5, 6), (2, 2, 6), [3, -2, 0]),
        ((3, 4), (3, 4), [1, 1]),
        ((2, 9, 4), (2, 1, 4), [0, 8, 0]),
    ],
)
def test_litert_dynamic_update_slice(tmp_path: Path, shape: tuple[int, ...], part: tuple[int, ...], starts: list[int]) -> None:
    operands = [*floats(shape, part), np.array(starts, np.int32)]
    for fed in (2, 3):
        path, feed = tflite_node(tmp_path, "DYNAMIC_UPDATE_SLICE", operands, {}, fed=fed)
        same(evaluated(path, feed), litert(path, feed), 0)
        assert check_file(path, feed) >= 1


@pytest.mark.device
def test_a_cache_without_positions_begins_at_its_start(tmp_path: Path) -> None:
    arrays = floats((2, 3, 5, 4), (2, 3, 2, 4))
    path = onnx_node(tmp_path, "TensorScatter", arrays, opset=24, axis=-2)
    expected = arrays[0].copy()
    expected[:, :, :2] = arrays[1]
    same(evaluated(path, arrays), [expected], 0)
    assert check_file(path, arrays) >= 1


def test_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="linear and circular"):
        load(onnx_node(tmp_path, "TensorScatter", floats((2, 5, 4), (2, 2, 4)), opset=24, axis=0))
