"""The recurrent operators of TFLite. Their states are variable tensors, which keep their contents from one run to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ..errors import Unsupported
from .activation import FUSED, activate
from .dynamic_quantization import rounded
from .elementwise import Elementwise
from .importing import TfliteNode, tflite_op
from .matmul import MatMul
from .movement import Concat, Reshape, Slice, Transpose
from .recurrent import OPERANDS, Recurrence
from .reduce import Reduce


@tflite_op("UNIDIRECTIONAL_SEQUENCE_LSTM")
def tflite_sequence_lstm(n: TfliteNode) -> str:
    x = time_first(n, n.input(0))
    y, _ = _lstm(n, x, range(1, 18), (18, 19), norms=range(20, 24))
    return time_first(n, y)


@tflite_op("BIDIRECTIONAL_SEQUENCE_LSTM")
def tflite_bidirectional_lstm(n: TfliteNode) -> tuple[str, ...]:
    """A second input goes through weights of its own into both directions, or, where it has none, is what the second direction reads."""
    forward, backward, more = _inputs(n, 39, 40)
    y, _ = _lstm(n, forward, range(1, 18), (35, 36), more=more, more_weights=range(40, 44))
    z, _ = _lstm(n, backward, range(18, 35), (37, 38), more=more, more_weights=range(44, 48), reverse=True)
    return _merged(n, y, z)


@tflite_op("LSTM")
def tflite_lstm(n: TfliteNode) -> tuple[str, ...]:
    """One step."""
    if n.options.kernel_type == "BASIC":
        return _basic(n)
    y, _ = _lstm(n, n.emit(Reshape((1, *n.shape(0))), n.input(0)), range(1, 18), (18, 19), norms=range(20, 24))
    return (n.emit(Reshape(n.shape(y)[1:]), y),)


@tflite_op("RNN")
def tflite_rnn(n: TfliteNode) -> str:
    """One step."""
    y = _rnn(n, n.emit(Reshape((1, *n.shape(0))), n.input(0)), (1, 2, 3), 4)
    return n.emit(Reshape(n.shape(y)[1:]), y)


@tflite_op("UNIDIRECTIONAL_SEQUENCE_RNN")
def tflite_sequence_rnn(n: TfliteNode) -> str:
    return time_first(n, _rnn(n, time_first(n, n.input(0)), (1, 2, 3), 4))


@tflite_op("BIDIRECTIONAL_SEQUENCE_RNN")
def tflite_bidirectional_rnn(n: TfliteNode) -> tuple[str, ...]:
    """A second input is taken as by `BIDIRECTIONAL_SEQUENCE_LSTM`."""
    forward, backward, more = _inputs(n, 9, 10)
    y = _rnn(n, forward, (1, 2, 3), 4, more=more, more_weights=10)
    return _merged(n, y, _rnn(n, backward, (5, 6, 7), 8, more=more, more_weights=11, reverse=True))


@tflite_op("SVDF")
def tflite_svdf(n: TfliteNode) -> str:
    """Features of the input join the last ones that the state [batch, features * memory] holds, and are summed over time, weighted.

    `rank` features of one unit are added.
    """
    x, features, times, bias = n.input(0), n.input(1), n.input(2), n.input(3)
    batch, (count, memory), rank = n.shape(x)[0], n.shape(times), n.options.rank
    x = rounded(n, x, [1], n.grid_of_floats) if n.grid_of_floats else x
    feature = n.emit(MatMul(), x, n.emit(Transpose((1, 0)), features))
    state = n.emit(Reshape((batch, count, memory)), n.input(4))
    kept = n.emit(Slice((0, 0, 1), (batch, count, memory - 1), (1, 1, 1)), state)
    state = n.emit(Concat(2), kept, n.emit(Reshape((batch, count, 1)), feature))
    n.assign(4, n.emit(Reshape(n.shape(4)), state))
    sums = n.emit(Reduce("sum", (2,), False), n.emit(Elementwise("mul"), state, times))
    y = n.emit(Reduce("sum", (2,), False), n.emit(Reshape((batch, count // rank, rank)), sums))
    y = n.emit(Elementwise("add"), y, bias) if bias else y
    return activate(n, y, n.options.fused_activation_function)


def time_first(n: TfliteNode, value: str) -> str:
    """[time, batch, …] from the operator's order, or that from [time, batch, …]."""
    return value if n.options.time_major else n.emit(Transpose((1, 0, 2)), value)


def _inputs(n: TfliteNode, second: int, weights: int) -> tuple[str, str, str]:
    """What the two directions read, and what goes into both, of an operator with a second input."""
    x = time_first(n, n.input(0))
    if not n.input(second):
        return x, x, ""
    other = time_first(n, n.input(second))
    return (x, x, other) if n.input(weights) else (x, other, "")


def _merged(n: TfliteNode, forward: str, backward: str) -> tuple[str, ...]:
    if n.options.merge_outputs:
        return (time_first(n, n.emit(Concat(2), forward, backward)),)
    return time_first(n, forward), time_first(n, backward)


def _activation(n: TfliteNode) -> Elementwise:
    name = n.options.fused_activation_function
    if name not in FUSED:
        raise Unsupported(f"activation {name}; one of {', '.join(FUSED)} would be accepted")
    return FUSED[name] or Elementwise("identity")


def input_products(n: TfliteNode, x: str, weights: Sequence[str]) -> str:
    """[time, batch, gates * units]: of every step, with the weights [units, inputs] of each gate."""
    steps, batch, width = n.shape(x)
    rows = n.emit(Reshape((steps * batch, width)), x)
    rows = rounded(n, rows, [1], n.grid_of_floats) if n.grid_of_floats else rows
    z = n.emit(MatMul(), rows, side_by_side(n, weights))
    return n.emit(Reshape((steps, batch, n.shape(z)[1])), z)


def side_by_side(n: TfliteNode, weights: Sequence[str]) -> str:
    """[inputs, gates * units] of the weights [units, inputs] of each gate."""
    whole = n.emit(Concat(0), *weights) if len(weights) > 1 else weights[0]
    return n.emit(Transpose((1, 0)), whole)


def _rnn(n: TfliteNode, x: str, weights: tuple[int, int, int], state: int, *, more: str = "", more_weights: int = 0,
         reverse: bool = False) -> str:
    """[time, batch, units]; the state, operand `state`, becomes that behind the last step."""
    w, r, bias = (n.input(k) for k in weights)
    z = n.emit(Elementwise("add"), input_products(n, x, [w]), bias)
    if more:
        z = n.emit(Elementwise("add"), z, input_products(n, more, [n.input(more_weights)]))
    op = Recurrence("rnn", ("z", "r", "h0"), (_activation(n),), reverse, grid=n.grid_of_floats)
    flat = n.emit(op, z, n.emit(Transpose((1, 0)), r), n.input(state))
    y, h = parts(n, flat, [n.shape(z), n.shape(state)])
    n.assign(state, h)
    return y


def _lstm(n: TfliteNode, x: str, operands: Sequence[int], states: tuple[int, int], *, norms: Sequence[int] = (), more: str = "",
          more_weights: Sequence[int] = (), reverse: bool = False) -> tuple[str, str]:
    """[time, batch, outputs], and the cell's state; the states, two operands, become those behind the last step.

    Args:
        operands: of the input's weights, the recurrent ones, peepholes, biases and the projection.
        norms: of the coefficients of layer normalisation.
        more: a second input, with `more_weights`.
    """
    given = [n.input(k) for k in operands]
    w, r, peepholes, biases, (projection, projection_bias) = given[:4], given[4:8], given[8:11], given[11:15], given[15:]
    coefficients = [n.input(k) for k in norms]
    coupled: Literal["", "input"] = "" if w[0] else "input"
    units, normal = n.shape(w[1])[0], any(coefficients)
    zero = n.add_constant(np.zeros(units, n.type(biases[1]).dtype))
    if coupled:  # what stands for the input gate is never looked at
        w, r, biases = [w[1], *w[1:]], [r[1], *r[1:]], [zero, *biases[1:]]
        coefficients = [zero, *coefficients[1:]]
    if any(len(n.shape(v)) != 2 for v in r):
        raise Unsupported("diagonal recurrent weights; matrices would be accepted")
    z, bias = input_products(n, x, w), n.emit(Concat(0), *biases)
    if more:
        z = n.emit(Elementwise("add"), z, input_products(n, more, [v or n.input(more_weights[1]) for v in map(n.input, more_weights)]))
    tensors = {"z": z if normal else n.emit(Elementwise("add"), z, bias), "r": side_by_side(n, r),
               "h0": n.input(states[0]), "c0": n.input(states[1])}
    if any(peepholes):
        if normal:
            raise Unsupported("peepholes with layer normalisation; one of them would be accepted")
        tensors["peepholes"] = n.emit(Reshape((3, units)), n.emit(Concat(0), *(v or zero for v in peepholes)))
    if normal:
        tensors |= {"scale": n.emit(Concat(0), *coefficients), "shift": bias}
    if projection:
        tensors["projection"] = n.emit(Transpose((1, 0)), projection)
        if projection_bias:
            tensors["projection_bias"] = projection_bias
    act, o = _activation(n), n.options
    names = tuple(name for name in OPERANDS if name in tensors)
    op = Recurrence("lstm", names, (Elementwise("sigmoid"), act, act), reverse, cell_clip=o.cell_clip,
                    projection_clip=o.proj_clip if projection else 0.0, coupled=coupled, grid=n.grid_of_floats)
    flat = n.emit(op, *(tensors[name] for name in names))
    h0, c0 = n.shape(states[0]), n.shape(states[1])
    y, h, c = parts(n, flat, [(n.shape(z)[0], *h0), h0, c0])
    n.assign(states[0], h)
    n.assign(states[1], c)
    return y, c


def _basic(n: TfliteNode) -> tuple[str, ...]:
    """x, h, weights [4 * units, inputs + units] of the gates input, new, forget, output, biases, c -> h, c, (x, h), products."""
    x, h, weights, bias, c = (n.input(k) for k in range(5))
    batch, units = n.shape(h)
    both = n.emit(Concat(1), x, h)
    products = n.emit(Elementwise("add"), n.emit(MatMul(), both, n.emit(Transpose((1, 0)), weights)), bias)
    i, new, f, o = (n.emit(Slice((0, k * units), (batch, units), (1, 1)), products) for k in range(4))
    i, f, o = (n.emit(Elementwise("sigmoid"), v) for v in (i, f, o))
    kept = n.emit(Elementwise("mul"), f, c)
    state = n.emit(Elementwise("add"), kept, n.emit(Elementwise("mul"), i, n.emit(Elementwise("tanh"), new)))
    h = n.emit(Elementwise("mul"), o, n.emit(Elementwise("tanh"), state))
    n.assign(1, h)
    n.assign(4, state)
    return h, state, both, products


def parts(n: TfliteNode, flat: str, shapes: Sequence[tuple[int, ...]]) -> list[str]:
    """Arrays that lie one after another in one of rank 1."""
    parts, begin = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        parts.append(n.emit(Reshape(shape), n.emit(Slice((begin,), (size,), (1,)), flat)))
        begin += size
    return parts
