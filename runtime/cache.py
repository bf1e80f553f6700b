"""Built programs, and what else is known of a device, kept on disk per device and driver.

The cache is never needed and never trusted: a binary that is missing, truncated, altered or refused by the driver is built
again from its source, and a folder that cannot be written is left alone. It may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

import pyopencl as cl

from .devices import identity
from .errors import DeviceError

warnings.filterwarnings("ignore", category=cl.CompilerWarning)  # some drivers talk on success
MAGIC = b"planish-binary-1\n"
LOG_END = 600
"""Characters of a driver's log that an error shows."""


def folder() -> Path | None:
    """Where the binaries lie: `PLANISH_CACHE`, or `planish` in the user's cache folder; None for a user without a home, or "off"."""
    chosen = os.environ.get("PLANISH_CACHE")
    if chosen == "off":
        return None
    if chosen:
        return Path(chosen)
    base = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else os.environ.get("XDG_CACHE_HOME")
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 -- gives "~" where there is none, while Path.home raises
    if base:
        return Path(base) / "planish"
    if not home.is_absolute():
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "planish"


def build(context: cl.Context, device: cl.Device, name: str, source: str, options: tuple[str, ...] = ()) -> cl.Program:
    """The program of a kernel's source, from the cache where it holds it.

    Args:
        options: of the driver's compiler.

    Raises:
        DeviceError: the driver cannot build it; with the end of its log.
    """
    key = "\n".join((*options, source))
    binary = read(device, key)
    program = _load(context, device, name, binary) if binary else None
    if program:
        return program
    program = cl.Program(context, source)
    try:
        program.build(list(options), devices=[device], cache_dir=False)  # type: ignore[arg-type]  # False: without pyopencl's own cache
    except cl.Error as error:
        raise DeviceError(f"{device.name.strip()}: the driver cannot build kernel {name}: {_log(error)}") from None
    if folder():  # asking for a binary costs PoCL as much as building
        (binary,) = program.get_info(cl.program_info.BINARIES)  # type: ignore[misc]
        if binary:
            write(device, key, binary)
    return program


def read(device: cl.Device, text: str) -> bytes | None:
    """What was kept for a device under a text; None where nothing whole is."""
    path = _path(device, text)
    return _read(path) if path else None


def write(device: cl.Device, text: str, payload: bytes) -> None:
    """Keeps something for a device under a text, where there is a folder that can be written."""
    path = _path(device, text)
    if path:
        _write(path, payload)


def _path(device: cl.Device, text: str) -> Path | None:
    cache = folder()
    return cache / f"{_key(device, text)}.bin" if cache else None


def _load(context: cl.Context, device: cl.Device, name: str, binary: bytes) -> cl.Program | None:
    """The program of a binary; None where the driver does not take it, or it lacks the kernel."""
    try:
        program = cl.Program(context, [device], [binary]).build()
        return program if name in str(program.get_info(cl.program_info.KERNEL_NAMES)).split(";") else None
    except cl.Error:
        return None


def _log(error: cl.Error) -> str:
    """The end of the driver's log, on one line. pyopencl leaves a copy of the source behind: it is removed."""
    text, _, rest = str(error).partition("\n(options: ")
    saved = re.search(r"\(source saved as (.+)\)\s*$", rest)
    if saved:
        Path(saved[1]).unlink(missing_ok=True)
    log = " ".join(text.rpartition("\nBuild on ")[2].partition("\n")[2].split() or text.split())
    return log if len(log) <= LOG_END else f"… {log[-LOG_END:]}"


def _key(device: cl.Device, source: str) -> str:
    return hashlib.sha256("\0".join((*identity(device), source)).encode()).hexdigest()


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
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
