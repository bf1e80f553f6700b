"""Every convolution kernel, every candidate, against the numpy reference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from planish.compiler.errors import GraphError
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.conv import Conv2D, OrderedConv2D
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.padding import Pads
from planish.runtime.needs import subgroups
from tests.harness import CPU, GPU, Case, check, graph_of, schedules

pytestmark = pytest.mark.device
NONE: Pads = ((0, 0), (0, 0))
SAME: Pads = ((1, 1), (1, 1))


def arrays(*shapes: tuple[int, ...], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(s).astype(np.float32) for s in shapes]


def case(x: tuple[int, ...], w: tuple[int, ...], op: Conv2D, *, framed: bool = True, **rest: object) -> Case:
    return Case(op, arrays(x, w), frozenset({1}), framed=framed, **rest)  # type: ignore[arg-type]


DENSE = [
    # x, w, op
    ((1, 9, 11, 17), (33, 1, 1, 17), Conv2D()),
    ((3, 5, 7, 5), (3, 1, 1, 5), Conv2D()),
    ((1, 1, 1, 64), (40, 1, 1, 64), Conv2D()),
    ((2, 28, 1, 20), (33, 1, 1, 20), Conv2D()),
    ((2, 6, 6, 32), (48, 1, 1, 32), Conv2D()),
    ((1, 9, 11, 16), (17, 1, 1, 16), Conv2D((2, 2))),
    ((1, 9, 11, 1), (5, 3, 3, 1), Conv2D((1, 1), SAME)),
    ((3, 9, 11, 3), (17, 3, 3, 3), Conv2D((2, 2), ((0, 1), (0, 1)))),
    ((1, 13, 15, 3), (24, 7, 7, 3), Conv2D((2, 2), ((3, 3), (3, 3)))),
    ((1, 12, 10, 17), (33, 3, 3, 17), Conv2D((1, 1), SAME)),
    ((3, 7, 9, 20), (5, 3, 3, 20), Conv2D((2, 1), ((1, 0), (2, 1)))),
    ((1, 15, 14, 8), (16, 3, 3, 8), Conv2D((1, 1), ((2, 2), (2, 2)), (2, 2))),
    ((1, 11, 9, 16), (16, 5, 1, 16), Conv2D((1, 1), ((2, 2), (0, 0)))),
    ((1, 8, 29, 16), (64, 1, 5, 16), Conv2D((1, 2), ((0, 0), (2, 2)), (1, 3))),
    ((1, 4, 4, 32), (32, 4, 4, 32), Conv2D()),
    ((1, 5, 5, 4), (6, 3, 3, 4), Conv2D((3, 3), ((4, 4), (4, 4)))),
    ((2, 3, 5, 43), (21, 1, 1, 43), Conv2D()),
    ((1, 1, 3, 130), (9, 1, 1, 130), Conv2D()),
]
DEPTHWISE = [
    ((1, 9, 11, 17), (17, 3, 3, 1), Conv2D((1, 1), SAME, groups=17)),
    ((3, 9, 11, 5), (5, 3, 3, 1), Conv2D((2, 2), ((0, 1), (0, 1)), groups=5)),
    ((1, 30, 31, 32), (32, 3, 3, 1), Conv2D((2, 2), SAME, groups=32)),
    ((1, 17, 16, 16), (16, 5, 5, 1), Conv2D((1, 1), ((2, 2), (2, 2)), groups=16)),
    ((1, 12, 12, 3), (3, 3, 3, 1), Conv2D((1, 1), ((2, 2), (2, 2)), (2, 2), groups=3)),
    ((2, 3, 3, 1), (1, 3, 3, 1), Conv2D(groups=1)),
    ((1, 10, 40, 16), (16, 1, 9, 1), Conv2D((1, 2), ((0, 0), (4, 3)), groups=16)),
]
GROUPED = [
    ((1, 9, 11, 20), (36, 3, 3, 5), Conv2D((1, 1), SAME, groups=4)),
    ((3, 6, 5, 17), (34, 3, 3, 1), Conv2D((1, 1), SAME, groups=17)),
    ((1, 7, 7, 64), (64, 1, 1, 32), Conv2D(groups=2)),
    ((1, 8, 8, 48), (96, 3, 3, 16), Conv2D((2, 2), SAME, groups=3)),
    ((1, 5, 5, 3), (9, 1, 1, 1), Conv2D(groups=3)),
]


def split(x: tuple[int, ...], w: tuple[int, ...], op: Conv2D, **rest: Any) -> int:
    """Runs the candidates in which work-items share sums; returns how many."""
    return check(case(x, w, op, **rest), targets=[GPU], reduction=length(w), template="conv_pointwise_split")


@pytest.mark.parametrize("framed", [False, True])
def test_shared_sums(framed: bool) -> None:
    """Few results of long sums, on a GPU; with whatever follows."""
    x, w, op = DENSE[17]
    steps = (Step(Elementwise("add"), (0, "r")), Step(Elementwise("relu"), (1,)))
    (residual,) = arrays((1, 1, 3, 9), seed=1)
    assert split(x, w, op, framed=framed) > 1
    assert split(x, w, op, framed=framed, epilogue=steps, extra=(("r", residual, False),)) > 1


def test_sums_are_not_shared_where_there_are_many() -> None:
    graph, _ = graph_of(case((1, 64, 64, 64), (64, 1, 1, 64), Conv2D()))
    variants = [variant for variant, _ in schedules(graph, GPU)]
    assert any("conv_pointwise" in v for v in variants) and not any("conv_pointwise_split" in v for v in variants)


@pytest.mark.parametrize("precision", ["f32", "f16"])
@pytest.mark.parametrize(("x", "w", "op"), [DENSE[0], DENSE[8], DENSE[9], DEPTHWISE[1], GROUPED[0]])
def test_weights_as_images(x: tuple[int, ...], w: tuple[int, ...], op: Conv2D, precision: str) -> None:
    values, weights = arrays(x, w)
    halves = [a.astype(np.float16).astype(np.float32) for a in (values, weights / np.sqrt(length(w)).astype(np.float32))]
    targets = [replace(GPU, images=True)]
    assert check(Case(op, halves, frozenset({1})), targets=targets, precision=precision, reduction=length(w), candidates=8) == 8


@pytest.mark.parametrize("precision", ["f32", "f16"])
@pytest.mark.parametrize(("x", "w", "op"), [DENSE[3], DENSE[4], DENSE[9], DENSE[10], GROUPED[0]])
def test_weights_are_broadcast(x: tuple[int, ...], w: tuple[int, ...], op: Conv2D, precision: str, device: cl.Device) -> None:
    """Within sub-groups, some of whose work-items have no tile."""
    if not subgroups(device):
        pytest.skip("the device has no sub-groups of a given size")
    values, weights = arrays(x, w)
    halves = [a.astype(np.float16).astype(np.float32) for a in (values, weights / np.sqrt(length(w)).astype(np.float32))]
    tested = Case(op, halves, frozenset({1}))
    target = replace(GPU, subgroup=16)
    graph, _ = graph_of(tested)
    assert sum(" subgroup16" in variant for variant, _ in schedules(graph, target)) >= 2
    template = "conv_pointwise" if length(w) == x[3] else "conv_direct"
    assert check(tested, targets=[target], precision=precision, reduction=length(w), template=template) >= 4


def test_operands_larger_than_the_nearest_cache() -> None:
    """On a CPU they may be loaded by vectors first; the last tile is shifted back."""
    long = case((1, 5, 6, 610), (40, 1, 1, 610), Conv2D())
    graph, _ = graph_of(long)
    variants = [variant for variant, _ in schedules(graph, CPU)]
    assert any(" staged1" in v for v in variants) and any("conv_pointwise" in v and " staged1" not in v for v in variants)
    assert check(long, targets=[CPU], reduction=610, template="conv_pointwise", candidates=12) == 12


LOCAL = [
    ((1, 9, 11, 17), (33, 1, 1, 17), Conv2D()),
    ((2, 10, 12, 20), (33, 3, 3, 20), Conv2D((1, 1), SAME)),
    ((1, 15, 14, 8), (70, 3, 3, 8), Conv2D((1, 1), ((2, 2), (2, 2)), (2, 2))),
    ((3, 17, 19, 6), (40, 3, 5, 6), Conv2D((2, 1), ((1, 0), (2, 3)))),
    ((1, 20, 1, 64), (130, 1, 1, 64), Conv2D()),
]
"""x, w, op; of images of more than one tile, and of channels that are more and less than one."""


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize(("x", "w", "op"), LOCAL)
def test_tiles_in_local_memory(x: tuple[int, ...], w: tuple[int, ...], op: Conv2D, framed: bool) -> None:
    """Each size of a work-group that fits a GPU, large ones too; of what is plain where its channels are vectors."""
    if framed or x[-1] % GPU.lanes == 0:
        targets = [replace(GPU, group=256, registers=128)]
        assert check(case(x, w, op, framed=framed), targets=targets, reduction=length(w), template="conv_local") >= 2


def test_tiles_in_local_memory_with_what_follows() -> None:
    x, w, op = LOCAL[1]
    steps = (Step(Elementwise("add"), (0, "r")), Step(Elementwise("relu"), (1,)))
    (residual,) = arrays((2, 10, 12, 33), seed=1)
    followed = case(x, w, op, epilogue=steps, extra=(("r", residual, False),))
    assert check(followed, targets=[GPU], reduction=length(w), template="conv_local") >= 2


def length(w: tuple[int, ...]) -> int:
    return int(np.prod(w[1:]))


@pytest.mark.parametrize(("x", "w", "op"), DENSE + DEPTHWISE + GROUPED)
def test_against_reference(x: tuple[int, ...], w: tuple[int, ...], op: Conv2D) -> None:
    assert check(case(x, w, op), reduction=length(w), candidates=2) >= 3


@pytest.mark.parametrize(("x", "w", "op"), [DENSE[0], DENSE[6], DENSE[8], DENSE[10], DENSE[16], DENSE[17], DEPTHWISE[0],
                                             DEPTHWISE[2], GROUPED[0]])
@pytest.mark.parametrize("target", [CPU, GPU], ids=lambda t: t.name)
def test_every_candidate(x: tuple[int, ...], w: tuple[int, ...], op: Conv2D, target: object) -> None:
    assert check(case(x, w, op), targets=[target], reduction=length(w)) > 1  # type: ignore[list-item]


@pytest.mark.parametrize(("x", "w", "op"), [DENSE[0], DENSE[6], DENSE[9], DEPTHWISE[1]])
def test_reads_and_writes_what_the_user_sees(x: tuple[int, ...], w: tuple[int, ...], op: Conv2D) -> None:
    assert check(case(x, w, op, framed=False), reduction=length(w), candidates=2) >= 3


@pytest.mark.parametrize(("x", "w", "op"), [DENSE[0], DENSE[6], DENSE[8], DEPTHWISE[0], GROUPED[0]])
def test_half_precision(x: tuple[int, ...], w: tuple[int, ...], op: Conv2D) -> None:
    values, weights = arrays(x, w)
    halves = [a.astype(np.float16).astype(np.float32) for a in (values, weights / np.sqrt(length(w)).astype(np.float32))]
    assert check(Case(op, halves, frozenset({1})), precision="f16", reduction=length(w), candidates=2) >= 3


@pytest.mark.parametrize(("x", "w", "op"), [DENSE[0], DENSE[5], DENSE[8], DEPTHWISE[0], GROUPED[1]])
def test_epilogue(x: tuple[int, ...], w: tuple[int, ...], op: Conv2D) -> None:
    """Bias, activation, scale per image and channel, residual: in one kernel."""
    shape = op.infer(*(_type(s) for s in (x, w)))[0].shape
    bias, scale, residual = arrays((shape[3],), (shape[0], 1, 1, shape[3]), shape, seed=1)
    steps = (Step(Elementwise("add"), (0, "bias")), Step(Elementwise("clip", (0.0, 6.0)), (1,)),
             Step(Elementwise("mul"), (2, "scale")), Step(Elementwise("add"), ("residual", 3)), Step(Elementwise("sigmoid"), (4,)),
             Step(Elementwise("mul"), (4, 5)))
    extra = (("bias", bias, True), ("scale", scale, False), ("residual", residual, False))
    assert check(case(x, w, op, epilogue=steps, extra=extra), reduction=length(w), candidates=2) >= 3


ORDERED = [
    # x, w, op, whether the sums begin with something
    ((1, 9, 11, 17), (33, 1, 1, 17), OrderedConv2D(), False),
    ((3, 9, 11, 3), (17, 3, 3, 3), OrderedConv2D((2, 2), ((0, 1), (0, 1))), True),
    ((2, 12, 10, 17), (33, 3, 3, 17), OrderedConv2D((1, 1), SAME), False),
    ((1, 15, 14, 8), (16, 3, 2, 8), OrderedConv2D((1, 2), ((2, 2), (2, 2)), (2, 2)), True),
    ((1, 5, 5, 4), (100, 3, 3, 4), OrderedConv2D((3, 3), ((4, 4), (4, 4))), True),
    ((1, 9, 11, 17), (17, 3, 3, 1), OrderedConv2D((1, 1), SAME, groups=17), True),
    ((3, 9, 11, 5), (5, 3, 5, 1), OrderedConv2D((2, 2), ((0, 1), (0, 1)), groups=5), False),
    ((2, 9, 11, 1), (1, 3, 3, 1), OrderedConv2D((1, 1), SAME), True),
]


@pytest.mark.parametrize(("x", "w", "op", "begins"), ORDERED)
@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_in_order(x: tuple[int, ...], w: tuple[int, ...], op: OrderedConv2D, begins: bool, precision: str) -> None:
    operands = arrays(x, w, (w[0],))[: 3 if begins else 2]
    operands[1] /= np.float32(np.sqrt(length(w)))
    if precision == "f16":
        operands = [a.astype(np.float16).astype(np.float32) for a in operands]
    ordered = Case(op, operands, frozenset(range(1, len(operands))))
    assert check(ordered, precision=precision, reduction=length(w)) >= 3
    assert check(replace(ordered, framed=False), precision=precision, reduction=length(w), candidates=1) == 3


def test_in_order_is_dense_or_depthwise() -> None:
    with pytest.raises(GraphError, match="dense or depthwise"):
        OrderedConv2D(groups=2).infer(_type((1, 4, 4, 8)), _type((8, 3, 3, 4)))


@pytest.mark.parametrize(("x", "w", "op"), [DENSE[0], DENSE[3], DENSE[9], DENSE[11]])
def test_scaled_channels(x: tuple[int, ...], w: tuple[int, ...], op: Conv2D) -> None:
    """A factor for each channel of each image, as squeeze-and-excitation has it."""
    operands = arrays(x, w, (x[0], 1, 1, x[3]))
    assert check(Case(op, operands, frozenset({1})), reduction=length(w), candidates=4) >= 6


def test_a_factor_that_does_not_fit_is_refused() -> None:
    x, w, scale = (_type(s) for s in ((1, 8, 8, 32), (16, 3, 3, 32), (1, 1, 1, 16)))
    with pytest.raises(GraphError, match=r"a factor .* for channels of .*; \[N,1,1,C\] in one group would be accepted"):
        Conv2D().infer(x, w, scale)  # type: ignore[arg-type]


def _type(shape: tuple[int, ...]) -> TensorType:
    return TensorType(shape, np.dtype(np.float32))
