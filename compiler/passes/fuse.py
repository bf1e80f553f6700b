"""Element-wise ops join the kernel that produces their operand, as steps of its epilogue.

From a producer P the pass collects the element-wise ops that read what P computes, in order, as long as they fit; it commits
each time only the newest result is still wanted outside. So chains fuse, and so does x * sigmoid(x), or a residual
addition at the end of either branch; no op is named after a combination. An operand from elsewhere cannot depend on P,
for such a dependence would be one more reader of P's result outside.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..ir import Graph, Node, Step
from ..ops.elementwise import Cast, Elementwise
from .rewrite import Declined, Event, Fired, describe

REACH = 16
"""Ops that may be pending before the result is single again."""


@dataclass
class _Program:
    """What the epilogue would be: steps, and which result each value is."""

    steps: list[Step]
    results: dict[str, int]
    absorbed: list[Node] = field(default_factory=list)


def fuse(graph: Graph) -> list[Event]:
    """Runs the pass; every element-wise op that could not join its producer is reported with the reason."""
    events: list[Event] = []
    for name in [n.name for n in graph.nodes()]:
        if graph.has_node(name):
            events += _grow(graph, graph.node(name))
    graph.sweep()
    return events


def _grow(graph: Graph, node: Node) -> list[Event]:
    if len(node.outputs) != 1:
        return []
    if node.op.view:
        return _declined(graph, node, f"{describe(node.op)} computes nothing, so it has no kernel to join")
    program = _Program(list(node.epilogue), {node.output: len(node.epilogue)})
    shape = graph.type(node.output).shape
    committed: _Program | None = None
    why = ""
    while len(program.absorbed) - (len(committed.absorbed) if committed else 0) < REACH:
        step, reason = _next(graph, program, shape)
        why = why or reason
        if step is None:
            break
        args = tuple(program.results.get(v, v) for v in step.inputs)
        program.steps.append(Step(step.op, args))
        program.results[step.output] = len(program.steps)
        program.absorbed.append(step)
        if _wanted_outside(graph, program) == [step.output]:
            committed = _Program(list(program.steps), dict(program.results), list(program.absorbed))
    if committed is None:
        if not program.absorbed:
            return _declined(graph, node, why)
        return _declined(graph, node, f"'{node.output}' is also wanted elsewhere")
    return _commit(graph, node, committed)


def _next(graph: Graph, program: _Program, shape: tuple[int, ...]) -> tuple[Node | None, str]:
    """The first element-wise reader of the program's results that can join, and why another could not."""
    why = ""
    taken = {n.name for n in program.absorbed}
    readers = {c.name: c for v in program.results for c in graph.consumers(v) if c.name not in taken}
    for reader in sorted(readers.values(), key=lambda n: (n.position, n.name)):
        if not isinstance(reader.op, Elementwise | Cast) or len(reader.outputs) != 1:
            continue
        if reader.epilogue:
            why = f"{reader.name} has an epilogue of its own"
        elif graph.type(reader.output).shape != shape:
            why = f"{reader.name} broadcasts it to a larger shape"
        else:
            return reader, why
    return None, why


def _wanted_outside(graph: Graph, program: _Program) -> list[str]:
    """The results that are read by something else than the program, or are outputs of the model."""
    inside = {n.name for n in program.absorbed}
    return [v for v in program.results if graph.is_output(v) or any(c.name not in inside for c in graph.consumers(v))]


def _commit(graph: Graph, node: Node, program: _Program) -> list[Event]:
    last = program.absorbed[-1]
    sources = tuple(dict.fromkeys(s for n in (node, *program.absorbed) for s in n.sources))
    for absorbed in program.absorbed:
        graph.remove_node(absorbed.name)
    fused = replace(node, outputs=last.outputs, epilogue=tuple(program.steps), sources=sources)
    graph.replace_node(node, fused)
    return [
        Event("fuse", n.name, describe(n.op), True, Fired(f"joined {node.name} ({describe(node.op)})").what)
        for n in program.absorbed
    ]


def _declined(graph: Graph, node: Node, why: str) -> list[Event]:
    readers = [c for c in graph.consumers(node.output) if isinstance(c.op, Elementwise | Cast)]
    if not readers or not why:
        return []
    return [Event("fuse", readers[0].name, describe(readers[0].op), False, Declined(f"could not join {node.name}: {why}").why)]
