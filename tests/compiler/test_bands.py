"""Chains of launches, computed band by band: which rows a band needs, where chains are made, and that they compute the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyopencl as cl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.compiler import bands, memory, passes
from planish.compiler.bands import Tiling, banded
from planish.compiler.driver import compile_graph
from planish.compiler.ir import Graph
from planish.compiler.lower import Chain, Launch, Schedule, lower
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.pool import Pool2D
from planish.compiler.targets import Target, named
from planish.runtime import Session
from tests.graphs import Build

SMALL = replace(named("cpu"), cache=500_000)
"""A CPU of so little cache that images of a test do not stay in it."""
PROPERTY = settings(max_examples=300, deadline=None, derandomize=True, database=None)


@st.composite
def tilings(draw: st.DrawFn) -> Tiling:
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    if draw(st.booleans()):
        return Tiling(height, width, 1, draw(st.integers(1, height * width)), flat=True, inputs=height)
    rows, columns = draw(st.integers(1, height)), draw(st.integers(1, width))
    stride, reach = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    pad = draw(st.integers(0, reach - 1))
    return Tiling(height, width, rows, columns, False, stride, pad, reach, max((height - 1) * stride + reach - 2 * pad, 1))


def pixels(t: Tiling, tile: int) -> list[tuple[int, int]]:
    """What a tile computes: the last ones are shifted back to end at the edge."""
    if t.flat:
        first = min(tile * t.columns, t.height * t.width - t.columns)
        return [divmod(p, t.width) for p in range(first, first + t.columns)]
    y, x = min(tile // t.across * t.rows, t.height - t.rows), min(tile % t.across * t.columns, t.width - t.columns)
    return [(y + r, x + c) for r in range(t.rows) for c in range(t.columns)]


def stored(t: Tiling, tile: int) -> list[tuple[int, int]]:
    """What a tile stores: not what its neighbour does."""
    if t.flat:
        return [(y, x) for y, x in pixels(t, tile) if y * t.width + x >= tile * t.columns]
    return [(y, x) for y, x in pixels(t, tile) if y >= tile // t.across * t.rows and x >= tile % t.across * t.columns]


@PROPERTY
@given(tilings(), st.data())
def test_rows_of_tiles(t: Tiling, data: st.DataObject) -> None:
    every = [stored(t, tile) for tile in range(t.count)]
    assert sorted(p for tile in every for p in tile) == [(y, x) for y in range(t.height) for x in range(t.width)]
    first = data.draw(st.integers(0, t.height - 1))
    rows = first, data.draw(st.integers(first + 1, t.height))
    begin, end = t.tiles(rows)
    assert {y for tile in every[begin:end] for y, _ in tile} >= set(range(*rows))
    low, high = t.stored((begin, end))
    assert {y for tile in every[begin:end] for y, _ in tile} <= set(range(low, high))
    seen = {y * t.stride - t.pad + k for tile in range(begin, end) for y, _ in pixels(t, tile) for k in range(t.reach)}
    least, most = t.needed((begin, end))
    assert {y for y in seen if 0 <= y < t.inputs} <= set(range(least, most))


def inverted_residual(images: int = 1, size: int = 80, channels: int = 17) -> Build:
    """Expansion, depthwise and projection, around them a first layer, a residual and a pooling."""
    b = Build()
    x = b("relu", b(Conv2D((2, 2), ((0, 1), (1, 0))), b.input(images, 2 * size, 2 * size, 3), b.constant(channels, 3, 3, 3)))
    y = b("relu", b("add", b(Conv2D(), x, b.constant(6 * channels, 1, 1, channels)), b.constant(6 * channels)))
    y = b("relu", b(Conv2D(pads=((1, 1), (1, 1)), groups=6 * channels), y, b.constant(6 * channels, 3, 3, 1)))
    y = b("add", b(Conv2D(), y, b.constant(channels, 1, 1, 6 * channels)), x)
    y = b(Pool2D("max", (3, 3), (2, 2), ((1, 1), (1, 1))), b("tanh", b(Conv2D(), y, b.constant(35, 1, 1, channels))))
    b.returns(b(Conv2D(pads=((2, 0), (0, 2))), y, b.constant(33, 3, 3, 35)))
    return b


def chains(graph: Graph) -> list[Chain]:
    schedule = banded(lower(passes.run(graph, SMALL), SMALL), SMALL)
    return [step for step in schedule.launches if isinstance(step, Chain)]


def test_chains_where_images_are_large() -> None:
    found = chains(inverted_residual(size=112).graph)
    templates = [[launch.kernel.template for launch in chain.launches] for chain in found]
    assert any({"conv_pointwise", "conv_depthwise"} <= set(each) for each in templates)
    assert all(chain.workers >= SMALL.units for chain in found)
    assert not chains(inverted_residual(size=8).graph), "small images stay in the caches"


def test_none_where_launches_are_not_joined() -> None:
    target = replace(SMALL, megakernel=False)
    schedule = lower(passes.run(inverted_residual().graph, target), target)
    assert banded(schedule, target) is schedule


def test_what_others_read_is_no_link() -> None:
    b = Build()
    x = b(Conv2D(), b("relu", b.input(1, 64, 64, 16)), b.constant(64, 1, 1, 16))
    y = b(Conv2D(pads=((1, 1), (1, 1)), groups=64), x, b.constant(64, 3, 3, 1))
    b.returns(y, b(Pool2D("max", (2, 2), (2, 2)), x))
    assert not chains(b.graph)


def every_chain(schedule: Schedule, count: int, most: int) -> Schedule:
    """The schedule with chains wherever they can be, not only where they should save time."""
    steps, at = list[object](), 0
    while at < len(schedule.launches):
        length = 1
        while length < most and bands._linked(schedule, *(*schedule.launches[at + length - 1 : at + length + 1], None)[:2]):
            length += 1
        chain = bands._chain(schedule.launches[at : at + length], count) if length > 1 else None  # type: ignore[arg-type]
        steps.append(chain or schedule.launches[at])
        at += length if chain else 1
    return Schedule(schedule.graph, tuple(steps))  # type: ignore[arg-type]


@pytest.mark.device
@pytest.mark.parametrize("seed", range(5))
def test_chains_of_whatever_is_chosen(device: cl.Device, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a tuner may choose: any candidate of any launch, in any number of bands."""
    rng = np.random.default_rng(seed)

    def chosen(schedule: Schedule, target: Target) -> Schedule:
        launches = tuple(step.choose(int(rng.integers(len(step.candidates)))) for step in schedule.launches if isinstance(step, Launch))
        return every_chain(Schedule(schedule.graph, launches), int(rng.integers(1, 12)), 9)

    b = inverted_residual(size=19)
    plain = compile_graph(b.graph, replace(SMALL, cache=0))
    monkeypatch.setattr("planish.compiler.driver.banded", chosen)
    with Session(compile_graph(b.graph, SMALL), device) as chained, Session(plain, device) as apart:
        expected = apart.run(b.feed)
        for name, result in chained.run(b.feed).items():
            np.testing.assert_allclose(result, expected[name], rtol=1e-4, atol=1e-4 * np.abs(expected[name]).max())


@pytest.mark.device
@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize(("count", "most"), [(1, 2), (2, 3), (3, 9), (7, 9), (20, 4)])
@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_the_same_numbers(device: cl.Device, images: int, count: int, most: int, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    b = inverted_residual(images, size=21)
    plain = compile_graph(b.graph, replace(SMALL, cache=0), precision=precision)
    monkeypatch.setattr("planish.compiler.driver.banded", lambda schedule, target: every_chain(schedule, count, most))
    plan = compile_graph(b.graph, SMALL, precision=precision)
    assert any("bands of" in step.variant for step in plan.launches)  # type: ignore[union-attr]
    with Session(plan, device) as chained, Session(plain, device) as apart:
        expected = apart.run(b.feed)
        for _ in range(2):
            for name, result in chained.run(b.feed).items():
                np.testing.assert_array_equal(result, expected[name])


def test_what_a_chain_touches_lives_at_the_same_time() -> None:
    schedule = every_chain(lower(passes.run(inverted_residual().graph, SMALL), SMALL), 4, 9)
    arena = memory.assign(schedule, 64)
    (chain,) = (step for step in schedule.launches if isinstance(step, Chain) and len(step.launches) > 2)
    names = {memory.home(schedule.graph, v) for launch in chain.launches for v in (*launch.site.node.operands, launch.site.node.output)}
    spans = sorted((arena.offsets[n], arena.offsets[n] + arena.sizes[n]) for n in names if n in arena.offsets)
    assert len(spans) >= 3 and all(end <= start for (_, end), (start, _) in pairwise(spans))
