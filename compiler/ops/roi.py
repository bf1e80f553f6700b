"""Regions of images, pooled to grids of one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .conv import channels_last, channels_second
from .elementwise import literal
from .importing import OnnxNode, onnx_op
from .op import Op
from .padding import Pair

if TYPE_CHECKING:
    from ..kernel import Kernel, Site


@dataclass(frozen=True)
class RoiAlign(Op):
    """y[r,i,j,c]: samples of x[batch[r],…,c] in cell (i, j) of region r, their average or, of "max", their largest weighted pixel.

    Operands: x [N,H,W,C]; rois [R,4], left, top, right, bottom; batch [R], integers. A sample is between four pixels, and zero a pixel
    or more outside the image.

    Attributes:
        size: rows and columns of cells.
        scale: from the coordinates of regions to those of x.
        samples: of a cell along an axis; 0: as many as it has pixels.
        half_pixel: coordinates count from the corners of pixels; without, from their centres, and a region is 1x1 at least.
    """

    size: Pair
    scale: float = 1.0
    samples: int = 0
    mode: Literal["avg", "max"] = "avg"
    half_pixel: bool = True
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, rois, batch = types
        assert x is not None and rois is not None and batch is not None
        if batch.rank != 1 or batch.dtype.kind not in "iu" or rois.shape != (*batch.shape, 4):
            raise GraphError(f"{rois} and {batch} are no regions, which are floats [R,4] and integers [R]")
        return (_pooled(x, rois, self.size),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, rois, batch = arrays
        assert x is not None and rois is not None and batch is not None
        (y,) = self.infer(*(TensorType.of(a) for a in (x, rois, batch)))
        out = np.zeros(y.shape, np.float64)
        edges = rois.astype(np.float32) * np.float32(self.scale) - np.float32(0.5 if self.half_pixel else 0)
        for r, (left, top, right, bottom) in enumerate(edges):
            sides = np.array([bottom - top, right - left], np.float32)
            bins = (sides if self.half_pixel else sides.clip(1)) / np.array(self.size, np.float32)
            counts = [self.samples or max(int(np.ceil(b)), 0) for b in bins]
            image = x[batch[r].clip(0, x.shape[0] - 1)].astype(np.float64)
            for cell in np.ndindex(self.size):
                axes = [self._samples(start + k * b, b, count, extent)
                        for start, k, b, count, extent in zip((top, left), cell, bins, counts, image.shape)]
                taken = [self._weighted(image, row, column) for row in axes[0] for column in axes[1]]
                if taken and self.mode == "max":
                    out[(r, *cell)] = np.max(taken, (0, 1))
                elif taken:
                    out[(r, *cell)] = np.sum(taken, (0, 1)) / len(taken)
        return (out.astype(x.dtype),)

    @staticmethod
    def _samples(start: np.float32, side: np.float32, count: int, extent: int) -> list[list[tuple[int, float]]]:
        """Along an axis of a cell: for each sample its two elements and their weights."""
        samples: list[list[tuple[int, float]]] = []
        for k in range(count):
            p = start + np.float32(k + 0.5) * side / np.float32(count)
            low = int(np.clip(np.trunc(p), 0, extent - 1))
            f = 0.0 if low == extent - 1 else float(max(p, np.float32(0)) - low)
            exists = bool(-1 <= p <= extent)
            samples.append([(low, (1.0 - f) * exists), (min(low + 1, extent - 1), f * exists)])
        return samples

    @staticmethod
    def _weighted(image: np.ndarray, row: list[tuple[int, float]], column: list[tuple[int, float]]) -> list[np.ndarray]:
        """The four pixels of a sample, weighted."""
        return [image[i, j] * (a * b) for i, a in row for j, b in column]

    def kernels(self, site: Site) -> Sequence[Kernel]:
        params = {"HALF_PIXEL": int(self.half_pixel), "SAMPLES": self.samples, "MAXIMUM": int(self.mode == "max")}
        return [_kernel(site, "roi_align", self, ("rois", "batch"), params, 16 * max(self.samples, 2) ** 2)]


@dataclass(frozen=True)
class RoiPool(Op):
    """y[r,i,j,c]: the maximum of x[n,…,c] in cell (i, j) of region r, zero where it has no pixels.

    Operands: x [N,H,W,C]; rois [R,5], image n, left, top, right, bottom, rounded to pixels after the scale.
    """

    size: Pair
    scale: float = 1.0
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, rois = types
        assert x is not None and rois is not None
        if rois.rank != 2 or rois.shape[1] != 5:
            raise GraphError(f"{rois} holds no regions, which are floats [R,5]")
        return (_pooled(x, rois, self.size),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, rois = arrays
        assert x is not None and rois is not None
        (y,) = self.infer(TensorType.of(x), TensorType.of(rois))
        out = np.zeros(y.shape, x.dtype)
        for r, roi in enumerate(rois.astype(np.float32)):
            image = x[int(roi[0].clip(0, x.shape[0] - 1))]
            scaled = roi[1:] * np.float32(self.scale)
            left, top, right, bottom = (np.sign(scaled) * np.floor(np.abs(scaled) + np.float32(0.5))).astype(int).tolist()
            for cell in np.ndindex(self.size):
                spans = []
                for k, low, high, cells, extent in zip(cell, (top, left), (bottom, right), self.size, image.shape):
                    side = np.float32(max(high - low + 1, 1)) / np.float32(cells)
                    ends = (low + int(np.floor(np.float32(k) * side)), low + int(np.ceil(np.float32(k + 1) * side)))
                    spans.append(slice(*(min(max(end, 0), extent) for end in ends)))
                seen = image[tuple(spans)]
                if seen.size:
                    out[(r, *cell)] = seen.max((0, 1))
        return (out,)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        x = site.input(0).shape
        return [_kernel(site, "roi_pool", self, ("rois",), {}, ceil(x[1] * x[2] / prod(self.size)))]


def _pooled(x: TensorType, rois: TensorType, size: Pair) -> TensorType:
    if x.rank != 4 or {x.dtype.kind, rois.dtype.kind} != {"f"} or min(size) < 1 or 0 in x.shape:
        raise GraphError(f"regions {rois} of {x} as {size} cells; floats, of images [N,H,W,C], would fit")
    return TensorType((rois.shape[0], *size, x.shape[3]), x.dtype)


def _kernel(site: Site, template: str, op: RoiAlign | RoiPool, names: Sequence[str], extra: dict[str, Any], steps: int) -> Kernel:
    """A work-item computes a vector of channels of a cell, in about `steps` operations."""
    from ..indexing import combine, width
    from ..kernel import Kernel

    x, y, target = site.input(0), site.output, site.target
    lanes = width(y, target.lanes)
    images, h, w, c = x.shape
    ph, pw = op.size
    params = {"LANES": lanes, "IMAGES": images, "H": h, "W": w, "PH": ph, "PW": pw, "SCALE": literal(op.scale),
              "LARGER": combine("max", x.type.dtype), **extra, "at": ("r", f"cell / {pw}", f"cell % {pw}", "cb * LANES")}
    grid = (ceil(c / lanes), ph * pw, y.shape[0])
    cost = target.launch + max(prod(grid) * steps * target.lanes / target.gflops, site.moved() / target.bandwidth) / 1e3
    reads = (site.read("x", 0), *(site.read(name, 1 + k) for k, name in enumerate(names)))
    return Kernel(template, params, reads, grid, None, lanes, y.type.size * steps, site.moved(), cost)


@onnx_op("RoiAlign")
def onnx_roi_align(n: OnnxNode) -> str:
    """Before opset 16 coordinates counted from the centres of pixels."""
    size, mode = (int(n.attr("output_height", 1)), int(n.attr("output_width", 1))), n.attr("mode", "avg")
    coordinates = n.attr("coordinate_transformation_mode", "half_pixel" if n.opset >= 16 else "output_half_pixel")
    if mode not in ("avg", "max") or coordinates not in ("half_pixel", "output_half_pixel"):
        raise Unsupported(f"mode {mode} with coordinates {coordinates}; avg and max, half_pixel and output_half_pixel would be accepted")
    op = RoiAlign(size, float(n.attr("spatial_scale", 1.0)), int(n.attr("sampling_ratio", 0)), mode, coordinates == "half_pixel")
    return channels_second(n, n.emit(op, channels_last(n, n.input(0)), n.input(1), n.input(2)))


@onnx_op("MaxRoiPool")
def onnx_max_roi_pool(n: OnnxNode) -> str:
    h, w = n.attr("pooled_shape")
    op = RoiPool((int(h), int(w)), float(n.attr("spatial_scale", 1.0)))
    return channels_second(n, n.emit(op, channels_last(n, n.input(0)), n.input(1)))
