"""Cases of recurrent operators in integers: data and weights of 8 bits, cell states and features of 16; several runs."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from tests.conformance.tflite_case import Case, Cases, Operand, Stored, Variable, family, grid, stored
from tests.conformance.tflite_recurrent import FORMS, B, N, P, T, U
from tests.tflite_writer import Quantization

DATA = grid("int8", -2, 2)
HIDDEN = grid("int8", -0.8, 0.9)
"""Of the hidden state; of an output that is projected: `PROJECTED`."""
PROJECTED = grid("int8", -0.5, 0.6)
GATE = Quantization([2.0**-11], [0])
"""Of gates before their layer normalisation."""


def weights(*shape: int, seed: int = 0, high: float = 0.6, dtype: str = "int8", there: bool = True) -> Stored | None:
    """Constants on a symmetric grid."""
    most = int(np.iinfo(dtype).max)
    numbers = np.random.default_rng([seed, *shape]).integers(-most, most + 1, shape).astype(dtype)
    return Stored(numbers, Quantization([high / most])) if there else None


def biases(size: int, scale: float, seed: int, high: float = 0.5) -> Stored:
    steps = np.random.default_rng([seed, size]).uniform(-high, high, size) / scale
    return Stored(steps.round().astype(np.int32), Quantization([scale]))


def layer(form: tuple[str, ...], bits: int = 4, seed: int = 0) -> tuple[list[Operand], list[Quantization | None], Quantization]:
    """Operands 1 to 23 of an LSTM, with a cell state of so many integer bits; the grids in between; that of the result."""
    coupled, peepholes, projection, norm = (part in form for part in ("coupled", "peepholes", "projection", "norm"))
    s, own, result = P if projection else U, not coupled, PROJECTED if projection else HIDDEN
    there = [own, True, True, True]
    operands: list[Operand] = [weights(U, N, seed=seed + k, high=0.5 + k / 10, there=t) for k, t in enumerate(there)]
    operands += [weights(U, s, seed=seed + 4 + k, high=0.9 - k / 10, there=t) for k, t in enumerate(there)]
    operands += [weights(U, seed=seed + 8 + k, dtype="int16", there=peepholes and t) for k, t in enumerate((own, True, True))]
    for k, t in enumerate(there):
        scale = 0.4 / 32767 / 1024 if norm else DATA.scale[0] * (0.5 + k / 10) / 127
        operands.append(biases(U, scale, seed + 11 + k) if t else None)
    operands.append(weights(P, U, seed=seed + 15, there=projection))
    operands.append(biases(P, 0.6 / 127 * HIDDEN.scale[0], seed + 16, 0.1) if projection else None)
    operands += [Variable((B, s), "int8", result), Variable((B, U), "int16", Quantization([2.0 ** (bits - 15)], [0]))]
    operands += [weights(U, seed=seed + 17 + k, high=0.4, dtype="int16", there=norm and t) for k, t in enumerate(there)]
    return operands, [*[GATE if norm else None] * 4, HIDDEN], result


@family
def integer_lstms() -> Cases:
    for form, (cell, projected, bits) in product((*FORMS, ("peepholes", "norm")), ((0.0, 0.0, 4), (0.3, 0.1, 2))):
        operands, between, result = layer(form, bits)
        options: dict[str, Any] = {"fused_activation_function": "TANH", "cell_clip": cell, "proj_clip": projected}
        for major in (False, True):
            x = stored((T, B, N) if major else (B, T, N), "int8", -2, 2)
            yield Case("UNIDIRECTIONAL_SEQUENCE_LSTM", [x, *operands], {**options, "time_major": major}, results=[("int8", result)], runs=3,
                       intermediates=between)
        x = stored((B, N), "int8", -2, 2)
        yield Case("LSTM", [x, *operands], {**options, "kernel_type": "FULL"}, results=[("int8", result)], runs=3, intermediates=between)


@family
def basic_lstms() -> Cases:
    """Of unsigned numbers; the state is fed, or kept."""
    data, cell = Quantization([1 / 128], [128]), Quantization([2.0**-11], [0])
    results = [("uint8", data), ("int16", cell), ("uint8", data), ("int16", Quantization([2.0**-12], [0]))]
    for rows, kept, units in product((1, 3), (False, True), (U, 16)):
        w = Stored(stored((4 * units, N + units), "uint8", -0.9, 0.6).array, Quantization([1.5 / 255], [153]))
        x, h = (stored((rows, extent), "uint8", -1, 1, seed=extent) for extent in (N, units))
        c = stored((rows, units), "int16", -4, 4)
        states: list[Operand] = [Variable((rows, units), "uint8", data), Variable((rows, units), "int16", cell)] if kept else [
            Stored(h.array, data), Stored(c.array, cell)]
        yield Case("LSTM", [Stored(x.array, data), states[0], w, biases(4 * units, 1.5 / 255 / 128, 3), states[1]],
                   {"kernel_type": "BASIC", "fused_activation_function": "TANH"}, fed=[0] if kept else [0, 1, 4], results=results, runs=4)


@family
def integer_features() -> Cases:
    for rank, memory, bias in product((1, 2), (1, 4), (False, True)):
        features, state = weights(U * rank, N), Quantization([2.0**-12])
        times = weights(U * rank, memory, seed=1, dtype="int16")
        own = biases(U, 2.0**-12 * 0.6 / 32767, 2) if bias else None
        yield Case("SVDF", [stored((B, N), "int8", -2, 2), features, times, own, Variable((B, memory * U * rank), "int16", state)],
                   {"rank": rank, "fused_activation_function": "RELU"}, results=[("int8", grid("int8", 0, 3))], runs=6)
