"""The launches of a schedule that have a choice, those that are alike together, and schedules with other choices."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from .lower import Launch, LoopStep, Schedule, Step
from .passes.rewrite import describe
from .render import source


@dataclass
class Alike:
    """Launches that have the same candidates.

    Attributes:
        launch: the first of them.
        names: of its candidates: what tells it from others at sight, and a hash of all that makes its time.
        numbers: of all of them, as `Schedule.walk` counts.
    """

    launch: Launch
    names: tuple[str, ...]
    numbers: list[int] = field(default_factory=list)

    @property
    def cost(self) -> float:
        """Predicted microseconds of all of them."""
        return self.launch.candidates[0].cost * len(self.numbers)

    def __str__(self) -> str:
        site = self.launch.site
        operands = ", ".join(str(site.graph.type(v)) for v in site.node.inputs if v)
        return f"{describe(site.op)} {operands} -> {site.output.type}"


def distinct(schedule: Schedule) -> dict[str, Alike]:
    """The launches that have a choice, by a key that is the same, in whatever model, where the kernels of all candidates are.

    In the order of the schedule. Names of a model never reach its kernels, and in which order the cost model ranks them does not matter.
    """
    found: dict[str, Alike] = {}
    for number, launch in enumerate(schedule.walk()):
        if not isinstance(launch, Launch) or len(launch.candidates) < 2:
            continue
        kernels = [(source(launch.site, k).text, k.grid, k.group) for k in launch.candidates]
        hashes = [hashlib.sha256(repr(kernel).encode()).hexdigest() for kernel in kernels]
        key = hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest()[:16]
        names = tuple(f"{k.variant()} #{digest[:8]}" for k, digest in zip(launch.candidates, hashes))
        found.setdefault(key, Alike(launch, names)).numbers.append(number)
    return found


def chosen(schedule: Schedule, choices: Mapping[int, int]) -> Schedule:
    """The schedule in which some launches choose other candidates.

    Args:
        choices: number of the launch, as `Schedule.walk` counts -> candidate.
    """
    return _chosen(schedule, choices, iter(range(sum(1 for _ in schedule.walk()))))


def _chosen(schedule: Schedule, choices: Mapping[int, int], numbers: Iterator[int]) -> Schedule:
    steps: list[Step] = []
    for step in schedule.launches:
        number = next(numbers)
        if isinstance(step, Launch):
            steps.append(step.choose(choices.get(number, step.choice)))
        elif isinstance(step, LoopStep):
            steps.append(replace(step, body=_chosen(step.body, choices, numbers)))
        else:
            steps.append(step)
    return Schedule(schedule.graph, tuple(steps))
