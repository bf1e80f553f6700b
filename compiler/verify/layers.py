"""What each launch of a plan leaves, beside what numpy makes of the same nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planish.runtime.plan import HostStep, Launch
from planish.runtime.stepping import Left, Stepper

from ..errors import OptionError
from ..ir import Graph, evaluate_node
from .deviation import Deviation, deviation
from .pair import Match
from .references import Arrays, start


@dataclass(frozen=True)
class Layer:
    """A launch, and one value that it leaves.

    Attributes:
        launch: its number in the plan; variant: template and tile; nodes: of the model.
        error: from the reference of the whole graph, so what earlier launches did is in it.
        own: from the reference of its nodes on the operands that it had: what it did itself.
    """

    launch: int
    variant: str
    nodes: tuple[str, ...]
    value: str
    error: Deviation
    own: Deviation


@dataclass(frozen=True)
class Layers:
    """Attributes:
    outputs: of the graph as the plan computes it, by numpy.
    """

    layers: tuple[Layer, ...]
    outputs: dict[str, np.ndarray]

    def jump(self, tolerance: float) -> Layer | None:
        """The first launch that by itself errs by more than is tolerated."""
        return next((layer for layer in self.layers if not layer.own.within(tolerance)), None)


def compare(session: Stepper, graph: Graph, matches: Sequence[Match], feed: Arrays, inputs: Mapping[str, np.ndarray],
            watch: Callable[[float], None] = lambda done: None) -> Layers:
    """Runs a plan launch by launch, and the graph that it computes by numpy, twice: on what numpy computes, and on what launches leave.

    Images within a chain of launches are not looked at: they exist a band at a time. What a chain errs shows in its result.

    Args:
        graph: laid out; matches: of the plan with it.
        feed: what the graph is given; inputs: what the plan is.
        watch: called with the share that is done.
    """
    ends = {match.sites[-1].node.name: (number, match) for number, match in enumerate(matches)}
    expected = {value.name: value.data for value in graph.values() if value.data is not None} | start(graph, feed)
    actual, layers = dict(expected), []
    run = session.steps(inputs)
    for node in graph.nodes():
        with np.errstate(all="ignore"):
            expected.update(zip(node.outputs, evaluate_node(node, expected)))
            alone = dict(zip(node.outputs, evaluate_node(node, actual)))
        if node.name not in ends:
            actual.update(alone)
            continue
        number, match = ends[node.name]
        for name, array in _left(next(run), match).items():
            error, own = (deviation(array, by[name]) for by in (expected, alone))
            layers.append(Layer(number, match.variant, match.step.nodes, name, error, own))
            actual[name] = array
        watch((number + 1) / len(matches))
    for _ in run:
        pass
    return Layers(tuple(layers), {name: expected[value] for name, value in graph.external_outputs.items()})


def _left(left: Left, found: Match) -> dict[str, np.ndarray]:
    """The results of a launch, by the names of the values."""
    site = found.sites[-1]
    match found.step:
        case HostStep(outputs=outputs):
            return {name: left.operand(operand) for name, operand in zip(site.node.outputs, outputs) if name}
        case Launch(arguments=arguments):
            view, place = site.output, arguments[-1]
            buffer = left.bytes(place)
            if view.layout.span(view.shape) * view.storage.itemsize > buffer.size:
                raise OptionError(f"the plan has {place.nbytes} bytes for '{view.value}', less than it would now; compile the model again")
            stored = buffer[: buffer.size // view.storage.itemsize * view.storage.itemsize].view(view.storage)
            return {view.value: view.layout.unpack(stored, view.shape).astype(view.type.dtype)}
    raise AssertionError("a plan with loops is refused before")
