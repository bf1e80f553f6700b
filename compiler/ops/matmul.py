"""Matrix products: fully connected layers, Gemm, and products of computed operands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .activation import activate
from .conv import biased
from .elementwise import FLOAT, Cast, Elementwise
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .movement import Reshape, Transpose
from .op import Op

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

TILES = ((8, 2), (4, 4), (4, 2), (8, 1), (4, 1), (1, 2), (1, 1))
"""Rows x vectors of columns that a work-item may own; a target takes those that its registers hold."""


@dataclass(frozen=True)
class MatMul(Op):
    """y[…,m,n] = sum over k of a[…,m,k] * b[…,k,n]; leading axes broadcast as numpy's do. Both operands have rank 2 at least."""

    layout: ClassVar[Literal["linear"]] = "linear"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        a, b = types[0], types[1]
        assert a is not None and b is not None
        if a.rank < 2 or b.rank < 2 or a.shape[-1] != b.shape[-2]:
            raise GraphError(f"{a} and {b} cannot be multiplied: the last axis of one must be as long as the last but one of the other")
        if a.dtype != b.dtype or a.dtype == np.bool_:
            raise GraphError(f"{a} and {b} cannot be multiplied: they must be numbers of one type")
        try:
            outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        except ValueError:
            raise GraphError(f"the leading axes of {a} and {b} do not broadcast") from None
        return (TensorType((*outer, a.shape[-2], b.shape[-1]), a.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        a, b = arrays[0], arrays[1]
        assert a is not None and b is not None
        wide = np.float64 if a.dtype.kind == "f" else a.dtype
        return (np.matmul(a.astype(wide), b.astype(wide)).astype(a.dtype),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        return sorted([*_by_weights(site), *_tiled(site)], key=lambda k: k.cost)


def _by_weights(site: Site) -> list[Kernel]:
    """With constant weights [K,N] and rows one after another this is a pointwise convolution: a pixel is a row."""
    from ..kernel import Read
    from ..mapping import merge_axes, merged
    from .conv_kernels import pointwise
    from .conv_local import product

    w, x, y = site.constant(1), site.input(0), site.output
    if w is None or w.ndim != 2 or w.dtype.kind != "f" or site.constant(0) is not None or x.layout.strides[-1] != 1:
        return []
    rank = y.type.rank
    groups = (tuple(range(rank - 1)), (rank - 1,))
    others = [site.view(v) for v in site.node.operands if v not in site.node.inputs]
    if merge_axes(y.shape, [y, *others]) not in (groups, (tuple(range(rank)),)) or not x.layout.row_major(x.shape):
        return []
    read = Read("x", merged(x, groups, rank), x.storage)
    weights, rows = w.T[:, None, None, :], prod(y.shape[:-1])
    found = [*pointwise(site, weights, 1, rows, read), *product(site, weights, rows, read)]
    return [replace(k, groups=groups, place=lambda at: at[2:]) for k in found]


def _tiled(site: Site) -> list[Kernel]:
    """Of operands in any strided layout: tiles of rows x vectors of columns."""
    from ..access import compute_type
    from ..cost import tile_cost
    from ..indexing import unravel, width
    from ..kernel import Kernel

    a, y, target = site.input(0), site.output, site.target
    m, n, k = y.shape[-2], y.shape[-1], a.shape[-1]
    lanes = width(y, target.lanes)
    blocks, batch = ceil(n / lanes), prod(y.shape[:-2])
    outer = unravel("outer", y.shape[:-2])
    nbytes = site.moved(sum(site.graph.type(v).size for v in site.node.inputs if site.graph.constant(v) is not None))
    kernels = []
    for rows, columns in TILES:
        if (rows, columns) != (1, 1) and (rows > m or columns > blocks or rows * columns + columns + 1 > target.registers):
            continue
        grid = (ceil(blocks / columns), ceil(m / rows), batch)
        padded = 2 * grid[0] * columns * target.lanes * grid[1] * rows * batch * k
        cost = tile_cost(target, (rows, columns), items=prod(grid), work=padded * 1.2, nbytes=nbytes, weights=nbytes - site.moved())
        params = {"V": lanes, "T": compute_type(a.type.dtype), "M": m, "K": k, "BLOCKS": blocks, "ROWS": rows, "COLUMNS": columns,
                  "at_a": (*outer, "(top + r)", "i"), "at_b": (*outer, "i", "block * V"), "at_y": (*outer, "row", "block * V")}
        reads = (site.read("a", 0), site.read("b", 1))
        kernels.append(Kernel("matmul", params, reads, grid, None, lanes, 2 * y.type.size * k, nbytes, cost))
    return kernels


@tflite_op("FULLY_CONNECTED")
def tflite_fully_connected(n: TfliteNode) -> str:
    """x is flattened to rows as long as those of w [O,I]; with `keep_num_dims` the result gets its leading axes back."""
    if n.options.weights_format != "DEFAULT":
        raise Unsupported(f"weights format {n.options.weights_format}; DEFAULT would be accepted")
    x, w = n.input(0), n.input(1)
    outputs, inputs = n.shape(w)
    shape = n.shape(x)
    rows = n.emit(Reshape((prod(shape) // inputs, inputs)), x)
    y = n.emit(MatMul(), rows, n.emit(Transpose((1, 0)), w))
    y = activate(n, biased(n, y, n.input(2)), n.options.fused_activation_function)
    return n.emit(Reshape((*shape[:-1], outputs)), y) if n.options.keep_num_dims and len(shape) != 2 else y


@tflite_op("BATCH_MATMUL")
def tflite_batch_matmul(n: TfliteNode) -> str:
    a, b = n.input(0), n.input(1)
    return n.emit(MatMul(), _turned(n, a) if n.options.adj_x else a, _turned(n, b) if n.options.adj_y else b)


@onnx_op("MatMul")
def onnx_matmul(n: OnnxNode) -> str:
    return product(n, n.input(0), n.input(1))


def product(n: SourceNode, a: str, b: str) -> str:
    """As numpy's matmul: operands of rank 1 count as a row, or a column, and leave no axis behind."""
    row, column = len(n.shape(a)) == 1, len(n.shape(b)) == 1
    if row:
        a = n.emit(Reshape((1, *n.shape(a))), a)
    if column:
        b = n.emit(Reshape((*n.shape(b), 1)), b)
    y = n.emit(MatMul(), a, b)
    shape = list(n.shape(y))
    kept = shape[:-2] + ([] if row else shape[-2:-1]) + ([] if column else shape[-1:])
    return n.emit(Reshape(tuple(kept)), y) if row or column else y


@onnx_op("Gemm")
def onnx_gemm(n: OnnxNode) -> str:
    """alpha * a b + beta * c, with a and b transposed as asked; of integers with fractional factors the sum is cut towards zero."""
    a, b, c, dtype = n.input(0), n.input(1), n.input(2), n.type(0).dtype
    y = n.emit(MatMul(), _turned(n, a) if n.attr("transA", 0) else a, _turned(n, b) if n.attr("transB", 0) else b)
    alpha, beta = float(n.attr("alpha", 1.0)), float(n.attr("beta", 1.0))
    if dtype.kind != "f" and not (alpha.is_integer() and beta.is_integer()):
        y, c = (n.emit(Cast(FLOAT), v) if v else v for v in (y, c))
    if alpha != 1:
        y = n.emit(Elementwise("mul"), y, n.scalar(alpha, y))
    if c and beta:
        y = n.emit(Elementwise("add"), y, n.emit(Elementwise("mul"), c, n.scalar(beta, c)) if beta != 1 else c)
    return y if n.type(y).dtype == dtype else n.emit(Cast(dtype), y)


def _turned(n: SourceNode, value: str) -> str:
    """A matrix, or each of a batch, transposed."""
    rank = len(n.shape(value))
    return n.emit(Transpose((*range(rank - 2), rank - 1, rank - 2)), value)
