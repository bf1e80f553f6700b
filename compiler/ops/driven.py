"""Importing control flow that the host drives: what a stretch of the file emits becomes the body of a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import ComputedOperand, GraphError, Refused, Unsupported
from ..ir import MOST_ELEMENTS, Graph, Node, TensorType, Value
from .elementwise import Elementwise
from .importing import SourceNode
from .loop import Loop, cut
from .movement import Reshape

Run = Callable[[Sequence[str]], tuple[str, Sequence[str], Sequence[str]]]
"""Imports a run of a loop: from what the run before has left to whether there is another, what this one leaves, and its rows."""

MOST_NODES = 1 << 12
"""Of a loop whose runs are imported one by one."""


class Stretch:
    """What is imported from now on, until it is closed."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self._start = len(graph.journal)
        self._end: int | None = None
        self._states = {name: graph.outputs[state.output] for name, state in graph.states.items()}

    def close(self) -> None:
        self._end = len(self.graph.journal)

    @property
    def nodes(self) -> list[Node]:
        """The nodes, producers first."""
        return self.graph.nodes(self.graph.journal[self._start : self._end])

    @property
    def driven(self) -> bool:
        """Whether the host drives some of it."""
        added = set(self.graph.journal[self._start : self._end])
        return any(self.graph.node(name).op.driven for name in added if self.graph.has_node(name))

    @property
    def long(self) -> bool:
        """Whether it is too much to be imported again and again; what was discarded counts."""
        return len(self.graph.journal) - self._start > MOST_NODES

    def reading(self, values: Sequence[str]) -> list[Node]:
        """The nodes that depend on values, or on loops, which may not end where they should not run."""
        depending, found = set(values), list[Node]()
        for node in self.nodes:
            if node.op.driven or not depending.isdisjoint(node.operands):
                depending.update(node.outputs)
                found.append(node)
        return found

    def discard(self) -> None:
        """Takes it back."""
        for name in dict.fromkeys(self.graph.journal[self._start : self._end]):
            if self.graph.has_node(name):
                self.graph.remove_node(name)
        for name in self.graph.states:
            self.graph.set_state(name, self._states.get(name, name))


def drive(n: SourceNode, going: str, values: Sequence[str], run: Run, most: int | None = None) -> tuple[list[str], list[str]]:
    """A loop. What a run hands on unchanged is not carried, and what no run changes is computed in front of it.

    Args:
        going: whether there is a first run.
        values: what the first run finds.
        most: runs that there may be; needed with rows.

    Returns:
        What the last run leaves, and each row of all runs, whose number depends on data.

    Raises:
        Unsupported: a run changes a type, nothing ends the loop, or a node of it is refused.
    """
    graph, stretch = n.graph, Stretch(n.graph)
    held = [_placeholder(n, graph.type(v)) for v in values]
    try:
        again, results, rows = run(held)
    except Refused:
        raise ComputedOperand("its course is decided at run time, and nodes within need a constant one", going) from None
    results = [_source(graph, v) for v in results]
    final = {before: after for before, after, result in zip(held, values, results) if result in (before, after)}
    for before, after in final.items():
        graph.replace_uses(before, after)
    again, results, rows = final.get(again, again), [final.get(v, v) for v in results], [final.get(v, v) for v in rows]
    for before, after in zip(values, results):
        if graph.type(before) != graph.type(after):
            raise Unsupported(f"its course is decided at run time, and a run turns {graph.type(before)} into {graph.type(after)}; "
                              "values that keep their type would be accepted")
    for row in rows:
        most_elements = n.type(row).size * (most or 0)
        if most_elements > MOST_ELEMENTS:
            raise Unsupported(f"its scan outputs may have {most_elements} elements; up to {MOST_ELEMENTS} would be accepted")
    ended = n.array(again)
    if ended is not None and ended.all() and most is None:
        raise Unsupported("nothing ends it; a trip count or a condition that is computed would be accepted")
    condition = _placeholder(n, TensorType((), np.dtype(bool)))
    if ended is not None:
        most, again = most if ended.all() else 1, condition
    else:
        again = n.emit(Reshape(()), again)
    carried = {before: after for before, after in zip(held, results) if before not in final}
    starts = [start for start, before in zip(values, held) if before in carried]
    first = n.emit(Reshape(()), going)
    nodes = stretch.reading(held)
    left = _loop(n, nodes, [first, *starts], {condition: again, **carried}, rows, most)
    ends = dict(zip(carried, left[1:])) | final
    return [ends[before] for before in held], left[1 + len(carried) :]


def once(n: SourceNode, going: str, branch: Stretch, results: Sequence[str], others: Sequence[str]) -> list[str]:
    """A branch, which runs where a condition holds: its results there, the `others` ("" for anything) elsewhere."""
    condition, *held = [_placeholder(n, n.type(v)) for v in (going, *results)]
    return _loop(n, branch.nodes, [going, *others], {condition: condition, **dict(zip(held, results))}, (), 1)[1:]


def _source(graph: Graph, value: str) -> str:
    """What a value is by another name."""
    producer = graph.producer(value)
    return _source(graph, producer.inputs[0]) if producer and producer.op == Elementwise("identity") else value


def _placeholder(n: SourceNode, type: TensorType) -> str:
    return n.graph.add_value(Value(n.graph.fresh(f"{n.name}:carried"), type))


def _loop(n: SourceNode, nodes: Sequence[Node], starts: Sequence[str], states: dict[str, str], rows: Sequence[str],
          most: int | None) -> list[str]:
    """The results of a loop whose body is made of nodes; its states have such values at first."""
    graph = n.graph
    body, outside = cut(graph, nodes, states, rows)
    op = Loop(body, most)
    results = [graph.fresh(f"{n.name}:{k}") for k in range(len(states) + len(rows))]
    try:
        graph.add_node(Node(graph.fresh(n.name), op, (*starts, *outside), tuple(results), position=n.position, sources=(n.name,)))
    except GraphError as error:
        raise Unsupported(str(error)) from None
    return results
