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

PREFIX = ".planish-"
ATTEMPTS = 100
"""How often to try where others write to the same place."""
STALE = 3600.0
"""Seconds after which a scratch folder has no writer any more: it was killed."""


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
    scratch = folder.parent / f"{PREFIX}{secrets.token_hex(8)}"
    scratch.mkdir()
    try:
        (scratch / "new").mkdir()
        yield scratch / "new"
        _swap(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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
    for scratch in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - scratch.stat().st_mtime > STALE:
                shutil.rmtree(scratch, ignore_errors=True)
