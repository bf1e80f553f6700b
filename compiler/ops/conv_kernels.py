"""The candidates of a convolution that sum products as its definition does; `winograd.py` has those that do not.

Every candidate computes tiles of pixels x blocks of V output channels; they differ in what they stage, in the tile, and in the
shapes they take.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cost import tile_cost
from ..kernel import Kernel, Read, Site, View
from ..targets import Target
from .conv_packing import pack_dense, pack_depthwise, pack_first, pack_pointwise

if TYPE_CHECKING:
    from .conv import Conv2D, OrderedConv2D
    from .conv_transpose import ConvTranspose2D

PIXELS = {1: (14, 8, 4, 1), 2: (14, 13, 12, 8, 4, 2, 1), 3: (9, 8, 7, 5), 4: (6, 4, 1), 5: (5,), 6: (4,)}
"""Pixels that a work-item may own, for each number of blocks of output channels."""

GROUP = 64
"""Work-items of a work-group on a GPU, at most."""

INTERLEAVED = (8, 4, 2)
"""Work-items of a GPU whose tiles of pixels may be interleaved: those of eight are a line of a cache."""

BEYOND = 1.15
"""How many pixels interleaved tiles may cover, over those that there are."""

SPLITS = (8, 32)
"""Work-items of a GPU that may share the sums of a tile."""

MOST_SPLIT = 8
"""Vectors of a tile whose sums are shared, at most: all of them wait in local memory."""

SHARED = 1.0
"""Microseconds for which the work-items of a group wait for each other's sums. A guess."""

NEAREST = 30_000
"""Bytes of a tile's operand that stay in the nearest cache of a CPU while the tile is computed."""

STAGED = 0.95
"""The time of a tile whose operand does not, where it is loaded by vectors first: loads then wait for each other less."""

BROADCAST = 0.95
"""The time of a kernel whose sub-groups broadcast weights, over that of one whose work-items load them. A guess."""

WORK_ITEMS = 8
"""Work-items of a launch for each compute unit of a CPU: more cost more to hand out, fewer leave units idle at the end."""

EARLY = 2
"""Blocks of input channels by which a CPU fetches a tile's pixels before it needs them: they may lie in another unit's cache."""

EVEN = 1.03
"""How much more than an even share of a launch's work a compute unit may have."""


def conv2d(site: Site, op: Conv2D) -> Sequence[Kernel]:
    """Candidates of a dense, grouped or depthwise convolution, in any order."""
    dense = [*_pointwise(site, op), *_direct(site, op)]
    return dense if scaled(site) else [*_depthwise(site, op), *_first(site, op), *dense]


def scaled(site: Site) -> bool:
    """Whether a convolution multiplies the channels of what it reads."""
    from .conv import Conv2D

    return isinstance(site.op, Conv2D) and len(site.node.inputs) > 2


def ordered_conv2d(site: Site, op: OrderedConv2D) -> Sequence[Kernel]:
    """Candidates of a dense or depthwise convolution that adds one product after another."""
    found = _in_order(site, op) if op.groups == 1 else _depthwise(site, op)
    params: dict[str, Any] = {"ORDERED": True}
    reads: tuple[Read, ...] = ()
    begin, lanes = site.constant(2), site.target.lanes
    if begin is not None:
        params["BEGIN"] = True
        reads = (site.pack("begin", lambda: np.pad(begin, (0, lanes * max(PIXELS)))),)  # the last tile may reach so far
    return sorted((replace(k, params={**k.params, **params}, reads=(*k.reads, *reads)) for k in found), key=lambda k: k.cost)


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
    found = [(p, b) for b, extents in PIXELS.items() for p in extents
             if p * b + b + 1 <= target.registers and p <= pixels and b <= blocks]
    return found or [(1, 1)]


def work_group(target: Target, grid: tuple[int, int, int]) -> tuple[int, int, int]:
    """One work-item on a CPU; on a GPU up to GROUP neighbours, tiles of pixels before tiles of channels."""
    if target.kind == "cpu":
        return (1, 1, 1)
    pixels = min(1 << (grid[0] - 1).bit_length(), GROUP)
    return (pixels, min(grid[1] & -grid[1], GROUP // pixels), 1)


def tiled(site: Site, template: str, *, tile: tuple[int, int], grid: tuple[int, int, int], params: dict[str, Any], work: float, flops: int,
          weights: int, pack: Callable[[], np.ndarray], x: Read | None = None, group: tuple[int, int, int] | None = None,
          channelwise: bool = False) -> Kernel:
    """A candidate that computes a grid of (tiles of pixels, tiles of channels, images), with its cost.

    Args:
        tile: pixels and blocks of V output channels of a work-item.
        work: arithmetic operations, what is computed beyond the edges included; flops: without it.
        weights: elements of the packed weights; pack: makes them.
        x: the read of the first operand, where it is not the node's; group: the work-group, where the kernel is for one.
        channelwise: as of `Kernel`.
    """
    target = site.target
    run = consecutive(grid, target.units) if target.kind == "cpu" else 1
    group = group or work_group(target, grid)
    grid = (ceil(grid[0] / (run * group[0])) * group[0], grid[1], grid[2])
    nbytes = site.moved(weights)
    cost = tile_cost(target, tile, items=prod(grid), work=work, nbytes=nbytes, weights=nbytes - site.moved(), columns=grid[1])
    scale = (site.read("s", 2),) if scaled(site) else ()
    unroll = 1 if target.kind == "cpu" else target.lanes
    params = {"V": target.lanes, **params, "SCALED": bool(scale), "RUN": run, "UNROLL": unroll, "WG": group}
    reads = (x or site.read("x", 0), site.pack("w", pack, vectors=True), *scale)
    return Kernel(template, params, reads, grid, group, target.lanes, flops, nbytes, cost, channelwise=channelwise)


@lru_cache(maxsize=4096)
def consecutive(grid: tuple[int, int, int], units: int) -> int:
    """How many tiles of pixels a work-item of a CPU computes, one after another: as many as leave every compute unit WORK_ITEMS, or
    fewer, so that the units can share the pixels, and the work, evenly. Where they do, a unit finds the pixels that the next
    launch needs of it in its own cache."""
    tiles, others = grid[0], grid[1] * grid[2]
    most = min(max(tiles * others // (units * WORK_ITEMS), 1), tiles)
    least = ceil(tiles / most)
    runs = {ceil(tiles / n) for n in range(least, min(least + 4 * units, tiles) + 1)}
    return min(runs, key=lambda run: (_uneven(run, tiles, others, units), ceil(tiles / run) % units != 0, -run))


def _uneven(run: int, tiles: int, others: int, units: int) -> float:
    """The work of the unit that has most, over an even share; what is less than EVEN is even."""
    items = ceil(tiles / run) * others
    return max(ceil(items / units) * run * units / (tiles * others), EVEN)


def ahead(target: Target, vectors: int, tiles: int) -> int:
    """How many vectors of the next weights to fetch with each step through the present ones: of `vectors` that a step takes, as many
    as bring all by the last of the tiles that share them. 0 where they are many: then what the first one waits for is little; and
    on a GPU, where other work-items hide it."""
    return ceil(vectors / tiles) if target.kind == "cpu" and tiles <= vectors else 0


def geometry(site: Site, op: Conv2D | OrderedConv2D | ConvTranspose2D) -> dict[str, int]:
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
    n, height, width, _ = site.output.shape
    return pointwise(site, w, n, height * width, column=width == 1)


def pointwise(site: Site, w: np.ndarray, batch: int, pixels: int, x: Read | None = None, column: bool = False) -> list[Kernel]:
    """Candidates of y[n,p,o] = sum over c of x[n,p,c] * w[o,0,0,c].

    Args:
        x: the node's first operand where it is not given; a tile of it is loaded by vectors first on a GPU, which loads these in the time
            of an element, and where its elements are halves, which are converted.
        column: images are one pixel wide, so that pixels are rows.
    """
    lanes = site.target.lanes
    o, c = w.shape[0], w.shape[3]
    blocks = ceil(o / lanes)
    x = x or site.read("x", 0)
    vectors = isinstance(x.source, View) and x.source.vectors(lanes)
    staged = vectors and (site.target.kind == "gpu" or x.storage == np.float16)
    kernels: list[Kernel] = []
    for px, ob in tiles(site.target, pixels, blocks):
        apart = _apart(site.target, pixels, px)
        grid = (ceil(pixels / (apart * px)) * apart, ceil(blocks / ob), batch)
        plain = tiled(
            site, "conv_pointwise", tile=(px, ob), grid=grid, work=2 * grid[0] * px * grid[1] * ob * lanes * c * batch,
            flops=2 * batch * pixels * o * c, weights=w.size, pack=partial(pack_pointwise, w, lanes, ob), x=x,
            params={"IC": c, "OCB": blocks, "PIXELS": pixels, "PX": px, "APART": apart, "OB": ob, "COLUMN": column,
                    "STAGED": int(staged), "SUBGROUP": 0, "AHEAD": ahead(site.target, lanes * ob, grid[0]),
                    "EARLY": EARLY if site.target.kind == "cpu" else 0})
        kernels.append(plain)
        if vectors and not staged and px * c * x.storage.itemsize > NEAREST:
            kernels.append(replace(plain, params={**plain.params, "STAGED": 1}, cost=plain.cost * STAGED))
        if c % lanes == 0:
            kernels += _broadcast(site, plain, ob)
        if site.target.kind == "gpu" and px * ob <= MOST_SPLIT and prod(grid) < site.target.units * site.target.items:
            kernels += [_split(site, plain, (px, ob), split) for split in SPLITS if split <= ceil(c / lanes)]
    return kernels


def _apart(target: Target, pixels: int, px: int) -> int:
    """Pixels from one of a tile to its next: on a GPU those between are of the next work-items, so that neighbours load and store
    neighbours in memory at a time."""
    fits = (n for n in INTERLEAVED if n * px <= pixels and ceil(pixels / (n * px)) * n * px <= BEYOND * pixels)
    return next(fits, 1) if target.kind == "gpu" else 1


def _broadcast(site: Site, kernel: Kernel, ob: int) -> list[Kernel]:
    """The candidate in which the work-items of a sub-group load different weights, and broadcast them, where the target has such."""
    p, size = kernel.params, site.target.subgroup
    if not size or p["V"] != 4 or p["V"] * ob > size or p["WG"][0] % size or site.output.type.dtype == np.float64:
        return []
    return [replace(kernel, params={**p, "SUBGROUP": size}, cost=kernel.cost * BROADCAST)]


def _split(site: Site, whole: Kernel, tile: tuple[int, int], split: int) -> Kernel:
    """A pointwise candidate, of which the work-items of a group share each tile."""
    p, (tiles, columns, batch) = whole.params, (ceil(whole.params["PIXELS"] / tile[0]), *whole.grid[1:])
    grid = (tiles * split, columns, batch)
    params = {name: p[name] for name in ("V", "IC", "OCB", "PIXELS", "PX", "OB", "COLUMN", "STAGED", "SCALED")}
    work = 2 * prod(grid) * tile[0] * tile[1] * p["V"] * ceil(p["IC"] / split)
    weights = whole.nbytes - site.moved()
    cost = tile_cost(site.target, tile, items=prod(grid), work=work, nbytes=whole.nbytes, weights=weights)
    return replace(whole, template="conv_pointwise_split", params={**params, "SPLIT": split, "WG": (split, 1, 1)}, grid=grid,
                   group=(split, 1, 1), cost=cost + SHARED)


def _direct(site: Site, op: Conv2D) -> list[Kernel]:
    """Any kernel, stride, dilation and grouping: a tile of output channels reads the band of input channels of its groups."""
    if not vectors_of(site):
        return []
    lanes = site.target.lanes
    w = site.constant(1)
    assert w is not None
    x, y = site.input(0), site.output
    n, oh, ow, o = y.shape
    blocks, taps = ceil(o / lanes), w.shape[1] * w.shape[2]
    kernels = []
    shapes = ((min(max(px // min(px, ow), 1), oh), min(px, ow), ob) for px, ob in tiles(site.target, oh * ow, blocks))
    for ty, tx, ob in dict.fromkeys(shapes):
        first, band = _bands(o, x.shape[3], op.groups, lanes, ob)
        weights = len(first) * band * taps * ob * lanes * lanes
        grid = (ceil(oh / ty) * ceil(ow / tx), len(first), n)
        kernels.append(tiled(
            site, "conv_direct", tile=(tx * ty, ob), grid=grid, work=1.05 * 2 * grid[0] * ty * tx * weights * n,
            flops=2 * y.type.size * w[0].size, weights=weights,
            pack=partial(pack_dense, w, op.groups, lanes, ob, band, first),
            params={"IC": x.shape[3], "OCB": blocks, **geometry(site, op), "BAND": band, "OPG": o // op.groups, "IPG": w.shape[3],
                    "TY": ty, "TX": tx, "OB": ob, "SUBGROUP": 0, "AHEAD": ahead(site.target, lanes * ob * w.shape[2], grid[0])}))
        kernels += _broadcast(site, kernels[-1], ob)
    return kernels


def _bands(o: int, c: int, groups: int, lanes: int, ob: int) -> tuple[list[int], int]:
    """The first block of input channels that each tile of `ob` output blocks reads, and how many every tile reads."""
    per_out, per_in = o // groups, c // groups
    spans = []
    for start in range(0, ceil(o / lanes), ob):
        last = min((start + ob) * lanes, o) - 1
        lo, hi = start * lanes // per_out * per_in // lanes, ((last // per_out + 1) * per_in - 1) // lanes
        spans.append((lo, hi))
    band = max(hi - lo + 1 for lo, hi in spans)
    return [min(lo, ceil(c / lanes) - band) for lo, _ in spans], band


def _depthwise(site: Site, op: Conv2D | OrderedConv2D) -> list[Kernel]:
    w = site.constant(1)
    assert w is not None
    channels = site.input(0).shape[3]
    if not (op.groups == channels == w.shape[0] and vectors_of(site)):
        return []
    target, lanes = site.target, site.target.lanes
    y = site.output
    n, oh, ow, _ = y.shape
    blocks, taps = ceil(channels / lanes), w.shape[1] * w.shape[2]
    kernels = []
    for tx in sorted({min(t, ow) for t in (14, 8, 7, 4, 2)}, reverse=True):
        for ty in sorted({min(t, oh) for t in (1, 2)}):
            if tx * ty > target.registers:
                continue
            rows, columns = (ty - 1) * op.stride[0] + w.shape[1], (tx - 1) * op.stride[1] + w.shape[2]
            loads = rows * columns / (tx * ty * taps)
            registers = ty * (tx + columns) + 2
            spilled = max(registers - target.registers, 0) / registers
            grid = (ceil(oh / ty) * ceil(ow / tx), blocks, n)
            kernels.append(tiled(
                site, "conv_depthwise", tile=(tx * ty, 1), grid=grid,
                work=2 * grid[0] * tx * ty * blocks * lanes * n * taps * (1.6 + loads + 2 * spilled),
                flops=2 * y.type.size * taps, weights=w.size, pack=partial(pack_depthwise, w, lanes),
                params={**geometry(site, op), "TY": ty, "TX": tx}, channelwise=True))
    return kernels


def _first(site: Site, op: Conv2D) -> list[Kernel]:
    """Images of few channels, read as the user has them."""
    from .conv import dense_pixels

    w = site.constant(1)
    assert w is not None
    x, y = site.input(0), site.output
    if op.groups != 1 or x.shape[3] > 8 or not dense_pixels(x.shape, x.layout):
        return []
    lanes = site.target.lanes
    n, oh, ow, o = y.shape
    blocks = ceil(o / lanes)
    kernels = []
    for tx, ob in tiles(site.target, ow, blocks):
        grid = (oh * ceil(ow / tx), ceil(blocks / ob), n)
        kernels.append(tiled(
            site, "conv_first", tile=(tx, ob), grid=grid, work=1.1 * 2 * grid[0] * tx * grid[1] * ob * lanes * n * w[0].size,
            flops=2 * y.type.size * w[0].size, weights=w.size, pack=partial(pack_first, w, lanes, ob),
            params={"IC": x.shape[3], "OCB": blocks, **geometry(site, op), "TX": tx, "OB": ob, "SPLIT": int(w[0].size > 128)}))
    return kernels


def _in_order(site: Site, op: OrderedConv2D) -> list[Kernel]:
    """Dense: a product and a sum take the time of two."""
    w = site.constant(1)
    assert w is not None
    lanes = site.target.lanes
    n, oh, ow, o = site.output.shape
    blocks = ceil(o / lanes)
    kernels = []
    for tx, ob in tiles(site.target, ow, blocks):
        grid = (oh * ceil(ow / tx), ceil(blocks / ob), n)
        kernels.append(tiled(
            site, "conv_ordered", tile=(tx, ob), grid=grid, work=2 * 2 * grid[0] * tx * grid[1] * ob * lanes * n * w[0].size,
            flops=2 * site.output.type.size * w[0].size, weights=w.size, pack=partial(pack_first, w, lanes, ob),
            params={"IC": w.shape[3], "OCB": blocks, **geometry(site, op), "TX": tx, "OB": ob}))
    return kernels


def conv_transposed(site: Site, op: ConvTranspose2D) -> Sequence[Kernel]:
    """Candidates of a transposed convolution."""
    w = site.constant(1)
    assert w is not None
    lanes = site.target.lanes
    x, y = site.input(0), site.output
    n, oh, ow, o = y.shape
    blocks, phase = ceil(o / lanes), ceil(ow / op.stride[1])
    kernels = []
    for tx, ob in tiles(site.target, phase, blocks):
        first, band = _bands(o, x.shape[3], op.groups, lanes, ob)
        weights = len(first) * band * w.shape[1] * w.shape[2] * ob * lanes * lanes
        grid = (oh * op.stride[1] * ceil(phase / tx), len(first), n)
        kernels.append(tiled(
            site, "conv_transposed", tile=(tx, ob), grid=grid, work=1.3 * 2 * grid[0] * tx * n * weights / (op.stride[0] * op.stride[1]),
            flops=2 * x.type.size * w.shape[0] // op.groups * w.shape[1] * w.shape[2], weights=weights,
            pack=partial(pack_dense, w, op.groups, lanes, ob, band, first),
            params={"IC": x.shape[3], "OCB": blocks, "BAND": band, "IPG": w.shape[3], "OPG": o // op.groups,
                    **geometry(site, op), "TX": tx, "OB": ob}))
    return sorted(kernels, key=lambda k: k.cost)
