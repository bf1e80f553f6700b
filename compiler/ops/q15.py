"""Functions of fixed-point numbers of 16 bits, number for number as LiteRT's integer LSTM computes them.

A number of `bits` integer bits is a whole number in units of 2**(bits - 15); results have no integer bits. References in numpy on int64;
the same functions in OpenCL C are in the template `lstm_integer`.
"""

from __future__ import annotations

from math import exp

import numpy as np

LOW, HIGH = -(1 << 15), (1 << 15) - 1
WIDEST = 6
"""Integer bits that `tanh` takes, at most."""

POWERS = tuple(round(exp(-(2.0**k)) * (1 << 15)) for k in range(-2, 5))
"""exp(-2**k) for k = -2 … 4; these constants are fractions of 2**15."""
MIDDLE, THIRD = round(exp(-1 / 8) * (1 << 15)), round((1 << 15) / 3)
START, SLOPE = round(48 / 17 * (1 << 13)), round(-32 / 17 * (1 << 13))
"""Of Newton's first guess at 1 / x, with two integer bits."""


def saturated(x: np.ndarray, low: int = LOW, high: int = HIGH) -> np.ndarray:
    return np.asarray(np.clip(x, low, high))


def halved(x: np.ndarray, shift: int | np.ndarray) -> np.ndarray:
    """x / 2**shift, halves away from zero."""
    return np.asarray((x + ((1 << shift) >> 1) - ((x < 0) & (shift > 0))) >> shift)


def scaled(x: np.ndarray, multiplier: int | np.ndarray, exponent: int | np.ndarray) -> np.ndarray:
    """x * multiplier / 2**31 * 2**exponent: halves up, and behind a shift to the right away from zero."""
    return halved(((x << np.maximum(exponent, 0)) * multiplier + (1 << 30)) >> 31, np.maximum(-np.asarray(exponent), 0))


def sigmoid(x: np.ndarray, bits: int = 3) -> np.ndarray:
    positive = saturated(_reciprocal(_exp(-np.abs(x), bits)) << 1)
    return np.where(x > 0, positive, np.where(x < 0, HIGH - positive, 1 << 14))


def tanh(x: np.ndarray, bits: int) -> np.ndarray:
    return np.sign(x) * saturated(_reciprocal(_exp(-np.abs(x), bits + 1)) - (1 << 13) << 2)


def inverse_root(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1 / sqrt(x) of whole numbers from 1 on as multipliers, fractions of 2**31, and exponents."""
    one, shift = x <= 1, np.full(x.shape, 11)
    while np.any(large := x >= 1 << 29):
        x, shift = np.where(large, x >> 2, x), shift + large
    while np.any(small := (x < 1 << 27) & ~one):
        x, shift = np.where(small, x << 2, x), shift - small
    half, root = halved(x >> 1, 1), np.full(x.shape, 1 << 28)
    for _ in range(5):
        cube = _saturated_32(_product_32(_product_32(root, root), root) << 6)
        root = _saturated_32((_product_32(np.asarray(3 << 27), root) - _product_32(half, cube)) << 3)
    root = _product_32(root, np.asarray(1518500250))
    root = np.where(shift < 0, root << np.maximum(-shift, 0), root)
    return np.where(one, (1 << 31) - 1, root), np.where(one, 0, -np.maximum(shift, 0))


def _product(a: np.ndarray, b: np.ndarray | int) -> np.ndarray:
    return np.minimum((a * b + (1 << 14)) >> 15, HIGH)


def _product_32(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray((a * b + (1 << 30)) >> 31)


def _saturated_32(x: np.ndarray) -> np.ndarray:
    return saturated(x, -(1 << 31), (1 << 31) - 1)


def _exp(x: np.ndarray, bits: int) -> np.ndarray:
    """Of numbers up to 0: a power of e from a quarter, and a factor for each bit of the rest."""
    quarter = 1 << (13 - bits)
    part = (x & (quarter - 1)) - quarter
    y, rest = _exp_of_quarter(part << bits), part - x
    for k, power in enumerate(POWERS[: bits + 2]):
        y = np.where(rest & (quarter << k), _product(y, power), y)
    if bits > 5:
        y = np.where(x < -(1 << (20 - bits)), 0, y)
    return np.where(x == 0, HIGH, y)


def _exp_of_quarter(x: np.ndarray) -> np.ndarray:
    """The series of exp around -1/8, for -1/4 <= x < 0."""
    x = x + (1 << 12)
    square = _product(x, x)
    series = _product(halved(_product(square, square), 2) + _product(square, x), THIRD) + square
    return saturated(MIDDLE + _product(x + halved(series, 1), MIDDLE))


def _reciprocal(x: np.ndarray) -> np.ndarray:
    """2 / (1 + x) for 0 <= x <= 1, with two integer bits: Newton's method."""
    half = (x + HIGH + 1) >> 1
    y = START + _product(half, SLOPE)
    for _ in range(3):
        y = y + saturated(_product(y, (1 << 13) - _product(half, y)) << 2)
    return np.asarray(y)
