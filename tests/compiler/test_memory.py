"""The arena: buffers that live at the same time do not overlap, and little is wasted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.compiler import memory, passes
from planish.compiler.ir import Graph, Node, TensorType
from planish.compiler.lower import Launch, lower
from planish.compiler.memory import Arena
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.movement import Concat, Reshape
from planish.compiler.targets import named
from tests.graphs import Build, by_chance, simulate

PROPERTY = settings(max_examples=80, deadline=None, derandomize=True, database=None)
LAYOUT = passes.PIPELINE[-1:]


def placed(graph: Graph, precision: str = "f32", alignment: int = 64) -> tuple[Graph, Arena]:
    """The graph laid out, unfused, and its arena."""
    graph = passes.run(graph, named("generic"), pipeline=LAYOUT)
    return graph, memory.assign(lower(graph, named("generic"), precision), alignment)


def convolutions(b: Build, x: str, count: int) -> str:
    for _ in range(count):
        x = b(Conv2D(), x, b.constant(8, 1, 1, b.shape(x)[3]))
    return x


IMAGE = 4 * 4 * 8 * 4
"""Bytes of [1,4,4,8]."""


def test_a_chain_takes_turns() -> None:
    b = Build()
    graph, arena = placed(b.returns(convolutions(b, b.input(1, 4, 4, 8), 6)))
    assert len(arena.offsets) == 5 and arena.nbytes == arena.lower_bound == 2 * IMAGE
    assert [arena.offsets[f"v{k}"] for k in range(5)] == [0, IMAGE, 0, IMAGE, 0]
    simulate(graph, b.feed, arena)


def test_a_residual_lives_on() -> None:
    b = Build()
    x = convolutions(b, b.input(1, 4, 4, 8), 1)
    graph, arena = placed(b.returns(convolutions(b, b("add", x, convolutions(b, x, 2)), 1)))
    assert arena.nbytes == arena.lower_bound == 3 * IMAGE
    simulate(graph, b.feed, arena)


def test_inputs_and_outputs_have_buffers_of_their_own() -> None:
    b = Build()
    _, arena = placed(b.returns(convolutions(b, b.input(1, 4, 4, 8), 1)))
    assert arena == Arena({}, {}, {}, 0, 0)


def test_a_result_takes_the_place_of_an_operand_that_ends_with_it() -> None:
    b = Build()
    x = convolutions(b, b.input(1, 4, 4, 8), 1)
    total = b("add", x, y := convolutions(b, x, 1))
    graph, arena = placed(b.returns(convolutions(b, total, 1)))
    assert arena.offsets[total] == arena.offsets[x] != arena.offsets[y] and arena.lives[x][1] + 1 == arena.lives[total][0]
    assert arena.nbytes == arena.lower_bound == 2 * IMAGE
    simulate(graph, b.feed, arena)


def test_an_operand_that_is_still_read_keeps_its_place() -> None:
    b = Build()
    x = convolutions(b, b.input(1, 4, 4, 8), 1)
    total = b("add", x, b.constant(1, 1, 1, 8))
    graph, arena = placed(b.returns(convolutions(b, total, 1), convolutions(b, x, 1)))
    assert arena.offsets[total] != arena.offsets[x]
    simulate(graph, b.feed, arena)


@pytest.mark.parametrize("other", [(4, 4, 1), (1, 1, 8)])
def test_an_operand_that_is_repeated_keeps_its_place(other: tuple[int, ...]) -> None:
    """Its elements are read by several work-items."""
    b = Build()
    x, y = convolutions(b, b.input(1, 4, 4, 8), 1), b("neg", b.input(1, *other))
    graph, arena = placed(b.returns(convolutions(b, b("add", y, x), 1)))
    assert arena.nbytes > IMAGE
    simulate(graph, b.feed, arena)


def test_what_a_convolution_sums_over_is_not_overwritten() -> None:
    """The epilogue adds what the convolution itself reads."""
    b = Build()
    x = convolutions(b, b.input(1, 4, 4, 8), 1)
    graph = passes.run(b.returns(convolutions(b, b("add", convolutions(b, x, 1), x), 1)), named("cpu"))
    schedule = lower(graph, named("cpu"))
    (added,) = (launch.site for launch in schedule.launches if isinstance(launch, Launch) and launch.site.node.epilogue)
    arena = memory.assign(schedule, 64)
    assert x in added.node.inputs and arena.offsets[added.node.output] != arena.offsets[x]


def test_a_node_may_be_named_as_its_result() -> None:
    """What its kernel keeps for itself does not lie where the result does."""
    graph, value = Graph(), "x"
    graph.add_input("x", TensorType((1, 56, 56, 64), np.dtype(np.float32)))
    w = graph.add_constant(np.random.default_rng(0).standard_normal((64, 3, 3, 64)).astype(np.float32))
    for name in "abc":
        value = graph.add_node(Node(name, Conv2D(pads=((1, 1), (1, 1))), (value, w), (name,))).output
    graph.outputs["y"] = graph.add_node(Node("y", Conv2D(pads=((1, 1), (1, 1))), (graph.add_node(
        Node("s", Elementwise("add"), ("a", "c"), ("s",))).output, w), ("y",))).output
    schedule = lower(passes.run(graph, named("cpu"), pipeline=LAYOUT), named("cpu"))
    arena = memory.assign(schedule, 64)
    for launch in schedule.launches:
        assert isinstance(launch, Launch)
        if launch.kernel.scratch and launch.site.node.output in arena.offsets:
            begin, result = arena.scratch[launch.site.node.name], arena.offsets[launch.site.node.output]
            assert begin + launch.kernel.scratch <= result or result + arena.sizes[launch.site.node.output] <= begin
    assert set(arena.scratch) >= {"a", "b", "c"} and arena.offsets["s"] == arena.offsets["a"] and arena.lives["a"] == (0, 2)


def test_parts_share_the_buffer_of_the_whole() -> None:
    b = Build()
    x = b.input(1, 4, 4, 8)
    both = b(Concat(3), convolutions(b, x, 1), convolutions(b, x, 1))
    graph, arena = placed(b.returns(convolutions(b, both, 1)))
    assert arena.sizes == {both: 2 * IMAGE} and arena.nbytes == 2 * IMAGE
    assert all(memory.home(graph, v) == both for v in ("v0", "v1", both)) and memory.home(graph, "x0") == "x0"
    simulate(graph, b.feed, arena)


def test_a_view_keeps_its_home_alive() -> None:
    b = Build()
    x = b("neg", b.input(2, 32))
    view = b(Reshape((64,)), x)
    graph, arena = placed(b.returns(b("add", view, b(Reshape((64,)), b("tanh", b("tanh", x))))))
    simulate(graph, b.feed, arena)


def test_sizes_are_aligned_and_halved_with_the_storage() -> None:
    b = Build()
    graph = b.returns(convolutions(b, b.input(1, 3, 3, 8), 2))
    for precision, itemsize in (("f32", 4), ("f16", 2)):
        _, arena = placed(graph, precision, alignment=512)
        assert arena.sizes["v0"] == -(-3 * 3 * 8 * itemsize // 512) * 512


@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 64, 512]), st.booleans())
@PROPERTY
def test_by_chance(seed: int, alignment: int, optimised: bool) -> None:
    b = by_chance(seed, 10)
    graph = passes.run(b.graph, named("cpu"), pipeline=passes.PIPELINE if optimised else LAYOUT)
    arena = memory.assign(lower(graph, named("cpu")), alignment)
    assert arena.nbytes >= arena.lower_bound
    assert all(offset % alignment == 0 for offset in arena.offsets.values())
    simulate(graph, b.feed, arena)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12), st.integers(1, 9)), max_size=60))
@PROPERTY
def test_buffers_that_live_together_lie_apart(lives: list[tuple[int, int, int]]) -> None:
    first = {f"b{k}": start for k, (start, _, _) in enumerate(lives)}
    last = {f"b{k}": start + length for k, (start, length, _) in enumerate(lives)}
    sizes = {f"b{k}": 64 * size for k, (_, _, size) in enumerate(lives)}
    offsets = memory._place(first, last, sizes)
    grid = np.zeros((44, 64 * sum(s for _, _, s in lives) + 1), bool)
    for name, offset in offsets.items():
        block = grid[first[name] : last[name] + 1, offset : offset + sizes[name]]
        assert offset >= 0 and not block.any(), f"{name} overlaps another buffer"
        block[:] = True
    assert list(offsets) and set(offsets) == set(first) if lives else offsets == {}


@pytest.mark.parametrize(("lives", "nbytes"), [
    ([(0, 1, 100), (1, 2, 100), (2, 3, 100)], 200),
    ([(0, 9, 10), (0, 1, 100), (2, 3, 100), (4, 5, 90)], 110),
    ([(0, 3, 2), (0, 1, 6), (2, 3, 5), (1, 2, 1), (2, 2, 1)], 9),
    ([(0, 3, 50), (0, 0, 30), (1, 1, 30), (2, 2, 20), (2, 3, 10)], 80),
])  # fmt: skip
def test_gaps_are_filled(lives: list[tuple[int, int, int]], nbytes: int) -> None:
    first, last, sizes = ({f"b{k}": life[field] for k, life in enumerate(lives)} for field in range(3))
    offsets = memory._place(first, last, sizes)
    assert max(offsets[n] + sizes[n] for n in sizes) == nbytes


def test_order_of_the_arena_is_reproducible() -> None:
    make: Callable[[], Arena] = lambda: placed(by_chance(7, 12).graph)[1]  # noqa: E731
    assert make() == make()
