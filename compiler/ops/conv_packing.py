"""Weights of convolutions, in the order in which their kernels read them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np


def pack_dense(w: np.ndarray, groups: int, lanes: int, blocks: int, band: int, first: Sequence[int]) -> np.ndarray:
    """w [O,KY,KX,C/groups] -> [tiles][band][KY][KX][V][blocks * V]: for each tile of output channels the `band` blocks of input
    channels that start at block first[tile]; what does not exist is zero."""
    w = expand_groups(w, groups)
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


def pack_first(w: np.ndarray, lanes: int, blocks: int) -> np.ndarray:
    """w [O,KY,KX,C] -> [tiles][KY][KX][C][blocks * V]."""
    o, ky, kx, c = w.shape
    wide = blocks * lanes
    padded = np.zeros((ceil(o / wide) * wide, ky, kx, c), w.dtype)
    padded[:o] = w
    return np.ascontiguousarray(padded.reshape(-1, wide, ky, kx, c).transpose(0, 2, 3, 4, 1))


def expand_groups(w: np.ndarray, groups: int) -> np.ndarray:
    """Weights of a grouped convolution as those of a dense one, zero outside the groups."""
    o, ky, kx, per_in = w.shape
    out = np.zeros((o, ky, kx, per_in * groups), w.dtype)
    for g in range(groups):
        rows = slice(g * o // groups, (g + 1) * o // groups)
        out[rows, ..., g * per_in : (g + 1) * per_in] = w[rows]
    return out
