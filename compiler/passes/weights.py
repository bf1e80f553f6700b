"""Arithmetic on channels moves into weights.

With y = conv(x, W), scale s and shift t per output channel, and r per input channel:

    y * s        = conv(x, s W)
    (y + b) * s  = y * s + b s
    (y + b) + t  = y + (b + t)
    conv(x * r)  = conv(x, W r)        also under padding with zeros
    conv(P x)    = conv(x, W P)        for a shuffle P of the channels

Batch normalisation arrives as a multiplication and an addition, so that the first four fold it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir import Graph, Node
from ..ops.conv import Conv2D
from ..ops.conv_transpose import ConvTranspose2D
from ..ops.elementwise import Elementwise
from ..ops.matmul import MatMul
from ..ops.movement import Shuffle
from .rewrite import Declined, Fired, Outcome, bypass, joined, rule, substitute

WEIGHTED = (Conv2D, ConvTranspose2D, MatMul)


@rule(Elementwise)
def canonical_arithmetic(graph: Graph, node: Node) -> Outcome:
    """x - c -> x + (-c), x / c -> x * (1/c), c + x -> x + c: behind a convolution, for the rules below."""
    if node.op.fn not in ("sub", "div", "add", "mul"):
        return None
    left, right = (graph.constant(v) for v in node.inputs)
    if node.op.fn in ("add", "mul") and left is not None and right is None:
        graph.replace_node(node, replace(node, inputs=(node.inputs[1], node.inputs[0])))
        return Fired("operands swapped")
    if right is None or right.dtype.kind != "f" or node.op.fn in ("add", "mul") or _weighted(graph, node.inputs[0]) is None:
        return None
    with np.errstate(divide="ignore", over="ignore"):
        turned = -right if node.op.fn == "sub" else np.reciprocal(right)
    if not np.all(np.isfinite(turned)):
        return Declined("the divisor has numbers whose inverse is not finite")
    op = Elementwise("add" if node.op.fn == "sub" else "mul")
    substitute(graph, node, op, node.inputs[0], graph.add_constant(turned, node.inputs[1]))
    return Fired(f"turned into {op.fn}")


@rule(Elementwise)
def scale_into_weights(graph: Graph, node: Node) -> Outcome:
    """conv(x, W) * s -> conv(x, s W)."""
    if node.op.fn != "mul":
        return None
    scale = graph.constant(node.inputs[1])
    conv = graph.producer(node.inputs[0])
    if scale is None or conv is None or not isinstance(conv.op, WEIGHTED):
        return None
    weights = graph.constant(conv.inputs[1])
    if weights is None:
        return Declined(f"the weights of {conv.name} are computed at run time")
    channels = graph.type(conv.output).shape[-1]
    per_channel = _per_channel(scale, graph.type(node.output).rank, channels)
    if per_channel is None or graph.type(node.output) != graph.type(conv.output):
        return Declined("the scale is not per channel")
    if not _single_use(graph, conv.output):
        return Declined(f"{conv.name} is also read elsewhere")
    scaled = weights * (per_channel if isinstance(conv.op, MatMul) else per_channel.reshape(-1, 1, 1, 1))
    inputs = (conv.inputs[0], graph.add_constant(scaled.astype(weights.dtype), conv.inputs[1]), *conv.inputs[2:])
    graph.replace_node(conv, replace(conv, inputs=inputs, sources=joined(conv, node)))
    bypass(graph, node, conv.output)
    return Fired(f"folded into the weights of {conv.name}")


@rule(Elementwise)
def reorder_bias(graph: Graph, node: Node) -> Outcome:
    """(y + b) * s -> y * s + b s, and (y + b) + t -> y + (b + t), for y = conv(…)."""
    if node.op.fn not in ("mul", "add"):
        return None
    before = graph.producer(node.inputs[0])
    if before is None or before.op != Elementwise("add") or _weighted(graph, before.inputs[0]) is None:
        return None
    number, bias = graph.constant(node.inputs[1]), graph.constant(before.inputs[1])
    if number is None or bias is None or graph.type(node.output) != graph.type(before.output):
        return None
    if not _single_use(graph, before.output):
        return Declined(f"{before.name} is also read elsewhere")
    if node.op.fn == "add":
        substitute(graph, node, Elementwise("add"), before.inputs[0], graph.add_constant(bias + number, before.inputs[1]))
        return Fired("merged with the bias before it")
    scaled = graph.emit(Elementwise("mul"), before.inputs[0], node.inputs[1], like=node)
    substitute(graph, node, Elementwise("add"), scaled, graph.add_constant(bias * number, before.inputs[1]))
    return Fired("moved in front of the bias")


@rule(Conv2D)
def scale_before_conv(graph: Graph, node: Node) -> Outcome:
    """conv(x * r, W) -> conv(x, W r)."""
    before = graph.producer(node.inputs[0])
    weights = graph.constant(node.inputs[1])
    if before is None or before.op != Elementwise("mul") or weights is None:
        return None
    scale = graph.constant(before.inputs[1])
    x = graph.type(before.inputs[0])
    per_channel = None if scale is None or x.rank != 4 else _per_channel(scale, 4, x.shape[3])
    if scale is None:
        return None
    if per_channel is None or x != graph.type(before.output):
        return Declined("the scale before it is not per channel")
    if not _single_use(graph, before.output):
        return Declined(f"{before.name} is also read elsewhere")
    groups, per_in = node.op.groups, weights.shape[3]
    rows = per_channel.reshape(groups, per_in).repeat(weights.shape[0] // groups, axis=0)
    scaled = (weights * rows[:, None, None, :]).astype(weights.dtype)
    inputs = (before.inputs[0], graph.add_constant(scaled, node.inputs[1]))
    graph.replace_node(node, replace(node, inputs=inputs, sources=joined(before, node)))
    return Fired(f"scale {before.name} folded into its weights")


@rule(Conv2D)
def shuffle_before_conv(graph: Graph, node: Node) -> Outcome:
    """conv(shuffle(x), W) -> conv(x, W'), whose input channels are in the order before the shuffle."""
    before = graph.producer(node.inputs[0])
    weights = graph.constant(node.inputs[1])
    if before is None or not isinstance(before.op, Shuffle) or before.op.axis != 3:
        return None
    if weights is None or node.op.groups != 1:
        return Declined("its weights are computed at run time" if weights is None else "it sees each group of channels by itself")
    inverse = np.argsort(before.op.order(weights.shape[3]))
    inputs = (before.inputs[0], graph.add_constant(np.ascontiguousarray(weights[..., inverse]), node.inputs[1]))
    graph.replace_node(node, replace(node, inputs=inputs, sources=joined(before, node)))
    return Fired(f"shuffle {before.name} moved into its weights")


def _per_channel(array: np.ndarray, rank: int, channels: int) -> np.ndarray | None:
    """A constant that varies along the last axis alone, as one number a channel; else None."""
    if array.size == 1:
        return np.full(channels, array.reshape(()), array.dtype)
    if array.ndim <= rank and array.shape[-1] == channels and array.size == channels:
        return array.reshape(channels)
    return None


def _weighted(graph: Graph, value: str) -> Node | None:
    """The convolution or product that gives a value, through a bias and a scale at most."""
    node = graph.producer(value)
    for _ in ("bias", "scale"):
        if node is not None and node.op in (Elementwise("add"), Elementwise("mul")) and graph.constant(node.inputs[1]) is not None:
            node = graph.producer(node.inputs[0])
    return node if node is not None and isinstance(node.op, WEIGHTED) else None


def _single_use(graph: Graph, value: str) -> bool:
    return len(graph.consumers(value)) == 1 and not graph.is_output(value)


RULES = (canonical_arithmetic, scale_into_weights, reorder_bias, scale_before_conv, shuffle_before_conv)
