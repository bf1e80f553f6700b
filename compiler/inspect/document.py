"""All that is told of a plan, and of the model that it was made of, as one document: JSON prints it, the page and the text show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from planish.runtime.plan import HostStep, Launch, Loop, Plan, Step
from planish.runtime.profile import Timing

from ..driver import Report
from ..ir import Graph
from ..lower import Chain, LoopStep, Schedule
from ..memory import Arena
from ..passes.rewrite import Event
from . import memory_map
from .graphs import Box, Picture
from .memory_map import Block
from .roofline import Point, Roof
from .sources import Sources


@dataclass
class Course:
    """What a compilation went through, as its stages tell.

    Attributes:
        report: what it told.
        before, after: the graph as imported, and as it runs.
        schedule, arena: of the graph as it runs.
        sources: of each name that a node had at some time, the nodes of the file that it stood for.
    """

    report: Report = field(default_factory=Report)
    before: Graph = field(default_factory=Graph)
    after: Graph = field(default_factory=Graph)
    schedule: Schedule | None = None
    arena: Arena | None = None
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def watch(self, stage: str, result: Graph | Schedule | Arena) -> None:
        """Takes what a stage gave; for `driver.compile_model`."""
        match result:
            case Schedule():
                self.schedule = result
            case Arena():
                self.arena = result
            case _:
                self.before, self.after = (result, result) if stage == "import" else (self.before, result)
                self.sources |= {node.name: node.sources for node in result.walk()}

    def events(self) -> list[tuple[str, Event]]:
        """What rules did and declined, each of those that decline again for the same reason once."""
        told: set[tuple[str, str, str]] = set()
        fresh = []
        for name, event in self.report.events:
            key = (event.rule, event.node, event.text)
            if event.fired or key not in told:
                fresh.append((name, event))
            told.add(key)
        return fresh


def document(plan: Plan, roof: Roof, *, device: str | None = None, timings: Sequence[Timing] = (),
             course: Course | None = None) -> dict[str, Any]:
    """The document.

    Args:
        device: where it was measured; None where it was not.
        timings: of all steps but those in loops, in order; none where it was not measured.
        course: of the compilation; None where there is only the plan.
    """
    sources = Sources(plan.kernels)
    times = {t.launch: t.microseconds for t in timings}
    steps = list(_numbered(plan.launches))
    launches = [_step(number, step, _point(step, roof, times.get(place) if "." not in number else None), plan, sources)
                for number, place, step in steps]
    blocks = memory_map.of_arena(course.arena, len(plan.launches)) if course and course.arena else memory_map.of_plan(plan)
    found = {
        "provenance": plan.provenance, "device": device, "inputs": [asdict(t) for t in plan.inputs],
        "outputs": [asdict(t) for t in plan.outputs], "limits": asdict(roof), "total": _total(launches, plan),
        "launches": launches, "memory": _memory(plan, blocks), "sources": sources.texts,
    }  # fmt: skip
    return found if course is None else {**found, **_told(course, launches)}


def _numbered(steps: Sequence[Step], within: str = "") -> Iterator[tuple[str, int, Step]]:
    """Every step with its number, 3.0 the first in a loop that is step 3, and its place among those around it."""
    for place, step in enumerate(steps):
        yield f"{within}{place}", place, step
        if isinstance(step, Loop):
            yield from _numbered(step.body, f"{within}{place}.")


def _point(step: Step, roof: Roof, microseconds: float | None) -> Point:
    flops, nbytes = (step.flops, step.nbytes) if isinstance(step, Launch) else (0, 0)
    return Point.under(roof, flops, nbytes, microseconds)


def _step(number: str, step: Step, point: Point, plan: Plan, sources: Sources) -> dict[str, Any]:
    """A launch, or what the host does or drives, which has no roof."""
    if not isinstance(step, Launch):
        where = "host" if isinstance(step, HostStep) else "driven"
        facts = {name: None for name, _ in point.facts()} | {"microseconds": point.microseconds}
        return {"number": number, "where": where, "variant": step.what, "reason": step.reason, "nodes": list(step.nodes), **facts}
    names = sources.of(step)
    return {
        "number": number, "where": "device", "variant": step.variant, "kernel": plan.kernels[step.kernel].name, "stage": step.stage,
        "nodes": list(step.nodes), "grid": list(step.grid), "group": step.group and list(step.group), **dict(point.facts()),
        "sources": list(names), "tile": [{"of": name, **asdict(p)} for name in names for p in sources.tile(name)],
    }  # fmt: skip


def _total(launches: Sequence[Mapping[str, Any]], plan: Plan) -> dict[str, Any]:
    """Sums; of what a loop runs each once."""
    device = [launch for launch in launches if launch["where"] == "device"]
    flops, nbytes = (sum(launch[name] for launch in device) for name in ("flops", "nbytes"))
    measured = [launch for launch in launches if launch["microseconds"] is not None]
    sums = {name: sum(launch[name] or 0 for launch in measured) if measured else None for name in ("microseconds", "gain")}
    return {"launches": len(device), "host": sum(launch["where"] == "host" for launch in launches), "kernels": len(plan.kernels),
            "flops": flops, "nbytes": nbytes, "intensity": flops / nbytes if nbytes else None,
            "least": sum(launch["least"] for launch in device), **sums, "weights": len(plan.weights)}  # fmt: skip


def _memory(plan: Plan, blocks: Sequence[Block]) -> dict[str, Any]:
    kept = memory_map.live(blocks, len(plan.launches))
    return {"arena": plan.arena, "live": kept, "most": max(kept, default=0), "blocks": [asdict(block) for block in blocks]}


def _told(course: Course, launches: list[dict[str, Any]]) -> dict[str, Any]:
    """What only a compilation can tell: the graphs, the rules; and of each launch its nodes and rules, which are added to it."""
    events = [{"pass": name, **asdict(event)} for name, event in course.events()]
    of_source: dict[str, list[int]] = {}
    for place, event in enumerate(events):
        for source in course.sources.get(str(event["node"]), ()):
            of_source.setdefault(source, []).append(place)
    for launch in launches:
        launch["rules"] = sorted({place for source in launch["nodes"] for place in of_source.get(source, ())})
    before, after = Picture.of(course.before), Picture.of(course.after)
    own = _owners(course.schedule) if course.schedule else {}
    graphs = {"before": _graph(before, _followed(before, after, own)), "after": _graph(after, [_own(box, own) for box in after.boxes])}
    report = course.report
    return {"nodes": {"before": report.nodes, "after": report.nodes_after}, "arena_bound": report.arena_bound, "seconds": report.seconds,
            "rules": events, "graphs": graphs}  # fmt: skip


def _owners(schedule: Schedule, within: str = "") -> dict[str, str]:
    """Node of the graph as it runs -> the number of its launch."""
    found: dict[str, str] = {}
    for place, step in enumerate(schedule.launches):
        number = f"{within}{place}"
        sites = [launch.site for launch in step.launches] if isinstance(step, Chain) else [step.site]
        found |= {site.node.name: number for site in sites}
        if isinstance(step, LoopStep):
            found |= _owners(step.body, f"{number}.")
    return found


def _own(box: Box, own: Mapping[str, str]) -> list[str]:
    return [own[box.name]] if box.kind == "node" and box.name in own else []


def _followed(before: Picture, after: Picture, own: Mapping[str, str]) -> list[list[str]]:
    """The launches of what became of each box: of the nodes for the same nodes of the file, those that compute its op, or, where none
    does, all; of one that only moved data, none then."""
    became: dict[str, list[Box]] = {}
    for box in after.nodes():
        for source in box.sources:
            became.setdefault(source, []).append(box)
    found = []
    for box in before.boxes:
        all_of = [a for source in box.sources for a in became.get(source, ())]
        alike = [a for a in all_of if box.computes[0] in a.computes] if box.computes else []
        heirs = alike or ([] if box.moves else all_of)
        found.append(list(dict.fromkeys(number for heir in heirs for number in _own(heir, own))))
    return found


def _graph(picture: Picture, launches: Sequence[list[str]]) -> dict[str, Any]:
    """As JSON has it: vertices, with the launches of each, and edges between their numbers."""
    return {
        "nodes": [{"kind": b.kind, "op": b.title, "name": b.name, "type": b.type, "steps": b.steps, "sources": list(b.sources),
                   "detail": b.detail, "launches": own} for b, own in zip(picture.boxes, launches)],
        "edges": [{"from": start, "to": end, "value": value} for start, end, value in picture.edges],
    }  # fmt: skip
