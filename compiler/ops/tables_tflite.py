"""Functions of 16-bit numbers as LiteRT computes them: tables, with straight lines between their entries, in numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import q15

Function = Callable[[np.ndarray], np.ndarray]

LOW, HIGH = -(1 << 15), (1 << 15) - 1
NUMBERS = np.arange(LOW, HIGH + 1)

PARTS = 512
"""Lines of a table: nine bits of a number are the place in the table, seven the way to the next entry."""

SIGMOID = 1 / (1 + np.exp(-np.arange(256) / 24))
SIGMOID += SIGMOID * (1 - SIGMOID) * (2 * SIGMOID - 1) / 24**2 / 16
SIGMOID = np.append(np.round(SIGMOID * (1 << 16))[:-1], (1 << 16) - 1).astype(np.int64)
"""sigmoid(k / 24) as fractions of 2**16, moved up by half of what a line to the next one misses; but the last is the greatest."""


def by_lines(function: Function, scale: float, offset: int, result: float, real: type[np.floating] = np.float32) -> np.ndarray:
    """What a function of reals gives for each 16-bit number, from the least on, where LiteRT takes 513 of them and draws lines.

    An entry is shifted by half of what the line would miss in its middle.

    Args:
        scale, offset: number k stands for scale * (k - offset). result: the scale of what the function gives.
        real: the type in which LiteRT computes the entries.
    """
    least, most = (real(scale) * real(k - offset) for k in (LOW, HIGH))
    step = (most - least) / real(PARTS)
    per_one = real(1 << 16) / (real(result) * real(HIGH) - real(result) * real(LOW))
    at = np.arange(PARTS).astype(real)
    left = function(least + at * step) * per_one
    middle = _rounded(function(least + at * step + step / real(2)) * per_one)
    right = function(least + (at + real(1)) * step) * per_one
    missed = _rounded((right + _rounded(left)) / real(2)) - middle
    entries = np.append(_rounded(left) - _rounded(missed / real(2)), _rounded(function(np.array([most])) * per_one))
    entries = np.clip(entries, LOW, HIGH).astype(np.int16)
    place, way = (NUMBERS >> 7) + PARTS // 2, NUMBERS & 127
    slope = (entries[1:] - entries[:-1]).astype(np.int64)[place]
    return (entries[place] + (slope * way + 64 >> 7)).astype(np.int16)


def sigmoid(scale: float) -> np.ndarray:
    """Of each 16-bit number, from the least on, with results that are fractions of 2**15."""
    if _power(scale) == -12:
        return q15.sigmoid(NUMBERS).astype(np.int16)
    x = _in_24ths(scale)
    place, way = np.abs(x) >> 9, np.abs(x) & 511
    y = np.where(place >= 255, HIGH << 10, (_line(place) << 9) + way * _slope(place))
    return (np.where(x >= 0, y + (1 << 9), (1 << 25) - y + (1 << 9) - 1) >> 10).astype(np.int16)


def tanh(scale: float) -> np.ndarray:
    """As `sigmoid`: tanh(x) = 2 sigmoid(2 x) - 1."""
    if _power(scale) in (-12, -11):
        return q15.tanh(q15.saturated(NUMBERS << (_power(scale) + 12)), 3).astype(np.int16)
    x = _in_24ths(scale)
    place, way = np.abs(x) >> 8, np.abs(x) & 255
    y = np.where(place >= 255, ((1 << 16) - 1) << 8, (_line(place) << 8) + way * _slope(place)) - (1 << 23)
    return (np.where(x >= 0, y + (1 << 7), -y + (1 << 7) - 1) >> 8).astype(np.int16)


def _line(place: np.ndarray) -> np.ndarray:
    return np.asarray(SIGMOID[np.minimum(place, 255)])


def _slope(place: np.ndarray) -> np.ndarray:
    return _line(place + 1) - _line(place)


def _power(scale: float) -> int:
    """The exponent of a scale that is a power of two, or nearly; else 0."""
    exponent = np.log2(scale)
    return int(np.round(exponent)) if abs(exponent - np.round(exponent)) < 1e-3 else 0


def _in_24ths(scale: float) -> np.ndarray:
    """All 16-bit numbers in units of 1 / (24 * 512), by a factor of 15 bits that is cut."""
    factor, shift = float(np.float32(scale)) * 4096 * 3, 0
    while factor <= HIGH / 2 and shift <= 30:
        factor, shift = factor * 2, shift + 1
    return (NUMBERS * int(factor) + ((1 << shift) >> 1)) >> shift


def _rounded(x: np.ndarray) -> np.ndarray:
    """Halves away from zero."""
    return np.asarray(np.trunc(x + np.copysign(x.dtype.type(0.5), x)))
