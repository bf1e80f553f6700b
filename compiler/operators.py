"""What the compiler takes: every operator of both formats, where it runs, and what its importer wants and refuses, in its own words."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import onnx

from .ops.importing import HOSTED, ONNX, TFLITE, Result
from .ops.on_host import OPEN

OLDEST = 7
"""The ONNX operator set from which on versions are told."""
PAGE = """# Operators

Made by `make golden` from the importers, `compiler/operators.py`; `planish ops` lists the same.

Elements are floats of 16, 32 and 64 bits, integers of 8 to 64 bits, and truth values, as far as the operator has them. TFLite operators are
taken in every version that the schema knows, ONNX operators in every version from operator set 7 on; the numbers are of those operator sets
that define them anew.

- *where*: `kernel` on the device; `host` in numpy, between kernels, which the summary of `planish compile` names with the reason and
  `--no-host` refuses; `function`: the standard defines it by other operators, which take its place.
- *constant*: operands that cannot be computed at run time. Where inputs of the model decide them, `--input-value` makes those constants.
- *refused*: what the importer says when it declines a node, invalid ones included; … is what depends on the node.
- *tests*: of `tests/compiler/ops` and `tests/compiler/frontend`, those that import it.
"""


@dataclass(frozen=True)
class Operator:
    """An operator that models may have.

    Attributes:
        format: "tflite" or "onnx"; name: there.
        versions: of an ONNX operator, those of its definition that are in force from operator set 7 on; () for all.
        where: "kernel", "host", both with the condition, or "function": it is replaced by the operators that the standard defines it by.
        constant: operands that have to be constant, where they are given.
        refusals: reasons for which the importer refuses a node; … stands for what depends on it.
    """

    format: str
    name: str
    versions: tuple[int, ...]
    where: str
    constant: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


def operators() -> list[Operator]:
    """Those of TFLite, then those of ONNX, by name."""
    tflite = [_imported("tflite", name, (), importer) for name, importer in sorted(TFLITE.items())]
    named = [_imported("onnx", name, _versions(name), importer) for name, importer in ONNX.items()]
    return tflite + sorted([*named, *_functions()], key=lambda o: o.name)


def listing() -> str:
    """Text: a line for each operator, with its format, name, versions, and where it runs."""
    rows = [(o.format, o.name, _numbers(o), o.where) for o in operators()]
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    return "\n".join("  ".join([*(cell.ljust(w) for cell, w in zip(row, widths)), row[3]]) for row in rows)


def page(tests: Mapping[str, Iterable[str]]) -> str:
    """The page docs/ops.md.

    Args:
        tests: of each operator that has an importer, the names of its test modules.
    """
    lines = [PAGE]
    for format, title in (("tflite", "TFLite"), ("onnx", "ONNX")):
        rows = [o for o in operators() if o.format == format]
        lines += [f"## {title}", "", f"{len(rows)} operators.", "", "| operator | versions | where | constant | refused | tests |",
                  "|---|---|---|---|---|---|"]
        for o in rows:
            by = ", ".join(sorted(tests.get(o.name, ())))
            cells = (f"`{o.name}`", _numbers(o), o.where, ", ".join(o.constant), "; ".join(o.refusals), by)
            lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _numbers(operator: Operator) -> str:
    return ", ".join(map(str, operator.versions)) or "all"


def _imported(format: str, name: str, versions: tuple[int, ...], importer: Callable[..., Result]) -> Operator:
    when = HOSTED.get(importer)
    when = "where a shape depends on data" if when is None and format == "onnx" and name in OPEN else when
    where = "kernel" if when is None else "host" if when == "always" else f"kernel; host {when}"
    calls = dict.fromkeys(call for call in _calls(importer, set()) if call[1] != "…")
    constant, refusals = (tuple(what for kind, what in calls if kind == wanted) for wanted in ("constant", "Unsupported"))
    return Operator(format, name, versions, where, constant, refusals)


def _functions() -> Iterator[Operator]:
    """ONNX operators without an importer that the standard defines by operators that are taken."""
    for schema in onnx.defs.get_all_schemas():
        if schema.domain == "" and schema.name not in ONNX and _defined(schema):
            yield Operator("onnx", schema.name, _versions(schema.name), "function")


def _defined(schema: Any) -> bool:
    """Whether the standard's definition can be taken. One that depends on the operands is, but for sequences and random numbers."""
    if not schema.has_function:
        sequences = any(type.startswith("seq(") for constraint in schema.type_constraints for type in constraint.allowed_type_strs)
        return schema.has_context_dependent_function and not sequences and "seed" not in schema.attributes
    inner = {node.op_type for node in schema.function_body.node}
    return all(name in ONNX or (name != schema.name and _defined(onnx.defs.get_schema(name))) for name in inner)


def _versions(name: str) -> tuple[int, ...]:
    since = _since().get(name, [])
    first = max((v for v in since if v <= OLDEST), default=0)
    return tuple(v for v in since if v >= first)


@cache
def _since() -> dict[str, list[int]]:
    """The versions in which each operator has been defined anew."""
    found: dict[str, set[int]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        found.setdefault(f"{schema.domain}::{schema.name}" if schema.domain else schema.name, set()).add(schema.since_version)
    return {name: sorted(versions) for name, versions in found.items()}


def _calls(function: Callable[..., Any], seen: set[Callable[..., Any]]) -> Iterator[tuple[str, str]]:
    """What a function of the package `ops`, and those that it calls by name, want to be constant, and refuse."""
    function = inspect.unwrap(function)
    if function in seen or not inspect.isfunction(function) or not function.__module__.startswith(f"{__package__}.ops"):
        return
    seen.add(function)
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if not isinstance(node, ast.Call):
            continue
        match node.func, node.args:
            case ast.Name(id="Unsupported"), [reason, *_]:
                yield "Unsupported", _text(reason)
            case ast.Attribute(attr="constant" | "integers" | "shape_operand"), [_, what]:
                yield "constant", _text(what)
            case ast.Name(id=name), _:
                yield from _calls(function.__globals__.get(name, len), seen)


def _text(expression: ast.expr) -> str:
    match expression:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(_text, parts))
        case ast.BinOp(left=left, right=right):
            return _text(left) + _text(right)
    return "…"
