"""Operators between tensors of 16 bits as LiteRT computes them in integers; what they share with 8 bits is in `quantized_tflite`.

Sums of products of 16-bit data and 8-bit weights are exact, as all else; with weights of 16 bits they are those of floats.
"""

from __future__ import annotations

from dataclasses import replace
from math import erfc, sqrt

import numpy as np

from ..errors import Unsupported
from . import tables_tflite as tables
from .elementwise import Cast, Elementwise
from .fixed_point import AWAY, INTEGER, ends, finished, fixed, integer, integers, rescaled
from .gather import Gather
from .importing import SIXTEEN, TFLITE, QuantizedNode, Result, quantized_op
from .quantized import FLOAT
from .quantized_tflite import PRODUCTS, factors, product_sums, tflite_products
from .reduce import Reduce

LONG = np.dtype(np.int64)
RANGE = 10.0
"""Of the table of powers of e: below, they are those of -10."""


@quantized_op(*PRODUCTS, bits=(SIXTEEN,))
def tflite_wide_products(n: QuantizedNode) -> str:
    """A bias of 32 bits leads to their arithmetic. Else, and where weights have 16, sums of 64 bits are multiplied by factors of 15.

    With weights of 8, those of FULLY_CONNECTED are doubles in LiteRT; their factors have as many bits as there is room for.
    """
    bias, narrow = n.input(PRODUCTS[n.op][2]), n.bits[1] == 8
    if narrow and bias and n.type(bias).dtype == INTEGER:
        return tflite_products(n)
    total, activation = product_sums(n, LONG)
    if bias:
        total = n.emit(Elementwise("add"), total, n.emit(Cast(LONG), bias))
    multiplier, exponent = fixed(factors(n))
    bits = min(62 - (n.shape(1)[-1] << 22).bit_length(), 30) if narrow and n.op == "FULLY_CONNECTED" else 15
    multiplier = np.minimum(multiplier + (1 << 30 - bits) >> 31 - bits, (1 << bits) - 1)
    shift = bits - exponent.astype(np.int64)
    if shift.min() < 1:
        most = 1 << bits - 1
        raise Unsupported(f"the steps of its products are {factors(n).max():.3g} of its result's; less than {most} would be accepted")
    product = n.emit(Elementwise("mul"), total, n.add_constant(multiplier))
    y = n.emit(Elementwise("add"), product, n.add_constant(1 << shift >> 1))
    return finished(n, n.emit(Elementwise("shift_right"), y, n.add_constant(shift)), activation)


@quantized_op("SUM", bits=(SIXTEEN,))
def tflite_wide_sum(n: QuantizedNode) -> str:
    """Integers, times a float."""
    sums = TFLITE["SUM"](replace(n, inputs=(integers(n, n.input(0)), n.input(1))))
    assert isinstance(sums, str)
    steps = n.emit(Elementwise("mul"), n.emit(Cast(FLOAT), sums), n.add_constant(n.scales[0][0] / np.float32(n.grid[0])))
    return n.emit(Elementwise("quantize", (1.0, 0.0, *ends(n))), steps)


@quantized_op("AVERAGE_POOL_2D", bits=(SIXTEEN,))
def tflite_wide_average_pool(n: QuantizedNode) -> str:
    """Quotients of floats lie on a half, or further from it than by half a count."""
    o = n.options
    average = TFLITE[n.op](replace(n, options=o.replaced(fused_activation_function="NONE")))
    assert isinstance(average, str)
    nudge = 0.25 / (o.filter_height * o.filter_width)
    return n.emit(Elementwise("quantize_nudged", (1.0, *ends(n, o.fused_activation_function), 0.0, nudge)), average)


@quantized_op("CONCATENATION", bits=(SIXTEEN,))
def tflite_wide_concatenation(n: QuantizedNode) -> Result:
    """Stored numbers are taken for what they are, whatever the grids."""
    return TFLITE[n.op](n)


@quantized_op("LOGISTIC", "TANH", bits=(SIXTEEN,))
def tflite_wide_sigmoid(n: QuantizedNode) -> str:
    function = tables.sigmoid if n.op == "LOGISTIC" else tables.tanh
    return tabulated(n, _numbers(n), function(float(n.scales[0][0])), FLOAT)


@quantized_op("EXP", "GELU", "LOG", "RSQRT", bits=(SIXTEEN,))
def tflite_wide_function(n: QuantizedNode) -> str:
    """Where a logarithm or an inverse root has no value, it is the least number, or the greatest."""
    least, greatest = n.grid[2] * n.grid[0], n.grid[3] * n.grid[0]
    functions: dict[str, tables.Function] = {
        "EXP": np.exp,
        "GELU": _gelu_tanh if n.op == "GELU" and n.options.approximate else _gelu,
        "LOG": lambda x: np.log(x, where=x > 0, out=np.full_like(x, least)),
        "RSQRT": lambda x: np.divide(1, np.sqrt(np.maximum(x, 0)), where=x > 0, out=np.full_like(x, greatest)),
    }
    table = tables.by_lines(functions[n.op], float(n.scales[0][0]), 0, n.grid[0])
    return tabulated(n, _numbers(n), table, FLOAT)


@quantized_op("SOFTMAX", bits=(SIXTEEN,))
def tflite_wide_softmax(n: QuantizedNode) -> str:
    """Powers of e from a table over [-10, 0], times 1 / sum from a table over [1, 2], where shifts have brought the sum."""
    x, last = integers(n, n.input(0)), (len(n.shape(0)) - 1,)
    below = n.emit(Elementwise("sub"), x, n.emit(Reduce("max", last, keepdims=True), x))
    in_table = float(n.scales[0][0] * np.float32(n.options.beta)) / (RANGE / 65535)
    below = n.emit(Elementwise("clip", (-65535, 0)), rescaled(n, below, in_table, AWAY))
    powers = tables.by_lines(np.exp, RANGE / 65535, tables.HIGH, 2 / 65535, np.float64)
    power = tabulated(n, n.emit(Elementwise("add"), below, integer(n, tables.HIGH)), powers, INTEGER)
    total = n.emit(Reduce("sum", last, keepdims=True), power)
    zeros = n.emit(Elementwise("clz"), total)
    one = n.emit(Elementwise("shift_left"), total, n.emit(Elementwise("sub"), zeros, integer(n, 1)))
    one = n.emit(Elementwise("add"), n.emit(Elementwise("shift_right"), one, integer(n, 13)), integer(n, 1))
    one = n.emit(Elementwise("shift_right"), one, integer(n, 1))
    inverses = tables.by_lines(lambda v: 1 / (1 + v), 1 / 65535, tables.LOW, 2 / 65535, np.float64)
    at = n.emit(Elementwise("minimum"), n.emit(Elementwise("sub"), one, integer(n, 3 << 15)), integer(n, tables.HIGH))
    inverse = tabulated(n, at, inverses, INTEGER)
    shift = n.emit(Elementwise("sub"), integer(n, 31), zeros)
    half = n.emit(Elementwise("shift_left"), integer(n, 1), n.emit(Elementwise("sub"), shift, integer(n, 1)))
    product = n.emit(Elementwise("mul"), power, inverse)
    return finished(n, n.emit(Elementwise("shift_right"), n.emit(Elementwise("add"), product, half), shift))


def _numbers(n: QuantizedNode) -> str:
    """The numbers stored, which are the steps."""
    if n.zeros[0] or n.grid[1]:
        raise Unsupported(f"zero points of {n.zeros[0]} and {n.grid[1]:g} with 16 bits; 0 would be accepted")
    return integers(n, n.input(0))


def tabulated(n: QuantizedNode, numbers: str, table: np.ndarray, dtype: np.dtype) -> str:
    """The entries of a table, given from the least 16-bit number on, at such numbers.

    Negative ones count from the end, where the table has the entries of these.
    """
    return n.emit(Gather(0), n.add_constant(np.roll(table, tables.LOW).astype(dtype)), numbers)


def _gelu(x: np.ndarray) -> np.ndarray:
    of = x * np.float32(-sqrt(0.5))
    return np.float32(0.5) * x * np.array([erfc(v) for v in of], np.float32)


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    cube = np.float32(0.044715) * x * x * x
    return np.float32(0.5) * x * (np.float32(1) + np.tanh(np.float32(sqrt(2 / np.pi)) * (x + cube)))
