"""Where a .tflite model computes with small integers, its graph computes with floats.

The value of a quantised tensor is its steps: stored number - zero point, whole numbers. Inputs are decoded on their way in, outputs
encoded on their way out. Operators that LiteRT computes in integers do so on steps, number for number, or nearly; those that only
move data of one grid pass steps on; all others see the reals that the steps stand for, and what they give is rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..errors import Unsupported
from ..ir import Graph, TensorType
from ..ops.elementwise import Elementwise
from ..ops.importing import QUANTIZED, TFLITE, QuantizedNode, Result, SourceNode, TfliteNode
from ..ops.quantized import Grid, decoded, encoded
from .tflite_file import Operator, Subgraph, Tensor
from .tflite_hybrid import grid_of_floats, hybrid

BITS = {"INT4": 4, "INT8": 8, "UINT8": 8, "INT16": 16}
"""Of each type that stands for reals."""

RANGES = {"INT4": (-8, 7), "INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}
"""The least and the greatest number of each type that stands for reals."""

STORED = {"ASSIGN_VARIABLE", "BITCAST", "CAST", "READ_VARIABLE", "SCATTER_ND"}
"""Operators that take the stored integers for what they are."""

CALLS = {"CALL_ONCE", "IF", "WHILE"}
"""Operators whose operands and results are those of subgraphs, which have grids of their own."""

MOVING = {
    "BATCH_TO_SPACE_ND", "BROADCAST_TO", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "GATHER_ND", "MAXIMUM", "MINIMUM", "PACK", "RESHAPE",
    "REVERSE_SEQUENCE", "REVERSE_V2", "SLICE", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE",
    "TILE", "TRANSPOSE", "UNPACK",
}  # fmt: skip
"""Operators that pass stored integers on, or compare them, whatever their grids: of several, they are taken for what they are."""

PICKING = MOVING | {
    "CONCATENATION", "DYNAMIC_UPDATE_SLICE", "MAX_POOL_2D", "MIRROR_PAD", "PAD", "PADV2", "REDUCE_MAX", "REDUCE_MIN",
    "RELU", "RESIZE_NEAREST_NEIGHBOR", "SELECT", "SELECT_V2",
}  # fmt: skip
"""Operators whose results consist of elements of their operands and of zeros, so that, on one grid, steps are as good as reals."""

BIASES = {"CONV_2D": 2, "CONV_3D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
"""Which operand is a bias, of the scale of the products of the data and the weights."""

RECURRENT = {"BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "LSTM", "RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM",
             "UNIDIRECTIONAL_SEQUENCE_RNN"}
"""Operators with a bias for each of their gates."""

FROM_STORED_ZERO = {"AVERAGE_POOL_2D", "RESIZE_BILINEAR"}
"""Operators that round halves away from the stored zero, not from the zero point."""

HALF = 6e-5
"""In steps of the grid, how far floats may miss a half; integers of 8 bits come no nearer to one by less than some thousand terms."""

NO_SCALE = np.zeros(0, np.float32)

DATA = {"TRANSPOSE_CONV": 2}
"""Which operand holds the data, of an operator where it is not the first; weights are always the second."""


class Grids:
    """The quantised values of a graph.

    Attributes:
        ordered: operators on floats round as LiteRT's do, for some operator of the model makes steps of last bits.
    """

    def __init__(self, graph: Graph, subgraph: Subgraph, ordered: bool):
        self.graph = graph
        self.tensors = subgraph.tensors
        self.ordered = ordered
        self._reals: dict[tuple[str, float], str] = {}
        self._stored: dict[tuple[str, Grid], str] = {}

    def type(self, k: int) -> TensorType:
        """The type that a tensor's value has in the graph, as far as the file records it."""
        tensor = self.tensors[k]
        left = tuple(d for d, extent in enumerate(tensor.signature) if extent < 0)
        return TensorType(tensor.shape, np.dtype(np.float32) if tensor.quantized else tensor.type.dtype, left)

    def importer(self, o: Operator) -> Callable[..., Result] | None:
        """The importer of an operator: where its tensors are quantised, the one of integers, if there is one."""
        return QUANTIZED.get(self._integers(o)) or hybrid(o, self.tensors) or TFLITE.get(o.op)

    def is_integer(self, o: Operator) -> bool:
        """Whether an operator runs in integers, on steps."""
        return self._integers(o) in QUANTIZED

    def decode(self, stored: str, tensor: Tensor, n: SourceNode) -> str:
        """The value of a tensor whose stored integers are at hand."""
        grid = self._grid(tensor)
        value = decoded(n, stored, (1.0, *grid[1:]))
        self._stored[value, grid] = stored
        return value

    def encode(self, n: SourceNode, value: str, tensor: Tensor) -> str:
        """The stored integers of a tensor."""
        grid = self._grid(tensor)
        return self._stored.get((value, grid)) or encoded(n, value, (1.0, *grid[1:]), tensor.type.dtype)

    def round(self, n: SourceNode, reals: str, tensor: Tensor) -> str:
        """The value of a tensor whose reals are at hand."""
        scale, zero_point, low, high = self._grid(tensor)
        return n.emit(Elementwise("quantize", (scale, 0.0, low - zero_point, high - zero_point)), reals)

    def taken(self, n: TfliteNode, o: Operator) -> TfliteNode:
        """A node, whose operands are values of tensors, as its importer takes it."""
        if self.is_integer(o):
            fields = {name: getattr(n, name) for name in n.__dataclass_fields__}
            of = [self.tensors[k].quantization if k >= 0 else None for k in o.inputs]
            result = self.tensors[o.outputs[0]]
            between = [self.tensors[k].quantization for k in o.intermediates]
            return QuantizedNode(**fields, bits=tuple(map(self._bits, o.inputs)),
                                 scales=tuple(q.scale.ravel() if q else NO_SCALE for q in of),
                                 zeros=tuple(int(q.zero_point[0]) if q else 0 for q in of),
                                 grid=self._grid(result) if result.quantized else QuantizedNode.grid,
                                 intermediates=tuple((float(q.scale[0]), int(q.zero_point[0])) if q else (0.0, 0) for q in between))
        if self._takes_stored(o):
            inputs = [self.encode(n, v, self.tensors[k]) if k >= 0 and self.tensors[k].quantized else v for k, v in zip(o.inputs, n.inputs)]
            results = tuple(replace(t, dtype=self.tensors[k].type.dtype) for t, k in zip(n.results, o.outputs))
            return replace(n, inputs=tuple(inputs), results=results)
        if self._passes_steps(o) or hybrid(o, self.tensors):
            return n
        inputs = [self._real(n, v, self.tensors[k]) if k >= 0 and self.tensors[k].quantized else v for k, v in zip(o.inputs, n.inputs)]
        self._decode_bias(n, o, inputs)
        self._decode_gates(n, o, inputs)
        return replace(n, inputs=tuple(inputs), grid_of_floats=grid_of_floats(o, self.tensors), ordered=self.ordered)

    def given(self, o: Operator, results: tuple[str, ...], n: TfliteNode) -> tuple[str, ...]:
        """The values of the tensors that are an operator's results."""
        if self.is_integer(o) or (self._passes_steps(o) and not self._takes_stored(o)):
            return results
        put = self.decode if self._takes_stored(o) else lambda v, tensor, n: n.emit(self._rounding(o, tensor), v)
        return tuple(put(v, self.tensors[k], n) if k >= 0 and self.tensors[k].quantized else v for k, v in zip(o.outputs, results))

    def _rounding(self, o: Operator, tensor: Tensor) -> Elementwise:
        """How an operator's results become steps.

        LiteRT's integers see halves, which floats may miss; they go away from zero, but where floats are stored, to the even side.
        """
        scale, zero_point, low, high = self._grid(tensor)
        ends = (low - zero_point, high - zero_point)
        data = self.tensors[o.inputs[DATA.get(o.op, 0)]] if o.inputs else tensor
        if not data.quantized:
            return Elementwise("quantize_even", (scale, *ends))
        if o.op in BIASES:
            return Elementwise("quantize", (scale, 0.0, *ends))
        return Elementwise("quantize_nudged", (scale, *ends, zero_point if o.op in FROM_STORED_ZERO else 0.0, HALF))

    def _grid(self, tensor: Tensor) -> Grid:
        q = tensor.quantization
        assert q is not None
        if q.scale.size > 1 or tensor.kind == "INT4":
            raise Unsupported(f"'{tensor.name}' is computed, of type {tensor.kind} with {q.scale.size} scales; 8 or 16 bits and one scale "
                              "would be accepted")
        low, high = RANGES[tensor.kind]
        return float(q.scale[0]), float(q.zero_point[0]), float(low), float(high)

    def _real(self, n: SourceNode, steps: str, tensor: Tensor) -> str:
        """The reals of a tensor, whose value is at hand."""
        q = tensor.quantization
        assert q is not None
        if q.scale.size > 1:
            along = [-1 if d == q.axis else 1 for d in range(len(tensor.shape))]
            return n.emit(Elementwise("mul"), steps, n.add_constant(q.scale.reshape(along)))
        scale = float(q.scale[0])
        if (steps, scale) not in self._reals:
            self._reals[steps, scale] = n.emit(Elementwise("dequantize", (scale, 0.0)), steps)
        return self._reals[steps, scale]

    def _integers(self, o: Operator) -> tuple[str, int, int]:
        """The operator, the bits of its data, and those of its results: where it runs in integers, its place in the registry."""
        widths = [self._bits(k) for k in o.inputs]
        data, results = (widths[DATA.get(o.op, 0) :] or [0])[0], {self._bits(k) for k in o.outputs}
        if _has_wide_states(o):
            return o.op, data, self._bits(o.outputs[0])
        return (o.op, data, results.pop()) if max(widths, default=0) == data and len(results) == 1 else (o.op, 0, 0)

    def _bits(self, k: int) -> int:
        """Of a quantised tensor 8 or 16, else 0."""
        return max(8, BITS[self.tensors[k].kind]) if k >= 0 and self.tensors[k].quantized else 0

    def _takes_stored(self, o: Operator) -> bool:
        return o.op in STORED or (o.op in MOVING and len(self._grids(o)) > 1)

    def _passes_steps(self, o: Operator) -> bool:
        return o.op in CALLS or (o.op in PICKING and len(self._grids(o)) == 1)

    def _grids(self, o: Operator) -> set[tuple[float, int]]:
        return {(float(q.scale[0]), int(q.zero_point[0])) for k in (*o.inputs, *o.outputs)
                if k >= 0 and self.tensors[k].quantized and (q := self.tensors[k].quantization)}

    def _decode_bias(self, n: TfliteNode, o: Operator, inputs: list[str]) -> None:
        """Gives an operator of quantised products a bias of reals; in the file it counts products of the steps of data and weights."""
        k = BIASES.get(o.op, 0)
        if not k or k >= len(inputs) or not inputs[k]:
            return
        data, weights = self.tensors[o.inputs[DATA.get(o.op, 0)]], self.tensors[o.inputs[1]]
        if not (data.quantized and weights.quantized):
            return
        assert data.quantization and weights.quantization
        counts = n.array(inputs[k])
        if counts is None:
            raise Unsupported("a bias that is computed; a constant would be accepted with quantised data")
        inputs[k] = n.add_constant((counts * (data.quantization.scale.astype(np.float64) * weights.quantization.scale)).astype(np.float32))

    def _decode_gates(self, n: TfliteNode, o: Operator, inputs: list[str]) -> None:
        """Gives the gates of a recurrent operator biases of reals, where the file stores them as integers with a scale."""
        for k, j in enumerate(o.inputs):
            q = self.tensors[j].quantization if j >= 0 and o.op in RECURRENT and self.tensors[j].kind == "INT32" else None
            if q is not None and (bias := n.array(inputs[k])) is not None:
                inputs[k] = n.add_constant((bias * q.scale.astype(np.float64)).astype(np.float32))


def _has_wide_states(o: Operator) -> bool:
    """Whether an operator, between tensors of eight bits, keeps states of sixteen; an LSTM is basic, or has five intermediate tensors."""
    return o.op == "SVDF" or len(o.intermediates) == 5 or (o.op == "LSTM" and o.options.kernel_type == "BASIC")
