"""A step on the host, made ready: operands from the device, the function, results back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pyopencl as cl

from . import host
from .errors import PlanError
from .plan import HostStep, Operand

Kept = dict[tuple[str, int], np.ndarray]
"""The arrays of open shape that a run has made so far, by buffer and index."""
Fetch = Callable[[Kept], np.ndarray | None]


class HostCall:
    """Computes a step; constants are read once."""

    def __init__(self, step: HostStep, queue: cl.CommandQueue, buffers: dict[str, list[cl.Buffer]],
                 weights: bytes | bytearray | memoryview):  # fmt: skip
        self.step = step
        self._queue, self._buffers = queue, buffers
        self._fetches = [self._fetch(operand, weights) for operand in step.inputs]

    def __call__(self, kept: Kept) -> None:
        """Waits for the queue, which is in order, and computes; results of open shape go to `kept`.

        Raises:
            PlanError: the operands or the results are not what the plan says.
        """
        operands = [fetch(kept) for fetch in self._fetches]
        try:
            with np.errstate(all="ignore"):
                results = host.FUNCTIONS[self.step.host].call(*operands, **self.step.attributes)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise PlanError(f"host step {self.step.host} for {', '.join(self.step.nodes)} does not fit its operands: {error}") from None
        for operand, result in zip(self.step.outputs, results):
            self._store(operand, result, kept)

    def _fetch(self, operand: Operand | None, weights: bytes | bytearray | memoryview) -> Fetch:
        """How to get an operand during a run."""
        if operand is None:
            return lambda kept: None
        place = operand.place
        if operand.open:
            return lambda kept: kept[place.buffer, place.index]
        if place.buffer == "weights":
            data = memoryview(weights)[place.offset : place.offset + place.nbytes]
            array = np.frombuffer(data, operand.storage).reshape(operand.shape).astype(operand.dtype, copy=False)
            return lambda kept: array
        return partial(self._read, operand)

    def _read(self, operand: Operand, kept: Kept) -> np.ndarray:
        array = np.empty(operand.shape, operand.storage)
        if array.size:
            place = operand.place
            cl.enqueue_copy(self._queue, array, self._buffers[place.buffer][place.index], src_offset=place.offset)
        return array.astype(operand.dtype, copy=False)

    def _store(self, operand: Operand, result: np.ndarray, kept: Kept) -> None:
        place, shape = operand.place, tuple(operand.shape)
        fits = result.ndim == len(shape) and all(extent in (-1, found) for extent, found in zip(shape, result.shape))
        if not fits or result.dtype != np.dtype(operand.dtype):
            given, said = f"{result.dtype}{list(result.shape)}", f"{operand.dtype}{list(shape)}"
            raise PlanError(f"host step {self.step.host} gives {given} where the plan says {said}")
        if operand.open:
            kept[place.buffer, place.index] = result
        elif result.size:
            stored = np.ascontiguousarray(result.astype(operand.storage, copy=False))
            cl.enqueue_copy(self._queue, self._buffers[place.buffer][place.index], stored, dst_offset=place.offset)
