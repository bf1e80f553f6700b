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


@pytest.fixture
def replaying(device: cl.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a device that can replay recordings, whether or not it should."""
    monkeypatch.setattr(command_buffer, "SLOWER", set())
    if not offered(device):
        pytest.skip("the device replays no recordings")


def device_that_says(extensions: str, platform: str = "PoCL", status: int = 0, capabilities: int = 4) -> Any:
    def tell(device: object, question: int, size: object, found: Any, needed: None) -> int:
        found._obj.value = capabilities
        return status

    loader = SimpleNamespace(clGetDeviceInfo=tell)
    return loader, SimpleNamespace(extensions=extensions, platform=SimpleNamespace(name=platform), int_ptr=0)


@pytest.mark.parametrize(("said", "expected"), [
    ((f"cl_khr_fp16 {EXTENSION}",), True),
    (("cl_khr_fp16",), False),
    ((f"{EXTENSION}_mutable_dispatch",), False),
    ((EXTENSION, "Intel(R) OpenCL "), False),
    ((EXTENSION, "Intel(R) OpenCL Graphics"), True),
    ((EXTENSION, "PoCL", -30), False),
    ((EXTENSION, "PoCL", 0, 9), False),
])  # fmt: skip
def test_devices_that_are_given_recordings(said: tuple[Any, ...], expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    loader, device = device_that_says(*said)
    monkeypatch.setattr(command_buffer, "_loader", lambda: loader)
    assert offered(device) == expected


@pytest.mark.usefixtures("replaying")
def test_a_recording_is_replayed_while_it_runs(device: cl.Device) -> None:
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
    for _ in range(100):
        recording()
    found = np.empty(8, np.int32)
    cl.enqueue_copy(queue, found, x)
    np.testing.assert_array_equal(found, np.full(8, 1200))
    del recording
    gc.collect()
    queue.finish()


def test_a_driver_that_refuses_is_told() -> None:
    with pytest.raises(DeviceError, match=r"^the driver cannot record a launch: error -59 of OpenCL$"):
        command_buffer._check(-59, "record a launch")


def test_a_driver_without_the_functions_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(platform: object, name: bytes) -> None:
        return None

    monkeypatch.setattr(command_buffer, "_loader", lambda: SimpleNamespace(clGetExtensionFunctionAddressForPlatform=find))
    platform: Any = type("Platform", (), {"int_ptr": 0, "name": "Odd CL "})()
    with pytest.raises(DeviceError, match=r"^Odd CL offers cl_khr_command_buffer, but has no clCreateCommandBufferKHR$"):
        command_buffer._functions(platform)


@pytest.mark.usefixtures("replaying")
@pytest.mark.parametrize("recorded", [False, True])
def test_sessions_are_the_same_either_way(device: cl.Device, monkeypatch: pytest.MonkeyPatch, recorded: bool) -> None:
    monkeypatch.setattr(steps, "offered", lambda device: recorded)
    with Session(linear(), device) as session:
        runs = [session.run_async([A + k, B]) for k in range(5)]
        for k, run in enumerate(runs):
            for outputs in (run.result(), session.run([A + k, B])):
                for name, right in expected(A + k, B).items():
                    np.testing.assert_array_equal(outputs[name], right)
    with Session(looped(), device) as session:
        assert [len(session.run([np.full(SHAPE, n, np.float32)])["rows"]) for n in (1, 4, 20)] == [5, 3, 1]
