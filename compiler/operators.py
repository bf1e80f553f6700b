"""What the compiler takes: every operator of both formats, where it runs, and what its importer wants and refuses, in its own words.

What only tests can know, `operators.json` holds, which `make golden` writes: the versions of TFLite's operators, the types with which each
operator is tested, and by which tests.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import onnx

from .ops.importing import HOSTED, ONNX, TFLITE, Result
from .ops.on_host import OPEN

TESTED = Path(__file__).with_name("operators.json")
OLDEST = 7
"""The ONNX operator set from which on versions are told."""
TYPES = {"f16-f64": ("float16", "float32", "float64"), "f8": ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"),
         "i8-i64": ("int8", "int16", "int32", "int64"), "u8-u64": ("uint8", "uint16", "uint32", "uint64")}
"""Types that are told as one."""
PAGE = """# Operators

Made by `make golden` from the importers, `compiler/operators.py`; `planish ops` lists the same.

- *versions*: of a TFLite operator those that LiteRT has; of an ONNX operator the operator sets that define it anew, from the one
  in force in operator set 7 on. Operators that models bring themselves, and those of ONNX Runtime, have none.
- *dtypes*: of operands and results, in the tests that hold the operator against LiteRT (`tests/conformance`) or against ONNX Runtime
  and the standard's reference (`tests/onnx_history.py`: all that the standard allows, in every version). f, i, u: floats, integers,
  unsigned ones of so many bits; f8 are the four of 8 bits with mantissas. Where none stand, the tests of the last column say which.
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
        versions: of an ONNX operator, those of its definition that are in force from operator set 7 on; of one of TFLite those of
            LiteRT; () where there are none.
        where: "kernel", "host", both with the condition, or "function": it is replaced by the operators that the standard defines it by.
        constant: operands that have to be constant, where they are given.
        refusals: reasons for which the importer refuses a node; … stands for what depends on it.
        dtypes: of operands and results, in the tests that hold it against another implementation.
        tests: the modules of tests/compiler/ops and tests/compiler/frontend that import it.
    """

    format: str
    name: str
    versions: tuple[int, ...]
    where: str
    constant: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


def operators() -> list[Operator]:
    """Those of TFLite, then those of ONNX, by name."""
    tflite = [_imported("tflite", name, (), importer) for name, importer in sorted(TFLITE.items())]
    named = [_imported("onnx", name, _versions(name), importer) for name, importer in ONNX.items()]
    return [_tested(o) for o in tflite + sorted([*named, *_functions()], key=lambda o: o.name)]


def _tested(operator: Operator) -> Operator:
    """With what the tests know of it."""
    known = json.loads(_known())[operator.format].get(operator.name, {})
    versions = known.get("versions", operator.versions)
    return replace(operator, versions=tuple(versions), dtypes=tuple(known.get("dtypes", ())), tests=tuple(known.get("tests", ())))


@cache
def _known() -> str:
    return TESTED.read_text(encoding="utf-8")


def listing(pattern: str = "") -> str:
    """Text: a line for each operator, with its format, name, versions, where it runs and its types.

    Args:
        pattern: of names, as in a shell; of those that fit it, all that is known.
    """
    if pattern:
        found = [o for o in operators() if fnmatch(o.name.lower(), pattern.lower())]
        return "\n\n".join("\n".join([f"{o.format} {o.name}", *(f"  {what}: {told}" for what, told in _columns(o).items() if told)])
                           for o in found)
    rows = [(o.format, o.name, _numbers(o), o.where, _types(o)) for o in operators()]
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    return "\n".join("  ".join([*(cell.ljust(w) for cell, w in zip(row, widths)), row[4]]).rstrip() for row in rows)


def page() -> str:
    """The page docs/ops.md."""
    lines = [PAGE]
    for format, title in (("tflite", "TFLite"), ("onnx", "ONNX")):
        rows = [o for o in operators() if o.format == format]
        heads = ("operator", *_columns(rows[0]))
        lines += [f"## {title}", "", f"{len(rows)} operators.", "", f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        for o in rows:
            cells = (f"`{o.name}`", *_columns(o).values())
            lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _columns(o: Operator) -> dict[str, str]:
    return {"versions": _numbers(o), "dtypes": _types(o), "where": o.where, "constant": ", ".join(o.constant),
            "refused": "; ".join(o.refusals), "tests": ", ".join(o.tests)}


def _numbers(operator: Operator) -> str:
    versions = operator.versions
    if operator.format == "tflite" and len(versions) > 2:
        return f"{versions[0]} to {versions[-1]}"
    return ", ".join(map(str, versions))


def _types(operator: Operator) -> str:
    """The types in few words: bool, bf16, f16-f64, i8-i64, …."""
    left, told = dict.fromkeys(operator.dtypes), []
    for name, together in TYPES.items():
        if {*together} <= {*left}:
            told.append(name)
            left = {t: None for t in left if t not in together}
    short = (t.replace("uint", "u").replace("int", "i").replace("float", "f") for t in left)
    return " ".join(sorted([*told, *short]))


def _imported(format: str, name: str, versions: tuple[int, ...], importer: Callable[..., Result]) -> Operator:
    when = HOSTED.get(importer)
    when = "where a shape depends on data" if when is None and name in OPEN else when
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
    """Of other domains all."""
    since = _since().get(name, [])
    first = 0 if "::" in name else max((v for v in since if v <= OLDEST), default=0)
    return tuple(v for v in since if v >= first)


@cache
def _since() -> dict[str, list[int]]:
    """The versions in which each operator has been defined anew, and not to be used no more."""
    found: dict[str, set[int]] = {}
    for schema in (s for s in onnx.defs.get_all_schemas_with_history() if not s.deprecated):
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
