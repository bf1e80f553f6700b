"""Numbers that are float16 in the graph are rounded to that after every step, fused or not; those that are only stored so are not."""

from __future__ import annotations

import re

import numpy as np
import pytest

from planish.compiler.ir import Step, evaluate
from planish.compiler.ops.elementwise import Cast, Elementwise
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.reduce import Reduce
from planish.compiler.ops.softmax import Softmax
from planish.compiler.render import source
from tests.harness import CPU, TARGETS, Case, execute, graph_of, schedules

HALF, SINGLE = np.dtype(np.float16), np.dtype(np.float32)
CHAIN = (Step(Elementwise("mul"), (0, "third")), Step(Elementwise("add"), (1, "large")), Step(Elementwise("sub"), (2, "large")))
"""What is left of a number after another one of 1000 was added and taken away shows how it was rounded between."""


def chained(op: object, *operands: np.ndarray, dtype: np.dtype = HALF, epilogue: tuple[Step, ...] = CHAIN) -> Case:
    extra = tuple((name, np.array(number, dtype), True) for name, number in (("third", 1 / 3), ("large", 1000)))
    return Case(op, operands, epilogue=epilogue, extra=extra, framed=False)


def halves(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 3, shape).astype(HALF)


@pytest.mark.device
@pytest.mark.parametrize(
    "case",
    [
        chained(Elementwise("neg"), halves(5, 37)), chained(MatMul(), halves(6, 20), halves(20, 19)),
        chained(Reduce("max", (1,)), halves(7, 40)),
        chained(Softmax(1), halves(5, 37)), chained(Elementwise("exp"), halves(33), epilogue=(*CHAIN, Step(Cast(SINGLE), (3,)))),
    ],
    ids=lambda case: type(case.op).__name__,
)  # fmt: skip
def test_every_step_is_rounded(case: Case) -> None:
    """To the numbers that the operators give one by one."""
    graph, feed = graph_of(case)
    expected = evaluate(graph, feed)[graph.outputs["out0"]]
    assert np.unique(expected).size < expected.size, "nothing was rounded"
    for target in TARGETS:
        for variant, schedule in schedules(graph, target):
            np.testing.assert_array_equal(execute(schedule, target, feed)["out0"], expected, f"[{target.name}, {variant}]")


@pytest.mark.device
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("axis", [0, 1])
def test_softmax(axis: int, log: bool) -> None:
    """As its definition by other operators rounds, but for an exponential that lies halfway."""
    graph, feed = graph_of(Case(Softmax(axis, log), [halves(19, 37)], framed=False))
    x = feed["x0"]
    shifted = x - x.max(axis, keepdims=True)
    powers = np.exp(shifted)
    total = powers.sum(axis, keepdims=True, dtype=np.float32).astype(HALF)
    expected = shifted - np.log(total) if log else powers / total
    for target in TARGETS:
        for _, schedule in schedules(graph, target):
            actual = execute(schedule, target, feed)["out0"]
            assert np.mean(actual == expected) > 0.99
            np.testing.assert_allclose(actual, expected, rtol=2e-3)


@pytest.mark.parametrize("dtype", [HALF, SINGLE])
def test_storage_is_not_type(dtype: np.dtype) -> None:
    """With `--precision f16`, what is float32 in the graph is not rounded between the steps of a kernel."""
    graph, _ = graph_of(chained(Softmax(1), halves(5, 37).astype(dtype), dtype=dtype))
    (_, schedule), *_ = schedules(graph, CPU, "f16")
    texts = [source(launch.site, launch.kernel).text for launch in schedule.launches]
    assert all(bool(re.search(r"to_half\d*\(", text)) == (dtype == HALF) for text in texts)
