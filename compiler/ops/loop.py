"""A loop that the host drives: its body is a graph, with launches of its own, that run while a condition holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import Graph, Node, TensorType, evaluate
from .op import Op

ROW = "row "
"""Begins the name of an output of a body of which every run leaves one."""


@dataclass(frozen=True)
class Loop(Op):
    """While a condition holds, and for `most` runs at most, the body runs.

    What one run hands to the next are the body's states, which are its first inputs; the first of them is the condition, a truth value
    of rank 0. Its other inputs are the same in every run. Its outputs are rows.

    Operands: the body's inputs before the first run, "" for a state whose contents then do not matter. Results: the states behind the
    last run; then of each row what all runs left, one after another, whose number depends on data.

    Attributes:
        most: None where nothing is known to bound the runs, and there are no rows.
    """

    body: Graph
    most: int | None = None
    driven: ClassVar[bool] = True
    reason: ClassVar[str] = "its condition is computed at run time"

    @property
    def carried(self) -> int:
        """The number of states."""
        return len(self.body.states)

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        body = self.body
        states, rows = body.inputs[: self.carried], list(body.external_outputs.values())
        if len(types) != len(body.inputs) or set(states) != set(body.states) or not states:
            raise GraphError(f"{len(types)} operands for {len(body.inputs)} inputs, of which {len(body.states)} are states")
        if body.type(states[0]) != TensorType((), np.dtype(bool)):
            raise GraphError(f"its condition is {body.type(states[0])}; a truth value of rank 0 would be accepted")
        for k, (name, type) in enumerate(zip(body.inputs, types)):
            if type != body.type(name) and (type is not None or not 0 < k < len(states)):
                raise GraphError(f"'{name}' of {body.type(name)} cannot be {type}")
        if (rows and self.most is None) or (self.most is not None and self.most < 1):
            raise GraphError(f"{len(rows)} rows of at most {self.most} runs")
        stacked = (TensorType((self.most or 0, *body.type(r).shape), body.type(r).dtype, (0,)) for r in rows)
        return (*(body.type(name) for name in states), *stacked)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        body, types = self.body, map(self.body.type, self.body.inputs)
        feed = {v: np.zeros(t.shape, t.dtype) if a is None else a for v, t, a in zip(body.inputs, types, arrays)}
        states = {name: body.outputs[state.output] for name, state in body.states.items()}
        rows: dict[str, list[np.ndarray]] = {name: [] for name in body.external_outputs.values()}
        condition, runs = body.inputs[0], 0
        while runs != self.most and feed[condition]:
            values = evaluate(body, feed)
            feed |= {name: values[after] for name, after in states.items()}
            for name, each in rows.items():
                each.append(values[name])
            runs += 1
        nothing = ((body.type(name), each) for name, each in rows.items())
        return (*(feed[name] for name in body.inputs[: self.carried]),
                *(np.array(each, t.dtype).reshape(runs, *t.shape) for t, each in nothing))


def cut(graph: Graph, nodes: Sequence[Node], states: Mapping[str, str], rows: Sequence[str]) -> tuple[Graph, list[str]]:
    """Takes nodes out of a graph, and makes the body of a loop of them.

    Args:
        nodes: producers first; what else they read remains, and becomes an input of the body, or a constant of it.
        states: from a value of the graph that only these nodes read to what becomes of it in a run.
        rows: values.

    Returns:
        The body, and the values of the graph that are its inputs behind the states.

    Raises:
        Unsupported: the shape of a value that the body shares with the graph depends on data.
    """
    body, outside = Graph(graph.name), list[str]()

    def known(name: str) -> str:
        if not body.has_value(name):
            if graph.constant(name) is not None:
                body.add_value(graph.value(name))
            else:
                outside.append(name)
                body.add_input(name, graph.type(name))
        if graph.type(name).open:
            raise Unsupported(f"the shape of '{name}' ({graph.type(name)}) depends on data; fixed ones would be accepted there")
        return name

    for name in states:
        type = graph.type(name)
        body.add_state(name, np.broadcast_to(np.zeros((), type.dtype), type.shape))
    wanted = graph.ancestors([*states.values(), *rows])
    computed = {v for node in nodes for v in node.outputs}
    for node in nodes:
        if not wanted.isdisjoint(node.outputs):
            for v in node.operands:
                if v not in computed:
                    known(v)
            body.add_node(node)
    for name, after in states.items():
        body.set_state(name, known(after))
    body.outputs.update((f"{ROW}{k}", known(row)) for k, row in enumerate(rows))
    for node in nodes:
        graph.remove_node(node.name)
    return body, outside
