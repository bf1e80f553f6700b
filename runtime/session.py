"""Executing a plan: build its kernels, allocate its buffers, bind the arguments once; then only enqueue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ClassVar, TypeVar

import numpy as np
import pyopencl as cl

from . import given, profile
from .binding import Binder, Memory, allocate
from .devices import Selector, context, find, refusals
from .errors import DeviceError, InputError
from .given import Data, Inputs, Outputs
from .host_call import Kept
from .plan import HostStep, Launch, Plan, Step
from .ports import Port, check_targets, lend, untangled
from .profile import Timing
from .running import Run
from .steps import Ready, Sequel

T = TypeVar("T")


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
    """A plan on a device. It may be used by several threads, and as a context that closes it.

    Its runs take turns, in the order of the calls, whoever calls: what one leaves in the model's states the next one finds. One in which
    the device fails closes it: nobody knows then what its memory holds.

    Attributes:
        inputs, outputs: name, shape and dtype of each, in the model's order; -1 is a dimension of an output that depends on data.
        device: the `pyopencl.Device` that runs it.
        queue: the `pyopencl.CommandQueue`, in order, in which it runs; buffers given to a run are of its context.
    """

    _timed: ClassVar[bool] = False
    """Whether its queue notes when each launch begins and ends."""

    def __init__(self, plan: Plan, device: cl.Device):
        """Builds the plan's kernels, or loads their binaries, and allocates its buffers.

        Raises:
            DeviceError: the device cannot run the plan.
            PlanError: a launch does not fit its kernel.
        """
        self.device = device
        self.inputs, self.outputs = plan.inputs, plan.outputs
        self._launches, self._names, self._states = plan.launches, [k.name for k in plan.kernels], plan.states
        self._lock = threading.Lock()
        self._behind = False
        with refusals(device):
            self.queue = _queue(context(device), timed=self._timed)
            self._memory: Memory | None = allocate(self.queue.context, device, plan)
            self._binder: Binder | None = self._bind(plan, self._memory)
            self._ready = self._binder.ready(plan.launches)
            self._sequel = Sequel(self.queue, self._ready)
            if stages := self._binder.alone:
                lend(self.queue.context, self._memory.outputs, stages.aim)
            self._restore()

    def _bind(self, plan: Plan, memory: Memory) -> Binder:
        return Binder(self.queue, plan, memory.buffers)

    def run(self, inputs: Inputs, outputs: Outputs | None = None) -> dict[str, np.ndarray]:
        """Computes the outputs, from the inputs and from what the run before left in the model's states.

        Args:
            inputs: an array or a `pyopencl.Buffer` for each input, by name or in the model's order.
            outputs: arrays or buffers that are to be filled, by the names of outputs.

        Returns:
            Arrays by name, in the model's order: those that were given, else new ones; none of what goes to a buffer.

        Raises:
            InputError: a name, shape or dtype does not fit; says what is accepted.
            DeviceError: the device failed, or the session is closed.
        """
        kept: Kept = {}
        with self._turn() as memory:
            sources, targets = self._sources(memory, inputs), self._targets(memory, outputs)
            self._rest()
            events: list[cl.Event] = []  # pyopencl waits for a transfer when its event goes: they all stay to the end
            try:
                for port, source in zip(memory.inputs, sources):
                    if port.direct(source):
                        port.fill(source)
                    else:
                        events += port.enqueue_in(self.queue, source)
                self._sequel(kept)
                for port, target in zip(memory.outputs, targets.values()):
                    if not port.direct(target):
                        events += port.enqueue_out(self.queue, target)
            finally:
                self.queue.finish()
            for port, target in zip(memory.outputs, targets.values()):
                if port.direct(target):
                    port.drain(target)
        return self._arrays(targets, kept)

    def run_async(self, inputs: Inputs, outputs: Outputs | None = None) -> Run:
        """Begins what `run` does, and returns when all is enqueued; steps on the host and loops are waited for.

        Until it has ended the arrays and buffers given to it are in use: they must not be written to, those to be filled not be read.

        Raises:
            InputError, DeviceError: as `run`.
        """
        kept: Kept = {}
        with self._turn() as memory:
            sources, targets = self._sources(memory, inputs), self._targets(memory, outputs)
            self._behind = True
            events = [event for port, source in zip(memory.inputs, sources) for event in port.enqueue_in(self.queue, source)]
            self._sequel(kept)
            for port, target in zip(memory.outputs, targets.values()):
                events += port.enqueue_out(self.queue, target)
            events.append(cl.enqueue_marker(self.queue))
            self.queue.flush()
        return Run(self.device, self._arrays(targets, kept), events, (memory, self._binder, self._sequel))

    def input(self, name: str) -> np.ndarray:
        """An array of an input, the same each time, to be filled and given to a run: where the device shares the host's memory, that
        copies nothing. It must not be written to while a run that it was given to goes on.

        Raises:
            InputError: there is no such input.
            DeviceError: the session is closed.
        """
        return self._port("input", self._open().inputs, name).array

    def output(self, name: str) -> np.ndarray:
        """The like of an output, to be given to a run as one to be filled. Where memory is shared every run overwrites it.

        Raises:
            InputError: there is no such output, or its shape depends on data.
            DeviceError: the session is closed.
        """
        return self._port("output", self._open().outputs, name).array

    def reset(self) -> None:
        """Gives the model's states the contents that they had before the first run.

        Raises:
            DeviceError: the device failed, or the session is closed.
        """
        with self._turn():
            self._restore()

    def profile(self, inputs: Inputs, repeat: int = 20) -> list[Timing]:
        """Times every launch by the device's clock, the least of `repeat` runs. The model's states are reset.

        Raises:
            InputError, DeviceError: as `run`.
        """
        times = self._recorded(inputs, partial(profile.measure, repeat=repeat))
        return [self._timing(number, launch, time) for number, (launch, time) in enumerate(zip(self._launches, times))]

    def trace(self, inputs: Inputs) -> list[tuple[float, Timing]]:
        """Times every launch of one run, by the device's clock: when it began, in microseconds behind the first, and how long it took.
        The model's states are reset.

        Raises:
            InputError, DeviceError: as `run`.
        """
        (spans,) = self._recorded(inputs, profile.record)
        return [(begin, self._timing(number, launch, time)) for number, (launch, (begin, time)) in enumerate(zip(self._launches, spans))]

    def _recorded(self, inputs: Inputs, how: Callable[[cl.CommandQueue, list[Ready]], T]) -> T:
        """What is recorded of launches in a queue that notes times."""
        with self._turn() as memory:
            sources = self._sources(memory, inputs)
            self._rest()
            queue = _queue(self.queue.context, timed=True)
            events = [event for port, source in zip(memory.inputs, sources) for event in port.enqueue_in(queue, source)]
            found = how(queue, self._ready)
            del events
            self._restore()
        return found

    def _timing(self, number: int, launch: Step, time: float) -> Timing:
        if not isinstance(launch, Launch):
            return Timing(number, launch.what, "host" if isinstance(launch, HostStep) else launch.what, launch.nodes, time, 0, 0)
        return Timing(number, self._names[launch.kernel], launch.variant, launch.nodes, time, launch.flops, launch.nbytes)

    def close(self) -> None:
        """Frees the device's memory; a closed session runs no more, and runs that go on end. Closing twice is fine."""
        with self._lock:
            self._free()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _sources(self, memory: Memory, inputs: Inputs) -> list[Data]:
        """What is given, in the model's order."""
        return untangled(memory.inputs, given.inputs(self.inputs, inputs, self.queue.context))

    def _targets(self, memory: Memory, outputs: Outputs | None) -> dict[str, Data]:
        """Where the outputs of the next run go, in the model's order."""
        targets = given.outputs(self.outputs, outputs, self.queue.context)
        if outputs:
            check_targets(memory.outputs, targets.values())
        return {name: _aimed(port, target) for port, (name, target) in zip(memory.outputs, targets.items())}

    @contextmanager
    def _turn(self) -> Iterator[Memory]:
        """Its memory, for one caller at a time."""
        with self._lock:
            try:
                yield self._open()
            except (cl.Error, DeviceError, MemoryError) as error:
                if not isinstance(error, MemoryError):
                    self._free()
                with refusals(self.device):
                    raise

    def _free(self) -> None:
        self._ready, self._sequel, self._binder, self._memory = [], Sequel(self.queue, []), None, None

    def _open(self) -> Memory:
        if self._memory is None:
            raise DeviceError("the session is closed; load the plan again")
        return self._memory

    def _rest(self) -> None:
        """Waits for runs that go on."""
        if self._behind:
            self.queue.finish()
            self._behind = False

    def _restore(self) -> None:
        self._rest()
        buffers = self._open().buffers
        for state, buffer in zip(self._states, buffers["state"]):
            if state.initial is None:
                cl.enqueue_fill_buffer(self.queue, buffer, np.zeros(1, np.uint8), 0, max(state.nbytes, 1))
            else:
                cl.enqueue_copy(self.queue, buffer, buffers["weights"][0], byte_count=state.nbytes, src_offset=state.initial.offset)
        self.queue.finish()

    def _arrays(self, targets: dict[str, Data], kept: Kept) -> dict[str, np.ndarray]:
        """What a run returns."""
        if kept:
            targets |= {t.name: np.array(kept["output", index]) for index, t in enumerate(self.outputs) if t.open}
        return {name: target for name, target in targets.items() if isinstance(target, np.ndarray)}

    def _port(self, what: str, ports: list[Port], name: str) -> Port:
        for port in ports:
            if port.tensor.name == name:
                if port.tensor.open:
                    raise InputError(f"{what} '{name}' has a shape that depends on data: there is no one array for it")
                return port
        raise InputError(f"no {what} '{name}'; the {what}s are: {', '.join(str(p.tensor) for p in ports) or 'none'}")


def _aimed(port: Port, target: Data | None) -> Data:
    """Where an output goes: a new array where nothing is wanted. One of open shape is not there yet."""
    if target is None:
        return port.fresh()
    port.own()
    return target


def _queue(context: cl.Context, *, timed: bool) -> cl.CommandQueue:
    """A queue, in order."""
    return cl.CommandQueue(context, properties=cl.command_queue_properties.PROFILING_ENABLE) if timed else cl.CommandQueue(context)
