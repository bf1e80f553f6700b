"""No-ops go, and what only looks like one stays. Every case holds to the bit, for NaN, infinities and -0 too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from planish.compiler.ops.elementwise import Cast, Elementwise
from planish.compiler.ops.movement import Broadcast, Concat, Copy, Pad, Reshape, Slice, Tile, Transpose
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.resize import Resize2D
from planish.compiler.passes import prune
from tests.graphs import Build, ops, rewritten

INF = np.inf
SHAPE = (1, 4, 5, 3)
SPECIAL = [np.nan, INF, -INF, -0.0, 0.0, 1e-42, -1e-42, 3e38]
CLIP = Elementwise("clip", (-INF, INF))


def special(b: Build, *shape: int) -> str:
    """An input that holds every special number."""
    x = b.input(*shape)
    b.feed[x].flat[: len(SPECIAL)] = SPECIAL
    return x


NO_OPS: list[tuple[Any, tuple[Any, ...]]] = [
    # op, constant operands behind x
    (Copy(), ()),
    ("identity", ()),
    (CLIP, ()),
    ("add", (0,)),
    ("add", (np.zeros(3),)),
    ("sub", (-0.0,)),
    ("mul", (1,)),
    ("mul", (np.ones((4, 1, 3)),)),
    ("div", (1,)),
    ("pow", (1,)),
    (Cast(np.dtype(np.float32)), ()),
    (Reshape(SHAPE), ()),
    (Broadcast(SHAPE), ()),
    (Tile((1, 1, 1, 1)), ()),
    (Transpose((0, 1, 2, 3)), ()),
    (Slice((0, 0, 0, 0), SHAPE, (1, 1, 1, 1)), ()),
    (Concat(3), ()),
    (Pad(((0, 0),) * 4, "constant", 7.0), ()),
    (Pool2D("max", (1, 1)), ()),
    (Pool2D("average", (1, 1)), ()),
]


@pytest.mark.parametrize(("op", "constants"), NO_OPS, ids=str)
def test_no_op(op: Any, constants: tuple[Any, ...]) -> None:
    graph, events = rewritten(prune.RULES, lambda b: b("neg", b(op, special(b, *SHAPE), *map(b.array, constants))), exact=True)
    assert ops(graph) == ["neg"] and events == ["prune_no_op: pruned"]


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("coordinates", ["half_pixel", "align_corners", "asymmetric"])
def test_resize_to_the_same_size(mode: Any, coordinates: str) -> None:
    graph, _ = rewritten(prune.RULES, lambda b: b(Resize2D((4, 5), mode, (1.0, 1.0), coordinates), b.input(*SHAPE)), exact=True)
    assert ops(graph) == []


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_that_moves_within_the_same_size_stays(mode: Any) -> None:
    """floor(5 * 1.19) = 5, but the positions are those of the scale."""
    graph, _ = rewritten(prune.RULES, lambda b: b(Resize2D((4, 5), mode, (1.24, 1.19), "asymmetric"), b.input(*SHAPE)))
    assert ops(graph) == ["Resize2D"]


STAYS: list[Callable[[Build], str]] = [
    lambda b: b("add", b.input(*SHAPE), b.array([0, 0, 1e-30])),
    lambda b: b("mul", b.input(*SHAPE), b.array(np.nan)),
    lambda b: b("mul", special(b, *SHAPE), b.array(0)),
    lambda b: b("sub", b.array(0), b.input(*SHAPE)),
    lambda b: b("div", b.array(1), special(b, *SHAPE)),
    lambda b: b("pow", b.array(1), b.input(*SHAPE)),
    lambda b: b("add", b.input(1, 4, 1, 3), b.array(np.zeros((1, 4, 5, 3)))),
    lambda b: b("add", b.input(*SHAPE), b.input(*SHAPE)),
    lambda b: b(Elementwise("clip", (-INF, 6.0)), special(b, *SHAPE)),
    lambda b: b(Cast(np.dtype(np.float16)), b.input(*SHAPE)),
    lambda b: b(Transpose((0, 2, 1, 3)), b.input(1, 4, 4, 3)),
    lambda b: b(Slice((0, 3, 0, 0), SHAPE, (1, -1, 1, 1)), b.input(*SHAPE)),
    lambda b: b(Pad(((0, 0), (1, -1), (0, 0), (0, 0))), b.input(*SHAPE)),
    lambda b: b(Pool2D("max", (3, 3), pads=((1, 1), (1, 1))), b.input(*SHAPE)),
]


@pytest.mark.parametrize("make", STAYS, ids=range(len(STAYS)))
def test_stays(make: Callable[[Build], str]) -> None:
    graph, events = rewritten(prune.RULES, make, exact=True)
    assert len(graph) == 1 and events == []


def test_no_ops_between_an_input_and_outputs() -> None:
    def make(b: Build) -> list[str]:
        x = b.input(2, 3)
        y = b("identity", x)
        return [y, b(Copy(), y), b("relu", y)]

    graph, events = rewritten(prune.RULES, make, exact=True)
    assert ops(graph) == ["relu"] and len(events) == 2
    assert graph.outputs["y0"] == graph.outputs["y1"] == graph.inputs[0]


@pytest.mark.parametrize("fn", prune.IDEMPOTENT)
def test_repetition(fn: str) -> None:
    graph, events = rewritten(prune.RULES, lambda b: b(fn, b(fn, b(fn, special(b, *SHAPE)))), exact=True)
    assert ops(graph) == [fn] and set(events) == {"prune_repeated: pruned: it repeats the op before it"}


@pytest.mark.parametrize("bounds", [(0.0, 6.0), (0.5, INF), (2.0, 1.0)])
def test_clip_after_relu(bounds: tuple[float, float]) -> None:
    graph, events = rewritten(prune.RULES, lambda b: b(Elementwise("clip", bounds), b("relu", special(b, *SHAPE))), exact=True)
    assert ops(graph) == ["clip"] and events == ["prune_repeated: relu before it pruned"]


@pytest.mark.parametrize("pair", [("relu", Elementwise("clip", (-1.0, 1.0))), ("relu", "abs"), ("neg", "neg"), ("sigmoid", "sigmoid")])
def test_pairs_that_do_something(pair: tuple[Any, Any]) -> None:
    graph, _ = rewritten(prune.RULES, lambda b: b(pair[1], b(pair[0], special(b, *SHAPE))), exact=True)
    assert len(graph) == 2


def test_reshapes_merge() -> None:
    def make(b: Build) -> str:
        return b(Reshape((5, 12)), b(Reshape((60,)), b(Reshape((3, 20)), b.input(*SHAPE))))

    graph, events = rewritten(prune.RULES, make, exact=True)
    assert ops(graph) == ["Reshape"] and events == ["merge_reshapes: merged with the reshape before it"] * 2


def test_reshapes_there_and_back_vanish() -> None:
    graph, _ = rewritten(prune.RULES, lambda b: b("neg", b(Reshape(SHAPE), b(Reshape((60,)), b.input(*SHAPE)))), exact=True)
    assert ops(graph) == ["neg"]
