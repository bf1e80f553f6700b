"""Control flow: graphs within nodes, and subgraphs that they call, are imported in the node's place, once for each time that they run.

Where only the run itself can tell how often that is, they are imported once, and the host drives them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..errors import ComputedOperand, Unsupported
from .driven import Stretch, drive, once
from .elementwise import Elementwise
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .movement import Concat, Pad, Reshape, Slice
from .op import normal_axis

MOST_RUNS = 1 << 12
"""Times that the body of a loop may be imported."""
Slices = tuple[str, int, bool]
"""A value, the axis along which it is taken apart or put together, and whether that begins at the end."""


@dataclass(frozen=True)
class Branch:
    """What one side of a condition computes, and its results."""

    stretch: Stretch
    values: Sequence[str]


def branch(n: SourceNode, make: Callable[[], Sequence[str]]) -> Branch:
    stretch = Stretch(n.graph)
    values = make()
    stretch.close()
    return Branch(stretch, values)


def choose(n: SourceNode, condition: str, yes: Branch, no: Branch) -> list[str]:
    """The values of one branch or of the other, by a condition of one element that is computed at run time.

    Both are computed, and one is taken; but a branch with a loop that the host drives runs only where the condition says so.
    """
    for a, b in zip(yes.values, no.values):
        if n.type(a) != n.type(b):
            raise ComputedOperand(f"its condition is computed at run time, and its branches give {n.type(a)} and {n.type(b)}; "
                                  "a constant one, or results of one type, would be accepted", condition)
    condition = n.emit(Reshape(()), condition)
    if not yes.stretch.driven and not no.stretch.driven:
        return [a if a == b else n.emit(Elementwise("where"), condition, a, b) for a, b in zip(yes.values, no.values)]
    otherwise = n.emit(Elementwise("logical_not"), condition)
    if not yes.stretch.driven:
        return once(n, otherwise, no.stretch, no.values, yes.values)
    others = once(n, otherwise, no.stretch, no.values, [""] * len(no.values)) if no.stretch.driven else no.values
    return once(n, condition, yes.stretch, yes.values, others)


@onnx_op("If")
def onnx_if(n: OnnxNode) -> list[str]:
    """One branch; where the condition is computed at run time both are, and the results of one are chosen."""
    condition = n.array(0)
    if condition is not None:
        return n.inline("then_branch" if condition.item() else "else_branch", ())
    yes, no = (branch(n, partial(n.inline, f"{name}_branch", ())) for name in ("then", "else"))
    return choose(n, n.input(0), yes, no)


@tflite_op("IF")
def tflite_if(n: TfliteNode) -> list[str]:
    """As ONNX's; so are the variables chosen that a branch assigns."""
    condition, branches = n.array(0), (n.options.then_subgraph_index, n.options.else_subgraph_index)
    if condition is not None:
        return n.inline(branches[0 if condition.item() else 1], n.inputs[1:])
    variables, before = n.variables, dict(n.variables.current)
    yes = branch(n, partial(n.inline, branches[0], n.inputs[1:]))
    after = dict(variables.current)
    variables.rewind(before)
    no = branch(n, partial(n.inline, branches[1], n.inputs[1:]))
    otherwise, results = dict(variables.current), len(no.values)
    changed = [number for number, value in otherwise.items() if after.get(number, variables.initially(number)) != value]
    chosen = choose(n, n.input(0),
                    Branch(yes.stretch, [*yes.values, *(after.get(k, variables.initially(k)) for k in changed)]),
                    Branch(no.stretch, [*no.values, *(otherwise[k] for k in changed)]))
    for number, value in zip(changed, chosen[results:]):
        variables.assign(number, value)
    return chosen[:results]


@tflite_op("WHILE")
def tflite_while(n: TfliteNode) -> list[str]:
    """Runs as many times as constants say; driven by the host where they do not."""
    values, trial, before = list(n.inputs), Stretch(n.graph), dict(n.variables.current)
    for _ in range(MOST_RUNS):
        (going,) = n.inline(n.options.cond_subgraph_index, values)
        condition = n.array(going)
        if condition is None or trial.long:
            break
        if not condition.item():
            return values
        values = n.inline(n.options.body_subgraph_index, values)
    trial.discard()
    n.variables.rewind(before)
    return _driven_while(n)


class _Undeclared(Exception):
    """A run meets a variable for the first time."""


def _driven_while(n: TfliteNode) -> list[str]:
    """What the body hands on as it is is not carried; what variables hold is."""
    variables, stretch, before = n.variables, Stretch(n.graph), dict(n.variables.current)
    fixed = n.handed_on(n.options.body_subgraph_index)
    carried = [v for v, same in zip(n.inputs, fixed) if not same]

    def run(held: Sequence[str]) -> tuple[str, Sequence[str], Sequence[str]]:
        state = iter(held)
        operands = [v if same else next(state) for v, same in zip(n.inputs, fixed)]
        for number, value in zip(before, state):
            variables.assign(number, value)
        results = n.inline(n.options.body_subgraph_index, operands)
        (going,) = n.inline(n.options.cond_subgraph_index, results)
        if variables.current.keys() != before.keys():
            raise _Undeclared
        return going, [*(v for v, same in zip(results, fixed) if not same), *variables.current.values()], ()

    try:
        (going,) = n.inline(n.options.cond_subgraph_index, n.inputs)
        results, _ = drive(n, going, [*carried, *before.values()], run)
    except _Undeclared:
        stretch.discard()
        variables.rewind(before)
        return _driven_while(n)
    left = iter(results)
    values = [v if same else next(left) for v, same in zip(n.inputs, fixed)]
    for number, value in zip(before, left):
        variables.assign(number, value)
    if any(not n.graph.has_source(v) for v in n.graph.outputs.values()):
        raise Unsupported("an operator of its body keeps a variable tensor, and its course is decided at run time; "
                          "a constant number of runs, or a variable, would be accepted")
    return values


@onnx_op("Loop")
def onnx_loop(n: OnnxNode) -> list[str]:
    """Runs as many times as constants say; driven by the host where they do not."""
    trips, going = n.array(0), n.array(1)
    states: Sequence[str] = n.inputs[2:]
    rows: list[list[str]] = []
    if (trips is None or trips.item() > 0) and (going is None or going.item()):
        constant = not (n.input(0) and trips is None) and not (n.input(1) and going is None)
        limit = None if trips is None else int(trips.item())
        unrolled = _unrolled_loop(n, limit) if constant else None
        if unrolled is None:
            return _driven_loop(n, limit)
        states, rows = unrolled
    infos = n.attr("body").output[1 + len(states) :]
    stacked = [_stacked(n, [row[k] for row in rows], 0, False) if rows else _nothing(n, info) for k, info in enumerate(infos)]
    return [*states, *stacked]


def _unrolled_loop(n: OnnxNode, limit: int | None) -> tuple[Sequence[str], list[list[str]]] | None:
    """What the last run leaves, and the rows of each; None where it is not constants that end it, or not soon."""
    states: Sequence[str] = n.inputs[2:]
    rows, trial = list[list[str]](), Stretch(n.graph)
    going = n.input(1) or n.add_constant(np.array(True))
    while len(rows) != limit:
        condition = n.array(going)
        if condition is None or len(rows) == MOST_RUNS or (trial.long and not any(n.outputs[len(states) :])):
            trial.discard()
            return None
        if not condition.item():
            break
        going, *results = n.inline("body", [n.add_constant(np.array(len(rows), np.int64)), going, *states])
        rows.append(results[len(states) :])
        states = results[: len(states)]
    return states, rows


def _driven_loop(n: OnnxNode, limit: int | None) -> list[str]:
    """The trip count, where it is computed, is part of the condition."""
    count = len(n.inputs[2:])
    wanted = any(n.outputs[count:])
    trips = n.emit(Reshape(()), n.input(0)) if n.input(0) and limit is None else ""
    true = n.add_constant(np.array(True))
    if wanted and limit is None:
        raise ComputedOperand("its course is decided at run time, and nothing bounds the length of its scan outputs; "
                              "a constant trip count would be accepted", n.input(0) or n.input(1))

    def both(condition: str, runs: str) -> str:
        condition = n.emit(Reshape(()), condition)
        return n.emit(Elementwise("logical_and"), condition, n.emit(Elementwise("less"), runs, trips)) if trips else condition

    def run(held: Sequence[str]) -> tuple[str, Sequence[str], Sequence[str]]:
        done, *states = held
        condition, *results = n.inline("body", [done, true, *states])
        counted = trips or done in (condition, *results) or n.graph.consumers(done)
        after = n.emit(Elementwise("add"), done, n.scalar(1, done)) if counted else done
        return both(condition, after), [after, *results[:count]], results[count:] if wanted else ()

    none = n.add_constant(np.array(0, np.int64))
    (_, *states), rows = drive(n, both(n.input(1) or true, none), [none, *n.inputs[2:]], run, limit)
    return [*states, *rows]


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
