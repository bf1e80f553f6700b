"""Recorded launches: they do what enqueued ones do, and are used where the device says that it can."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from planish.runtime import DeviceError, Session, command_buffer, steps
from planish.runtime.command_buffer import EXTENSION, Recording, offered
from tests.runtime.plans import SHAPE, expected, linear, looped

pytestmark = pytest.mark.device

A, B = np.arange(6, dtype=np.float32).reshape(SHAPE), np.full(SHAPE, 0.5, np.float32)
COUNT = "__kernel void count(__global int *x, __global const int *by) { x[get_global_id(0)] += by[0]; }"


def needs_recordings(device: cl.Device) -> None:
    if not offered(device):
        pytest.skip("the device replays no recordings")


def device_that_says(extensions: str, version: int | None) -> Any:
    class Device:
        int_ptr = 0

        @property
        def extensions_with_version(self) -> list[Any]:
            if version is None:
                raise cl.LogicError("no such question")
            return [SimpleNamespace(name=EXTENSION, version=version)]

    made = Device()
    made.extensions = extensions  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize(("extensions", "version"), [("cl_khr_fp16", 1 << 22), (EXTENSION, None), (EXTENSION, 0x9000), (EXTENSION, 0x9007)])
def test_provisional_versions_are_left_alone(extensions: str, version: int | None) -> None:
    assert not offered(device_that_says(extensions, version))


def test_a_recording_is_replayed_while_it_runs(device: cl.Device) -> None:
    needs_recordings(device)
    context = cl.Context([device])
    queue = cl.CommandQueue(context)
    flags = cl.mem_flags
    x, one, ten = (cl.Buffer(context, flags.READ_WRITE | flags.COPY_HOST_PTR, hostbuf=np.full(8, n, np.int32)) for n in (0, 1, 10))
    program = cl.Program(context, COUNT).build()
    launches = []
    for by in (one, ten, one):
        kernel = cl.Kernel(program, "count")
        kernel.set_args(x, by)
        launches.append((kernel, (8,), (4,) if by is ten else None))
    recording = Recording(queue, launches)
    launches[0][0].set_args(x, ten)  # it keeps what it recorded
    for _ in range(100):
        recording()
    found = np.empty(8, np.int32)
    cl.enqueue_copy(queue, found, x)
    np.testing.assert_array_equal(found, np.full(8, 1200))
    del recording
    gc.collect()
    queue.finish()


def test_a_driver_that_refuses_is_told(device: cl.Device) -> None:
    needs_recordings(device)
    context = cl.Context([device])
    kernel = cl.Kernel(cl.Program(context, COUNT).build(), "count")  # its arguments are not set
    with pytest.raises(DeviceError, match=r"^the driver cannot (record a launch|finish a command buffer): error -[0-9]+ of OpenCL$"):
        Recording(cl.CommandQueue(context), [(kernel, (8,), None)])


def test_a_driver_without_the_functions_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(platform: object, name: bytes) -> None:
        return None

    monkeypatch.setattr(command_buffer, "_loader", lambda: SimpleNamespace(clGetExtensionFunctionAddressForPlatform=find))
    platform: Any = type("Platform", (), {"int_ptr": 0, "name": "Odd CL "})()
    with pytest.raises(DeviceError, match=r"^Odd CL offers cl_khr_command_buffer 1, but has no clCreateCommandBufferKHR$"):
        command_buffer._functions(platform)


@pytest.mark.parametrize("recorded", [False, True])
def test_sessions_are_the_same_either_way(device: cl.Device, monkeypatch: pytest.MonkeyPatch, recorded: bool) -> None:
    if recorded:
        needs_recordings(device)
    monkeypatch.setattr(steps, "offered", lambda device: recorded)
    with Session(linear(), device) as session:
        for k in range(5):
            outputs = session.run([A + k, B])
            for name, right in expected(A + k, B).items():
                np.testing.assert_array_equal(outputs[name], right)
    with Session(looped(), device) as session:
        assert [len(session.run([np.full(SHAPE, n, np.float32)])["rows"]) for n in (1, 4, 20)] == [5, 3, 1]
