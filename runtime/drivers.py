"""Which OpenCL drivers this process sees: the system's, and the CPU driver that `pip install 'planish[cpu]'` brings.

A driver is a shared library named by an `.icd` file in a vendors folder; the OpenCL loader reads that folder once per
process, when platforms are first asked for. PyPI's Intel driver registers itself nowhere, and `OCL_ICD_VENDORS`, which
could name it, *replaces* the default folder. So the loader's one reading is given a temporary folder that holds the
system's own entries and ours; the environment is as before when `platforms` returns.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pyopencl as cl

from .errors import DeviceError

FIXED_BY_USER = ("OCL_ICD_VENDORS", "OCL_ICD_FILENAMES", "OPENCL_VENDOR_PATH")
"""Whoever sets one of these has chosen the drivers; nothing is added to them."""

SYSTEM_VENDORS = (Path("/etc/OpenCL/vendors"), Path(sys.prefix, "etc/OpenCL/vendors"))
"""Where loaders look by default; the second is that of conda's."""

_first_reading = threading.Lock()


def platforms() -> tuple[cl.Platform, ...]:
    """The OpenCL platforms, in the loader's order; empty where no driver is installed.

    The PyPI driver can be added only by the process's first query: after someone else's `pyopencl.get_platforms()`
    this returns what that one saw.

    Raises:
        DeviceError: the loader itself is out of order.
    """
    with _first_reading:
        return _platforms()


def packaged() -> Path | None:
    """The library of PyPI's `intel-opencl-rt` where this environment has it."""
    try:
        files = importlib.metadata.files("intel-opencl-rt") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    libraries = (Path(str(file.locate())).resolve() for file in files if file.name == "libintelocl.so")
    return next((library for library in libraries if library.exists()), None)


def fixed_by_user() -> str | None:
    """The first of `FIXED_BY_USER` that is set, as `NAME=value`."""
    return next((f"{name}={os.environ[name]}" for name in FIXED_BY_USER if os.environ.get(name)), None)


@functools.cache
def _platforms() -> tuple[cl.Platform, ...]:
    library = None if fixed_by_user() else packaged()
    with _shown(library) if library else nullcontext():
        try:
            return tuple(cl.get_platforms())
        except cl.Error as error:
            if error.code == cl.status_code.PLATFORM_NOT_FOUND_KHR:
                return ()
            raise DeviceError(f"the OpenCL loader fails: {error}") from None


@contextmanager
def _shown(library: Path) -> Iterator[None]:
    """`OCL_ICD_VENDORS` naming a folder with the system's entries and `library`, for as long as the block lasts."""
    entries = {str(library): "planish"}
    for entry in (entry for folder in SYSTEM_VENDORS for entry in sorted(folder.glob("*.icd"))):
        with suppress(OSError, UnicodeDecodeError, IndexError):  # the loader passes over such entries too
            entries.setdefault(entry.read_text().splitlines()[0].strip(), entry.stem)
    with tempfile.TemporaryDirectory(prefix="planish-vendors-") as folder:
        for number, (driver, name) in enumerate(entries.items()):
            Path(folder, f"{number:02}-{name}.icd").write_text(driver + "\n")
        os.environ["OCL_ICD_VENDORS"] = folder
        try:
            yield
        finally:
            del os.environ["OCL_ICD_VENDORS"]
