"""Winograd's minimal filtering: 3x3 convolutions with fewer products.

F(MxM, 3x3) computes M x M results from N x N inputs, N = M + 2, with N * N products in place of 9 * M * M:

    y = A^T [(G w G^T) * (B^T x B)] A

where the product * of transformed weights and inputs is element by element, and thus over channels N * N matrix products.
Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016, section 4.1; A, B and G follow from points by the
construction of Toom and Cook (Barabasz, Anderson, Soodhalter and Gregg, Error Analysis and Improving the Accuracy of
Winograd Convolution for Deep Neural Networks, 2020, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, prod
from typing import TYPE_CHECKING

import numpy as np

from ..cost import tile_cost, tile_share
from ..kernel import Kernel, Pack, Read, Scratch, Site
from .conv_kernels import GROUP, WORK_ITEMS, ahead, tiles, vectors_of

if TYPE_CHECKING:
    from .conv import Conv2D

POINTS = {2: (0.0, 1.0, -1.0), 4: (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))}
"""Finite points of F(MxM, 3x3); the last one is infinity. Those of F(4x4) lose less to rounding than 0, 1, -1, 2, -2."""

FLOAT = np.dtype(np.float32)

LEAST_CHANNELS = 16
"""Fewer channels, of input or output, are not worth the transforms."""

WORTH = 1.2
"""How much longer than its cost says a sum as defined may take and still be preferred: it rounds less, and its weights are smaller."""

BLOCK_BYTES = 2 << 20
"""Transformed inputs and products of a block of tiles, at most: more would not stay in a processor's cache."""

SCRATCH_BYTES = 256 << 20
"""What all work-groups of a launch may have for themselves."""

NEAR_BYTES = 1 << 20
"""Weights of a work-item that its compute unit keeps close by, from one block of tiles to the next."""


def matrices(m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A^T [m,m+2], G [m+2,3] and B^T [m+2,m+2] of F(m, 3), float64."""
    points = POINTS[m]
    count = len(points)
    at, g, bt = np.zeros((m, count + 1)), np.zeros((count + 1, 3)), np.zeros((count + 1, count + 1))
    for i, p in enumerate(points):
        others = [q for q in points if q != p]
        at[:, i] = p ** np.arange(m)
        g[i] = p ** np.arange(3) / np.prod([p - q for q in others])
        bt[i, :count] = np.poly(others)[::-1]
    at[-1, -1] = g[-1, -1] = 1
    bt[-1] = np.poly(points)[::-1]
    return at, g, bt


def transformed(w: np.ndarray, m: int) -> np.ndarray:
    """G w G^T: w [O,3,3,C] -> [m+2,m+2,O,C], float64."""
    _, g, _ = matrices(m)
    rows = np.tensordot(g, w.astype(np.float64), (1, 1))
    return np.tensordot(g, rows, (1, 2)).swapaxes(0, 1)


def pack_winograd(w: np.ndarray, m: int, lanes: int, blocks: int, split: int) -> np.ndarray:
    """w [O,3,3,C] -> [split][(m+2)^2][tiles of channels][C up to V][blocks * V], transformed."""
    o, _, _, c = w.shape
    wide = blocks * lanes
    groups = ceil(ceil(o / wide) / split)
    padded = np.zeros(((m + 2) ** 2, split * groups * wide, ceil(c / lanes) * lanes))
    padded[:, :o, :c] = transformed(w, m).reshape(-1, o, c)
    out = padded.reshape(len(padded), split, groups, wide, -1).transpose(1, 0, 2, 4, 3)
    return np.ascontiguousarray(out, np.float32)


def winograd(site: Site, op: Conv2D) -> Sequence[Kernel]:
    """Candidates of a 3x3 convolution of stride 1, where its sums may be rounded in another order.

    Weights that are whole numbers are those of a quantised model: their sums are exact, and have to stay so.
    """
    w = site.constant(1)
    assert w is not None
    plain = w.shape[1:3] == (3, 3) and op.stride == op.dilation == (1, 1) and op.groups == 1
    wide = plain and min(w.shape[0], w.shape[3]) >= LEAST_CHANNELS and vectors_of(site)
    if not (site.target.winograd and wide and site.input(0).type.dtype == np.float32) or np.array_equal(w, np.rint(w)):
        return []
    return [k for m in POINTS for k in _tiled(site, op, w, m)]


def _tiled(site: Site, op: Conv2D, w: np.ndarray, m: int) -> Iterator[Kernel]:
    """Candidates of F(m x m, 3x3): the tiles that fit the product best, in blocks of several sizes."""
    target = site.target
    n, oh, ow, o = site.output.shape
    count, blocks = n * ceil(oh / m) * ceil(ow / m), ceil(o / target.lanes)
    for split in range(1, min(blocks, 2) + 1):
        shapes = tiles(target, count, ceil(blocks / split))
        shapes.sort(key=lambda t: ceil(count / t[0]) * t[0] * ceil(blocks / split / t[1]) * t[1] / tile_share(t))
        for px, ob in shapes[:2]:
            for block in sorted({min(times * px, ceil(count / px) * px) for times in (1, 2, 4)}):
                if block == px or (m + 2) ** 2 * block * (site.input(0).shape[3] + o / split) * 4 <= BLOCK_BYTES:
                    kernel = _Tiling(site, m, px, ob, block, split).kernel(op, w)
                    if kernel.scratch <= SCRATCH_BYTES:
                        yield kernel


@dataclass(frozen=True)
class _Tiling:
    """How a launch divides its work.

    Attributes:
        m: F(m x m, 3x3); px: tiles that are multiplied at once; ob: blocks of output channels that are; block: tiles of a block;
            split: work-groups that share the output channels.
    """

    site: Site
    m: int
    px: int
    ob: int
    block: int
    split: int

    def kernel(self, op: Conv2D, w: np.ndarray) -> Kernel:
        site, target, lanes, points = self.site, self.site.target, self.site.target.lanes, (self.m + 2) ** 2
        (n, oh, ow, o), (_, ih, iw, c) = site.output.shape, site.input(0).shape
        count = n * ceil(oh / self.m) * ceil(ow / self.m)
        icb, ocb = ceil(c / lanes), ceil(o / lanes)
        groups = ceil(ceil(ocb / self.ob) / self.split)
        share = 1 if target.kind == "cpu" else GROUP
        run = self._run(ceil(count / self.block))
        grid = (ceil(ceil(count / self.block) / run), self.split, 1)
        scratch = prod(grid) * points * ((icb + groups * self.ob) * self.block + 2) * lanes
        weights = points * icb * groups * self.split * self.ob * lanes * lanes
        nbytes = site.moved(weights)
        params = {"V": lanes, "ICB": icb, "OCB": ocb, "IH": ih, "IW": iw, "OH": oh, "OW": ow, "PAD_TOP": op.pads[0][0],
                  "PAD_LEFT": op.pads[1][0], "TILES": count, "M": self.m, "PX": self.px, "OB": self.ob, "BLOCK": self.block, "RUN": run,
                  "GROUPS": groups, "SPLIT": self.split, "UNROLL": 1 if share == 1 else lanes,
                  "AHEAD": ahead(target, lanes * self.ob, ceil(min(self.block, count) / self.px)), "WG": (share, 1, 1)}
        reads = (site.read("x", 0), Read("w", Pack(partial(pack_winograd, w, self.m, lanes, self.ob, self.split)), FLOAT, target.images),
                 Read("scratch", Scratch(scratch), FLOAT))
        cost = self._cost(grid, run, icb, ocb, groups, nbytes, weights * 4)
        return Kernel("conv_winograd", params, reads, (grid[0] * share, *grid[1:]), (share, 1, 1), lanes,
                      2 * n * oh * ow * o * 9 * c, nbytes, cost)

    def _run(self, blocks: int) -> int:
        """Blocks of tiles that a work-group computes: as many as leave each unit WORK_ITEMS work-groups."""
        return ceil(blocks / max(self.site.target.units * WORK_ITEMS // self.split, 1))

    def _cost(self, grid: tuple[int, ...], run: int, icb: int, ocb: int, groups: int, nbytes: int, weights: int) -> float:
        """Microseconds: the products, and the transforms in instructions per vector, at one a cycle, in which a unit could do four
        operations; weights come again for every block, from afar where they are too many to stay near a unit, and all that is transformed
        leaves a GPU's unit and comes back."""
        target, points = self.site.target, (self.m + 2) ** 2
        tiles = grid[0] * run * self.block
        products = 2 * tiles * points * icb * groups * self.split * self.ob * target.lanes**2
        transforms = 4 * target.lanes * tiles * points * (5.5 * icb * self.split + 4.5 * ocb)
        far = (grid[0] * run - 1) * weights // (1 if weights / self.split > NEAR_BYTES else 4)
        if target.kind == "gpu":
            far += 2 * 4 * target.lanes * tiles * points * (icb * self.split + ocb)
        return WORTH * tile_cost(target, (self.px, self.ob), items=prod(grid), work=products + transforms, nbytes=nbytes + far // 2,
                         weights=weights)
