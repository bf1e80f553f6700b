"""Constants are evaluated."""

from __future__ import annotations

import numpy as np
import pytest

from planish.compiler.ops.elementwise import Cast, Elementwise
from planish.compiler.ops.movement import Concat, Reshape, Transpose
from planish.compiler.passes import fold
from tests.graphs import Build, ops, rewritten


def test_a_chain_of_constants_becomes_one() -> None:
    def make(b: Build) -> str:
        half = b.array(np.arange(12).reshape(3, 4), "float16")
        wide = b(Cast(np.dtype(np.float32)), half)
        turned = b(Transpose((1, 0)), wide)
        return b("add", b.input(4, 3), b("mul", turned, turned))

    graph, events = rewritten(fold.RULES, make)
    assert ops(graph) == ["add"]
    np.testing.assert_array_equal(graph.constant(graph.nodes()[0].inputs[1]), np.arange(12, dtype=np.float32).reshape(3, 4).T ** 2)
    assert events == ["fold_constants: evaluated"] * 3


def test_shape_arithmetic() -> None:
    def make(b: Build) -> str:
        product = b("mul", b.array([3], "int64"), b.array(7, "int64"))
        return b(Reshape((4,)), b(Concat(0), b.array([2], "int64"), product, b.array([1, 1], "int64")))

    graph, _ = rewritten(fold.RULES, make, exact=True)
    assert ops(graph) == []
    np.testing.assert_array_equal(graph.constant(graph.outputs["y0"]), [2, 21, 1, 1])


def test_what_is_computed_stays() -> None:
    graph, events = rewritten(fold.RULES, lambda b: b("add", b.input(2, 3), b.constant(3)))
    assert ops(graph) == ["add"] and events == []


def test_an_overflow_is_infinity_as_on_the_device() -> None:
    graph, _ = rewritten(fold.RULES, lambda b: b("mul", b.array([3e38, 0, -1]), b.array([3e38, 1, np.inf])))
    np.testing.assert_array_equal(graph.constant(graph.outputs["y0"]), np.float32([np.inf, 0, -np.inf]))


def test_a_large_result_is_left_to_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "LIMIT", 1 << 20)
    graph, events = rewritten(fold.RULES, lambda b: b(Elementwise("add"), b.constant(1024, 1), b.constant(1, 1024)))
    assert ops(graph) == ["add"]
    assert events == ["not fold_constants: its result would take more than 1 MB"]
