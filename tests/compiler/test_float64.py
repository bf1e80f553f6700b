"""Every template computes float64 in double: numbers that float32 has not, and sums that it would round."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from planish.compiler.ir import Step
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.conv_transpose import ConvTranspose2D
from planish.compiler.ops.cumulative import Cumulative
from planish.compiler.ops.det import Det
from planish.compiler.ops.elementwise import Cast, Elementwise
from planish.compiler.ops.gather import Gather
from planish.compiler.ops.lrn import LocalResponseNorm
from planish.compiler.ops.matmul import MatMul
from planish.compiler.ops.movement import Pad, Transpose
from planish.compiler.ops.pool import Pool2D
from planish.compiler.ops.recurrent import Recurrence
from planish.compiler.ops.reduce import Reduce
from planish.compiler.ops.resize import Resize2D
from planish.compiler.ops.softmax import Softmax
from tests.harness import CPU, GPU, Case, check

SIGMOID, TANH = Elementwise("sigmoid"), Elementwise("tanh")
LSTM = ("z", "r", "h0", "c0")
SAME = ((1, 1), (1, 1))
INDEX = np.array([2, 0, -1], np.int32)


def doubles(*shapes: tuple[int, ...], size: float = 1e100) -> list[np.ndarray]:
    """Normally distributed around 0, of the given size."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(s) * size for s in shapes]


CASES: list[tuple[Any, list[np.ndarray], frozenset[int]]] = [
    # op, operands, which of them are constant
    (Reduce("sum", (1,)), doubles((3, 2000)), frozenset()),
    (Reduce("mean", (0,)), doubles((700, 6)), frozenset()),
    (Reduce("max", (1, 2)), doubles((2, 3, 5)), frozenset()),
    (Reduce("prod", (1,)), doubles((5, 9), size=1e20), frozenset()),
    (Cumulative("sum", 1), doubles((3, 50)), frozenset()),
    (MatMul(), doubles((5, 33), (33, 18)), frozenset()),
    (MatMul(), doubles((5, 33), (33, 18)), frozenset({1})),
    (Softmax(1), doubles((3, 37), size=300), frozenset()),
    (Softmax(0, log=True), doubles((9, 17), size=300), frozenset()),
    (Pool2D("average", (3, 3), pads=SAME), doubles((1, 5, 6, 17)), frozenset()),
    (Pool2D("max", (2, 2)), doubles((1, 5, 6, 3)), frozenset()),
    (Resize2D((7, 9), "linear", (1.4, 1.5)), doubles((1, 5, 6, 5)), frozenset()),
    (LocalResponseNorm(1, 1, 0.1, 0.6, 1.0), doubles((1, 3, 4, 7), size=1e50), frozenset()),
    (Det(), doubles((3, 5, 5), size=1e30), frozenset()),
    (Gather(0), [*doubles((4, 16)), INDEX], frozenset()),
    (Transpose((1, 0)), doubles((5, 7)), frozenset()),
    (Pad(((1, 2), (0, 1)), "constant", 1e300), doubles((5, 7)), frozenset()),
    (Recurrence("lstm", LSTM, (SIGMOID, TANH, TANH)), doubles((4, 2, 12), (3, 12), (2, 3), (2, 3), size=1), frozenset({1})),
    (Conv2D(pads=SAME), doubles((1, 6, 7, 18), (5, 3, 3, 18)), frozenset({1})),
    (Conv2D(), doubles((1, 6, 7, 20), (17, 1, 1, 20)), frozenset({1})),
    (Conv2D(pads=SAME), doubles((1, 6, 7, 3), (18, 3, 3, 3)), frozenset({1})),
    (Conv2D(pads=SAME, groups=18), doubles((1, 6, 7, 18), (18, 3, 3, 1)), frozenset({1})),
    (ConvTranspose2D((9, 11), stride=(2, 2)), doubles((1, 4, 5, 6), (7, 3, 3, 6)), frozenset({1})),
]


@pytest.mark.device
@pytest.mark.parametrize(("op", "operands", "constants"), CASES, ids=[f"{type(op).__name__}{k}" for k, (op, _, _) in enumerate(CASES)])
def test_templates(op: Any, operands: list[np.ndarray], constants: frozenset[int]) -> None:
    scaled = (Step(Elementwise("mul"), (0, "half")), Step(Elementwise("affine", (1 + 1e-9, 1e-9)), (1,)))
    case = Case(op, operands, constants, scaled, (("half", np.array(0.5), True),))
    assert check(case, targets=[CPU, GPU], candidates=2) >= 2


@pytest.mark.device
@pytest.mark.parametrize("op", [MatMul(), Softmax(1), LocalResponseNorm(1, 1, 0.1, 0.75, 1.0), Det()], ids=lambda op: type(op).__name__)
def test_an_epilogue_may_leave_for_another_type(op: Any) -> None:
    """What a template computes in is the type of its operands, not that of what it stores."""
    (x,) = doubles((1, 2, 6, 6), size=3)
    steps = (Step(Elementwise("mul"), (0, "k")), Step(Cast(np.dtype(np.int32)), (1,)))
    case = Case(op, [x, x] if isinstance(op, MatMul) else [x], epilogue=steps, extra=(("k", np.array(1e3), True),), framed=False)
    assert check(case, targets=[CPU, GPU], candidates=1) == 2
