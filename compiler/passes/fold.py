"""Constants are evaluated: a node whose operands are all constant becomes one."""

from __future__ import annotations

from ..ir import Graph, Node, evaluate_node
from ..ops.op import Op
from .rewrite import Declined, Fired, Outcome, bypass, rule

LIMIT = 1 << 30
"""Bytes of results above which a constant expression is left to the device."""


@rule(Op)
def fold_constants(graph: Graph, node: Node) -> Outcome:
    arrays = {v: graph.constant(v) for v in node.operands}
    if node.op.driven or not arrays or any(a is None for a in arrays.values()) or any(graph.type(v).open for v in node.outputs):
        return None
    nbytes = sum(t.nbytes for t in graph.infer(node))
    if nbytes > LIMIT:
        return Declined(f"its result would take more than {LIMIT >> 20} MB")
    if not graph.make_room(nbytes):
        return Declined(f"its result would take {nbytes >> 20} MB, and constants made of others leave {graph.room >> 20}")
    results = evaluate_node(node, arrays)  # type: ignore[arg-type]
    for name, array in zip(node.outputs[1:], results[1:]):
        graph.replace_uses(name, graph.add_constant(array, name))
    bypass(graph, node, graph.add_constant(results[0], node.output))
    return Fired("evaluated")


RULES = (fold_constants,)
