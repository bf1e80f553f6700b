"""Measuring one launch in many ways: a plan that holds all of them, of which each run takes some."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from itertools import count
from typing import ClassVar

import numpy as np
import pyopencl as cl

from .binding import Binder, Memory
from .command_buffer import Bound
from .errors import DeviceError
from .given import Inputs
from .host_call import Kept
from .plan import Kernel, Launch, Loop, Plan, Step
from .session import Session
from .steps import Ready

TURNS = 4
"""Runs of a loop's body in a run of the plan, at most."""


class Trials(Session):
    """A plan in which several launches, one after another, store the same by different kernels.

    `run` runs all of them, or those that were timed last.

    Attributes:
        refused: number of a launch, as in `Plan.steps` -> why the device does not take it; it never runs.
    """

    _timed: ClassVar[bool] = True

    def __init__(self, plan: Plan, device: cl.Device, programs: dict[str, cl.Program], built: Callable[[], None] = lambda: None):
        """Builds every kernel.

        Args:
            programs: kernels that are built already, by name; gets the others.
            built: called, in any thread, when one of these has been built or refused.

        Raises:
            DeviceError: the device cannot run the plan, whichever launches are taken.
        """
        self._programs, self._built = programs, built
        self._stage = _Stage(range(len(plan.steps)))
        super().__init__(plan, device)

    @property
    def refused(self) -> dict[int, str]:
        return self._stage.refused

    def time(self, inputs: Inputs, chosen: Collection[int]) -> dict[int, float]:
        """Runs the plan once from its first states, of its launches only the `chosen`: one for all that is to be stored.

        Returns:
            Number of each launch that ran -> its microseconds by the device's clock; in a loop, the least.

        Raises:
            InputError, DeviceError: as `run`.
        """
        with self._turn() as memory:
            sources = self._sources(memory, inputs)
            self._rest()
            copies = [event for port, source in zip(memory.inputs, sources) for event in port.enqueue_in(self.queue, source)]
            if self._states:
                self._restore()
            self._stage.chosen, self._stage.events = chosen, []
            self._sequel({})
            self.queue.finish()
            del copies
            times: dict[int, float] = {}
            for number, event in self._stage.events:
                times[number] = min((event.profile.end - event.profile.start) / 1e3, times.get(number, np.inf))
            self._stage.events = []
        return times

    def _bind(self, plan: Plan, memory: Memory) -> Binder:
        return _TrialBinder(self.queue, plan, memory, self._programs, self._built, self._stage)


class _Stage:
    """What runs, and what ran."""

    def __init__(self, chosen: Collection[int]):
        self.chosen = chosen
        self.refused: dict[int, str] = {}
        self.events: list[tuple[int, cl.Event]] = []


class _TrialBinder(Binder):
    """Launches that run only when they are chosen, and those that cannot, never."""

    def __init__(self, queue: cl.CommandQueue, plan: Plan, memory: Memory, programs: dict[str, cl.Program], built: Callable[[], None],
                 stage: _Stage):
        self._known, self._built, self._stage, self._numbers = programs, built, stage, count()
        self._failed: dict[str, str] = {}
        super().__init__(queue, plan, memory.buffers)

    def _build(self, kernel: Kernel) -> cl.Program:
        """The program; one that is not built of a kernel that cannot be."""
        if kernel.name not in self._known:
            try:
                self._known[kernel.name] = super()._build(kernel)
            except DeviceError as error:
                self._failed[kernel.name] = str(error)
                return cl.Program(self._queue.context, kernel.source)
            finally:
                self._built()
        return self._known[kernel.name]

    def _ready(self, step: Step) -> Ready:
        number = next(self._numbers)
        if isinstance(step, Loop):
            return super()._ready(replace(step, most=TURNS if step.most is None else min(step.most, TURNS)))
        if not isinstance(step, Launch):
            return super()._ready(step)
        why = self._failed.get(self._plan.kernels[step.kernel].name)
        try:
            bound = None if why else super()._ready(step)
        except DeviceError as error:
            bound, why = None, str(error)
        if why:
            self._stage.refused[number] = why
        assert bound is None or isinstance(bound, tuple)
        return partial(self._launch, number, bound)

    def _launch(self, number: int, bound: Bound | None, kept: Kept) -> None:
        if bound is not None and number in self._stage.chosen:
            self._stage.events.append((number, cl.enqueue_nd_range_kernel(self._queue, *bound)))
