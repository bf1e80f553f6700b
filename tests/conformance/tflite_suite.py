"""Runs cases of TFLite operators on the device, and holds them against LiteRT's interpreter."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from planish.compiler import CompileError, compile_model
from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import TensorType
from planish.runtime import Session, devices
from tests.conformance.onnx_suite import Outcome
from tests.conformance.tflite_cases import Case, every
from tests.oracles import litert
from tests.tflite_writer import TfliteWriter

TOLERANCE = 1e-4
"""Of floats: relative to each number; a tenth of it absolute, and a hundredth relative to the largest."""


@lru_cache
def cases() -> dict[str, Case]:
    """Every case by name."""
    return {f"{k:04}_{case.op.lower()}": case for k, case in enumerate(every())}


def run(name: str) -> Outcome:
    """Compiles and runs one case. One that LiteRT itself refuses is an error of the suite, and fails."""
    case = cases()[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        try:
            data, feed = model_of(case)
            path.write_bytes(data)
            shapes = [t.shape for t in output_types(path)]
            path.write_bytes(model_of(case, shapes)[0])
            expected = litert(path, feed)
            plan, _ = compile_model(path)
            assert plan is not None
            with Session(plan, devices.find()) as session:
                actual = list(session.run(feed).values())
            for a, b in zip(actual, expected, strict=True):
                same(a, b)
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


def model_of(case: Case, shapes: Sequence[tuple[int, ...]] = ()) -> tuple[bytes, list[np.ndarray]]:
    """The model of a case, and what to feed it. A negative `fed` feeds the last operand alone.

    Args:
        shapes: of the results, as the file records them; LiteRT refuses some that are wrong, and computes others anew.
    """
    m, feed, tensors = TfliteWriter(), [], []
    for k, array in enumerate(case.operands):
        if array is None:
            tensors.append(-1)
        elif k < case.fed or (case.fed < 0 and k == len(case.operands) - 1):
            feed.append(array)
            tensors.append(m.input(f"x{k}", array.shape, array.dtype.name))
        else:
            tensors.append(m.constant(array))
    outputs = list(zip(shapes or [(1,)] * len(case.results), case.results))
    m.output(*m.op(case.op, tensors, case.options, outputs=outputs, version=case.version))
    return m.finish(), feed


def same(actual: np.ndarray, expected: np.ndarray) -> None:
    """Integers are equal; floats are near, where sums cancel as near as the largest lets expect."""
    of, wanted = (f"{a.dtype}{list(a.shape)}" for a in (actual, expected))
    assert of == wanted, f"{of} for {wanted}"
    if expected.dtype.kind != "f" or not expected.size:
        np.testing.assert_array_equal(actual, expected)
        return
    largest = float(np.abs(expected[np.isfinite(expected)]).max(initial=0))
    np.testing.assert_allclose(actual, expected, rtol=TOLERANCE, atol=TOLERANCE / 10 + largest * TOLERANCE / 100)
