"""Launches recorded once and replayed by one call: the extension cl_khr_command_buffer, which pyopencl does not wrap.

The functions used have the same arguments in every version so far, 0.9.0 to 1.0. A recording may be enqueued while it
still runs, so that runs of a session follow each other without a wait in between; a device whose recordings may not is
given launches one by one. So is one whose driver is known to take longer over a recording than over its launches.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import pyopencl as cl
import pyopencl._cl

from .errors import DeviceError

Bound: TypeAlias = tuple[cl.Kernel, tuple[int, ...], tuple[int, ...] | None]
"""A kernel whose arguments are set, its grid and its work-group."""

EXTENSION = "cl_khr_command_buffer"
SLOWER = {"Intel(R) OpenCL"}
"""Platforms that gain nothing, and lose up to a third of the time of launches that do little (docs/performance.md)."""
CAPABILITIES, FLAGS, SIMULTANEOUS_USE = 0x12A9, 0x1293, 1
"""Of CL/cl_ext.h: CL_DEVICE_COMMAND_BUFFER_CAPABILITIES_KHR, CL_COMMAND_BUFFER_FLAGS_KHR and _SIMULTANEOUS_USE_KHR."""
CAN_SIMULTANEOUSLY = 4
"""A bit of the capabilities."""

_Handle, _Number = ctypes.c_void_p, ctypes.c_uint


class Recording:
    """Launches, replayed in their order by each call."""

    def __init__(self, queue: cl.CommandQueue, launches: Sequence[Bound]):
        """Records launches whose arguments are set; they are not to be set again: drivers differ in what becomes of it.

        Raises:
            DeviceError: the driver refuses what it said it could.
        """
        self._queue, self._kernels = queue, [kernel for kernel, _, _ in launches]
        functions = _functions(queue.device.platform)
        self._enqueue = functions["clEnqueueCommandBufferKHR"]
        status, flags = ctypes.c_int(), (ctypes.c_uint64 * 3)(FLAGS, SIMULTANEOUS_USE, 0)
        self._handle = functions["clCreateCommandBufferKHR"](1, (_Handle * 1)(queue.int_ptr), flags, ctypes.byref(status))
        _check(status.value, "create a command buffer")
        weakref.finalize(self, functions["clReleaseCommandBufferKHR"], self._handle)
        for kernel, grid, group in launches:
            sizes = [(ctypes.c_size_t * len(grid))(*extents) if extents else None for extents in (grid, group)]
            add = functions["clCommandNDRangeKernelKHR"]
            _check(add(self._handle, None, None, kernel.int_ptr, len(grid), None, *sizes, 0, None, None, None), "record a launch")
        _check(functions["clFinalizeCommandBufferKHR"](self._handle), "finish a command buffer")

    def __call__(self) -> None:
        """Enqueues all launches in the queue with which they were recorded."""
        _check(self._enqueue(0, None, self._handle, 0, None, None), "replay a command buffer")


def offered(device: cl.Device) -> bool:
    """Whether a device replays recordings, and is the faster for it."""
    if sys.platform == "win32" or EXTENSION not in device.extensions.split() or device.platform.name.strip() in SLOWER:
        return False
    found = ctypes.c_uint64()
    status = _loader().clGetDeviceInfo(_Handle(device.int_ptr), CAPABILITIES, ctypes.c_size_t(8), ctypes.byref(found), None)
    return status == 0 and bool(found.value & CAN_SIMULTANEOUSLY)


def _check(status: int, what: str) -> None:
    if status:
        raise DeviceError(f"the driver cannot {what}: error {status} of OpenCL")


def _loader() -> ctypes.CDLL:
    """The OpenCL loader that pyopencl uses: names are looked up in a module and in the libraries that it is linked with."""
    return ctypes.CDLL(pyopencl._cl.__file__)


@lru_cache
def _functions(platform: cl.Platform) -> dict[str, Any]:
    """The extension's functions, by name."""
    find = _loader().clGetExtensionFunctionAddressForPlatform
    find.restype, find.argtypes = _Handle, (_Handle, ctypes.c_char_p)
    pointer, status = _Handle, ctypes.c_int
    types = {
        "clCreateCommandBufferKHR": (_Handle, _Number, pointer, pointer, pointer),
        "clReleaseCommandBufferKHR": (status, _Handle),
        "clFinalizeCommandBufferKHR": (status, _Handle),
        "clCommandNDRangeKernelKHR": (status, _Handle, _Handle, pointer, _Handle, _Number, *[pointer] * 3, _Number, *[pointer] * 3),
        "clEnqueueCommandBufferKHR": (status, _Number, pointer, _Handle, _Number, pointer, pointer),
    }
    found = {name: find(platform.int_ptr, name.encode()) for name in types}
    for name, address in found.items():
        if not address:
            raise DeviceError(f"{platform.name.strip()} offers {EXTENSION}, but has no {name}")
    return {name: ctypes.CFUNCTYPE(*signature)(found[name]) for name, signature in types.items()}
