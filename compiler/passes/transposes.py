"""Transposes move towards the outputs, where they meet their inverses and cancel.

ONNX speaks NCHW and the ops here NHWC, so that the importer brackets every image op by two transposes. An op behind a
transpose is rewritten to work on the operand as it was (`Op.permuted`), and the transpose follows it. Where several operands meet, most
of their elements decide; the others get the inverse. In a draw the greater permutation moves, which of NHWC -> NCHW and its inverse is
the former: so no transpose comes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from ..ir import Graph, Node
from ..ops.elementwise import Cast, Elementwise
from ..ops.movement import Concat, Reshape, Shuffle, Transpose
from ..ops.op import Op, Perm
from .rewrite import Declined, Fired, Outcome, bypass, rule, substitute


@rule(Transpose)
def cancel(graph: Graph, node: Node) -> Outcome:
    """transpose(transpose(x)) -> transpose(x), or x."""
    before = graph.producer(node.inputs[0])
    if before is None or not isinstance(before.op, Transpose):
        return None
    perm = tuple(before.op.perm[d] for d in node.op.perm)
    if perm == tuple(range(len(perm))):
        bypass(graph, node, before.inputs[0])
        return Fired("cancelled with the transpose before it")
    substitute(graph, node, Transpose(perm), before.inputs[0])
    return Fired("merged with the transpose before it")


@rule(Transpose)
def to_reshape(graph: Graph, node: Node) -> Outcome:
    """A transpose that moves only axes of extent 1 leaves the elements in order: reshape."""
    shape = graph.type(node.inputs[0]).shape
    moved = [d for d in node.op.perm if shape[d] != 1]
    if moved != sorted(moved) or node.op.perm == tuple(range(len(shape))):
        return None
    substitute(graph, node, Reshape(graph.type(node.output).shape), node.inputs[0])
    return Fired("turned into a reshape: only axes of extent 1 move")


@rule(Reshape)
def to_shuffle(graph: Graph, node: Node) -> Outcome:
    """reshape(transpose(reshape(x))) that swaps the two halves into which one axis was split -> a shuffle, which knows its axis."""
    swap = graph.producer(node.inputs[0])
    split = graph.producer(swap.inputs[0]) if swap and isinstance(swap.op, Transpose) else None
    if swap is None or split is None or not isinstance(split.op, Reshape):
        return None
    shape, parts = graph.type(split.inputs[0]).shape, split.op.shape
    moved = [d for d, source in enumerate(swap.op.perm) if d != source]
    if node.op.shape != shape or len(moved) != 2 or moved[1] != moved[0] + 1:
        return None
    before, (groups, rest) = prod(parts[: moved[0]]), (parts[d] for d in moved)
    axis = next((a for a, extent in enumerate(shape) if prod(shape[:a]) == before and extent == groups * rest), None)
    if axis is None:
        return None
    substitute(graph, node, Shuffle(axis, groups), split.inputs[0])
    return Fired(f"turned into a shuffle of {groups} groups along axis {axis}")


@rule(Op)
def sink(graph: Graph, node: Node) -> Outcome:
    """op(transpose(x)) -> transpose(op'(x))."""
    if not node.inputs or isinstance(node.op, Transpose) or len(node.outputs) != 1:
        return None
    many = isinstance(node.op, Elementwise | Cast | Concat)
    moved = _elements(graph, node.inputs if many else node.inputs[:1])
    perm = max((p for p in moved if p), key=lambda p: moved[p], default=None)
    if perm is None:
        return None
    found = node.op.permuted(perm, [graph.type(v) if v else None for v in node.inputs])
    if found is None:
        return Declined(f"{type(node.op).__name__} does not commute with the transpose before it")
    op, after = found
    if many:
        lead = 2 * moved[perm] - sum(moved.values())
        if lead < 0 or (lead == 0 and perm <= _inverse(perm)):
            return Declined(f"{'most' if lead else 'half'} of what it reads is not transposed alike")
        if any(graph.type(v).rank != len(perm) and graph.constant(v) is None for v in node.inputs):
            return Declined("an operand of another rank broadcasts over the transposed axes")
        if graph.type(node.output).rank != len(perm):
            return Declined("the result has another rank than the transposed operand")
        inputs = tuple(_untransposed(graph, node, v, perm) for v in node.inputs)
    else:
        source = graph.producer(node.inputs[0])
        assert source is not None
        inputs = (source.inputs[0], *node.inputs[1:])
    substitute(graph, node, Transpose(after), graph.emit(op, *inputs, like=node))
    return Fired("transpose moved behind it")


def _inverse(perm: Perm) -> Perm:
    return tuple(perm.index(d) for d in range(len(perm)))


def _elements(graph: Graph, values: Iterable[str]) -> dict[Perm | None, int]:
    """Of the values that are computed: the elements under each permutation, None for those that no transpose gives."""
    moved: dict[Perm | None, int] = {}
    for value in values:
        if value and graph.constant(value) is None:
            perm = _perm(graph, value)
            moved[perm] = moved.get(perm, 0) + graph.type(value).size
    return moved


def _perm(graph: Graph, value: str) -> Perm | None:
    producer = graph.producer(value)
    return producer.op.perm if producer and isinstance(producer.op, Transpose) else None


def _untransposed(graph: Graph, node: Node, value: str, perm: Perm) -> str:
    """The operand as it is before the transpose; one that has none gets the inverse."""
    inverse = _inverse(perm)
    data = graph.constant(value)
    if data is not None:
        if data.size == 1 and not isinstance(node.op, Concat):
            return value
        return graph.add_constant(data.reshape((1,) * (len(perm) - data.ndim) + data.shape).transpose(inverse), value)
    if _perm(graph, value) == perm:
        producer = graph.producer(value)
        assert producer is not None
        return producer.inputs[0]
    turned = (c.output for c in graph.consumers(value) if c.op == Transpose(inverse))
    return next(turned, "") or graph.emit(Transpose(inverse), value, like=node)


RULES = (cancel, to_reshape, to_shuffle, sink)
