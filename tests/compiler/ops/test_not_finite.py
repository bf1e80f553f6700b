"""NaN and infinities go through every template as through numpy; tests of single ops say it of maxima, softmax, sampling, comparisons."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from planish.compiler.driver import compile_graph
from planish.compiler.ops.conv import Conv2D, OrderedConv2D
from planish.compiler.ops.conv_transpose import ConvTranspose2D
from planish.compiler.ops.cumulative import Cumulative
from planish.compiler.ops.gather import Gather
from planish.compiler.ops.lrn import LocalResponseNorm
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.movement import Concat, Pad, Slice, Transpose
from planish.compiler.ops.op import Op
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.reduce import Reduce
from planish.compiler.ops.resize import Resize2D
from planish.compiler.ops.scatter import ScatterND
from planish.compiler.ops.softmax import Softmax
from planish.compiler.targets import named
from planish.runtime import Session
from planish.runtime.devices import find
from tests.graphs import Build
from tests.harness import TARGETS, Case, check, check_graph, floats

pytestmark = pytest.mark.device
SAME = ((1, 1), (1, 1))
AS_DEFINED = [replace(target, winograd=False) for target in TARGETS]
"""Winograd's filtering adds the elements of a tile to each other, and what is not finite with them."""


def holed(*shape: int) -> np.ndarray:
    """Floats with NaN and both infinities among them, a few apart."""
    (x,) = floats(shape)
    flat = x.reshape(-1)
    for k, value in enumerate((np.nan, np.inf, -np.inf)):
        flat[(2 * k + 1) * flat.size // 6] = value
    return x


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize(("op", "operands", "constants"), [
    (Conv2D(), [holed(1, 5, 7, 5), *floats((17, 1, 1, 5))], {1}),
    (Conv2D(pads=SAME), [holed(2, 6, 7, 5), *floats((3, 3, 3, 5))], {1}),
    (Conv2D((2, 2), SAME), [holed(1, 9, 8, 3), *floats((17, 3, 3, 3))], {1}),
    (OrderedConv2D(pads=SAME), [holed(1, 7, 8, 5), *floats((9, 3, 3, 5))], {1}),
    (ConvTranspose2D((9, 11), (2, 2), SAME), [holed(1, 5, 6, 5), *floats((17, 3, 3, 5))], {1}),
    (MatMul(), [holed(3, 5, 17), *floats((3, 17, 9))], set()),
    (MatMul(), [holed(5, 17), *floats((17, 33))], {1}),
    (Pool2D("average", (3, 3), (1, 1), SAME), [holed(1, 7, 6, 17)], set()),
    (Reduce("mean", (1, 2), True), [holed(2, 7, 6, 17)], set()),
    (Reduce("sum", (1,), False), [holed(5, 70)], set()),
    (LocalResponseNorm(2, 2, 1e-4, 0.75, 1.0), [holed(1, 5, 6, 17)], set()),
    (Cumulative("sum", 1), [holed(3, 17, 5)], set()),
    (Cumulative("prod", 1), [holed(3, 17)], set()),
    (Gather(1), [holed(3, 7, 5), np.array([6, 0, 3])], set()),
    (ScatterND((7, 5), "add"), [holed(7, 5), np.array([[1], [4]]), holed(2, 5)], set()),
    (Transpose((0, 3, 1, 2)), [holed(1, 5, 6, 17)], set()),
    (Pad(((0, 0), (1, 2), (0, 1), (0, 0))), [holed(1, 5, 6, 17)], set()),
    (Slice((0, 1, 1, 2), (1, 3, 4, 11), (1, 1, 1, 1)), [holed(1, 5, 6, 17)], set()),
    (Concat(3), [holed(1, 5, 6, 5), *floats((1, 5, 6, 3))], {1}),
], ids=lambda each: type(each).__name__ if isinstance(each, Op) else "")  # fmt: skip
def test_kernels(op: Any, operands: list[np.ndarray], constants: set[int]) -> None:
    assert check(Case(op, operands, frozenset(constants)), targets=AS_DEFINED, candidates=3) >= 3


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_depthwise() -> None:
    """The kernel made for it; what takes a block of groups at once multiplies what is of other groups by zero (docs/limits.md)."""
    case = Case(Conv2D(pads=SAME, groups=17), [holed(1, 7, 8, 17), *floats((17, 3, 3, 1))], frozenset({1}))
    assert check(case, targets=AS_DEFINED, template="conv_depthwise", candidates=3) >= 3


def test_nearest_pixels() -> None:
    """What is not looked at does not matter; the reference multiplies it by zero."""
    b, x = Build(), holed(1, 8, 14, 5)
    plan = compile_graph(b.returns(b(Resize2D((4, 7), "nearest", (0.5, 0.5)), b.input(*x.shape))), named("generic"))
    with Session(plan, find()) as session:
        (y,) = session.run([x]).values()
    np.testing.assert_array_equal(y, x[:, ::2, ::2])


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("reader", ["conv", "pointwise", "pool", "sum", "mean", "softmax"])
def test_lanes_past_the_last_channel_stay_apart(reader: str) -> None:
    """Behind a convolution they are an infinity times zero; what reads them must not take them for numbers."""
    b = Build()
    x = np.ones((1, 4, 5, 3), np.float32)
    x[0, 2, 2, 1] = np.inf
    weights = np.abs(floats((5, 1, 1, 3))[0])
    y = b(Conv2D(), b("neg", b.input(*x.shape)), b.array(weights))
    ops = {"conv": Conv2D(pads=SAME), "pointwise": Conv2D(), "pool": Pool2D("average", (2, 2)), "sum": Reduce("sum", (3,), True),
           "mean": Reduce("mean", (1, 2, 3)), "softmax": Softmax(3)}
    size = {"conv": 3, "pointwise": 1}.get(reader)
    y = b(ops[reader], y, *([b.array(np.abs(floats((19, size, size, 5))[0]))] if size else []))
    graph = b.returns(b("neg", y))
    assert check_graph(graph, dict.fromkeys(b.feed, x), targets=AS_DEFINED, candidates=None if size else 2, what=reader) >= 3
