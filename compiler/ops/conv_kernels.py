"""The candidates of a convolution, best guess first.

Every candidate computes tiles of pixels x blocks of V output channels; they differ in what they stage, in the tile, and in the
shapes they take. `cost` is the larger of arithmetic and traffic, over the share of the limit that a tile of its size reaches.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from ..kernel import Kernel, Read, Site, View
from ..targets import Target

if TYPE_CHECKING:
    from .conv import Conv2D
    from .conv_transpose import ConvTranspose2D

TILES = ((14, 2), (12, 2), (8, 2), (7, 4), (7, 2), (6, 4), (4, 4), (16, 1), (14, 1), (8, 1), (7, 1), (4, 2), (4, 1), (2, 2), (2, 1), (1, 4), (1, 2), (1, 1))
"""Pixels x blocks of output channels that a work-item may own; a target takes those that its registers hold."""


def conv2d(site: Site, op: Conv2D) -> Sequence[Kernel]:
    """Candidates of a dense, grouped or depthwise convolution."""
    found = [*_depthwise(site, op), *_first(site, op), *_pointwise(site, op), *_direct(site, op)]
    return sorted(found, key=lambda k: k.cost)


def pack_dense(w: np.ndarray, lanes: int, blocks: int, band: int, first: Sequence[int]) -> np.ndarray:
    """w [O,KY,KX,C] -> [tiles][band][KY][KX][V][blocks * V]: for each tile of output channels the `band` blocks of input
    channels that start at block first[tile]; what does not exist is zero."""
    o, ky, kx, c = w.shape
    wide = blocks * lanes
    tiles = len(first)
    padded = np.zeros((tiles * wide, ky, kx, (max(first) + band) * lanes), w.dtype)
    padded[:o, :, :, :c] = w
    out = np.empty((tiles, band, ky, kx, lanes, wide), w.dtype)
    for t, start in enumerate(first):
        part = padded[t * wide : (t + 1) * wide, :, :, start * lanes : (start + band) * lanes]
        out[t] = part.reshape(wide, ky, kx, band, lanes).transpose(3, 1, 2, 4, 0)
    return out


def pack_pointwise(w: np.ndarray, lanes: int, blocks: int) -> np.ndarray:
    """w [O,1,1,C] -> [tiles][C][blocks * V]."""
    o, _, _, c = w.shape
    wide = blocks * lanes
    padded = np.zeros((ceil(o / wide) * wide, c), w.dtype)
    padded[:o] = w[:, 0, 0]
    return np.ascontiguousarray(padded.reshape(-1, wide, c).transpose(0, 2, 1))


def pack_depthwise(w: np.ndarray, lanes: int) -> np.ndarray:
    """w [C,KY,KX,1] -> [C / V][KY][KX][V]."""
    c, ky, kx, _ = w.shape
    padded = np.zeros((ceil(c / lanes) * lanes, ky, kx), w.dtype)
    padded[:c] = w[..., 0]
    return np.ascontiguousarray(padded.reshape(-1, lanes, ky, kx).transpose(0, 2, 3, 1))


def expand_groups(w: np.ndarray, groups: int) -> np.ndarray:
    """Weights of a grouped convolution as those of a dense one, zero outside the groups."""
    o, ky, kx, per_in = w.shape
    out = np.zeros((o, ky, kx, per_in * groups), w.dtype)
    for g in range(groups):
        rows = slice(g * o // groups, (g + 1) * o // groups)
        out[rows, ..., g * per_in : (g + 1) * per_in] = w[rows]
    return out


def flat(view: View) -> bool:
    """Whether the pixels of an image can be walked as one row."""
    return view.type.rank < 4 or view.layout.flat(view.shape, 1, 2)


def flat_epilogue(site: Site) -> bool:
    """Whether every operand of the epilogue can be walked by the result's pixel number."""
    y = site.output
    for name in site.node.operands:
        if name in site.node.inputs:
            continue
        view = site.view(name)
        shape = (1,) * (y.type.rank - view.type.rank) + view.shape
        if y.type.rank == 4 and shape[1:3] != (1, 1) and (shape[1:3] != y.shape[1:3] or not flat(view)):
            return False
    return True


def vectors_of(site: Site, index: int = 0) -> bool:
    return site.input(index).vectors(site.target.lanes)


def tiles(target: Target, pixels: int, blocks: int) -> list[tuple[int, int]]:
    """Tiles (pixels, blocks of channels) whose accumulators, weights and one operand fit the registers."""
    found = [(p, b) for p, b in TILES if p * b + b + 1 <= target.registers and p <= pixels and b <= blocks]
    return found or [(1, 1)]


def compute_cost(target: Target, *, flops: float, nbytes: int, items: int, tile: tuple[int, int]) -> float:
    """Microseconds: arithmetic at the share of the limit that a tile reaches, in whole rounds over the compute units."""
    pixels, blocks = tile
    loads_per_fma = (pixels + blocks) / (pixels * blocks)
    share = 0.97 / (1 + 0.35 * max(loads_per_fma - 0.5, 0) + 1.5 / (pixels * blocks))
    rounds = ceil(items / target.units) * target.units / items
    arithmetic = flops * rounds / (target.gflops * share) / 1e3
    return target.launch + max(arithmetic, nbytes / target.bandwidth / 1e3)


def _geometry(site: Site, op: Conv2D | ConvTranspose2D) -> dict[str, int]:
    x, y, w = site.input(0).shape, site.output.shape, site.graph.type(site.node.inputs[1]).shape
    return {"IH": x[1], "IW": x[2], "OH": y[1], "OW": y[2], "KY": w[1], "KX": w[2],
            "STRIDE_Y": op.stride[0], "STRIDE_X": op.stride[1], "DILATION_Y": op.dilation[0], "DILATION_X": op.dilation[1],
            "PAD_TOP": op.pads[0][0], "PAD_LEFT": op.pads[1][0]}


def _pointwise(site: Site, op: Conv2D) -> list[Kernel]:
    w = site.constant(1)
    assert w is not None
    plain = w.shape[1:3] == (1, 1) and op.stride == (1, 1) and not any(map(sum, op.pads)) and op.groups == 1
    if not (plain and flat(site.input(0)) and flat(site.output) and flat_epilogue(site)):
        return []
    return pointwise(site, w, site.output.shape[0], site.output.shape[1] * site.output.shape[2])


def pointwise(site: Site, w: np.ndarray, batch: int, pixels: int, x: Read | None = None) -> list[Kernel]:
    """Candidates of y[n,p,o] = sum over c of x[n,p,c] * w[o,0,0,c]; x is the node's first operand where it is not given."""
    target, lanes = site.target, site.target.lanes
    o, c = w.shape[0], w.shape[3]
    blocks = ceil(o / lanes)
    flops = 2 * batch * pixels * o * c
    kernels = []
    for px, ob in tiles(target, pixels, blocks):
        grid = (ceil(pixels / px), ceil(blocks / ob), batch)
        padded = 2 * grid[0] * px * grid[1] * ob * lanes * c * batch
        cost = compute_cost(target, flops=padded, nbytes=site.moved(w.size), items=grid[0] * grid[1] * batch, tile=(px, ob))
        params = {"V": lanes, "IC": c, "OCB": blocks, "PIXELS": pixels, "PX": px, "OB": ob,
                  "UNROLL": 1 if target.kind == "cpu" else lanes, "WG": (1, 1, 1), "PIXEL_DIM": 0, "OB_DIM": 1}
        reads = (x or site.read("x", 0), site.pack("w", lambda ob=ob: pack_pointwise(w, lanes, ob)))
        kernels.append(Kernel("conv_pointwise", params, reads, grid, (1, 1, 1), lanes, flops, site.moved(w.size), cost))
    return kernels


def _direct(site: Site, op: Conv2D) -> list[Kernel]:
    """Any kernel, stride, dilation and grouping: a tile of output channels reads the band of input channels of its groups."""
    if not vectors_of(site):
        return []
    target, lanes = site.target, site.target.lanes
    w = site.constant(1)
    assert w is not None
    x, y = site.input(0), site.output
    n, oh, ow, o = y.shape
    blocks, in_blocks = ceil(o / lanes), ceil(x.shape[3] / lanes)
    flops = 2 * y.type.size * w.shape[1] * w.shape[2] * w.shape[3]
    kernels = []
    for px, ob in tiles(target, oh * ow, blocks):
        tx = min(px, ow)
        ty = min(max(px // tx, 1), oh)
        first, band = _bands(o, x.shape[3], op.groups, lanes, ob, in_blocks)
        grid = (ceil(oh / ty) * ceil(ow / tx), len(first), n)
        padded = 2 * grid[0] * ty * tx * len(first) * ob * lanes * band * lanes * w.shape[1] * w.shape[2] * n
        weights = len(first) * band * w.shape[1] * w.shape[2] * ob * lanes * lanes
        nbytes = site.moved(weights)
        cost = compute_cost(target, flops=padded * 1.05, nbytes=nbytes, items=grid[0] * grid[1] * n, tile=(tx * ty, ob))
        params = {"V": lanes, "IC": x.shape[3], "OCB": blocks, **_geometry(site, op), "BAND": band, "OPG": o // op.groups,
                  "IPG": w.shape[3], "TY": ty, "TX": tx, "OB": ob, "UNROLL": 1 if target.kind == "cpu" else lanes,
                  "WG": (1, 1, 1), "PIXEL_DIM": 0, "OB_DIM": 1}
        pack = site.pack("w", lambda ob=ob, band=band, first=first: pack_dense(expand_groups(w, op.groups), lanes, ob, band, first))
        kernels.append(Kernel("conv_direct", params, (site.read("x", 0), pack), grid, (1, 1, 1), lanes, flops, nbytes, cost))
    return kernels


def _bands(o: int, c: int, groups: int, lanes: int, ob: int, in_blocks: int) -> tuple[list[int], int]:
    """The first block of input channels that each tile of `ob` output blocks reads, and how many every tile reads."""
    per_out, per_in = o // groups, c // groups
    spans = []
    for start in range(0, ceil(o / lanes), ob):
        last = min((start + ob) * lanes, o) - 1
        lo, hi = start * lanes // per_out * per_in // lanes, ((last // per_out + 1) * per_in - 1) // lanes
        spans.append((lo, hi))
    band = max(hi - lo + 1 for lo, hi in spans)
    return [min(lo, in_blocks - band) for lo, _ in spans], band


def _depthwise(site: Site, op: Conv2D) -> list[Kernel]:
    w = site.constant(1)
    assert w is not None
    channels = site.input(0).shape[3]
    if not (op.groups == channels == w.shape[0] and vectors_of(site)):
        return []
    target, lanes = site.target, site.target.lanes
    y = site.output
    n, oh, ow, _ = y.shape
    blocks = ceil(channels / lanes)
    flops = 2 * y.type.size * w.shape[1] * w.shape[2]
    kernels = []
    for tx in sorted({min(t, ow) for t in (14, 8, 7, 4, 2)}, reverse=True):
        for ty in sorted({min(t, oh) for t in (1, 2)}):
            if tx * ty > target.registers:
                continue
            grid = (ceil(oh / ty) * ceil(ow / tx), blocks, n)
            padded = 2 * grid[0] * tx * ty * blocks * lanes * n * w.shape[1] * w.shape[2]
            cost = compute_cost(target, flops=padded * (2.2 + 4 / (tx * ty)), nbytes=site.moved(w.size), items=grid[0] * grid[1] * n, tile=(tx * ty, 1))
            params = {"V": lanes, **_geometry(site, op), "TY": ty, "TX": tx, "WG": (1, 1, 1)}
            reads = (site.read("x", 0), site.pack("w", lambda: pack_depthwise(w, lanes)))
            kernels.append(Kernel("conv_depthwise", params, reads, grid, (1, 1, 1), lanes, flops, site.moved(w.size), cost))
    return kernels


def _first(site: Site, op: Conv2D) -> list[Kernel]:
    """Images of few channels, read as the user has them."""
    from .conv import dense_pixels

    w = site.constant(1)
    assert w is not None
    x, y = site.input(0), site.output
    if op.groups != 1 or x.shape[3] > 8 or not dense_pixels(x.shape, x.layout):
        return []
    target, lanes = site.target, site.target.lanes
    n, oh, ow, o = y.shape
    blocks = ceil(o / lanes)
    flops = 2 * y.type.size * w[0].size
    kernels = []
    for tx, ob in tiles(target, ow, blocks):
        grid = (oh * ceil(ow / tx), ceil(blocks / ob), n)
        padded = 2 * grid[0] * tx * grid[1] * ob * lanes * n * w[0].size
        cost = compute_cost(target, flops=padded * 1.1, nbytes=site.moved(w.size), items=grid[0] * grid[1] * n, tile=(tx, ob))
        geometry = _geometry(site, op)
        params = {"V": lanes, "IC": x.shape[3], "OCB": blocks, **geometry, "TX": tx, "OB": ob, "SPLIT": int(w[0].size > 128),
                  "WG": (1, 1, 1)}
        pack = site.pack("w", lambda ob=ob: pack_first(w, lanes, ob))
        kernels.append(Kernel("conv_first", params, (site.read("x", 0), pack), grid, (1, 1, 1), lanes, flops, site.moved(w.size), cost))
    return kernels


def pack_first(w: np.ndarray, lanes: int, blocks: int) -> np.ndarray:
    """w [O,KY,KX,C] -> [tiles][KY][KX][C][blocks * V]."""
    o, ky, kx, c = w.shape
    wide = blocks * lanes
    padded = np.zeros((ceil(o / wide) * wide, ky, kx, c), w.dtype)
    padded[:o] = w
    return np.ascontiguousarray(padded.reshape(-1, wide, ky, kx, c).transpose(0, 2, 3, 4, 1))


def conv_transposed(site: Site, op: ConvTranspose2D) -> Sequence[Kernel]:
    """Candidates of a transposed convolution."""
    w = site.constant(1)
    assert w is not None
    target, lanes = site.target, site.target.lanes
    x, y = site.input(0), site.output
    n, oh, ow, o = y.shape
    blocks, in_blocks = ceil(o / lanes), ceil(x.shape[3] / lanes)
    flops = 2 * x.type.size * w.shape[0] // op.groups * w.shape[1] * w.shape[2]
    phase = ceil(ow / op.stride[1])
    kernels = []
    for tx, ob in tiles(target, phase, blocks):
        first, band = _bands(o, x.shape[3], op.groups, lanes, ob, in_blocks)
        grid = (oh * op.stride[1] * ceil(phase / tx), len(first), n)
        weights = len(first) * band * w.shape[1] * w.shape[2] * ob * lanes * lanes
        taps = w.shape[1] * w.shape[2] / (op.stride[0] * op.stride[1])
        padded = 2 * grid[0] * tx * len(first) * ob * lanes * band * lanes * taps * n
        cost = compute_cost(target, flops=padded * 1.3, nbytes=site.moved(weights), items=grid[0] * grid[1] * n, tile=(tx, ob))
        params = {"V": lanes, "IC": x.shape[3], "OCB": blocks, "BAND": band, "IPG": w.shape[3], "OPG": o // op.groups,
                  **_geometry(site, op), "TX": tx, "OB": ob, "UNROLL": 1 if target.kind == "cpu" else lanes, "WG": (1, 1, 1)}
        pack = site.pack("w", lambda ob=ob, band=band, first=first: pack_dense(expand_groups(w, op.groups), lanes, ob, band, first))
        kernels.append(Kernel("conv_transposed", params, (site.read("x", 0), pack), grid, (1, 1, 1), lanes, flops, site.moved(weights), cost))
    return sorted(kernels, key=lambda k: k.cost)
