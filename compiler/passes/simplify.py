"""Ops are replaced by cheaper equals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..ir import Graph, Node
from ..ops.conv import Conv2D, OrderedConv2D
from ..ops.conv_transpose import ConvTranspose2D
from ..ops.elementwise import Cast, Elementwise
from ..ops.matmul import MatMul
from ..ops.movement import Concat, Pad, Reshape, Slice
from ..ops.padding import Pads
from ..ops.pool import Pool2D
from ..ops.reduce import Reduce
from .rewrite import Declined, Fired, Outcome, joined, rule, substitute


@rule(Conv2D, OrderedConv2D, Pool2D)
def merge_padding(graph: Graph, node: Node) -> Outcome:
    """Padding with zeros, in front of a convolution or of an average that counts them -> the op's own padding."""
    before = graph.producer(node.inputs[0])
    if before is None or not isinstance(before.op, Pad):
        return None
    pad = before.op
    if pad.mode != "constant" or pad.value != 0:
        return Declined("only padding with zeros can be merged")
    if any(pad.pads[0]) or any(pad.pads[3]):
        return Declined("it pads images or channels, not only rows and columns")
    if min(min(p) for p in pad.pads) < 0:
        return Declined("it cuts")
    op = node.op
    margin = pad.pads[1:3]
    if isinstance(op, Pool2D):
        if op.kind != "average":
            return Declined("zeros could exceed a maximum")
        op = replace(op, counted=_wider(op.counted, margin))
    op = replace(op, pads=_wider(op.pads, margin))
    graph.replace_node(node, replace(node, op=op, inputs=(before.inputs[0], *node.inputs[1:]), sources=joined(before, node)))
    return Fired(f"padding {before.name} merged")


def _wider(pads: Pads, margin: Sequence[tuple[int, int]]) -> Pads:
    top, left = ((a + c, b + d) for (a, b), (c, d) in zip(pads, margin))
    return top, left


@rule(Pool2D)
def pool_to_slice(graph: Graph, node: Node) -> Outcome:
    """A 1x1 window that only strides -> slice."""
    op: Pool2D = node.op
    if tuple(op.kernel) != (1, 1) or tuple(op.stride) == (1, 1) or any(map(any, op.pads)):
        return None
    shape = graph.type(node.output).shape
    substitute(graph, node, Slice((0, 0, 0, 0), shape, (1, *op.stride, 1)), node.inputs[0])
    return Fired("turned into a slice: its window is one pixel")


@rule(Conv2D)
def conv_to_matmul(graph: Graph, node: Node) -> Outcome:
    """A convolution that sees the whole of its input once is a fully connected layer."""
    op: Conv2D = node.op
    w = graph.constant(node.inputs[1])
    if w is None or op.groups != 1 or any(map(any, op.pads)) or graph.type(node.inputs[0]).shape[1:3] != w.shape[1:3]:
        return None
    y = graph.type(node.output).shape
    n, o = y[0], y[3]
    rows = graph.emit(Reshape((n, w[0].size)), node.inputs[0], like=node)
    product = graph.emit(MatMul(), rows, graph.add_constant(w.reshape(o, -1).T, node.inputs[1]), like=node)
    substitute(graph, node, Reshape(y), product)
    return Fired("turned into a fully connected layer: its window is the whole image")


@rule(Conv2D)
def conv_to_scale(graph: Graph, node: Node) -> Outcome:
    """A depthwise convolution of one pixel is a multiplication per channel."""
    op: Conv2D = node.op
    w = graph.constant(node.inputs[1])
    if w is None or w.shape != (op.groups, 1, 1, 1) or tuple(op.stride) != (1, 1) or any(map(any, op.pads)):
        return None
    substitute(graph, node, Elementwise("mul"), node.inputs[0], graph.add_constant(w.reshape(-1), node.inputs[1]))
    return Fired("turned into a multiplication: its window is one pixel, of one channel")


@rule(ConvTranspose2D)
def transposed_to_conv(graph: Graph, node: Node) -> Outcome:
    """A transposed convolution of stride 1 is a convolution with the kernel turned by half a circle."""
    op: ConvTranspose2D = node.op
    w = graph.constant(node.inputs[1])
    if tuple(op.stride) != (1, 1) or w is None or op.groups != 1:
        return None
    x, y = graph.type(node.inputs[0]).shape, graph.type(node.output).shape
    pads = []
    for d in (0, 1):
        reach = (w.shape[1 + d] - 1) * op.dilation[d]
        before = reach - op.pads[d][0]
        after = y[1 + d] - 1 + reach - before - (x[1 + d] - 1)
        if before < 0 or after < 0:
            return Declined("it cuts more than its kernel reaches")
        pads.append((before, after))
    conv = Conv2D((1, 1), (pads[0], pads[1]), op.dilation)
    turned = graph.add_constant(np.ascontiguousarray(w[:, ::-1, ::-1]), node.inputs[1])
    substitute(graph, node, conv, node.inputs[0], turned)
    return Fired("turned into a convolution: its stride is 1")


@rule(Concat)
def concat_to_pad(graph: Graph, node: Node) -> Outcome:
    """A concatenation of one value with zeros -> pad."""
    arrays = [graph.constant(v) for v in node.inputs]
    computed = [k for k, a in enumerate(arrays) if a is None]
    if len(computed) != 1 or len(arrays) < 2 or any(a is not None and np.any(a) for a in arrays):
        return None
    k, axis = computed[0], node.op.axis
    before = sum(a.shape[axis] for a in arrays[:k] if a is not None)
    after = sum(a.shape[axis] for a in arrays[k + 1 :] if a is not None)
    rank = graph.type(node.output).rank
    pads = tuple((before, after) if d == axis else (0, 0) for d in range(rank))
    substitute(graph, node, Pad(pads), node.inputs[k])
    return Fired("turned into padding: the other operands are zeros")


@rule(Elementwise)
def square(graph: Graph, node: Node) -> Outcome:
    """x * x and x ** 2 -> square(x)."""
    op: Elementwise = node.op
    exponent = graph.constant(node.inputs[1]) if op.fn == "pow" else None
    same = op.fn == "mul" and node.inputs[0] == node.inputs[1]
    if not same and not (exponent is not None and exponent.size == 1 and exponent.reshape(()) == 2):
        return None
    if graph.type(node.output) != graph.type(node.inputs[0]):
        return None
    substitute(graph, node, Elementwise("square"), node.inputs[0])
    return Fired("turned into a square")


@rule(Reduce)
def reduce_to_reshape(graph: Graph, node: Node) -> Outcome:
    """A reduction along axes of extent 1 combines nothing."""
    shape = graph.type(node.inputs[0]).shape
    if any(shape[a] != 1 for a in node.op.axes):
        return None
    substitute(graph, node, Reshape(graph.type(node.output).shape), node.inputs[0])
    return Fired("turned into a reshape: its axes have extent 1")


@rule(Elementwise, Cast)
def sink_reshape(graph: Graph, node: Node) -> Outcome:
    """op(reshape(x), c) -> reshape(op(x, c)), which lets op join the kernel that computes x."""
    before = [graph.producer(v) for v in node.inputs]
    first = next((b for b in before if b is not None and isinstance(b.op, Reshape)), None)
    if first is None:
        return None
    kernel = graph.producer(first.inputs[0])
    if kernel is None or kernel.op.view:
        return None
    old, new = graph.type(first.inputs[0]).shape, graph.type(first.output).shape
    if graph.type(node.output).shape != new:
        return Declined("it broadcasts the reshape before it to a larger shape")
    inputs = []
    for value, producer in zip(node.inputs, before):
        data = graph.constant(value)
        if data is not None and data.size == 1:
            inputs.append(graph.add_constant(data.reshape(()), value))
        elif data is not None and data.shape[-1] == data.size == old[-1] == new[-1]:
            inputs.append(graph.add_constant(data.reshape(-1), value))
        elif producer is not None and isinstance(producer.op, Reshape) and graph.type(producer.inputs[0]).shape == old:
            inputs.append(producer.inputs[0])
        else:
            return Declined(f"operand '{value}' has no counterpart before the reshape")
    substitute(graph, node, Reshape(new), graph.emit(node.op, *inputs, like=node))
    return Fired("moved in front of the reshape before it")


RULES = (merge_padding, pool_to_slice, transposed_to_conv, conv_to_scale, conv_to_matmul, concat_to_pad, square, reduce_to_reshape,
         sink_reshape)
