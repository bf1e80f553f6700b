"""What the compiler emits, as text that a change shows: the graph after every pass, and a kernel of every template.

`make golden` rewrites the files; the difference then says what a change means for everybody's models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from planish.compiler import frontend, passes, render, text
from planish.compiler.driver import compile_graph
from planish.compiler.ir import Graph
from planish.compiler.kernel import Kernel, Site
from planish.compiler.lower import lower
from planish.compiler.ops.bitcast import BitCast
from planish.compiler.ops.conv import Conv2D, OrderedConv2D
from planish.compiler.ops.conv_transpose import ConvTranspose2D
from planish.compiler.ops.cumulative import Cumulative
from planish.compiler.ops.det import Det
from planish.compiler.ops.elementwise import Cast, Elementwise
from planish.compiler.ops.gather import Gather
from planish.compiler.ops.lrn import LocalResponseNorm
from planish.compiler.ops.lstm_integer import IntegerLstm
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.max_place import MaxPlace, Unpool
from planish.compiler.ops.movement import Concat, Reshape, Slice, Transpose
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.recurrent import Recurrence
from planish.compiler.ops.reduce import Reduce
from planish.compiler.ops.resize import Resize2D
from planish.compiler.ops.roi import RoiAlign, RoiPool
from planish.compiler.ops.sample import Sample
from planish.compiler.ops.scatter import ScatterND
from planish.compiler.ops.softmax import Softmax
from planish.compiler.ops.top import Top
from planish.compiler.ops.trees import TreeLeaves
from planish.compiler.passes.lay_out import lay_out
from planish.compiler.targets import Target, named
from tests.conftest import GOLDEN
from tests.graphs import Build

Golden = Callable[[str, str], None]
UPSCALER = GOLDEN.parents[1] / "examples" / "upscaler"
STAGES = [f"{k:02}-{name}.txt" for k, name in enumerate(("import", *passes.NAMES))]


class Exact:
    """Numbers in -1..1 that come out the same everywhere, in the place of a generator's."""

    def standard_normal(self, shape: tuple[int, ...]) -> np.ndarray:
        return (np.arange(np.prod(shape, dtype=int)) * 7919 % 1024 / 512 - 1).reshape(shape)


def branched() -> Graph:
    """In the order of ONNX: a normalised residual block with a gate, a shuffle, two heads, and an output in the middle."""
    b = Build()
    b.rng = Exact()
    to_nhwc, to_nchw = Transpose((0, 2, 3, 1)), Transpose((0, 3, 1, 2))

    def conv(x: str, out: int, kernel: int = 1, groups: int = 1) -> str:
        pads = ((kernel // 2, kernel // 2),) * 2
        w = b(Transpose((0, 2, 3, 1)), b.constant(out, b.shape(x)[1] // groups, kernel, kernel))
        return b(to_nchw, b(Conv2D(pads=pads, groups=groups), b(to_nhwc, x), w))

    def normalised(x: str) -> str:
        mean, scale = (b.constant(b.shape(x)[1], 1, 1) for _ in range(2))
        return b("mul", b("sub", x, mean), scale)

    x = b("relu", normalised(conv(b.input(1, 3, 8, 8), 16, 3)))
    y = b("add", x, normalised(conv(b("relu", normalised(conv(x, 16, 3, groups=16))), 16)))
    y = b("mul", y, b("sigmoid", conv(b(Reduce("mean", (2, 3), True), y), 16)))
    left, right = (b(Slice((0, k, 0, 0), (1, 8, 8, 8), (1,) * 4), y) for k in (0, 8))
    shuffled = b(Transpose((0, 2, 1, 3, 4)), b(Reshape((1, 2, 8, 8, 8)), b(Concat(1), b("tanh", left), right)))
    z = b(Reshape((1, 16, 8, 8)), shuffled)
    small = b(to_nchw, b(Pool2D("max", (2, 2), (2, 2)), b(to_nhwc, y)))
    heads = [b(Reshape((1, boxes, 4)), b(to_nhwc, conv(v, 4))) for v, boxes in ((z, 64), (small, 16))]
    logits = b(MatMul(), b(Reshape((1, 16)), b(Reduce("max", (2, 3)), z)), b.constant(16, 10))
    graph = b.returns(b(Concat(1), *heads), b(Softmax(1), b("add", logits, b.constant(10))), y)
    graph.name = "branched"
    return graph


MODELS: dict[str, Callable[[], Graph]] = {
    "upscaler.tflite": lambda: frontend.load(UPSCALER / "upscaler.tflite", input_shapes={}),
    "upscaler.onnx": lambda: frontend.load(UPSCALER / "upscaler.onnx", input_shapes={}),
    "branched": branched,
}


@pytest.mark.parametrize("model", MODELS)
def test_passes(model: str, golden: Golden) -> None:
    graph = MODELS[model]()
    golden(f"passes/{model}/{STAGES[0]}", text.dump(graph))
    passes.run(graph, named("cpu"), watch=lambda number, name, after, events: golden(f"passes/{model}/{STAGES[number]}", text.dump(after)))


LSTM = Recurrence("lstm", ("z", "r", "h0", "c0"), (Elementwise("sigmoid"), Elementwise("tanh"), Elementwise("tanh")))
INTEGER_LSTM = IntegerLstm(("z", "r", "h0", "c0"), ((1 << 30, -1),) * 4, (1 << 30, -21), 4, 3, 3)
CASES: dict[str, tuple[tuple[int, ...], Any, Sequence[tuple[int, ...]]]] = {
    # template: x, op, shapes of its constants; ragged channels
    "bitcast": ((1, 5, 7, 17), BitCast(np.dtype(np.float32)), []),
    "conv_depthwise": ((1, 9, 11, 17), Conv2D((1, 1), ((1, 1), (1, 1)), groups=17), [(17, 3, 3, 1)]),
    "conv_direct": ((1, 9, 11, 17), Conv2D((1, 1), ((1, 1), (1, 1))), [(33, 3, 3, 17)]),
    "conv_first": ((1, 9, 11, 3), Conv2D((2, 2), ((1, 1), (1, 1))), [(17, 3, 3, 3)]),
    "conv_local": ((1, 9, 11, 17), Conv2D((2, 2), ((1, 1), (1, 1))), [(33, 3, 3, 17)]),
    "conv_ordered": ((1, 9, 11, 17), OrderedConv2D((1, 1), ((1, 1), (1, 1))), [(33, 3, 3, 17), (33,)]),
    "conv_pointwise": ((1, 9, 11, 17), Conv2D(), [(33, 1, 1, 17)]),
    "conv_pointwise_split": ((1, 3, 5, 33), Conv2D(), [(33, 1, 1, 33)]),
    "conv_transposed": ((1, 5, 6, 17), ConvTranspose2D((10, 12), (2, 2), ((0, 1), (0, 1))), [(5, 3, 3, 17)]),
    "conv_winograd": ((1, 9, 11, 17), Conv2D((1, 1), ((1, 1), (1, 1))), [(33, 3, 3, 17)]),
    "cumulative": ((3, 7, 17), Cumulative("sum", 1), []),
    "det": ((3, 5, 5), Det(), []),
    "gather": ((7, 17), Gather(0), [(3,)]),
    "lrn": ((1, 5, 7, 17), LocalResponseNorm(2, 2, 1e-4, 0.75, 1.0), []),
    "lstm_integer": ((3, 2, 20), INTEGER_LSTM, [(5, 20), (2, 5), (2, 5)]),
    "map": ((1, 5, 7, 17), Transpose((0, 3, 1, 2)), []),
    "matmul": ((3, 5, 17), MatMul(), [(3, 17, 8)]),
    "max_place": ((1, 9, 11, 17), MaxPlace((3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), (11, 1), (0, 0)), []),
    "pool": ((1, 9, 11, 17), Pool2D("average", (3, 3), (2, 2), ((1, 1), (1, 1))), []),
    "recurrent": ((3, 2, 20), LSTM, [(5, 20), (2, 5), (2, 5)]),
    "reduce": ((1, 9, 11, 17), Reduce("mean", (1, 2), True), []),
    "resize": ((1, 5, 7, 17), Resize2D((10, 14), "linear", (2.0, 2.0)), []),
    "roi_align": ((2, 5, 7, 17), RoiAlign((2, 3)), [(3, 4), (3,)]),
    "roi_pool": ((2, 5, 7, 17), RoiPool((2, 3)), [(3, 5)]),
    "sample": ((1, 5, 7, 17), Sample("cubic", "reflection"), [(1, 3, 4, 2)]),
    "scatter": ((7, 17), ScatterND((7, 17), "add"), [(3, 1), (3, 17)]),
    "softmax": ((3, 17), Softmax(1), []),
    "top_insert": ((7, 17), Top(1, 5), []),
    "top_rank": ((7, 17), Top(1, 5), []),
    "top_select": ((7, 17), Top(1), []),
    "unpool": ((3, 17), Unpool(33), [(3, 17)]),
    "tree_leaves": ((3, 17), TreeLeaves(), [(7,), (7,), (7,), (7, 2), (5,)]),
}
TARGETS = ("cpu", "generic")
GPU_ONLY = {"conv_local", "conv_pointwise_split"}
INTEGERS: dict[type, dict[int, str]] = {
    Gather: {1: "int32"}, IntegerLstm: {0: "int32", 1: "int8", 2: "int32", 3: "int32"}, RoiAlign: {2: "int32"}, ScatterND: {1: "int32"},
    Unpool: {1: "int32"},
}  # fmt: skip
"""Ops of which operands hold integers: which ones, and of what type."""


KERNELS = [(template, target) for template in CASES for target in TARGETS if target != "cpu" or template not in GPU_ONLY]


def chosen(template: str, target: Target, precision: str = "f32") -> tuple[Site, Kernel]:
    """The node of a case, and its kernel: of the candidates with the template, the first by name, so that costs do not choose.

    Its operand comes from a kernel, its epilogue adds a bias, an activation and a residual, and an image goes to another kernel.
    """
    shape, op, constants = CASES[template]
    b = Build()
    x, integers = b("neg", b.input(*shape)), INTEGERS.get(type(op), {})
    if 0 in integers:
        x = b(Cast(np.dtype(integers[0])), x)
    operands = [b.array(np.arange(np.prod(s)).reshape(s), integers[k]) if k in integers else b.constant(*s)
                for k, s in enumerate(constants, 1)]
    y = b(op, x, *operands)
    y = y if b.graph.type(y).dtype.kind == "f" else b(Cast(np.dtype(np.float32)), y)
    bias, residual = b.constant(b.shape(y)[-1]), b.input(*b.shape(y))
    y = b("add", b("sigmoid", b("add", y, bias)), residual)
    graph = b.returns(b(Pool2D("max", (1, 1)), y) if len(b.shape(y)) == 4 else y)
    passes.fuse.fuse(graph)
    lay_out(graph, target)
    launch = next(c for c in lower(graph, target, precision).launches if c.site.node.op == op)
    return launch.site, min((k for k in launch.candidates if k.template == template), key=lambda k: k.variant())


@pytest.mark.parametrize(("template", "target"), KERNELS)
def test_kernels(template: str, target: str, golden: Golden) -> None:
    golden(f"kernels/{template}.{target}.cl", render.source(*chosen(template, named(target))).text)


def test_megakernel(golden: Golden) -> None:
    """A convolution whose items are counted by blocks of channels, one by images, and a copy without groups."""
    b = Build()
    b.rng = Exact()
    x = b(Conv2D(), b.input(1, 9, 11, 17), b.constant(33, 1, 1, 17))
    plan = compile_graph(b.returns(b(Softmax(1), b(Reduce("max", (1, 2)), b(Conv2D(), x, b.constant(5, 1, 1, 33))))), named("cpu"))
    (kernel,) = plan.kernels
    golden("kernels/megakernel.cpu.cl", kernel.source)


def test_every_template_has_a_case_and_every_file_a_test() -> None:
    assert sorted([*CASES, "megakernel"]) == sorted(p.name.removesuffix(".cl.j2") for p in render.TEMPLATES.glob("*.cl.j2"))
    files = {f"passes/{model}/{stage}" for model in MODELS for stage in STAGES}
    files |= {f"kernels/{template}.{target}.cl" for template, target in KERNELS} | {"kernels/megakernel.cpu.cl"}
    assert {str(p.relative_to(GOLDEN)) for p in GOLDEN.rglob("*") if p.is_file()} == files
