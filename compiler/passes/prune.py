"""Ops that change nothing are removed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir import Graph, Node
from ..ops.elementwise import Cast, Elementwise
from ..ops.movement import Broadcast, Concat, Copy, Pad, Reshape, Slice, Tile, Transpose
from ..ops.pool import Pool2D
from ..ops.resize import Resize2D
from .rewrite import Fired, Outcome, bypass, rule, substitute

NEUTRAL = {"add": 0, "sub": 0, "mul": 1, "div": 1, "pow": 1}
IDEMPOTENT = ("relu", "abs", "floor", "ceil", "round", "sign")


@rule(Copy, Elementwise, Cast, Reshape, Transpose, Slice, Concat, Pad, Tile, Broadcast, Pool2D, Resize2D)
def prune_no_op(graph: Graph, node: Node) -> Outcome:
    """Identity, dropout, reshape to the same shape, slice of everything, pad by nothing, concatenation of one, …"""
    value = node.inputs[0]
    x, y = graph.type(value), graph.type(node.output)
    if x != y or not _changes_nothing(graph, node):
        return None
    bypass(graph, node, value)
    return Fired("pruned")


def _changes_nothing(graph: Graph, node: Node) -> bool:
    op = node.op
    match op:
        case Elementwise(fn="identity") | Copy() | Cast() | Reshape() | Broadcast() | Tile():
            return True
        case Elementwise(fn="clip", params=(lo, hi)):
            return bool(lo == -np.inf and hi == np.inf)
        case Elementwise(fn=fn) if fn in NEUTRAL:
            other = graph.constant(node.inputs[1])
            return other is not None and bool(np.all(other == NEUTRAL[fn]))
        case Transpose(perm=perm):
            return perm == tuple(range(len(perm)))
        case Slice(step=step):
            return all(s == 1 for s in step)
        case Concat():
            return len(node.inputs) == 1
        case Pad(pads=pads):
            return not any(map(any, pads))
        case Pool2D():
            return tuple(op.kernel) == (1, 1) and not any(map(any, op.pads))
        case Resize2D():
            return all(_stays(*op.taps(axis, extent)) for axis, extent in enumerate(graph.type(node.output).shape[1:3]))
    return False


def _stays(index: np.ndarray, weight: np.ndarray) -> bool:
    """Whether a resampling takes every position from itself."""
    return bool(np.all((weight == 0) | (index == np.arange(len(index))[:, None])))


@rule(Elementwise)
def prune_repeated(graph: Graph, node: Node) -> Outcome:
    """relu(relu(x)) -> relu(x), and clip after relu where the bounds allow -> clip."""
    before = graph.producer(node.inputs[0])
    if before is None or not isinstance(before.op, Elementwise):
        return None
    if node.op == before.op and node.op.fn in IDEMPOTENT:
        bypass(graph, node, before.output)
        return Fired("pruned: it repeats the op before it")
    if node.op.fn == "clip" and before.op.fn == "relu" and node.op.params[0] >= 0:
        graph.replace_node(node, replace(node, inputs=before.inputs))
        return Fired("relu before it pruned")
    return None


@rule(Reshape)
def merge_reshapes(graph: Graph, node: Node) -> Outcome:
    """reshape(reshape(x)) -> reshape(x)."""
    before = graph.producer(node.inputs[0])
    if before is None or not isinstance(before.op, Reshape):
        return None
    substitute(graph, node, node.op, before.inputs[0])
    return Fired("merged with the reshape before it")


RULES = (prune_no_op, prune_repeated, merge_reshapes)
