"""Softmax and its logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
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

WORK = 12
"""What an element costs, in multiplications and additions: mostly its two exponentials."""


@dataclass(frozen=True)
class Softmax(Op):
    """exp(x - max) / sum of exp(x - max) along an axis; with `log` its logarithm, x - max - log(sum).

    Of float16 each step is rounded to that, as the operators are by which the ONNX standard defines it.
    """

    axis: int
    log: bool = False
    layout: ClassVar[Literal["linear"]] = "linear"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if not 0 <= self.axis < x.rank:
            raise GraphError(f"{x} has no axis {self.axis}")
        if x.dtype.kind != "f":
            raise GraphError(f"a softmax of {x}; floats would be accepted")
        return (x,)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = arrays[0]
        assert x is not None
        if not x.size:
            return (x,)
        steps = np.float16 if x.dtype == np.float16 else np.float64
        shifted = (x.astype(np.float64) - x.max(self.axis, keepdims=True)).astype(steps)
        powers = np.exp(shifted)
        total = powers.sum(self.axis, keepdims=True, dtype=np.float64).astype(steps)
        return ((shifted - np.log(total) if self.log else powers / total).astype(x.dtype),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        """Along the last axis a vector holds neighbours of one row of the axis, along another one those of several rows."""
        from ..indexing import unravel, width
        from ..kernel import Kernel
        from .reduce_kernels import share_cost, share_groups

        y, target = site.output, site.target
        inside, extent = self.axis == y.type.rank - 1, y.shape[self.axis]
        lanes = width(y, target.lanes)
        outer = [d for d in range(y.type.rank - (not inside)) if d != self.axis]
        index = ["i" if d == self.axis else "cb * V" for d in range(y.type.rank)]
        for d, i in zip(outer, unravel("row", [y.shape[d] for d in outer])):
            index[d] = i
        grid = (1 if inside else ceil(y.shape[-1] / lanes), prod(y.shape[d] for d in outer))
        step = lanes if inside else 1
        kernels = []
        for group in share_groups(target, grid[0] * grid[1], ceil(extent / step)):
            params = {"V": lanes, "EXTENT": extent, "STEP": step, "WG": group, "log": self.log, "index": index,
                      "narrowed": site.input(0).type.dtype == np.float16}
            cost = share_cost(target, site.moved(), WORK * ceil(extent / step), grid[0] * grid[1], group)
            kernels.append(Kernel("softmax", params, (site.read("x", 0),), (grid[0] * group, grid[1]), (group, 1) if group > 1 else None,
                                  lanes, 5 * y.type.size, site.moved(), cost))
        return sorted(kernels, key=lambda k: k.cost)

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
