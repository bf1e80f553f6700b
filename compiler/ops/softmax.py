"""Softmax and its logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .elementwise import Elementwise
from .importing import OnnxNode, TfliteNode, onnx_op, tflite_op
from .movement import Reshape
from .op import Op, Perm, normal_axis

if TYPE_CHECKING:
    from ..kernel import Kernel, Site


@dataclass(frozen=True)
class Softmax(Op):
    """exp(x - max) / sum of exp(x - max) along an axis; with `log` its logarithm, x - max - log(sum)."""

    axis: int
    log: bool = False
    layout: ClassVar[Literal["linear"]] = "linear"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if not 0 <= self.axis < x.rank:
            raise GraphError(f"{x} has no axis {self.axis}")
        return (x,)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = arrays[0]
        assert x is not None
        if not x.size:
            return (x,)
        shifted = x.astype(np.float64) - x.max(self.axis, keepdims=True)
        total = np.exp(shifted).sum(self.axis, keepdims=True)
        return ((shifted - np.log(total) if self.log else np.exp(shifted) / total).astype(x.dtype),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..indexing import unravel
        from ..kernel import Kernel

        x, y = site.input(0), site.output
        rank, extent = y.type.rank, y.shape[self.axis]
        last = self.axis == rank - 1 and x.layout.strides[-1] == 1 and y.layout.strides[-1] == 1
        lanes = min(site.target.lanes, extent & -extent) if last else 1
        row = unravel("row", (*y.shape[: self.axis], *y.shape[self.axis + 1 :]))
        index = (*row[: self.axis], "k", *row[self.axis :])
        params = {"EXTENT": extent, "LANES": lanes, "LOG": self.log, "index": index}
        rows = prod(y.shape) // extent
        cost = site.target.launch + site.moved() / site.target.bandwidth / 1e3
        return [Kernel("softmax", params, (site.read("x", 0),), (rows,), lanes=lanes, flops=5 * y.type.size, nbytes=site.moved(), cost=cost)]

    def permuted(self, perm: Perm, types: Sequence[TensorType | None]) -> tuple[Op, Perm] | None:
        return Softmax(perm[self.axis], self.log), perm


@onnx_op("Softmax", "LogSoftmax")
def onnx_softmax(n: OnnxNode) -> str:
    """Before opset 13 the axes from `axis` on count as one."""
    x, shape = n.input(0), n.shape(0)
    log = n.op == "LogSoftmax"
    if n.opset >= 13:
        return n.emit(Softmax(normal_axis(int(n.attr("axis", -1)), len(shape)), log), x)
    axis = normal_axis(int(n.attr("axis", 1)), len(shape))
    if prod(shape[axis + 1 :]) == 1 and axis < len(shape):
        return n.emit(Softmax(axis, log), x)
    rows = n.emit(Reshape((prod(shape[:axis]), prod(shape[axis:]))), x)
    return n.emit(Reshape(shape), n.emit(Softmax(1, log), rows))


@tflite_op("SOFTMAX")
def tflite_softmax(n: TfliteNode) -> str:
    x, beta = n.input(0), n.options.beta
    if beta != 1:
        x = n.emit(Elementwise("mul"), x, n.scalar(beta, x))
    return n.emit(Softmax(len(n.shape(x)) - 1), x)


@tflite_op("LOG_SOFTMAX")
def tflite_log_softmax(n: TfliteNode) -> str:
    return n.emit(Softmax(len(n.shape(0)) - 1, log=True), n.input(0))
