"""Graph -> Schedule: the launches, in order, each with the kernels that could do it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from .ir import Graph, Node
from .kernel import Kernel, Site
from .passes.lay_out import is_view
from .targets import Target


@dataclass(frozen=True)
class Launch:
    """One kernel launch to be: a node, and its candidates, of which one is chosen.

    Attributes:
        candidates: best guess first; never empty.
        choice: index of the candidate to run.
    """

    site: Site
    candidates: tuple[Kernel, ...]
    choice: int = 0

    @property
    def kernel(self) -> Kernel:
        return self.candidates[self.choice]

    def choose(self, choice: int) -> Launch:
        return replace(self, choice=choice)


@dataclass(frozen=True)
class HostStep:
    """A node that runs on the host."""

    site: Site


@dataclass(frozen=True)
class LoopStep:
    """A node that the host drives, and what runs each time."""

    site: Site
    body: Schedule


@dataclass(frozen=True)
class Chain:
    """Launches that are computed band by band of rows, as one.

    Attributes:
        launches: each reads the image that the one before it stores; their kernels compute one tile an item.
        bands: of each band, from the top, the tiles of each launch.
        firsts: of each band, the first row of each image between two launches.
        rows: of each of these images, the rows that a worker keeps.
        workers: how many may compute bands at the same time: each has rows of its own.
    """

    launches: tuple[Launch, ...]
    bands: tuple[tuple[Rows, ...], ...]
    firsts: tuple[tuple[int, ...], ...]
    rows: tuple[int, ...]
    workers: int

    @property
    def images(self) -> int:
        """Images of a batch, each of which has all bands."""
        return self.launches[0].kernel.grid[2]


Rows = tuple[int, int]
"""The first, and the one behind the last; of tiles, too."""


Step: TypeAlias = Launch | HostStep | LoopStep | Chain


@dataclass(frozen=True)
class Schedule:
    """Everything that runs, in order, and the graph that it computes."""

    graph: Graph
    launches: tuple[Step, ...]

    def walk(self) -> Iterator[Step]:
        """Every step, and behind each loop those of its body."""
        for step in self.launches:
            yield step
            if isinstance(step, LoopStep):
                yield from step.body.walk()


def lower(graph: Graph, target: Target, precision: str = "f32", keep_f32: Collection[str] = ()) -> Schedule:
    """Names the kernels of every node that is more than a view, lets it run on the host, or lets the host drive it.

    Args:
        graph: laid out.
        precision: "f32", or "f16" for half-precision storage with float32 arithmetic.
        keep_f32: nodes of the model whose weights and results are stored in float32 all the same.
    """
    launches: list[Step] = []
    nodes = graph.nodes()
    single = _single(graph, nodes, frozenset(keep_f32)) if keep_f32 else frozenset()
    for node in nodes:
        site = Site(graph, node, target, precision, single)
        if node.op.host:
            launches.append(HostStep(site))
            continue
        if node.op.driven:
            launches.append(LoopStep(site, lower(node.op.body, target, precision, keep_f32)))
            continue
        if is_view(graph, node):
            continue
        if graph.type(node.output).size == 0:
            continue
        candidates = tuple(node.op.kernels(site))
        assert candidates, f"{node.name}: no kernel for {node.op}"
        launches.append(Launch(site, candidates))
    return Schedule(graph, tuple(launches))


def _single(graph: Graph, nodes: Sequence[Node], keep: frozenset[str]) -> frozenset[str]:
    """The values in whose buffers nodes to be kept store, and the compiler's own copies of these."""
    found: set[str] = set()
    while True:
        known = len(found)
        for node in nodes:
            copied = not node.sources and bool(node.inputs) and (graph.value(node.inputs[0]).home or node.inputs[0]) in found
            if copied or not keep.isdisjoint(node.sources):
                found.update(graph.value(v).home or v for v in node.outputs if v)
        if len(found) == known:
            return frozenset(found)
