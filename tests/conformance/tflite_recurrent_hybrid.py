"""Cases of recurrent operators on floats with weights of 8 bits: LiteRT's hybrid kernels; several runs.

Of bidirectional ones some are left out, because LiteRT writes past the end of a state (LSTM, sequence by sequence, merged), or walks
the sequence as often as it has steps (RNN, step by step).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from tests.conformance.tflite_case import Case, Cases, Operand, Variable, family, numbers
from tests.conformance.tflite_recurrent import FORMS, B, N, T, U, lstm, matrix
from tests.conformance.tflite_recurrent_quantized import weights

BIASES = (11, 12, 13, 14, 16)
"""Of the operands of an LSTM, from its second on; they remain floats."""


def layer(form: Sequence[str], seed: int = 0) -> tuple[list[Operand], list[Operand], int]:
    """As `lstm`, with the weights and the peepholes in integers."""
    operands, norms, s = lstm(*form, seed=seed)
    for k, a in enumerate(operands):
        if isinstance(a, np.ndarray) and k not in BIASES:
            operands[k] = weights(*a.shape, seed=seed + k)
    return operands, norms, s


@family
def hybrid_lstms() -> Cases:
    for form, (asymmetric, cell, projected) in product(FORMS, ((False, 0.0, 0.0), (True, 0.3, 0.1))):
        options: dict[str, Any] = {"fused_activation_function": "TANH", "cell_clip": cell, "proj_clip": projected,
                                   "asymmetric_quantize_inputs": asymmetric}
        operands, norms, s = layer(form)
        states = [Variable((B, s)), Variable((B, U))]
        norms = norms if "norm" in form else []
        for major in (False, True):
            x = numbers((T, B, N) if major else (B, T, N))
            yield Case("UNIDIRECTIONAL_SEQUENCE_LSTM", [x, *operands, *states, *norms], {**options, "time_major": major}, runs=3)
        yield Case("LSTM", [numbers((B, N)), *operands, *states, *norms], {**options, "kernel_type": "FULL"}, runs=3)
        if "norm" not in form:
            both = [*layer(form)[0], *layer(form, 50)[0], *states, *states, *[None] * 9]
            for major, merge in ((False, False), (True, False), (True, True)):
                yield Case("BIDIRECTIONAL_SEQUENCE_LSTM", [numbers((T, B, N) if major else (B, T, N)), *both],
                           {**options, "time_major": major, "merge_outputs": merge}, results=["float32"] * (2 - merge), runs=3)


@family
def hybrid_rnns() -> Cases:
    for activation, asymmetric in product(("NONE", "RELU", "TANH"), (False, True)):
        layers = [[weights(U, N, seed=k), weights(U, U, seed=k + 1), matrix(U, seed=k + 2), Variable((B, U))] for k in (0, 3)]
        options = {"fused_activation_function": activation, "asymmetric_quantize_inputs": asymmetric}
        yield Case("RNN", [numbers((B, N)), *layers[0]], options, runs=3)
        for major in (False, True):
            x = numbers((T, B, N) if major else (B, T, N))
            yield Case("UNIDIRECTIONAL_SEQUENCE_RNN", [x, *layers[0]], {**options, "time_major": major}, runs=3)
        for merge in (False, True):
            yield Case("BIDIRECTIONAL_SEQUENCE_RNN", [numbers((B, T, N)), *layers[0], *layers[1], None, None, None],
                       {**options, "time_major": False, "merge_outputs": merge}, results=["float32"] * (2 - merge), runs=3)
    for rank, memory, bias, asymmetric in product((1, 2), (1, 4), (False, True), (False, True)):
        kernels = [weights(U * rank, N), weights(U * rank, memory, seed=1)]
        yield Case("SVDF", [numbers((B, N)), *kernels, matrix(U, seed=2, there=bias), Variable((B, memory * U * rank))],
                   {"rank": rank, "fused_activation_function": "RELU", "asymmetric_quantize_inputs": asymmetric}, runs=6)
