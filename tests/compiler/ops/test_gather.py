"""Gathers of elements and by coordinates: kernels against the references, references against the standard and both runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.elementwise import Cast, Elementwise
from planish.compiler.ops.gather import Gather, GatherElements, GatherND
from tests.harness import CPU, GPU, Case, check, check_file, floats
from tests.oracles import evaluated, litert, onnx_node, same, standard_case, standard_cases, tflite_node

RNG = np.random.default_rng(5)
REVERSED = [c for c in standard_cases(["reversesequence"], ["ReverseSequence"]) if "bfloat16" not in c.name]
GATHERS = [
    # op, shape of x, shape of the index
    (GatherElements(0), (9,), (4,)),
    (GatherElements(1), (3, 17), (3, 5)),
    (GatherElements(0), (5, 17), (2, 16)),
    (GatherElements(3), (2, 3, 4, 17), (2, 3, 4, 17)),
    (GatherElements(1), (2, 3, 4, 5, 1, 2), (1, 7, 4, 5, 1, 2)),
    (GatherND(), (7, 16), (5, 1)),
    (GatherND(), (3, 4, 17), (2, 6, 2)),
    (GatherND(), (3, 4, 5), (7, 3)),
    (GatherND(1), (2, 3, 4, 8), (2, 5, 2)),
    (GatherND(2), (2, 3, 4, 5), (2, 3, 2)),
]


@pytest.mark.device
@pytest.mark.parametrize(("op", "shape", "picked"), GATHERS, ids=str)
def test_every_kernel(op: Any, shape: tuple[int, ...], picked: tuple[int, ...]) -> None:
    """Indices from one past the front to one past the end of the smallest axis, so that some are negative and some are outside."""
    index = RNG.integers(-min(shape) - 1, min(shape) + 1, picked, np.int32)
    step = Step(Elementwise("relu"), (0,))
    assert check(Case(op, [*floats(shape), index], epilogue=(step,)), targets=[CPU, GPU]) >= 2


@pytest.mark.device
@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool"])
def test_types(dtype: str) -> None:
    x, index = RNG.integers(0, 99, (3, 8)).astype(dtype), RNG.integers(-3, 3, (2, 1))
    for op in (GatherElements(0), GatherND(), Gather(0)):
        assert check(Case(op, [x, index if op != GatherElements(0) else np.repeat(index, 8, 1)]), targets=[CPU]) == 1
    assert check(Case(GatherElements(1), [x, np.array([[7], [9], [0]], np.uint8)], constants=frozenset({1})), targets=[CPU]) == 1


@pytest.mark.device
def test_an_epilogue_of_another_type() -> None:
    """The elements are integers until a step of the epilogue makes them floats."""
    steps = (Step(Elementwise("maximum"), (0, "e")), Step(Cast(np.dtype(np.float32)), (1,)))
    extra = ("e", np.array(1 << 24 | 1, np.int32), True)
    x = RNG.integers(1 << 24, 1 << 26, (5, 8), np.int32)
    assert check(Case(Gather(0), [x, np.array([3, 0, 4])], epilogue=steps, extra=(extra,)), targets=[CPU]) == 1


@pytest.mark.device
def test_halves() -> None:
    x, index = floats((5, 17))[0], np.array([[4, 0], [2, 3]])
    for op in (Gather(0), GatherElements(0), GatherND()):
        assert check(Case(op, [x, index]), targets=[GPU], precision="f16") >= 1


def test_outside_is_the_nearest_end() -> None:
    x, index = np.arange(5.0, dtype=np.float32), np.array([-9, -6, -5, -1, 0, 4, 5, 9])
    for op, picked in ((Gather(0), index), (GatherElements(0), index), (GatherND(), index[:, None])):
        np.testing.assert_array_equal(op.reference(x, picked)[0], [0, 0, 0, 4, 0, 4, 4, 4])


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (GatherElements(0), [(3, 4), (3,)], "does not pick elements"),
        (GatherElements(0), [(3, 4), (3, 5)], "does not pick elements"),
        (GatherElements(2), [(3, 4), (3, 4)], "does not pick elements"),
        (GatherElements(1), [(3, 0), (3, 4)], "nothing to pick"),
        (Gather(1), [(3, 0), (4,)], "nothing to pick"),
        (GatherND(), [(3, 4), (2, 3)], "does not hold coordinates"),
        (GatherND(), [(3, 4), (2, 0)], "does not hold coordinates"),
        (GatherND(1), [(3, 4), (2, 1)], "does not hold coordinates"),
        (GatherND(1), [(3,), (3,)], "does not hold coordinates"),
    ],
)
def test_wrong_operands(op: Any, shapes: list[tuple[int, ...]], message: str) -> None:
    x, index = shapes
    with pytest.raises(GraphError, match=message):
        op.infer(TensorType(x, np.dtype(np.float32)), TensorType(index, np.dtype(np.int64)))


@pytest.mark.device
@pytest.mark.parametrize("case", standard_cases(["gatherelements", "gathernd"], ["GatherElements", "GatherND"]), ids=lambda c: c.name)
def test_standard(case: Any, tmp_path: Path) -> None:
    """With fed and with constant indices."""
    for fed in (1, 2):
        path, arrays, expected = standard_case(tmp_path, case, fed)
        same(evaluated(path, arrays), expected, 0)
        assert check_file(path, arrays) == 1


@pytest.mark.parametrize(("shape", "picked"), [((5, 3), (4, 1)), ((5, 3), (4, 2)), ((2, 3, 4), (2, 2, 2)), ((2, 3, 4), (2,))])
def test_litert(tmp_path: Path, shape: tuple[int, ...], picked: tuple[int, ...]) -> None:
    operands = [*floats(shape), RNG.integers(0, 2, picked, np.int32)]
    for fed in (1, 2):
        path, feed = tflite_node(tmp_path, "GATHER_ND", operands, {}, fed=fed)
        same(evaluated(path, feed), litert(path, feed), 0)


@pytest.mark.parametrize(("op", "index"), [("GatherElements", [[0, 5], [1, 0]]), ("GatherND", [[0, 3]]), ("GatherND", [[-3]])])
def test_constant_indices_outside_are_refused(tmp_path: Path, op: str, index: list[list[int]]) -> None:
    with pytest.raises(UnsupportedError, match="outside axis"):
        load(onnx_node(tmp_path, op, floats((2, 3)), [np.array(index)]))


@pytest.mark.device
@pytest.mark.parametrize("case", REVERSED, ids=lambda c: c.name)
def test_standard_reverse_sequence(case: Any, tmp_path: Path) -> None:
    path, arrays, expected = standard_case(tmp_path, case, 2)
    same(evaluated(path, arrays), expected, 0)
    assert check_file(path, arrays) >= 1


@pytest.mark.device
@pytest.mark.parametrize(("batch", "time"), [(0, 1), (1, 0), (0, 3), (3, 1)])
def test_litert_reverse_sequence(tmp_path: Path, batch: int, time: int) -> None:
    (x,) = floats((3, 4, 2, 5))
    lengths = RNG.integers(1, x.shape[time] + 1, x.shape[batch])
    for dtype in (np.int32, np.int64):
        options = {"batch_dim": batch, "seq_dim": time}
        path, feed = tflite_node(tmp_path, "REVERSE_SEQUENCE", [x, lengths.astype(dtype)], options, fed=2)
        same(evaluated(path, feed), litert(path, feed), 0)
        assert check_file(path, feed) >= 1


def test_sequences_without_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="one for each"):
        load(onnx_node(tmp_path, "ReverseSequence", [*floats((3, 4)), np.ones(3, np.int64)]))
