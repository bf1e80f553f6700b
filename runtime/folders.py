"""Folders that are written whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PREFIX = ".planish-"
ATTEMPTS = 100
"""How often to try where others write to the same place."""
STALE = 3600.0
"""Seconds after which a scratch folder has no writer any more, where the system has no locks that tell: it was killed."""


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Gives an empty folder to fill, which takes the place of `folder` when the block ends.

    What `folder` held goes only then, with everything in it. Where the block raises, it stays; where the process is
    killed, the name holds the old folder or the new one (where the system cannot exchange two folders in one step, for a
    moment nothing). Links are followed: the folder that they lead to is replaced. Scratch folders of writers that were
    killed are removed in passing.

    Raises:
        OSError: the folder cannot be made, or not be replaced.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    _clean(folder.parent)
    scratch, lock = _scratch(folder.parent)
    try:
        (scratch / "new").mkdir()
        yield scratch / "new"
        _swap(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _scratch(parent: Path) -> tuple[Path, int | None]:
    """A new folder, and what locks it as long as it is open and this process lives, where there are locks."""
    for _ in range(ATTEMPTS):
        scratch = parent / f"{PREFIX}{secrets.token_hex(8)}"
        scratch.mkdir()
        with suppress(BlockingIOError, FileNotFoundError):  # another writer takes it for that of one that was killed
            lock = _locked(scratch)
            if lock is None or scratch.exists():
                return scratch, lock
            os.close(lock)
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(parent))


def _locked(scratch: Path) -> int | None:
    """A lock on a folder, open; None where the system has no locks.

    Raises:
        BlockingIOError: another has it.
        FileNotFoundError: there is no such folder any more.
    """
    if fcntl is None:
        return None
    handle = os.open(scratch, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return handle


def _swap(scratch: Path, folder: Path) -> None:
    """Puts `scratch/new` in the place of `folder`, be there a folder, a file or nothing; others may do so at the same time."""
    if _exchange(scratch / "new", folder):
        return
    for attempt in range(ATTEMPTS):
        old: Path | None = scratch / f"old{attempt}"
        try:
            folder.rename(scratch / f"old{attempt}")
        except FileNotFoundError:
            old = None
        try:
            (scratch / "new").rename(folder)
            return
        except BaseException as error:
            faster = isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES, errno.ENOTDIR)
            if faster and attempt < ATTEMPTS - 1:
                continue  # another writer was; its result goes too
            if old and not folder.exists():
                old.rename(folder)
            raise


def _exchange(one: Path, other: Path) -> bool:
    """Swaps two paths in one step; False where one is missing, or the system cannot."""
    if sys.platform != "linux":
        return False
    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError):
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(renameat2(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)


def _clean(parent: Path) -> None:
    """Removes the scratch folders that nobody has locked; where there are no locks, the old ones."""
    for scratch in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = _locked(scratch)
            if lock is not None or time.time() - scratch.stat().st_mtime > STALE:
                shutil.rmtree(scratch, ignore_errors=True)
            if lock is not None:
                os.close(lock)
