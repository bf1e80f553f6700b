"""The rewrite engine: rules that look at one node, applied until none fires."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import GraphError
from ..ir import Graph, Node

FUEL = 100
"""Changes a rule may make for each node of the graph; more can only mean that rules undo one another."""


@dataclass(frozen=True)
class Fired:
    """The rule changed the graph. `what` says what it did, in the past tense: "pruned", "folded into conv1"."""

    what: str


@dataclass(frozen=True)
class Declined:
    """The pattern is there, but the rule may not fire; `why` says what stands in the way."""

    why: str


Outcome = Fired | Declined | None


@dataclass(frozen=True)
class Rule:
    """A rewrite of nodes of some ops.

    Attributes:
        ops: classes of ops that the rule looks at.
        rewrite: changes the graph around a node and returns Fired, or leaves it and returns Declined or None.
    """

    name: str
    ops: tuple[type, ...]
    rewrite: Callable[[Graph, Node], Outcome]


@dataclass(frozen=True)
class Event:
    """What a rule did, or declined to do, at a node; printed by `--explain`."""

    rule: str
    node: str
    op: str
    fired: bool
    text: str


def rule(*ops: type) -> Callable[[Callable[[Graph, Node], Outcome]], Rule]:
    """Turns a function into a rule for nodes of these ops, named as the function is."""
    return lambda function: Rule(function.__name__, ops, function)


def rewrite(graph: Graph, rules: Sequence[Rule]) -> list[Event]:
    """Applies rules until none fires, then sweeps what nothing depends on any more.

    Every change puts the nodes it made, and their neighbours, back in the queue: the work is proportional to the graph and
    to the number of rules that fire. Rules speak of graphs before fusion.

    Raises:
        GraphError: a node has an epilogue already, or the rules go on for ever.
    """
    fused = next((n for n in graph.nodes() if n.epilogue), None)
    if fused:
        raise GraphError(f"node '{fused.name}' has an epilogue; rules come before fusion")
    events: list[Event] = []
    fuel = FUEL * (len(graph) + 1)
    declined: dict[tuple[str, str], Event] = {}
    queue = deque(n.name for n in graph.nodes())
    queued = set(queue)
    graph.journal.clear()
    while queue:
        name = queue.popleft()
        queued.discard(name)
        for r in rules:
            if not graph.has_node(name):
                break
            node = graph.node(name)
            if not isinstance(node.op, r.ops):
                continue
            outcome = r.rewrite(graph, node)
            if outcome is None:
                continue
            op = describe(node.op)
            if isinstance(outcome, Declined):
                declined[r.name, name] = Event(r.name, name, op, False, outcome.why)
            else:
                if len(events) == fuel:
                    raise GraphError(f"rule {r.name} goes on for ever at node '{name}'")
                events.append(Event(r.name, name, op, True, outcome.what))
                declined.pop((r.name, name), None)
                for near in _neighbourhood(graph):
                    if near not in queued:
                        queued.add(near)
                        queue.append(near)
    graph.sweep()
    return events + [e for (_, n), e in declined.items() if graph.has_node(n)]


def _neighbourhood(graph: Graph) -> list[str]:
    """The nodes that were just added, with those that feed them and those that they feed."""
    added = [n for n in graph.journal if graph.has_node(n)]
    graph.journal.clear()
    near: dict[str, None] = {}
    for name in added:
        node = graph.node(name)
        near[name] = None
        for value in node.operands:
            producer = graph.producer(value)
            if producer:
                near[producer.name] = None
        for value in node.outputs:
            near.update((c.name, None) for c in graph.consumers(value))
    return list(near)


def bypass(graph: Graph, node: Node, value: str) -> None:
    """Lets every reader of a node's result take another value, and removes the node with all that served it alone."""
    graph.remove_node(node.name)
    graph.replace_uses(node.output, value)
    rest = list(node.operands)
    while rest:
        before = graph.producer(rest.pop())
        if before and not any(graph.consumers(v) or graph.is_output(v) for v in before.outputs):
            graph.remove_node(before.name)
            rest += before.operands


def substitute(graph: Graph, node: Node, op: Any, *inputs: str) -> None:
    """Puts a new op in a node's place, with the same result."""
    value = graph.emit(op, *inputs, like=node)
    bypass(graph, node, value)


def joined(*nodes: Node) -> tuple[str, ...]:
    """The source nodes of a node that stands for several."""
    return tuple(dict.fromkeys(s for n in nodes for s in n.sources))


def describe(op: Any) -> str:
    """An op as people speak of it."""
    fn = getattr(op, "fn", None)
    return f"{type(op).__name__}.{fn}" if fn else type(op).__name__
