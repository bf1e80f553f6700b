"""The pipeline, top to bottom."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from planish.runtime import plan as plan_format
from planish.runtime.plan import Plan

from . import frontend, memory, passes, targets, text, tune
from .bands import banded
from .emit import emit
from .errors import OptionError, UnsupportedError, blaming
from .frontend.inputs import InputOptions, Shape
from .ir import MOST_ELEMENTS, Graph
from .lower import HostStep, Launch, LoopStep, Schedule, lower
from .memory import Arena
from .passes import Pass
from .passes.rewrite import Event, describe
from .targets import Target
from .tune import Tuned, Tuning

Progress = Callable[[str], None]
"""Called with the name of each stage as it begins."""

Watch = Callable[[str, "Graph | Schedule | Arena"], None]
"""Called with the name of a stage, and the graph, the schedule or the arena that it gave."""

PRECISIONS = ("f32", "f16")


@dataclass
class Report:
    """What happened on the way, for the summary and for `--explain`.

    Attributes:
        nodes: in the graph as imported; nodes_after: as the last stage left it.
        sources: the names, in the file, of the nodes of the graph as imported.
        launches, kernels: in the plan; host: its steps on the host.
        weights, arena: bytes; arena_bound: bytes below which no arena can be.
        tuned: what came of tuning; None where that was not asked for.
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
    tuned: Tuned | None = None
    events: list[tuple[str, Event]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """The last that was finished."""
        return list(self.seconds)[-1]


def compile_model(path: str | Path, target: Target | str = "auto", *, precision: str = "f32", keep_f32: Collection[str] = (),
                  input_shapes: Mapping[str, Shape] | None = None, input_values: Mapping[str, np.ndarray] | None = None,
                  dims: Mapping[str, int] | None = None, batch: int | None = None, recorded_shapes: bool = False,
                  content: bytes | None = None, host: bool = True, tuning: Tuning | None = None,
                  dump_ir: Path | None = None, stop_after: str | None = None,
                  progress: Progress = lambda stage: None,
                  watch: Watch = lambda stage, result: None) -> tuple[Plan | None, Report]:
    """Compiles a model file.

    Args:
        target: or its name; "auto" is that of the best device present.
        precision: "f32", or "f16": intermediates and weights in half precision, arithmetic in float32.
        keep_f32: of "f16", the nodes of the model whose weights and results stay in float32.
        input_shapes, input_values, dims, batch: what is given of the model's inputs, as of `InputOptions`; needed where it leaves
            dimensions open, and where inputs decide shapes.
        recorded_shapes: where a TFLite file leaves dimensions open, those that are not given have the extents recorded beside that, which
            LiteRT takes, too.
        content: of the file, where it is at hand; `path` then only says what it is called, and beside what further files lie.
        host: whether nodes without kernels may run on the host, in numpy.
        tuning: chooses kernels by measurements on a device, which is the target, if that is given by name; None: by the cost model alone.
        dump_ir: a folder for the graph's text after every stage.
        stop_after: "import" or a pass; the plan is None then.
        progress: called with the name of each stage as it begins.
        watch: called with the graph of import and of each pass, the schedule of "lower", and the arena of "place".

    Raises:
        CompileError: the model or an option is not accepted.
        DeviceError: the target is "auto", and there is no device.
    """
    _check_options(precision, keep_f32, stop_after)
    target = _target(target, tuning)
    report = Report()
    clock = _Clock(report, progress)

    clock.start("import")
    data = frontend.read(Path(path)) if content is None else content
    given = InputOptions(input_shapes or {}, input_values or {}, dims or {}, batch, recorded_shapes)
    graph = frontend.parse(data, Path(path), given)
    clock.stop()
    report.nodes = report.nodes_after = sum(1 for _ in graph.walk())
    report.sources = tuple(dict.fromkeys(source for node in graph.walk() for source in node.sources))
    _check_nodes(str(path), keep_f32, report.sources)
    _dump(dump_ir, 0, "import", graph)
    watch("import", graph)
    if stop_after == "import":
        return None, report

    def passed(number: int, name: str, graph: Graph, events: list[Event]) -> None:
        clock.stop()
        report.nodes_after = sum(1 for _ in graph.walk())
        report.events += [(name, e) for e in events]
        _dump(dump_ir, number, name, graph)
        watch(name, graph)
        if name != stop_after:
            clock.start([*passes.NAMES, "lower"][number])

    clock.start(passes.NAMES[0])
    with blaming(path):
        graph = passes.run(graph, target, watch=passed, stop_after=stop_after)
    if stop_after:
        return None, report

    schedule = lower(graph, target, precision, keep_f32)
    report.events += [("lower", event) for event in _hosted(schedule)]
    if not host:
        _check_host(str(path), schedule)
    _check_extents(str(path), schedule)
    if tuning:
        clock.start("tune")
        schedule, report.tuned = tune.tune(schedule, target, tuning)
        report.events += [("tune", event) for event in _chosen(report.tuned)]
    clock.start("place")
    schedule = banded(schedule, target)
    watch("lower", schedule)
    arena = memory.assign(schedule, target.alignment)
    watch("place", arena)
    clock.start("render")
    with blaming(path):
        plan = emit(schedule, arena, target)
    kept = {"keep_f32": sorted(set(keep_f32))} if keep_f32 else {}
    plan = replace(plan, provenance={**_provenance(Path(path), data, target), "precision": precision, **kept})
    clock.stop()
    report.host = len(plan.host_steps)
    report.launches = sum(isinstance(step, plan_format.Launch) for step in plan.steps)
    report.kernels, report.weights = len(plan.kernels), len(plan.weights)
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
    schedule = banded(lower(passes.run(graph, target, pipeline=pipeline), target, precision), target)
    return emit(schedule, memory.assign(schedule, target.alignment), target)


def _check_options(precision: str, keep_f32: Collection[str], stop_after: str | None) -> None:
    if precision not in PRECISIONS:
        raise OptionError(f"no precision '{precision}'; one of {', '.join(PRECISIONS)}")
    if keep_f32 and precision != "f16":
        raise OptionError(f"--keep-f32 is for --precision f16; with {precision} nothing is stored in half precision: leave it out")
    if stop_after not in (None, "import", *passes.NAMES):
        raise OptionError(f"no pass '{stop_after}' to stop after; one of import, {', '.join(passes.NAMES)}")


def _target(target: Target | str, tuning: Tuning | None) -> Target:
    if isinstance(target, Target):
        return target
    if tuning and target != "auto":
        raise OptionError(f"target '{target}': tuning is for that of its device; 'auto' would be accepted")
    return targets.of_present(tuning.device) if tuning else targets.resolve(target, None)


def _provenance(path: Path, data: bytes, target: Target) -> dict[str, Any]:
    return {"compiler": f"planish {version('planish')}", "source": path.name, "source_sha256": hashlib.sha256(data).hexdigest(),
            "target": target.name, "lanes": target.lanes, **({} if target.winograd else {"winograd": False})}


def _check_nodes(path: str, names: Collection[str], known: Sequence[str]) -> None:
    """Refuses names that no node of the model has."""
    unknown = sorted(set(names).difference(known))
    if unknown:
        near = get_close_matches(unknown[0], known, 3, 0) or ["(none)"]
        raise OptionError(f"{path}: no node '{unknown[0]}' to keep in float32; the nearest are {', '.join(map(repr, near))}, and "
                          "planish compile --check lists all")


def _check_extents(path: str, schedule: Schedule) -> None:
    """Kernels count elements with an int: refuses nodes whose operands or results have more, where they lie, than it holds."""
    refused: list[tuple[str, str, str]] = []
    for launch in schedule.walk():
        if not isinstance(launch, Launch):
            continue
        node = launch.site.node
        for view in map(launch.site.view, (*node.operands, *node.outputs)):
            if view.layout.span(view.shape) > MOST_ELEMENTS:
                reason = f"'{view.value}' of {view.type} takes more than {MOST_ELEMENTS} elements; smaller ones would be accepted"
                refused.append((node.name, describe(node.op), reason))
    if refused:
        raise UnsupportedError(path, refused)


def _hosted(schedule: Schedule) -> list[Event]:
    """What the host computes, and what it drives."""
    steps = [step for step in schedule.walk() if isinstance(step, HostStep | LoopStep)]
    return [Event("drive" if isinstance(step, LoopStep) else "host", step.site.node.name, describe(step.site.op), False,
                  f"{'is driven by' if isinstance(step, LoopStep) else 'runs on'} the host: {step.site.op.reason}") for step in steps]


def _check_host(path: str, schedule: Schedule) -> None:
    """Refuses nodes that run on the host, and loops whose rows it gathers; launches that it only drives run on the device."""
    refused = [(e.node, e.op, e.text) for e in _hosted(schedule) if e.rule == "host"]
    for step in schedule.walk():
        if isinstance(step, LoopStep) and step.body.graph.external_outputs:
            refused.append((step.site.node.name, describe(step.site.op), "the host gathers its scan outputs: their length depends on data"))
    if refused:
        raise UnsupportedError(path, [(node, op, f"{text}; without --no-host it would be accepted") for node, op, text in refused])


def _chosen(tuned: Tuned) -> list[Event]:
    """The launches for which measurements choose another kernel than the cost model, and those that were not measured."""
    events = []
    for c in tuned.choices:
        if c.chosen != c.guess:
            node = c.launch.site.node
            told = f"{c.chosen}, {c.microseconds:.1f} us; the cost model's {c.guess} takes {c.guessed:.1f}"
            events.append(Event("choose", node.name, describe(node.op), True, told))
    return [*events, *(Event("choose", launch.site.node.name, describe(launch.site.op), False, "not measured on this device")
                       for launch in tuned.unknown)]


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


def _dump(folder: Path | None, number: int, name: str, graph: Graph) -> None:
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:02}-{name}.txt").write_text(text.dump(graph), encoding="utf-8")
    except OSError as error:
        raise OptionError(f"cannot dump the graph to {folder}: {error.strerror or error}") from None


__all__ = ["PRECISIONS", "Report", "Tuning", "compile_graph", "compile_model", "emit"]
