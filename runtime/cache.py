"""Built programs, kept on disk per device and driver.

The cache is never needed and never trusted: a binary that is missing, truncated, altered or refused by the driver is built
again from its source, and a folder that cannot be written is left alone.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import warnings
from pathlib import Path

import pyopencl as cl

from .errors import DeviceError

warnings.filterwarnings("ignore", category=cl.CompilerWarning)  # some drivers talk on success
MAGIC = b"planish-binary-1\n"


def folder() -> Path:
    """Where the binaries lie: `PLANISH_CACHE`, or `planish` in the user's cache folder."""
    chosen = os.environ.get("PLANISH_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "planish"
    base = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else os.environ.get("XDG_CACHE_HOME")
    return Path(base) / "planish" if base else Path.home() / ".cache" / "planish"


def build(context: cl.Context, device: cl.Device, name: str, source: str) -> cl.Program:
    """The program of a kernel's source, from the cache where it holds it.

    Raises:
        DeviceError: the driver cannot build it; with the end of its log.
    """
    path = folder() / f"{_key(device, source)}.bin"
    binary = _read(path)
    if binary:
        try:
            return cl.Program(context, [device], [binary]).build()
        except cl.Error:
            pass  # of another build of the driver: as good as missing
    program = cl.Program(context, source)
    try:
        program.build(devices=[device], cache_dir=False)
    except cl.Error as error:
        log = str(error).strip().replace("\n", " ")
        raise DeviceError(f"{device.name.strip()}: the driver cannot build kernel {name}: {log[-600:]}") from None
    _write(path, program.get_info(cl.program_info.BINARIES)[0])
    return program


def _key(device: cl.Device, source: str) -> str:
    platform = device.platform
    identity = (platform.name, platform.version, device.vendor, device.name, device.version, device.driver_version, source)
    return hashlib.sha256("\0".join(identity).encode()).hexdigest()


def _read(path: Path) -> bytes | None:
    """The payload of a cache file that is whole, else None."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    head = len(MAGIC) + 32
    payload = data[head:]
    if not data.startswith(MAGIC) or data[len(MAGIC) : head] != hashlib.sha256(payload).digest():
        return None
    return payload


def _write(path: Path, payload: bytes) -> None:
    """Writes a cache file whole or not at all; several processes may do so at once."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(MAGIC + hashlib.sha256(payload).digest() + payload)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
