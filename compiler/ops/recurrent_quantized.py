"""The recurrent operators of TFLite in LiteRT's integers, number for number: data of 8 bits, cell states and features of 16."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

import numpy as np

from ..errors import Unsupported
from .elementwise import Cast, Elementwise
from .fixed_point import AWAY, INTEGER, UP, divided, finished, fixed, integer, integers, rescaled, saturated16
from .importing import QuantizedNode, quantized_op
from .lstm_integer import GATES, OPERANDS, PEEPED, Factor, IntegerLstm
from .matmul import MatMul
from .movement import Concat, Reshape, Slice, Transpose
from .q15 import WIDEST
from .quantized import FLOAT
from .quantized_tflite_wide import tabulated
from .recurrent_tflite import input_products, parts, side_by_side, time_first
from .reduce import Reduce
from .tables_tflite import sigmoid, tanh

INPUT_WEIGHTS, WEIGHTS, PEEPHOLES, BIASES, NORMS = range(1, 5), range(5, 9), range(9, 12), range(12, 16), range(20, 24)
PROJECTION, PROJECTION_BIAS, HIDDEN, CELL = 16, 17, 18, 19
BASIC_BITS = 4
"""Integer bits of the cell state of a basic LSTM."""


@quantized_op("UNIDIRECTIONAL_SEQUENCE_LSTM")
def tflite_integer_sequence_lstm(n: QuantizedNode) -> str:
    return time_first(n, _lstm(n, time_first(n, n.input(0)), alone=not n.options.time_major))


@quantized_op("LSTM")
def tflite_integer_lstm(n: QuantizedNode) -> tuple[str, ...]:
    """One step."""
    if n.options.kernel_type == "BASIC":
        return _basic(n)
    y = _lstm(n, n.emit(Reshape((1, *n.shape(0))), n.input(0)), alone=False)
    return (n.emit(Reshape(n.shape(y)[1:]), y),)


@quantized_op("SVDF")
def tflite_integer_svdf(n: QuantizedNode) -> str:
    """As of floats; features are rounded before they join the state."""
    x, features, times, bias = n.input(0), n.input(1), n.input(2), n.input(3)
    batch, (count, memory), rank = n.shape(x)[0], n.shape(times), n.options.rank
    (x_scale, feature_scale, time_scale), state_scale = (s[0] for s in n.scales[:3]), n.scales[4][0]
    feature = integers(n, n.emit(MatMul(), x, n.emit(Transpose((1, 0)), features)))
    feature = saturated16(n, rescaled(n, feature, float(x_scale * feature_scale / state_scale), AWAY))
    state = n.emit(Reshape((batch, count, memory)), integers(n, n.input(4)))
    kept = n.emit(Slice((0, 0, 1), (batch, count, memory - 1), (1, 1, 1)), state)
    state = n.emit(Concat(2), kept, n.emit(Reshape((batch, count, 1)), feature))
    n.assign(4, n.emit(Cast(FLOAT), n.emit(Reshape(n.shape(4)), state)))
    sums = n.emit(Reduce("sum", (2,), False), n.emit(Elementwise("mul"), state, integers(n, times)))
    y = n.emit(Reduce("sum", (2,), False), n.emit(Reshape((batch, count // rank, rank)), sums))
    y = n.emit(Elementwise("add"), y, bias) if bias else y
    return finished(n, rescaled(n, y, float(state_scale * time_scale / np.float32(n.grid[0])), AWAY))


def _lstm(n: QuantizedNode, x: str, *, alone: bool) -> str:
    """[time, batch, outputs]; the states become those behind the last step.

    Args:
        alone: each sequence is walked by itself, not all of them step by step.
    """
    coupled = not n.input(INPUT_WEIGHTS[0])
    gates = range(coupled, 4)
    units, (batch, state) = n.shape(n.input(BIASES[-1]))[0], n.shape(n.input(HIDDEN))
    normal, projected = any(map(n.input, NORMS)), bool(n.input(PROJECTION))
    if any(len(n.shape(n.input(WEIGHTS[k]))) != 2 for k in gates):
        raise Unsupported("diagonal recurrent weights; matrices would be accepted")
    steps = [np.float32(n.intermediates[k][0] if normal else 2.0**-12) for k in range(4)]
    hidden_scale, hidden_zero = np.float32(n.intermediates[4][0]), n.intermediates[4][1]
    scale = {k: s[0] for k, s in enumerate(n.scales) if s.size}

    def factors(operands: Sequence[int], data: np.float32) -> list[np.float32]:
        return [scale[operands[k]] * data / steps[k] for k in gates]

    bias = n.emit(Concat(0), *(n.input(BIASES[k]) for k in gates))
    z = integers(n, input_products(n, x, [n.input(INPUT_WEIGHTS[k]) for k in gates]))
    z = z if normal else n.emit(Elementwise("add"), z, bias)
    z = saturated16(n, rescaled(n, z, np.repeat(np.array(factors(INPUT_WEIGHTS, scale[0]), np.float64), units), AWAY))
    tensors = {"z": z, "r": _weights(n, side_by_side(n, [n.input(WEIGHTS[k]) for k in gates]), "int8"),
               "h0": integers(n, n.input(HIDDEN)), "c0": integers(n, n.input(CELL))}
    bits, peephole, norms = _cell_bits(float(scale[CELL])), list[Factor](), list[np.float32]()
    if any(map(n.input, PEEPHOLES)):
        tensors["peepholes"] = n.add_constant(_peepholes(n, (batch, units, state), alone))
        own = [(k, steps[GATES.index(name)]) for k, name in zip(PEEPHOLES, PEEPED)]
        peephole = [_factor(np.float32(2.0 ** (bits - 15) * scale[k] / step)) if n.input(k) else (0, 0) for k, step in own]
    if normal:
        norms = [scale[NORMS[k]] for k in gates]
        tensors["scale"] = _weights(n, n.emit(Concat(0), *(n.input(NORMS[k]) for k in gates)), "int16")
        tensors["shift"] = bias
    if projected:
        tensors["projection"] = _weights(n, n.emit(Transpose((1, 0)), n.input(PROJECTION)), "int8")
        if n.input(PROJECTION_BIAS):
            tensors["projection_bias"] = n.input(PROJECTION_BIAS)
    names = tuple(name for name in OPERANDS if name in tensors)
    op = IntegerLstm(
        names, tuple(map(_factor, factors(WEIGHTS, scale[HIDDEN]))), _factor(np.float32(2.0**-30 / hidden_scale)), bits,
        hidden_zero, n.zeros[HIDDEN], tuple(peephole), tuple(map(_factor, norms)), tuple(max(1, int(np.float32(10000) * s)) for s in norms),
        _factor(scale[PROJECTION] * hidden_scale / scale[HIDDEN]) if projected else (0, 0), _clip(n.options.cell_clip, scale[CELL], 32767),
        _clip(n.options.proj_clip, np.float32(n.grid[0]), 127) if projected else 0, coupled,
    )  # fmt: skip
    y, h, c = parts(n, n.emit(op, *(tensors[name] for name in names)), [(n.shape(x)[0], batch, state), (batch, state), (batch, units)])
    n.assign(HIDDEN, n.emit(Cast(FLOAT), h))
    n.assign(CELL, n.emit(Cast(FLOAT), c))
    shift = n.zeros[HIDDEN] - int(n.grid[1])
    return n.emit(Cast(FLOAT), n.emit(Elementwise("add"), y, integer(n, shift)) if shift else y)


def _basic(n: QuantizedNode) -> tuple[str, ...]:
    """As of floats; gates and states have 16 bits, and their activations come from tables."""
    x, h, weights, bias, c = (n.input(k) for k in range(5))
    zeros = {*n.zeros[:2], int(n.grid[1])}
    if zeros != {128} or _cell_bits(float(n.scales[4][0])) != BASIC_BITS:
        raise Unsupported(f"a basic LSTM of zero points {sorted(zeros)} and a cell state with a scale of {n.scales[4][0]}; 128 and 2**-11 "
                          "would be accepted")
    batch, units = n.shape(h)
    both = n.emit(Concat(1), x, h)
    sums = n.emit(Elementwise("add"), integers(n, n.emit(MatMul(), both, n.emit(Transpose((1, 0)), weights))), bias)
    z = saturated16(n, rescaled(n, sums, 4096 * float(n.scales[3][0]), UP))
    i, new, f, o = (n.emit(Slice((0, k * units), (batch, units), (1, 1)), z) for k in range(4))
    i, f, o = (tabulated(n, v, sigmoid(2.0**-12), INTEGER) for v in (i, f, o))
    taken = divided(n, _product(n, i, tabulated(n, new, tanh(2.0**-12), INTEGER)), BASIC_BITS)
    state = saturated16(n, n.emit(Elementwise("add"), _product(n, f, integers(n, c)), taken))
    narrow = saturated16(n, n.emit(Elementwise("mul"), state, integer(n, 1 << (BASIC_BITS - 3))))
    h = finished(n, divided(n, _product(n, o, tabulated(n, narrow, tanh(2.0**-12), INTEGER)), 8))
    state = n.emit(Cast(FLOAT), state)
    n.assign(1, h)
    n.assign(4, state)
    return h, state, both, n.emit(Cast(FLOAT), z)


def _product(n: QuantizedNode, a: str, b: str) -> str:
    """Of fractions of 2**15, halves up."""
    product = n.emit(Elementwise("add"), n.emit(Elementwise("mul"), a, b), integer(n, 1 << 14))
    return n.emit(Elementwise("shift_right"), product, integer(n, 15))


def _weights(n: QuantizedNode, steps: str, dtype: str) -> str:
    return n.emit(Cast(np.dtype(dtype)), steps)


def _factor(factor: np.float32) -> Factor:
    multiplier, exponent = fixed(np.array(float(factor)))
    return int(multiplier), int(exponent)


def _clip(limit: float, scale: np.float32, most: int) -> int:
    return min(int(np.float32(limit) / scale), most) if limit > 0 else 0


def _cell_bits(scale: float) -> int:
    """The integer bits of a cell state whose steps are a power of two."""
    bits = 15 + log2(scale)
    if abs(bits - round(bits)) > 1e-3 or not 0 <= round(bits) <= WIDEST:
        raise Unsupported(f"a cell state with a scale of {scale}; a power of two from 2**-15 to 2**{WIDEST - 15} would be accepted")
    return round(bits)


def _peepholes(n: QuantizedNode, shape: tuple[int, int, int], alone: bool) -> np.ndarray:
    """[3, batch, units] of the weights [units] of three gates.

    LiteRT takes as many products as there are outputs, which a projection makes fewer than the units: of those of the first sequences,
    walked together, it takes all of them, one sequence behind the other.
    """
    batch, units, state = shape
    if state > units:
        raise Unsupported(f"peepholes of {units} units with {state} outputs; as many, or fewer, would be accepted")
    weights = np.zeros((3, batch * units), np.int16)
    for row, k in zip(weights, PEEPHOLES):
        if n.input(k):
            some = n.constant(k, "peephole weights").astype(np.int16)[:state]
            for b in range(batch):
                begin = b * (units if alone else state)
                row[begin : begin + state] = some
    return weights.reshape(3, batch, units)
