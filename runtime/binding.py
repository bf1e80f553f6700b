"""A plan made ready on a device: buffers allocated, kernels built, arguments bound, launches recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyopencl as cl

from . import cache, images, needs, pages, stages
from .checks import PIXEL
from .errors import DeviceError, PlanError
from .host_call import HostCall
from .plan import Argument, HostStep, Kernel, Launch, Loop, Plan, Step
from .ports import Port, port
from .stages import Stage, Stages
from .steps import LoopCall, Ready


@dataclass(frozen=True)
class Memory:
    """All that a plan reads and writes on a device; `buffers` are those of a plan's arguments, by kind and index."""

    inputs: list[Port]
    outputs: list[Port]
    buffers: dict[str, list[cl.Buffer]]


def allocate(context: cl.Context, device: cl.Device, plan: Plan) -> Memory:
    """Allocates, and fills the weights.

    Raises:
        DeviceError: something is too big for the device.
    """
    limit = device.max_mem_alloc_size
    ends = [(str(t), t.nbytes) for t in (*plan.inputs, *plan.outputs)] + [(f"state {s.name}", s.nbytes) for s in plan.states]
    parts = [("intermediates", plan.arena), ("weights", len(plan.weights)), *ends]
    total, most = sum(nbytes for _, nbytes in parts), device.global_mem_size
    for what, nbytes in parts:
        if nbytes > limit:
            raise DeviceError(f"{device.name.strip()} holds buffers up to {limit / 1e6:.0f} MB; "
                              f"of the plan, {what} would take {nbytes / 1e6:.0f} MB")
    if total > most:
        raise DeviceError(f"{device.name.strip()} has {most / 1e6:.0f} MB of memory; the plan takes {total / 1e6:.0f} MB")
    flags = cl.mem_flags
    unseen = 0 if plan.host_steps or plan.loops else flags.HOST_NO_ACCESS
    inputs, outputs = ([port(context, device, t) for t in tensors] for tensors in (plan.inputs, plan.outputs))
    return Memory(inputs, outputs, {
        "arena": [_arena(context, device, plan.arena, unseen)],
        "weights": [_weights(context, device, plan.weights or b"\0")],
        "input": [each.buffer for each in inputs],
        "output": [each.buffer for each in outputs],
        "state": [cl.Buffer(context, flags.READ_WRITE, max(s.nbytes, 1)) for s in plan.states],
    })


def _arena(context: cl.Context, device: cl.Device, nbytes: int, unseen: int) -> cl.Buffer:
    flags = cl.mem_flags
    if device.type & cl.device_type.CPU:
        return cl.Buffer(context, flags.READ_WRITE | flags.USE_HOST_PTR | unseen, hostbuf=pages.allocate(nbytes))
    return cl.Buffer(context, flags.READ_WRITE | unseen, max(nbytes, 1))


def _weights(context: cl.Context, device: cl.Device, weights: bytes | bytearray | memoryview) -> cl.Buffer:
    """A buffer of the weights; a CPU reads them where they lie."""
    flags = cl.mem_flags
    aligned = np.frombuffer(weights, np.uint8).ctypes.data % (device.mem_base_addr_align // 8) == 0
    in_place = device.type & cl.device_type.CPU and aligned
    return cl.Buffer(context, flags.READ_ONLY | (flags.USE_HOST_PTR if in_place else flags.COPY_HOST_PTR), hostbuf=weights)


class Binder:
    """Makes the steps of a plan ready: one kernel object a launch, its arguments set."""

    def __init__(self, queue: cl.CommandQueue, plan: Plan, buffers: dict[str, list[cl.Buffer]]):
        """Builds the kernels, or loads their binaries.

        Raises:
            DeviceError: the device cannot run the plan.
        """
        self._queue, self._device, self._plan, self._buffers = queue, queue.device, plan, buffers
        needs.check(queue.device, plan.kernels)
        self._parts: dict[Argument, cl.Buffer] = {}
        self._images = images.Images(queue.context, queue.device, buffers["weights"][0])
        with ThreadPoolExecutor() as pool:
            self._programs = list(pool.map(self._build, plan.kernels))
        self._stages = {k: Stages(queue, self._programs[k], kernel, buffers) for k, kernel in enumerate(plan.kernels) if kernel.stages}

    @property
    def alone(self) -> Stages | None:
        """The one kernel that computes everything; None where there are other steps than its stages."""
        staged = {step.kernel for step in self._plan.steps if isinstance(step, Launch) and step.stage is not None}
        others = any(not isinstance(step, Launch) or step.stage is None for step in self._plan.steps)
        return self._stages[staged.pop()] if len(staged) == 1 and not others else None

    def ready(self, steps: Sequence[Step]) -> list[Ready]:
        """Steps that run in the queue.

        Raises:
            DeviceError: the device cannot run one.
            PlanError: a launch does not fit its kernel.
        """
        return [self._ready(step) for step in steps]

    def _build(self, kernel: Kernel) -> cl.Program:
        return cache.build(self._queue.context, self._device, kernel.name, kernel.source, stages.OPTIONS if kernel.stages else ())

    def _ready(self, step: Step) -> Ready:
        match step:
            case HostStep():
                return HostCall(step, self._queue, self._buffers, self._plan.weights)
            case Loop():
                return LoopCall(step, self._queue, self.ready(step.body), self._buffers)
        if step.stage is not None:
            return Stage(self._stages[step.kernel], step.stage)
        kernel = cl.Kernel(self._programs[step.kernel], self._plan.kernels[step.kernel].name)
        bound = [value for argument in step.arguments for value in self._bound(argument)]
        if kernel.num_args != len(bound):
            raise PlanError(f"kernel {kernel.function_name} takes {kernel.num_args} arguments; its launch has {len(bound)}")
        self._check_group(kernel, step)
        kernel.set_args(*bound)
        return kernel, step.grid, step.group

    def _check_group(self, kernel: cl.Kernel, launch: Launch) -> None:
        if launch.group is None:
            return
        limit = kernel.get_work_group_info(cl.kernel_work_group_info.WORK_GROUP_SIZE, self._device)
        sides = self._device.max_work_item_sizes
        if math.prod(launch.group) > limit or any(n > most for n, most in zip(launch.group, sides)):
            raise DeviceError(f"{self._device.name.strip()} takes work-groups up to {limit} here; {launch.variant} needs "
                              f"{launch.group}: compile the model for this device")

    def _bound(self, argument: Argument) -> tuple[cl.Buffer] | tuple[cl.Image, np.int32]:
        """What is bound for an argument; for an image also where in it the argument begins, in pixels."""
        if not argument.image:
            return (self._part(argument),)
        return self._images.of(argument.image), np.int32(argument.offset // PIXEL[argument.image])

    def _part(self, argument: Argument) -> cl.Buffer:
        if argument not in self._parts:
            buffer = self._buffers[argument.buffer][argument.index]
            needed = self._device.mem_base_addr_align // 8
            if argument.offset % needed:
                raise DeviceError(f"{self._device.name.strip()} wants buffers aligned to {needed} bytes; the plan has "
                                  f"{self._plan.alignment}: compile the model for this device")
            nbytes = max(argument.nbytes, 1)
            whole = argument.offset == 0 and nbytes >= buffer.size
            self._parts[argument] = buffer if whole else buffer.get_sub_region(argument.offset, nbytes)
        return self._parts[argument]
