"""LSTM layers in integers: every kernel against the reference, which tests of the importers hold against LiteRT."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.elementwise import Cast, Elementwise
from planish.compiler.ops.lstm_integer import OPERANDS, IntegerLstm
from tests.harness import Case, check

RANGES = {"z": 20000, "r": 127, "h0": 128, "c0": 32767, "peepholes": 32767, "scale": 32767, "shift": 300000, "projection": 127,
          "projection_bias": 1000}
STORED = {"r": "int8", "projection": "int8", "peepholes": "int16", "scale": "int16"}
GATES = ((1300000000, -1), (1 << 30, 2), (1900000000, 0), (1200000000, 1))


def case(coupled: bool, peepholes: bool, norm: bool, projection: bool, units: int = 5, **options: Any) -> Case:
    """Random numbers, over the whole range of their types where that makes sense."""
    steps, batch, gates, state = 4, 2, 4 - coupled, 3 if projection else units
    shapes: dict[str, tuple[int, ...]] = {"z": (steps, batch, gates * units), "r": (state, gates * units), "h0": (batch, state),
                                          "c0": (batch, units)}
    if peepholes:
        shapes["peepholes"] = (3, batch, units)
        options["peephole"] = ((1 << 30, -10), (1 << 30, -12), (1500000000, -11))
    if norm:
        shapes |= {"scale": (gates * units,), "shift": (gates * units,)}
        options |= {"norm": ((1500000000, -14),) * gates, "guards": (3, 1, 7, 5)[:gates]}
    if projection:
        shapes |= {"projection": (units, state), "projection_bias": (state,)}
        options["projected"] = (1600000000, -7)
    rng = np.random.default_rng(1)
    names = tuple(name for name in OPERANDS if name in shapes)
    arrays = [rng.integers(-RANGES[k], RANGES[k] + 1, shapes[k]).astype(STORED.get(k, "int32")) for k in names]
    options = {"cell_bits": 4, "hidden_zero": -3, "state_zero": 5, **options}
    op = IntegerLstm(names, GATES[:gates], (1100000000, -21), coupled=coupled, **options)
    return Case(op, arrays, frozenset(k for k, name in enumerate(names) if name not in ("z", "h0", "c0")))


@pytest.mark.device
@pytest.mark.parametrize("form", [*product((False, True), repeat=4)], ids=str)
def test_every_candidate(form: tuple[bool, bool, bool, bool]) -> None:
    assert check(case(*form)) >= 3


@pytest.mark.device
@pytest.mark.parametrize("case", [
    case(False, False, False, False, units=1), case(False, True, True, True, units=300),
    case(False, False, False, False, cell_clip=20000, cell_bits=6), case(True, False, True, True, projection_clip=60, cell_bits=0),
], ids=["one", "wide", "cell clip", "projection clip"])  # fmt: skip
def test_options(case: Case) -> None:
    assert check(case) >= 3


@pytest.mark.device
def test_units_that_are_all_the_same() -> None:
    """Their variance is the guard's."""
    even = case(False, False, True, False)
    even.operands[0][:], even.operands[1][:] = 7, 0
    assert check(even) >= 3


@pytest.mark.device
def test_epilogue() -> None:
    plain = case(False, False, False, False)
    steps = (Step(Cast(np.dtype(np.float32)), (0,)), Step(Elementwise("dequantize", (0.5, 3.0)), (1,)))
    assert check(Case(plain.op, plain.operands, plain.constants, epilogue=steps)) >= 3


def test_wrong_operands() -> None:
    op, types = case(False, False, False, False).op, [TensorType.of(a) for a in case(False, False, False, False).operands]
    with pytest.raises(GraphError, match=r"r is int32\[5,20\], not int8\[5,20\]"):
        op.infer(types[0], TensorType((5, 20), np.dtype(np.int32)), *types[2:])
    with pytest.raises(GraphError, match="an LSTM layer of"):
        op.infer(TensorType((4, 2, 19), np.dtype(np.int32)), *types[1:])
