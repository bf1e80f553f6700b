"""Resampling of images to another size: nearest, linear and cubic, in the coordinate systems of both formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .conv import TO_NCHW, TO_NHWC
from .importing import OnnxNode, TfliteNode, onnx_op, tflite_op
from .movement import Reshape, Transpose
from .op import Op

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

Mode = Literal["nearest", "linear", "cubic"]
TAPS = {"nearest": 1, "linear": 2, "cubic": 4}
COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric")


@dataclass(frozen=True)
class Resize2D(Op):
    """An NHWC image under another height and width.

    Attributes:
        scale: output pixels per input pixel, as the model gives it; rounding may make it differ from size / extent.
        coordinates: which input position an output pixel stands for; one of COORDINATES, as ONNX defines them.
        rounding: of "nearest": "round_prefer_floor", "round_prefer_ceil", "floor" or "ceil".
        cubic: the coefficient a of the cubic kernel.
        exclude_outside: "cubic" leaves out what lies outside instead of repeating the edge.
        single: positions are computed in float32, as LiteRT does, instead of float64.
    """

    size: tuple[int, int]
    mode: Mode
    scale: tuple[float, float]
    coordinates: str = "half_pixel"
    rounding: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude_outside: bool = False
    single: bool = False
    layout: ClassVar[Literal["image"]] = "image"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x = types[0]
        assert x is not None
        if x.rank != 4 or min(self.size) < 1:
            raise GraphError(f"{x} cannot be resized to {self.size}; it needs [N,H,W,C] and a positive size")
        return (TensorType((x.shape[0], *self.size, x.shape[3]), x.dtype),)

    def taps(self, axis: int, extent: int) -> tuple[np.ndarray, np.ndarray]:
        """Input indices and weights, each [size, taps], of every output row (axis 0) or column (axis 1)."""
        position = self._positions(axis, extent)
        if self.mode == "nearest":
            half = {"round_prefer_floor": np.ceil(position - 0.5), "round_prefer_ceil": np.floor(position + 0.5),
                    "floor": np.floor(position), "ceil": np.ceil(position)}[self.rounding]
            return np.clip(half, 0, extent - 1).astype(np.int64)[:, None], np.ones((len(position), 1))
        base = np.floor(position)
        part = position - base
        if self.mode == "linear":
            index = base[:, None] + np.arange(2)
            weight = np.stack([1 - part, part], 1)
        else:
            index = base[:, None] + np.arange(-1, 3)
            weight = _cubic(np.abs(part[:, None] - np.arange(-1, 3)), self.cubic)
            if self.exclude_outside:
                weight = np.where((index >= 0) & (index < extent), weight, 0)
                weight = weight / weight.sum(1, keepdims=True)
        return np.clip(index, 0, extent - 1).astype(np.int64), weight

    def _positions(self, axis: int, extent: int) -> np.ndarray:
        real: Any = np.float32 if self.single else np.float64
        size, scale = self.size[axis], real(self.scale[axis])
        at = np.arange(size, dtype=real)
        half = real(0.5)
        match self.coordinates:
            case "align_corners":
                return at * (real(extent - 1) / real(size - 1)) if size > 1 else at * real(0)
            case "asymmetric":
                return at * (real(extent) / real(size)) if self.single else at / scale
            case "pytorch_half_pixel" if size == 1:
                return at * real(0)
            case "half_pixel_symmetric":
                adjustment = size / (self.scale[axis] * extent)
                center = extent / 2
                return center * (1 - adjustment) + (at + half) / scale - half
        return (at + half) * (real(extent) / real(size)) - half if self.single else (at + half) / scale - half

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
        from ..kernel import Kernel, Pack, Read

        x, y = site.input(0), site.output
        lanes = site.target.lanes
        blocks = ceil(y.shape[3] / lanes)
        tables = [Read(name, Pack(self._table(axis, x.shape[1 + axis])), np.dtype(np.float32)) for axis, name in ((0, "rows"), (1, "columns"))]
        params = {"V": lanes, "OCB": blocks, "TAPS": TAPS[self.mode]}
        nbytes = site.moved(sum(self.size) * 2 * TAPS[self.mode])
        cost = site.target.launch + nbytes / site.target.bandwidth / 1e3
        grid = (y.shape[2], y.shape[1], blocks * y.shape[0])
        flops = 2 * y.type.size * TAPS[self.mode] ** 2
        return [Kernel("resize", params, (site.read("x", 0), *tables), grid, lanes=lanes, flops=flops, nbytes=nbytes, cost=cost)]

    def _table(self, axis: int, extent: int) -> Any:
        def make() -> np.ndarray:
            index, weight = self.taps(axis, extent)
            return np.stack([index.astype(np.float32), weight.astype(np.float32)], -1)

        return make


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """The cubic convolution kernel of Keys, 1981."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0))


@tflite_op("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def tflite_resize(n: TfliteNode) -> str:
    """Positions are those of LiteRT's kernels, in float32."""
    size, shape = n.integers(1, "the size"), n.shape(0)
    align, half = n.options.align_corners, n.options.half_pixel_centers
    scale = (size[0] / shape[1], size[1] / shape[2])
    coordinates = "align_corners" if align else "half_pixel" if half else "asymmetric"
    if n.op == "RESIZE_BILINEAR":
        return n.emit(Resize2D((size[0], size[1]), "linear", scale, coordinates, single=True), n.input(0))
    if align and half:
        raise Unsupported("align_corners and half_pixel_centers together; one of them would be accepted")
    rounding = "round_prefer_ceil" if align or half else "floor"
    return n.emit(Resize2D((size[0], size[1]), "nearest", scale, coordinates, rounding, single=True), n.input(0))


@onnx_op("Upsample")
def onnx_upsample(n: OnnxNode) -> str:
    """Opset 7 has the scales as an attribute, opset 9 as an operand."""
    scales = [float(s) for s in (n.attr("scales") if n.opset < 9 else n.constant(1, "scales"))]
    sizes = [int(np.floor(e * s)) for e, s in zip(n.shape(0), scales)]
    return _onnx_resize(n, n.attr("mode", "nearest"), scales, sizes, "asymmetric", "floor")


@onnx_op("Resize")
def onnx_resize(n: OnnxNode) -> str:
    """Opset 10 has operands x, scales; later ones x, roi, scales, sizes."""
    shape = n.shape(0)
    old = n.opset < 11
    axes = [int(a) % len(shape) for a in n.attr("axes") or range(len(shape))]
    scales, sizes = [1.0] * len(shape), list(shape)
    given = n.array(1 if old else 2)
    wanted = None if old else n.array(3)
    if n.attr("antialias", 0):
        raise Unsupported("antialias=1; antialias=0 would be accepted")
    if wanted is not None and wanted.size:
        for a, size in zip(axes, wanted.tolist()):
            sizes[a], scales[a] = int(size), int(size) / shape[a]
        policy = n.attr("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            choose = min if policy == "not_larger" else max
            scale = choose(scales[a] for a in axes)
            for a in axes:
                scales[a], sizes[a] = scale, int(np.floor(shape[a] * scale + 0.5))
    elif given is not None and given.size:
        for a, scale in zip(axes, given.tolist()):
            scales[a], sizes[a] = float(scale), int(np.floor(shape[a] * scale))
    else:
        raise Unsupported("its scales and sizes are computed at run time; one of them must be constant")
    coordinates = "asymmetric" if old else n.attr("coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if old else n.attr("nearest_mode", "round_prefer_floor")
    return _onnx_resize(n, n.attr("mode", "nearest"), scales, sizes, coordinates, rounding)


def _onnx_resize(n: OnnxNode, mode: str, scales: Sequence[float], sizes: Sequence[int], coordinates: str, rounding: str) -> str:
    x, shape = n.input(0), n.shape(0)
    if coordinates not in COORDINATES:
        raise Unsupported(f"coordinate_transformation_mode {coordinates}; one of {', '.join(COORDINATES)} would be accepted")
    moved = [d for d in range(len(shape)) if sizes[d] != shape[d] or scales[d] != 1]
    if len(shape) not in (3, 4) or any(d < 2 for d in moved):
        raise Unsupported(f"resizing axes {moved} of shape {list(shape)}; height and width of [N,C,H,W] would be accepted")
    if len(shape) == 3:
        x = n.emit(Reshape((*shape[:2], 1, shape[2])), x)
    rows = (sizes[2], scales[2]) if len(shape) == 4 else (1, 1.0)
    kind: Mode = "linear" if mode in ("linear", "bilinear") else "cubic" if mode == "cubic" else "nearest"
    op = Resize2D((rows[0], sizes[-1]), kind, (rows[1], scales[-1]), coordinates, rounding,
                  float(n.attr("cubic_coeff_a", -0.75)), bool(n.attr("exclude_outside", 0)))
    y = n.emit(Transpose(TO_NCHW), n.emit(op, n.emit(Transpose(TO_NHWC), x)))
    return n.emit(Reshape((*shape[:2], sizes[2])), y) if len(shape) == 3 else y
