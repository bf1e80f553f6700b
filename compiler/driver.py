"""The pipeline, top to bottom."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np

from planish.runtime import plan as plan_format
from planish.runtime.plan import Plan

from . import frontend, memory, passes, render, targets, text
from .errors import OptionError, UnsupportedError
from .frontend.inputs import MOST_ELEMENTS, InputOptions, Shape
from .ir import Graph
from .lower import HostStep, Schedule, lower
from .memory import Arena
from .passes import Pass
from .passes.rewrite import Event, describe
from .render import Packed, Source
from .targets import Target

Progress = Callable[[str], None]
"""Called with the name of each stage as it begins."""

PRECISIONS = ("f32", "f16")


@dataclass
class Report:
    """What happened on the way, for the summary and for `--explain`.

    Attributes:
        nodes: in the graph as imported; nodes_after: as the last stage left it.
        sources: the names, in the file, of the nodes of the graph as imported.
        launches, kernels: in the plan; host: its steps on the host.
        weights, arena: bytes; arena_bound: bytes below which no arena can be.
        events: (pass, what a rule of it did or declined), in order.
        seconds: by stage, in order.
    """

    nodes: int = 0
    nodes_after: int = 0
    sources: tuple[str, ...] = ()
    launches: int = 0
    kernels: int = 0
    host: int = 0
    weights: int = 0
    arena: int = 0
    arena_bound: int = 0
    events: list[tuple[str, Event]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """The last that was finished."""
        return list(self.seconds)[-1]


def compile_model(path: str | Path, target: Target | str = "auto", *, precision: str = "f32",
                  input_shapes: Mapping[str, Shape] | None = None, input_values: Mapping[str, np.ndarray] | None = None,
                  dims: Mapping[str, int] | None = None, batch: int | None = None, host: bool = True, dump_ir: Path | None = None,
                  stop_after: str | None = None, progress: Progress = lambda stage: None) -> tuple[Plan | None, Report]:
    """Compiles a model file.

    Args:
        target: or its name; "auto" is that of the best device present.
        precision: "f32", or "f16": intermediates and weights in half precision, arithmetic in float32.
        input_shapes, input_values, dims, batch: what is given of the model's inputs, as of `InputOptions`; needed where it leaves
            dimensions open, and where inputs decide shapes.
        host: whether nodes without kernels may run on the host, in numpy.
        dump_ir: a folder for the graph's text after every stage.
        stop_after: "import" or a pass; the plan is None then.
        progress: called with the name of each stage as it begins.

    Raises:
        CompileError: the model or an option is not accepted.
        DeviceError: the target is "auto", and there is no device.
    """
    if precision not in PRECISIONS:
        raise OptionError(f"no precision '{precision}'; one of {', '.join(PRECISIONS)}")
    if stop_after not in (None, "import", *passes.NAMES):
        raise OptionError(f"no pass '{stop_after}' to stop after; one of import, {', '.join(passes.NAMES)}")
    if isinstance(target, str):
        target = targets.resolve(target, None)
    report = Report()
    clock = _Clock(report, progress)

    clock.start("import")
    data = frontend.read(Path(path))
    graph = frontend.parse(data, Path(path), InputOptions(input_shapes or {}, input_values or {}, dims or {}, batch))
    clock.stop()
    report.nodes = report.nodes_after = len(graph)
    report.sources = tuple(dict.fromkeys(source for node in graph.nodes() for source in node.sources))
    _dump(dump_ir, 0, "import", graph)
    if stop_after == "import":
        return None, report

    def watch(number: int, name: str, graph: Graph, events: list[Event]) -> None:
        clock.stop()
        report.nodes_after = len(graph)
        report.events += [(name, e) for e in events]
        _dump(dump_ir, number, name, graph)
        if name != stop_after:
            clock.start([*passes.NAMES, "lower"][number])

    clock.start(passes.NAMES[0])
    graph = passes.run(graph, target, watch=watch, stop_after=stop_after)
    if stop_after:
        return None, report

    schedule = lower(graph, target, precision)
    report.events += [("lower", _hosted(step)) for step in schedule.host_steps]
    if not host:
        _check_host(str(path), schedule)
    _check_extents(str(path), schedule)
    clock.start("place")
    arena = memory.assign(schedule, target.alignment)
    clock.start("render")
    provenance = {"compiler": f"planish {version('planish')}", "source": Path(path).name, "source_sha256": hashlib.sha256(data).hexdigest(),
                  "target": target.name, "lanes": target.lanes, "precision": precision}
    plan = replace(emit(schedule, arena, target), provenance=provenance)
    clock.stop()
    report.host = len(plan.host_steps)
    report.launches, report.kernels, report.weights = len(plan.launches) - report.host, len(plan.kernels), len(plan.weights)
    report.arena, report.arena_bound = arena.nbytes, arena.lower_bound
    return plan, report


def compile_graph(graph: Graph, target: Target, *, precision: str = "f32", pipeline: Sequence[Pass] = passes.PIPELINE) -> Plan:
    """Compiles a graph that is in memory.

    Args:
        precision: as of `compile_model`.
        pipeline: the passes to run; the last one has to be the layout, without which no kernel knows where its operands lie.

    Raises:
        GraphError: the graph, or what a pass made of it, breaks the rules.
    """
    schedule = lower(passes.run(graph, target, pipeline=pipeline), target, precision)
    return emit(schedule, memory.assign(schedule, target.alignment), target)


def _check_extents(path: str, schedule: Schedule) -> None:
    """Kernels count elements with an int: refuses nodes whose operands or results have more, where they lie, than it holds."""
    refused: list[tuple[str, str, str]] = []
    for launch in schedule.launches:
        if isinstance(launch, HostStep):
            continue
        node = launch.site.node
        for view in map(launch.site.view, (*node.operands, *node.outputs)):
            if view.layout.span(view.shape) > MOST_ELEMENTS:
                reason = f"'{view.value}' of {view.type} takes more than {MOST_ELEMENTS} elements; smaller ones would be accepted"
                refused.append((node.name, describe(node.op), reason))
    if refused:
        raise UnsupportedError(path, refused)


def _hosted(step: HostStep) -> Event:
    node = step.site.node
    return Event("host", node.name, describe(node.op), False, f"runs on the host: {node.op.reason}")


def _check_host(path: str, schedule: Schedule) -> None:
    """Refuses nodes that run on the host."""
    events = [_hosted(step) for step in schedule.host_steps]
    if events:
        raise UnsupportedError(path, [(e.node, e.op, f"{e.text}; without --no-host it would be accepted") for e in events])


def emit(schedule: Schedule, arena: Arena, target: Target) -> Plan:
    """The plan of a schedule whose kernels are chosen and whose buffers are placed."""
    graph = schedule.graph
    weights = _Blob(target.alignment)
    kernels: dict[str, int] = {}
    sources: list[plan_format.Kernel] = []
    launches: list[plan_format.Launch | plan_format.HostStep] = []
    kept: dict[str, int] = {}
    for launch in schedule.launches:
        if isinstance(launch, HostStep):
            launches.append(_host_step(launch, arena, weights, kept))
            continue
        rendered: Source = render.source(launch.site, launch.kernel)
        if rendered.name not in kernels:
            kernels[rendered.name] = len(sources)
            sources.append(plan_format.Kernel(rendered.name, rendered.text))
        arguments = []
        for operand in rendered.operands:
            if isinstance(operand, Packed):
                arguments.append(weights.add(operand.pack.make().astype(operand.storage, copy=False)))
                continue
            arguments.append(_buffer(graph, arena, operand))
        kernel = launch.kernel
        launches.append(plan_format.Launch(kernels[rendered.name], kernel.grid, kernel.group, tuple(arguments),
                                           launch.site.node.sources, kernel.flops, kernel.nbytes, kernel.variant()))
    return Plan(
        inputs=tuple(_tensor(graph, name, name) for name in graph.external_inputs),
        outputs=tuple(_tensor(graph, name, value) for name, value in graph.external_outputs.items()),
        states=tuple(_state(graph, name, weights) for name in graph.states),
        kernels=tuple(sources), launches=tuple(launches), arena=arena.nbytes, alignment=target.alignment, weights=weights.data,
    )


def _buffer(graph: Graph, arena: Arena, value: str) -> plan_format.Argument:
    """The buffer in which a value lies."""
    root = memory.home(graph, value)
    outputs = list(graph.external_outputs.values())
    if root in graph.states:
        return plan_format.Argument("state", list(graph.states).index(root), 0, graph.type(root).nbytes)
    if root in graph.inputs:
        return plan_format.Argument("input", graph.external_inputs.index(root), 0, graph.type(root).nbytes)
    if root in outputs:
        return plan_format.Argument("output", outputs.index(root), 0, graph.type(root).nbytes)
    return plan_format.Argument("arena", 0, arena.offsets[root], arena.sizes[root])


def _host_step(step: HostStep, arena: Arena, weights: _Blob, kept: dict[str, int]) -> plan_format.HostStep:
    """A node that runs on the host, as the plan has it.

    Args:
        kept: the number of each value of open shape so far that is not an output; this step's are added.
    """
    site, graph = step.site, step.site.graph
    outputs = list(graph.external_outputs.values())

    def operand(name: str) -> plan_format.Operand:
        view = site.view(name)
        shape = tuple(-1 if d in view.type.open else e for d, e in enumerate(view.shape))
        data = graph.constant(name)
        if view.type.open:
            index = outputs.index(name) if name in outputs else kept.setdefault(name, len(kept))
            place = plan_format.Argument("output" if name in outputs else "host", index, 0, 0)
        elif data is not None:
            place = replace(weights.add(data.astype(view.storage, copy=False)), nbytes=view.nbytes)
        else:
            buffer = _buffer(graph, arena, name)
            place = replace(buffer, offset=buffer.offset + view.layout.offset * view.storage.itemsize, nbytes=view.nbytes)
        return plan_format.Operand(place, shape, view.type.dtype.name, view.storage.name)

    node = site.node
    return plan_format.HostStep(node.op.host, node.op.attributes(), tuple(operand(v) if v else None for v in node.inputs),
                                tuple(map(operand, node.outputs)), node.sources, node.op.reason)


class _Blob:
    """Arrays one after another, equal ones once."""

    def __init__(self, alignment: int):
        self.alignment, self.data = alignment, bytearray()
        self._seen: dict[bytes, plan_format.Argument] = {}

    def add(self, array: np.ndarray) -> plan_format.Argument:
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        key = hashlib.sha256(raw).digest()
        if key not in self._seen:
            self.data += bytes(-len(self.data) % self.alignment)
            self._seen[key] = plan_format.Argument("weights", 0, len(self.data), max(len(raw), 1))
            self.data += raw
        return self._seen[key]


class _Clock:
    def __init__(self, report: Report, progress: Progress):
        self.report, self.progress = report, progress
        self.stage, self.since = "", 0.0

    def start(self, stage: str) -> None:
        self.stop()
        self.stage, self.since = stage, perf_counter()
        self.progress(stage)

    def stop(self) -> None:
        if self.stage:
            self.report.seconds[self.stage] = self.report.seconds.get(self.stage, 0.0) + perf_counter() - self.since
        self.stage = ""


def _tensor(graph: Graph, name: str, value: str) -> plan_format.Tensor:
    type = graph.type(value)
    return plan_format.Tensor(name, tuple(-1 if d in type.open else e for d, e in enumerate(type.shape)), type.dtype.name)


def _state(graph: Graph, name: str, weights: _Blob) -> plan_format.State:
    initial = graph.states[name].initial
    start = replace(weights.add(initial), nbytes=initial.nbytes) if initial.any() else None
    return plan_format.State(name, initial.nbytes, start)


def _dump(folder: Path | None, number: int, name: str, graph: Graph) -> None:
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:02}-{name}.txt").write_text(text.dump(graph), encoding="utf-8")
    except OSError as error:
        raise OptionError(f"cannot dump the graph to {folder}: {error.strerror or error}") from None


__all__ = ["PRECISIONS", "Report", "compile_graph", "compile_model", "emit"]
