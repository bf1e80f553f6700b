"""The passes, in order. Each takes a graph of its own, changes it, and says what it did.

Order matters: shapes are constant before anything looks at them; transposes are gone before rules look for neighbours; weights take
arithmetic before fusion hides it; layouts come last, for everything before speaks of values, not of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..errors import GraphError
from ..ir import Graph
from ..targets import Target
from . import fold, fuse, lay_out, prune, simplify, transposes, weights
from .rewrite import Event, Rule, rewrite


@dataclass(frozen=True)
class Pass:
    """One step from the graph as imported to the graph as it will run."""

    name: str
    run: Callable[[Graph, Target], list[Event]]


def _rules(*rules: Rule) -> Callable[[Graph, Target], list[Event]]:
    return lambda graph, target: rewrite(graph, rules)


PIPELINE = (
    Pass("fold", _rules(*fold.RULES)),
    Pass("prune", _rules(*prune.RULES)),
    Pass("transpose", _rules(*transposes.RULES, *prune.RULES)),
    Pass("simplify", _rules(*simplify.RULES, *transposes.RULES, *prune.RULES)),
    Pass("weights", _rules(*weights.RULES, *fold.RULES, *prune.RULES)),
    Pass("fuse", lambda graph, target: fuse.fuse(graph)),
    Pass("layout", lay_out.lay_out),
)
NAMES = tuple(p.name for p in PIPELINE)


def run(graph: Graph, target: Target, *, pipeline: Sequence[Pass] = PIPELINE,
        watch: Callable[[int, str, Graph, list[Event]], None] | None = None, stop_after: str | None = None) -> Graph:
    """Runs the passes on a copy of the graph.

    Args:
        watch: called after each pass with its number (from 1), name, graph and events.
        stop_after: name of the last pass to run.

    Raises:
        GraphError: a pass left a graph that breaks the rules; names the pass.
    """
    for number, step in enumerate(pipeline, 1):
        graph, events = _apply(step, graph, target)
        if watch:
            watch(number, step.name, graph, events)
        if step.name == stop_after:
            break
    return graph


def _apply(step: Pass, graph: Graph, target: Target) -> tuple[Graph, list[Event]]:
    """A copy of the graph behind a pass, and behind the same pass the bodies of its loops."""
    graph = graph.copy()
    events = step.run(graph, target)
    for node in graph.nodes():
        if node.op.driven:
            body, inner = _apply(step, node.op.body, target)
            graph.replace_node(node, replace(node, op=replace(node.op, body=body)))
            events += inner
    try:
        graph.verify()
    except GraphError as error:
        raise GraphError(f"after pass {step.name}: {error}") from None
    return graph, events
