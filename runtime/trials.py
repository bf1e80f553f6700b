"""Measuring one launch in many ways: a plan that holds all of them, of which each run takes some."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from itertools import count

import numpy as np
import pyopencl as cl

from .errors import DeviceError
from .host_call import Kept
from .plan import Kernel, Launch, Loop, Plan, Step
from .session import Arrays, Session
from .steps import Bound, Ready

TURNS = 4
"""Runs of a loop's body in a run of the plan, at most."""


class Trials(Session):
    """A plan in which several launches, one after another, store the same by different kernels.

    `run` runs all of them, or those that were timed last.

    Attributes:
        refused: number of a launch, as in `Plan.steps` -> why the device does not take it; it never runs.
    """

    def __init__(self, plan: Plan, device: cl.Device, programs: dict[str, cl.Program], built: Callable[[], None] = lambda: None):
        """Builds every kernel.

        Args:
            programs: kernels that are built already, by name; gets the others.
            built: called, in any thread, when one of these has been built or refused.

        Raises:
            DeviceError: the device cannot run the plan, whichever launches are taken.
        """
        self.refused: dict[int, str] = {}
        self._programs, self._built, self._numbers = programs, built, count()
        self._chosen: Collection[int] = range(len(plan.steps))
        self._events: list[tuple[int, cl.Event]] = []
        super().__init__(plan, device)
        self._timing_queue = cl.CommandQueue(self._context, properties=cl.command_queue_properties.PROFILING_ENABLE)

    def time(self, inputs: Arrays, chosen: Collection[int]) -> dict[int, float]:
        """Runs the plan once from its first states, of its launches only the `chosen`: one for all that is to be stored.

        Returns:
            Number of each launch that ran -> its microseconds by the device's clock; in a loop, the least.

        Raises:
            InputError, DeviceError: as `run`.
        """
        arrays = self._checked(inputs)
        with self._lock, self._refusals():
            queue = self._timing_queue
            for buffer, array in zip(self._open()["input"], arrays):
                if array.size:
                    cl.enqueue_copy(queue, buffer, array)
            if self._states:
                self._restore()
            self._chosen, self._events = chosen, []
            self._sequel(queue, {})
            queue.finish()
            times: dict[int, float] = {}
            for number, event in self._events:
                times[number] = min((event.profile.end - event.profile.start) / 1e3, times.get(number, np.inf))
            self._events = []
        return times

    def _build(self, kernel: Kernel) -> cl.Program:
        if kernel.name not in self._programs:
            try:
                self._programs[kernel.name] = super()._build(kernel)
            finally:
                self._built()
        return self._programs[kernel.name]

    def _ready(self, step: Step, plan: Plan, programs: Sequence[Future[cl.Program]]) -> Ready:
        number = next(self._numbers)
        if isinstance(step, Loop):
            most = TURNS if step.most is None else min(step.most, TURNS)
            return super()._ready(replace(step, most=most), plan, programs)
        if not isinstance(step, Launch):
            return super()._ready(step, plan, programs)
        try:
            bound = super()._ready(step, plan, programs)
        except DeviceError as error:
            self.refused[number] = str(error)
            return partial(self._launch, number, None)
        assert isinstance(bound, tuple)
        return partial(self._launch, number, bound)

    def _launch(self, number: int, bound: Bound | None, queue: cl.CommandQueue, kept: Kept) -> None:
        if bound is not None and number in self._chosen:
            self._events.append((number, cl.enqueue_nd_range_kernel(queue, *bound)))
