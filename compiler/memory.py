"""Schedule -> Arena: where each buffer lies in the one allocation that all intermediates share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .ir import Graph
from .lower import Schedule


@dataclass(frozen=True)
class Arena:
    """Offsets of the buffers that live in the arena.

    Attributes:
        offsets: name of a value with a buffer of its own -> byte offset.
        sizes: its bytes, rounded up to the alignment.
        nbytes: of the whole arena.
        lower_bound: the largest sum of buffers that live at the same time; no arena is smaller.
    """

    offsets: Mapping[str, int]
    sizes: Mapping[str, int]
    nbytes: int
    lower_bound: int


def home(graph: Graph, name: str) -> str:
    """The value in whose buffer a value lies."""
    return graph.value(name).home or name


def assign(schedule: Schedule, alignment: int) -> Arena:
    """Places the buffers greedily, the largest first, each at the lowest gap among those that live at the same time.

    Follows "Greedy by size for offset calculation" of Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net
    Inference, 2020.
    """
    graph = schedule.graph
    external = {*graph.inputs, *graph.outputs.values()}
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for time, launch in enumerate(schedule.launches):
        for name in (*launch.site.node.operands, *launch.site.node.outputs):
            if graph.constant(name) is not None or graph.type(name).open:
                continue
            root = home(graph, name)
            if root in external:
                continue
            first.setdefault(root, time)
            last[root] = time
            view = launch.site.view(name)
            nbytes = view.layout.span(view.shape) * view.storage.itemsize
            sizes[root] = max(sizes.get(root, 0), -(-nbytes // alignment) * alignment)
    offsets = _greedy(first, last, sizes)
    live = np.zeros(len(schedule.launches) + 1, np.int64)
    for name, size in sizes.items():
        live[first[name]] += size
        live[last[name] + 1] -= size
    nbytes = max((offsets[n] + sizes[n] for n in sizes), default=0)
    return Arena(offsets, sizes, nbytes, int(np.cumsum(live).max(initial=0)))


def _greedy(first: Mapping[str, int], last: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, int]:
    names = sorted(sizes, key=lambda n: (-sizes[n], first[n], n))
    starts, ends, lows, highs = (np.zeros(len(names), np.int64) for _ in range(4))
    offsets: dict[str, int] = {}
    for k, name in enumerate(names):
        alive = (starts[:k] <= last[name]) & (ends[:k] >= first[name])
        order = np.argsort(lows[:k][alive], kind="stable")
        at = 0
        for low, high in zip(lows[:k][alive][order], highs[:k][alive][order]):
            if low - at >= sizes[name]:
                break
            at = max(at, int(high))
        offsets[name] = at
        starts[k], ends[k], lows[k], highs[k] = first[name], last[name], at, at + sizes[name]
    return offsets
