"""Steps of a plan, made ready, and how they run: launches are enqueued, and between them the host computes or decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
import pyopencl as cl

from .command_buffer import Bound, Recording, offered
from .host_call import Kept
from .plan import Argument, Loop
from .stages import Stage, joined

Call: TypeAlias = Callable[[Kept], None]
"""What the host does, or drives, given the arrays that it keeps during a run."""
Ready: TypeAlias = "Bound | Stage | Call"


class Sequel:
    """Steps in a queue, one after another."""

    def __init__(self, queue: cl.CommandQueue, steps: Sequence[Ready]):
        """Records launches that follow one another, where the device replays recordings."""
        runs: list[tuple[list[Bound | Stage], Call | None]] = [([], None)]
        for step in steps:
            launches, _ = runs[-1]
            if isinstance(step, tuple | Stage):
                launches.append(step)
            else:
                runs[-1:] = [(launches, step), ([], None)]
        self._runs = [(_enqueuer(queue, joined(launches)), call) for launches, call in runs]

    def __call__(self, kept: Kept) -> None:
        """Enqueues launches, and waits only where the host needs what they store."""
        for enqueue, call in self._runs:
            enqueue()
            if call:
                call(kept)


def _enqueuer(queue: cl.CommandQueue, launches: Sequence[Bound]) -> Callable[[], None]:
    if len(launches) > 1 and offered(queue.device):
        return Recording(queue, launches)
    return partial(_enqueue, queue, launches)


def _enqueue(queue: cl.CommandQueue, launches: Sequence[Bound]) -> None:
    for launch in launches:
        cl.enqueue_nd_range_kernel(queue, *launch)


class LoopCall:
    """Runs the body of a loop while its condition holds."""

    def __init__(self, loop: Loop, queue: cl.CommandQueue, body: Sequence[Ready], buffers: dict[str, list[cl.Buffer]]):
        self.loop = loop
        self._queue, self._body, self._buffers = queue, Sequel(queue, body), buffers

    def __call__(self, kept: Kept) -> None:
        """Waits for the queue, which is in order, before each run; the rows of all runs go to `kept`."""
        left: list[list[np.ndarray]] = []
        while len(left) != self.loop.most and self._holds():
            self._body(dict(kept))
            left.append([self._read(row.place, np.empty(row.stacked.shape[1:], row.stacked.dtype)) for row in self.loop.rows])
        for k, row in enumerate(self.loop.rows):
            operand = row.stacked
            stacked = np.array([rows[k] for rows in left], operand.dtype).reshape(len(left), *operand.shape[1:])
            kept[operand.place.buffer, operand.place.index] = stacked

    def _holds(self) -> bool:
        return bool(self._read(self.loop.condition, np.empty(1, np.uint8))[0])

    def _read(self, place: Argument, array: np.ndarray) -> np.ndarray:
        if array.size:
            cl.enqueue_copy(self._queue, array, self._buffers[place.buffer][place.index], src_offset=place.offset)
        return array
