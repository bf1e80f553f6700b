"""Resampling of images to another size: nearest, linear and cubic, in the coordinate systems of both formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, prod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import ComputedOperand, GraphError, Unsupported
from ..ir import TensorType
from .elementwise import Cast, Elementwise
from .gather import Gather
from .importing import EIGHT, SIXTEEN, OnnxNode, QuantizedNode, SourceNode, TfliteNode, onnx_op, quantized_op, tflite_op
from .movement import Reshape, Transpose
from .op import Op, normal_axis

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

Mode = Literal["nearest", "linear", "cubic"]
Pair = tuple[float, float]
WHOLE: Pair = (0.0, 1.0)
REACH = {"nearest": 0, "linear": 1, "cubic": 2}
"""Input pixels between a position and the farthest one on a side that has a weight."""
COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize")
FIXED = 1 << 10
"""Steps of a pixel of "fixed" positions."""
NUDGE = 8e-6
"""How far sums of products of 8-bit numbers and such weights may miss a half."""
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@dataclass(frozen=True)
class Resize2D(Op):
    """An NHWC image under another height and width.

    Attributes:
        scale: output pixels per input pixel, as the model gives it; rounding may make it differ from size / extent.
        coordinates: which input position an output pixel stands for; one of COORDINATES, as ONNX defines them.
        rounding: of "nearest": one of ROUNDINGS.
        cubic: the coefficient a of the cubic kernel.
        exclude_outside: "cubic" leaves out what lies outside instead of repeating the edge.
        antialias: "linear" and "cubic" kernels widen where the image shrinks.
        crop: of "tf_crop_and_resize": start and end of rows and of columns, 0 and 1 the first and the last; outside is zero.
        positions: in float32, where it can decide which pixel is nearest, how they follow from an output pixel's number: "scale" divides
            by the scale, as ONNX Runtime does, "size" multiplies by extent / size, as LiteRT does; or "fixed", as LiteRT's kernels of
            integers do: multiplied by extent / size as a multiple of 1 / 1024.
    """

    size: tuple[int, int]
    mode: Mode
    scale: tuple[float, float]
    coordinates: str = "half_pixel"
    rounding: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    crop: tuple[Pair, Pair] = (WHOLE, WHOLE)
    positions: Literal["scale", "size", "fixed"] = "scale"
    layout: ClassVar[Literal["image"]] = "image"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if x.rank != 4 or x.dtype.kind != "f" or min(self.size) < 1:
            raise GraphError(f"{x} cannot be resized to {self.size}; it needs floats [N,H,W,C] and a positive size")
        return (TensorType((x.shape[0], *self.size, x.shape[3]), x.dtype),)

    def taps(self, axis: int, extent: int) -> tuple[np.ndarray, np.ndarray]:
        """Input indices and weights, each [size, taps], of every output row (axis 0) or column (axis 1)."""
        position = self._positions(axis, extent)
        if self.mode == "nearest":
            index = {"round_prefer_floor": np.ceil(position - 0.5), "round_prefer_ceil": np.floor(position + 0.5),
                     "floor": np.floor(position), "ceil": np.ceil(position)}[self.rounding][:, None]
            weight = np.ones(index.shape)
        else:
            shrink = min(self.scale[axis], 1.0) if self.antialias else 1.0
            reach = ceil(REACH[self.mode] / shrink)
            index = np.floor(position)[:, None] + np.arange(1 - reach, reach + 1)
            distance = np.abs(position[:, None] - index) * shrink
            weight = np.maximum(1 - distance, 0) if self.mode == "linear" else _cubic(distance, self.cubic)
            if self.exclude_outside:
                weight = np.where((index >= 0) & (index < extent), weight, 0)
            if self.exclude_outside or self.antialias:
                weight = weight / weight.sum(1, keepdims=True)
        weight = np.where(self.outside(axis, extent)[:, None], 0, weight)
        return np.clip(index, 0, extent - 1).astype(np.int64), weight

    def outside(self, axis: int, extent: int) -> np.ndarray:
        """Which output rows (axis 0) or columns (axis 1) a crop takes from outside the image."""
        position = self._positions(axis, extent)
        return (position < 0) | (position > extent - 1) if self.coordinates == "tf_crop_and_resize" else np.zeros(position.shape, bool)

    def _positions(self, axis: int, extent: int) -> np.ndarray:
        real = np.float32
        size, scale, half = self.size[axis], real(self.scale[axis]), real(0.5)
        by_sizes = self.positions == "size"
        if self.positions == "fixed":
            return _fixed_positions(size, extent, self.coordinates)
        at, last, steps = np.arange(size, dtype=real), real(extent - 1), real(max(size - 1, 1))
        match self.coordinates:
            case "align_corners":
                return at * (last / steps) if by_sizes else at * last / steps
            case "asymmetric":
                return at * (real(extent) / real(size)) if by_sizes else at / scale
            case "pytorch_half_pixel" if size == 1:
                return at
            case "half_pixel_symmetric":
                offset = real(extent) / 2 * (1 - real(size) / (scale * real(extent)))
                return offset + (at + half) / scale - half
            case "tf_crop_and_resize":
                start, end = map(real, self.crop[axis])
                return at + half * (start + end) * last if size == 1 else start * last + at * (end - start) * last / steps
        return (at + half) * (real(extent) / real(size)) - half if by_sizes else (at + half) / scale - half

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = arrays[0]
        assert x is not None
        rows, columns = (self._matrix(axis, x.shape[1 + axis]) for axis in (0, 1))
        return (np.einsum("ih,nhwc,jw->nijc", rows, x.astype(np.float64), columns, optimize=True).astype(x.dtype),)

    def _matrix(self, axis: int, extent: int) -> np.ndarray:
        """The linear map of an axis, [size, extent]."""
        index, weight = self.taps(axis, extent)
        matrix = np.zeros((self.size[axis], extent))
        for k in range(index.shape[1]):
            matrix[np.arange(len(index)), index[:, k]] += weight[:, k]
        return matrix

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..access import STORAGE
        from ..kernel import Kernel, Pack, Read

        x, y, target = site.input(0), site.output, site.target
        blocks = ceil(y.shape[3] / target.lanes)
        real = np.dtype(np.float64 if x.type.dtype == np.float64 else np.float32)
        tables = [self._table(axis, x.shape[1 + axis]).astype(real) for axis in (0, 1)]
        reads = [Read(name, Pack(partial(np.asarray, table)), table.dtype) for name, table in zip(("rows", "columns"), tables)]
        taps = [table.shape[1] for table in tables]
        n, oh, ow, _ = y.shape
        together = y.layout.axis is None and blocks > 1
        params = {"V": target.lanes, "OCB": blocks, "OH": oh, "ROWS": taps[0], "COLUMNS": taps[1], "REAL": STORAGE[real.name],
                  "TOGETHER": together}
        flops, nbytes = 2 * y.type.size * prod(taps), site.moved(sum(table.size for table in tables))
        cost = target.launch + max(3 * flops / target.gflops, nbytes / target.bandwidth) / 1e3
        grid = (blocks, ow, oh * n) if together else (ow, oh, blocks * n)
        return [Kernel("resize", params, (site.read("x", 0), *reads), grid, None, target.lanes, flops, nbytes, cost)]

    def _table(self, axis: int, extent: int) -> np.ndarray:
        """(index, weight) of every tap, [size, taps, 2]."""
        return np.stack(self.taps(axis, extent), -1)


def _fixed_positions(size: int, extent: int, coordinates: str) -> np.ndarray:
    between, steps = (extent - 1, size - 1) if coordinates == "align_corners" and size > 1 else (extent, size)
    scale = (FIXED * between + steps // 2) // steps
    start = scale // 2 - FIXED // 2 if coordinates == "half_pixel" else 0
    return (np.arange(size) * scale + start).astype(np.float32) / np.float32(FIXED)


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """The cubic convolution kernel of Keys, 1981."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))


def resized(n: SourceNode, x: str, op: Resize2D) -> str:
    """Emits a resize. Integers and truth values are picked where the nearest are wanted; else their weighted sums are cut towards zero."""
    type = n.type(x)
    if type.dtype.kind == "f":
        return n.emit(op, x)
    if op.mode != "nearest" or op.coordinates == "tf_crop_and_resize":
        return n.emit(Cast(type.dtype), n.emit(op, n.emit(Cast(np.dtype(np.float32)), x)))
    for axis in (0, 1):
        index, _ = op.taps(axis, type.shape[1 + axis])
        x = n.emit(Gather(1 + axis), x, n.add_constant(index[:, 0]))
    return x


@tflite_op("RESIZE_BILINEAR")
def tflite_resize_bilinear(n: TfliteNode) -> str:
    """Weighted sums of integers are rounded, halves away from zero."""
    op, type = _tflite_op(n, "linear"), n.type(0)
    if type.dtype.kind == "f":
        return n.emit(op, n.input(0))
    y = n.emit(op, n.emit(Cast(np.dtype(np.float32)), n.input(0)))
    away = n.emit(Elementwise("mul"), n.emit(Elementwise("sign"), y), n.scalar(0.5, y))
    return n.emit(Cast(type.dtype), n.emit(Elementwise("add"), y, away))


@quantized_op("RESIZE_BILINEAR", bits=(EIGHT, SIXTEEN))
def tflite_resize_quantized(n: QuantizedNode) -> str:
    """Sums of stored numbers are rounded, halves away from zero; those of signed ones have weights of fixed point."""
    _, zero_point, low, high = n.grid
    op = _tflite_op(n, "linear")
    y = n.emit(replace(op, positions="fixed") if low else op, n.input(0))
    return n.emit(Elementwise("quantize_nudged", (1.0, low - zero_point, high - zero_point, zero_point, NUDGE)), y)


@tflite_op("RESIZE_NEAREST_NEIGHBOR")
def tflite_resize_nearest(n: TfliteNode) -> str:
    if n.options.align_corners and n.options.half_pixel_centers:
        y, shape = n.input(0), n.shape(0)
        for axis, extent in zip((1, 2), n.integers(1, "the size")):
            at, last = np.arange(extent, dtype=np.float32) + np.float32(0.5), np.float32(shape[axis] - 1)
            step = last / np.float32(extent - 1) if extent > 1 else np.float32(shape[axis])
            y = n.emit(Gather(axis), y, n.add_constant(np.minimum(np.floor(at * step + np.float32(0.5)), last).astype(np.int32)))
        return y
    return resized(n, n.input(0), _tflite_op(n, "nearest"))


def _tflite_op(n: TfliteNode, mode: Mode) -> Resize2D:
    """Positions are those of LiteRT's kernels, in float32."""
    size, shape = n.integers(1, "the size"), n.shape(0)
    align, half = n.options.align_corners, n.options.half_pixel_centers
    coordinates = "align_corners" if align else "half_pixel" if half else "asymmetric"
    rounding = "round_prefer_ceil" if align or half else "floor"
    scale = (size[0] / shape[1], size[1] / shape[2])
    return Resize2D((size[0], size[1]), mode, scale, coordinates, rounding, positions="size")


@onnx_op("Upsample")
def onnx_upsample(n: OnnxNode) -> str:
    """Opset 7 has the scales as an attribute, opset 9 as an operand."""
    scales = [float(s) for s in (n.attr("scales") if n.opset < 9 else n.constant(1, "scales"))]
    sizes = [int(np.floor(e * s)) for e, s in zip(n.shape(0), scales)]
    return _onnx_resize(n, scales, sizes)


@onnx_op("Resize")
def onnx_resize(n: OnnxNode) -> str:
    """Opset 10 has operands x, scales; later ones x, roi, scales, sizes."""
    shape = n.shape(0)
    axes = [normal_axis(int(a), len(shape)) for a in n.attr("axes") or range(len(shape))]
    scales, sizes = [1.0] * len(shape), list(shape)
    given, wanted = (n.array(1), None) if n.opset < 11 else (n.array(2), n.array(3))
    if wanted is not None and wanted.size:
        for a, size in zip(axes, wanted.tolist()):
            sizes[a], scales[a] = int(size), int(size) / shape[a]
        policy = n.attr("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            scale = (min if policy == "not_larger" else max)(scales[a] for a in axes)
            for a in axes:
                scales[a], sizes[a] = scale, int(np.floor(shape[a] * scale + 0.5))
    elif given is not None and given.size:
        for a, scale in zip(axes, given.tolist()):
            scales[a], sizes[a] = float(scale), int(np.floor(shape[a] * scale))
    else:
        computed = next((v for v in n.inputs[1:] if v and n.array(v) is None), "")
        raise ComputedOperand("its scales and sizes are computed at run time; one of them must be constant", computed)
    crop = [WHOLE] * len(shape)
    if n.attr("coordinate_transformation_mode") == "tf_crop_and_resize":
        roi = n.constant(1, "roi").tolist()
        for a, start, end in zip(axes, roi, roi[len(axes) :]):
            crop[a] = (start, end)
    return _onnx_resize(n, scales, sizes, crop)


def _onnx_resize(n: OnnxNode, scales: Sequence[float], sizes: Sequence[int], crop: Sequence[Pair] = ()) -> str:
    """Two axes at a time: every mode treats each axis by itself."""
    x, shape = n.input(0), n.shape(0)
    crop = crop or [WHOLE] * len(shape)
    moved = [d for d in range(len(shape)) if sizes[d] != shape[d] or scales[d] != 1 or crop[d] != WHOLE]
    shrinking = [d for d in moved if scales[d] < 1]
    for group in (shrinking, [d for d in moved if d not in shrinking]) if n.opset < 11 else (moved,):
        for k in range(len(group), 0, -2):
            axes = group[max(k - 2, 0) : k]
            x = _resized(n, x, axes, [sizes[d] for d in axes], [scales[d] for d in axes], [crop[d] for d in axes])
    return x


def _resized(n: OnnxNode, x: str, axes: Sequence[int], size: list[int], scale: list[float], crop: list[Pair]) -> str:
    """Resizes two axes, as an image whose channels are the last of the others; one is a row of pixels."""
    shape = list(n.shape(x))
    if len(axes) == 1:
        a = axes[0]
        row = n.emit(Reshape((*shape[:a], 1, *shape[a:])), x)
        y = _resized(n, row, (a, a + 1), [1, *size], [1.0, *scale], [WHOLE, *crop])
        return n.emit(Reshape((*shape[:a], *size, *shape[a + 1 :])), y)
    others = [d for d in range(len(shape)) if d not in axes]
    perm = (*others[:-1], *axes, *others[-1:])
    h, w = (shape[a] for a in axes)
    channels = shape[others[-1]] if others else 1
    op = _resize_op(n, (size[0], size[1]), (scale[0], scale[1]), (crop[0], crop[1]))
    y = resized(n, n.emit(Reshape((prod(shape) // (h * w * channels), h, w, channels)), n.emit(Transpose(perm), x)), op)
    outside = op.outside(0, h)[:, None, None] | op.outside(1, w)[:, None]
    if outside.any() and n.attr("extrapolation_value", 0.0):
        y = n.emit(Elementwise("add"), y, n.add_constant((outside * n.attr("extrapolation_value")).astype(n.type(y).dtype)))
    shape[axes[0]], shape[axes[1]] = size
    return n.emit(Transpose(tuple(int(d) for d in np.argsort(perm))), n.emit(Reshape(tuple(shape[d] for d in perm)), y))


def _resize_op(n: OnnxNode, size: tuple[int, int], scale: tuple[float, float], crop: tuple[Pair, Pair]) -> Resize2D:
    """Before opset 11 a pixel stands for its corner, and the nearest one is the lower where the image grows, the upper where it shrinks."""
    names = {"bilinear": "linear", "trilinear": "linear"}
    mode, old = n.attr("mode", "nearest"), n.opset < 11
    coordinates = "asymmetric" if old else n.attr("coordinate_transformation_mode", "half_pixel")
    rounding = n.attr("nearest_mode", "round_prefer_floor") if not old else "ceil" if min(scale) < 1 else "floor"
    for what, value, accepted in (("mode", names.get(mode, mode), REACH), ("coordinate_transformation_mode", coordinates, COORDINATES),
                                  ("nearest_mode", rounding, ROUNDINGS)):
        if value not in accepted:
            raise Unsupported(f"{what} {value}; one of {', '.join(accepted)} would be accepted")
    antialias = bool(n.attr("antialias", 0))
    if antialias and mode == "nearest":
        raise Unsupported("antialias=1 with mode nearest; linear and cubic would be accepted")
    return Resize2D(size, names.get(mode, mode), scale, coordinates, rounding, float(n.attr("cubic_coeff_a", -0.75)),
                    bool(n.attr("exclude_outside", 0)), antialias, crop)
