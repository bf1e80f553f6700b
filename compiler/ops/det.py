"""Determinants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .importing import OnnxNode, onnx_op
from .op import Op

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

MOST_ROWS = 128
"""Of a matrix that a work-item can hold."""


@dataclass(frozen=True)
class Det(Op):
    """y[…] = the determinant of the square matrix x[…,:,:]."""

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if x.rank < 2 or x.shape[-1] != x.shape[-2] or x.dtype.kind != "f":
            raise GraphError(f"{x} holds no square matrices of floats")
        if x.shape[-1] > MOST_ROWS:
            raise GraphError(f"the determinant of {x}; matrices of up to {MOST_ROWS} rows would be accepted")
        return (TensorType(x.shape[:-2], x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        assert arrays[0] is not None
        return (np.asarray(np.linalg.det(arrays[0].astype(np.float64))).astype(arrays[0].dtype),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..indexing import unravel
        from ..kernel import Kernel

        y, target, rows = site.output, site.target, site.input(0).shape[-1]
        at = unravel("i", y.shape)
        flops = 2 * y.type.size * rows**3 // 3
        cost = target.launch + max(4e-3 * rows**3, site.moved() / target.bandwidth / 1e3)
        params = {"ROWS": rows, "at": at, "source": (*at, "r", "c")}
        return [Kernel("det", params, (site.read("x", 0),), (prod(y.shape),), flops=flops, nbytes=site.moved(), cost=cost)]


@onnx_op("Det")
def onnx_det(n: OnnxNode) -> str:
    return n.emit(Det(), n.input(0))
