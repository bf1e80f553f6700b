"""Integer kernels of LiteRT, number for number: operators between tensors of eight bits.

Operands and results are steps: whole numbers of float32, stored number - zero point. Sums of products are exact as long as they stay
below 2**24; from there on the arithmetic is that of 32-bit integers, with factors as 31-bit fractions and powers of two.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from ..errors import Unsupported
from .elementwise import Cast, Elementwise
from .importing import TFLITE, QuantizedNode, quantized_op
from .quantized import FLOAT

INTEGER = np.dtype(np.int32)
PRODUCTS = {"BATCH_MATMUL": (0, 1, 2), "CONV_2D": (0, 1, 2), "DEPTHWISE_CONV_2D": (0, 1, 2), "FULLY_CONNECTED": (0, 1, 2),
            "TRANSPOSE_CONV": (2, 1, 3)}
"""Which operands are the data, the weights, and the bias, whose scale is the product of the others'."""

HEADROOM = 20
"""Bits by which the terms of a sum are shifted to the left before they are brought to one scale."""

UP, AWAY = 0, 1
"""Where halves are rounded to: those of LiteRT's vector code, and of its scalar code."""

LANES = {"DEPTHWISE_CONV_2D": 8, "MEAN": 16}
"""Channels that its vector code takes at once; the rest are left to scalar code."""


@quantized_op(*PRODUCTS)
def tflite_products(n: QuantizedNode) -> str:
    """The operator of floats, on steps, gives the sums; a bias and a factor per channel follow."""
    data, weights, bias = PRODUCTS[n.op]
    bare = tuple("" if k == bias else v for k, v in enumerate(n.inputs))
    activation = "NONE" if n.op == "BATCH_MATMUL" or (n.op == "TRANSPOSE_CONV" and n.version < 4) else n.options.fused_activation_function
    options = n.options if activation == "NONE" else n.options.replaced(fused_activation_function="NONE")
    sums = TFLITE[n.op](replace(n, inputs=bare, options=options))
    assert isinstance(sums, str)
    sums = _integers(n, sums)
    if n.input(bias):
        sums = n.emit(Elementwise("add"), sums, n.input(bias))
    x, w, unsigned = n.scales[data], n.scales[weights], n.grid[2] == 0
    in_single = unsigned or (n.op in ("BATCH_MATMUL", "FULLY_CONNECTED") and w.size == 1)
    steps = (x * w).astype(np.float64) if in_single else x.astype(np.float64) * w
    away = np.array(UP)
    if n.op == "DEPTHWISE_CONV_2D":
        away = np.array(AWAY) if unsigned else _away(n, sums)
    elif n.op == "CONV_2D" and n.shape(data)[3] != n.shape(weights)[3]:
        away = np.array(AWAY)  # LiteRT has groups in its reference kernel alone
    return _finished(n, _rescaled(n, sums, steps / n.grid[0], away), activation)


@quantized_op("ADD", "SUB")
def tflite_sum(n: QuantizedNode) -> str:
    total = n.emit(Elementwise(n.op.lower()), *_on_one_scale(n, HEADROOM))
    widest = 2 * max(float(s[0]) for s in n.scales)
    y = _rescaled(n, total, widest / (float(1 << HEADROOM) * n.grid[0]), AWAY)
    return _finished(n, y, n.options.fused_activation_function)


def _on_one_scale(n: QuantizedNode, headroom: int) -> list[str]:
    """Both operands as multiples of twice the larger scale, shifted to the left by some bits."""
    widest = 2 * max(float(s[0]) for s in n.scales)
    raised = (n.emit(Elementwise("mul"), _integers(n, v), _integer(n, 1 << headroom)) for v in n.inputs)
    return [_rescaled(n, v, float(s[0]) / widest, AWAY) for v, s in zip(raised, n.scales)]


@quantized_op("MUL")
def tflite_product(n: QuantizedNode) -> str:
    product = n.emit(Elementwise("mul"), *(_integers(n, v) for v in n.inputs))
    y = _rescaled(n, product, _in_single(n.scales[0][0] * n.scales[1][0], n.grid[0]), AWAY)
    return _finished(n, y, n.options.fused_activation_function)


@quantized_op("QUANTIZE")
def tflite_requantize(n: QuantizedNode) -> str:
    return _finished(n, _rescaled(n, _integers(n, n.input(0)), float(n.scales[0][0]) / n.grid[0], UP))


@quantized_op("LEAKY_RELU")
def tflite_leaky_relu(n: QuantizedNode) -> str:
    x, scale = _integers(n, n.input(0)), n.scales[0][0]
    above = _rescaled(n, x, _in_single(scale, n.grid[0]), AWAY)
    below = _rescaled(n, x, _in_single(scale * np.float32(n.options.alpha), n.grid[0]), AWAY)
    return _finished(n, n.emit(Elementwise("where"), n.emit(Elementwise("less"), x, _integer(n, 0)), below, above))


@quantized_op("RELU", "RELU6", "RELU_N1_TO_1")
def tflite_relu(n: QuantizedNode) -> str:
    return _finished(n, _rescaled(n, _integers(n, n.input(0)), _in_single(n.scales[0][0], n.grid[0]), AWAY), n.op)


@quantized_op("ABS")
def tflite_abs(n: QuantizedNode) -> str:
    x = n.emit(Elementwise("abs"), _integers(n, n.input(0)))
    return _finished(n, _rescaled(n, x, _in_single(n.scales[0][0], n.grid[0]), AWAY))


@quantized_op("PRELU")
def tflite_prelu(n: QuantizedNode) -> str:
    x, slope = (_integers(n, v) for v in n.inputs)
    above = _rescaled(n, x, _in_single(n.scales[0][0], n.grid[0]), AWAY)
    below = _rescaled(n, n.emit(Elementwise("mul"), x, slope), _in_single(n.scales[0][0] * n.scales[1][0], n.grid[0]), AWAY)
    return _finished(n, n.emit(Elementwise("where"), n.emit(Elementwise("less"), x, _integer(n, 0)), below, above))


@quantized_op("SQUARED_DIFFERENCE")
def tflite_squared_difference(n: QuantizedNode) -> str:
    difference = n.emit(Elementwise("sub"), *_on_one_scale(n, 7))
    square, widest = n.emit(Elementwise("mul"), difference, difference), 2 * max(float(s[0]) for s in n.scales)
    return _finished(n, _rescaled(n, square, widest * widest / (float(1 << 14) * n.grid[0]), AWAY))


@quantized_op("HARD_SWISH")
def tflite_hard_swish(n: QuantizedNode) -> str:
    """x * relu6(x + 3) / 6 in 16 bits: the second factor, as a fraction of 2**15, saturates where it is 0 or 1."""
    x = n.emit(Elementwise("mul"), _integers(n, n.input(0)), _integer(n, 1 << 7))
    half_scale = float(n.scales[0][0]) / (1 << 7)
    by_result, shift = _fixed16(half_scale / n.grid[0])
    by_three, exponent = _fixed16(half_scale / (3 / (1 << 15)))
    scaled = _high16(n, x, by_result)
    gate = x
    if exponent > 0:
        gate = _saturated16(n, n.emit(Elementwise("mul"), gate, _integer(n, 1 << (exponent - 1))))
    gate = _high16(n, gate, by_three)
    if exponent > 0:
        gate = _saturated16(n, n.emit(Elementwise("mul"), gate, _integer(n, 2)))
    if exponent < 0:
        gate = _divided(n, gate, -exponent)
    gate = n.emit(Elementwise("shift_right"), n.emit(Elementwise("add"), gate, _integer(n, 1 << 15)), _integer(n, 1))
    product = n.emit(Elementwise("div"), n.emit(Elementwise("mul"), gate, scaled), _integer(n, 1 << 15))
    return _finished(n, _divided(n, product, -shift))


@quantized_op("MEAN")
def tflite_mean(n: QuantizedNode) -> str:
    """Over rows and columns of images, kept as axes, it is stored numbers that are summed and rescaled."""
    shape = n.shape(0)
    sums = TFLITE["SUM"](replace(n, op="SUM"))
    assert isinstance(sums, str)
    count = prod(shape) // max(n.type(sums).size, 1)
    sums = _integers(n, sums)
    axes = sorted(int(a) % len(shape) for a in n.integers(1, "the axes"))
    scale, result = n.scales[0][0], np.float32(n.grid[0])
    if len(shape) == 4 and axes == [1, 2] and n.options.keep_dims:
        stored = n.emit(Elementwise("add"), sums, _integer(n, count * n.zeros[0]))
        zero = np.float32(n.zeros[0]) * scale / result
        y = _rescaled(n, stored, float(scale / (np.float32(count) * result)), _away(n, stored))
        return _finished(n, n.emit(Elementwise("sub"), y, _integer(n, int(zero + np.copysign(np.float32(0.5), zero)))))
    multiplier, exponent = _fixed(np.array(float(scale) / float(result)))
    shift = min(count.bit_length() - 1, 32, 31 + int(exponent))
    return _finished(n, _shifted(n, sums, (multiplier << shift) // count, exponent - shift, AWAY))


def _away(n: QuantizedNode, value: str) -> np.ndarray:
    """Of each channel, where vector code takes only some, how halves are rounded."""
    channels, lanes = n.shape(value)[-1], LANES[n.op]
    return np.where(np.arange(channels) < channels // lanes * lanes, UP, AWAY)


def _integers(n: QuantizedNode, value: str) -> str:
    return n.emit(Cast(INTEGER), value)


def _integer(n: QuantizedNode, number: int) -> str:
    return n.add_constant(np.array(number, INTEGER))


def _in_single(product: np.float32, scale: float) -> float:
    """A factor that LiteRT computes in single precision."""
    return float(product / np.float32(scale))


def _rescaled(n: QuantizedNode, value: str, factor: np.ndarray | float, away: np.ndarray | int) -> str:
    """Integers times factors, of all or one for each channel."""
    return _shifted(n, value, *_fixed(np.asarray(factor)), away)


def _fixed(factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Factors as fractions of 2**31, and exponents of two."""
    fraction, exponent = np.frexp(factor)
    multiplier = np.round(fraction * (1 << 31)).astype(np.int64)
    whole = multiplier == 1 << 31
    multiplier, exponent = np.where(whole, multiplier >> 1, multiplier), exponent + whole
    if exponent.max() > 30:
        raise Unsupported(f"the steps of its operands are {factor.max():.3g} of its result's; less than {1 << 30} would be accepted")
    return np.where(exponent < -30, 0, multiplier), np.where(exponent < -30, 0, exponent)


def _fixed16(factor: float) -> tuple[int, int]:
    """A factor as a fraction of 2**15, and an exponent of two."""
    multiplier, exponent = _fixed(np.array(factor))
    return min((int(multiplier) + (1 << 15)) >> 16, (1 << 15) - 1), int(exponent)


def _high16(n: QuantizedNode, value: str, multiplier: int) -> str:
    """The rounded upper half of a product of 16-bit fractions."""
    product = n.emit(Elementwise("add"), n.emit(Elementwise("mul"), value, _integer(n, multiplier)), _integer(n, 1 << 14))
    return n.emit(Elementwise("shift_right"), product, _integer(n, 15))


def _divided(n: QuantizedNode, value: str, bits: int) -> str:
    """Integers divided by a power of two, halves away from zero."""
    half = (1 << bits) >> 1
    towards = n.emit(Elementwise("where"), n.emit(Elementwise("less"), value, _integer(n, 0)), _integer(n, -half), _integer(n, half))
    return n.emit(Elementwise("div"), n.emit(Elementwise("add"), value, towards), _integer(n, 1 << bits))


def _saturated16(n: QuantizedNode, value: str) -> str:
    return n.emit(Elementwise("clip", (-32768.0, 32767.0)), value)


def _shifted(n: QuantizedNode, value: str, multiplier: np.ndarray, exponent: np.ndarray, away: np.ndarray | int) -> str:
    operands = (np.asarray(a).astype(INTEGER) for a in (multiplier, exponent, away))
    return n.emit(Elementwise("rescale"), value, *(n.add_constant(a.reshape(()) if a.size == 1 else a) for a in operands))


def _finished(n: QuantizedNode, value: str, activation: str = "NONE") -> str:
    """Integers, cut to the range of the result's type and of the activation, as steps."""
    scale, zero_point, low, high = n.grid
    known = {"NONE": (-np.inf, np.inf), "RELU": (0.0, np.inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
    if activation not in known:
        raise Unsupported(f"activation {activation} of quantised numbers; {', '.join(known)} would be accepted")
    ends = [float(np.trunc(v + np.copysign(0.5, v))) for v in np.array(known[activation], np.float32) / np.float32(scale)]
    clip = Elementwise("clip", (max(low - zero_point, ends[0]), min(high - zero_point, ends[1])))
    return n.emit(Cast(FLOAT), n.emit(clip, value))
