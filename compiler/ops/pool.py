"""Pooling of images: the maximum or the average under a sliding window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .activation import activate
from .conv import channels_last, channels_second
from .elementwise import Cast, Elementwise
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .max_place import MaxPlace
from .movement import Reshape
from .op import Op
from .padding import NO_PADS, Pads, Pair, onnx_pads, pool_options, tflite_pads, window_steps
from .reduce import Reduce
from .reshaping import part

if TYPE_CHECKING:
    from ..kernel import Kernel, Site


@dataclass(frozen=True)
class Pool2D(Op):
    """y[n,i,j,c]: over the window of x [N,H,W,C] that starts at (i*sy - top, j*sx - left).

    Attributes:
        counted: the part of the padding that an average counts, as zeros; a maximum never sees padding.
    """

    kind: Literal["max", "average"]
    kernel: Pair
    stride: Pair = (1, 1)
    pads: Pads = NO_PADS
    dilation: Pair = (1, 1)
    counted: Pads = NO_PADS
    layout: ClassVar[Literal["image"]] = "image"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if x.rank != 4:
            raise GraphError(f"a 2-d pooling needs x [N,H,W,C], not {x}")
        n, h, w, c = x.shape
        steps = []
        for axis in zip((h, w), self.kernel, self.stride, self.dilation, self.pads, self.counted):
            steps.append(window_steps(*axis[:-1]))
            if _blind(steps[-1], *axis):
                raise GraphError(f"a window of {self.kernel} with dilation {self.dilation} sees nothing of {x} padded by {self.pads}")
        return (TensorType((n, *steps, c), x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = arrays[0]
        assert x is not None
        (y,) = self.infer(TensorType.of(x))
        if self.kind == "max":
            return (self._windows(x, _lowest(x.dtype), y.shape).max(0),)
        total = self._windows(x.astype(np.float64), 0.0, y.shape).sum(0)
        inside = np.pad(np.ones((1, *x.shape[1:3], 1)), ((0, 0), *self.counted, (0, 0)), constant_values=1)
        top, left = ((a - c, b - d) for (a, b), (c, d) in zip(self.pads, self.counted))
        return ((total / self._windows(inside, 0.0, y.shape, (top, left)).sum(0)).astype(x.dtype),)

    def _windows(self, x: np.ndarray, fill: float, shape: tuple[int, ...], pads: Pads | None = None) -> np.ndarray:
        """What each of the KY * KX taps sees: [taps, N, OH, OW, C]."""
        x = np.pad(x, ((0, 0), *(self.pads if pads is None else pads), (0, 0)), constant_values=fill)
        taps = []
        for ky in range(self.kernel[0]):
            for kx in range(self.kernel[1]):
                top, left = ky * self.dilation[0], kx * self.dilation[1]
                taps.append(x[:, top : top + (shape[1] - 1) * self.stride[0] + 1 : self.stride[0],
                              left : left + (shape[2] - 1) * self.stride[1] + 1 : self.stride[1]])
        return np.stack(taps)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        """A segment of a row under one work-item: wide ones share the loads of windows that overlap."""
        from ..access import compute_type
        from ..indexing import combine, extremes, width
        from ..kernel import Kernel

        x, y, target = site.input(0), site.output, site.target
        n, oh, ow, c = y.shape
        lanes = width(y, target.lanes)
        dtype = x.type.dtype
        flops = y.type.size * self.kernel[0] * self.kernel[1]
        kernels = []
        for tx in sorted({min(t, ow) for t in (1, 2, 4, 8)}):
            segment = (tx - 1) * self.stride[1] + (self.kernel[1] - 1) * self.dilation[1] + 1
            if tx > 1 and tx + segment > target.registers:
                continue
            grid = (ceil(ow / tx) * oh, ceil(c / lanes), n)
            items = grid[0] * grid[1] * n
            loads = items * self.kernel[0] * min(segment, self.kernel[1] * tx)
            rounds = ceil(items / target.units) * target.units / items
            work = (2 * loads + flops / lanes * (1 if self.kind == "max" else 1.5) + 20 * items) * target.lanes
            cost = target.launch + max(work * rounds * 2 / target.gflops, site.moved() / target.bandwidth) / 1e3
            params = {"V": lanes, "T": compute_type(dtype), "AVERAGE": int(self.kind == "average"), "LOWEST": extremes(dtype)[0],
                      "LARGER": combine("max", dtype), "IH": x.shape[1], "IW": x.shape[2], "OW": ow, "KY": self.kernel[0],
                      "KX": self.kernel[1], "STRIDE_Y": self.stride[0], "STRIDE_X": self.stride[1], "DILATION_Y": self.dilation[0],
                      "DILATION_X": self.dilation[1], "PAD_TOP": self.pads[0][0], "PAD_LEFT": self.pads[1][0],
                      "COUNT_TOP": self.counted[0][0], "COUNT_BOTTOM": self.counted[0][1],
                      "COUNT_LEFT": self.counted[1][0], "COUNT_RIGHT": self.counted[1][1], "TX": tx}
            kernels.append(Kernel("pool", params, (site.read("x", 0),), grid, None, lanes, flops, site.moved(), cost))
        return sorted(kernels, key=lambda k: k.cost)


def _blind(steps: int, extent: int, kernel: int, stride: int, dilation: int, pads: Pair, counted: Pair) -> bool:
    """Whether some window along an axis has all its taps in padding that nobody counts."""
    taps = np.arange(kernel) * dilation
    seen = (np.arange(steps)[:, None] * stride - pads[0]) + taps
    return not bool(((seen >= -counted[0]) & (seen < extent + counted[1])).any(1).all())


def _lowest(dtype: np.dtype) -> float:
    return -np.inf if dtype.kind == "f" else int(np.iinfo(dtype).min)


def pooled(n: SourceNode, x: str, kind: Literal["max", "average"], kernel: Sequence[int], stride: Sequence[int], pads: Sequence[Pair],
           dilation: Sequence[int], counted: Sequence[Pair]) -> str:
    """A pooling of x [N,spatial…,C] over any number of axes: of images, and then along the axes before rows and columns, one by one."""
    axes, lead = len(kernel), len(kernel) - 2
    window = [list(v) for v in zip(kernel, stride, pads, dilation, counted)]
    if axes == 1:
        window.insert(0, [1, 1, (0, 0), 1, (0, 0)])
    shape = n.shape(x)
    image = n.emit(Reshape((prod(shape[: max(lead, 0) + 1]), *([1] if axes == 1 else []), *shape[max(lead, 0) + 1 :])), x)
    y = n.emit(_pool(kind, *window[-2:]), image)
    shape = (*shape[: max(lead, 0) + 1], *n.shape(y)[2 if axes == 1 else 1 :])
    for d in range(lead):
        rows = n.emit(Reshape((prod(shape[: d + 1]), shape[d + 1], prod(shape[d + 2 : -1]), shape[-1])), y)
        y = n.emit(_pool(kind, window[d], [1, 1, (0, 0), 1, (0, 0)]), rows)
        shape = (*shape[: d + 1], n.shape(y)[1], *shape[d + 2 :])
    return n.emit(Reshape(shape), y)


def _pool(kind: Literal["max", "average"], rows: Sequence[Any], columns: Sequence[Any]) -> Pool2D:
    """From (kernel, stride, padding, dilation, counted padding) of both axes."""
    kernel, stride, pads, dilation, counted = ((a, b) for a, b in zip(rows, columns))
    return Pool2D(kind, kernel, stride, pads, dilation, counted)


@onnx_op("MaxPool", "AveragePool", "LpPool")
def onnx_pool(n: OnnxNode) -> str | tuple[str, ...]:
    """LpPool is a power of an average; a maximum's second result is its place in the whole of x."""
    x, axes = channels_last(n, n.input(0)), len(n.shape(0)) - 2
    kernel = [int(k) for k in n.attr("kernel_shape")]
    if axes < 1 or len(kernel) != axes:
        raise Unsupported(f"a window of {kernel} over {n.type(0)}; as many extents as there are spatial axes would be accepted")
    stride, dilation = n.attr("strides") or [1] * axes, n.attr("dilations") or [1] * axes
    spatial = n.shape(0)[2:]
    pads = onnx_pads(n, spatial, kernel, stride, dilation)
    counted = pads if n.attr("count_include_pad", 0) else [(0, 0)] * axes
    if n.attr("ceil_mode", 0) and n.attr("auto_pad", "NOTSET") in ("NOTSET", b"NOTSET"):
        pads = [_ceiled(*of) for of in zip(spatial, kernel, stride, dilation, pads)]
    if n.op == "LpPool":
        y = _lp(n, x, int(n.attr("p", 2)), prod(kernel), lambda v: pooled(n, v, "average", kernel, stride, pads, dilation, pads))
    else:
        y = pooled(n, x, "max" if n.op == "MaxPool" else "average", kernel, stride, pads, dilation, counted)
    pooling = channels_second(n, y)
    if not (n.op == "MaxPool" and len(n.outputs) > 1 and n.outputs[1]):
        return pooling
    column_major = n.attr("storage_order", 0)
    place = [prod(spatial[:d] if column_major else spatial[d + 1 :]) for d in range(axes)]
    op = MaxPlace(tuple(kernel), tuple(stride), tuple(pads), tuple(dilation), tuple(place), (0,) * axes)
    second = part(n, 1)
    planes = np.arange(prod(n.shape(0)[:2])).reshape(*n.shape(0)[:2], *[1] * axes) * prod(spatial)
    return pooling, second.emit(Elementwise("add"), channels_second(second, second.emit(op, x)), n.add_constant(planes))


def _ceiled(extent: int, kernel: int, stride: int, dilation: int, pads: Pair) -> Pair:
    """Padding at the end for `ceil_mode`: one more window where it would stick out, unless it starts in that padding."""
    reach = (kernel - 1) * dilation + 1
    steps = -(-(extent + sum(pads) - reach) // stride) + 1
    if (steps - 1) * stride >= extent + pads[0]:
        steps -= 1
    return pads[0], max((steps - 1) * stride + reach - extent - pads[0], pads[1])


def _lp(n: OnnxNode, x: str, p: int, taps: int, average: Callable[[str], str]) -> str:
    """(sum of |x|^p)^(1/p): a sum is an average that counts its padding, times the taps."""
    magnitude = n.emit(Elementwise("abs"), x)
    powers = n.emit(Elementwise("square"), x) if p == 2 else n.emit(Elementwise("pow"), magnitude, n.scalar(p, x))
    total = n.emit(Elementwise("mul"), average(magnitude if p == 1 else powers), n.scalar(taps, x))
    if p == 2:
        return n.emit(Elementwise("sqrt"), total)
    return total if p == 1 else n.emit(Elementwise("pow"), total, n.scalar(1 / p, x))


@onnx_op("GlobalAveragePool", "GlobalMaxPool")
def onnx_global_pool(n: OnnxNode) -> str:
    axes = tuple(range(2, len(n.shape(0))))
    return n.emit(Reduce("mean" if n.op == "GlobalAveragePool" else "max", axes, keepdims=True), n.input(0))


@onnx_op("GlobalLpPool")
def onnx_global_lp_pool(n: OnnxNode) -> str:
    x, p = n.input(0), int(n.attr("p", 2))
    powers = n.emit(Elementwise("pow"), n.emit(Elementwise("abs"), x), n.scalar(p, x))
    total = n.emit(Reduce("sum", tuple(range(2, len(n.shape(0)))), keepdims=True), powers)
    return n.emit(Elementwise("pow"), total, n.scalar(1 / p, x))


@tflite_op("MaxPoolingWithArgmax2D")
def mediapipe_max_pool(n: TfliteNode) -> tuple[str, str]:
    """MediaPipe's custom op: maxima, and their places within the window in its row-major order, as floats with 0.1 added."""
    padding, stride, kernel, activation = pool_options(n)
    pads = tflite_pads(padding, n.shape(0), kernel, stride)
    y = n.emit(Pool2D("max", kernel, stride, (pads[0], pads[1])), n.input(0))
    second = part(n, 1)
    place = second.emit(MaxPlace(kernel, stride, tuple(pads), (1, 1), (0, 0), (kernel[1], 1)), n.input(0))
    place = second.emit(Cast(np.dtype(np.float32)), place)
    return activate(n, y, activation), second.emit(Elementwise("add"), place, n.scalar(0.1, place))


@tflite_op("MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D")
def tflite_pool(n: TfliteNode) -> str:
    """Averages count only what lies inside the image. L2 is the root of the average of squares."""
    o = n.options
    kernel, stride = (o.filter_height, o.filter_width), (o.stride_h, o.stride_w)
    kind: Literal["max", "average"] = "max" if n.op == "MAX_POOL_2D" else "average"
    pads = tflite_pads(o.padding, n.shape(0), kernel, stride)
    op = Pool2D(kind, kernel, stride, (pads[0], pads[1]))
    x = n.input(0)
    y = n.emit(op, n.emit(Elementwise("square"), x) if n.op == "L2_POOL_2D" else x)
    y = n.emit(Elementwise("sqrt"), y) if n.op == "L2_POOL_2D" else y
    return activate(n, y, o.fused_activation_function)
