"""Where the maxima are that a pooling takes, and elements put back there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .conv import channels_last, channels_second
from .elementwise import Cast, Elementwise
from .importing import OnnxNode, TfliteNode, onnx_op, tflite_op
from .movement import Pad, Reshape
from .op import Op, Shape
from .padding import Pair, pool_options, window_steps

if TYPE_CHECKING:
    from ..kernel import Kernel, Site


@dataclass(frozen=True)
class MaxPlace(Op):
    """y[n,o…,c]: the sum over the spatial axes of place * i + tap * k, at the first maximum under a window of x [N,spatial…,C].

    There i is its coordinate in x, and k within the window. A result is int64.
    """

    kernel: Shape
    stride: Shape
    pads: tuple[Pair, ...]
    dilation: Shape
    place: Shape
    tap: Shape
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if any(len(v) != x.rank - 2 for v in (self.kernel, self.stride, self.pads, self.dilation, self.place, self.tap)):
            raise GraphError(f"windows of {len(self.kernel)} axes do not slide over {x}, which is [N,…,C]")
        steps = [window_steps(*of) for of in zip(x.shape[1:-1], self.kernel, self.stride, self.dilation, self.pads)]
        return (TensorType((x.shape[0], *steps, x.shape[-1]), np.dtype(np.int64)),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = arrays[0]
        assert x is not None
        (y,) = self.infer(TensorType.of(x))
        out = np.zeros(y.shape, np.int64)
        for o in np.ndindex(y.shape[1:-1]):
            origin = [a * s - b for a, s, (b, _) in zip(o, self.stride, self.pads)]
            taps = [[(k, p + k * d) for k in range(size) if 0 <= p + k * d < e]
                    for p, size, d, e in zip(origin, self.kernel, self.dilation, x.shape[1:-1])]
            seen = x[np.ix_(range(x.shape[0]), *([i for _, i in axis] for axis in taps), range(x.shape[-1]))]
            first = seen.reshape(x.shape[0], -1, x.shape[-1]).argmax(1)
            chosen = np.unravel_index(first, [len(axis) for axis in taps])
            for axis, at, place, tap in zip(taps, chosen, self.place, self.tap):
                out[(slice(None), *o)] += np.array([i * place + k * tap for k, i in axis], np.int64)[at]
        return (out,)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..access import compute_type
        from ..indexing import unravel
        from ..kernel import Kernel

        x, y, target = site.input(0), site.output, site.target
        steps = unravel("window", y.shape[1:-1])
        columns = zip(x.shape[1:-1], self.kernel, self.stride, self.pads, self.dilation, self.place, self.tap, steps)
        names = ("extent", "kernel", "stride", "before", "dilation", "place", "tap", "step")
        axes = [dict(zip(names, (e, k, s, p[0], *rest))) for e, k, s, p, *rest in columns]
        params = {"T": compute_type(x.type.dtype), "axes": axes, "source": ("n", *(f"i{d}" for d in range(len(axes))), "c"),
                  "at": ("n", *steps, "c")}
        grid, flops = (y.shape[-1], prod(y.shape[1:-1]), y.shape[0]), y.type.size * prod(self.kernel)
        cost = target.launch + max(flops * 4 / target.gflops, site.moved() / target.bandwidth) / 1e3
        return [Kernel("max_place", params, (site.read("x", 0),), grid, flops=flops, nbytes=site.moved(), cost=cost)]


@dataclass(frozen=True)
class Unpool(Op):
    """y[p, index[p,l]] = x[p,l], zero elsewhere: of x and index [P,L], a result [P,size].

    Of elements for one place the last stays; those for places outside the row are dropped.
    """

    size: int
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, index = types[0], types[1]
        assert x is not None and index is not None
        if x.rank != 2 or index.shape != x.shape or index.dtype.kind not in "iu":
            raise GraphError(f"{index} does not name places of {x}, which is [P,L]")
        return (TensorType((x.shape[0], self.size), x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, index = arrays[0], arrays[1]
        assert x is not None and index is not None
        y = np.zeros((x.shape[0], self.size), x.dtype)
        for row, places, values in zip(y, index, x):
            inside = (places >= 0) & (places < self.size)
            row[places[inside]] = values[inside]
        return (y,)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..access import compute_type
        from ..kernel import Kernel

        x, index, target = site.input(0), site.input(1), site.target
        rows, count = x.shape
        params = {"COUNT": count, "SIZE": self.size, "I": compute_type(index.type.dtype)}
        steps = 2e-3 * (count + self.size) * -(-rows // target.units)
        cost = target.launch + max(steps, site.moved() / target.bandwidth / 1e3)
        reads = (site.read("x", 0), site.read("index", 1))
        return [Kernel("unpool", params, reads, (rows,), flops=0, nbytes=site.moved(), cost=cost)]


@onnx_op("MaxUnpool")
def onnx_max_unpool(n: OnnxNode) -> str:
    """An index counts the elements of all planes; it is of the size that windows and strides give, which zeros extend to `output_shape`."""
    shape, axes = n.shape(0), len(n.shape(0)) - 2
    kernel, stride, pads = n.attr("kernel_shape"), n.attr("strides") or [1] * axes, n.attr("pads") or [0] * 2 * axes
    size = [(e - 1) * s - pads[d] - pads[d + axes] + k for d, (e, s, k) in enumerate(zip(shape[2:], stride, kernel))]
    planes, count = prod(shape[:2]), prod(size)
    x, index = (n.emit(Reshape((planes, prod(shape[2:]))), n.input(k)) for k in (0, 1))
    start = n.add_constant(np.arange(planes, dtype=n.type(index).dtype)[:, None] * count)
    y = n.emit(Unpool(count), x, n.emit(Elementwise("sub"), index, start))
    y = n.emit(Reshape((*shape[:2], *size)), y)
    wanted = n.integers(2, "output_shape") if n.input(2) else n.shape(y)
    if any(a < b for a, b in zip(wanted, n.shape(y))):
        raise Unsupported(f"output_shape {wanted} smaller than {n.shape(y)}, which windows and strides give")
    return n.emit(Pad(tuple((0, a - b) for a, b in zip(wanted, n.shape(y)))), y) if wanted != n.shape(y) else y


@tflite_op("MaxUnpooling2D")
def mediapipe_max_unpool(n: TfliteNode) -> str:
    """MediaPipe's custom op: x and places within the windows, as MaxPoolingWithArgmax2D gives them; the result is larger by the window."""
    _, stride, kernel, _ = pool_options(n)
    batch, h, w, c = n.shape(0)
    size = (h * kernel[0], w * kernel[1])
    place = n.emit(Cast(np.dtype(np.int32)), n.input(1))
    coordinates, inside = [], []
    for d, (taken, extent) in enumerate(zip(("floor_div", "floor_mod"), (h, w))):
        pad = max((extent - 1) * stride[d] + kernel[d] - size[d], 0) // 2
        origin = np.arange(extent, dtype=np.int32).reshape((-1, 1, 1) if d == 0 else (-1, 1)) * stride[d] - pad
        tap = n.emit(Elementwise(taken), place, n.scalar(kernel[1], place))
        i = n.emit(Elementwise("add"), tap, n.add_constant(origin.astype(np.int32)))
        coordinates.append(i)
        inside += [n.emit(Elementwise("greater_equal"), i, n.scalar(0, i)), n.emit(Elementwise("less"), i, n.scalar(size[d], i))]
    row, column = coordinates
    exists = reduce(lambda a, b: n.emit(Elementwise("logical_and"), a, b), inside)
    flat = n.emit(Elementwise("add"), n.emit(Elementwise("mul"), row, n.scalar(size[1], row)), column)
    flat = n.emit(Elementwise("where"), exists, flat, n.scalar(-1, flat))
    x, index = (n.emit(Reshape((batch * c, h * w)), channels_second(n, v)) for v in (n.input(0), flat))
    return channels_last(n, n.emit(Reshape((batch, c, *size)), n.emit(Unpool(size[0] * size[1]), x, index)))
