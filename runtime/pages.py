"""Memory of the host in large pages, where the system has them.

What a CPU's kernels go through, weights and intermediates, takes many translations of addresses in pages of 4 kB.
"""

from __future__ import annotations

import mmap

import numpy as np

LARGE = 1 << 21
"""Bytes of a large page of the usual kind; less memory than that is left in small ones."""


def allocate(nbytes: int) -> np.ndarray:
    """Zeros, as bytes: at least one, aligned to a large page or, where there is less, to a small one.

    Raises:
        MemoryError: the system does not give as much.
    """
    size = max(nbytes, 1)
    if size < LARGE:
        return np.frombuffer(_map(size), np.uint8)
    pages = _map(size + LARGE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(pages, np.uint8)
    start = -whole.ctypes.data % LARGE
    return whole[start : start + size]


def _map(nbytes: int) -> mmap.mmap:
    try:
        return mmap.mmap(-1, nbytes)
    except OSError as error:
        raise MemoryError(f"{nbytes / 1e6:.0f} MB: {error.strerror}") from None
