"""Graph -> text: the syntax of dumps and of golden files.

    model
    input  image: float32[1,8,8,3]
    const  w: float32[16,3,3,3] sha256:1f2e3d4c
    conv1 = Conv2D(stride=(2, 2)) image, w -> y: float32[1,4,4,16]
        + add(%0, b)
        + relu(%1)
    output upscaled = y
"""

from __future__ import annotations

import hashlib
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from planish.runtime.errors import one_line

from .ir import Arg, Graph, Node, Value


def dump(graph: Graph) -> str:
    """The whole graph, a line for each value that is given, node and output; equal graphs give equal text."""
    return "\n".join(map(one_line, [graph.name, *_lines(graph)])) + "\n"


def _lines(graph: Graph) -> list[str]:
    lines = [f"{'state ' if name in graph.states else 'input '} {_typed(graph.value(name))}" for name in graph.inputs]
    nodes = graph.nodes()
    used = dict.fromkeys(v for n in nodes for v in n.operands) | dict.fromkeys(graph.outputs.values())
    lines += [f"const  {_typed(graph.value(v))}{_contents(graph.value(v))}" for v in used if graph.constant(v) is not None]
    for node in nodes:
        lines += _node(graph, node)
    return lines + [f"output {name} = {value}" for name, value in graph.outputs.items()]


def show(op: Any) -> str:
    """An op with the attributes that differ from their defaults."""
    if hasattr(op, "fn"):
        return f"{op.fn}{_params(op.params)}"
    given = []
    for f in fields(op):
        value = getattr(op, f.name)
        if not isinstance(value, Graph) and (f.default is MISSING or value != f.default):
            given.append(f"{f.name}={value.name if isinstance(value, np.dtype) else value}")
    return f"{type(op).__name__}({', '.join(given)})"


def _params(params: tuple[float, ...]) -> str:
    return f"[{', '.join(f'{p:g}' for p in params)}]" if params else ""


def _node(graph: Graph, node: Node) -> list[str]:
    results = ", ".join(_typed(graph.value(v)) for v in node.outputs)
    operands = ", ".join(v or "-" for v in node.inputs)
    lines = [f"{node.name} = {show(node.op)} {operands} -> {results}"]
    for step in node.epilogue:
        lines.append(f"    + {show(step.op)}({', '.join(_arg(a) for a in step.args)})")
    if node.op.driven:
        lines += [f"    {line}" for line in _lines(node.op.body)]
    return lines


def _arg(arg: Arg) -> str:
    return f"%{arg}" if isinstance(arg, int) else arg


def _typed(value: Value) -> str:
    layout = f" {value.layout}" if value.layout else ""
    home = f" in {value.home}" if value.home else ""
    return f"{value.name}: {value.type}{layout}{home}"


def _contents(value: Value) -> str:
    data = value.data
    assert data is not None
    if data.size <= 4:
        return f" = {np.array2string(data.ravel(), separator=', ', threshold=8)}"
    return f" sha256:{hashlib.sha256(np.ascontiguousarray(data).tobytes()).hexdigest()[:8]}"
