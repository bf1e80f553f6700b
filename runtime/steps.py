"""Steps of a plan, made ready, and how they run: launches are enqueued, and between them the host computes or decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pyopencl as cl

from .host_call import Kept
from .plan import Argument, Loop

Bound: TypeAlias = tuple[cl.Kernel, tuple[int, ...], tuple[int, ...] | None]
"""A kernel whose arguments are set, its grid and its work-group."""
Call: TypeAlias = Callable[[cl.CommandQueue, Kept], None]
"""What the host does, or drives: it is given the queue, which is in order, and the arrays that it keeps during a run."""
Ready: TypeAlias = "Bound | Call"


class Sequel:
    """Steps, one after another."""

    def __init__(self, steps: Sequence[Ready]):
        self._runs: list[tuple[list[Bound], Call | None]] = [([], None)]
        for step in steps:
            bounds, _ = self._runs[-1]
            if isinstance(step, tuple):
                bounds.append(step)
            else:
                self._runs[-1:] = [(bounds, step), ([], None)]

    def __call__(self, queue: cl.CommandQueue, kept: Kept) -> None:
        """Enqueues launches, and waits only where the host needs what they store."""
        for bounds, call in self._runs:
            for bound in bounds:
                cl.enqueue_nd_range_kernel(queue, *bound)
            if call:
                call(queue, kept)


class LoopCall:
    """Runs the body of a loop while its condition holds."""

    def __init__(self, loop: Loop, body: Sequence[Ready], buffers: dict[str, list[cl.Buffer]]):
        self.loop = loop
        self._body, self._buffers = Sequel(body), buffers

    def __call__(self, queue: cl.CommandQueue, kept: Kept) -> None:
        """Waits for the queue, which is in order, before each run; the rows of all runs go to `kept`."""
        left: list[list[np.ndarray]] = []
        while len(left) != self.loop.most and self._holds(queue):
            self._body(queue, dict(kept))
            left.append([self._read(queue, row.place, np.empty(row.stacked.shape[1:], row.stacked.dtype)) for row in self.loop.rows])
        for k, row in enumerate(self.loop.rows):
            operand = row.stacked
            stacked = np.array([rows[k] for rows in left], operand.dtype).reshape(len(left), *operand.shape[1:])
            kept[operand.place.buffer, operand.place.index] = stacked

    def _holds(self, queue: cl.CommandQueue) -> bool:
        return bool(self._read(queue, self.loop.condition, np.empty(1, np.uint8))[0])

    def _read(self, queue: cl.CommandQueue, place: Argument, array: np.ndarray) -> np.ndarray:
        if array.size:
            cl.enqueue_copy(queue, array, self._buffers[place.buffer][place.index], src_offset=place.offset)
        return array
