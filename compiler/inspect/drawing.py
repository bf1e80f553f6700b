"""Where the vertices of a graph are drawn: in layers, from top to bottom.

Follows Sugiyama, Tagawa and Toda, Methods for Visual Understanding of Hierarchical System Structures, 1981: layers by the longest path,
long edges through places of their own in every layer, an order with few crossings by barycentres. Vertices of a layer then come as near
to their neighbours as their widths let them. All of it takes time in proportion to the places, of which an edge has `FAR` at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP, BETWEEN, THIN = 18.0, 34.0, 10.0
"""Between neighbours; between layers; what an edge takes of the width of a layer that it passes."""
FAR = 40
"""Layers that an edge may pass; longer ones are drawn without regard for what they cross."""
SWEEPS = 6


@dataclass(frozen=True)
class Drawing:
    """Where everything is.

    Attributes:
        places: of each vertex, the middle of its box.
        routes: of each edge, the points through which it goes, from the bottom of a box to the top of another.
        width, height: of all.
    """

    places: list[tuple[float, float]]
    routes: list[list[tuple[float, float]]]
    width: float
    height: float


def draw(sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]) -> Drawing:
    """Places vertices and edges.

    Args:
        sizes: width and height of each vertex; every edge goes from one to a later one.
    """
    ranks = _ranks(len(sizes), edges)
    layers: list[list[int]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    for vertex, rank in enumerate(ranks):
        layers[rank].append(vertex)
    widths = [width for width, _ in sizes]
    above: list[list[int]] = [[] for _ in sizes]
    below: list[list[int]] = [[] for _ in sizes]
    paths = []
    for start, end in edges:
        path = [start]
        for rank in range(ranks[start] + 1, ranks[end]) if ranks[end] - ranks[start] <= FAR else ():
            layers[rank].append(len(widths))
            path.append(len(widths))
            widths.append(THIN)
            above.append([])
            below.append([])
        paths.append([*path, end])
        if ranks[end] - ranks[start] <= FAR:
            for one, other in pairwise(paths[-1]):
                below[one].append(other)
                above[other].append(one)
    _order(layers, above, below)
    xs = _columns(layers, above, below, widths)
    tops, height = _rows(layers, sizes)
    left = min((x - w / 2 for x, w in zip(xs, widths)), default=0.0)
    row_of = {vertex: rank for rank, layer in enumerate(layers) for vertex in layer}
    places = [(xs[v] - left, tops[ranks[v]] + h / 2) for v, (_, h) in enumerate(sizes)]
    routes = []
    for path in paths:
        (x0, y0), (x1, y1) = places[path[0]], places[path[-1]]
        inner = [(xs[v] - left, tops[row_of[v]]) for v in path[1:-1]]
        routes.append([(x0, y0 + sizes[path[0]][1] / 2), *inner, (x1, y1 - sizes[path[-1]][1] / 2)])
    return Drawing(places, routes, max((x + w / 2 for x, w in zip(xs, widths)), default=0.0) - left, height)


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each vertex: below all that it depends on; of one that depends on nothing, just above what reads it."""
    into: list[list[int]] = [[] for _ in range(count)]
    out: list[list[int]] = [[] for _ in range(count)]
    for start, end in edges:
        into[end].append(start)
        out[start].append(end)
    ranks = [0] * count
    for vertex in range(count):
        ranks[vertex] = max((ranks[v] + 1 for v in into[vertex]), default=0)
    return [min(ranks[v] for v in out[vertex]) - 1 if not into[vertex] and out[vertex] else rank for vertex, rank in enumerate(ranks)]


def _order(layers: list[list[int]], above: list[list[int]], below: list[list[int]]) -> None:
    """Sorts each layer by the mean place of the neighbours in the layer before it, downwards and upwards in turn."""
    at = {vertex: float(k) for layer in layers for k, vertex in enumerate(layer)}
    for sweep in range(SWEEPS):
        near = above if sweep % 2 == 0 else below
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            means = {v: sum(at[n] for n in near[v]) / len(near[v]) if near[v] else at[v] for v in layer}
            layer.sort(key=means.__getitem__)
            at.update((vertex, float(k)) for k, vertex in enumerate(layer))


def _columns(layers: list[list[int]], above: list[list[int]], below: list[list[int]], widths: list[float]) -> list[float]:
    """The middles of all: each layer in its order, without overlaps, as near as can be to the neighbours of each vertex."""
    xs = [0.0] * len(widths)
    for sweep in range(SWEEPS):
        near = above if sweep % 2 == 0 else below
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wanted = [sum(xs[n] for n in near[v]) / len(near[v]) if near[v] else xs[v] for v in layer]
            for vertex, x in zip(layer, _apart(wanted, [widths[v] for v in layer])):
                xs[vertex] = x
    return xs


def _apart(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Places in this order, a gap apart, whose squared distances from the wanted ones have the least sum (pool adjacent violators)."""
    shifts = [0.0]
    for one, other in pairwise(widths):
        shifts.append(shifts[-1] + (one + other) / 2 + GAP)
    pools: list[tuple[float, int]] = []
    for want, shift in zip(wanted, shifts):
        total, count = want - shift, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            more, many = pools.pop()
            total, count = total + more, count + many
        pools.append((total, count))
    levels = [total / count for total, count in pools for _ in range(count)]
    return [level + shift for level, shift in zip(levels, shifts)]


def _rows(layers: list[list[int]], sizes: Sequence[tuple[float, float]]) -> tuple[list[float], float]:
    """The top of each layer, and the height of all."""
    tops, y = [], 0.0
    for layer in layers:
        tops.append(y)
        y += max((sizes[v][1] for v in layer if v < len(sizes)), default=0.0) + BETWEEN
    return tops, max(y - BETWEEN, 0.0)
