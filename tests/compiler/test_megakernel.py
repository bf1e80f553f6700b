"""Launches joined in one kernel: which stages wait for which, what is joined, and that it computes the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyopencl as cl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.compiler import megakernel
from planish.compiler.driver import compile_graph
from planish.compiler.kernel import Kernel
from planish.compiler.megakernel import _Order, _Sharing, joins
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.softmax import Softmax
from planish.compiler.targets import named
from planish.runtime import Session, stages
from planish.runtime.plan import Argument, Launch, Plan
from tests.graphs import Build, by_chance

CPU = named("cpu")
PROPERTY = settings(max_examples=200, deadline=None, derandomize=True, database=None)
PLACES = st.builds(Argument, st.sampled_from(["arena", "output", "weights", "input"]), st.integers(0, 1),
                   st.integers(0, 20).map(lambda n: 512 * n), st.integers(1, 4000))


def overlap(a: Argument, b: Argument) -> bool:
    """Whether two arguments share a grain of 512 bytes of something that changes."""
    same = (a.buffer, a.index) == (b.buffer, b.index) and a.buffer not in ("weights", "input")
    return same and a.offset // 512 <= (b.offset + b.nbytes - 1) // 512 and b.offset // 512 <= (a.offset + a.nbytes - 1) // 512


@PROPERTY
@given(st.lists(st.tuples(st.lists(PLACES, max_size=3), PLACES), max_size=12))
def test_a_stage_waits_for_all_that_it_meets(launches: list[tuple[list[Argument], Argument]]) -> None:
    order = _Order()
    for stage, (reads, result) in enumerate(launches):
        found = order.add(stage, [*reads, result], [result])
        met = [k for k, (theirs, written) in enumerate(launches[:stage])
               if any(overlap(result, a) for a in (*theirs, written)) or any(overlap(written, a) for a in reads)]
        assert found == max(met, default=-1) + 1


def test_branches_do_not_wait_for_each_other() -> None:
    arena = [Argument("arena", 0, 512 * k, 512) for k in range(4)]
    order = _Order()
    launches = [(0, 1), (0, 2), (1, 3), (2, 0)]
    assert [order.add(k, [arena[x], arena[y]], [arena[y]]) for k, (x, y) in enumerate(launches)] == [0, 0, 1, 2]


def kernel(grid: tuple[int, ...], group: tuple[int, ...] | None) -> Kernel:
    return Kernel("map", {}, (), grid, group)


def test_workers_have_their_part_of_what_is_larger() -> None:
    x, few, many = Argument("arena", 0, 0, 1000), Argument("weights", 0, 0, 10), Argument("weights", 0, 0, 5000)
    tiled = kernel((4, 3, 2), (1, 1, 1))
    assert _Sharing(2).add(tiled, [x, few], [], False)
    assert not _Sharing(2).add(tiled, [x, many], [], False)
    assert not _Sharing(2).add(kernel((4, 3, 2), None), [x, few], [], False)


@pytest.mark.parametrize("nbytes", [10, 5000])
def test_what_takes_channels_one_by_one_is_shared_as_its_operand(nbytes: int) -> None:
    x, between, y = (Argument("arena", 0, 1024 * k, 1000) for k in range(3))
    sharing, tiled = _Sharing(2), kernel((4, 3, 2), (1, 1, 1))
    depthwise = replace(tiled, channelwise=True)
    weights = Argument("weights", 0, 0, nbytes)
    assert sharing.add(tiled, [x, weights, between], [between], False) == sharing.add(depthwise, [between, y], [y], False)
    assert sharing.add(depthwise, [x, y], [y], False), "nobody stored what it reads: activations are larger"


def test_bands_share_pixels() -> None:
    x, y, weights = Argument("arena", 0, 0, 1000), Argument("arena", 0, 1024, 1000), Argument("weights", 0, 0, 5000)
    sharing = _Sharing(2)
    sharing.note([x], by_pixels=True)
    assert sharing.add(replace(kernel((4, 3, 2), (1, 1, 1)), channelwise=True), [x, weights, y], [y], False)


@pytest.mark.parametrize(("columns", "by_pixels"), [(3, True), (4, False)])
def test_what_is_read_channel_by_channel_is_shared_by_channels(columns: int, by_pixels: bool) -> None:
    x, y = Argument("arena", 0, 0, 1000), Argument("arena", 0, 1024, 1000)
    assert _Sharing(2).add(kernel((4, columns, 1), (1, 1, 1)), [x, y], [y], True) == by_pixels


@pytest.mark.parametrize(("group", "expected"), [(None, True), ((1, 1, 1), True), ((1,), True), ((8, 1, 1), False)])
def test_what_joins(group: tuple[int, ...] | None, expected: bool) -> None:
    assert joins(kernel((8, 1, 1), group)) == expected


def images(b: Build) -> str:
    x = b(Conv2D(pads=((1, 1), (1, 1))), b.input(2, 13, 11, 5), b.constant(33, 3, 3, 5))
    left, right = b("relu", x), b(Pool2D("max", (3, 3), (1, 1), ((1, 1), (1, 1))), x)
    return b(Softmax(3), b(Conv2D(), b("add", left, right), b.constant(17, 1, 1, 33)))


def both(b: Build, result: str) -> tuple[Plan, Plan]:
    """The plan of one kernel, and that of a kernel for each launch."""
    graph = b.returns(result)
    one, each = (compile_graph(graph, replace(CPU, megakernel=joined)) for joined in (True, False))
    assert [k.stages for k in one.kernels] == [len(one.launches)] and all(k.stages == 0 for k in each.kernels)
    assert [s.stage for s in one.launches if isinstance(s, Launch)] == list(range(len(one.launches)))
    assert one.version == 4 and each.version == 1
    return one, each


@pytest.mark.device
@pytest.mark.parametrize("workers", [1, 2, 7, 64])
def test_any_number_of_workers_gives_the_same(device: cl.Device, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the device has, too, of which some begin when all is done; and again, from the counters that a run left."""
    b = Build()
    one, each = both(b, images(b))
    monkeypatch.setattr(stages, "workers", lambda device: workers)
    inputs = list(b.feed.values())
    with Session(one, device) as joined, Session(each, device) as apart:
        for scale in (1, 2, 3):
            fed = [scale * x for x in inputs]
            for name, expected in apart.run(fed).items():
                np.testing.assert_array_equal(joined.run(fed)[name], expected)


@pytest.mark.device
def test_every_run_gives_the_same_bits(device: cl.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever computes an item of which branch when."""
    b = Build()
    one, each = both(b, images(b))
    inputs = list(b.feed.values())
    inputs[0][0, 3, 4, 1], inputs[0][1, 5, 6, 2] = np.nan, np.inf
    found = set()
    for plan in (one, each):
        for workers in (1, 2, 3, 5, 16):
            monkeypatch.setattr(stages, "workers", lambda device, workers=workers: workers)
            with Session(plan, device) as session:
                found |= {b"".join(array.tobytes() for array in session.run(inputs).values()) for _ in range(20)}
    assert len(found) == 1


@pytest.mark.device
@pytest.mark.parametrize("seed", range(6))
def test_graphs_by_chance(device: cl.Device, seed: int) -> None:
    b = by_chance(seed)
    one, each = (compile_graph(b.graph, replace(CPU, megakernel=joined)) for joined in (True, False))
    with Session(one, device) as joined, Session(each, device) as apart:
        expected = apart.run(b.feed)
        for _ in range(3):
            actual = joined.run(b.feed)
            for name in expected:
                np.testing.assert_array_equal(actual[name], expected[name])


@pytest.mark.device
def test_each_stage_is_timed(device: cl.Device) -> None:
    b = Build()
    one, each = both(b, images(b))
    with Session(one, device) as joined:
        timings = joined.profile(list(b.feed.values()), repeat=2)
        launches = [s for s in each.launches if isinstance(s, Launch)]
        assert [(t.variant, t.nodes, t.flops) for t in timings] == [(s.variant, s.nodes, s.flops) for s in launches]
        assert all(t.microseconds > 0 for t in timings)


def test_too_many_buffers_for_one_kernel() -> None:
    b = Build()
    b.returns(*(b("neg", b.input(2, 3)) for _ in range(megakernel.MOST_BUFFERS // 2 + 1)))
    plan = compile_graph(b.graph, CPU)
    assert all(kernel.stages == 0 for kernel in plan.kernels)
