"""The recurrent operators of ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..errors import Unsupported
from .elementwise import Elementwise
from .importing import OnnxNode, onnx_op
from .matmul import MatMul
from .movement import Concat, Reshape, Slice, Transpose
from .recurrent import GATES, OPERANDS, Recurrence

DEFAULTS: dict[str, tuple[str, ...]] = {"rnn": ("tanh",), "gru": ("sigmoid", "tanh"), "lstm": ("sigmoid", "tanh", "tanh")}
ACTIVATIONS: dict[str, tuple[str, tuple[float, ...]]] = {
    "tanh": ("tanh", ()), "relu": ("relu", ()), "sigmoid": ("sigmoid", ()), "softsign": ("softsign", ()), "softplus": ("softplus", ()),
    "leakyrelu": ("leaky_relu", (0.01,)), "thresholdedrelu": ("thresholded_relu", (1.0,)), "elu": ("elu", (1.0,)),
    "affine": ("affine", (1.0, 0.0)), "scaledtanh": ("scaled_tanh", (1.0, 1.0)), "hardsigmoid": ("hard_sigmoid", (0.2, 0.5)),
}  # fmt: skip
"""By the lower-case names of ONNX: the function, and the defaults of alpha and beta, where it has them."""


@onnx_op("LSTM", "GRU", "RNN")
def onnx_recurrent(n: OnnxNode) -> list[str]:
    """Every direction is a sequence of its own; the results lie side by side along the axis of directions."""
    cell: Literal["lstm", "gru", "rnn"] = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"}[n.op]  # type: ignore[assignment]
    batch_first = bool(n.attr("layout", 0))
    x = n.emit(Transpose((1, 0, 2)), n.input(0)) if batch_first else n.input(0)
    steps, batch, _ = n.shape(x)
    state = n.shape(2)[2]
    names = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
    direction = str(n.attr("direction", "forward")).lower()
    if direction not in names:
        raise Unsupported(f"direction {direction}; one of {', '.join(names)} would be accepted")
    reverse = names[direction]
    activations = _activations(n, cell, len(reverse))
    parts = [_direction(n, cell, x, d, turned, activations[d], batch_first) for d, turned in enumerate(reverse)]
    sizes = [steps * batch * state, batch * state, batch * state][: 3 if cell == "lstm" else 2]
    results = []
    for k, size in enumerate(sizes):
        begin = sum(sizes[:k])
        shape = (steps, 1, batch, state) if k == 0 else (1, batch, state)
        each = [n.emit(Reshape(shape), n.emit(Slice((begin,), (size,), (1,)), part)) for part in parts]
        whole = each[0] if len(each) == 1 else n.emit(Concat(1 if k == 0 else 0), *each)
        if batch_first:
            whole = n.emit(Transpose((2, 0, 1, 3) if k == 0 else (1, 0, 2)), whole)
        results.append(whole)
    return results


def _direction(n: OnnxNode, cell: Literal["lstm", "gru", "rnn"], x: str, d: int, reverse: bool, activations: Sequence[Elementwise],
               batch_first: bool) -> str:
    """The flat result of one direction."""
    steps, batch, width = n.shape(x)
    gates, state = GATES[cell], n.shape(2)[2]
    before_reset = cell == "gru" and bool(n.attr("linear_before_reset", 0))
    given: dict[str, str] = {}
    w, r = (_gates(n, n.emit(Transpose((1, 0)), _part(n, n.input(k), d)), cell) for k in (1, 2))
    z = n.emit(MatMul(), n.emit(Reshape((steps * batch, width)), x), w)
    if n.input(3):
        both = _part(n, n.input(3), d)
        size = gates * state
        wb, rb = (n.emit(Slice((k * size,), (size,), (1,)), both) for k in (0, 1))
        if before_reset:
            given["reset_bias"] = n.emit(Slice((2 * state,), (state,), (1,)), rb)
            zero = n.add_constant(np.zeros(state, n.type(rb).dtype))
            rb = n.emit(Concat(0), n.emit(Slice((0,), (2 * state,), (1,)), rb), zero)
        z = n.emit(Elementwise("add"), z, _gates(n, n.emit(Elementwise("add"), wb, rb), cell))
    elif before_reset:
        given["reset_bias"] = n.add_constant(np.zeros(state, n.type(x).dtype))
    given |= {"z": n.emit(Reshape((steps, batch, gates * state)), z), "r": r}
    for name, k in (("h0", 5), ("c0", 6)):
        if name == "c0" and cell != "lstm":
            continue
        if not n.input(k):
            given[name] = n.add_constant(np.zeros((batch, state), n.type(x).dtype))
            continue
        begin, shape = ((0, d, 0), (batch, 1, state)) if batch_first else ((d, 0, 0), (1, batch, state))
        given[name] = n.emit(Reshape((batch, state)), n.emit(Slice(begin, shape, (1, 1, 1)), n.input(k)))
    lengths = n.array(4)
    if n.input(4) and (lengths is None or (lengths < steps).any()):
        given["lengths"] = n.input(4)
    if cell == "lstm" and n.input(7):
        i, o, f = (n.emit(Slice((k * state,), (state,), (1,)), _part(n, n.input(7), d)) for k in range(3))
        given["peepholes"] = n.emit(Reshape((3, state)), n.emit(Concat(0), i, f, o))
    coupled: Literal["", "forget"] = "forget" if cell == "lstm" and n.attr("input_forget", 0) else ""
    operands = tuple(name for name in OPERANDS if name in given)
    op = Recurrence(cell, operands, tuple(activations), reverse, float(n.attr("clip", 0.0)), coupled=coupled)
    return n.emit(op, *(given[name] for name in operands))


def _part(n: OnnxNode, value: str, d: int) -> str:
    """Direction d of an operand, without the axis of directions."""
    shape = n.shape(value)[1:]
    part = n.emit(Slice((d, *[0] * len(shape)), (1, *shape), (1,) * (1 + len(shape))), value)
    return n.emit(Reshape(shape), part)


def _gates(n: OnnxNode, value: str, cell: str) -> str:
    """The gates along the last axis in this project's order; ONNX has an lstm's as input, output, forget, cell."""
    if cell != "lstm":
        return value
    shape = n.shape(value)
    size = shape[-1] // 4
    parts = [n.emit(Slice((*[0] * (len(shape) - 1), k * size), (*shape[:-1], size), (1,) * len(shape)), value) for k in (0, 2, 3, 1)]
    return n.emit(Concat(len(shape) - 1), *parts)


def _activations(n: OnnxNode, cell: str, directions: int) -> list[list[Elementwise]]:
    """Of each direction; alphas and betas are taken in turn by the functions that have them."""
    names: list[Any] = n.attr("activations") or list(DEFAULTS[cell]) * directions
    alphas, betas = iter(n.attr("activation_alpha") or ()), iter(n.attr("activation_beta") or ())
    ops = []
    for name in names:
        if name.lower() not in ACTIVATIONS:
            raise Unsupported(f"activation {name}; one of {', '.join(ACTIVATIONS)} would be accepted")
        fn, defaults = ACTIVATIONS[name.lower()]
        ops.append(Elementwise(fn, tuple(float(next(given, default)) for given, default in zip((alphas, betas), defaults))))
    per = len(DEFAULTS[cell])
    return [ops[d * per : (d + 1) * per] for d in range(directions)]
