"""Sampling at computed points: images under a grid, an affine transformation, or a field of offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, prod
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .conv import channels_last, channels_second
from .elementwise import Cast, Elementwise
from .importing import OnnxNode, TfliteNode, onnx_op, tflite_op
from .matmul import MatMul
from .movement import Reshape, Transpose
from .op import Op
from .padding import onnx_pads, window_steps
from .reshaping import cut
from .windows import rows_product

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

Mode = Literal["nearest", "linear", "cubic"]
Padding = Literal["zeros", "border", "reflection", "cut"]
TAPS: dict[str, int] = {"nearest": 1, "linear": 2, "cubic": 4}
PADDINGS: tuple[Padding, ...] = ("zeros", "border", "reflection", "cut")


@dataclass(frozen=True)
class Sample(Op):
    """y[n,p…,c] = x[n, at[n,p…], c], interpolated between the elements of x.

    Operands: x [N,spatial…,C]; at [N,points…,axes], a float position on each spatial axis, counted in elements.

    Attributes:
        padding: what lies outside: zeros; zeros at once beyond the last element (cut), not by and by as between elements; the
            nearest element (border), which cubic weights see as elements of their own; or the elements mirrored (reflection) …
        corners: … at the centre of the last element, or else at its outer edge.
        reverse: the positions are in the order of the axes from the last to the first.
    """

    mode: Mode = "linear"
    padding: Padding = "zeros"
    corners: bool = False
    reverse: bool = False
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, at = types[0], types[1]
        assert x is not None and at is not None
        if x.rank < 3 or at.rank < 2 or at.shape[0] != x.shape[0] or at.shape[-1] != x.rank - 2 or {x.dtype.kind, at.dtype.kind} != {"f"}:
            raise GraphError(f"{at} does not hold points [N,…,{x.rank - 2}] of {x}, floats which are [N,spatial…,C]")
        if 0 in x.shape:
            raise GraphError(f"{x} has no elements to sample")
        return (TensorType((*at.shape[:-1], x.shape[-1]), x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, at = arrays[0], arrays[1]
        assert x is not None and at is not None
        (y,) = self.infer(TensorType.of(x), TensorType.of(at))
        spatial = x.shape[1:-1]
        points = at.reshape(x.shape[0], -1, len(spatial)).astype(np.float32)
        taps = [self._taps(points[..., -1 - d if self.reverse else d], extent) for d, extent in enumerate(spatial)]
        image = np.arange(x.shape[0])[:, None]
        total = np.zeros((*points.shape[:2], x.shape[-1]), np.float64)
        for chosen in product(*([*zip(*of)] for of in taps)):
            index, weights = zip(*chosen)
            seen = x[(image, *(i.clip(0) for i in index))].astype(np.float64)
            inside = np.logical_and.reduce([i >= 0 for i in index])
            total += np.where(inside[..., None], seen * np.prod(weights, 0)[..., None], 0.0)
        return (total.reshape(y.shape).astype(x.dtype),)

    def _taps(self, p: np.ndarray, extent: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Along an axis: the elements of each tap, -1 where it is zero, and their weights."""
        taps, edge = TAPS[self.mode], 0.0 if self.corners else 0.5
        low, high = -edge, extent - 1 + edge
        p = np.rint(p) if taps == 1 else p
        if self.padding == "zeros" or (self.padding == "border" and taps == 4):
            p = np.fmin(np.fmax(p, -4), extent + 4)
        elif self.padding == "border":
            p = np.where((p >= low) & (p <= high), p, np.fmin(np.fmax(p, 0), extent - 1))
        elif self.padding == "reflection":
            p = _mirrored(p, low, high)
        elif self.padding == "cut":
            p = np.where((p >= 0) & (p <= extent - 1), p, -4)
        first, f = np.floor(p), p - np.floor(p)
        index, weights = [], []
        for tap in range(taps):
            i = first + tap - (taps > 2)
            if self.padding in ("zeros", "cut"):
                i = np.where((i >= 0) & (i < extent), i, -1)
            else:
                i = (i if self.padding == "border" else np.trunc(_mirrored(i, low, high))).clip(0, extent - 1)
            index.append(i.astype(np.int64))
            weights.append(np.ones_like(f) if taps == 1 else abs(1 - tap - f) if taps == 2 else _cubic(abs(f + 1 - tap)))
        return index, weights

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..indexing import unravel, width
        from ..kernel import Kernel

        x, y, target = site.input(0).shape, site.output, site.target
        lanes, axes, taps = width(y, target.lanes), len(x) - 2, TAPS[self.mode]
        point = ("n", *unravel("point", y.shape[1:-1]))
        params = {"LANES": lanes, "TAPS": taps, "PADDING": PADDINGS.index(self.padding), "EDGE": "0.0f" if self.corners else "0.5f",
                  "extents": x[1:-1], "positions": [(*point, str(axes - 1 - d if self.reverse else d)) for d in range(axes)],
                  "source": ("n", *(f"i{d}" for d in range(axes)), "cb * LANES"), "place": (*point, "cb * LANES")}
        grid = (ceil(y.shape[-1] / lanes), prod(y.shape[1:-1]), y.shape[0])
        work = prod(grid) * (taps**axes * 3 + 10 * axes * taps) * target.lanes / target.gflops
        cost = target.launch + max(work, site.moved() / target.bandwidth) / 1e3
        return [Kernel("sample", params, (site.read("x", 0), site.read("at", 1)), grid, None, lanes,
                       2 * y.type.size * taps**axes, site.moved(), cost)]


def _mirrored(p: np.ndarray, low: float, high: float) -> np.ndarray:
    extent = high - low
    if extent <= 0:
        return np.full_like(p, low)
    away = np.where(p < low, low - p, p - high)
    turns, rest = np.divmod(away, extent)
    return np.where((p >= low) & (p <= high), p, np.where((p < low) == (turns % 2 == 0), low + rest, high - rest))


def _cubic(d: np.ndarray, a: float = -0.75) -> np.ndarray:
    return np.where(d <= 1, ((a + 2) * d - (a + 3)) * d * d + 1, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a)


@onnx_op("GridSample")
def onnx_grid_sample(n: OnnxNode) -> str:
    """The grid counts from -1 to 1, in the order of the axes from the last to the first."""
    mode, padding, corners = n.attr("mode", "linear"), n.attr("padding_mode", "zeros"), bool(n.attr("align_corners", 0))
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    for what, value, accepted in (("mode", mode, TAPS), ("padding_mode", padding, PADDINGS[:3])):
        if value not in accepted:
            raise Unsupported(f"{what} {value}; one of {', '.join(accepted)} would be accepted")
    x, grid = n.input(0), _places(n, n.input(1))
    dtype, axes = n.type(x).dtype, len(n.shape(x)) - 2
    if n.shape(grid)[-1] != axes:
        raise Unsupported(f"grid {n.type(grid)} for {n.type(x)}; one of {axes} coordinates would be accepted")
    extents = np.array(n.shape(x)[:1:-1], n.type(grid).dtype)
    at = n.emit(Elementwise("add"), grid, n.scalar(1.0, grid))
    if corners:
        at = n.emit(Elementwise("mul"), n.emit(Elementwise("mul"), at, n.scalar(0.5, grid)), n.add_constant(extents - 1))
    else:
        scaled = n.emit(Elementwise("mul"), at, n.add_constant(extents))
        at = n.emit(Elementwise("mul"), n.emit(Elementwise("sub"), scaled, n.scalar(1.0, grid)), n.scalar(0.5, grid))
    image = x if dtype.kind == "f" else n.emit(Cast(np.dtype(np.float32)), x)
    op = Sample(cast(Mode, mode), cast(Padding, padding), corners, reverse=True)
    y = channels_second(n, n.emit(op, channels_last(n, image), at))
    return y if dtype.kind == "f" else n.emit(Cast(dtype), y)


def _places(n: OnnxNode, value: str) -> str:
    """Coordinates: float16, which tells only 2048 places apart, becomes float32."""
    return n.emit(Cast(np.dtype(np.float32)), value) if n.type(value).dtype == np.float16 else value


@onnx_op("AffineGrid")
def onnx_affine_grid(n: OnnxNode) -> str:
    """theta [N,axes,axes + 1] applied to the places of a grid, (x, y, …, 1) from -1 to 1."""
    theta, size = n.input(0), n.integers(1, "the size")
    spatial = size[2:]
    if n.shape(theta) != (size[0], len(spatial), len(spatial) + 1):
        raise Unsupported(f"theta {n.type(theta)} for a grid of size {size}; [N,axes,axes + 1] would be accepted")
    corners = bool(n.attr("align_corners", 0))
    n.checked((*spatial, len(spatial) + 1))
    lines = [np.linspace(-1, 1, e) if corners else (2 * np.arange(e) + 1) / e - 1 for e in spatial]
    places = np.stack([*np.meshgrid(*lines, indexing="ij")[::-1], np.ones(spatial)], -1).reshape(-1, len(spatial) + 1)
    grid = n.emit(MatMul(), n.add_constant(places[None].astype(n.type(theta).dtype)), n.emit(Transpose((0, 2, 1)), theta))
    return n.emit(Reshape((size[0], *spatial, len(spatial))), grid)


@tflite_op("Resampler")
def tflite_resampler(n: TfliteNode) -> str:
    """TensorFlow's custom op: x [N,H,W,C] at (x, y) of the pixels of [N,…,2], zero outside."""
    return n.emit(Sample(reverse=True), n.input(0), n.input(1))


@tflite_op("TransformTensorBilinear")
def mediapipe_transform(n: TfliteNode) -> str:
    """MediaPipe's custom op: x [1,H,W,C] under the matrix [1,4,4] from (x, y, 0, 1) of the result to x and y, zero outside.

    Its version 2 counts from the corners of pixels, version 1 from their centres.
    """
    custom = n.custom if isinstance(n.custom, dict) else {}
    size = custom.get("output_size", ()) if n.version == 1 else [custom[k] for k in ("output_height", "output_width") if k in custom]
    if len(size) != 2 or custom.get("mode", "bilinear") != "bilinear":
        raise Unsupported(f"options {custom or 'that are no map'}; a bilinear mode and the size of the result would be accepted")
    h, w = (int(e) for e in size)
    if n.shape(0)[0] != 1 or n.type(1).size != 16:
        raise Unsupported(f"{n.type(0)} under {n.type(1)}; a batch of 1 and a matrix of 4x4 would be accepted")
    center = 0.5 if n.version > 1 else 0.0
    y, x = np.mgrid[:h, :w].reshape(2, -1) + center
    pixels = np.stack([x, y, np.zeros_like(x), np.ones_like(x)], -1).astype(np.float32)
    rows = cut(n, n.emit(Reshape((4, 4)), n.input(1)), {0: (0, 2, 1)})
    at = n.emit(MatMul(), n.add_constant(pixels), n.emit(Transpose((1, 0)), rows))
    at = n.emit(Elementwise("sub"), at, n.scalar(center, at)) if center else at
    return n.emit(Sample(padding="cut", reverse=True), n.input(0), n.emit(Reshape((1, h, w, 2)), at))


@onnx_op("DeformConv")
def onnx_deform_conv(n: OnnxNode) -> str:
    """A convolution whose taps are moved by offsets and weighted by a mask: samples of x, times the weights."""
    x, w, offset, bias, mask = (n.input(k) for k in range(5))
    (batch, c, *spatial), (o, _, *kernel) = n.shape(x), n.shape(w)
    axes, groups, apart = len(spatial), int(n.attr("group", 1)), int(n.attr("offset_group", 1))
    stride, dilation = n.attr("strides") or [1] * axes, n.attr("dilations") or [1] * axes
    pads = onnx_pads(n, spatial, kernel, stride, dilation)
    try:
        steps = tuple(window_steps(*of) for of in zip(spatial, kernel, stride, dilation, pads))
    except GraphError as error:
        raise Unsupported(str(error)) from None
    taps, points = prod(kernel), prod(steps)
    fits = n.shape(w)[1] * groups == c and n.shape(offset) == (batch, apart * taps * axes, *steps)
    if not fits or o % groups or c % apart:
        raise Unsupported(f"{n.type(x)} with offsets {n.type(offset)} in {apart} groups does not fit weights {n.type(w)} in {groups}")
    images = n.emit(Reshape((batch * apart, c // apart, *spatial)), x)
    moved = n.emit(Transpose((0, 3, 1, 2)), n.emit(Reshape((batch * apart, taps, axes, points)), _places(n, offset)))
    start = np.stack(np.meshgrid(*(np.arange(e) * s - p[0] for e, s, p in zip(steps, stride, pads)), indexing="ij"), -1)
    reach = np.stack(np.meshgrid(*(np.arange(k) * d for k, d in zip(kernel, dilation)), indexing="ij"), -1)
    taken = start.reshape(points, 1, axes) + reach.reshape(1, taps, axes)
    at = n.emit(Elementwise("add"), moved, n.add_constant(taken[None].astype(n.type(moved).dtype)))
    seen = n.emit(Sample(), channels_last(n, images), at)
    if mask:
        weights = n.emit(Transpose((0, 2, 1)), n.emit(Reshape((batch * apart, taps, points)), mask))
        seen = n.emit(Elementwise("mul"), seen, n.emit(Reshape((batch * apart, points, taps, 1)), weights))
    parted = n.emit(Reshape((batch, apart, points, taps, c // apart)), seen)
    together = n.emit(Reshape((batch, points, taps, groups, c // groups)), n.emit(Transpose((0, 2, 3, 1, 4)), parted))
    rows = n.emit(Reshape((batch, *steps, c * taps)), n.emit(Transpose((0, 1, 3, 2, 4)), together))
    return channels_second(n, rows_product(n, rows, channels_last(n, w), groups, bias))
