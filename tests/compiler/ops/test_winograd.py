"""3x3 convolutions by Winograd's minimal filtering."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planish.compiler.ir import Step
from planish.compiler.kernel import Site
from planish.compiler.lower import Launch, lower
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.winograd import POINTS, SCRATCH_BYTES, matrices, pack_winograd, transformed
from planish.compiler.passes.lay_out import lay_out
from planish.compiler.targets import Target
from tests.harness import CPU, CPU8, GPU, Case, check, floats, graph_of

LOSS = 16
"""Its roundings weigh as those of a sum this many times as long."""

SAME = Conv2D((1, 1), ((1, 1), (1, 1)))
SHAPES = [
    # x, w, op
    ((1, 12, 16, 16), (16, 3, 3, 16), SAME),
    ((1, 13, 11, 17), (33, 3, 3, 17), SAME),
    ((3, 9, 10, 20), (40, 3, 3, 20), Conv2D()),
    ((2, 7, 5, 32), (48, 3, 3, 32), Conv2D((1, 1), ((0, 2), (3, 1)))),
    ((1, 3, 3, 16), (70, 3, 3, 16), Conv2D()),
    ((1, 50, 47, 16), (16, 3, 3, 16), SAME),
]


def test_the_published_matrices_of_f2() -> None:
    """Lavin and Gray, equation 5, up to the signs of rows, of which two cancel."""
    at, g, bt = matrices(2)
    np.testing.assert_array_equal(np.abs(at), [[1, 1, 1, 0], [0, 1, 1, 1]])
    np.testing.assert_array_equal(np.abs(g), [[1, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0, 0, 1]])
    np.testing.assert_array_equal(np.abs(bt), [[1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]])


@given(m=st.sampled_from(sorted(POINTS)), seed=st.integers(0, 1000))
def test_a_tile_is_a_convolution(m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((m + 2, m + 2)), rng.standard_normal((1, 3, 3, 1))
    at, _, bt = matrices(m)
    y = at @ (transformed(w, m)[..., 0, 0] * (bt @ x @ bt.T)) @ at.T
    expected = [[(x[i : i + 3, j : j + 3] * w[0, :, :, 0]).sum() for j in range(m)] for i in range(m)]
    np.testing.assert_allclose(y, expected, atol=1e-12)


def test_weights_are_packed_as_the_template_says() -> None:
    w = np.random.default_rng(0).standard_normal((40, 3, 3, 20)).astype(np.float32)
    packed = pack_winograd(w, 4, lanes=8, blocks=2, split=2)
    assert packed.shape == (2, 36, 2, 24, 16)
    flat = transformed(w, 4).reshape(36, 40, 20)
    np.testing.assert_array_equal(packed[1, 7, 0, 3], np.r_[flat[7, 32:40, 3].astype(np.float32), np.zeros(8, np.float32)])
    assert not packed[:, :, :, 20:].any() and not packed[1, :, 1].any()


@pytest.mark.device
@pytest.mark.parametrize(("x", "w", "op"), SHAPES)
def test_against_reference(x: tuple[int, ...], w: tuple[int, ...], op: Conv2D) -> None:
    case = Case(op, floats(x, w), frozenset({1}))
    assert check(case, template="conv_winograd", reduction=LOSS * 9 * w[3], candidates=4) >= 12


@pytest.mark.device
@pytest.mark.parametrize("target", [CPU, CPU8, GPU], ids=lambda t: t.name)
def test_every_candidate(target: Target) -> None:
    x, w, op = SHAPES[1]
    assert check(Case(op, floats(x, w), frozenset({1})), template="conv_winograd", reduction=LOSS * 9 * w[3], targets=[target]) >= 12


@pytest.mark.device
def test_reads_and_writes_what_the_user_sees() -> None:
    case = Case(SAME, floats((1, 9, 10, 32), (20, 3, 3, 32)), frozenset({1}), framed=False)
    assert check(case, template="conv_winograd", reduction=LOSS * 300, candidates=3) >= 9


@pytest.mark.device
def test_half_precision() -> None:
    x, w = floats((1, 9, 10, 32), (20, 3, 3, 32))
    halves = [a.astype(np.float16).astype(np.float32) for a in (x, w / np.float32(17))]
    assert check(Case(SAME, halves, frozenset({1})), template="conv_winograd", precision="f16", reduction=LOSS * 300, candidates=3) >= 9


@pytest.mark.device
def test_epilogue() -> None:
    bias, residual = floats((20,), (2, 9, 10, 20), seed=1)
    steps = (Step(Elementwise("add"), (0, "bias")), Step(Elementwise("add"), ("residual", 1)), Step(Elementwise("sigmoid"), (2,)))
    extra = (("bias", bias, True), ("residual", residual, False))
    case = Case(SAME, floats((2, 9, 10, 17), (20, 3, 3, 17)), frozenset({1}), epilogue=steps, extra=extra)
    assert check(case, template="conv_winograd", reduction=LOSS * 300, candidates=3) >= 9


def templates(case: Case, target: Target) -> set[str]:
    graph, _ = graph_of(case)
    lay_out(graph, target)
    launches = (step for step in lower(graph, target).launches if isinstance(step, Launch))
    return {k.template for launch in launches for k in launch.candidates if isinstance(launch.site, Site)}


@pytest.mark.parametrize(("w", "op"), [
    ((32, 3, 3, 32), Conv2D((2, 2))), ((32, 3, 3, 32), Conv2D((1, 1), ((0, 0), (0, 0)), (2, 2))), ((32, 3, 3, 16), Conv2D(groups=2)),
    ((32, 5, 5, 32), Conv2D()), ((8, 3, 3, 32), Conv2D())])
def test_only_what_it_is_for(w: tuple[int, ...], op: Conv2D) -> None:
    assert "conv_winograd" not in templates(Case(op, floats((1, 16, 16, 32), w), frozenset({1})), CPU)


@pytest.mark.parametrize("target", [CPU, GPU], ids=lambda t: t.name)
def test_memory_of_its_own_is_bounded(target: Target) -> None:
    """However large the image, and however many images there are."""
    x, w = np.zeros((4, 1024, 1024, 32), np.float32), floats((32, 3, 3, 32))[0]
    graph, _ = graph_of(Case(SAME, [x, w], frozenset({1})))
    lay_out(graph, target)
    launches = [step for step in lower(graph, target).launches if isinstance(step, Launch)]
    needs = [k.scratch for launch in launches for k in launch.candidates if k.template == "conv_winograd"]
    assert needs and max(needs) <= SCRATCH_BYTES


def test_it_can_be_forbidden() -> None:
    case = Case(SAME, floats((1, 16, 16, 32), (32, 3, 3, 32)), frozenset({1}))
    assert "conv_winograd" in templates(case, CPU) and "conv_winograd" not in templates(case, replace(CPU, winograd=False))


def test_sums_of_whole_numbers_stay_exact() -> None:
    """Those of a quantised model, whose weights are counts of steps."""
    x, w = floats((1, 16, 16, 32), (32, 3, 3, 32))
    assert "conv_winograd" not in templates(Case(SAME, [x, np.rint(w * 40)], frozenset({1})), CPU)
