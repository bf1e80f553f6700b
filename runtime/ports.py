"""Inputs and outputs of a session: buffers, and where host and device share memory, arrays that are these buffers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeGuard

import numpy as np
import pyopencl as cl

from .errors import InputError
from .given import Data
from .lending import LEAST, Lender
from .plan import Tensor

ALIGNMENT = 128
"""Bytes: of the widest type of OpenCL C, the most that a device has to align shared memory to."""


@dataclass
class Port:
    """An input or an output.

    Attributes:
        buffer: what kernels read or write, but for what is lent.
        shared: an array on the same memory; None where host and device share none.
        lender: of an output whose results are lent.
        aim: then tells the kernel where a run stores.
    """

    tensor: Tensor
    buffer: cl.Buffer
    shared: np.ndarray | None
    lender: Lender | None = None
    aim: Callable[[cl.Buffer], None] | None = None
    _aimed: bool = False

    def fresh(self) -> np.ndarray:
        """A new array for the output of the next run; from here on that run stores in it, where it is lent."""
        if self.lender is None or self.aim is None:
            return np.empty((0,) if self.tensor.open else self.tensor.shape, self.tensor.dtype)
        buffer, array = self.lender.lend()
        self.aim(buffer)
        self._aimed = True
        return array

    def own(self) -> None:
        """From here on runs store in the port's own buffer."""
        if self._aimed and self.aim:
            self.aim(self.buffer)
            self._aimed = False

    @cached_property
    def array(self) -> np.ndarray:
        """That array; in place of none, one of its own."""
        return np.zeros(self.tensor.shape, self.tensor.dtype) if self.shared is None else self.shared

    def direct(self, data: Data) -> TypeGuard[np.ndarray]:
        """Whether the host itself reads or writes the memory of the port, as it may while no kernel runs."""
        return self.shared is not None and isinstance(data, np.ndarray)

    def fill(self, data: np.ndarray) -> None:
        """Copies to the shared memory, at once."""
        if data is not self.shared:
            self.array[...] = data

    def drain(self, data: np.ndarray) -> None:
        """Copies from the shared memory, at once, what is not there already."""
        if data is not self.shared and not self._aimed:
            data[...] = self.array

    def enqueue_in(self, queue: cl.CommandQueue, data: Data) -> list[cl.Event]:
        """Enqueues the copy to the port, if there is something to copy. The array is contiguous, and lives until that is done."""
        if data is self.shared or not self.tensor.nbytes:
            return []
        if isinstance(data, cl.Buffer):
            return [cl.enqueue_copy(queue, self.buffer, data, byte_count=self.tensor.nbytes)]
        return [cl.enqueue_copy(queue, self.buffer, data, is_blocking=False)]

    def enqueue_out(self, queue: cl.CommandQueue, data: Data) -> list[cl.Event]:
        """Enqueues the copy from the port, if there is something to copy."""
        if data is self.shared or self._aimed or not self.tensor.nbytes:
            return []
        if isinstance(data, cl.Buffer):
            return [cl.enqueue_copy(queue, data, self.buffer, byte_count=self.tensor.nbytes)]
        return [cl.enqueue_copy(queue, data, self.buffer, is_blocking=False)]


def untangled(ports: Sequence[Port], sources: Sequence[Data]) -> list[Data]:
    """What inputs are filled from; copied where it lies in the memory of another input, which may be filled first."""
    if len(ports) < 2:
        return list(sources)
    return [source.copy() if isinstance(source, np.ndarray) and _other(ports, port, source) else source
            for port, source in zip(ports, sources)]  # fmt: skip


def check_targets(ports: Sequence[Port], targets: Iterable[Data | None]) -> None:
    """Checks that no output goes to the memory of another one.

    Raises:
        InputError: one does.
    """
    for port, target in zip(ports, targets):
        other = _other(ports, port, target) if isinstance(target, np.ndarray) else None
        if other:
            raise InputError(f"output '{port.tensor.name}' cannot go to the array of output '{other.tensor.name}', which every run fills")


def _other(ports: Sequence[Port], port: Port, array: np.ndarray) -> Port | None:
    """Another port in whose memory an array lies."""
    tangled = (p for p in ports if p is not port and p.shared is not None and np.may_share_memory(p.shared, array))
    return next(tangled, None)


def port(context: cl.Context, device: cl.Device, tensor: Tensor) -> Port:
    """Allocates; in memory that host and device share where the device has such."""
    flags = cl.mem_flags
    if not tensor.nbytes or not shares_memory(device):
        return Port(tensor, cl.Buffer(context, flags.READ_WRITE, max(tensor.nbytes, 1)), None)
    return Port(tensor, *shared_memory(context, tensor))


def shared_memory(context: cl.Context, tensor: Tensor) -> tuple[cl.Buffer, np.ndarray]:
    """Allocates a buffer in memory that host and device share, and the array on it."""
    flags = cl.mem_flags
    fine = cl.svm_mem_flags.READ_WRITE | cl.svm_mem_flags.SVM_FINE_GRAIN_BUFFER
    shared = cl.svm_empty(context, fine, tensor.shape, np.dtype(tensor.dtype), alignment=ALIGNMENT)  # type: ignore[arg-type]  # flags are ints
    return cl.Buffer(context, flags.READ_WRITE | flags.USE_HOST_PTR, hostbuf=shared), shared


def lend(context: cl.Context, outputs: Sequence[Port], aim: Callable[[int, cl.Buffer], None]) -> None:
    """Lets runs store large outputs in memory that is given away.

    Args:
        aim: binds another buffer to an output, by its number.
    """
    for k, each in enumerate(outputs):
        if each.shared is not None and each.tensor.nbytes >= LEAST:
            each.lender, each.aim = Lender(partial(shared_memory, context, each.tensor)), partial(aim, k)


def shares_memory(device: cl.Device) -> bool:
    """Whether arrays in shared memory can be read and written between runs without telling the driver: a CPU or an integrated
    device with fine-grained sharing. Elsewhere such memory lies behind a bus, and copies are faster.
    """
    try:
        return bool(device.host_unified_memory and device.svm_capabilities & cl.device_svm_capabilities.FINE_GRAIN_BUFFER)
    except cl.Error:  # before OpenCL 2.0 there is no such question
        return False
