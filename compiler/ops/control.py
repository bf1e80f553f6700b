"""Control flow: graphs within nodes, and subgraphs that they call, are imported in the node's place, once for each time that they run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ComputedOperand, Unsupported
from .elementwise import Elementwise
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .movement import Concat, Pad, Reshape, Slice
from .op import normal_axis

MOST_RUNS = 1 << 12
"""Times that the body of a loop may be imported."""
Slices = tuple[str, int, bool]
"""A value, the axis along which it is taken apart or put together, and whether that begins at the end."""


def choose(n: SourceNode, condition: str, yes: Sequence[str], no: Sequence[str]) -> list[str]:
    """The values of one branch or of the other, by a condition of one element that is computed at run time."""
    condition = n.emit(Reshape(()), condition)
    return [a if a == b else n.emit(Elementwise("where"), condition, a, b) for a, b in zip(yes, no)]


@onnx_op("If")
def onnx_if(n: OnnxNode) -> list[str]:
    """One branch; where the condition is computed at run time both are, and the results of one are chosen."""
    condition = n.array(0)
    if condition is not None:
        return n.inline("then_branch" if condition.item() else "else_branch", ())
    yes, no = n.inline("then_branch", ()), n.inline("else_branch", ())
    for a, b in zip(yes, no):
        if n.type(a) != n.type(b):
            raise ComputedOperand(f"its condition is computed at run time, and its branches give {n.type(a)} and {n.type(b)}; "
                                  "a constant one, or results of one type, would be accepted", n.input(0))
    return choose(n, n.input(0), yes, no)


@tflite_op("IF")
def tflite_if(n: TfliteNode) -> list[str]:
    """As ONNX's; so are the variables chosen that a branch assigns."""
    condition, branches = n.array(0), (n.options.then_subgraph_index, n.options.else_subgraph_index)
    if condition is not None:
        return n.inline(branches[0 if condition.item() else 1], n.inputs[1:])
    variables, before = n.variables, dict(n.variables.current)
    yes, after = n.inline(branches[0], n.inputs[1:]), dict(variables.current)
    variables.current = {number: before.get(number, variables.initially(number)) for number in after}
    no = n.inline(branches[1], n.inputs[1:])
    if any(n.type(a) != n.type(b) for a, b in zip(yes, no)):
        raise ComputedOperand("its condition is computed at run time, and its branches give results of several types; a constant one, or "
                              "results of one type, would be accepted", n.input(0))
    for number, value in list(variables.current.items()):
        if after.get(number, value) != value:
            variables.assign(number, choose(n, n.input(0), [after[number]], [value])[0])
    return choose(n, n.input(0), yes, no)


@tflite_op("WHILE")
def tflite_while(n: TfliteNode) -> list[str]:
    """Runs as many times as its condition, decided at compilation, says."""
    values = list(n.inputs)
    for _ in range(MOST_RUNS + 1):
        (going,) = n.inline(n.options.cond_subgraph_index, values)
        condition = n.array(going)
        if condition is None:
            raise ComputedOperand("its condition is computed at run time; one that constants decide would be accepted", going)
        if not condition.item():
            return values
        values = n.inline(n.options.body_subgraph_index, values)
    raise Unsupported(f"it runs more than {MOST_RUNS} times; up to {MOST_RUNS} runs would be accepted")


@onnx_op("Loop")
def onnx_loop(n: OnnxNode) -> list[str]:
    """Runs as many times as the trip count says; where the condition is computed at run time, what a run would change is then masked."""
    trips, going = n.array(0), n.array(1)
    if n.input(0) and trips is None:
        raise ComputedOperand("its trip count is computed at run time; it must be constant", n.input(0))
    limit = MOST_RUNS + 1 if trips is None else int(trips.item())
    alive = n.input(1) if n.input(1) and going is None else ""
    condition = n.input(1) or n.add_constant(np.array(True))
    states, rows = list(n.inputs[2:]), list[list[str]]()
    count = 0
    while count < limit and (alive or going is None or going.item()):
        if count == MOST_RUNS or (alive and trips is None):
            what = "its condition is computed at run time, and nothing bounds its runs" if alive else f"it runs more than {MOST_RUNS} times"
            raise ComputedOperand(f"{what}; up to {MOST_RUNS} runs would be accepted", n.input(1) or n.input(0))
        condition, *results = n.inline("body", [n.add_constant(np.array(count, np.int64)), condition, *states])
        after, row = results[: len(states)], results[len(states) :]
        if alive:
            if row and any(n.outputs[len(states) :]):
                raise ComputedOperand("its condition is computed at run time, which leaves the length of its scan outputs open; "
                                      "a constant one would be accepted", n.input(1))
            for a, b in zip(after, states):
                if n.type(a) != n.type(b):
                    raise Unsupported(f"its condition is computed at run time, and a run turns {n.type(b)} into {n.type(a)}; "
                                      "values that keep their type would be accepted")
            after = choose(n, alive, after, states)
        going = n.array(condition)
        if alive:
            alive = n.emit(Elementwise("logical_and"), n.emit(Reshape(()), alive), n.emit(Reshape(()), condition))
        elif going is None:
            alive = condition
        states = after
        rows.append(row)
        count += 1
    carried = len(n.inputs[2:])
    infos = n.attr("body").output[1 + carried :]
    stacked = [_stacked(n, [row[k] for row in rows], 0, False) if rows else _nothing(n, info) for k, info in enumerate(infos)]
    return [*states, *stacked]


@onnx_op("Scan")
def onnx_scan(n: OnnxNode) -> list[str]:
    """One run for each element of the scanned operands along their axes; before opset 9 for each sequence of a batch by itself."""
    count = int(n.attr("num_scan_inputs"))
    if n.opset < 9:
        return _scan_batch(n, count)
    first = len(n) - count
    scanned = n.inputs[first:]
    axes, turned = _numbers(n, "scan_input_axes", count), _numbers(n, "scan_input_directions", count)
    results = len(n.attr("body").output) - first
    out_axes, out_turned = _numbers(n, "scan_output_axes", results), _numbers(n, "scan_output_directions", results)
    parts = [(v, normal_axis(a, len(n.shape(v))), bool(t)) for v, a, t in zip(scanned, axes, turned)]
    states, rows = _scan(n, n.inputs[:first], parts)
    stacked = [_stacked(n, row, axis, bool(turn)) for row, axis, turn in zip(rows, out_axes, out_turned)]
    return [*states, *stacked]


def _scan_batch(n: OnnxNode, count: int) -> list[str]:
    """Operands are the lengths of the sequences, states [B,…] and sequences [B,T,…]; results are 0 behind the end of a sequence."""
    values = n.inputs[1:]
    first = len(values) - count
    batch, steps = n.shape(values[first])[:2]
    lengths = n.integers(0, "lengths of the sequences") if n.input(0) else (steps,) * batch
    turned = _numbers(n, "directions", count)
    each: list[list[str]] = []
    for b in range(batch):
        own = [_element(n, v, 0, b) for v in values]
        cut = [n.emit(Slice((0,) * len(n.shape(v)), (lengths[b], *n.shape(v)[1:]), (1,) * len(n.shape(v))), v) for v in own[first:]]
        states, rows = _scan(n, own[:first], [(v, 0, bool(t)) for v, t in zip(cut, turned)])
        stacked = [_stacked(n, row, 0, False) for row in rows]
        padded = [n.emit(Pad(((0, steps - lengths[b]), *[(0, 0)] * (len(n.shape(v)) - 1))), v) for v in stacked]
        each.append([*states, *padded])
    return [_stacked(n, parts, 0, False) for parts in zip(*each)]


def _scan(n: OnnxNode, states: Sequence[str], scanned: Sequence[Slices]) -> tuple[list[str], list[list[str]]]:
    """The states behind the last run, and of each scan output its values, run by run."""
    lengths = {n.shape(v)[axis] for v, axis, _ in scanned}
    if len(lengths) != 1:
        raise Unsupported(f"scanned operands of lengths {sorted(lengths)}; equal ones would be accepted")
    (steps,) = lengths
    if not 0 < steps <= MOST_RUNS:
        raise Unsupported(f"{steps} runs; 1 to {MOST_RUNS} would be accepted")
    states, rows = list(states), list[list[str]]()
    for step in range(steps):
        elements = [_element(n, v, axis, steps - 1 - step if turned else step) for v, axis, turned in scanned]
        results = n.inline("body", [*states, *elements])
        rows.append(results[len(states) :])
        states = results[: len(states)]
    return states, [list(row) for row in zip(*rows)]


def _numbers(n: OnnxNode, name: str, count: int) -> list[int]:
    return list(n.attr(name) or [0] * count)


def _element(n: OnnxNode, value: str, axis: int, index: int) -> str:
    """Element `index` along an axis, without that axis."""
    shape = n.shape(value)
    begin, extent = [0] * len(shape), list(shape)
    begin[axis], extent[axis] = index, 1
    part = n.emit(Slice(tuple(begin), tuple(extent), (1,) * len(shape)), value)
    return n.emit(Reshape((*shape[:axis], *shape[axis + 1 :])), part)


def _stacked(n: OnnxNode, values: Sequence[str], axis: int, turned: bool) -> str:
    """Values of one type along a new axis."""
    shape = n.shape(values[0])
    axis = normal_axis(axis, len(shape) + 1)
    rows = [n.emit(Reshape((*shape[:axis], 1, *shape[axis:])), v) for v in values]
    return n.emit(Concat(axis), *(reversed(rows) if turned else rows)) if len(rows) > 1 else rows[0]


def _nothing(n: OnnxNode, info: object) -> str:
    """The scan output of a loop that never runs, in the type that the body declares."""
    import onnx

    tensor = info.type.tensor_type  # type: ignore[attr-defined]
    dims = [d.dim_value for d in tensor.shape.dim]
    return n.add_constant(np.zeros((0, *dims), onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)))
