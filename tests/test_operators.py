"""What is said of operators: by `planish ops`, and on the page docs/ops.md, which `make golden` writes."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

from planish.compiler.operators import Operator, operators, page
from planish.compiler.ops.importing import ONNX, TFLITE

ROOT = Path(__file__).resolve().parents[1]


def named_by() -> dict[str, set[str]]:
    """Of each operator that has an importer, the test modules whose code names it."""
    found: dict[str, set[str]] = {}
    for path in (p for folder in ("ops", "frontend") for p in (ROOT / "tests" / "compiler" / folder).glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and (node.value in ONNX or node.value in TFLITE):
                found.setdefault(node.value, set()).add(path.stem)
    return found


def test_the_page_is_current(golden: Callable[[str, str], None]) -> None:
    golden("../../docs/ops.md", page(named_by()))


def test_every_importer_is_told() -> None:
    told = {(o.format, o.name): o for o in operators()}
    assert {*told} >= {*(("tflite", n) for n in TFLITE), *(("onnx", n) for n in ONNX)}
    assert told["onnx", "Compress"].where == "kernel; host where the condition is computed"
    assert told["tflite", "WHERE"] == Operator("tflite", "WHERE", (), "host")
    assert told["onnx", "NonZero"] == Operator("onnx", "NonZero", (9, 13), "host")
    assert "multiples" in told["tflite", "TILE"].constant
    assert "fused activation …; one of … would be accepted" in told["tflite", "DIV"].refusals
    assert all(o.where == "function" for o in told.values() if o.format == "onnx" and o.name not in ONNX)
    assert not {("onnx", name) for name in ("SequenceMap", "Bernoulli", "StringConcat")} & {*told}
    assert told["onnx", "Attention"].where == "function"
