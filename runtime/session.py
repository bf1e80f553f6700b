"""Executing a plan: build its kernels, allocate its buffers, bind the arguments once; then only enqueue."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyopencl as cl

from . import cache
from .devices import Selector, find
from .errors import DeviceError, InputError, PlanError
from .plan import Argument, Plan, Tensor

Arrays = Mapping[str, np.ndarray] | Sequence[np.ndarray]


def load(path: str | Path, device: Selector = None) -> Session:
    """Reads a plan and makes it ready to run.

    Args:
        path: the plan's folder.
        device: as of `planish.runtime.devices.find`.

    Raises:
        PlanError: the plan is missing, damaged or of a newer version.
        DeviceError: no such device, or it cannot run the plan.
    """
    return Session(Plan.read(Path(path)), find(device))


class Session:
    """A plan on a device.

    Attributes:
        inputs, outputs: name, shape and dtype of each, in the model's order.
        device: the `pyopencl.Device` that runs it.
    """

    def __init__(self, plan: Plan, device: cl.Device):
        self.plan, self.device = plan, device
        self.inputs, self.outputs = plan.inputs, plan.outputs
        self._lock = threading.Lock()
        self._context = _context(device)
        self._queue = cl.CommandQueue(self._context)
        try:
            self._allocate()
            self._bind()
        except (cl.MemoryError, cl.LogicError, cl.RuntimeError) as error:
            raise DeviceError(f"{device.name.strip()} cannot hold the plan: {error}") from None

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Computes the outputs.

        Args:
            inputs: an array for each input, by name or in the model's order.

        Returns:
            The outputs by name, in the model's order; each call gives new arrays.

        Raises:
            InputError: a name, shape or dtype does not fit; says what is accepted.
        """
        arrays = self._checked(inputs)
        results = {t.name: np.empty(t.shape, t.dtype) for t in self.outputs}
        with self._lock:
            for buffer, array in zip(self._buffers["input"], arrays):
                if array.size:
                    cl.enqueue_copy(self._queue, buffer, array, is_blocking=False)
            self._enqueue(self._queue)
            for buffer, array in zip(self._buffers["output"], results.values()):
                if array.size:
                    cl.enqueue_copy(self._queue, array, buffer, is_blocking=False)
            self._queue.finish()
        return results

    def _enqueue(self, queue: cl.CommandQueue) -> None:
        for kernel, grid, group in self._launches:
            cl.enqueue_nd_range_kernel(queue, kernel, grid, group)

    def _checked(self, inputs: Arrays) -> list[np.ndarray]:
        """The inputs in the model's order, contiguous."""
        expected = ", ".join(f"{t.name} {t.dtype}{list(t.shape)}" for t in self.inputs)
        if isinstance(inputs, Mapping):
            unknown = [name for name in inputs if name not in {t.name for t in self.inputs}]
            missing = [t.name for t in self.inputs if t.name not in inputs]
            if unknown or missing:
                wrong = f"no input '{unknown[0]}'" if unknown else f"input '{missing[0]}' is missing"
                raise InputError(f"{wrong}; the inputs are: {expected}")
            given = [np.asarray(inputs[t.name]) for t in self.inputs]
        else:
            if len(inputs) != len(self.inputs):
                raise InputError(f"{len(inputs)} inputs given; there are {len(self.inputs)}: {expected}")
            given = [np.asarray(a) for a in inputs]
        for tensor, array in zip(self.inputs, given):
            _check(tensor, array)
        return [np.ascontiguousarray(a) for a in given]

    def _allocate(self) -> None:
        flags = cl.mem_flags
        weights = self.plan.weights
        self._buffers: dict[str, list[cl.Buffer]] = {
            "arena": [cl.Buffer(self._context, flags.READ_WRITE | flags.HOST_NO_ACCESS, max(self.plan.arena, 1))],
            "weights": [cl.Buffer(self._context, flags.READ_ONLY | flags.COPY_HOST_PTR, hostbuf=weights or b"\0")],
            "input": [cl.Buffer(self._context, flags.READ_WRITE, max(_nbytes(t), 1)) for t in self.inputs],
            "output": [cl.Buffer(self._context, flags.READ_WRITE, max(_nbytes(t), 1)) for t in self.outputs],
        }
        self._parts: dict[Argument, cl.Buffer] = {}

    def _bind(self) -> None:
        """One kernel object a launch, its arguments set; the buffers are kept, since OpenCL does not keep them."""
        sources = self.plan.kernels
        with ThreadPoolExecutor() as pool:
            programs = list(pool.map(lambda k: cache.build(self._context, self.device, k.name, k.source), sources))
        self._launches: list[tuple[cl.Kernel, tuple[int, ...], tuple[int, ...] | None]] = []
        limit = self.device.max_work_group_size
        for launch in self.plan.launches:
            if launch.group is not None and int(np.prod(launch.group)) > limit:
                raise DeviceError(f"{self.device.name.strip()} takes work-groups up to {limit}; {launch.variant} needs {launch.group}")
            kernel = cl.Kernel(programs[launch.kernel], sources[launch.kernel].name)
            kernel.set_args(*(self._part(a) for a in launch.arguments))
            self._launches.append((kernel, launch.grid, launch.group))

    def _part(self, argument: Argument) -> cl.Buffer:
        if argument not in self._parts:
            try:
                buffer = self._buffers[argument.buffer][argument.index]
            except (KeyError, IndexError):
                raise PlanError(f"the plan binds {argument.buffer} {argument.index}, which it does not have") from None
            whole = argument.offset == 0 and argument.nbytes >= buffer.size
            self._parts[argument] = buffer if whole else buffer.get_sub_region(argument.offset, argument.nbytes)
        return self._parts[argument]


def _check(tensor: Tensor, array: np.ndarray) -> None:
    if tuple(array.shape) != tensor.shape:
        raise InputError(f"input '{tensor.name}' has shape {list(array.shape)}; {list(tensor.shape)} is accepted")
    if array.dtype != np.dtype(tensor.dtype):
        raise InputError(f"input '{tensor.name}' has dtype {array.dtype}; {tensor.dtype} is accepted")


def _nbytes(tensor: Tensor) -> int:
    return int(np.prod(tensor.shape, dtype=np.int64)) * np.dtype(tensor.dtype).itemsize


@lru_cache
def _context(device: cl.Device) -> cl.Context:
    """One context a device, shared by all sessions of the process."""
    return cl.Context([device])
