"""Transposes meet and vanish."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.elementwise import Cast, Elementwise
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.movement import Concat, Pad, Reshape, Slice, Transpose
from planish.compiler.ops.reduce import Reduce
from planish.compiler.ops.softmax import Softmax
from planish.compiler.passes import fold, prune, transposes
from tests.graphs import Build, ops, rewritten

TO_NHWC, TO_NCHW = Transpose((0, 2, 3, 1)), Transpose((0, 3, 1, 2))
ALL = (*transposes.RULES, *prune.RULES, *fold.RULES)
Make = Callable[[Build], "str | Sequence[str]"]


def nchw(b: Build) -> str:
    """A value in the order of ONNX that an image op gave."""
    return b(TO_NCHW, b.input(2, 4, 5, 3))


@pytest.mark.parametrize(("first", "second", "left"), [
    (TO_NCHW, TO_NHWC, []),
    (TO_NHWC, TO_NHWC, ["Transpose"]),
    (Transpose((1, 0, 2, 3)), Transpose((1, 0, 2, 3)), []),
], ids=str)  # fmt: skip
def test_cancel(first: Transpose, second: Transpose, left: list[str]) -> None:
    graph, _ = rewritten(transposes.RULES, lambda b: b("neg", b(second, b(first, b.input(2, 4, 5, 3)))), exact=True)
    assert sorted(ops(graph)) == sorted([*left, "neg"])


@pytest.mark.parametrize(("shape", "perm"), [
    ((2, 1, 1, 7), (0, 3, 1, 2)),
    ((1, 4, 1, 3), (2, 1, 0, 3)),
    ((1, 1), (1, 0)),
    ((1, 5, 6), (1, 0, 2)),
])  # fmt: skip
def test_axes_of_extent_1_move_for_free(shape: tuple[int, ...], perm: tuple[int, ...]) -> None:
    graph, events = rewritten(transposes.RULES, lambda b: b(Transpose(perm), b.input(*shape)), exact=True)
    assert ops(graph) == ["Reshape"] and events == ["to_reshape: turned into a reshape: only axes of extent 1 move"]


SINKS: list[tuple[Make, list[str]]] = [
    # graph, what is left in order
    (lambda b: b("relu", nchw(b)), ["relu", "Transpose"]),
    (lambda b: b(Cast(np.dtype(np.int32)), nchw(b)), ["Cast", "Transpose"]),
    (lambda b: b(Softmax(1), nchw(b)), ["Softmax", "Transpose"]),
    (lambda b: b(Pad(((0, 0), (1, 2), (0, 3), (0, 0))), nchw(b)), ["Pad", "Transpose"]),
    (lambda b: b(Slice((0, 1, 0, 4), (2, 2, 2, 3), (1, 1, 2, -1)), nchw(b)), ["Slice", "Transpose"]),
    (lambda b: b(Reduce("mean", (1,)), nchw(b)), ["Reduce"]),
    (lambda b: b(Reduce("max", (2, 3), True), nchw(b)), ["Reduce", "Reshape"]),
    (lambda b: b(Reduce("sum", (0, 2)), nchw(b)), ["Reduce", "Transpose"]),
    (lambda b: b("add", nchw(b), b.constant(3, 1, 1)), ["add", "Transpose"]),
    (lambda b: b("sub", b.constant(2, 3, 4, 5), nchw(b)), ["sub", "Transpose"]),
    (lambda b: b("mul", nchw(b), b.array(2)), ["mul", "Transpose"]),
    (lambda b: b("add", nchw(b), nchw(b)), ["add", "Transpose"]),
    (lambda b: b(Concat(1), nchw(b), nchw(b), b.input(2, 1, 4, 5)), ["Reshape", "Concat", "Transpose"]),
    (lambda b: b(Concat(2), nchw(b), b.constant(2, 3, 1, 5)), ["Concat", "Transpose"]),
    (lambda b: b("mul", nchw(b), b.input(2, 3, 1, 1)), ["Reshape", "mul", "Transpose"]),
    (lambda b: b("add", nchw(b), b.input(2, 3, 4, 5)), ["Transpose", "add", "Transpose"]),
    (lambda b: b("where", b("greater", nchw(b), b.array(0)), nchw(b), b.array(0)), ["greater", "where", "Transpose"]),
    (lambda b: b("tanh", b(TO_NHWC, b("relu", nchw(b)))), ["relu", "tanh"]),
]


@pytest.mark.parametrize(("make", "left"), SINKS, ids=[" ".join(left) + f" {k}" for k, (_, left) in enumerate(SINKS)])
def test_sink(make: Make, left: list[str]) -> None:
    graph, events = rewritten(ALL, make, exact=True)
    assert ops(graph) == left
    assert any("transpose moved behind it" in e for e in events)


def shuffled(b: Build, x: str, parts: tuple[int, ...], perm: tuple[int, ...]) -> str:
    return b(Reshape(b.shape(x)), b(Transpose(perm), b(Reshape(parts), x)))


SHUFFLES: list[tuple[Make, list[str], str]] = [
    (lambda b: b("neg", shuffled(b, b.input(2, 4, 5, 6), (2, 4, 5, 3, 2), (0, 1, 2, 4, 3))), ["Shuffle", "neg"], "3 groups along axis 3"),
    (lambda b: b("neg", shuffled(b, b.input(2, 4, 5, 6), (40, 2, 3), (0, 2, 1))), ["Shuffle", "neg"], "2 groups along axis 3"),
    (lambda b: b(TO_NHWC, b("relu", shuffled(b, b(TO_NCHW, b.input(2, 4, 5, 6)), (2, 2, 3, 4, 5), (0, 2, 1, 3, 4)))), ["Shuffle", "relu"],
     "2 groups along axis 1"),
]


@pytest.mark.parametrize(("make", "left", "what"), SHUFFLES, ids=range(len(SHUFFLES)))
def test_a_shuffle_knows_its_axis(make: Make, left: list[str], what: str) -> None:
    graph, events = rewritten(ALL, make, exact=True)
    assert ops(graph) == left
    assert f"to_shuffle: turned into a shuffle of {what}" in events


@pytest.mark.parametrize(("parts", "perm"), [
    ((2, 4, 5, 3, 2), (0, 1, 4, 3, 2)),
    ((2, 4, 5, 3, 2), (1, 0, 2, 3, 4)),
    ((8, 5, 6), (1, 0, 2)),
    ((2, 2, 10, 6), (0, 2, 1, 3)),
])  # fmt: skip
def test_other_transposes_between_reshapes_stay(parts: tuple[int, ...], perm: tuple[int, ...]) -> None:
    graph, _ = rewritten(ALL, lambda b: b("neg", shuffled(b, b.input(2, 4, 5, 6), parts, perm)), exact=True)
    assert "Transpose" in ops(graph)


DRAW, NOT_ALIKE = (f"{part} of what it reads is not transposed alike" for part in ("half", "most"))
COMMUTE = "does not commute with the transpose before it"
STAYS: list[tuple[Make, list[str], str]] = [
    (lambda b: b("add", b(TO_NHWC, b.input(2, 4, 5, 3)), b.input(2, 5, 3, 4)), ["Transpose", "add"], DRAW),
    (lambda b: b("add", b(Transpose((2, 1, 0)), b.input(2, 4, 5)), b.input(5, 4, 2)), ["Transpose", "add"], DRAW),
    (lambda b: b("where", b("less", b.input(2, 3, 4, 5), b.input(2, 3, 4, 5)), nchw(b), b.input(2, 3, 4, 5)),
     ["less", "Transpose", "where"], NOT_ALIKE),
    (lambda b: b("add", b.input(2, 3, 4, 5), b(Transpose((0, 3, 1, 2)), b.input(2, 1, 1, 3))), ["Reshape", "add"], ""),
    (lambda b: b("mul", nchw(b), b.input(5)), ["Transpose", "mul"], "an operand of another rank broadcasts over the transposed axes"),
    (lambda b: b("mul", nchw(b), b.constant(2, 1, 1, 1, 1)), ["Transpose", "mul"],
     "the result has another rank than the transposed operand"),
    (lambda b: b(Reshape((2, 60)), nchw(b)), ["Transpose", "Reshape"], f"Reshape {COMMUTE}"),
    (lambda b: b(Conv2D(), nchw(b), b.constant(2, 1, 1, 5)), ["Transpose", "Conv2D"], f"Conv2D {COMMUTE}"),
    (lambda b: b(MatMul(), nchw(b), b.constant(5, 2)), ["Transpose", "MatMul"], f"MatMul {COMMUTE}"),
    (lambda b: b(MatMul(), b.constant(2, 7, 2), b(Transpose((0, 2, 1)), b.input(2, 3, 2))), ["Transpose", "MatMul"], ""),
]


@pytest.mark.parametrize(("make", "left", "why"), STAYS, ids=range(len(STAYS)))
def test_stays(make: Make, left: list[str], why: str) -> None:
    graph, events = rewritten(ALL, make, exact=True)
    assert ops(graph) == left
    assert [e for e in events if e.startswith("not")] == ([f"not sink: {why}"] if why else [])


def test_every_reader_gets_its_own() -> None:
    """One transpose of several readers moves behind each of them, the model's output keeps it."""
    def make(b: Build) -> list[str]:
        t = nchw(b)
        return [t, b(TO_NHWC, b("relu", t)), b(TO_NHWC, b("tanh", t))]

    graph, _ = rewritten(ALL, make, exact=True)
    assert sorted(ops(graph)) == ["Transpose", "relu", "tanh"]


def test_a_residual_network_in_onnx_order_keeps_no_transpose_inside() -> None:
    def conv(b: Build, x: str) -> str:
        c = b.shape(x)[1]
        return b(TO_NCHW, b(Conv2D(pads=((1, 1), (1, 1))), b(TO_NHWC, x), b.constant(c, 3, 3, c, scale=0.2)))

    def make(b: Build) -> str:
        x = b.input(2, 4, 5, 6)
        for _ in range(3):
            y = b("add", conv(b, b("relu", b("mul", conv(b, x), b.constant(1, 4, 1, 1)))), x)
            gate = b(Elementwise("sigmoid"), b(Reduce("mean", (2, 3), True), y))
            x = b("mul", y, gate)
        return x

    graph, _ = rewritten(ALL, make)
    assert ops(graph).count("Transpose") == 2
