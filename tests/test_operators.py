"""What is said of operators: by `planish ops`, and on the page docs/ops.md, which `make golden` writes."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tflite
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from planish.compiler import operators as told
from planish.compiler.frontend.tflite_file import read_subgraphs
from planish.compiler.operators import Operator, listing, operators, page
from planish.compiler.ops.importing import ONNX, TFLITE
from tests.compiler.frontend.test_onnx_history import CASES, types_of
from tests.conformance.tflite_suite import cases
from tests.tflite_writer import TfliteWriter

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = range(1, 21)
"""More than any operator of TFLite has."""


def named_by() -> dict[str, set[str]]:
    """Of each operator that has an importer, the test modules whose code names it."""
    found: dict[str, set[str]] = {}
    for path in (p for folder in ("ops", "frontend") for p in (ROOT / "tests" / "compiler" / folder).glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and (node.value in ONNX or node.value in TFLITE):
                found.setdefault(node.value, set()).add(path.stem)
    return found


def has(name: str, version: int) -> bool:
    """Whether LiteRT has a version of a TFLite operator."""
    m = TfliteWriter()
    m.output(m.op(name, [m.input("x", (1,), "float32")], {}, shape=(1,), dtype="float32", version=version))
    try:
        Interpreter(model_content=m.finish(), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    except ValueError as error:
        return "Didn't find op" not in str(error)
    return True


def tflite_types() -> dict[str, set[str]]:
    """Of each TFLite operator the types of its tensors in the conformance suite."""
    found: dict[str, set[str]] = {}
    for case in cases().values():
        for subgraph in read_subgraphs(case.model()[0], Path("case")):
            for operator in subgraph.operators:
                tensors = (subgraph.tensors[k] for k in (*operator.inputs, *operator.outputs) if k >= 0)
                found.setdefault(operator.op, set()).update(t.kind.lower() for t in tensors if t.kind not in ("RESOURCE", "STRING"))
    return found


def known() -> str:
    """What operators.json holds, a line for each operator."""
    by, types = named_by(), tflite_types()
    entries: dict[str, dict[str, dict[str, Any]]] = {"tflite": {}, "onnx": {}}
    for o in operators():
        dtypes = types.get(o.name, set()) if o.format == "tflite" else types_of(o.name) if o.name in CASES else set()
        entry = {"dtypes": sorted(dtypes), "tests": sorted(by.get(o.name, ()))}
        if o.format == "tflite" and o.name in vars(tflite.BuiltinOperator):
            entry["versions"] = [v for v in VERSIONS if has(o.name, v)]
        entries[o.format][o.name] = entry
    rows = {format: ",\n".join(f'  "{name}": {json.dumps(entry)}' for name, entry in of.items()) for format, of in entries.items()}
    return "{\n" + ",\n".join(f'"{format}": {{\n{text}\n}}' for format, text in rows.items()) + "\n}\n"


def test_the_page_is_current(golden: Callable[[str, str], None]) -> None:
    golden("../../compiler/operators.json", known())
    told._known.cache_clear()
    golden("../../docs/ops.md", page())


def test_every_importer_is_told() -> None:
    told = {(o.format, o.name): o for o in operators()}
    assert {*told} >= {*(("tflite", n) for n in TFLITE), *(("onnx", n) for n in ONNX)}
    assert told["onnx", "Compress"].where == "kernel; host where the condition is computed"
    assert told["tflite", "WHERE"].where == told["onnx", "NonZero"].where == "host"
    assert told["onnx", "NonZero"].versions == (9, 13)
    assert told["onnx", "ai.onnx.ml::LabelEncoder"].versions == (1, 2, 4)
    assert told["onnx", "Upsample"].versions == (7, 9)
    assert told["tflite", "ADD"].versions == (1, 2, 3, 4, 5, 6)
    assert told["tflite", "BROADCAST_TO"].versions[0] == 2
    assert all(max(o.versions, default=0) < VERSIONS[-1] for o in told.values() if o.format == "tflite")
    assert {"float32", "int8", "int16"} <= {*told["tflite", "ADD"].dtypes}
    assert {"bool", "bfloat16", "int4"} <= {*told["onnx", "Transpose"].dtypes}
    assert "multiples" in told["tflite", "TILE"].constant
    assert "fused activation …; one of … would be accepted" in told["tflite", "DIV"].refusals
    assert all(o.where == "function" for o in told.values() if o.format == "onnx" and o.name not in ONNX)
    assert not {("onnx", name) for name in ("SequenceMap", "Bernoulli", "StringConcat")} & {*told}
    assert told["onnx", "Attention"].where == "function"


def test_the_listing() -> None:
    lines = listing().splitlines()
    assert len(lines) == len(operators())
    assert any(line.split() == ["onnx", "Erf", "9,", "13", "kernel", "bf16", "f16-f64", "i8-i64", "u8-u64"] for line in lines)
    assert listing("quantize").startswith("tflite QUANTIZE\n  versions: 1")
    assert "  tests: " in listing("Einsum")
    assert listing("no such operator") == ""


@pytest.mark.parametrize("dtypes", [("int8",), ("float16", "float32", "float64", "bool")])
def test_types_in_few_words(dtypes: tuple[str, ...]) -> None:
    assert told._types(Operator("onnx", "Any", (), "kernel", dtypes=dtypes)) == {1: "i8", 4: "bool f16-f64"}[len(dtypes)]
