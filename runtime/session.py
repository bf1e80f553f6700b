"""Executing a plan: build its kernels, allocate its buffers, bind the arguments once; then only enqueue."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import numpy as np
import pyopencl as cl

from . import cache, profile
from .devices import Selector, find
from .errors import DeviceError, InputError, PlanError
from .host_call import HostCall, Kept
from .plan import Argument, HostStep, Kernel, Launch, Loop, Plan, Step, Tensor
from .profile import Timing
from .steps import LoopCall, Ready, Sequel

Arrays = Mapping[str, np.ndarray] | Sequence[np.ndarray]
DOUBLE = re.compile(r"\bdouble[0-9]*\b")
"""Of double precision, in the text of a kernel."""


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
    """A plan on a device. It may be used by several threads, one at a time, and as a context that closes it.

    Attributes:
        inputs, outputs: name, shape and dtype of each, in the model's order; -1 is a dimension of an output that depends on data.
        device: the `pyopencl.Device` that runs it.
    """

    def __init__(self, plan: Plan, device: cl.Device):
        """Builds the plan's kernels, or loads their binaries, and allocates its buffers.

        Raises:
            DeviceError: the device cannot run the plan.
            PlanError: a launch does not fit its kernel.
        """
        self.device = device
        self.inputs, self.outputs = plan.inputs, plan.outputs
        self._launches, self._names = plan.launches, [k.name for k in plan.kernels]
        self._lock = threading.Lock()
        with self._refusals():
            self._context = _context(device)
            self._queue = cl.CommandQueue(self._context)
            self._buffers: dict[str, list[cl.Buffer]] | None = self._allocate(plan)
            self._parts: dict[Argument, cl.Buffer] = {}
            self._bound = self._bind(plan)
            self._states = plan.states
            self._restore()
        self._sequel = Sequel(self._bound)

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Computes the outputs, from the inputs and from what the run before left in the model's states.

        Args:
            inputs: an array for each input, by name or in the model's order.

        Returns:
            The outputs by name, in the model's order; each call gives new arrays.

        Raises:
            InputError: a name, shape or dtype does not fit; says what is accepted.
            DeviceError: the device failed, or the session is closed.
        """
        arrays = self._checked(inputs)
        results = {t.name: np.empty((0,) if t.open else t.shape, t.dtype) for t in self.outputs}
        kept: Kept = {}
        with self._lock, self._refusals():
            buffers = self._open()
            events: list[cl.Event] = []  # pyopencl waits for a transfer when its event goes: they all stay to the end
            try:
                for buffer, array in zip(buffers["input"], arrays):
                    if array.size:
                        events.append(cl.enqueue_copy(self._queue, buffer, array, is_blocking=False))
                self._sequel(self._queue, kept)
                for buffer, array in zip(buffers["output"], results.values()):
                    if array.size:
                        events.append(cl.enqueue_copy(self._queue, array, buffer, is_blocking=False))
            finally:
                self._queue.finish()
        for index, tensor in enumerate(self.outputs):
            if tensor.open:
                results[tensor.name] = np.array(kept["output", index])
        return results

    def reset(self) -> None:
        """Gives the model's states the contents that they had before the first run.

        Raises:
            DeviceError: the device failed, or the session is closed.
        """
        with self._lock, self._refusals():
            self._open()
            self._restore()

    def _restore(self) -> None:
        buffers = self._open()
        for state, buffer in zip(self._states, buffers["state"]):
            if state.initial is None:
                cl.enqueue_fill_buffer(self._queue, buffer, np.zeros(1, np.uint8), 0, max(state.nbytes, 1))
            else:
                cl.enqueue_copy(self._queue, buffer, buffers["weights"][0], byte_count=state.nbytes, src_offset=state.initial.offset)
        self._queue.finish()

    def profile(self, inputs: Arrays, repeat: int = 20) -> list[Timing]:
        """Times every launch by the device's clock, the least of `repeat` runs. The model's states are reset.

        Raises:
            InputError, DeviceError: as `run`.
        """
        arrays = self._checked(inputs)
        with self._lock, self._refusals():
            buffers = self._open()
            queue = cl.CommandQueue(self._context, properties=cl.command_queue_properties.PROFILING_ENABLE)
            for buffer, array in zip(buffers["input"], arrays):
                if array.size:
                    cl.enqueue_copy(queue, buffer, array)
            times = profile.measure(queue, self._bound, repeat)
            self._restore()
        return [self._timing(number, launch, time) for number, (launch, time) in enumerate(zip(self._launches, times))]

    def _timing(self, number: int, launch: Step, time: float) -> Timing:
        if not isinstance(launch, Launch):
            return Timing(number, launch.what, "host" if isinstance(launch, HostStep) else launch.what, launch.nodes, time, 0, 0)
        return Timing(number, self._names[launch.kernel], launch.variant, launch.nodes, time, launch.flops, launch.nbytes)

    def close(self) -> None:
        """Frees the device's memory; a closed session runs no more. Closing twice is fine."""
        with self._lock:
            self._bound, self._sequel, self._parts, self._buffers = [], Sequel([]), {}, None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _open(self) -> dict[str, list[cl.Buffer]]:
        if self._buffers is None:
            raise DeviceError("the session is closed; load the plan again")
        return self._buffers

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Says of an error of OpenCL which device it came from."""
        try:
            yield
        except cl.Error as error:
            raise DeviceError(f"{self.device.name.strip()} cannot run the plan: {error}") from None

    def _checked(self, inputs: Arrays) -> list[np.ndarray]:
        """The inputs in the model's order, contiguous."""
        accepted = ", ".join(map(str, self.inputs)) or "none"
        if isinstance(inputs, Mapping):
            unknown = [name for name in inputs if name not in {t.name for t in self.inputs}]
            missing = [t.name for t in self.inputs if t.name not in inputs]
            if unknown or missing:
                wrong = f"no input '{unknown[0]}'" if unknown else f"input '{missing[0]}' is missing"
                raise InputError(f"{wrong}; the inputs are: {accepted}")
            given = [inputs[t.name] for t in self.inputs]
        elif isinstance(inputs, Sequence) and not isinstance(inputs, str | bytes):
            if len(inputs) != len(self.inputs):
                raise InputError(f"{len(inputs)} inputs given; there are {len(self.inputs)}: {accepted}")
            given = list(inputs)
        else:
            raise InputError(f"inputs given as {type(inputs).__name__}; a dict by name or a list in this order is accepted: {accepted}")
        return [_fitting(tensor, array) for tensor, array in zip(self.inputs, given)]

    def _allocate(self, plan: Plan) -> dict[str, list[cl.Buffer]]:
        limit = self.device.max_mem_alloc_size
        ends = [(str(t), t.nbytes) for t in (*plan.inputs, *plan.outputs)] + [(f"state {s.name}", s.nbytes) for s in plan.states]
        for what, nbytes in (("intermediates", plan.arena), ("weights", len(plan.weights)), *ends):
            if nbytes > limit:
                raise DeviceError(f"{self.device.name.strip()} holds buffers up to {limit / 1e6:.0f} MB; "
                                  f"of the plan, {what} would take {nbytes / 1e6:.0f} MB")
        flags = cl.mem_flags
        unseen = 0 if plan.host_steps or plan.loops else flags.HOST_NO_ACCESS
        return {
            "arena": [cl.Buffer(self._context, flags.READ_WRITE | unseen, max(plan.arena, 1))],
            "weights": [cl.Buffer(self._context, flags.READ_ONLY | flags.COPY_HOST_PTR, hostbuf=plan.weights or b"\0")],
            "input": [cl.Buffer(self._context, flags.READ_WRITE, max(t.nbytes, 1)) for t in plan.inputs],
            "output": [cl.Buffer(self._context, flags.READ_WRITE, max(t.nbytes, 1)) for t in plan.outputs],
            "state": [cl.Buffer(self._context, flags.READ_WRITE, max(s.nbytes, 1)) for s in plan.states],
        }

    def _bind(self, plan: Plan) -> list[Ready]:
        """One kernel object a launch, its arguments set; the buffers are kept, since OpenCL does not keep them."""
        if not self.device.double_fp_config and any(DOUBLE.search(k.source) for k in plan.kernels):
            raise DeviceError(f"{self.device.name.strip()} has no double precision (cl_khr_fp64), which the plan's float64 values need")
        with ThreadPoolExecutor() as pool:
            try:
                programs = [pool.submit(self._build, kernel) for kernel in plan.kernels]
                return [self._ready(step, plan, programs) for step in plan.launches]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _build(self, kernel: Kernel) -> cl.Program:
        return cache.build(self._context, self.device, kernel.name, kernel.source)

    def _ready(self, step: Step, plan: Plan, programs: Sequence[Future[cl.Program]]) -> Ready:
        assert self._buffers is not None
        match step:
            case HostStep():
                return HostCall(step, self._buffers, plan.weights)
            case Loop():
                return LoopCall(step, [self._ready(each, plan, programs) for each in step.body], self._buffers)
        kernel = cl.Kernel(programs[step.kernel].result(), plan.kernels[step.kernel].name)
        if kernel.num_args != len(step.arguments):
            raise PlanError(f"kernel {kernel.function_name} takes {kernel.num_args} arguments; its launch has {len(step.arguments)}")
        self._check_group(kernel, step)
        kernel.set_args(*(self._part(a, plan.alignment) for a in step.arguments))
        return kernel, step.grid, step.group

    def _check_group(self, kernel: cl.Kernel, launch: Launch) -> None:
        if launch.group is None:
            return
        limit = kernel.get_work_group_info(cl.kernel_work_group_info.WORK_GROUP_SIZE, self.device)
        sides = self.device.max_work_item_sizes
        if math.prod(launch.group) > limit or any(n > most for n, most in zip(launch.group, sides)):
            raise DeviceError(f"{self.device.name.strip()} takes work-groups up to {limit} here; {launch.variant} needs "
                              f"{launch.group}: compile the model for this device")

    def _part(self, argument: Argument, alignment: int) -> cl.Buffer:
        if argument not in self._parts:
            assert self._buffers is not None
            buffer = self._buffers[argument.buffer][argument.index]
            needed = self.device.mem_base_addr_align // 8
            if argument.offset % needed:
                raise DeviceError(f"{self.device.name.strip()} wants buffers aligned to {needed} bytes; the plan has {alignment}: "
                                  "compile the model for this device")
            nbytes = max(argument.nbytes, 1)
            whole = argument.offset == 0 and nbytes >= buffer.size
            self._parts[argument] = buffer if whole else buffer.get_sub_region(argument.offset, nbytes)
        return self._parts[argument]


def _fitting(tensor: Tensor, given: object) -> np.ndarray:
    """What was given for an input, as a contiguous array."""
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise InputError(f"input '{tensor.name}' is no array: {error}") from None
    if tuple(array.shape) != tensor.shape:
        raise InputError(f"input '{tensor.name}' has shape {list(array.shape)}; {list(tensor.shape)} is accepted")
    if array.dtype != np.dtype(tensor.dtype):
        raise InputError(f"input '{tensor.name}' has dtype {array.dtype}; {tensor.dtype} is accepted")
    return np.ascontiguousarray(array)


@lru_cache
def _context(device: cl.Device) -> cl.Context:
    """One context a device, shared by all sessions of the process."""
    return cl.Context([device])
