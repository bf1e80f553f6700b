"""The candidates of a dense convolution, or of a product with constant weights, whose work-groups keep their tiles in local memory."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import ceil, prod
from typing import TYPE_CHECKING

import numpy as np

from ..kernel import Kernel, Read, Site, View
from .conv_kernels import geometry, tiled, vectors_of
from .conv_packing import pack_dense

if TYPE_CHECKING:
    from .conv import Conv2D

TILES = ((16, 4, 4, 1), (8, 8, 4, 1), (8, 8, 4, 2), (8, 8, 8, 2), (16, 16, 4, 2))
"""Work-items along pixels and along channels of a work-group, and the tile of each: pixels, blocks of output channels."""

DEPTH = 4
"""Blocks of input channels that are in local memory at a time."""


def conv2d_local(site: Site, op: Conv2D) -> list[Kernel]:
    """Candidates of a dense convolution, on a GPU."""
    if op.groups > 1 or not vectors_of(site):
        return []
    w = site.constant(1)
    assert w is not None
    return _local(site, w, geometry(site, op), site.output.shape[0], site.read("x", 0))


def product(site: Site, w: np.ndarray, rows: int, x: Read) -> list[Kernel]:
    """Candidates of y[p,o] = sum over c of x[p,c] * w[o,0,0,c], on a GPU: an image of one row."""
    if not (isinstance(x.source, View) and x.source.vectors(site.target.lanes)):
        return []
    shape = {"IH": 1, "IW": rows, "OH": 1, "OW": rows, "KY": 1, "KX": 1, "STRIDE_Y": 1, "STRIDE_X": 1, "DILATION_Y": 1, "DILATION_X": 1,
             "PAD_TOP": 0, "PAD_LEFT": 0}
    return _local(site, w, shape, 1, x)


def _local(site: Site, w: np.ndarray, shape: dict[str, int], batch: int, x: Read) -> list[Kernel]:
    """Tiles that fit the target, and are not mostly beyond the edges.

    Args:
        w: [O,KY,KX,C]; shape: of the images and the windows, as the template has it.
    """
    target, lanes = site.target, site.target.lanes
    pixels, taps, channels = shape["OH"] * shape["OW"], shape["KY"] * shape["KX"], w.shape[3]
    blocks, steps = ceil(w.shape[0] / lanes), ceil(channels / lanes) * taps
    kernels = []
    for gx, gy, px, ob in TILES:
        fits = gx * gy <= target.group and px * ob + px + 1 <= target.registers
        if not fits or gx * px >= 2 * pixels or gy * ob >= 2 * blocks:
            continue
        grid = (ceil(pixels / (gx * px)) * gx, ceil(blocks / (gy * ob)) * gy, batch)
        columns = grid[1] // gy
        kernel = tiled(
            site, "conv_local", tile=(px, ob), grid=grid, work=target.near * 2 * prod(grid) * px * ob * steps * lanes**2,
            flops=2 * batch * pixels * w[0].size * w.shape[0], weights=w.size,
            pack=partial(pack_dense, w, 1, lanes, gy * ob, steps // taps, [0] * columns), x=x, group=(gx, gy, 1),
            params={"IC": channels, "OCB": blocks, **shape, "STEPS": steps, "DEPTH": min(DEPTH, steps),
                    "GX": gx, "GY": gy, "PX": px, "OB": ob})
        kernels.append(replace(kernel, params={name: value for name, value in kernel.params.items() if name not in ("RUN", "UNROLL")}))
    return kernels
