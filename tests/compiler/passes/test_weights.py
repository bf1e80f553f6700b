"""Arithmetic on channels moves into weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.conv_transpose import ConvTranspose2D
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.movement import Shuffle
from planish.compiler.passes import fold, prune, weights
from tests.graphs import Build, ops, rewritten

ALL = (*weights.RULES, *fold.RULES, *prune.RULES)
Make = Callable[[Build], "str | Sequence[str]"]
PADS = ((1, 1), (1, 1))


def dense(b: Build) -> str:
    return b(Conv2D(pads=PADS), b.input(2, 4, 5, 6), b.constant(8, 3, 3, 6))


def depthwise(b: Build) -> str:
    return b(Conv2D((2, 2), PADS, groups=8), b.input(2, 4, 5, 8), b.constant(8, 3, 3, 1))


def grouped(b: Build) -> str:
    return b(Conv2D(pads=PADS, groups=2), b.input(2, 4, 5, 6), b.constant(8, 3, 3, 3))


def transposed(b: Build) -> str:
    return b(ConvTranspose2D((8, 10), (2, 2)), b.input(2, 4, 5, 6), b.constant(8, 3, 3, 6))


def product(b: Build) -> str:
    return b(MatMul(), b.input(2, 4, 5, 6), b.constant(6, 8))


PRODUCERS = [dense, depthwise, grouped, transposed, product]


@pytest.mark.parametrize("producer", PRODUCERS)
@pytest.mark.parametrize("shape", [(8,), (1, 1, 1, 8), (1, 8), (), (1,), (1, 1, 1, 1)], ids=str)
@pytest.mark.parametrize("turned", [False, True], ids=["y * s", "s * y"])
def test_scale(producer: Callable[[Build], str], shape: tuple[int, ...], turned: bool) -> None:
    def make(b: Build) -> str:
        y, scale = producer(b), b.constant(*shape)
        return b("mul", *((scale, y) if turned else (y, scale)))

    graph, events = rewritten(ALL, make)
    assert len(graph) == 1
    assert events == ["canonical_arithmetic: operands swapped"] * turned + ["scale_into_weights: folded into the weights of n0"]
    assert graph.nodes()[0].sources == ("n0", "n1")


@pytest.mark.parametrize("producer", PRODUCERS)
def test_batch_normalisation_leaves_a_bias(producer: Callable[[Build], str]) -> None:
    """((y + b - mean) / deviation) * gamma + beta."""
    def make(b: Build) -> str:
        y = b("sub", b("add", producer(b), b.constant(8)), b.constant(8))
        return b("add", b("mul", b("div", y, b.array(0.5 + b.rng.random(8))), b.constant(8)), b.constant(8))

    graph, _ = rewritten(ALL, make)
    assert [n.op for n in graph.nodes()][1:] == [weights.Elementwise("add")] and len(graph) == 2


def test_biases_merge() -> None:
    graph, events = rewritten(ALL, lambda b: b("add", b("add", dense(b), b.constant(8)), b.constant(1, 4, 5, 1)))
    assert ops(graph) == ["Conv2D", "add"] and events[0] == "reorder_bias: merged with the bias before it"


def test_a_scale_passes_a_bias() -> None:
    graph, events = rewritten(ALL, lambda b: b("mul", b("add", dense(b), b.constant(8)), b.array(3)))
    assert ops(graph) == ["Conv2D", "add"] and events[0] == "reorder_bias: moved in front of the bias"


def test_shared_weights_are_copied_not_changed() -> None:
    def make(b: Build) -> list[str]:
        x, w = b.input(1, 3, 3, 2), b.constant(4, 1, 1, 2)
        return [b("mul", b(Conv2D(), x, w), b.constant(4)), b(Conv2D(), x, w)]

    assert ops(rewritten(ALL, make)[0]) == ["Conv2D", "Conv2D"]


@pytest.mark.parametrize("shape", [(6,), (1, 1, 1, 6), ()], ids=str)
@pytest.mark.parametrize(("op", "w"), [
    (Conv2D(pads=PADS), (4, 3, 3, 6)),
    (Conv2D(pads=PADS, groups=6), (6, 3, 3, 1)),
    (Conv2D(groups=6), (18, 1, 1, 1)),
    (Conv2D((2, 1), PADS, groups=3), (9, 3, 3, 2)),
], ids=str)  # fmt: skip
def test_scale_before_a_convolution(shape: tuple[int, ...], op: Conv2D, w: tuple[int, ...]) -> None:
    graph, events = rewritten(ALL, lambda b: b(op, b("mul", b.input(2, 4, 5, 6), b.constant(*shape)), b.constant(*w)))
    assert ops(graph) == ["Conv2D"] and events == ["scale_before_conv: scale n0 folded into its weights"]
    assert graph.nodes()[0].sources == ("n0", "n1")


@pytest.mark.parametrize("groups", [2, 3])
def test_a_shuffle_before_a_convolution(groups: int) -> None:
    graph, events = rewritten(ALL, lambda b: b(Conv2D(pads=PADS), b(Shuffle(3, groups), b.input(2, 4, 5, 6)), b.constant(4, 3, 3, 6)))
    assert ops(graph) == ["Conv2D"] and events == ["shuffle_before_conv: shuffle n0 moved into its weights"]


def read_twice(b: Build, y: str, z: str) -> list[str]:
    return [z, b("relu", y)]


def conv_after(b: Build, y: str) -> str:
    return b(Conv2D(), y, b.constant(4, 1, 1, b.shape(y)[3]))


AFTER = "scale_into_weights: the scale is not per channel"
BEFORE = "scale_before_conv: the scale before it is not per channel"
DIVISOR = "canonical_arithmetic: the divisor has numbers whose inverse is not finite"
DECLINED: list[tuple[Make, str]] = [
    (lambda b: b("mul", dense(b), b.constant(1, 4, 5, 8)), AFTER),
    (lambda b: b("mul", dense(b), b.constant(4, 1, 1)), AFTER),
    (lambda b: b("mul", dense(b), b.constant(1, 1, 1, 1, 1)), AFTER),
    (lambda b: b("mul", b(MatMul(), b.input(3, 2), b.input(2, 4)), b.constant(4)),
     "scale_into_weights: the weights of n0 are computed at run time"),
    (lambda b: (lambda y: read_twice(b, y, b("mul", y, b.constant(8))))(dense(b)), "scale_into_weights: n0 is also read elsewhere"),
    (lambda b: (lambda y: [y, b("mul", y, b.constant(8))])(dense(b)), "scale_into_weights: n0 is also read elsewhere"),
    (lambda b: (lambda y: read_twice(b, y, b("add", y, b.constant(8))))(b("add", dense(b), b.constant(8))),
     "reorder_bias: n1 is also read elsewhere"),
    (lambda b: b("div", dense(b), b.array([1, 2, 0, 4, 5, 6, 7, 8])), DIVISOR),
    (lambda b: b("div", dense(b), b.array(1e-42)), DIVISOR),
    (lambda b: conv_after(b, b("mul", b.input(2, 4, 5, 6), b.constant(4, 5, 1))), BEFORE),
    (lambda b: conv_after(b, b("mul", b.input(2, 4, 5, 1), b.constant(6))), BEFORE),
    (lambda b: b(Conv2D(groups=2), b(Shuffle(3, 3), b.input(2, 4, 5, 6)), b.constant(4, 1, 1, 3)),
     "shuffle_before_conv: it sees each group of channels by itself"),
    (lambda b: (lambda y: [y, conv_after(b, y)])(b("mul", b.input(2, 4, 5, 6), b.constant(6))),
     "scale_before_conv: n0 is also read elsewhere"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "why"), DECLINED, ids=[why.split(":")[0] + f" {k}" for k, (_, why) in enumerate(DECLINED)])
def test_declined(make: Make, why: str) -> None:
    with np.errstate(all="ignore"):
        _, events = rewritten(ALL, make)
    assert events == [f"not {why}"]


@pytest.mark.parametrize("make", [
    lambda b: b("sub", b.input(2, 3), b.constant(3)),
    lambda b: b("div", b.input(2, 3), b.constant(3)),
    lambda b: b("div", b.constant(8), dense(b)),
    lambda b: b("mul", dense(b), b.input(8)),
    lambda b: b("mul", b("relu", dense(b)), b.constant(8)),
    lambda b: b("mul", b("add", b.input(2, 3), b.constant(3)), b.constant(3)),
    lambda b: conv_after(b, b("mul", b.input(2, 4, 5, 6), b.input(6))),
    lambda b: conv_after(b, b("add", b.input(2, 4, 5, 6), b.constant(6))),
])  # fmt: skip
def test_other_arithmetic_stays(make: Make) -> None:
    graph, events = rewritten(ALL, make)
    assert not events and len(graph) <= 3


def test_integers_are_not_divided_through() -> None:
    graph, events = rewritten(ALL, lambda b: b("sub", b(MatMul(), b.input(2, 3, dtype="int32"), b.array([[1], [2], [3]], "int32")),
                                              b.array(5, "int32")))
    assert ops(graph) == ["MatMul", "sub"] and events == []


def test_half_precision_weights_stay_half() -> None:
    def make(b: Build) -> str:
        x, w = b.input(1, 3, 3, 2, dtype="float16"), b.array(b.rng.standard_normal((4, 1, 1, 2)), "float16")
        return b("mul", b(Conv2D(), x, w), b.array([0.5, 2, 4, 1], "float16"))

    graph, _ = rewritten(ALL, make)
    constant: Any = graph.constant(graph.nodes()[0].inputs[1])
    assert ops(graph) == ["Conv2D"] and constant.dtype == np.float16
