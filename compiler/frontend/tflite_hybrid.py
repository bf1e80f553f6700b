"""Where floats meet integer weights, LiteRT's "hybrid" kernels quantise the floats to eight bits at run time, and so does the graph.

The importer for floats gets counts for its data and the steps of its weights; what it gives are sums of their products, whose scales,
bias and activation follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import prod
from typing import Literal

import numpy as np

from ..ops.activation import activate
from ..ops.conv import biased
from ..ops.dynamic_quantization import Counts, Grid, counted
from ..ops.importing import TFLITE, TfliteImporter, TfliteNode
from ..ops.movement import Reshape
from ..ops.quantized_tflite import PRODUCTS
from .tflite_file import Operator, Tensor

PACKED_OUTPUTS, PACKED_INPUTS = 4, 32
"""From what size on LiteRT has a kernel for fully connected layers with weights of four bits; it knows symmetric grids alone."""

RECURRENT = {"BIDIRECTIONAL_SEQUENCE_LSTM": 2, "BIDIRECTIONAL_SEQUENCE_RNN": 1, "LSTM": 2, "RNN": 1, "SVDF": 1,
             "UNIDIRECTIONAL_SEQUENCE_LSTM": 2, "UNIDIRECTIONAL_SEQUENCE_RNN": 1}  # fmt: skip
"""Which operand holds weights, in every form of a recurrent operator."""


def hybrid(o: Operator, tensors: Sequence[Tensor]) -> TfliteImporter | None:
    """The importer of an operator that has a hybrid kernel for its data and weights, as values: floats, and steps; None for others."""
    if o.op not in PRODUCTS or len(o.inputs) < 2:
        return None
    data, weights = (tensors[o.inputs[k]] for k in PRODUCTS[o.op][:2])
    if data.kind != "FLOAT32" or weights.kind not in ("INT8", "INT4") or weights.quantization is None:
        return None
    return partial(_products, weights.quantization.scale, weights.kind == "INT4" and weights.buffer.size > 0)


def grid_of_floats(o: Operator, tensors: Sequence[Tensor]) -> Grid | Literal[""]:
    """To what grid a recurrent operator rounds floats, its inputs and its states, before they meet its weights; "" for none."""
    weights = RECURRENT.get(o.op, len(o.inputs))
    if weights >= len(o.inputs) or tensors[o.inputs[0]].kind != "FLOAT32" or tensors[o.inputs[weights]].kind != "INT8":
        return ""
    return "asymmetric" if o.options.asymmetric_quantize_inputs else "symmetric"


def rounds_floats(o: Operator, tensors: Sequence[Tensor]) -> bool:
    """Whether an operator rounds floats to eight bits, at run time."""
    try:
        return hybrid(o, tensors) is not None or bool(grid_of_floats(o, tensors))
    except AttributeError:  # it has the options of another operator, for which it is refused when its turn comes
        return False


def _products(scale: np.ndarray, packed: bool, n: TfliteNode) -> str:
    """Args:
        packed: the weights are constants of four bits.
    """
    x, w, bias = PRODUCTS[n.op]
    shape = n.shape(x)
    if n.op == "FULLY_CONNECTED" and n.options.keep_num_dims and len(shape) != 2:
        rows = n.emit(Reshape((prod(shape[:-1]), shape[-1])), n.input(x))
        y = _products(scale, packed, replace(n, inputs=(rows, *n.inputs[1:])))
        return n.emit(Reshape((*shape[:-1], n.shape(y)[-1])), y)
    in_turn = n.op in ("DEPTHWISE_CONV_2D", "TRANSPOSE_CONV") or (n.op == "CONV_2D" and shape[3] != n.shape(w)[3])
    if n.op in ("BATCH_MATMUL", "FULLY_CONNECTED"):
        outputs, inputs = n.shape(w)[-2:]
        narrow = packed and outputs >= PACKED_OUTPUTS and inputs >= PACKED_INPUTS and inputs % 2 == 0
        symmetric = not n.options.asymmetric_quantize_inputs or (n.op == "FULLY_CONNECTED" and narrow)
    else:
        symmetric = n.op == "CONV_2D" and np.unique(scale).size == 1 and not in_turn
    data = _counts(n, n.input(x), "symmetric" if symmetric else "asymmetric")
    bare = tuple({x: data.value, bias: ""}.get(k, v) for k, v in enumerate(n.inputs))
    sums = TFLITE[n.op](replace(n, inputs=bare, options=n.options.replaced(fused_activation_function="NONE")))
    assert isinstance(sums, str)
    y = biased(n, data.reals(n, sums, scale, in_turn), n.input(bias))
    return y if n.op == "BATCH_MATMUL" else activate(n, y, n.options.fused_activation_function)


def _counts(n: TfliteNode, x: str, grid: Grid) -> Counts:
    """The data of an operator, with a grid for each image, or for each row of a matrix."""
    shape = n.shape(x)
    if n.op == "FULLY_CONNECTED":
        length = n.shape(1)[-1]
        return counted(n, n.emit(Reshape((prod(shape) // length, length)), x), [1], grid)
    if n.op == "BATCH_MATMUL" and n.options.adj_x:
        return counted(n, x, [len(shape) - 2], grid).along(n, (*shape[:-2], shape[-1], 1))
    return counted(n, x, [len(shape) - 1] if n.op == "BATCH_MATMUL" else range(1, len(shape)), grid)
