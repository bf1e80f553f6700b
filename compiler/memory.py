"""Schedule -> Arena: where each buffer lies in the one allocation that all intermediates share.

A result may take over the buffer of an operand that ends with it: where each work-item reads of that only what it then overwrites.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from .ir import Graph
from .lower import Chain, Launch, LoopStep, Schedule
from .mapping import updatable

STEPS = 20_000
"""Buffers that are placed once more, in other orders, where the first orders waste room."""


@dataclass(frozen=True)
class Arena:
    """Offsets of the buffers that live in the arena.

    Attributes:
        offsets: name of a value with a buffer of its own, or of what is kept for a node alone -> byte offset.
        sizes: its bytes, rounded up to the alignment.
        lives: its first and last step of the schedule; of an output of a loop's body, the one behind all.
        nbytes: of the whole arena.
        lower_bound: the largest sum of buffers that live at the same time; no arena is smaller.
        scratch: name of a node whose kernel needs memory for itself -> byte offset.
        bodies: name of a loop's node -> where the arena of its body begins, and that arena.
    """

    offsets: Mapping[str, int]
    sizes: Mapping[str, int]
    lives: Mapping[str, tuple[int, int]]
    nbytes: int
    lower_bound: int
    scratch: Mapping[str, int] = field(default_factory=dict)
    bodies: Mapping[str, tuple[int, Arena]] = field(default_factory=dict)


def home(graph: Graph, name: str) -> str:
    """The value in whose buffer a value lies."""
    return graph.value(name).home or name


def assign(schedule: Schedule, alignment: int) -> Arena:
    """Places the buffers greedily, each at the lowest gap among those that live at the same time: those first that live when most is
    kept, or if that wastes room the largest, or what takes most room for longest.

    Follows "Greedy by breadth" and "Greedy by size for offset calculation" of Pisarchyk and Lee, Efficient Memory Management for Deep
    Neural Net Inference, 2020.
    """
    return _assign(schedule, alignment, {*schedule.graph.inputs, *schedule.graph.outputs.values()})


def _assign(schedule: Schedule, alignment: int, external: Collection[str]) -> Arena:
    """Places all but the external buffers; the outputs among them, the rows of a body, stay to the end."""
    graph = schedule.graph
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    sizes: dict[str, int] = {}
    bodies: dict[str, Arena] = {}
    rooms: dict[str, str] = {}
    for time, step in enumerate(schedule.launches):
        sites = [launch.site for launch in step.launches] if isinstance(step, Chain) else [step.site]
        for site, name in [(s, name) for s in sites for name in (*s.node.operands, *s.node.outputs)]:
            if graph.constant(name) is not None or graph.type(name).open:
                continue
            root = home(graph, name)
            if root in external:
                continue
            first.setdefault(root, time)
            last[root] = len(schedule.launches) if graph.is_output(root) else time
            view = site.view(name)
            nbytes = view.layout.span(view.shape) * view.storage.itemsize
            sizes[root] = max(sizes.get(root, 0), -(-nbytes // alignment) * alignment)
        if isinstance(step, LoopStep) or (isinstance(step, Launch) and step.kernel.scratch):
            name = sites[-1].node.name
            room = rooms.setdefault(name, graph.fresh(f"{name}:room"))
            first.setdefault(room, time)
            last[room] = time
            if isinstance(step, LoopStep):
                bodies[room] = _assign(step.body, alignment, step.body.graph.inputs)
                sizes[room] = bodies[room].nbytes
            else:
                sizes[room] = max(sizes.get(room, 0), -(-step.kernel.scratch // alignment) * alignment)
    owner = _handed_over(schedule, first, last, sizes)
    ends = {name: last[name] for name in sizes}
    for name, own in owner.items():
        ends[own] = max(ends[own], last[name])
    placed = _place(first, ends, {name: size for name, size in sizes.items() if owner[name] == name})
    offsets = {name: placed[owner[name]] for name in sizes}
    lives = {name: (first[name], last[name]) for name in sizes}
    least = {name: bodies[name].lower_bound if name in bodies else size for name, size in sizes.items()}
    lower_bound = int(_live(first, last, least).max(initial=0))
    scratch = {node: offsets[room] for node, room in rooms.items() if room not in bodies}
    loops = {node: (offsets[room], bodies[room]) for node, room in rooms.items() if room in bodies}
    return Arena(offsets, sizes, lives, _top(placed, sizes), lower_bound, scratch, loops)


def _handed_over(schedule: Schedule, first: Mapping[str, int], last: dict[str, int], sizes: Mapping[str, int]) -> dict[str, str]:
    """Of each buffer the first of those that are one; where one takes over another, that ends a step before."""
    owner = {name: name for name in sizes}
    for time, step in enumerate(schedule.launches):
        if isinstance(step, Launch) and (heir := step.site.node.output) in sizes and first[heir] == time:
            for value in updatable(step.site, step.kernel):
                if value in sizes and last[value] == time and sizes[value] == sizes[heir]:
                    owner[heir], last[value] = owner[value], time - 1
                    break
    return owner


def _live(first: Mapping[str, int], last: Mapping[str, int], sizes: Mapping[str, int]) -> np.ndarray:
    """How much is kept, at each step."""
    changes = np.zeros(max(last.values(), default=0) + 2, np.int64)
    for name, size in sizes.items():
        changes[first[name]] += size
        changes[last[name] + 1] -= size
    return np.cumsum(changes)


def _place(first: Mapping[str, int], last: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, int]:
    """The best of several orders, then of a walk from there: no further one where none can be better."""
    live = _live(first, last, sizes)
    breadth = {name: live[first[name] : last[name] + 1].max() for name in sizes}
    orders: tuple[Callable[[str], tuple[int, ...]], ...] = (
        lambda name: (-breadth[name], first[name] - last[name], -sizes[name]),
        lambda name: (-sizes[name],),
        lambda name: ((first[name] - last[name] - 1) * sizes[name],),
    )
    best: dict[str, int] = {}
    for order in orders:
        offsets = _greedy(first, last, sizes, sorted(sizes, key=lambda name: (*order(name), first[name], name)))
        if not best or _top(offsets, sizes) < _top(best, sizes):
            best = offsets
        if _top(best, sizes) <= live.max():
            return best
    chance = Random(0)
    for _ in range(STEPS // len(sizes)):
        names = list(best)
        names.insert(chance.randrange(len(names)), names.pop(chance.randrange(len(names))))
        offsets = _greedy(first, last, sizes, names)
        if _top(offsets, sizes) <= _top(best, sizes):
            best = offsets
        if _top(best, sizes) <= live.max():
            break
    return best


def _top(offsets: Mapping[str, int], sizes: Mapping[str, int]) -> int:
    return max((offset + sizes[name] for name, offset in offsets.items()), default=0)


def _greedy(first: Mapping[str, int], last: Mapping[str, int], sizes: Mapping[str, int], names: Sequence[str]) -> dict[str, int]:
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
