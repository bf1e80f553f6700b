"""Schedule, Arena -> Plan: kernels rendered, buffers resolved, weights packed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Set
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from planish.runtime import plan as plan_format
from planish.runtime.plan import Argument, Plan, Recorded

from . import memory, render
from .ir import Graph
from .kernel import Scratch, Site
from .lower import Chain, HostStep, Launch, LoopStep, Schedule, Step
from .megakernel import MOST_BUFFERS, Megakernel, chain_variant, joins
from .memory import Arena
from .render import Packed
from .targets import Target


def emit(schedule: Schedule, arena: Arena, target: Target) -> Plan:
    """The plan of a schedule whose kernels are chosen and whose buffers are placed."""
    graph = schedule.graph
    states, inputs, outputs = list(graph.states), graph.external_inputs, graph.external_outputs
    named = (("state", states), ("input", inputs), ("output", outputs.values()))
    external = {v: Argument(kind, k, 0, graph.type(v).nbytes) for kind, values in reversed(named) for k, v in enumerate(values)}
    buffers = {"input": len(inputs), "output": len(outputs), "state": len(states)}
    joining = (isinstance(step, Chain) or (isinstance(step, Launch) and joins(step.kernel)) for step in schedule.walk())
    joined = target.megakernel and sum(buffers.values()) <= MOST_BUFFERS and any(joining)
    emission = _Emission(_Blob(target.alignment), Megakernel(target.lanes, target.units, buffers) if joined else None)
    launches = emission.steps(schedule, _Places(graph, arena, 0, external, emission.kept))
    return Plan(
        inputs=tuple(_tensor(graph, "input", name, name) for name in inputs),
        outputs=tuple(_tensor(graph, "output", name, value) for name, value in outputs.items()),
        signatures=tuple(s for s in graph.signatures if {*s.inputs.values()} <= {*inputs}),
        states=tuple(_state(graph, name, emission.weights) for name in states),
        kernels=emission.kernels, launches=launches,
        arena=arena.nbytes, alignment=target.alignment, weights=emission.weights.data,
    )


@dataclass
class _Places:
    """Where the values of a graph lie.

    Attributes:
        start: of its arena, in that of the plan.
        given: the buffers of what is not in its arena; the host's arrays of open shape among them, as they are made.
        kept: counts those that are no outputs.
    """

    graph: Graph
    arena: Arena
    start: int
    given: dict[str, Argument]
    kept: Iterator[int]

    def buffer(self, value: str) -> Argument:
        """The buffer in which a computed value lies."""
        root = memory.home(self.graph, value)
        if root in self.given:
            return self.given[root]
        return Argument("arena", 0, self.start + self.arena.offsets[root], self.arena.sizes[root])

    def scratch(self, launch: Launch) -> Argument:
        """What a launch has for itself while it runs."""
        return Argument("arena", 0, self.start + self.arena.scratch[launch.site.node.name], launch.kernel.scratch)

    def open(self, value: str) -> Argument:
        """What the host keeps of a value of open shape."""
        if value not in self.given:
            self.given[value] = Argument("host", next(self.kept), 0, 0)
        return replace(self.given[value], nbytes=0)


@dataclass
class _Emission:
    """What all graphs of a plan share.

    Attributes:
        joined: of the launches that one kernel computes, which is the plan's first; None where each has its own.
        own: the other kernels, in the order of their first launches; numbers: theirs among these, by name.
        kept: counts the host's arrays.
    """

    weights: _Blob
    joined: Megakernel | None
    own: list[plan_format.Kernel] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    kept: Iterator[int] = field(default_factory=count)

    @property
    def kernels(self) -> tuple[plan_format.Kernel, ...]:
        return (*([self.joined.kernel()] if self.joined else ()), *self.own)

    def steps(self, schedule: Schedule, places: _Places) -> tuple[plan_format.Step, ...]:
        apart = _read_apart(schedule)
        return tuple(self._step(step, places, apart) for step in schedule.launches)

    def _step(self, step: Step, places: _Places, apart: Set[str]) -> plan_format.Step:
        match step:
            case HostStep():
                return self._host_step(step.site, places)
            case LoopStep():
                return self._loop(step, places)
            case Chain():
                return self._chain(step, places)
        return self._launch(step, places, step.site.node.output in apart)

    def _launch(self, launch: Launch, places: _Places, apart: bool) -> plan_format.Launch:
        kernel, joined = launch.kernel, self.joined if joins(launch.kernel) else None
        rendered = render.source(launch.site, kernel, stage=joined is not None)
        arguments = tuple(self._argument(launch, o, places) for o in rendered.operands)
        if joined:
            number, stage = 0, joined.add(rendered, kernel, arguments, apart=apart)
        else:
            if rendered.name not in self.numbers:
                self.numbers[rendered.name] = len(self.own)
                self.own.append(plan_format.Kernel(rendered.name, rendered.text))
            number, stage = self.numbers[rendered.name] + (self.joined is not None), None
        return plan_format.Launch(number, kernel.grid, kernel.group, arguments, launch.site.node.sources, kernel.flops, kernel.nbytes,
                                  kernel.variant(), stage)

    def _chain(self, chain: Chain, places: _Places) -> plan_format.Launch:
        """Launches that are computed band by band, as one."""
        assert self.joined, "a kernel for all launches"
        rendered = [render.source(launch.site, launch.kernel, stage=True) for launch in chain.launches]
        arguments = [tuple(self._argument(launch, o, places) for o in r.operands) for launch, r in zip(chain.launches, rendered)]
        stage = self.joined.add_chain(rendered, chain, arguments)
        kernels = [launch.kernel for launch in chain.launches]
        distinct = tuple(dict.fromkeys(a for each in reversed(arguments) for a in reversed(each)))[::-1]  # the result stays the last
        between = sum(2 * launch.site.output.nbytes for launch in chain.launches[:-1])
        return plan_format.Launch(
            0, (len(chain.bands) * chain.images,), (1,), distinct,
            tuple(dict.fromkeys(source for launch in chain.launches for source in launch.site.node.sources)),
            sum(k.flops for k in kernels), sum(k.nbytes for k in kernels) - between, chain_variant(chain), stage)

    def _argument(self, launch: Launch, operand: str | Packed | Scratch, places: _Places) -> Argument:
        match operand:
            case Packed():
                place = self.weights.add(operand.pack.make().astype(operand.storage, copy=False))
                return replace(place, image=operand.storage.name if operand.image else "")
            case Scratch():
                return places.scratch(launch)
            case _:
                return places.buffer(operand)

    def _host_step(self, site: Site, places: _Places) -> plan_format.HostStep:
        """A node that runs on the host, as the plan has it."""
        node = site.node
        return plan_format.HostStep(node.op.host, node.op.attributes(),
                                    tuple(self._operand(site, places, v) if v else None for v in node.inputs),
                                    tuple(self._operand(site, places, v) for v in node.outputs), node.sources, node.op.reason)

    def _operand(self, site: Site, places: _Places, name: str) -> plan_format.Operand:
        """A value that the host reads or writes."""
        view, data = site.view(name), places.graph.constant(name)
        if view.type.open:
            place = places.open(name)
        elif data is not None:
            place = replace(self.weights.add(data.astype(view.storage, copy=False)), nbytes=view.nbytes)
        else:
            buffer = places.buffer(name)
            place = replace(buffer, offset=buffer.offset + view.layout.offset * view.storage.itemsize, nbytes=view.nbytes)
        return plan_format.Operand(place, _shape(places.graph, name), view.type.dtype.name, view.storage.name)

    def _loop(self, step: LoopStep, outer: _Places) -> plan_format.Loop:
        """A loop; its body sees its operands where they lie, and changes what it carries there."""
        node, body, carried = step.site.node, step.body.graph, step.site.op.carried
        seen = (*node.outputs[:carried], *node.inputs[carried:])
        start, arena = outer.arena.bodies[node.name]
        given = {own: self._seen(outer, value) for own, value in zip(body.inputs, seen)}
        inner = _Places(body, arena, outer.start + start, given, self.kept)
        steps = self.steps(step.body, inner)
        rows = tuple(
            plan_format.Row(replace(inner.buffer(row), nbytes=body.type(row).nbytes), self._operand(step.site, outer, stacked))
            for row, stacked in zip(body.external_outputs.values(), node.outputs[carried:]))
        condition = replace(outer.buffer(node.outputs[0]), nbytes=1)
        return plan_format.Loop(condition, step.site.op.most, steps, rows, node.sources, step.site.op.reason)

    def _seen(self, outer: _Places, value: str) -> Argument:
        """Where the body of a loop finds a value of the graph around it."""
        data = outer.graph.constant(value)
        return outer.buffer(value) if data is None else self.weights.add(data)


def _read_apart(schedule: Schedule) -> Set[str]:
    """The values of which each reader takes the channels one by one."""
    readers = {step.site.node.name: step.site.node.inputs[0] for step in schedule.launches
               if isinstance(step, Launch) and step.kernel.channelwise}
    return {v for v in readers.values() if all(readers.get(node.name) == v for node in schedule.graph.consumers(v))}


@dataclass
class _Blob:
    """Arrays one after another, equal ones once."""

    alignment: int
    data: bytearray = field(default_factory=bytearray)
    _seen: dict[bytes, Argument] = field(default_factory=dict)

    def add(self, array: np.ndarray) -> Argument:
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        key = hashlib.sha256(raw).digest()
        if key not in self._seen:
            self.data += bytes(-len(self.data) % self.alignment)
            self._seen[key] = Argument("weights", 0, len(self.data), max(len(raw), 1))
            self.data += raw
        return self._seen[key]


def _shape(graph: Graph, value: str) -> tuple[int, ...]:
    """A shape as the plan has it, -1 for what depends on data."""
    type = graph.type(value)
    return tuple(-1 if d in type.open else e for d, e in enumerate(type.shape))


def _tensor(graph: Graph, kind: str, name: str, value: str) -> plan_format.Tensor:
    recorded = graph.recorded.get((kind, name), Recorded())
    return plan_format.Tensor(name, _shape(graph, value), graph.type(value).dtype.name, recorded)


def _state(graph: Graph, name: str, weights: _Blob) -> plan_format.State:
    initial = graph.states[name].initial
    start = replace(weights.add(initial), nbytes=initial.nbytes) if initial.any() else None
    return plan_format.State(name, initial.nbytes, start)
