"""Local response normalisation: channels divided by the power of a sum of squares over their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..errors import GraphError
from ..ir import TensorType
from .elementwise import literal
from .importing import OnnxNode, TfliteNode, onnx_op, tflite_op
from .movement import Reshape, Transpose
from .op import Op

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


@dataclass(frozen=True)
class LocalResponseNorm(Op):
    """y[n,i,j,c] = x[n,i,j,c] / (bias + alpha * s)^beta, s: the sum of squares of x[n,i,j,c-before … c+after] that exist."""

    before: int
    after: int
    alpha: float
    beta: float
    bias: float
    layout: ClassVar[Literal["image"]] = "image"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if x.rank != 4:
            raise GraphError(f"a local response normalisation needs x [N,H,W,C], not {x}")
        return (x,)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = arrays[0]
        assert x is not None
        squares = np.pad(x.astype(np.float64) ** 2, ((0, 0), (0, 0), (0, 0), (self.before, self.after)))
        total = sum(squares[..., k : k + x.shape[3]] for k in range(self.before + 1 + self.after))
        with np.errstate(all="ignore"):
            return ((x / (self.bias + self.alpha * total) ** self.beta).astype(x.dtype),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..indexing import width
        from ..kernel import Kernel

        y, target, dtype = site.output, site.target, site.input(0).type.dtype
        n, h, w, c = y.shape
        lanes = width(y, target.lanes)
        before, after = min(self.before, c - 1), min(self.after, c - 1)
        left, right = ceil(before / lanes), ceil(after / lanes)
        blocks = ceil(c / lanes)
        taps = [_shifted(k + left * lanes, lanes) for k in range(-before, after + 1)]
        params = {"H": h, "BLOCKS": blocks, "ALPHA": literal(self.alpha, dtype), "BIAS": literal(self.bias, dtype),
                  "POWER": _power(self.beta, dtype), "blocks": range(-left, right + 1), "center": left, "lanes": lanes, "taps": taps}
        grid = (w, blocks, n * h)
        work = prod(grid) * (len(taps) + 3 * (left + right) + 20) * target.lanes / target.gflops
        cost = target.launch + max(work, site.moved() / target.bandwidth) / 1e3
        flops = y.type.size * (len(taps) + 5)
        return [Kernel("lrn", params, (site.read("x", 0),), grid, None, lanes, flops, site.moved(), cost)]


def _shifted(first: int, lanes: int) -> str:
    """The C expression of `lanes` neighbours from a place in the squares s0, s1, …, which are `lanes` wide."""
    if first % lanes == 0:
        return f"s{first // lanes}"
    return f"(part)({', '.join(f's{k // lanes}.s{k % lanes:x}' for k in range(first, first + lanes))})"


def _power(beta: float, dtype: np.dtype[Any]) -> str:
    """The C expression of d^-beta, by roots for the exponents in use."""
    known = {0.5: "rsqrt(d)", 0.75: "rsqrt(d) * sqrt(rsqrt(d))", 1.0: "1.0f / d"}
    return known.get(beta, f"pow(d, {literal(-beta, dtype)})")


@onnx_op("LRN")
def onnx_lrn(n: OnnxNode) -> str:
    """Over [N,C,…], with the mean of squares over `size` channels; an even window reaches one further up."""
    shape, size = n.shape(0), int(n.attr("size"))
    alpha, beta, bias = (float(n.attr(name, default)) for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    op = LocalResponseNorm((size - 1) // 2, size // 2, alpha / size, beta, bias)
    image = n.input(0) if len(shape) == 4 else n.emit(Reshape((*shape[:2], 1, prod(shape[2:]))), n.input(0))
    y = n.emit(Transpose(TO_NCHW), n.emit(op, n.emit(Transpose(TO_NHWC), image)))
    return y if len(shape) == 4 else n.emit(Reshape(shape), y)


@tflite_op("LOCAL_RESPONSE_NORMALIZATION")
def tflite_lrn(n: TfliteNode) -> str:
    o = n.options
    return n.emit(LocalResponseNorm(o.radius, o.radius, o.alpha, o.beta, o.bias), n.input(0))
