"""How long candidates take, where they will run: whole runs of the model, in each of which a launch takes one of its candidates.

So the operands of a launch are as warm, and their contents as plausible, as in use; candidates take turns, so that a slow moment
of the machine hits all; and whoever is clearly slower soon gets no more turns.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import count
from time import monotonic

import numpy as np
import pyopencl as cl

from planish.runtime.errors import DeviceError
from planish.runtime.plan import Launch as Built
from planish.runtime.trials import Trials

from . import memory
from .emit import emit
from .lower import Launch, LoopStep, Schedule, Step
from .targets import Target

STAGES = ((3, 1.0), (3, 0.3), (6, 0.1), (12, 0.05), (24, 0.03))
"""Turns of each candidate that is left, and how much slower than the best one may be to be left for the next stage."""

Tries = Mapping[int, Sequence[int]]
"""Number of a launch, as `Schedule.walk` counts, -> candidates to measure, the best guess first."""


@dataclass
class Samples:
    """What was measured of one launch.

    Attributes:
        times: candidate -> microseconds of each of its turns; refused: candidates that the device does not take.
    """

    times: dict[int, list[float]] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)

    def time(self, candidate: int) -> float:
        """Microseconds: below three quarters of what was measured, for whatever else runs on the machine only ever adds to them."""
        times = sorted(self.times[candidate])
        return times[len(times) // 4]

    def faster(self, candidate: int, other: int, margin: float) -> bool:
        """Whether a candidate is clearly faster than another: at most moments, and at the best moment of each."""
        mine, theirs = ((self.time(c), min(self.times[c])) for c in (candidate, other))
        return all(a < b * (1 - margin) for a, b in zip(mine, theirs))

    def best(self) -> float:
        """Microseconds of the best candidate."""
        return min(map(self.time, self.times))


def measure(schedule: Schedule, target: Target, device: cl.Device, tries: Tries, until: Callable[[], float],
            programs: dict[str, cl.Program], built: Callable[[], None] = lambda: None) -> dict[int, Samples]:
    """Measures candidates of some launches, with noise as the model's inputs; all others run what they have chosen.

    Args:
        target: that of the device.
        until: called when all kernels are built; after the moment that it gives, by `time.monotonic`, no run begins but for the turns of
            the first stage.
        programs: kernels that are built already, by name; keeps those of the other launches.
        built: called when a kernel has been built.

    Raises:
        DeviceError: the device cannot run the model.
    """
    ways: list[tuple[int, int] | None] = []
    every = _every(schedule, tries, count(), ways)
    plan = emit(every, memory.assign(every, target.alignment), replace(target, megakernel=False))
    assert len(plan.steps) == len(ways), "a step of the plan for each of the schedule"
    numbers = {way: number for number, way in enumerate(ways) if way is not None}
    fixed = {number for (launch, _), number in numbers.items() if launch not in tries}
    rng = np.random.default_rng(0)
    inputs = [tensor.noise(rng) for tensor in plan.inputs]
    with closing(Trials(plan, device, programs, built)) as trials:
        found = {launch: Samples({c: [] for c in candidates}) for launch, candidates in tries.items()}
        for number in trials.refused:
            launch, candidate = ways[number] or (-1, -1)
            if launch not in found or len(found[launch].times) == 1:
                raise DeviceError(trials.refused[number])
            del found[launch].times[candidate]
            found[launch].refused.append(candidate)
        trials.time(inputs, {*fixed, *(numbers[launch, next(iter(samples.times))] for launch, samples in found.items())})
        for turns in _turns(found, until()):
            times = trials.time(inputs, {*fixed, *(numbers[turn] for turn in turns.items())})
            for launch, candidate in turns.items():
                if numbers[launch, candidate] in times:
                    found[launch].times[candidate].append(times[numbers[launch, candidate]])
    kept = {plan.kernels[step.kernel].name for number, step in enumerate(plan.steps) if number in fixed and isinstance(step, Built)}
    for name in programs.keys() - kept:
        del programs[name]
    return {launch: samples for launch, samples in found.items() if all(samples.times.values())}


def _every(schedule: Schedule, tries: Tries, numbers: Iterator[int], ways: list[tuple[int, int] | None]) -> Schedule:
    """The schedule with every candidate that is tried as a launch of its own, one behind the other.

    Args:
        ways: gets launch and candidate of each step of the result, in the order of its `walk`.
    """
    steps: list[Step] = []
    for step in schedule.launches:
        number = next(numbers)
        if isinstance(step, Launch):
            choices = tries.get(number, (step.choice,))
            steps += map(step.choose, choices)
            ways += [(number, choice) for choice in choices]
            continue
        ways.append(None)
        steps.append(LoopStep(step.site, _every(step.body, tries, numbers, ways)) if isinstance(step, LoopStep) else step)
    return Schedule(schedule.graph, tuple(steps))


def _turns(found: Mapping[int, Samples], until: float) -> Iterator[dict[int, int]]:
    """For each run, which candidate every launch takes. Each candidate that is left has its turns before any has more; the first
    guess, with which others are compared, is always left."""
    chance = random.Random(0)
    left = {launch: list(samples.times) for launch, samples in found.items()}
    for stage, (rounds, slack) in enumerate(STAGES):
        for _ in range(rounds):
            for run in range(max(map(len, left.values()))):
                if stage and monotonic() > until:
                    return
                yield {launch: candidates[run % len(candidates)] for launch, candidates in left.items()}
            for candidates in left.values():
                chance.shuffle(candidates)
        for launch, samples in found.items():
            if all(samples.times.values()):
                best = samples.best()
                left[launch] = [c for c in left[launch] if c == 0 or samples.time(c) <= best * (1 + slack)]
        if all(len(candidates) == 1 for candidates in left.values()):
            return
