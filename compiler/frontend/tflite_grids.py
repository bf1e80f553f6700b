"""Where a .tflite model computes with small integers, its graph computes with the floats that they stand for.

Every importer sees reals. Constants are decoded once, inputs on their way in, outputs are encoded on their way out, and what an
operator gives is rounded to the grid of its tensor, unless it already lies there: operators that only move data need no rounding.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from ..errors import Unsupported
from ..ir import Graph, Node, TensorType
from ..ops.elementwise import Elementwise
from ..ops.gather import Gather, GatherElements, GatherND
from ..ops.importing import SourceNode, TfliteNode
from ..ops.movement import Broadcast, Concat, Copy, DepthToSpace, Pad, Reshape, Slice, SpaceToDepth, Tile, Transpose
from ..ops.pool import Pool2D
from ..ops.quantized import Grid, decoded, encoded
from ..ops.reduce import Reduce
from .tflite_file import Operator, Subgraph, Tensor
from .tflite_hybrid import hybrid

RANGES = {"INT4": (-8, 7), "INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}
"""The least and the greatest number of each type that stands for reals."""

STORED = {"CAST", "BITCAST"}
"""Operators that take the stored integers for what they are."""

MOVING = {
    "BATCH_TO_SPACE_ND", "BROADCAST_TO", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "GATHER_ND", "PACK", "RESHAPE", "REVERSE_SEQUENCE",
    "REVERSE_V2", "SLICE", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE",
    "UNPACK",
}  # fmt: skip
"""Operators that pass stored integers on, whatever the grid of the result: where it is another, they are taken for what they are, too."""

BIASES = {"CONV_2D": 2, "CONV_3D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
"""Which operand is a bias, of the scale of the products of the data and the weights."""

RECURRENT = {"BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "LSTM", "RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM",
             "UNIDIRECTIONAL_SEQUENCE_RNN"}
"""Operators with a bias for each of their gates."""

CHANNELS = {"CONV_3D": 4, "DEPTHWISE_CONV_2D": 3}
"""Which axis of the weights counts the channels of the result, where it is not the first."""

ROUND_TWICE = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
"""Operators whose sums LiteRT rounds in two stages."""

FROM_STORED_ZERO = {"AVERAGE_POOL_2D", "RESIZE_BILINEAR"}
"""Operators that round halves away from the stored zero, not from the zero point."""

HALF = 6e-5
"""In steps of the grid, how far floats may miss a half; integers of 8 bits come no nearer to one by less than some thousand terms."""

DATA = {"TRANSPOSE_CONV": 2}
"""Which operand holds the data, of an operator where it is not the first; weights are always the second."""

PICKS = (Broadcast, Concat, Copy, DepthToSpace, Gather, GatherElements, GatherND, Reshape, Slice, SpaceToDepth, Tile, Transpose)
"""Ops whose results consist of elements of their operands."""


class Grids:
    """The quantised values of a graph.

    Attributes:
        known: the grid on which a value lies.
    """

    def __init__(self, graph: Graph, subgraph: Subgraph):
        self.graph = graph
        self.tensors = subgraph.tensors
        self.known: dict[str, Grid] = {}
        self._stored: dict[str, str] = {}

    def type(self, k: int) -> TensorType:
        """The type that a tensor's value has in the graph."""
        tensor = self.tensors[k]
        return TensorType(tensor.shape, np.dtype(np.float32)) if tensor.quantized else tensor.type

    def decode(self, stored: str, tensor: Tensor, n: SourceNode) -> str:
        """The value of a tensor whose stored integers are at hand."""
        grid = self._grid(tensor)
        value = decoded(n, stored, grid)
        self.known[value], self._stored[value] = grid, stored
        return value

    def encode(self, n: SourceNode, value: str, tensor: Tensor) -> str:
        """The stored integers of a tensor."""
        grid = self._grid(tensor)
        same = self.known.get(value) == grid
        return (same and self._stored.get(value)) or encoded(n, value, grid, tensor.type.dtype)

    def taken(self, n: TfliteNode, o: Operator) -> TfliteNode:
        """A node as its importer takes it."""
        if self._takes_stored(o):
            inputs = [self.encode(n, v, self.tensors[k]) if k >= 0 and self.tensors[k].quantized else v for k, v in zip(o.inputs, n.inputs)]
            return replace(n, inputs=tuple(inputs), results=tuple(self.tensors[k].type for k in o.outputs))
        inputs = list(n.inputs)
        self._decode_bias(n, o, inputs)
        self._decode_gates(n, o, inputs)
        data = DATA.get(o.op, 0)
        if data < len(inputs) and (rounded := hybrid(n, o, self.tensors, inputs[data])):
            inputs[data] = rounded
        return replace(n, inputs=tuple(inputs))

    def given(self, o: Operator, results: tuple[str, ...], n: TfliteNode) -> tuple[str, ...]:
        """The values of an operator's results: on the grids of their tensors, where these are quantised."""
        put = self.decode if self._takes_stored(o) else partial(self._rounded, o)
        return tuple(put(v, self.tensors[k], n) if k >= 0 and self.tensors[k].quantized else v for k, v in zip(o.outputs, results))

    def _rounded(self, o: Operator, value: str, tensor: Tensor, n: SourceNode) -> str:
        """A value on the grid of its tensor."""
        grid = self._grid(tensor)
        if self._lies_on(value, grid):
            self.known[value] = grid
            return value
        rounded = n.emit(self._rounding(o, tensor, grid), value)
        self.known[rounded] = grid
        return rounded

    def _rounding(self, o: Operator, tensor: Tensor, grid: Grid) -> Elementwise:
        """How an operator's results get to their grid. LiteRT's integers see halves where floats may miss them; they go away from zero."""
        data = self.tensors[o.inputs[DATA.get(o.op, 0)]] if o.inputs else tensor
        if o.op in BIASES or not data.quantized:
            return Elementwise("fake_quantize", grid)
        nudge = HALF
        if o.op == "MUL" and tensor.kind != "INT16":
            ratio = self._grid(data)[0] * self._grid(self.tensors[o.inputs[1]])[0] / grid[0]
            nudge = float(np.exp2(np.frexp(ratio)[1] - 1))
        return Elementwise("fake_quantize_nudged", (*grid, grid[1] if o.op in FROM_STORED_ZERO else 0.0, nudge))

    def _grid(self, tensor: Tensor) -> Grid:
        q = tensor.quantization
        assert q is not None
        if q.scale.size > 1 or tensor.kind == "INT4":
            raise Unsupported(f"'{tensor.name}' is computed, of type {tensor.kind} with {q.scale.size} scales; 8 or 16 bits and one scale "
                              "would be accepted")
        low, high = RANGES[tensor.kind]
        return float(q.scale[0]), float(q.zero_point[0]), float(low), float(high)

    def _takes_stored(self, o: Operator) -> bool:
        if o.op in STORED:
            return True
        grids = {(float(q.scale[0]), int(q.zero_point[0])) for k in (*o.inputs, *o.outputs)
                 if k >= 0 and self.tensors[k].quantized and (q := self.tensors[k].quantization)}
        return o.op in MOVING and len(grids) > 1

    def _lies_on(self, value: str, grid: Grid) -> bool:
        """Whether every element of a value is a point of a grid: all of its sources are, and between them data only moves."""
        if value in self.known:
            return self.known[value] == grid
        if (array := self.graph.constant(value)) is not None:
            return array.dtype.kind == "f" and _contains(grid, array)
        node = self.graph.producer(value)
        sources = _sources(node, grid) if node else None
        return sources is not None and all(self._lies_on(v, grid) for v in sources)

    def _decode_bias(self, n: TfliteNode, o: Operator, inputs: list[str]) -> None:
        """Gives an operator of quantised products a bias of reals; in the file it counts products of the steps of data and weights.

        LiteRT rounds sums twice, halves upwards: to 2**-shift of a step of the result, with 0.5 <= scale of products * 2**shift / scale of
        the result < 1, then to whole steps. The first is as good as half of that more, which goes to the bias.
        """
        k = BIASES.get(o.op, 0)
        data, weights, result = (self.tensors[j] for j in (o.inputs[DATA.get(o.op, 0)], o.inputs[1], o.outputs[0])) if k else (None,) * 3
        if not (data and weights and result and data.quantized and weights.quantized and result.quantized):
            return
        assert data.quantization and weights.quantization and result.quantization
        step, scale = data.quantization.scale.astype(np.float64) * weights.quantization.scale, float(result.quantization.scale[0])
        counts = n.array(inputs[k]) if k < len(inputs) and inputs[k] else np.zeros(n.shape(inputs[1])[CHANNELS.get(o.op, 0)])
        if counts is None:
            raise Unsupported("a bias that is computed; a constant would be accepted with quantised data")
        if o.op in ROUND_TWICE and result.kind != "INT16":
            step_shares = np.exp2(np.frexp(step / scale)[1] - 1)
            bias = counts * step + scale * step_shares
        else:
            bias = counts * step
        inputs[k:] = [n.add_constant(bias.astype(np.float32))]

    def _decode_gates(self, n: TfliteNode, o: Operator, inputs: list[str]) -> None:
        """Gives the gates of a recurrent operator biases of reals, where the file stores them as integers with a scale."""
        for k, j in enumerate(o.inputs):
            q = self.tensors[j].quantization if j >= 0 and o.op in RECURRENT and self.tensors[j].kind == "INT32" else None
            if q is not None and (bias := n.array(inputs[k])) is not None:
                inputs[k] = n.add_constant((bias * q.scale.astype(np.float64)).astype(np.float32))


def _contains(grid: Grid, array: np.ndarray) -> bool:
    return np.array_equal(Elementwise("fake_quantize", grid).reference(array)[0], array)


def _sources(node: Node, grid: Grid) -> tuple[str, ...] | None:
    """The values whose elements, but for points of the grid, are a node's results; None where it computes."""
    op = node.op
    if isinstance(op, Gather | GatherElements | GatherND):
        return node.inputs[:1]
    if isinstance(op, PICKS) or (isinstance(op, Pad) and _contains(grid, np.array(op.value, np.float32))):
        return node.inputs
    if (isinstance(op, Pool2D) and op.kind == "max") or (isinstance(op, Reduce) and op.kind in ("max", "min")):
        return node.inputs
    if isinstance(op, Elementwise) and (op.fn in ("identity", "maximum", "minimum") or (op.fn == "relu" and grid[2] <= grid[1] <= grid[3])):
        return node.inputs
    if isinstance(op, Elementwise) and op.fn == "where":
        return node.inputs[1:]
    return None
