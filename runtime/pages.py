"""Memory of the host in large pages, where the system has them.

What a CPU's kernels go through, weights and intermediates, takes many translations of addresses in pages of 4 kB.
"""

from __future__ import annotations

import mmap

import numpy as np

LARGE = 1 << 21
"""Bytes of a large page of the usual kind; less memory than that is left in small ones."""


def allocate(nbytes: int) -> np.ndarray:
    """Zeros, as bytes: at least one, aligned to a large page or, where there is less, to a small one."""
    size = max(nbytes, 1)
    if size < LARGE:
        return np.frombuffer(mmap.mmap(-1, size), np.uint8)
    pages = mmap.mmap(-1, size + LARGE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(pages, np.uint8)
    start = -whole.ctypes.data % LARGE
    return whole[start : start + size]
