"""The candidates of ops that compute each element of the result by itself: element-wise chains and data movement.

Both use one template, `map`: a work-item owns a vector of the result along its last axis, loads what belongs to it, runs
the epilogue and stores it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from .ir import Node, TensorType
from .kernel import Gather, Kernel, Read, Site, View
from .layout import Layout

Groups = tuple[tuple[int, ...], ...]


def elementwise(site: Site) -> Sequence[Kernel]:
    """The kernel of an element-wise node: its op is the first step, and every operand is loaded where the result lies."""
    views = [site.view(v) for v in (*site.node.operands, site.node.output)]
    y = views[-1]
    if _is_flat(site, views):
        groups: Groups = ()
        shape: tuple[int, ...] = (y.layout.span(y.shape) - y.layout.offset,)
        lanes = _lanes(merged(y, groups, y.type.rank), shape[-1], site.target.lanes)
    else:
        groups = merge_axes(y.shape, views)
        shape = tuple(prod(y.shape[d] for d in g) for g in groups)
        lanes = _lanes(y, shape[-1], site.target.lanes)
    steps = len(site.node.epilogue) + 1
    return [_kernel(site, lanes, shape, groups=groups, reads=(), flops=steps * y.type.size)]


def gathered(site: Site, gather: Gather, fill: float = 0.0) -> Sequence[Kernel]:
    """The kernel of a data movement: each element of the result is one of operand 0, or `fill`.

    Args:
        gather: from coordinates of the result to those of the operand.
    """
    x, y = site.input(0), site.output
    groups = tuple((d,) for d in range(y.type.rank)) or ((),)
    last = y.shape[-1] if y.shape else 1
    lanes = 1
    if y.layout.axis is not None:
        lanes = y.layout.lanes
    elif y.shape and x.shape and x.layout.axis is None and x.layout.strides[-1] == 1 and y.layout.strides[-1] == 1:
        coordinates = tuple(f"i{d}" for d in range(y.type.rank))
        source, inside = gather(coordinates)
        if source[-1] == coordinates[-1] and coordinates[-1] not in (inside or ""):
            lanes = min(site.target.lanes, _power_of_two(last))
    return [_kernel(site, lanes, y.shape or (1,), groups=groups, reads=(site.read("x", 0),), gather=gather, fill=fill,
                    flops=len(site.node.epilogue) * y.type.size)]


def preserves_zero(site: Site, kernel: Kernel | None = None) -> bool:
    """Whether the padded lanes of a node's result are zero by themselves where those of its operands are.

    Args:
        kernel: the one that computes it; without, an element-wise one.
    """
    node, graph = site.node, site.graph
    lanes = {v: np.zeros((), graph.type(v).dtype) for v in node.operands}
    for v in node.operands if is_elementwise(node) else [a for s in node.epilogue for a in s.args if isinstance(a, str)]:
        data = graph.constant(v)
        if data is not None and data.size == 1:
            lanes[v] = data.reshape(())
        elif graph.type(v).shape[-1:] in ((), (1,)):
            return False
    if kernel and kernel.gather and (kernel.fill or graph.type(node.inputs[0]).shape[-1:] != site.output.shape[-1:]):
        return False
    if is_elementwise(node):
        results = [node.op.reference(*(lanes[v] for v in node.inputs))[0]]
    else:
        types = (graph.type(v) if v else None for v in node.inputs)
        results = [np.zeros((), node.op.infer(*types)[0].dtype)]
    for step in node.epilogue:
        results.append(step.op.reference(*(results[a] if isinstance(a, int) else lanes[a] for a in step.args))[0])
    return bool(results[-1] == 0)


def is_elementwise(node: Node) -> bool:
    return hasattr(node.op, "expression")


ONCE = frozenset({"conv_depthwise", "conv_direct", "conv_first", "conv_local", "conv_pointwise", "conv_pointwise_split", "conv_winograd",
                  "map"})
"""Templates that store each element once, by the work-item that reads the operands of its epilogue."""


def updatable(site: Site, kernel: Kernel) -> list[str]:
    """The operands in whose place the result may be stored: those that lie as it does, and are read only where the same is stored."""
    node, y = site.node, site.output
    if kernel.template not in ONCE or len(node.outputs) > 1:
        return []
    near = [a for step in node.epilogue for a in step.args if isinstance(a, str)]
    near += node.inputs if is_elementwise(node) else ()
    elsewhere = () if is_elementwise(node) else node.inputs
    found = [v for v in dict.fromkeys(near) if v not in elsewhere and site.graph.constant(v) is None and _lies_as(site.view(v), y)]
    return [v for v in found if not any(site.graph.value(o).home == v for o in node.operands)]


def _lies_as(x: View, y: View) -> bool:
    return x.shape == y.shape and x.storage == y.storage and x.layout.matches(y.layout, y.shape)


def aligned(view: View, rank: int) -> View:
    """A view with leading axes of extent 1, to the rank of the result that it broadcasts to."""
    extra = rank - view.type.rank
    if not extra:
        return view
    layout = view.layout
    axis = None if layout.axis is None else layout.axis + extra
    layout = Layout((*[0] * extra, *layout.strides), layout.offset, axis, layout.lanes)
    return View(view.value, TensorType((*[1] * extra, *view.shape), view.type.dtype), view.storage, layout)


def merged(view: View, groups: Groups, rank: int) -> View:
    """A view with each group of neighbouring axes walked as one; of a whole buffer where there are no groups."""
    if not groups:
        extent = view.layout.span(view.shape) - view.layout.offset
        return View(view.value, TensorType((extent,), view.type.dtype), view.storage, Layout((1,), view.layout.offset))
    view = aligned(view, rank)
    shape, strides, blocked = [], [], None
    for k, group in enumerate(groups):
        used = [d for d in group if view.shape[d] != 1]
        shape.append(prod(view.shape[d] for d in group))
        strides.append(view.layout.strides[used[-1]] if used else 0)
        if view.layout.axis in group:
            blocked = k
    layout = Layout(tuple(strides), view.layout.offset, blocked, view.layout.lanes)
    return View(view.value, TensorType(tuple(shape), view.type.dtype), view.storage, layout)


def _is_flat(site: Site, views: list[View]) -> bool:
    """Whether all operands lie like the result, without gaps, so that the buffers can be walked as they are."""
    y = views[-1]
    for view in views[:-1]:
        if site.graph.constant(view.value) is not None:
            if view.type.size != 1:
                return False
        elif view.shape != y.shape or view.layout.strides != y.layout.strides or view.layout.axis != y.layout.axis:
            return False
    dense = prod(y.layout.extent(y.shape, d) for d in range(y.type.rank)) * y.layout.lanes
    if dense != y.layout.span(y.shape) - y.layout.offset:
        return False
    ragged = y.layout.axis is not None and y.shape[y.layout.axis] % y.layout.lanes
    return not ragged or preserves_zero(site)


def merge_axes(shape: tuple[int, ...], views: list[View]) -> Groups:
    """Neighbouring axes that every view can walk as one."""
    rank = len(shape)
    if rank == 0:
        return ((),)
    views = [aligned(v, rank) for v in views]
    groups: list[list[int]] = [[0]]
    for d in range(1, rank):
        if shape[d] == 1 or all(shape[g] == 1 for g in groups[-1]):
            fits = all(v.layout.axis not in (*groups[-1], d) for v in views)
        else:
            first = next(g for g in reversed(groups[-1]) if shape[g] != 1)
            fits = all(_walks_as_one(v, first, d) for v in views)
        if fits:
            groups[-1].append(d)
        else:
            groups.append([d])
    return tuple(tuple(g) for g in groups)


def _walks_as_one(view: View, first: int, second: int) -> bool:
    if view.layout.axis in (first, second):
        return False
    extents = view.shape[first], view.shape[second]
    if extents == (1, 1):
        return True
    return 1 not in extents and view.layout.strides[first] == view.layout.strides[second] * extents[1]


def _lanes(y: View, extent: int, lanes: int) -> int:
    if y.layout.axis is not None:
        return y.layout.lanes
    if y.type.rank and y.layout.strides[-1] != 1 and y.shape[-1] != 1:
        return 1
    return lanes if extent >= 4 * lanes else min(lanes, _power_of_two(extent))


def _power_of_two(extent: int) -> int:
    """The largest power of two that divides an extent."""
    return extent & -extent if extent else 1


def _grid(shape: tuple[int, ...], lanes: int) -> tuple[int, ...]:
    """Vectors of the last axis, then the axis before, then all others as one."""
    vectors = -(-shape[-1] // lanes)
    rest = shape[:-1]
    return (vectors, rest[-1] if rest else 1, prod(rest[:-1]))


def _kernel(site: Site, lanes: int, shape: tuple[int, ...], *, groups: Groups, reads: tuple[Read, ...], flops: int,
            gather: Gather | None = None, fill: float = 0.0) -> Kernel:
    nbytes, grid = site.moved(), _grid(shape, lanes)
    cost = site.target.launch + nbytes / site.target.bandwidth / 1e3
    return Kernel("map", {"LANES": lanes}, reads, grid, lanes=lanes, flops=flops, nbytes=nbytes, cost=cost,
                  gather=gather, fill=fill, groups=groups)
