"""Kernels that compute several launches, one after another: what a run of some of them binds and enqueues."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyopencl as cl

from .command_buffer import Bound
from .errors import DeviceError
from .plan import Kernel

OPTIONS = ("-cl-std=CL3.0",)
"""With which such a kernel is built: its work-groups meet in atomic operations with an order and a scope."""
KINDS = ("arena", "weights", "input", "output", "state")
"""The buffers that it is given, in this order: all of each kind."""
LINE = 64
"""Bytes from one of its counters to the next."""


def offered(device: cl.Device) -> bool:
    """Whether a device builds such kernels."""
    return int(device.version.split()[1].split(".")[0]) >= 3


def check(device: cl.Device, kernel: Kernel) -> None:
    """Checks that a device builds such kernels.

    Raises:
        DeviceError: its driver is too old.
    """
    if not offered(device):
        version = device.version.split()[1]
        raise DeviceError(f"{device.name.strip()} has OpenCL {version}; {kernel.name}, a kernel of several launches, needs 3.0: "
                          f"compile the model for this device, or with --no-megakernel")


def workers(device: cl.Device) -> int:
    """How many work-groups share the items of a stage: one for each compute unit."""
    return device.max_compute_units


class Stages:
    """A kernel of several launches, made ready."""

    def __init__(self, queue: cl.CommandQueue, program: cl.Program, kernel: Kernel, buffers: dict[str, list[cl.Buffer]]):
        """Args: as of `Binder`."""
        self._program, self._name = program, kernel.name
        self._workers = workers(queue.device)
        nbytes = LINE * (kernel.stages * (self._workers + 1) + 1)
        counters = cl.Buffer(queue.context, cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR, hostbuf=np.zeros(nbytes, np.uint8))
        self._arguments = (*(buffer for kind in KINDS for buffer in buffers[kind]), counters)
        self._outputs = sum(len(buffers[kind]) for kind in KINDS[: KINDS.index("output")])
        self._bound: list[cl.Kernel] = []

    def aim(self, output: int, buffer: cl.Buffer) -> None:
        """Lets runs that are enqueued from now on store an output in another buffer."""
        for kernel in self._bound:
            kernel.set_arg(self._outputs + output, buffer)

    def bound(self, first: int, end: int) -> Bound:
        """The launch of the stages from `first` to that before `end`, which `aim` reaches.

        Raises:
            pyopencl.Error: the driver refuses an argument.
        """
        launch = self.launch(first, end)
        self._bound.append(launch[0])
        return launch

    def launch(self, first: int, end: int) -> Bound:
        """The like, which stores outputs in the session's own buffers."""
        kernel = cl.Kernel(self._program, self._name)
        kernel.set_args(*self._arguments, np.int32(first), np.int32(end))
        return kernel, (self._workers,), (1,)


@dataclass(frozen=True)
class Stage:
    """One launch of such a kernel."""

    stages: Stages
    number: int

    @property
    def alone(self) -> Bound:
        """Its launch by itself."""
        return self.stages.launch(self.number, self.number + 1)


def joined(steps: list[Bound | Stage]) -> list[Bound]:
    """Launches that follow one another, those of stages that do in one."""
    runs: list[Bound | list[Stage]] = []
    for step in steps:
        last = runs[-1] if runs else None
        if not isinstance(step, Stage):
            runs.append(step)
        elif isinstance(last, list) and last[-1].stages is step.stages and last[-1].number + 1 == step.number:
            last.append(step)
        else:
            runs.append([step])
    return [run[0].stages.bound(run[0].number, run[-1].number + 1) if isinstance(run, list) else run for run in runs]
