"""Which launches of a plan of half precision have to stay in float32, so that its outputs are what they should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import pyopencl as cl

from planish.runtime.plan import Plan
from planish.runtime.stepping import Stepper

from .. import memory
from ..bands import banded
from ..emit import emit
from ..errors import DifferenceError
from ..ir import Graph
from ..lower import Schedule, lower
from .deviation import Deviation, deviation
from .layers import Layer, compare
from .pair import Pair, matched
from .references import Arrays

Nodes = tuple[str, ...]
Watch = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """Attributes:
    kept: the nodes of each launch that stays in float32, the one that errs most first.
    worst: the deviation of the output that is then the farthest.
    trials: plans that were compiled and run.
    """

    kept: tuple[Nodes, ...]
    worst: Deviation
    trials: int

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(name for nodes in self.kept for name in nodes))


@dataclass
class Search:
    """The state of a search.

    Args:
        graph: laid out.
        inputs: what the plan is given; feed: what the graph is; expected: the outputs.
        watch: told what goes on.
    """

    pair: Pair
    graph: Graph
    device: cl.Device
    inputs: Mapping[str, np.ndarray]
    feed: Arrays
    expected: Mapping[str, np.ndarray]
    tolerance: float
    watch: Watch = lambda what: None
    known: dict[frozenset[Nodes], Deviation] = field(default_factory=dict)

    def find(self) -> Found:
        """Walks: keeps those launches in float32 that by themselves err by more than is tolerated; where none does, those that err most,
        1, 2, 4, … at a time; looks again. Then takes back, as long as the outputs stay within the tolerance: what a bisection finds at
        the end, and then each launch by itself.

        Raises:
            DifferenceError: float32 everywhere is not enough.
        """
        kept: list[Nodes] = []
        count = 1
        while not self._enough(kept):
            left = [layer for layer in self._layers(kept) if layer.nodes and layer.nodes not in kept]
            if not left:
                raise DifferenceError(f"with all launches in float32 the outputs still deviate by {self._worst(kept).relative:.2g} of the "
                                      f"largest magnitude; a tolerance above that would be accepted, not {self.tolerance:g}")
            left.sort(key=lambda layer: -layer.own.relative)
            beyond = [layer for layer in left if not layer.own.within(self.tolerance)]
            kept += dict.fromkeys(layer.nodes for layer in beyond or left[:count])
            count = count if beyond else 2 * count
        kept = kept[: self._shortest(kept)]
        for nodes in reversed(kept):
            fewer = [each for each in kept if each != nodes]
            if self._enough(fewer):
                kept = fewer
        return Found(tuple(kept), self._worst(kept), len(self.known))

    def _shortest(self, kept: Sequence[Nodes]) -> int:
        """How many of them, the first ones, are enough, if more always give less of an error."""
        low, high = 0, len(kept)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._enough(kept[:middle]) else (middle + 1, high)
        return high

    def _enough(self, kept: Sequence[Nodes]) -> bool:
        return self._worst(kept).within(self.tolerance)

    def _worst(self, kept: Sequence[Nodes]) -> Deviation:
        """Of the outputs, with some launches in float32."""
        key = frozenset(kept)
        if key not in self.known:
            self.watch(f"{len(key)} launches in float32")
            _, plan = self._compiled(kept)
            with closing(Stepper(plan, self.device)) as session:
                outputs = session.run(self.inputs)
            found = [deviation(array, self.expected[name]) for name, array in outputs.items()]
            self.known[key] = max(found, key=lambda d: d.relative, default=Deviation(0.0, 0.0))
        return self.known[key]

    def _layers(self, kept: Sequence[Nodes]) -> list[Layer]:
        schedule, plan = self._compiled(kept)
        self.watch(f"looking at each launch, {len(kept)} in float32")
        with closing(Stepper(plan, self.device)) as session:
            return list(compare(session, self.graph, matched(plan, schedule), self.feed, self.inputs).layers)

    def _compiled(self, kept: Sequence[Nodes]) -> tuple[Schedule, Plan]:
        """The launches, and the plan of them."""
        target = self.pair.target(self.device)
        names = {name for nodes in kept for name in nodes}
        schedule = lower(self.graph, target, self.pair.precision, names)
        chains = banded(schedule, target)
        plan = emit(chains, memory.assign(chains, target.alignment), target)
        return schedule, plan
