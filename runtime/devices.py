"""Choosing an OpenCL device: by kind, by name, by index, or the best there is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TypeAlias

import pyopencl as cl

from . import drivers
from .errors import DeviceError

Selector: TypeAlias = str | cl.Device | None
"""None: `PLANISH_DEVICE` if set, else the best there is; "gpu", "cpu" or "accelerator": the best of that kind; "0:1":
platform and device, as `listing` numbers them; any other text: the best whose platform, vendor or name contains it."""

KINDS = {"gpu": cl.device_type.GPU, "accelerator": cl.device_type.ACCELERATOR, "cpu": cl.device_type.CPU}
"""What a selector and `describe` call the types of devices, the preferred first."""

_NO_DEVICE = (
    "no OpenCL device: install the GPU vendor's driver, or a driver for the CPU: "
    "pip install 'planish[cpu]' (Linux on x86-64) or apt install pocl-opencl-icd"
)


def devices() -> list[cl.Device]:
    """Every device that can build and run kernels, the best first; empty where there is none."""
    return list(_present().values())


def find(selector: Selector = None) -> cl.Device:
    """The device that `selector` names; the best where several fit.

    Raises:
        DeviceError: none fits.
    """
    if isinstance(selector, cl.Device):
        return selector
    wanted = selector or os.environ.get("PLANISH_DEVICE") or ""
    present = _present()
    fitting = present.values() if not wanted else _fitting(wanted.strip().lower(), present)
    if fitting:
        return next(iter(fitting))
    message = _none_fits(wanted, present)
    raise DeviceError(message if selector or not wanted else f"PLANISH_DEVICE={wanted}: {message}")


def describe(device: cl.Device) -> str:
    """One line: platform, name, kind, size and driver of a device."""
    known = facts(device)
    return (
        f"{known['platform']}: {known['name']} ({str(known['kind']).upper()}, {known['units']} compute units, "
        f"{device.global_mem_size / 2**30:.3g} GiB, driver {known['driver']})"
    )


def facts(device: cl.Device) -> dict[str, str | int]:
    """What `describe` says, by name; memory in bytes."""
    return {
        "platform": device.platform.name.strip(), "name": device.name.strip(),
        "kind": next((name for name, type in KINDS.items() if device.type & type), "custom"),
        "units": device.max_compute_units, "memory": device.global_mem_size, "driver": device.driver_version.strip(),
    }  # fmt: skip


def numbered() -> dict[str, cl.Device]:
    """Every device, the best first, by the index that `find` takes.

    Raises:
        DeviceError: there is none; says what to install.
    """
    present = _present()
    if not present:
        raise DeviceError(_none_fits("", present))
    return present


@lru_cache
def identity(device: cl.Device) -> tuple[str, ...]:
    """What decides whether a binary runs on a device, and how fast. Virtual CPUs of one name differ in their instruction sets."""
    platform = device.platform
    names = (platform.name, platform.version, device.vendor, device.name, device.version, device.driver_version)
    return (*names, _processor()) if device.type & cl.device_type.CPU else names


def listing() -> str:
    """A line for each device, the best first, headed by the index that `find` takes.

    Raises:
        DeviceError: there is none; says what to install.
    """
    return "\n".join(f"{index}  {describe(device)}" for index, device in numbered().items())


_making = Lock()


def context(device: cl.Device) -> cl.Context:
    """One context a device, shared by all that the process runs on it."""
    with _making:
        return _made(device)


@lru_cache
def _made(device: cl.Device) -> cl.Context:
    return cl.Context([device])


@contextmanager
def refusals(device: cl.Device) -> Iterator[None]:
    """Says of an error of OpenCL, or of memory that is not there, which device it came from.

    Raises:
        DeviceError: in its place.
    """
    try:
        yield
    except cl.MemoryError as error:
        raise DeviceError(f"{_name(device)} cannot run the plan: {error}: it has too little memory or registers left for it") from None
    except cl.Error as error:
        raise DeviceError(f"{_name(device)} cannot run the plan: {error}") from None
    except MemoryError as error:
        raise DeviceError(f"{_name(device)} cannot run the plan: this machine has too little memory for it ({error})") from None


def _name(device: cl.Device) -> str:
    """Of a device whose driver may be gone."""
    try:
        return device.name.strip()
    except cl.Error:
        return "the device"


def _processor() -> str:
    """The instruction sets of the CPU, where Linux tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _none_fits(wanted: str, present: dict[str, cl.Device]) -> str:
    """What there is instead of a device that fits, or how to come by one."""
    message = _NO_DEVICE
    if present:
        listed = "; ".join(f"{index} {describe(device)}" for index, device in present.items())
        message = f"no OpenCL device fits '{wanted}'; present: {listed}"
    fixed = drivers.fixed_by_user()
    return f"{message} ({fixed} is set: no driver but those it names is looked at)" if fixed else message


def _present() -> dict[str, cl.Device]:
    """Index -> device, the best first."""
    found: dict[str, cl.Device] = {}
    for i, platform in enumerate(drivers.platforms()):
        try:
            listed = platform.get_devices()
        except cl.Error:
            continue  # a driver whose hardware is absent or out of order
        found |= {f"{i}:{j}": device for j, device in enumerate(listed)}
    usable = {index: device for index, device in found.items() if _usable(device)}
    return dict(sorted(usable.items(), key=lambda item: _rank(item[1])))


def _usable(device: cl.Device) -> bool:
    try:
        return bool(device.available and device.compiler_available)
    except cl.Error:
        return False


def _fitting(wanted: str, present: dict[str, cl.Device]) -> list[cl.Device]:
    """Those that `wanted` names: a word of the platform's counts for more than one of the device's."""
    if wanted in KINDS:
        return [device for device in present.values() if device.type & KINDS[wanted]]
    if re.fullmatch(r"\d+:\d+", wanted):
        return [present[wanted]] if wanted in present else []
    by_platform = [d for d in present.values() if wanted in f"{d.platform.name}\n{d.platform.vendor}".lower()]
    by_device = [d for d in present.values() if wanted in f"{d.name}\n{d.vendor}".lower()]
    return by_platform or by_device


def _rank(device: cl.Device) -> tuple[bool, int, int, bool, int]:
    """A key that sorts the best first: kind, then driver, then memory of its own, then how much of it."""
    kind = next((i for i, type in enumerate(KINDS.values()) if device.type & type), len(KINDS))
    driver = _driver_rank(device)
    return driver == 2, kind, driver, bool(device.host_unified_memory), -device.global_mem_size


def _driver_rank(device: cl.Device) -> int:
    """0: the hardware's vendor; 1: portable; 2: to be used only where it is named or alone, whatever it calls itself.

    Last come simulators, Mesa's software and unmaintained drivers, and PoCL before 3.1: PyPI's 3.0 runs at a tenth of
    the speed and fails on `float16` vectors.
    """
    platform = device.platform
    names = f"{platform.name} {device.name}".lower()
    if re.search("oclgrind|simulator|emulation|clover|llvmpipe", names):
        return 2
    if pocl := re.search(r"pocl (\d+)\.(\d+)", platform.version.lower()):
        return 1 if (int(pocl[1]), int(pocl[2])) >= (3, 1) else 2
    return 1 if "rusticl" in names else 0
