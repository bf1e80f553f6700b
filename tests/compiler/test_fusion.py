"""The regression this project exists for: a fused graph computes what the unfused one does, and what numpy does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from planish.compiler import passes
from planish.compiler.driver import compile_graph
from planish.compiler.ir import Graph, evaluate
from planish.compiler.ops.activation import CLIPS, FUSED, ONNX_DEFAULTS
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.conv_transpose import ConvTranspose2D
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.movement import Concat, DepthToSpace, Pad, Reshape, Slice, Transpose
from planish.compiler.ops.padding import NO_PADS, Pads
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.reduce import Reduce
from planish.compiler.ops.resize import Resize2D
from planish.compiler.ops.softmax import Softmax
from planish.compiler.targets import Target
from planish.runtime import Session
from planish.runtime.devices import find
from tests.graphs import Build, by_chance
from tests.harness import CPU, CPU8, GPU, assert_close

pytestmark = pytest.mark.device
UNFUSED = passes.PIPELINE[-1:]
"""Layout alone: every op is a kernel of its own."""


def held(b: Build, graph: Graph, target: Target, precision: str = "f32", reduction: int = 1) -> dict[str, int]:
    """Runs a graph fused and unfused, holds both against numpy; returns the launches of each."""
    values = evaluate(graph, b.feed)
    launches = {}
    for how, pipeline in (("fused", passes.PIPELINE), ("unfused", UNFUSED)):
        plan = compile_graph(graph, target, precision=precision, pipeline=pipeline)
        with Session(plan, find()) as session:
            results = session.run({t.name: b.feed[t.name] for t in plan.inputs})
        for name, value in graph.outputs.items():
            assert_close(results[name], values[value], precision, reduction, f"{name}, {how} for {target.name}")
        launches[how] = len(plan.launches)
    return launches


@pytest.mark.parametrize("seed", range(30))
def test_by_chance(seed: int) -> None:
    b = by_chance(seed)
    held(b, b.graph, (CPU, GPU, CPU8)[seed % 3], reduction=512)


IMAGE = (3, 5, 7, 17)


def weights(b: Build, *shape: int) -> str:
    return b.constant(*shape, scale=float(np.prod(shape[1:])) ** -0.5)


# -- a graph for each rule, with the launches that it leaves


def conv(b: Build, x: str, out: int, kernel: int = 1, pads: Pads = NO_PADS) -> str:
    return b(Conv2D(pads=pads), x, weights(b, out, kernel, kernel, b.shape(x)[3]))


def residual(b: Build, x: str) -> str:
    """Of two blocks; the second one's input is the first one's sum."""
    for _ in range(2):
        y = b("relu", b("add", conv(b, x, 17, 3, ((1, 1), (1, 1))), b.constant(17)))
        x = b("relu", b("add", conv(b, y, 17), x))
    return x


def gated(b: Build, x: str) -> str:
    """Squeeze and excitation: the scale is computed from what it scales."""
    y = b("hard_swish", conv(b, x, 5))
    return conv(b, b("mul", y, b("sigmoid", conv(b, b(Reduce("mean", (1, 2), True), y), 5))), 3)


def excited(b: Build, x: str) -> str:
    """The same of enough channels for the convolution behind to multiply what it reads."""
    y = b("silu", conv(b, x, 20))
    return conv(b, b("mul", b("sigmoid", conv(b, b(Reduce("mean", (1, 2), True), y), 20)), y), 3, 3)


def normalised(b: Build, x: str) -> str:
    """A scale before, and a normalisation behind a convolution."""
    y = b("sub", conv(b, b("mul", x, b.constant(17)), 5, 3), b.constant(5))
    return b("tanh", b("add", b("div", y, b.array(0.5 + b.rng.random(5))), b.constant(5)))


def dense(b: Build, x: str) -> str:
    """Each layer reads all that came before it; 17 channels leave the parts ragged, 16 do not."""
    for out in (16, 16, 5):
        x = b(Concat(3), b("relu", conv(b, x, out)), x)
    return x


def heads(b: Build, x: str) -> str:
    """Of a detector: convolutions, read as rows of boxes, one after another."""
    small = b(Pool2D("max", (2, 2), (2, 2)), x)
    return b(Concat(1), *(b(Reshape((b.shape(y)[0], -(-b.graph.type(y).size // b.shape(y)[0] // 3), 3)), y)
                          for y in (b("add", conv(b, v, 6), b.constant(6)) for v in (x, small))))


def split(b: Build, x: str) -> str:
    """Channels go two ways and meet again, shuffled."""
    n, h, w, _ = b.shape(x)
    y = conv(b, x, 32)
    left, right = (b(Slice((0, 0, 0, k), (n, h, w, 16), (1, 1, 1, 1)), y) for k in (0, 16))
    both = b(Reshape((n, h, w, 2, 16)), b(Concat(3), left, b("relu", conv(b, right, 16))))
    return conv(b, b(Reshape((n, h, w, 32)), b(Transpose((0, 1, 2, 4, 3)), both)), 5)


def channels_first(b: Build, x: str) -> str:
    """A residual block in the order of ONNX, with a normalisation and a gate."""
    y = b(Transpose((0, 3, 1, 2)), conv(b, b(Transpose((0, 2, 3, 1)), x), 5))
    y = b("relu", b("add", b("mul", y, b.constant(5, 1, 1)), b.constant(5, 1, 1)))
    return b("mul", b("add", x, y), b("sigmoid", b(Reduce("mean", (2, 3), True), y)))


def classifier(b: Build, x: str) -> str:
    y = b("add", conv(b, b(Reduce("mean", (1, 2), True), x), 10), b.constant(10))
    return b(Softmax(1), b(Reshape((b.shape(x)[0], 10)), b("relu", y)))


def padded(b: Build, x: str) -> str:
    """Padding joins a convolution and an average, and stays in front of a maximum."""
    margin = Pad(((0, 0), (1, 2), (0, 1), (0, 0)))
    y = b(Pool2D("average", (3, 3), (2, 2), ((1, 1), (1, 1))), b(margin, x))
    return b(Pool2D("max", (2, 2)), b(margin, conv(b, b(margin, y), 5, 2)))


def upscaled(b: Build, x: str) -> str:
    _, h, w, _ = b.shape(x)
    y = b(ConvTranspose2D((h, w), pads=((1, 1), (1, 1))), x, weights(b, 12, 3, 3, b.shape(x)[3]))
    larger = b(Resize2D((2 * h, 2 * w), "linear", (2.0, 2.0)), conv(b, x, 3))
    return b(Elementwise("clip", (0.0, 1.0)), b("add", b(DepthToSpace(2), y), larger))


@pytest.mark.parametrize(("make", "shape", "launches"), [
    (residual, IMAGE, 5),
    (gated, IMAGE, 6),
    (excited, IMAGE, 5),
    (normalised, IMAGE, 2),
    (dense, IMAGE, 7),
    (dense, (1, 5, 7, 16), 4),
    (heads, (1, 4, 6, 17), 4),
    (split, IMAGE, 5),
    (channels_first, (3, 5, 6, 7), 5),
    (classifier, IMAGE, 3),
    (padded, IMAGE, 5),
    (upscaled, (1, 4, 5, 17), 5),
], ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("target", [CPU, GPU], ids=lambda t: t.name)
def test_rule(make: Callable[[Build, str], str], shape: tuple[int, ...], launches: int, target: Target) -> None:
    b = Build()
    counted = held(b, b.returns(make(b, b.input(*shape))), target, reduction=256)
    assert counted["fused"] == launches < counted["unfused"]


# -- every producer with every activation, behind bias and scale, in front of scale and residual addition

RESULT = (2, 4, 6, 17)
"""Of most producers, so that the kernels of the unfused graphs are the same."""

PRODUCERS: dict[str, tuple[tuple[int, ...], Callable[[Build, str], Callable[[], str]]]] = {
    # shape of x; from x to what computes it again and again
    "pointwise": ((2, 4, 6, 5), lambda b, x: (lambda w: lambda: b(Conv2D(), x, w))(weights(b, 17, 1, 1, 5))),
    "direct": ((2, 6, 10, 5), lambda b, x: (lambda w: lambda: b(Conv2D((1, 2), ((0, 0), (4, 2)), (1, 2)), x, w))(weights(b, 17, 3, 3, 5))),
    "first": ((2, 8, 12, 3), lambda b, x: (lambda w: lambda: b(Conv2D((2, 2), ((0, 1), (0, 1))), x, w))(weights(b, 17, 3, 3, 3))),
    "depthwise": (RESULT, lambda b, x: (lambda w: lambda: b(Conv2D(pads=((1, 1), (1, 1)), groups=17), x, w))(weights(b, 17, 3, 3, 1))),
    "grouped": ((1, 5, 7, 20), lambda b, x: (lambda w: lambda: b(Conv2D(groups=4), x, w))(weights(b, 12, 3, 3, 5))),
    "transposed": ((2, 2, 3, 5), lambda b, x: (lambda w: lambda: b(ConvTranspose2D((4, 6), (2, 2)), x, w))(weights(b, 17, 3, 3, 5))),
    "product": ((48, 5), lambda b, x: (lambda w: lambda: b(MatMul(), x, w))(b.constant(5, 17, scale=0.25))),
    "computed product": ((48, 5), lambda b, x: (lambda y: lambda: b(MatMul(), x, y))(b.input(5, 17))),
    "pool": ((2, 8, 12, 17), lambda b, x: lambda: b(Pool2D("average", (3, 3), (2, 2), ((1, 0), (1, 0))), x)),
    "resize": ((2, 2, 3, 17), lambda b, x: lambda: b(Resize2D((4, 6), "linear", (2.0, 2.0)), x)),
    "reduce": (RESULT, lambda b, x: lambda: b(Reduce("mean", (1, 2), True), x)),
    "softmax": ((48, 17), lambda b, x: lambda: b(Softmax(1), x)),
    "move": ((2, 2, 3, 68), lambda b, x: lambda: b(DepthToSpace(2), x)),
    "elementwise": (RESULT, lambda b, x: lambda: b("neg", x)),
}
ACTIVATIONS = list(dict.fromkeys((
    *(op for op in FUSED.values() if op),
    *(Elementwise("clip", bounds) for bounds in CLIPS.values()),
    *(Elementwise(fn, tuple(v for _, v in defaults)) for fn, defaults in ONNX_DEFAULTS.values()),
    *map(Elementwise, ("relu", "sigmoid", "silu", "hard_swish", "tanh", "softplus", "softsign", "mish", "gelu", "gelu_tanh", "prelu")),
)))  # fmt: skip
TOGETHER = 7
"""Activations of a kernel: those whose sum fits the reach of fusion."""


def activated(producer: str, groups: Sequence[Sequence[Elementwise]]) -> tuple[Build, Graph]:
    """An output and a producer of its own for each group: residual + scale * (a(t) - a'(t) + …), t = gate * (producer(x) + bias)."""
    b = Build()
    shape, prepare = PRODUCERS[producer]
    make = prepare(b, b("abs", b.input(*shape)))
    result = b.shape(make())
    bias, scale, slope = (b.constant(result[-1]) for _ in range(3))
    residual, gate = b.input(*result), b.input(result[0], *[1] * (len(result) - 2), result[-1])
    outputs = []
    for group in groups:
        t = b("mul", b("add", make(), bias), gate)
        results = [b(op, t, slope) if op.fn == "prelu" else b(op, t) for op in group]
        total = results[0]
        for k, y in enumerate(results[1:]):
            total = b("add" if k % 2 else "sub", total, y)
        outputs.append(b("add", residual, b("mul", total, scale)))
    graph = b.returns(*outputs)
    graph.sweep()
    return b, graph


@pytest.mark.parametrize("producer", PRODUCERS)
def test_every_activation_behind(producer: str) -> None:
    """Every group is one kernel; what gives the producer's operand is another."""
    groups = [ACTIVATIONS[k : k + TOGETHER] for k in range(0, len(ACTIVATIONS), TOGETHER)]
    b, graph = activated(producer, groups)
    launches = held(b, graph, CPU, reduction=128)
    assert launches["fused"] == len(groups) + 1
    assert launches["unfused"] >= 2 * len(ACTIVATIONS) + 4 * len(groups)


@pytest.mark.parametrize("producer", PRODUCERS)
def test_half_precision(producer: str) -> None:
    b, graph = activated(producer, [[op for op in ACTIVATIONS if op.fn in ("relu", "sigmoid", "hard_swish", "leaky_relu")]])
    for name, array in b.feed.items():
        b.feed[name] = (array / 2).astype(np.float16).astype(np.float32)
    held(b, graph, GPU, "f16", reduction=128)
