"""The candidates of a reduction: along vectors of results or inside them, by one work-item or a work-group."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod
from typing import TYPE_CHECKING

import numpy as np

from ..access import compute_type
from ..indexing import combine, elements, extremes, rows, unravel, width
from ..ir import TensorType
from ..kernel import Kernel, Read, Site, View
from ..layout import Layout
from ..targets import Target

if TYPE_CHECKING:
    from .reduce import Kind, Reduce

GROUPS = (1, 8, 32, 128)
"""Work-items that may share one result."""
RUN = 256
"""Terms of a sum that are added to each other before they join the rest."""

Loops = list[tuple[str, int]]
"""Variables and extents of nested loops, the outermost first."""


def reduce(site: Site, op: Reduce) -> Sequence[Kernel]:
    x, y = site.input(0), site.output
    inside = bool(op.axes) and op.axes[-1] == x.type.rank - 1
    view, axes = _simplified(x, op.axes, inside)
    return sorted((_inside if inside else _along)(site, op, view, axes, y), key=lambda k: k.cost)


def _simplified(x: View, axes: Sequence[int], inside: bool) -> tuple[View, list[int]]:
    """A view without axes of extent 1, and with neighbours that are both reduced, or both kept, walked as one.

    The last axis stays by itself where it is kept, and where it is blocked.
    """
    if not x.shape:
        return View(x.value, TensorType((1,), x.type.dtype), x.storage, Layout((1,), x.layout.offset)), []
    last = x.type.rank - 1
    shape: list[int] = []
    strides: list[int] = []
    reduced: list[bool] = []
    for d, (extent, stride) in enumerate(zip(x.shape, x.layout.strides)):
        alone = d == last and (not inside or x.layout.axis is not None)
        if extent == 1 and not alone:
            continue
        if shape and not alone and reduced[-1] == (d in axes) and strides[-1] == stride * extent:
            shape[-1], strides[-1] = shape[-1] * extent, stride
        else:
            shape.append(extent)
            strides.append(stride)
            reduced.append(d in axes)
    if inside and not (reduced and reduced[-1]):
        shape, strides, reduced = [*shape, 1], [*strides, 1], [*reduced, True]
    axis = None if x.layout.axis is None else len(shape) - 1
    layout = Layout(tuple(strides), x.layout.offset, axis, x.layout.lanes)
    view = View(x.value, TensorType(tuple(shape), x.type.dtype), x.storage, layout)
    return view, [d for d, r in enumerate(reduced) if r]


def share_groups(target: Target, items: int, length: int) -> list[int]:
    """Sizes of work-groups that may share reductions of `length` steps: one work-item only, where there are enough."""
    if target.kind == "cpu":
        return [1]
    return [g for g in GROUPS if g == 1 or (g <= length and items < 64 * target.units * GROUPS[1])]


def share_cost(target: Target, nbytes: int, steps: int, items: int, group: int) -> float:
    """Microseconds of `items` reductions of `steps` vectors each, by groups of work-items."""
    parallel = target.units * (64 if target.kind == "gpu" else 1)
    waves = ceil(items * group / parallel)
    per_item = (ceil(steps / group) * 2 + (group > 1) * 20) * target.lanes / (target.gflops / parallel)
    return target.launch + max(waves * per_item, nbytes / target.bandwidth) / 1e3


def _along(site: Site, op: Reduce, x: View, axes: list[int], y: View) -> list[Kernel]:
    """The last axis of the operand stays: vectors of results, loops over what is reduced."""
    lanes = width(y, site.target.lanes)
    loops, index, count = _walk(x, axes, kept=[d for d in range(x.type.rank - 1) if d not in axes])
    grid = (ceil(x.shape[-1] / lanes), count)
    return [_kernel(site, op, x, loops, (*index, "cb * V"), vector=lanes, lanes=lanes, grid=grid, shared=(g, 1))
            for g in _groups(site, op, grid[0] * grid[1], loops[0][1])]


def _inside(site: Site, op: Reduce, x: View, axes: list[int], y: View) -> list[Kernel]:
    """The last axis of the operand is reduced: vectors along it, combined at the end."""
    extent, vector, lanes = x.shape[-1], 1 if op.ordered else width(x, site.target.lanes), y.layout.lanes
    loops, index, count = _walk(x, axes[:-1], kept=[d for d in range(x.type.rank) if d not in axes])
    vectors = extent // vector
    outer = loops[0][1] > vectors
    return [_kernel(site, op, x, loops, (*index, "i"), vector=vector, lanes=lanes, grid=(1, count),
                    shared=(g, 1) if outer else (1, g), extent=extent)
            for g in _groups(site, op, count, max(loops[0][1], vectors))]


def _groups(site: Site, op: Reduce, items: int, length: int) -> list[int]:
    return [1] if op.ordered else share_groups(site.target, items, length)


def _walk(x: View, axes: Sequence[int], kept: Sequence[int]) -> tuple[Loops, list[str], int]:
    """Loops over the reduced axes, the index of all axes but the last, and the number of rows that are kept."""
    index = ["0"] * (x.type.rank - 1)
    loops = [(f"r{k}", x.shape[d]) for k, d in enumerate(axes)]
    for d, (name, _) in zip(axes, loops):
        index[d] = name
    for d, i in zip(kept, unravel("row", [x.shape[d] for d in kept])):
        index[d] = i
    return loops or [("r0", 1)], index, prod(x.shape[d] for d in kept)


def _kernel(site: Site, op: Reduce, view: View, loops: Loops, index: tuple[str, ...], *, vector: int, lanes: int, grid: tuple[int, int],
            shared: tuple[int, int], extent: int | None = None) -> Kernel:
    """The candidate in which shared[0] work-items share the outermost loop, or shared[1] the vectors of the last axis.

    Args:
        extent: of the last axis of x, where that is reduced.
    """
    x, y = site.input(0), site.output
    group = shared[0] * shared[1]
    count = prod(x.shape[d] for d in op.axes)
    inside = extent is not None
    steps = prod(e for _, e in loops) * ceil((extent or 0) / vector if inside else 1)
    rounds = op.kind in ("sum", "mean") and not op.ordered and x.type.dtype.kind == "f"
    params = {"V": vector, "YV": lanes, "T": compute_type(x.type.dtype), "IDENTITY": _identity(op.kind, x.type.dtype),
              "COMBINE": _combine(op, x.type.dtype), "COUNT": count if op.kind == "mean" else 1, "EXTENT": extent or 0, "WG": group,
              "LOOP_WG": shared[0], "VECTOR_WG": shared[1], "RUN": RUN if rounds and steps > 2 * RUN * group else 0,
              "loops": loops, "index": index, "inside": inside}
    nbytes, items = site.moved(), grid[0] * grid[1]
    cost = share_cost(site.target, nbytes, steps, items, group)
    return Kernel("reduce", params, (Read("x", view, view.storage),), (grid[0] * group, grid[1], 1), (group, 1, 1) if group > 1 else None,
                  lanes, x.type.size, nbytes, cost, place=rows(y.shape) if lanes > 1 or not inside else elements(y.shape))


def _combine(op: Reduce, dtype: np.dtype) -> str:
    """An addition that has to keep its place is an fma by one: drivers regroup plain ones, for vectors of their own."""
    kind = op.kind
    if op.ordered:
        return "fma(b, (TV)(1), a)"
    if kind in ("any", "all"):
        return "(a) | (b)" if kind == "any" else "(a) & (b)"
    return combine(kind, dtype) if kind in ("max", "min") else "(a) * (b)" if kind == "prod" else "(a) + (b)"


def _identity(kind: Kind, dtype: np.dtype) -> str:
    if kind in ("max", "min"):
        return extremes(dtype)[kind == "min"]
    return "1" if kind in ("prod", "all") else "0"
