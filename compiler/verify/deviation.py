"""How far an array is from another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Deviation:
    """Attributes:
    error: the largest difference between two elements; infinity where shapes, or what is infinite or not a number, differ.
    largest: the largest finite magnitude of what is expected.
    """

    error: float
    largest: float

    @property
    def relative(self) -> float:
        """The error as a part of the largest magnitude; the error itself where that is 0."""
        return self.error / (self.largest or 1.0)

    def within(self, tolerance: float) -> bool:
        return self.relative <= tolerance


def deviation(actual: np.ndarray, expected: np.ndarray) -> Deviation:
    """How far `actual` is from `expected`."""
    with np.errstate(all="ignore"):
        magnitudes = np.abs(expected.astype(np.float64))
        largest = float(magnitudes.max(initial=0.0, where=np.isfinite(magnitudes)))
        if actual.shape != expected.shape:
            return Deviation(np.inf, largest)
        difference = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
        same = (actual == expected) | ((actual != actual) & (expected != expected))
        difference = np.where(same, 0.0, np.where(np.isnan(difference), np.inf, difference))
    return Deviation(float(difference.max(initial=0.0)), largest)
