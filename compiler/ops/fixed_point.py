"""The arithmetic of LiteRT's integer kernels: 32-bit integers times factors that are 31-bit fractions and powers of two."""

from __future__ import annotations

import numpy as np

from ..errors import Unsupported
from .elementwise import Cast, Elementwise
from .importing import QuantizedNode
from .quantized import FLOAT

INTEGER = np.dtype(np.int32)

UP, AWAY = 0, 1
"""Where halves are rounded to: those of LiteRT's vector code, and of its scalar code."""


def integers(n: QuantizedNode, value: str) -> str:
    return n.emit(Cast(INTEGER), value)


def integer(n: QuantizedNode, number: int) -> str:
    return n.add_constant(np.array(number, INTEGER))


def in_single(product: np.float32, scale: float) -> float:
    """A factor that LiteRT computes in single precision."""
    return float(product / np.float32(scale))


def rescaled(n: QuantizedNode, value: str, factor: np.ndarray | float, away: np.ndarray | int) -> str:
    """Integers times factors, of all or one for each channel."""
    return shifted(n, value, *fixed(np.asarray(factor)), away)


def fixed(factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Factors as fractions of 2**31, and exponents of two."""
    fraction, exponent = np.frexp(factor)
    multiplier = np.round(fraction * (1 << 31)).astype(np.int64)
    whole = multiplier == 1 << 31
    multiplier, exponent = np.where(whole, multiplier >> 1, multiplier), exponent + whole
    if exponent.max() > 30:
        raise Unsupported(f"the steps of its operands are {factor.max():.3g} of its result's; less than {1 << 30} would be accepted")
    return np.where(exponent < -30, 0, multiplier), np.where(exponent < -30, 0, exponent)


def fixed16(factor: float) -> tuple[int, int]:
    """A factor as a fraction of 2**15, and an exponent of two."""
    multiplier, exponent = fixed(np.array(factor))
    return min((int(multiplier) + (1 << 15)) >> 16, (1 << 15) - 1), int(exponent)


def high16(n: QuantizedNode, value: str, multiplier: int) -> str:
    """The rounded upper half of a product of 16-bit fractions."""
    product = n.emit(Elementwise("add"), n.emit(Elementwise("mul"), value, integer(n, multiplier)), integer(n, 1 << 14))
    return n.emit(Elementwise("shift_right"), product, integer(n, 15))


def divided(n: QuantizedNode, value: str, bits: int) -> str:
    """Integers divided by a power of two, halves away from zero."""
    half = (1 << bits) >> 1
    towards = n.emit(Elementwise("where"), n.emit(Elementwise("less"), value, integer(n, 0)), integer(n, -half), integer(n, half))
    return n.emit(Elementwise("div"), n.emit(Elementwise("add"), value, towards), integer(n, 1 << bits))


def saturated16(n: QuantizedNode, value: str) -> str:
    return n.emit(Elementwise("clip", (-32768.0, 32767.0)), value)


def shifted(n: QuantizedNode, value: str, multiplier: np.ndarray, exponent: np.ndarray, away: np.ndarray | int) -> str:
    """Integers times fractions of 2**31, times powers of two."""
    def constant(array: np.ndarray) -> str:
        return n.add_constant(array.reshape(()) if array.size == 1 else array)

    if (exponent > 0).any():
        value = n.emit(Elementwise("mul"), value, constant(np.left_shift(1, np.maximum(exponent, 0)).astype(INTEGER)))
    factors = [constant(np.asarray(a).astype(INTEGER)) for a in (multiplier, np.maximum(-exponent, 0))]
    up, from_zero = (n.emit(Elementwise(fn), value, *factors) if (np.asarray(away) == mode).any() else ""
                     for fn, mode in (("rescale", UP), ("rescale_away", AWAY)))
    return n.emit(Elementwise("where"), constant(np.asarray(away) == AWAY), from_zero, up) if up and from_zero else up or from_zero


def finished(n: QuantizedNode, value: str, activation: str = "NONE") -> str:
    """Integers, cut to the range of the result's type and of the activation, as steps."""
    return n.emit(Cast(FLOAT), n.emit(Elementwise("clip", ends(n, activation)), value))


def ends(n: QuantizedNode, activation: str = "NONE") -> tuple[float, float]:
    """The least and the greatest steps of the result's type and of the activation."""
    scale, zero_point, low, high = n.grid
    known = {"NONE": (-np.inf, np.inf), "RELU": (0.0, np.inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
    if activation not in known:
        raise Unsupported(f"activation {activation} of quantised numbers; {', '.join(known)} would be accepted")
    cut = [float(np.trunc(v + np.copysign(0.5, v))) for v in np.array(known[activation], np.float32) / np.float32(scale)]
    return max(low - zero_point, cut[0]), min(high - zero_point, cut[1])
