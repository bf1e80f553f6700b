"""Element-wise ops join their producers' kernels: what fuses, in which order, and why something does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from planish.compiler.ir import Graph
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.elementwise import TABLE, Cast, Elementwise
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.movement import Concat, Reshape, Slice, Transpose
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.reduce import Reduce
from planish.compiler.ops.resize import Resize2D
from planish.compiler.ops.softmax import Softmax
from planish.compiler.passes import fuse as module
from planish.compiler.passes.fuse import fuse
from tests.graphs import Build, assert_equal_meaning, by_chance, ops, said, steps

X = (2, 4, 5, 6)
VIEW = "computes nothing, so it has no kernel to join"


def fused(make: Callable[[Build], str | Sequence[str]]) -> tuple[Graph, list[str]]:
    """The graph after the pass, and what it declined; holds the meaning to the bit."""
    b = Build()
    made = make(b)
    before = b.returns(*([made] if isinstance(made, str) else made))
    after = before.copy()
    events = fuse(after)
    after.verify()
    assert_equal_meaning(before, after, b.feed, exact=True)
    assert sum(e.fired for e in events) == sum(len(n.epilogue) for n in after.nodes()) - sum(len(n.epilogue) for n in before.nodes())
    return after, said([e for e in events if not e.fired])


def conv(b: Build, x: str) -> str:
    return b(Conv2D(), x, b.constant(6, 1, 1, b.shape(x)[3]))


@pytest.mark.parametrize("producer", [
    conv,
    lambda b, x: b(MatMul(), x, b.constant(6, 3)),
    lambda b, x: b(Pool2D("max", (2, 2)), x),
    lambda b, x: b(Reduce("mean", (1, 2)), x),
    lambda b, x: b(Softmax(3), x),
    lambda b, x: b(Resize2D((8, 10), "linear", (2.0, 2.0)), x),
    lambda b, x: b(Transpose((0, 3, 1, 2)), x),
    lambda b, x: b("exp", x),
    lambda b, x: b(Cast(np.dtype(np.int32)), x),
])  # fmt: skip
def test_every_kernel_takes_an_epilogue(producer: Callable[[Build, str], str]) -> None:
    graph, declined = fused(lambda b: b(Cast(np.dtype(np.float16)), b("abs", producer(b, b.input(*X)))))
    assert steps(graph)[-2:] == ["abs(%0)", "Cast(dtype=float16)(%1)"] and len(graph) == 1 and declined == []


def test_bias_activation_scale_residual() -> None:
    def make(b: Build) -> str:
        x = b.input(*X)
        y = b("relu", b("add", conv(b, x), b.constant(6)))
        return b("add", x, b("mul", y, b.input(2, 1, 1, 6)))

    graph, declined = fused(make)
    assert steps(graph) == ["add(%0, c.1)", "relu(%1)", "mul(%2, x1)", "add(x0, %3)"] and declined == []
    assert graph.nodes()[0].sources == ("n0", "n1", "n2", "n3", "n4") and graph.nodes()[0].name == "n0"


def test_the_other_operand_joins_with_what_computes_it() -> None:
    """A gate and a scaled shortcut, each for one reader alone; what is smaller, or wanted twice, stays a kernel."""
    def make(b: Build) -> tuple[str, ...]:
        x, y, z = b.input(*X), b.input(*X), b.input(1, 1, 1, 6)
        wanted = b("exp", y)
        gate = b("sigmoid", b("mul", y, b.input(*X)))
        total = b("add", b("mul", conv(b, x), gate), b("neg", b("tanh", x)))
        return b("mul", total, b("exp", z)), b("add", b("neg", conv(b, y)), wanted), wanted

    graph, _ = fused(make)
    assert ops(graph) == ["exp", "exp", "Conv2D + mul + sigmoid + mul + tanh + neg + add + mul", "Conv2D + neg + add"]


@pytest.mark.parametrize(("make", "expected"), [
    (lambda b, y: b("mul", y, b("sigmoid", y)), ["sigmoid(%0)", "mul(%0, %1)"]),
    (lambda b, y: b("mul", y, y), ["mul(%0, %0)"]),
    (lambda b, y: b("add", b("tanh", y), b("sigmoid", y)), ["tanh(%0)", "sigmoid(%0)", "add(%1, %2)"]),
    (lambda b, y: b("mul", y, b("tanh", b("softplus", y))), ["softplus(%0)", "tanh(%1)", "mul(%0, %2)"]),
    (lambda b, y: b("where", b("greater", y, b.array(0)), y, b("neg", y)), ["greater(%0, c.1)", "neg(%0)", "where(%1, %0, %2)"]),
    (lambda b, y: b("relu", b("mul", y, b("sigmoid", y))), ["sigmoid(%0)", "mul(%0, %1)", "relu(%2)"]),
])  # fmt: skip
def test_diamonds(make: Callable[[Build, str], str], expected: list[str]) -> None:
    graph, declined = fused(lambda b: make(b, conv(b, b.input(*X))))
    assert steps(graph) == expected and len(graph) == 1 and declined == []


def test_a_residual_joins_whichever_branch_it_can() -> None:
    """The input of the block is read by both branches, so that the addition waits for the end of one."""
    def make(b: Build) -> str:
        x = b("relu", conv(b, b.input(*X)))
        return b("relu", b("add", conv(b, b("relu", conv(b, x))), x))

    graph, declined = fused(make)
    assert ops(graph) == ["Conv2D + relu", "Conv2D + relu", "Conv2D + add + relu"] and declined == []


def test_two_branches_meet_in_the_first() -> None:
    def make(b: Build) -> str:
        x = b.input(*X)
        return b("add", conv(b, x), conv(b, x))

    graph, _ = fused(make)
    assert ops(graph) == ["Conv2D", "Conv2D + add"]


def test_squeeze_and_excitation_cannot_join_what_it_depends_on() -> None:
    """The scale is computed from the convolution's result: that one is wanted by the mean as well."""
    def make(b: Build) -> str:
        y = b("relu", conv(b, b.input(*X)))
        return b("mul", y, b("sigmoid", conv(b, b(Reduce("mean", (1, 2), True), y))))

    graph, declined = fused(make)
    assert ops(graph) == ["Conv2D + relu", "Reduce", "Conv2D + sigmoid", "mul"]
    assert declined == ["not fuse: could not join n0: 'v1' is also wanted elsewhere",
                        "not fuse: could not join n3: n5 broadcasts it to a larger shape"]


def test_an_output_in_the_middle_stays() -> None:
    def make(b: Build) -> list[str]:
        y = b("relu", conv(b, b.input(*X)))
        return [y, b("tanh", y)]

    graph, declined = fused(make)
    assert ops(graph) == ["Conv2D + relu", "tanh"] and declined == ["not fuse: could not join n0: 'v1' is also wanted elsewhere"]


def test_a_diamond_with_an_output_inside_stays_apart() -> None:
    def make(b: Build) -> list[str]:
        y = conv(b, b.input(*X))
        gate = b("sigmoid", y)
        return [b("mul", y, gate), gate]

    graph, declined = fused(make)
    assert ops(graph) == ["Conv2D", "sigmoid", "mul"] and declined[0] == "not fuse: could not join n0: 'v0' is also wanted elsewhere"


@pytest.mark.parametrize(("make", "left", "why"), [
    (lambda b: b("relu", b(Concat(3), b.input(*X), b.input(*X))), ["Concat", "relu"], f"Concat {VIEW}"),
    (lambda b: b("relu", b(Slice((0,) * 4, (1, 2, 2, 2), (1,) * 4), b.input(*X))), ["Slice", "relu"],
     f"Slice {VIEW}"),
    (lambda b: b("relu", b(Reshape((240,)), b.input(*X))), ["Reshape", "relu"], f"Reshape {VIEW}"),
    (lambda b: b("add", b(Reduce("mean", (1, 2), True), b.input(*X)), b.input(*X)), ["Reduce", "add"],
     "n1 broadcasts it to a larger shape"),
    (lambda b: b("add", b(MatMul(), b.input(2, 3, dtype="int8"), b.array(np.ones((3, 4)), "int8")), b.array(1, "int8")), ["MatMul", "add"],
     "narrow integers wrap round only where they are stored"),
])  # fmt: skip
def test_declined(make: Callable[[Build], str], left: list[str], why: str) -> None:
    graph, declined = fused(make)
    assert ops(graph) == left and len(declined) == 1 and declined[0].endswith(f": {why}")


def test_a_picture_of_bytes_is_converted_where_it_is_moved() -> None:
    def make(b: Build) -> str:
        planes = b(Transpose((2, 0, 1)), b.input(4, 5, 3, dtype="uint8"))
        return b("mul", b(Cast(np.dtype(np.float32)), planes), b.array(2))

    graph, _ = fused(make)
    assert ops(graph) == ["Transpose + Cast + mul"]


def test_narrow_integers_wrap_round_between_kernels() -> None:
    """200 + 100 is 44 in a byte, half of which is 22."""
    def make(b: Build) -> str:
        x = b.input(4, dtype="uint8")
        b.feed[x][:] = 200
        return b("div", b("add", x, b.array(100, "uint8")), b.array(2, "uint8"))

    graph, _ = fused(make)
    assert ops(graph) == ["add", "div"]


def test_what_is_fused_is_not_fused_again() -> None:
    b = Build()
    graph = b.returns(b("abs", b("relu", conv(b, b.input(*X)))))
    fuse(graph)
    assert fuse(graph) == [] and ops(graph) == ["Conv2D + relu + abs"]


def test_an_epilogue_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS", 5)

    def make(b: Build) -> str:
        y = conv(b, b.input(*X))
        for _ in range(8):
            y = b("tanh", y)
        return y

    graph, declined = fused(make)
    assert [len(n.epilogue) for n in graph.nodes()] == [5, 2]
    assert declined == ["not fuse: could not join n0: the epilogue has 5 steps already"]


def test_a_kernel_reads_so_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPERANDS", 4)

    def make(b: Build) -> str:
        y = conv(b, b.input(*X))
        for _ in range(4):
            y = b("add", y, b.input(*X))
        return y

    graph, declined = fused(make)
    assert [len(n.epilogue) for n in graph.nodes()] == [2, 1]
    assert declined == ["not fuse: could not join n0: the kernel would read more than 4 values"]


def test_a_wide_fan_gives_up_after_a_while() -> None:
    """More readers than REACH that meet again only at the end."""
    def make(b: Build) -> str:
        y = conv(b, b.input(*X))
        total = y
        for branch in [b("tanh", y) for _ in range(module.REACH + 4)]:
            total = b("add", total, branch)
        return total

    graph, declined = fused(make)
    assert ops(graph)[0] == "Conv2D" and "not fuse: could not join n0: 'v0' is also wanted elsewhere" in declined


@pytest.mark.parametrize("fn", [fn for fn, row in TABLE.items() if "f" in row.kinds])
def test_every_function_can_be_a_step(fn: str) -> None:
    row = TABLE[fn]
    given = {"clip": (0, 1), "leaky_relu": (0.1,), "thresholded_relu": (1,), "elu": (1,), "celu": (1,), "selu": (1.6, 1.1),
             "hard_sigmoid": (0.2, 0.5), "shrink": (0.5, 0), "affine": (2, 1), "scaled_tanh": (2, 0.5), "dequantize": (0.5, 3),
             "quantize": (0.5, 3, -128, 127), "fake_quantize": (0.5, 3, -128, 127), "quantize_even": (0.5, -128, 127),
             "quantize_nudged": (0.5, -128, 127, 0, 1e-3)}
    op = Elementwise(fn, given.get(fn, ()))
    graph, declined = fused(lambda b: b(op, b("abs", b.input(*X)), *(b.constant(6) for _ in range(row.arity - 1))))
    assert len(graph) == 1 and declined == []


@pytest.mark.parametrize("seed", range(60))
def test_by_chance(seed: int) -> None:
    b = by_chance(seed, 10)
    after = b.graph.copy()
    fuse(after)
    after.verify()
    assert_equal_meaning(b.graph, after, b.feed, exact=True)
