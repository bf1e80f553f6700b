"""Outputs that are given away: arrays in which the device itself has stored, so that nothing is copied."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pyopencl as cl

LEAST = 1 << 18
"""Bytes of an output from which on copying it takes longer than to tell the kernel of another buffer."""
KEPT = 2
"""Buffers that are kept for the next runs while nobody holds their arrays."""


class Lender:
    """Memory that device and host share, for one output: a run stores there, and who called has the array.

    It comes back when the last array that lies in it is gone, and may then be lent again.
    """

    def __init__(self, make: Callable[[], tuple[cl.Buffer, np.ndarray]]):
        """Args: allocates a buffer and the array on the same memory."""
        self._make = make
        self._free: deque[tuple[cl.Buffer, np.ndarray]] = deque(maxlen=KEPT)

    def lend(self) -> tuple[cl.Buffer, np.ndarray]:
        """A buffer that nobody else writes to, and an array on it, of any contents."""
        try:
            pair = self._free.pop()
        except IndexError:
            pair = self._make()
        owner = _Lent(pair[1])
        weakref.finalize(owner, self._free.append, pair).atexit = False
        return pair[0], np.asarray(owner)


class _Lent:
    """What arrays in lent memory have as their base: it lives as long as one of them."""

    def __init__(self, array: np.ndarray):
        self.__array_interface__: dict[str, Any] = array.__array_interface__
