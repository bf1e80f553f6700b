"""Integer kernels of LiteRT, number for number: operators between tensors of eight bits.

Operands and results are steps: whole numbers of float32, stored number - zero point. Sums of products are exact as long as they stay
below 2**24; from there on the arithmetic is that of 32-bit integers, with factors as 31-bit fractions and powers of two.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from .elementwise import Cast, Elementwise
from .fixed_point import (
    AWAY,
    INTEGER,
    UP,
    divided,
    finished,
    fixed,
    fixed16,
    high16,
    in_single,
    integer,
    integers,
    rescaled,
    saturated16,
    shifted,
)
from .importing import EIGHT, SIXTEEN, TFLITE, QuantizedNode, quantized_op

PRODUCTS = {"BATCH_MATMUL": (0, 1, 2), "CONV_2D": (0, 1, 2), "DEPTHWISE_CONV_2D": (0, 1, 2), "FULLY_CONNECTED": (0, 1, 2),
            "TRANSPOSE_CONV": (2, 1, 3)}
"""Which operands are the data, the weights, and the bias, whose scale is the product of the others'."""

HEADROOM = {8: 20, 16: 15}
"""Bits by which the terms of a sum are shifted to the left before they are brought to one scale, by those of the terms."""

BASE = 256
"""Of the digits of 16-bit data."""

ANY = (EIGHT, SIXTEEN)

LANES = {"DEPTHWISE_CONV_2D": 8, "MEAN": 16}
"""Channels that its vector code takes at once; the rest are left to scalar code."""


@quantized_op(*PRODUCTS)
def tflite_products(n: QuantizedNode) -> str:
    """Sums of products; a bias and a factor per channel follow."""
    data, weights, bias = PRODUCTS[n.op]
    sums, activation = product_sums(n, INTEGER)
    if n.input(bias):
        sums = n.emit(Elementwise("add"), sums, n.input(bias))
    away = np.array(UP)
    if n.op == "DEPTHWISE_CONV_2D":
        away = np.array(AWAY) if n.grid[2] == 0 else _away(n, sums)
    elif n.op == "CONV_2D" and n.shape(data)[3] != n.shape(weights)[3]:
        away = np.array(AWAY)  # LiteRT has groups in its reference kernel alone
    return finished(n, rescaled(n, sums, factors(n), away), activation)


def product_sums(n: QuantizedNode, dtype: np.dtype) -> tuple[str, str]:
    """The operator of floats, on steps, without a bias, as integers of a type; and the activation that is to follow.

    Data of 16 bits are two digits of base 256, the higher one with the sign, so that the sums of each are exact.
    """
    data, _, bias = PRODUCTS[n.op]
    bare = tuple("" if k == bias else v for k, v in enumerate(n.inputs))
    activation = "NONE" if n.op == "BATCH_MATMUL" or (n.op == "TRANSPOSE_CONV" and n.version < 4) else n.options.fused_activation_function
    options = n.options if activation == "NONE" else n.options.replaced(fused_activation_function="NONE")

    def sums(x: str) -> str:
        y = TFLITE[n.op](replace(n, inputs=tuple(x if k == data else v for k, v in enumerate(bare)), options=options))
        assert isinstance(y, str)
        return n.emit(Cast(dtype), y)

    x = n.input(data)
    if n.bits[data] == 8:
        return sums(x), activation
    high = n.emit(Elementwise("floor"), n.emit(Elementwise("mul"), x, n.scalar(1 / BASE, x)))
    low = n.emit(Elementwise("sub"), x, n.emit(Elementwise("mul"), high, n.scalar(BASE, x)))
    total = n.emit(Elementwise("mul"), sums(high), n.add_constant(np.array(BASE, dtype)))
    return n.emit(Elementwise("add"), sums(low), total), activation


def factors(n: QuantizedNode) -> np.ndarray:
    """The steps of products in those of the result, of all or one for each channel."""
    x, w = (n.scales[k] for k in PRODUCTS[n.op][:2])
    in_single = n.grid[2] == 0 or (n.op in ("BATCH_MATMUL", "FULLY_CONNECTED") and w.size == 1)
    return ((x * w).astype(np.float64) if in_single else x.astype(np.float64) * w) / n.grid[0]


@quantized_op("ADD", "SUB", bits=ANY)
def tflite_sum(n: QuantizedNode) -> str:
    """Where scales of 16 bits are powers of two, each term is rounded to the result's."""
    powers = [np.log2(s) for s in (*(float(s[0]) for s in n.scales), n.grid[0])]
    if n.bits[0] == 16 and n.options.pot_scale_int16 and all(p.is_integer() and p <= powers[2] for p in powers):
        terms = [divided(n, integers(n, v), int(powers[2] - p)) for v, p in zip(n.inputs, powers)]
        return finished(n, n.emit(Elementwise(n.op.lower()), *terms), n.options.fused_activation_function)
    headroom = HEADROOM[n.bits[0]]
    total = n.emit(Elementwise(n.op.lower()), *_on_one_scale(n, headroom))
    widest = 2 * max(float(s[0]) for s in n.scales)
    y = rescaled(n, total, widest / (float(1 << headroom) * n.grid[0]), AWAY)
    return finished(n, y, n.options.fused_activation_function)


def _on_one_scale(n: QuantizedNode, headroom: int) -> list[str]:
    """Both operands as multiples of twice the larger scale, shifted to the left by some bits."""
    widest = 2 * max(float(s[0]) for s in n.scales)
    raised = (n.emit(Elementwise("mul"), integers(n, v), integer(n, 1 << headroom)) for v in n.inputs)
    return [rescaled(n, v, float(s[0]) / widest, AWAY) for v, s in zip(raised, n.scales)]


@quantized_op("MUL", bits=ANY)
def tflite_product(n: QuantizedNode) -> str:
    product = n.emit(Elementwise("mul"), *(integers(n, v) for v in n.inputs))
    y = rescaled(n, product, in_single(n.scales[0][0] * n.scales[1][0], n.grid[0]), AWAY)
    return finished(n, y, n.options.fused_activation_function)


@quantized_op("QUANTIZE", bits=(EIGHT, (8, 16), (16, 8), SIXTEEN))
def tflite_requantize(n: QuantizedNode) -> str:
    return finished(n, rescaled(n, integers(n, n.input(0)), float(n.scales[0][0]) / n.grid[0], UP if n.bits[0] == 8 else AWAY))


@quantized_op("LEAKY_RELU", bits=ANY)
def tflite_leaky_relu(n: QuantizedNode) -> str:
    x, scale = integers(n, n.input(0)), n.scales[0][0]
    above = rescaled(n, x, in_single(scale, n.grid[0]), AWAY)
    below = rescaled(n, x, in_single(scale * np.float32(n.options.alpha), n.grid[0]), AWAY)
    return finished(n, n.emit(Elementwise("where"), n.emit(Elementwise("less"), x, integer(n, 0)), below, above))


@quantized_op("RELU", "RELU6", "RELU_N1_TO_1", bits=ANY)
def tflite_relu(n: QuantizedNode) -> str:
    return finished(n, rescaled(n, integers(n, n.input(0)), in_single(n.scales[0][0], n.grid[0]), AWAY), n.op)


@quantized_op("ABS", bits=ANY)
def tflite_abs(n: QuantizedNode) -> str:
    x = n.emit(Elementwise("abs"), integers(n, n.input(0)))
    return finished(n, rescaled(n, x, in_single(n.scales[0][0], n.grid[0]), AWAY))


@quantized_op("PRELU", bits=ANY)
def tflite_prelu(n: QuantizedNode) -> str:
    x, slope = (integers(n, v) for v in n.inputs)
    above = rescaled(n, x, in_single(n.scales[0][0], n.grid[0]), AWAY)
    below = rescaled(n, n.emit(Elementwise("mul"), x, slope), in_single(n.scales[0][0] * n.scales[1][0], n.grid[0]), AWAY)
    return finished(n, n.emit(Elementwise("where"), n.emit(Elementwise("less"), x, integer(n, 0)), below, above))


@quantized_op("SQUARED_DIFFERENCE")
def tflite_squared_difference(n: QuantizedNode) -> str:
    difference = n.emit(Elementwise("sub"), *_on_one_scale(n, 7))
    square, widest = n.emit(Elementwise("mul"), difference, difference), 2 * max(float(s[0]) for s in n.scales)
    return finished(n, rescaled(n, square, widest * widest / (float(1 << 14) * n.grid[0]), AWAY))


@quantized_op("HARD_SWISH")
def tflite_hard_swish(n: QuantizedNode) -> str:
    """x * relu6(x + 3) / 6 in 16 bits: the second factor, as a fraction of 2**15, saturates where it is 0 or 1."""
    x = n.emit(Elementwise("mul"), integers(n, n.input(0)), integer(n, 1 << 7))
    half_scale = float(n.scales[0][0]) / (1 << 7)
    by_result, shift = fixed16(half_scale / n.grid[0])
    by_three, exponent = fixed16(half_scale / (3 / (1 << 15)))
    scaled = high16(n, x, by_result)
    gate = x
    if exponent > 0:
        gate = saturated16(n, n.emit(Elementwise("mul"), gate, integer(n, 1 << (exponent - 1))))
    gate = high16(n, gate, by_three)
    if exponent > 0:
        gate = saturated16(n, n.emit(Elementwise("mul"), gate, integer(n, 2)))
    if exponent < 0:
        gate = divided(n, gate, -exponent)
    gate = n.emit(Elementwise("shift_right"), n.emit(Elementwise("add"), gate, integer(n, 1 << 15)), integer(n, 1))
    product = n.emit(Elementwise("div"), n.emit(Elementwise("mul"), gate, scaled), integer(n, 1 << 15))
    return finished(n, divided(n, product, -shift))


@quantized_op("MEAN", bits=ANY)
def tflite_mean(n: QuantizedNode) -> str:
    """Over rows and columns of images, kept as axes, it is stored numbers that are summed and rescaled."""
    shape = n.shape(0)
    sums = TFLITE["SUM"](replace(n, op="SUM", inputs=(integers(n, n.input(0)), n.input(1))))
    assert isinstance(sums, str)
    count = prod(shape) // max(n.type(sums).size, 1)
    axes = sorted(int(a) % len(shape) for a in n.integers(1, "the axes"))
    scale, result = n.scales[0][0], np.float32(n.grid[0])
    if n.bits[0] == 8 and len(shape) == 4 and axes == [1, 2] and n.options.keep_dims:
        stored = n.emit(Elementwise("add"), sums, integer(n, count * n.zeros[0]))
        zero = np.float32(n.zeros[0]) * scale / result
        y = rescaled(n, stored, float(scale / (np.float32(count) * result)), _away(n, stored))
        return finished(n, n.emit(Elementwise("sub"), y, integer(n, int(zero + np.copysign(np.float32(0.5), zero)))))
    multiplier, exponent = fixed(np.array(float(scale) / float(result)))
    shift = min(count.bit_length() - 1, 32, 31 + int(exponent))
    return finished(n, shifted(n, sums, (multiplier << shift) // count, exponent - shift, AWAY))


def _away(n: QuantizedNode, value: str) -> np.ndarray:
    """Of each channel, where vector code takes only some, how halves are rounded."""
    channels, lanes = n.shape(value)[-1], LANES[n.op]
    return np.where(np.arange(channels) < channels // lanes * lanes, UP, AWAY)
