"""Runs cases of TFLite operators on the device, and holds them against LiteRT's interpreter."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import numpy as np

from planish.compiler import CompileError, compile_model
from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import TensorType
from planish.runtime import Session, devices
from tests.conformance.onnx_suite import Outcome
from tests.conformance.tflite_case import FAMILIES, Case, Program
from tests.oracles import litert_runs

TOLERANCE = 1e-4
"""Of floats: relative to each number; a tenth of it absolute, and a hundredth relative to the largest. Of half precision ten times as
much, an ulp or two."""

STEPS = 1
"""Of quantised results."""
PARTS = ("cases", "types", "operands", "quantized", "host", "recurrent", "recurrent_hybrid", "recurrent_quantized", "programs")
"""The modules of the families, in the order of their cases."""


@lru_cache
def cases() -> dict[str, Case | Program]:
    """Every case by name, in a fixed order."""
    for part in PARTS:
        import_module(f"{__package__}.tflite_{part}")
    made = (case for make in FAMILIES for case in make())
    return {f"{k:04}_{case.op.lower()}": case for k, case in enumerate(made)}


def run(name: str) -> Outcome:
    """Compiles and runs one case. One that LiteRT itself refuses is an error of the suite, and fails."""
    case = cases()[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        try:
            data, feed = case.model()
            path.write_bytes(data)
            path.write_bytes(case.model([t.shape for t in output_types(path)])[0])
            expected = litert_runs(path, [feed] * case.runs)
            plan, _ = compile_model(path)
            assert plan is not None
            with Session(plan, devices.find()) as session:
                for _ in range(2 if case.runs > 1 else 1):
                    for wanted in expected:
                        for a, b, stored in zip(session.run(feed).values(), wanted, quantized(case, len(wanted)), strict=True):
                            same(a, b, stored=stored)
                    session.reset()
        except UnsupportedError as error:
            reasons = dict.fromkeys(reason for *_, reason in error.nodes)
            return Outcome(name, "tflite", case.op, "declined", "; ".join(reasons))
        except CompileError as error:
            return Outcome(name, "tflite", case.op, "declined", str(error))
        except Exception as error:  # whatever else goes wrong is a failure, and told as one
            what = f"{case}: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
            return Outcome(name, "tflite", case.op, "failed", what)
    return Outcome(name, "tflite", case.op, "passed")


def output_types(path: Path) -> list[TensorType]:
    """What the importer makes of a model's outputs, whatever the file records."""
    graph = load(path)
    return [graph.type(value) for value in graph.outputs.values()]


def quantized(case: Case | Program, count: int) -> list[bool]:
    """Which results are integers that stand for reals."""
    return [not isinstance(r, str) for r in case.results] if isinstance(case, Case) else [False] * count


def same(actual: np.ndarray, expected: np.ndarray, *, stored: bool = False) -> None:
    """Integers are equal, or within a step where they stand for reals; floats are near, where sums cancel as near as the largest lets
    expect."""
    of, wanted = (f"{a.dtype}{list(a.shape)}" for a in (actual, expected))
    assert of == wanted, f"{of} for {wanted}"
    if stored:
        np.testing.assert_allclose(actual.astype(np.int64), expected, rtol=0, atol=STEPS)
        return
    if expected.dtype.kind != "f" or not expected.size:
        np.testing.assert_array_equal(actual, expected)
        return
    tolerance = TOLERANCE if expected.dtype != np.float16 else 10 * TOLERANCE
    largest = float(np.abs(expected[np.isfinite(expected)]).max(initial=0))
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance / 10 + largest * tolerance / 100)
