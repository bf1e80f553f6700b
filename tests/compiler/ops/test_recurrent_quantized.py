"""Recurrent operators in integers: several runs against LiteRT, number for number, by the references and on the device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from planish.compiler import compile_model
from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ops.lstm_integer import IntegerLstm
from planish.runtime import Session
from planish.runtime.devices import find
from tests.compiler.ops.test_recurrent_tflite import runs
from tests.conformance.tflite_case import Case, stored
from tests.conformance.tflite_recurrent import FORMS, B, N, T, U
from tests.conformance.tflite_recurrent_quantized import basic_lstms, integer_features, integer_lstms, layer
from tests.conformance.tflite_suite import output_types
from tests.oracles import litert_runs
from tests.tflite_writer import Quantization

CASES = [*integer_lstms(), *basic_lstms(), *integer_features()]


def written(folder: Path, case: Case) -> tuple[Path, list[list[np.ndarray]]]:
    """A case as a file, and what to feed it in each run: other numbers every time."""
    path = folder / "model.tflite"
    path.write_bytes(case.model()[0])
    path.write_bytes(case.model([t.shape for t in output_types(path)])[0])
    return path, [[stored(a.shape, a.dtype.name, -2, 2, seed=k).array for a in case.model()[1]] for k in range(case.runs)]


def equal(actual: list[list[np.ndarray]], expected: list[list[np.ndarray]]) -> None:
    for run, wanted in zip(actual, expected, strict=True):
        for a, b in zip(run, wanted, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.op)
def test_references(tmp_path: Path, case: Case) -> None:
    path, feeds = written(tmp_path, case)
    equal(runs(path, feeds), litert_runs(path, feeds))


def sequence(bits: int, form: tuple[str, ...] = (), batch: int = B) -> Case:
    operands, between, result = layer(form, bits)
    return Case("UNIDIRECTIONAL_SEQUENCE_LSTM", [stored((T, batch, N), "int8", -2, 2), *operands],
                {"fused_activation_function": "TANH", "time_major": True}, results=[("int8", result)], runs=4, intermediates=between)


@pytest.mark.parametrize("bits", range(7))
def test_cell_states(tmp_path: Path, bits: int) -> None:
    path, feeds = written(tmp_path, sequence(bits))
    assert any(isinstance(node.op, IntegerLstm) for node in load(path).nodes())
    equal(runs(path, feeds), litert_runs(path, feeds))


@pytest.mark.parametrize("bits", [-1, 7, 3.5])
def test_cell_states_that_are_refused(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(sequence(bits).model([(T, B, U)])[0])
    with pytest.raises(UnsupportedError, match=r"a power of two from 2\*\*-15 to 2\*\*-9 would be accepted"):
        load(path)


def test_basic_lstms_that_are_refused(tmp_path: Path) -> None:
    case, path = next(iter(basic_lstms())), tmp_path / "model.tflite"
    wrong = [(dtype, Quantization([1 / 128], [127])) for dtype, _ in case.results]
    path.write_bytes(replace(case, results=wrong).model()[0])
    with pytest.raises(UnsupportedError, match=r"zero points \[127, 128\] .*; 128 and 2\*\*-11 would be accepted"):
        load(path)


@pytest.mark.device
@pytest.mark.parametrize("case", [sequence(4, FORMS[6]), list(basic_lstms())[-1], CASES[-1]], ids=lambda case: case.op)
def test_on_the_device(tmp_path: Path, case: Case) -> None:
    path, feeds = written(tmp_path, case)
    plan, _ = compile_model(path)
    assert plan is not None and plan.states
    expected = litert_runs(path, feeds)
    with Session(plan, find()) as session:
        for _ in range(2):
            equal([list(session.run(arrays).values()) for arrays in feeds], expected)
            session.reset()
