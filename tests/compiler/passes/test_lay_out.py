"""Layouts and homes: what lies where, what is a view of what, and what is copied."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.compiler import passes
from planish.compiler.ir import Graph
from planish.compiler.layout import Layout
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.movement import Concat, Copy, Pad, Reshape, Slice, Transpose
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.reduce import Reduce
from planish.compiler.ops.softmax import Softmax
from planish.compiler.passes.lay_out import is_view, lay_out
from planish.compiler.targets import Target, named
from tests.graphs import Build, assert_equal_meaning, by_chance, ops, said, simulate

CPU, GPU = named("cpu"), named("generic")
X = (2, 6, 8, 3)
Make = Callable[[Build], "str | Sequence[str]"]


def laid_out(make: Make, target: Target = GPU) -> tuple[Graph, list[str]]:
    """The graph after the pass, and what it said; holds that every node finds its operands in memory."""
    b = Build()
    made = make(b)
    before = b.returns(*([made] if isinstance(made, str) else made))
    graph = before.copy()
    events = lay_out(graph, target)
    graph.verify()
    assert_equal_meaning(before, graph, b.feed, exact=True)
    simulate(graph, b.feed)
    return graph, said(events)


def conv(b: Build, x: str, out: int = 8) -> str:
    return b(Conv2D(), x, b.constant(out, 1, 1, b.shape(x)[3]))


def layout(graph: Graph, name: str) -> Layout:
    found = graph.value(name).layout
    assert found is not None
    return found


def copies(graph: Graph) -> int:
    return ops(graph).count("Copy")


@pytest.mark.parametrize("target", [CPU, GPU], ids=lambda t: t.name)
def test_images_are_blocked_between_image_ops_and_plain_for_the_user(target: Target) -> None:
    graph, events = laid_out(lambda b: conv(b, b("relu", b(Pool2D("max", (2, 2)), conv(b, b.input(*X))))), target)
    for name in ("v0", "v1", "v2"):
        assert layout(graph, name) == Layout.blocked(graph.type(name).shape, target.lanes)
    assert layout(graph, "x0") == Layout.linear(X) and layout(graph, "v3") == Layout.linear((2, 5, 7, 8))
    assert copies(graph) == 0 and events == []


def test_what_is_no_image_is_plain() -> None:
    graph, _ = laid_out(lambda b: b("neg", b(Softmax(1), b(MatMul(), b.input(3, 5), b.constant(5, 7)))))
    assert all(layout(graph, v.name) == Layout.linear(v.type.shape) for v in graph.values() if v.data is None)


def test_an_image_op_that_wants_vectors_gets_a_copy_and_others_share_it() -> None:
    def make(b: Build) -> list[str]:
        x = b.input(1, 6, 8, 7)
        return [conv(b, x), b(Pool2D("max", (2, 2)), x)]

    graph, events = laid_out(make)
    assert copies(graph) == 1
    assert events == [f"not place: 'x0' is copied to {Layout.blocked((1, 6, 8, 7), 4)}: {op} cannot read {Layout.linear((1, 6, 8, 7))}"
                      for op in ("Conv2D", "Pool2D")]


@pytest.mark.parametrize("op", ["relu", Transpose((0, 2, 1, 3)), Pad(((0, 0), (1, 1), (0, 0), (0, 0)))], ids=str)
def test_what_only_image_ops_read_is_stored_in_blocks(op: Any) -> None:
    def make(b: Build) -> list[str]:
        y = b(op, b.input(1, 6, 8, 7))
        return [conv(b, y), b(Pool2D("max", (2, 2)), y)]

    graph, _ = laid_out(make)
    assert layout(graph, "v0") == Layout.blocked(graph.type("v0").shape, 4) and copies(graph) == 0


@pytest.mark.parametrize(("op", "channels"), [("relu", 3), ("relu", 8), (Transpose((0, 2, 1, 3)), 1)], ids=str)
def test_what_image_ops_can_read_anyway_stays_plain(op: Any, channels: int) -> None:
    graph, _ = laid_out(lambda b: conv(b, b(op, b.input(1, 6, 8, channels))))
    assert layout(graph, "v0") == Layout.linear(graph.type("v0").shape) and copies(graph) == 0


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_first_convolution_reads_what_the_user_gives(channels: int) -> None:
    assert ops(laid_out(lambda b: conv(b, b.input(1, 6, 8, channels)))[0]) == ["Conv2D"]


def test_whole_vectors_need_no_blocks() -> None:
    assert ops(laid_out(lambda b: conv(b, b.input(1, 6, 8, 12)))[0]) == ["Conv2D"]


def test_a_plain_op_behind_an_image_op_gets_a_copy() -> None:
    graph, events = laid_out(lambda b: b(Softmax(3), b("neg", conv(b, b.input(*X)))))
    assert copies(graph) == 1 and "Softmax cannot read" in events[0]


def test_outputs_are_values_of_their_own() -> None:
    """An input, a constant, and one value under two names: each is copied to the output that it is."""
    def make(b: Build) -> list[str]:
        y = b("relu", b.input(*X))
        return [y, y, b.graph.inputs[0], b.constant(3)]

    graph, _ = laid_out(make)
    assert len(set(graph.outputs.values())) == 4 and copies(graph) == 3


def test_an_output_that_is_read_on_stays_plain() -> None:
    def make(b: Build) -> list[str]:
        y = conv(b, b.input(*X), 7)
        return [y, conv(b, y)]

    graph, _ = laid_out(make)
    assert layout(graph, "v0") == Layout.linear((2, 6, 8, 7)) and copies(graph) == 1


# -- concatenation


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_parts_are_written_in_their_place(axis: int) -> None:
    def make(b: Build) -> str:
        x = b.input(*X)
        return conv(b, b(Concat(axis), conv(b, x), b("relu", conv(b, x)), conv(b, x)))

    graph, events = laid_out(make)
    parts = graph.node("n4").inputs
    assert [graph.value(v).home for v in parts] == ["v4"] * 3
    assert events == [f"place: operand {k}, '{v}', is written in its place" for k, v in enumerate(parts)]
    step = layout(graph, "v4").strides[axis] * (2 if axis == 3 else X[axis])
    assert [layout(graph, v).offset for v in parts] == [0, step, 2 * step] and copies(graph) == 0


def test_ragged_parts_make_the_whole_plain() -> None:
    def make(b: Build) -> str:
        x = b.input(*X)
        return b("relu", b(Concat(3), conv(b, x, 7), conv(b, x, 8)))

    graph, _ = laid_out(make)
    assert layout(graph, "v2") == Layout.linear((2, 6, 8, 15))
    assert layout(graph, "v1") == Layout((720, 120, 15, 1), 7) and copies(graph) == 0


def test_a_ragged_last_part_leaves_the_whole_in_blocks() -> None:
    def make(b: Build) -> str:
        x = b.input(*X)
        return b("relu", b(Concat(3), conv(b, x, 8), conv(b, x, 7)))

    assert layout(laid_out(make)[0], "v2") == Layout.blocked((2, 6, 8, 15), 4)


def test_concatenations_in_one_another_share_a_home() -> None:
    def make(b: Build) -> str:
        x = b.input(*X)
        inner = b(Concat(3), conv(b, x, 4), conv(b, x, 4))
        return conv(b, b(Concat(3), b(Concat(3), conv(b, x, 4), inner), conv(b, x, 4)))

    graph, _ = laid_out(make)
    assert {graph.value(v).home for v in ("v0", "v1", "v2", "v3", "v4", "v5")} == {"v6"} and copies(graph) == 0


def test_a_dense_block_grows_in_place() -> None:
    """Each layer reads all that came before it, and all of it lies where it was written."""
    def make(b: Build) -> str:
        x = conv(b, b.input(*X), 4)
        for _ in range(3):
            x = b(Concat(3), x, b("relu", conv(b, x, 4)))
        return conv(b, x)

    graph, _ = laid_out(make)
    assert copies(graph) == 0 and len({graph.value(v).home for n in graph.nodes() if isinstance(n.op, Concat) for v in n.inputs}) == 1


@pytest.mark.parametrize(("make", "copied"), [
    (lambda b: b(Concat(1), b.input(*X), b.input(*X)), [0, 1]),
    (lambda b: (lambda y: b(Concat(1), y, y))(b("relu", b.input(*X))), [1]),
    (lambda b: b(Concat(1), b("relu", b.input(*X)), b.constant(*X)), [1]),
    (lambda b: (lambda y: [b(Concat(1), y, b("tanh", y)), y])(b("relu", b.input(*X))), [0]),
    (lambda b: (lambda y: [b(Concat(1), y, b("tanh", y)), b(Concat(2), y, b("abs", y))])(b("relu", b.input(*X))), [0]),
    (lambda b: b(Concat(1), b(Slice((0,) * 4, (2, 3, 8, 3), (1,) * 4), b("relu", b.input(*X))), b("tanh", b.input(*X))), [0]),
])  # fmt: skip
def test_operands_with_a_place_of_their_own_are_copied(make: Make, copied: list[int]) -> None:
    graph, events = laid_out(make)
    assert [e.split(",")[0] for e in events if "is copied: it has a place of its own" in e] == [f"not place: operand {k}" for k in copied]
    assert copies(graph) == len(copied)


# -- views


@pytest.mark.parametrize("slice", [
    Slice((0, 1, 2, 0), (2, 4, 3, 8), (1, 1, 1, 1)),
    Slice((1, 0, 0, 0), (1, 3, 4, 8), (1, 2, 2, 1)),
    Slice((0, 0, 0, 4), (2, 6, 8, 4), (1, 1, 1, 1)),
    Slice((0, 0, 0, 0), (2, 6, 8, 4), (1, 1, 1, 1)),
], ids=str)  # fmt: skip
def test_a_slice_of_whole_blocks_is_a_view(slice: Slice) -> None:
    graph, events = laid_out(lambda b: conv(b, b(slice, conv(b, b.input(*X)))))
    assert graph.value("v1").home == "v0" and is_view(graph, graph.node("n1"))
    assert events == ["place: 'v1' is a view of 'v0'"]


@pytest.mark.parametrize("slice", [
    Slice((0, 0, 0, 2), (2, 6, 8, 4), (1, 1, 1, 1)),
    Slice((0, 0, 0, 0), (2, 6, 8, 3), (1, 1, 1, 1)),
    Slice((0, 0, 0, 0), (2, 6, 8, 4), (1, 1, 1, 2)),
    Slice((0, 5, 0, 0), (2, 6, 8, 8), (1, -1, 1, 1)),
], ids=str)  # fmt: skip
def test_other_slices_are_moved(slice: Slice) -> None:
    graph, _ = laid_out(lambda b: conv(b, b(slice, conv(b, b.input(*X)))))
    assert graph.value("v1").home is None and not is_view(graph, graph.node("n1"))


def test_a_reshape_of_plain_memory_is_a_view() -> None:
    graph, _ = laid_out(lambda b: b(Softmax(1), b(Reshape((2, 144)), b.input(*X))))
    assert graph.value("v0").home == "x0" and is_view(graph, graph.node("n0"))


def test_an_image_that_is_only_reshaped_is_written_plainly() -> None:
    graph, _ = laid_out(lambda b: b(Softmax(1), b(Reshape((2, 336)), conv(b, b.input(*X), 7))))
    assert layout(graph, "v0") == Layout.linear((2, 6, 8, 7)) and graph.value("v1").home == "v0" and copies(graph) == 0


def test_a_vector_of_whole_blocks_is_reshaped_for_free() -> None:
    """[2,1,1,8] in blocks of 4 lies in row-major order."""
    graph, _ = laid_out(lambda b: b(Softmax(1), b(Reshape((2, 8)), b(Reduce("mean", (1, 2), True), conv(b, b.input(*X))))))
    assert graph.value("v2").home == "v1" and layout(graph, "v1").axis == 3


def test_a_producer_writes_through_a_reshape_into_the_output() -> None:
    graph, events = laid_out(lambda b: b(Reshape((2, 48, 7)), conv(b, b.input(*X), 7)))
    assert graph.value("v0").home == "v1" and is_view(graph, graph.node("n1"))
    assert events == ["place: 'v0' is written where the result lies"]


def test_a_producer_writes_through_a_transpose_into_the_output() -> None:
    graph, events = laid_out(lambda b: b(Transpose((0, 3, 1, 2)), conv(b, b.input(*X), 7)))
    assert graph.value("v0").home == "v1" and is_view(graph, graph.node("n1"))
    assert layout(graph, "v0") == Layout((336, 8, 1, 48)) and events == ["place: 'v0' is written where the result lies"]


def test_detection_heads_meet_in_one_output() -> None:
    """Convolution, reshape, concatenation: everything is written where the user will read it."""
    def make(b: Build) -> str:
        x = b.input(1, 4, 4, 8)
        small = b(Pool2D("max", (2, 2), (2, 2)), x)
        return b(Concat(1), b(Reshape((1, 48, 2)), conv(b, x, 6)), b(Reshape((1, 12, 2)), conv(b, small, 6)))

    graph, _ = laid_out(make)
    assert copies(graph) == 0 and [is_view(graph, n) for n in graph.nodes() if isinstance(n.op, Reshape)] == [True, True]


@pytest.mark.parametrize("make", [
    lambda b: (lambda y: [b(Reshape((2, 48, 7)), y), b("relu", y)])(conv(b, b.input(*X), 7)),
    lambda b: (lambda y: [b(Transpose((0, 3, 1, 2)), y), y])(conv(b, b.input(*X), 7)),
    lambda b: b(Transpose((0, 3, 1, 2)), b(Slice((0,) * 4, (2, 3, 8, 7), (1,) * 4), conv(b, b.input(*X), 7))),
    lambda b: b(Transpose((1, 0)), b(Softmax(1), b.input(3, 5))),
])  # fmt: skip
def test_what_others_read_or_cannot_be_scattered_is_not_written_through(make: Make) -> None:
    _, events = laid_out(make)
    assert not any("is written where the result lies" in e for e in events)


@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 8, 16]), st.booleans())
@settings(max_examples=120, deadline=None, derandomize=True, database=None)
def test_everything_is_found_where_it_lies(seed: int, lanes: int, optimised: bool) -> None:
    b = by_chance(seed, random.Random(seed).randint(1, 12))
    target = Target("test", "cpu", lanes, 2, 32, 100, 20, 2)
    graph = passes.run(b.graph, target, pipeline=passes.PIPELINE if optimised else passes.PIPELINE[-1:])
    assert_equal_meaning(b.graph, graph, b.feed)
    simulate(graph, b.feed)


def test_a_copy_is_no_view() -> None:
    graph, _ = laid_out(lambda b: b(Copy(), b.input(*X)))
    assert not is_view(graph, graph.node("n0"))
