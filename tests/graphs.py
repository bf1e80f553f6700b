"""Graphs for tests: built by hand or by chance, rewritten, compared, and run in simulated memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from planish.compiler import text
from planish.compiler.ir import Graph, Node, TensorType, evaluate
from planish.compiler.memory import Arena
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.conv_transpose import ConvTranspose2D
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.movement import Concat, DepthToSpace, Pad, Reshape, Slice, SpaceToDepth, Transpose
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.reduce import Reduce
from planish.compiler.ops.resize import Resize2D
from planish.compiler.ops.softmax import Softmax
from planish.compiler.passes.lay_out import is_view
from planish.compiler.passes.rewrite import Event, Rule, describe, rewrite


class Build:
    """A graph in the making; calling it adds a node: b("add", b(Conv2D(), x, w), bias)."""

    def __init__(self) -> None:
        self.graph, self.feed = Graph("test"), dict[str, np.ndarray]()
        self.rng = np.random.default_rng(0)

    def input(self, *shape: int, dtype: str = "float32") -> str:
        """Fed with numbers of a normal distribution."""
        name = f"x{len(self.feed)}"
        self.feed[name] = self.rng.standard_normal(shape).astype(dtype)
        return self.graph.add_input(name, TensorType(shape, np.dtype(dtype)))

    def constant(self, *shape: int, scale: float = 1.0) -> str:
        return self.array(self.rng.standard_normal(shape).astype(np.float32) * np.float32(scale))

    def array(self, array: Any, dtype: str = "float32") -> str:
        return self.graph.add_constant(np.asarray(array, dtype), "c")

    def __call__(self, op: Any, *values: str) -> str:
        """Adds a node, `op` being an op or the name of an element-wise one; returns its result."""
        op = Elementwise(op) if isinstance(op, str) else op
        name = f"n{len(self.graph)}"
        value = f"v{len(self.graph)}"
        self.graph.add_node(Node(name, op, values, (value,), position=len(self.graph), sources=(name,)))
        return value

    def shape(self, value: str) -> tuple[int, ...]:
        return self.graph.type(value).shape

    def returns(self, *values: str) -> Graph:
        """Names the outputs y0, y1, …"""
        self.graph.outputs = {f"y{k}": v for k, v in enumerate(values)}
        self.graph.verify()
        return self.graph


def ops(graph: Graph) -> list[str]:
    """The ops in order, each followed by the steps of its epilogue: ["Conv2D + add + relu", "Reshape"]."""
    return [" + ".join([_short(n.op), *(_short(s.op) for s in n.epilogue)]) for n in graph.nodes()]


def steps(graph: Graph) -> list[str]:
    """The steps of all epilogues with their operands, as dumps show them."""
    return [line.strip(" +") for line in text.dump(graph).splitlines() if line.startswith("    + ")]


def said(events: Sequence[Event]) -> list[str]:
    """What rules did and declined: "merge_padding: …", "not merge_padding: …"."""
    return [f"{'' if e.fired else 'not '}{e.rule}: {e.text}" for e in events]


def assert_equal_meaning(before: Graph, after: Graph, feed: dict[str, np.ndarray], *, exact: bool = False) -> None:
    """Both graphs give the same outputs: the same numbers, or numbers that differ by rounding."""
    assert list(before.outputs) == list(after.outputs)
    expected, actual = evaluate(before, feed), evaluate(after, feed)
    for name in before.outputs:
        left, right = actual[after.outputs[name]], expected[before.outputs[name]]
        assert (left.shape, left.dtype) == (right.shape, right.dtype)
        if exact or right.dtype.kind != "f":
            np.testing.assert_array_equal(left, right, err_msg=name)
        else:
            np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5, err_msg=name)


def rewritten(rules: Sequence[Rule], make: Callable[[Build], str | Sequence[str]], *, exact: bool = False) -> tuple[Graph, list[str]]:
    """What rules make of a graph, and what they say; holds that it still means the same."""
    b = Build()
    made = make(b)
    before = b.returns(*([made] if isinstance(made, str) else made))
    after = before.copy()
    events = rewrite(after, rules)
    after.verify()
    assert_equal_meaning(before, after, b.feed, exact=exact)
    return after, said(events)


def _short(op: Any) -> str:
    return describe(op).removeprefix("Elementwise.")


UNARY = (Elementwise("relu"), Elementwise("clip", (0.0, 6.0)), Elementwise("leaky_relu", (0.1,)), Elementwise("sigmoid"),
         Elementwise("tanh"), Elementwise("hard_swish"), Elementwise("abs"), Elementwise("softplus"), Elementwise("gelu"))
CHANNELS = (1, 3, 5, 8, 16, 17)


def by_chance(seed: int, nodes: int = 7) -> Build:
    """A graph of random ops, shapes and wiring: branches, several readers, broadcasts, outputs in the middle."""
    r, b = random.Random(seed), Build()
    b.rng = np.random.default_rng(seed)
    values = [b.input(r.choice((1, 3)), r.choice((5, 6, 9)), r.choice((4, 7)), r.choice(CHANNELS))]
    while len(b.graph) < nodes:
        x = values[-1] if r.random() < 0.7 else r.choice(values)
        y = r.choice(IMAGE_OPS if len(b.shape(x)) == 4 and r.random() < 0.6 else ANY_OPS)(r, b, x, values)
        if y is not None and 0 < b.graph.type(y).size <= 20_000:
            values.append(y)
    leaves = [v for v in values if not b.graph.consumers(v) and v not in b.graph.inputs]
    inner = [v for v in values if b.graph.producer(v) and v not in leaves and r.random() < 0.15]
    b.returns(*leaves, *inner)
    b.graph.sweep()
    return b


Make = Callable[[random.Random, Build, str, list[str]], "str | None"]


def _window(r: random.Random, b: Build, x: str, kernels: Sequence[int]) -> tuple[Any, ...] | None:
    """Kernel, stride, pads and dilation that fit an image."""
    kernel = r.choice(kernels), r.choice(kernels)
    stride, dilation = (r.choice((1, 1, 2)), r.choice((1, 1, 3))), (r.choice((1, 1, 2)), 1)
    pads = tuple((r.randint(0, k // 2), r.randint(0, k // 2)) for k in kernel)
    room = (e + sum(p) - (k - 1) * d - 1 for e, p, k, d in zip(b.shape(x)[1:3], pads, kernel, dilation))
    return (kernel, stride, pads, dilation) if min(room) >= 0 else None


def _conv(r: random.Random, b: Build, x: str, values: list[str]) -> str | None:
    window, c = _window(r, b, x, (1, 1, 3)), b.shape(x)[3]
    if window is None:
        return None
    kernel, stride, pads, dilation = window
    groups = r.choice([1, 1, c, *(g for g in (2, 4) if c % g == 0)])
    out = groups * r.choice((1, 2)) if groups > 1 else r.choice((*CHANNELS, 33))
    w = b.constant(out, *kernel, c // groups, scale=(kernel[0] * kernel[1] * c // groups) ** -0.5)
    y = b(Conv2D(stride, pads, dilation, groups), x, w)
    y = b("add", y, b.constant(out)) if r.random() < 0.6 else y
    return b(r.choice(UNARY), y) if r.random() < 0.6 else y


def _onnx_conv(r: random.Random, b: Build, x: str, values: list[str]) -> str | None:
    """Bracketed by transposes, and followed by a batch normalisation, as importers of NCHW give it."""
    y = _conv(r, b, b(Transpose((0, 2, 3, 1)), x), values)
    if y is None:
        return None
    y = b(Transpose((0, 3, 1, 2)), y)
    scale, shift = (b.constant(b.shape(y)[1], 1, 1) for _ in range(2))
    return b("add", b("mul", y, scale), shift) if r.random() < 0.7 else b("relu", y)


def _conv_transpose(r: random.Random, b: Build, x: str, values: list[str]) -> str:
    (_, h, w, c), (stride, kernel) = b.shape(x), r.choice(((2, 2), (2, 3), (1, 3)))
    out = r.choice(CHANNELS)
    weights = b.constant(out, kernel, kernel, c, scale=(kernel * kernel * c) ** -0.5)
    size = (h - 1) * stride + kernel - 1, (w - 1) * stride + kernel - 1
    return b(ConvTranspose2D(size, (stride, stride), ((1, 0), (0, 1))), x, weights)


def _pool(r: random.Random, b: Build, x: str, values: list[str]) -> str | None:
    window = _window(r, b, x, (1, 2, 3))
    if window is None:
        return None
    kernel, stride, pads, _ = window
    kind = r.choice(("max", "average"))
    return b(Pool2D(kind, kernel, stride, pads, counted=pads if r.random() < 0.5 else ((0, 0), (0, 0))), x)


def _resize(r: random.Random, b: Build, x: str, values: list[str]) -> str:
    _, h, w, _ = b.shape(x)
    size = r.choice((h, 2 * h, h + 3)), 2 * w
    return b(Resize2D(size, r.choice(("nearest", "linear")), (size[0] / h, 2.0), "half_pixel"), x)


def _blocks(r: random.Random, b: Build, x: str, values: list[str]) -> str | None:
    _, h, w, c = b.shape(x)
    if c % 4 == 0:
        return b(DepthToSpace(2, r.random() < 0.5), x)
    return b(SpaceToDepth(2), x) if h % 2 == w % 2 == 0 else None


def _gate(r: random.Random, b: Build, x: str, values: list[str]) -> str:
    """Squeeze and excitation."""
    c = b.shape(x)[3]
    mean = b(Reduce("mean", (1, 2), True), x)
    return b("mul", x, b("sigmoid", b(Conv2D(), mean, b.constant(c, 1, 1, c, scale=c**-0.5))))


def _concat(r: random.Random, b: Build, x: str, values: list[str]) -> str | None:
    if not b.shape(x):
        return None
    axis = r.randrange(len(b.shape(x)))
    fits = [v for v in values if len(b.shape(v)) == len(b.shape(x))
            and all(p == q for d, (p, q) in enumerate(zip(b.shape(v), b.shape(x))) if d != axis)]
    parts = r.sample(fits, min(len(fits), 2))
    if r.random() < 0.2:
        parts.append(b.array(np.zeros(b.shape(x))))
    return b(Concat(axis), x, *parts)


def _unary(r: random.Random, b: Build, x: str, values: list[str]) -> str:
    return b(r.choice(UNARY), x)


def _swish(r: random.Random, b: Build, x: str, values: list[str]) -> str:
    return b("mul", x, b("sigmoid", x))


def _binary(r: random.Random, b: Build, x: str, values: list[str]) -> str:
    shape = b.shape(x)
    alike = [v for v in values if b.shape(v) == shape]
    if r.random() < 0.5:
        other = r.choice(alike)
    else:
        kept = [e if r.random() < 0.5 else 1 for e in shape]
        other = b.constant(*r.choice(((), shape[-1:], tuple(kept), shape)))
    pair = (x, other) if r.random() < 0.7 else (other, x)
    return b(r.choice(("add", "mul", "sub", "maximum", "add")), *pair)


def _divide(r: random.Random, b: Build, x: str, values: list[str]) -> str:
    return b("div", x, b.array(1 + b.rng.random(b.shape(x)[-1:])))


def _reshape(r: random.Random, b: Build, x: str, values: list[str]) -> str:
    n, *rest = b.shape(x) or (1,)
    size = int(np.prod(rest))
    last = rest[-1] if rest else 1
    return b(Reshape(r.choice(((n, size), (n, size // last, last), (n, 1, *rest), (n * size,), (n, last, 1, size // last)))), x)


def _transpose(r: random.Random, b: Build, x: str, values: list[str]) -> str:
    rank = len(b.shape(x))
    perm = r.choice(((0, 2, 3, 1), (0, 3, 1, 2))) if rank == 4 and r.random() < 0.7 else tuple(r.sample(range(rank), rank))
    return b(Transpose(perm), x)


def _pad(r: random.Random, b: Build, x: str, values: list[str]) -> str:
    pads = tuple((r.choice((0, 0, 1)), r.choice((0, 0, 2))) for _ in b.shape(x))
    return b(Pad(pads, r.choice(("constant", "constant", "edge")), r.choice((0.0, 0.0, 1.5))), x)


def _slice(r: random.Random, b: Build, x: str, values: list[str]) -> str:
    begin, shape, step = [], [], []
    for extent in b.shape(x):
        first = r.choice((0, 0, r.randrange(extent)))
        step.append(r.choice((1, 1, 1, 2)))
        begin.append(first)
        shape.append(r.choice((1, -1, -1)) % (1 + (extent - first - 1) // step[-1]) or 1)
    return b(Slice(tuple(begin), tuple(shape), tuple(step)), x)


def _reduce(r: random.Random, b: Build, x: str, values: list[str]) -> str:
    rank = len(b.shape(x))
    axes = tuple(sorted(r.sample(range(rank), r.randint(0, rank))))
    return b(Reduce(r.choice(("mean", "max", "sum")), axes, r.random() < 0.6), x)


def _matmul(r: random.Random, b: Build, x: str, values: list[str]) -> str | None:
    if len(b.shape(x)) < 2:
        return None
    inner, out = b.shape(x)[-1], r.choice(CHANNELS)
    return b("add", b(MatMul(), x, b.constant(inner, out, scale=inner**-0.5)), b.constant(out))


def _softmax(r: random.Random, b: Build, x: str, values: list[str]) -> str | None:
    return b(Softmax(r.randrange(len(b.shape(x)))), x) if b.shape(x) else None


IMAGE_OPS: tuple[Make, ...] = (_conv, _conv, _conv, _onnx_conv, _onnx_conv, _conv_transpose, _pool, _resize, _blocks, _gate)
ANY_OPS: tuple[Make, ...] = (_unary, _unary, _binary, _binary, _binary, _swish, _divide, _concat, _reshape, _transpose, _pad, _slice,
                             _reduce, _matmul, _softmax)


def simulate(graph: Graph, feed: dict[str, np.ndarray], arena: Arena | None = None) -> None:
    """Runs a laid-out float32 graph in simulated memory.

    Every node finds its operands, unharmed, where layouts and homes, and the arena's offsets, say that they are. A node's
    store writes zeros into the lanes past the last channel, as kernels do. Memory is NaN before it is written.
    """
    expected = evaluate(graph, feed)
    shared = np.full((arena.nbytes if arena else 0) // 4, np.nan, np.float32)
    buffers: dict[str, np.ndarray] = {}

    def buffer(root: str) -> np.ndarray:
        if root not in buffers:
            if arena and root in arena.offsets:
                start = arena.offsets[root] // 4
                buffers[root] = shared[start : start + arena.sizes[root] // 4]
            else:
                homed = [v for v in graph.values() if v.data is None and (v.home or v.name) == root and v.layout]
                buffers[root] = np.full(max(v.layout.span(v.type.shape) for v in homed if v.layout), np.nan, np.float32)
        return buffers[root]

    def place(name: str) -> tuple[np.ndarray, Any]:
        value = graph.value(name)
        assert value.layout is not None, f"{name} has no layout"
        return buffer(value.home or name), value.layout

    def write(name: str) -> None:
        (memory, layout), array = place(name), expected[name]
        if layout.axis is not None:
            width = [(0, -e % layout.lanes if d == layout.axis else 0) for d, e in enumerate(array.shape)]
            array = np.pad(array, width)
        memory[layout.indices(array.shape)] = array

    def read(name: str, reader: str) -> None:
        if graph.constant(name) is None:
            memory, layout = place(name)
            np.testing.assert_array_equal(layout.unpack(memory, graph.type(name).shape), expected[name], err_msg=f"{reader} reads {name}")

    for name in graph.inputs:
        write(name)
    for node in graph.nodes():
        for name in node.operands:
            read(name, node.name)
        if not is_view(graph, node):
            for name in node.outputs:
                write(name)
    for name in graph.outputs.values():
        assert graph.value(name).home is None, f"output {name} lies in another's buffer"
        read(name, "the user")
