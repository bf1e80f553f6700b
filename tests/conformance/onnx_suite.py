"""ONNX's own conformance suite, `onnx.backend.test`, case by case, with its own comparison."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

from planish.compiler import CompileError, onnx_backend
from planish.compiler.errors import UnsupportedError

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "real")
Status = Literal["passed", "failed", "declined"]


@dataclass(frozen=True)
class Outcome:
    """How a case went.

    Attributes:
        op: the operator under test, where the case is of one.
        reason: why it was declined, or how it failed.
    """

    name: str
    kind: str
    op: str
    status: Status
    reason: str = ""


@lru_cache
def cases() -> dict[str, Any]:
    """Every case by name. Making them computes what is expected, with numpy's warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {case.name: case for kind in KINDS for case in load_model_tests(kind=kind)}


def run(name: str) -> Outcome:
    """Compiles and runs one case."""
    case = cases()[name]
    op = ""
    try:
        model, sets = _load(case)
        op = model.graph.node[0].op_type if case.kind == "node" and len(model.graph.node) == 1 else ""
        ready = onnx_backend.prepare(model)
        for inputs, expected in sets:
            Runner.assert_similar_outputs(expected, ready.run(inputs), case.rtol, case.atol)
    except UnsupportedError as error:
        return Outcome(name, case.kind, op, "declined", "; ".join(dict.fromkeys(f"{node}: {reason}" for _, node, reason in error.nodes)))
    except CompileError as error:
        return Outcome(name, case.kind, op, "declined", str(error))
    except Exception as error:  # whatever else goes wrong is a failure, and told as one
        return Outcome(name, case.kind, op, "failed", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    return Outcome(name, case.kind, op, "passed")


def _load(case: Any) -> tuple[onnx.ModelProto, list[tuple[list[Any], list[Any]]]]:
    """The model, and pairs of inputs and expected outputs."""
    if case.model is not None:
        return case.model, [([*map(_plain, inputs)], [*map(_plain, outputs)]) for inputs, outputs in case.data_sets]
    if case.kind == "real":  # the weights of these are constants, and what they should give lies beside them
        path = Path(onnx.__file__).parents[1] / case.url
        model = onnx.load(path)
        weights = {t.name for t in model.graph.initializer}
        dummies = [Runner.generate_dummy_data(i, seed=0, name=case.model_name) for i in model.graph.input if i.name not in weights]
        return model, [(dummies, [*_arrays(path.parent, f"{path.stem}_output", model.graph.output)])]
    folder = Path(case.model_dir)
    model = onnx.load(folder / "model.onnx")
    sets = [([*_arrays(d, "input", model.graph.input)], [*_arrays(d, "output", model.graph.output)])
            for d in sorted(folder.glob("test_data_set_*"))]
    for archive in sorted(folder.glob("test_data_*.npz")):
        data = np.load(archive, encoding="bytes")
        sets.append((list(data["inputs"]), list(data["outputs"])))
    return model, sets


def _plain(given: Any) -> Any:
    return numpy_helper.to_array(given) if isinstance(given, onnx.TensorProto) else given


def _arrays(folder: Path, what: str, infos: Any) -> Iterator[Any]:
    for k in range(len(list(folder.glob(f"{what}_*.pb")))):
        data = (folder / f"{what}_{k}.pb").read_bytes()
        kind = infos[k].type.WhichOneof("value")
        if kind == "sequence_type":
            yield numpy_helper.to_list(onnx.SequenceProto.FromString(data))
        elif kind == "optional_type":
            yield numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
        else:
            yield numpy_helper.to_array(onnx.TensorProto.FromString(data))
