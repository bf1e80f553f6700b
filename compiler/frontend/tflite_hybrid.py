"""Where floats meet integer weights, LiteRT's "hybrid" kernels round the floats to eight bits at run time, and so does the graph."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ..ops.importing import TfliteNode
from ..ops.movement import Reshape
from ..ops.quantized import dynamically_rounded
from .tflite_file import Operator, Tensor


def hybrid(n: TfliteNode, o: Operator, tensors: Sequence[Tensor], x: str) -> str | None:
    """The data of an operator, as its hybrid kernel rounds it; None where it has none, or where data or weights are not of its kind."""
    data, weights = (tensors[k] if k >= 0 else None for k in (*o.inputs, -1)[:2])
    if data is None or weights is None or data.quantized or not weights.quantized or n.type(x).dtype.kind != "f":
        return None
    shape, q = n.shape(x), weights.quantization
    assert q is not None
    if o.op == "FULLY_CONNECTED":
        length = weights.shape[-1]
        rows = n.emit(Reshape((prod(shape) // length, length)), x)
        return n.emit(Reshape(shape), dynamically_rounded(n, rows, [1], not o.options.asymmetric_quantize_inputs))
    if o.op in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return dynamically_rounded(n, x, range(1, len(shape)), o.op == "CONV_2D" and np.unique(q.scale).size == 1)
    if o.op == "BATCH_MATMUL":
        return dynamically_rounded(n, x, [len(shape) - 1], not o.options.asymmetric_quantize_inputs)
    return None
