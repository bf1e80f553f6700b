"""Quantised tensors in float arithmetic: stored integers become what they stand for, and back."""

from __future__ import annotations

import numpy as np

from .elementwise import Cast, Elementwise
from .importing import SourceNode, TfliteNode, tflite_op

Grid = tuple[float, float, float, float]
"""Scale, zero point, and the least and the greatest number stored: the parameters of the quantising functions of `elementwise`."""

FLOAT = np.dtype(np.float32)


def decoded(n: SourceNode, stored: str, grid: Grid) -> str:
    """The reals that stored integers stand for."""
    return n.emit(Elementwise("dequantize", grid[:2]), n.emit(Cast(FLOAT), stored))


def encoded(n: SourceNode, value: str, grid: Grid, dtype: np.dtype) -> str:
    """Reals as the nearest integers of a grid, halves away from zero, as a tensor of an integer type."""
    return n.emit(Cast(dtype), n.emit(Elementwise("quantize", grid), value))


@tflite_op("QUANTIZE")
def tflite_quantize(n: TfliteNode) -> str:
    """The frontend rounds every result to the grid of its tensor: nothing is left to do."""
    return n.input(0)


@tflite_op("FAKE_QUANT")
def tflite_fake_quant(n: TfliteNode) -> str:
    """The grid is nudged so that zero lies on it."""
    low, high = (1.0 if n.options.narrow_range else 0.0), float(2**n.options.num_bits - 1)
    least, greatest = np.float32(n.options.min), np.float32(n.options.max)
    scale = (greatest - least) / np.float32(high - low)
    zero_point = float(np.clip(np.floor(low - least / scale + 0.5), low, high))
    return n.emit(Elementwise("fake_quantize", (float(scale), zero_point, low, high)), n.input(0))
