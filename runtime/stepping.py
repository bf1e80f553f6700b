"""Running a plan launch by launch, to look at what each leaves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyopencl as cl

from .given import Inputs
from .host_call import Kept
from .plan import Argument, Operand
from .session import Session
from .stages import Stage


class Left:
    """What a run has left so far."""

    def __init__(self, queue: cl.CommandQueue, buffers: dict[str, list[cl.Buffer]]):
        self.kept: Kept = {}
        self._queue, self._buffers = queue, buffers

    def bytes(self, place: Argument) -> np.ndarray:
        """The bytes of a place, by way of a buffer that the host may read."""
        found = np.empty(place.nbytes, np.uint8)
        if place.nbytes:
            seen = cl.Buffer(self._queue.context, cl.mem_flags.READ_WRITE, place.nbytes)
            cl.enqueue_copy(self._queue, seen, self._buffers[place.buffer][place.index], byte_count=place.nbytes, src_offset=place.offset)
            cl.enqueue_copy(self._queue, found, seen)
        return found

    def operand(self, operand: Operand) -> np.ndarray:
        """The array of an operand or a result of a step on the host."""
        if operand.open:
            return self.kept[operand.place.buffer, operand.place.index]
        return self.bytes(operand.place).view(operand.storage).reshape(operand.shape).astype(operand.dtype)


class Stepper(Session):
    """A plan whose launches run one at a time."""

    def steps(self, inputs: Inputs) -> Iterator[Left]:
        """Runs the plan once from its first states, and yields behind each of `Plan.launches`. Nothing else may use the session until
        the end.

        Raises:
            InputError, DeviceError: as `run`.
        """
        with self._turn() as memory:
            sources = self._sources(memory, inputs)
            self._restore()
            events = [event for port, source in zip(memory.inputs, sources) for event in port.enqueue_in(self.queue, source)]
            left = Left(self.queue, memory.buffers)
            for ready in self._ready:
                alone = ready.alone if isinstance(ready, Stage) else ready
                if isinstance(alone, tuple):
                    cl.enqueue_nd_range_kernel(self.queue, *alone)
                else:
                    alone(left.kept)
                self.queue.finish()
                yield left
            del events
            self._restore()
