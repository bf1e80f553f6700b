"""What is mutated: the bundled network in both formats, models of every operator of TFLite and ONNX, control flow, and plans."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from onnx import ModelProto, helper
from onnx.backend.test.loader import load_model_tests

from planish.compiler import CompileError, compile_model
from planish.runtime.plan import Plan
from tests.conformance import tflite_suite
from tests.conformance.tflite_case import Program
from tests.runtime import plans

UPSCALER = Path(__file__).resolve().parents[2] / "examples" / "upscaler"
LARGEST = 1 << 16
"""Bytes of a model of an operator."""
COMPILED = ("upscaler.tflite", "onnx/test_nonzero_example", "onnx/test_lstm_defaults", "tflite/WHILE-1", "tflite/WHILE-4", "tflite/IF-1")
"""Models of which there are plans, too."""


@dataclass(frozen=True)
class Seed:
    """A valid file.

    Attributes:
        kind: "tflite", "onnx" or "plan".
        files: name -> contents; of a model the only one is "model".
    """

    name: str
    kind: str
    files: Mapping[str, bytes]


def seeds() -> list[Seed]:
    """All of them, in a fixed order."""
    models = [*_upscaler(), *_tflite(), *_onnx()]
    return [*models, *_plans({seed.name: seed for seed in models})]


def _upscaler() -> Iterator[Seed]:
    for kind in ("tflite", "onnx"):
        yield Seed(f"upscaler.{kind}", kind, {"model": (UPSCALER / f"upscaler.{kind}").read_bytes()})


def _tflite() -> Iterator[Seed]:
    """Two models of each operator, and every program: control flow, variables, sparse weights."""
    counts: dict[str, int] = {}
    for case in tflite_suite.cases().values():
        number = counts[case.op] = counts.get(case.op, 0) + 1
        if number > 2 and not isinstance(case, Program):
            continue
        data, _ = case.model()
        if len(data) < LARGEST:
            yield Seed(f"tflite/{case.op}-{number}", "tflite", {"model": data})


def _onnx() -> Iterator[Seed]:
    """Two models of each operator, and all of control flow."""
    counts: dict[str, int] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # making them computes what is expected
        cases = load_model_tests(kind="node")
    for case in cases:
        op = case.model.graph.node[0].op_type
        counts[op] = counts.get(op, 0) + 1
        data = case.model.SerializeToString()
        if len(data) < LARGEST and (counts[op] <= 2 or op in ("If", "Loop", "Scan")):
            yield Seed(f"onnx/{case.name}", "onnx", {"model": data})
    yield Seed("onnx/functions", "onnx", {"model": functions(4).SerializeToString()})


def functions(depth: int, calls: int = 2) -> ModelProto:
    """A model of functions, each of which calls the next so many times."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    made = []
    for k in range(depth):
        op, domain = (f"F{k + 1}", "own") if k + 1 < depth else ("Relu", "")
        names = ["x", *(f"v{c}" for c in range(calls - 1)), "y"]
        nodes = [helper.make_node(op, [a], [b], domain=domain) for a, b in pairwise(names)]
        made.append(helper.make_function("own", f"F{k}", ["x"], ["y"], nodes, opsets))
    x, y = (helper.make_tensor_value_info(name, 1, [2, 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("F0", ["x"], ["y"], domain="own")], "functions", [x], [y])
    return helper.make_model(graph, opset_imports=opsets, functions=made)


def _plans(models: Mapping[str, Seed]) -> Iterator[Seed]:
    """Plans written by hand, and compiled ones."""
    for make in (plans.linear, plans.hosted, plans.looped):
        yield Seed(f"plan/{make.__name__}", "plan", _written(make()))
    for name in COMPILED:
        yield Seed(f"plan/{name}", "plan", _written(_compiled(models[name])))


def _compiled(seed: Seed) -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        path.write_bytes(seed.files["model"])
        plan, _ = compile_model(path, "cpu")
    if plan is None:
        raise CompileError(f"{seed.name}: no plan")
    return plan


def _written(plan: Plan) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        plan.write(Path(folder, "plan"))
        return {str(p.relative_to(Path(folder, "plan"))): p.read_bytes() for p in sorted(Path(folder, "plan").rglob("*.*"))}
