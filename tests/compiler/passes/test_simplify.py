"""Cheaper equals: every rule, where it fires and where it declines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.conv_transpose import ConvTranspose2D
from planish.compiler.ops.elementwise import Cast
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.movement import Concat, Pad, Reshape, Slice
from planish.compiler.ops.padding import Pads
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.reduce import Reduce
from planish.compiler.passes import PIPELINE, prune, simplify
from tests.graphs import Build, ops, rewritten

X = (2, 6, 7, 3)
MARGIN = ((0, 0), (1, 2), (0, 3), (0, 0))
PADS: Pads = ((1, 0), (2, 1))
NONE: Pads = ((0, 0), (0, 0))
Make = Callable[[Build], "str | Sequence[str]"]


def pad(b: Build, pads: Any = MARGIN, mode: Any = "constant", value: float = 0.0) -> str:
    return b(Pad(pads, mode, value), b.input(*X))


def conv(b: Build, x: str, op: Conv2D = Conv2D(), kernel: tuple[int, int] = (3, 3), out: int = 4) -> str:  # noqa: B008
    return b(op, x, b.constant(out, *kernel, b.shape(x)[3] // op.groups))


def check(make: Make, left: list[str], text: str) -> Any:
    """What a graph becomes, and the one event that says it."""
    graph, events = rewritten(simplify.RULES, make)
    assert ops(graph) == left and events == [text]
    return graph.nodes()[0].op


@pytest.mark.parametrize("op", [Conv2D(), Conv2D((2, 1), PADS, (1, 2)), Conv2D(pads=PADS, groups=3)], ids=str)
def test_padding_joins_a_convolution(op: Conv2D) -> None:
    merged = check(lambda b: conv(b, pad(b), op, out=6), ["Conv2D"], "merge_padding: padding n0 merged")
    assert merged.pads == tuple((a + c, b + d) for (a, b), (c, d) in zip(op.pads, MARGIN[1:3]))


@pytest.mark.parametrize("counted", [NONE, PADS], ids=["own padding left out", "own padding counted"])
@pytest.mark.parametrize("pads", [NONE, PADS], ids=["no padding of its own", "padding of its own"])
def test_padding_joins_an_average_that_then_counts_it(pads: Pads, counted: Pads) -> None:
    op = Pool2D("average", (3, 3), (2, 1), pads, counted=counted if pads != NONE else NONE)
    merged = check(lambda b: b(op, pad(b)), ["Pool2D"], "merge_padding: padding n0 merged")
    assert merged.counted == tuple((a + c, b + d) for (a, b), (c, d) in zip(op.counted, MARGIN[1:3]))


@pytest.mark.parametrize(("make", "why"), [
    (lambda b: conv(b, pad(b, mode="edge")), "only padding with zeros can be merged"),
    (lambda b: conv(b, pad(b, value=1.0)), "only padding with zeros can be merged"),
    (lambda b: conv(b, pad(b, ((0, 0), (1, 1), (1, 1), (0, 1)))), "it pads images or channels, not only rows and columns"),
    (lambda b: conv(b, pad(b, ((1, 0), (1, 1), (1, 1), (0, 0)))), "it pads images or channels, not only rows and columns"),
    (lambda b: conv(b, pad(b, ((0, 0), (1, -1), (0, 0), (0, 0)))), "it cuts"),
    (lambda b: b(Pool2D("max", (3, 3)), pad(b)), "zeros could exceed a maximum"),
])  # fmt: skip
def test_padding_that_stays(make: Make, why: str) -> None:
    graph, events = rewritten(simplify.RULES, make)
    assert len(graph) == 2 and events == [f"not merge_padding: {why}"]


def test_padding_that_others_read_stays_for_them() -> None:
    def make(b: Build) -> list[str]:
        padded = pad(b)
        return [conv(b, padded), b("relu", padded)]

    graph, _ = rewritten(simplify.RULES, make)
    assert sorted(ops(graph)) == ["Conv2D", "Pad", "relu"]


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("stride", [(2, 2), (1, 3)])
def test_a_pooling_of_one_pixel_is_a_slice(kind: Any, stride: tuple[int, int]) -> None:
    check(lambda b: b(Pool2D(kind, (1, 1), stride), b.input(*X)), ["Slice"], "pool_to_slice: turned into a slice: its window is one pixel")


def test_a_pooling_of_one_pixel_with_padding_stays() -> None:
    graph, events = rewritten(simplify.RULES, lambda b: b(Pool2D("average", (1, 1), (2, 2), PADS, counted=PADS), b.input(*X)))
    assert ops(graph) == ["Pool2D"] and events == []


@pytest.mark.parametrize(("x", "kernel", "op"), [
    ((2, 1, 1, 5), (1, 1), Conv2D()),
    ((1, 3, 4, 5), (3, 4), Conv2D()),
    ((3, 3, 3, 2), (3, 3), Conv2D((2, 2))),
])  # fmt: skip
def test_a_window_of_the_whole_image_is_a_product(x: tuple[int, ...], kernel: tuple[int, int], op: Conv2D) -> None:
    check(lambda b: conv(b, b.input(*x), op, kernel), ["Reshape", "MatMul", "Reshape"],
          "conv_to_matmul: turned into a fully connected layer: its window is the whole image")


@pytest.mark.parametrize(("x", "kernel", "op"), [
    ((1, 3, 4, 5), (3, 3), Conv2D()),
    ((1, 3, 3, 5), (3, 3), Conv2D(pads=((1, 1), (1, 1)))),
    ((1, 3, 3, 4), (3, 3), Conv2D(groups=2)),
])  # fmt: skip
def test_other_windows_stay(x: tuple[int, ...], kernel: tuple[int, int], op: Conv2D) -> None:
    graph, events = rewritten(simplify.RULES, lambda b: conv(b, b.input(*x), op, kernel))
    assert ops(graph) == ["Conv2D"] and events == []


@pytest.mark.parametrize("c", [1, 3])
def test_a_depthwise_convolution_of_one_pixel_is_a_scale(c: int) -> None:
    check(lambda b: conv(b, b.input(2, 4, 5, c), Conv2D(groups=c), (1, 1), c), ["mul"],
          "conv_to_scale: turned into a multiplication: its window is one pixel, of one channel")


@pytest.mark.parametrize("op", [Conv2D((2, 2), groups=3), Conv2D(pads=PADS, groups=3)], ids=str)
def test_a_depthwise_convolution_that_moves_pixels_stays(op: Conv2D) -> None:
    graph, _ = rewritten(simplify.RULES, lambda b: conv(b, b.input(*X), op, (1, 1), 3))
    assert ops(graph) == ["Conv2D"]


TURNED = "transposed_to_conv: turned into a convolution: its stride is 1"


@pytest.mark.parametrize("op", [
    ConvTranspose2D((8, 9)),
    ConvTranspose2D((6, 7), pads=((1, 1), (1, 1))),
    ConvTranspose2D((7, 9), pads=((2, 0), (0, 1))),
    ConvTranspose2D((9, 12), pads=((0, 1), (1, 0)), dilation=(2, 3)),
], ids=str)  # fmt: skip
def test_a_transposed_convolution_of_stride_1_is_a_convolution(op: ConvTranspose2D) -> None:
    check(lambda b: b(op, b.input(*X), b.constant(4, 3, 3, 3)), ["Conv2D"], TURNED)


def test_a_transposed_convolution_that_cuts_deeply_stays() -> None:
    make: Make = lambda b: b(ConvTranspose2D((3, 7), pads=((3, 2), (1, 1))), b.input(*X), b.constant(4, 3, 3, 3))  # noqa: E731
    check(make, ["ConvTranspose2D"], "not transposed_to_conv: it cuts more than its kernel reaches")


@pytest.mark.parametrize(("op", "w"), [
    (ConvTranspose2D((13, 15), (2, 2)), (4, 3, 3, 3)),
    (ConvTranspose2D((8, 9), groups=3), (6, 3, 3, 1)),
], ids=str)  # fmt: skip
def test_other_transposed_convolutions_stay(op: ConvTranspose2D, w: tuple[int, ...]) -> None:
    graph, events = rewritten(simplify.RULES, lambda b: b(op, b.input(*X), b.constant(*w)))
    assert ops(graph) == ["ConvTranspose2D"] and events == []


@pytest.mark.parametrize("axis", [0, 2, 3])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_concatenation_with_zeros_is_padding(axis: int, at: int) -> None:
    def make(b: Build) -> str:
        shapes = [[*X[:axis], extent, *X[axis + 1 :]] for extent in (1, 2)]
        parts = [b.array(np.zeros(s)) for s in shapes]
        return b(Concat(axis), *parts[:at], b.input(*X), *parts[at:])

    check(make, ["Pad"], "concat_to_pad: turned into padding: the other operands are zeros")


@pytest.mark.parametrize("make", [
    lambda b: b(Concat(0), b.input(2, 3), b.array(np.full((1, 3), 1e-30))),
    lambda b: b(Concat(0), b.input(2, 3), b.array(np.full((1, 3), np.nan))),
    lambda b: b(Concat(0), b.input(2, 3), b.input(2, 3), b.array(np.zeros((1, 3)))),
])  # fmt: skip
def test_other_concatenations_stay(make: Make) -> None:
    graph, events = rewritten(simplify.RULES, make)
    assert ops(graph) == ["Concat"] and events == []


@pytest.mark.parametrize("make", [
    lambda b: b("pow", b.input(2, 3), b.array(2)),
    lambda b: b("pow", b.input(2, 3), b.array([[2]])),
    lambda b: (lambda x: b("mul", x, x))(b.input(2, 3, dtype="int32")),
    lambda b: (lambda x: b("mul", x, x))(b.input(2, 3)),
])  # fmt: skip
def test_square(make: Make) -> None:
    check(make, ["square"], "square: turned into a square")


@pytest.mark.parametrize("make", [
    lambda b: b("pow", b.input(2, 3), b.array([2, 2, 2])),
    lambda b: b("pow", b.input(3), b.array([[2]])),
    lambda b: b("pow", b.array(2), b.input(2, 3)),
    lambda b: b("pow", b("exp", b.input(2, 3)), b.array(2.5)),
    lambda b: b("mul", b.input(2, 3), b.input(2, 3)),
])  # fmt: skip
def test_no_square(make: Make) -> None:
    assert "square" not in ops(rewritten(simplify.RULES, make)[0])


@pytest.mark.parametrize("kind", ["sum", "mean", "max", "min", "prod"])
@pytest.mark.parametrize("keepdims", [True, False])
def test_a_reduction_of_nothing_is_a_reshape(kind: Any, keepdims: bool) -> None:
    check(lambda b: b(Reduce(kind, (1, 2), keepdims), b.input(2, 1, 1, 3)), ["Reshape"],
          "reduce_to_reshape: turned into a reshape: its axes have extent 1")


def test_a_reduction_of_something_stays() -> None:
    graph, _ = rewritten(simplify.RULES, lambda b: b(Reduce("max", (1, 2)), b.input(2, 1, 3, 3)))
    assert ops(graph) == ["Reduce"]


MOVED = "sink_reshape: moved in front of the reshape before it"


def shaped(b: Build, shape: tuple[int, ...] = (2, 3, 1, 4)) -> str:
    return b(Reshape(shape), b("neg", b.input(6, 4)))


@pytest.mark.parametrize("make", [
    lambda b: b("relu", shaped(b)),
    lambda b: b("relu", shaped(b, (2, 12))),
    lambda b: b(Cast(np.dtype(np.int32)), shaped(b, (24,))),
    lambda b: b("add", shaped(b), b.constant(4)),
    lambda b: b("add", b.constant(1, 1, 1, 4), shaped(b)),
    lambda b: b("mul", shaped(b, (24,)), b.array([2])),
    lambda b: b("prelu", shaped(b), b.constant(1, 4)),
])  # fmt: skip
def test_a_reshape_makes_way(make: Make) -> None:
    graph, events = rewritten(simplify.RULES, make)
    assert len(graph) == 3 and ops(graph)[::2] == ["neg", "Reshape"] and events == [MOVED]


def test_reshapes_of_both_operands_make_way() -> None:
    def make(b: Build) -> str:
        x = shaped(b)
        return b("mul", b("sigmoid", x), x)

    graph, _ = rewritten(simplify.RULES, make)
    assert ops(graph) == ["neg", "sigmoid", "mul", "Reshape"]


@pytest.mark.parametrize(("make", "why"), [
    (lambda b: b("add", shaped(b), b.constant(3, 1, 1)), "operand 'c' has no counterpart before the reshape"),
    (lambda b: b("add", shaped(b, (2, 12)), b.constant(12)), "operand 'c' has no counterpart before the reshape"),
    (lambda b: b("add", shaped(b), b.input(2, 3, 1, 4)), "operand 'x1' has no counterpart before the reshape"),
    (lambda b: b("add", shaped(b), b(Reshape((2, 3, 1, 4)), b.input(24))), "operand 'v2' has no counterpart before the reshape"),
    (lambda b: b("add", shaped(b, (1, 24)), b.constant(5, 24)), "it broadcasts the reshape before it to a larger shape"),
])  # fmt: skip
def test_a_reshape_that_stays(make: Make, why: str) -> None:
    _, events = rewritten(simplify.RULES, make)
    assert events == [f"not sink_reshape: {why}"]


@pytest.mark.parametrize("make", [
    lambda b: b("relu", b(Reshape((24,)), b.input(6, 4))),
    lambda b: b("relu", b(Reshape((8,)), b(Slice((0, 0), (2, 4), (1, 1)), b.input(6, 4)))),
])  # fmt: skip
def test_a_reshape_stays_where_no_kernel_could_be_joined(make: Make) -> None:
    graph, events = rewritten(simplify.RULES, make)
    assert ops(graph)[-2:] == ["Reshape", "relu"] and events == []


def test_a_classifier_of_convolutions_ends_in_one_fused_product() -> None:
    """Mean, convolution of one pixel, bias, activation, reshape: the bias finds its way to the product."""
    from planish.compiler import passes
    from planish.compiler.targets import named

    b = Build()
    y = conv(b, b(Reduce("mean", (1, 2), True), b.input(*X)), Conv2D(), (1, 1), 5)
    graph = b.returns(b(Reshape((2, 5)), b("relu", b("add", y, b.constant(5)))))
    assert ops(passes.run(graph, named("cpu"), pipeline=PIPELINE)) == ["Reduce", "Reshape", "MatMul + add + relu"]


def test_a_product_of_a_product_is_left_alone() -> None:
    graph, events = rewritten((*simplify.RULES, *prune.RULES), lambda b: b(MatMul(), b.input(2, 3), b.constant(3, 4)))
    assert ops(graph) == ["MatMul"] and events == []
