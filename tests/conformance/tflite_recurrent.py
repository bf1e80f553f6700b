"""Cases of recurrent operators: several runs, which begin where the one before ended."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from tests.conformance.tflite_case import Case, Cases, Operand, Variable, family, numbers

B, T, N, U, P = 2, 3, 5, 6, 4
"""Sequences, steps, inputs, units, outputs of a projection."""
FORMS = ((), ("coupled",), ("peepholes",), ("projection",), ("norm",), ("coupled", "peepholes"), ("peepholes", "projection"),
         ("coupled", "norm", "projection"))


def matrix(*shape: int, seed: int = 0, there: bool = True) -> np.ndarray | None:
    return numbers(shape, seed=seed, low=-0.6, high=0.6) if there else None


def lstm(*form: str, seed: int = 0) -> tuple[list[Operand], list[Operand], int]:
    """Operands 1 to 17 of an LSTM and its layer normalisation, as far as there is one, and the outputs of a step."""
    coupled, peepholes, projection, norm = (part in form for part in ("coupled", "peepholes", "projection", "norm"))
    s, own = P if projection else U, not coupled
    shapes: list[tuple[tuple[int, ...], bool]] = [((U, N), own), *[((U, N), True)] * 3, ((U, s), own), *[((U, s), True)] * 3]
    shapes += [((U,), peepholes and own), ((U,), peepholes), ((U,), peepholes), ((U,), own), *[((U,), True)] * 3]
    shapes += [((P, U), projection), ((P,), projection)]
    operands: list[Operand] = [matrix(*shape, seed=seed + k, there=there) for k, (shape, there) in enumerate(shapes)]
    norms: list[Operand] = [matrix(U, seed=seed + 30 + k, there=norm and (k > 0 or own)) for k in range(4)]
    return operands, norms, s


@family
def lstms() -> Cases:
    for form, (cell, projected) in product(FORMS, ((0.0, 0.0), (0.3, 0.1))):
        options: dict[str, Any] = {"fused_activation_function": "TANH", "cell_clip": cell, "proj_clip": projected}
        operands, norms, s = lstm(*form)
        states = [Variable((B, s)), Variable((B, U))]
        norms = norms if "norm" in form else []
        for major in (False, True):
            x = numbers((T, B, N) if major else (B, T, N))
            yield Case("UNIDIRECTIONAL_SEQUENCE_LSTM", [x, *operands, *states, *norms], {**options, "time_major": major}, runs=3)
        yield Case("LSTM", [numbers((B, N)), *operands, *states, *norms], {**options, "kernel_type": "FULL"}, runs=3)
        if "norm" not in form:
            for merge in (False, True):
                both = [*lstm(*form)[0], *lstm(*form, seed=50)[0], *states, *states, *[None] * 9]
                yield Case("BIDIRECTIONAL_SEQUENCE_LSTM", [numbers((T, B, N)), *both],
                           {**options, "time_major": True, "merge_outputs": merge}, results=["float32"] * (2 - merge), runs=3)
    for rows, kept in product((1, 3), (False, True)):
        h, c = [Variable((rows, U))] * 2 if kept else [numbers((rows, U), seed=k) for k in (1, 2)]
        yield Case("LSTM", [numbers((rows, N)), h, matrix(4 * U, N + U), matrix(4 * U), c],
                   {"kernel_type": "BASIC", "fused_activation_function": "TANH"}, fed=[0] if kept else [0, 1, 4], results=["float32"] * 4,
                   runs=3)


@family
def rnns() -> Cases:
    for activation in ("NONE", "RELU", "RELU6", "TANH"):
        layer = [matrix(U, N), matrix(U, U, seed=1), matrix(U, seed=2), Variable((B, U))]
        options = {"fused_activation_function": activation}
        yield Case("RNN", [numbers((B, N)), *layer], options, runs=3)
        for major in (False, True):
            x = numbers((T, B, N) if major else (B, T, N))
            yield Case("UNIDIRECTIONAL_SEQUENCE_RNN", [x, *layer], {**options, "time_major": major}, runs=3)
            for merge in (False, True):
                other = [matrix(U, N, seed=3), matrix(U, U, seed=4), matrix(U, seed=5), Variable((B, U))]
                yield Case("BIDIRECTIONAL_SEQUENCE_RNN", [x, *layer, *other, None, None, None],
                           {**options, "time_major": major, "merge_outputs": merge}, results=["float32"] * (2 - merge), runs=3)
    for rank, memory, bias, activation in product((1, 2), (1, 4), (False, True), ("NONE", "RELU")):
        yield Case("SVDF", [numbers((B, N)), matrix(U * rank, N), matrix(U * rank, memory, seed=1), matrix(U, seed=2, there=bias),
                            Variable((B, memory * U * rank))], {"rank": rank, "fused_activation_function": activation}, runs=6)
