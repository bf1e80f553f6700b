"""Quantisation at run time: floats as counts of the steps of an 8-bit grid that spans what is there.

Counts are whole numbers in floats, from the zero point on, so that sums of their products with stored weights are exact below 2^24;
the step, found once more from the range, turns these back into reals. Steps, roundings and the order of factors are LiteRT's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from .elementwise import Elementwise, Row, round_away
from .importing import SourceNode
from .movement import Reshape
from .reduce import Reduce

Grid = Literal["symmetric", "asymmetric"]
"""127 steps from zero to the greatest magnitude, or 255 steps from the least to the greatest element, and over zero."""


def _magnitude(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(np.abs(low), np.abs(high)))


def _span(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(high, np.float32(0)) - np.minimum(low, np.float32(0)))


def _symmetric_step(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.asarray(_magnitude(low, high) / np.float32(127))


def _asymmetric_step(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.asarray(_span(low, high) / np.float32(255))


def _symmetric_counts(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    magnitude = _magnitude(low, high)
    return np.where(magnitude > 0, np.clip(round_away(x * (np.float32(127) / magnitude)), -127, 127), 0)


def _asymmetric_counts(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    span = _span(low, high)
    zero_point = np.clip(round_away(np.minimum(low, np.float32(0)) / span * -255.0 - 128), -128, 127)
    counts = round_away(x * (np.float32(1) / _asymmetric_step(low, high)))
    return np.where(span > 0, np.clip(counts, -128 - zero_point, 127 - zero_point), 0)


def _nearest(a: str, b: str) -> str:
    """A quotient: OpenCL lets a division be 2.5 units off, and its rest, divided again, corrects that."""
    return f"({a} / {b} + fma(-({a} / {b}), {b}, {a}) / {b})"


def _table() -> dict[str, Row]:
    """Counts of data by its range; reals from sums of products, by the scale of the weights and the range of the data."""
    magnitude, span = "fmax(fabs({%d}), fabs({%d}))", "(fmax({%d}, 0.0f) - fmin({%d}, 0.0f))"
    symmetric_step, asymmetric_step = _nearest(magnitude % (2, 3), "127.0f"), _nearest(span % (3, 2), "255.0f")
    x_magnitude, x_span = magnitude % (1, 2), span % (2, 1)
    inverse = _nearest("1.0f", _nearest(x_span, "255.0f"))
    zero_point = f"clamp(round(fma(fmin({{1}}, 0.0f) / {x_span}, -255.0f, -128.0f)), -128.0f, 127.0f)"
    return {
        "symmetric_counts": Row(
            f"({x_magnitude} > 0.0f ? clamp(round({{0}} * {_nearest('127.0f', x_magnitude)}), -127.0f, 127.0f) : ({{T}})(0.0f))",
            _symmetric_counts, 3),
        "asymmetric_counts": Row(
            f"({x_span} > 0.0f ? clamp(round({{0}} * {inverse}), -128.0f - {zero_point}, 127.0f - {zero_point}) : ({{T}})(0.0f))",
            _asymmetric_counts, 3),
        "symmetric_reals": Row(
            f"{{0}} * ({{1}} * {symmetric_step})", lambda s, scale, low, high: s * (scale * _symmetric_step(low, high)), 4),
        "asymmetric_reals": Row(
            f"{{0}} * ({{1}} * {asymmetric_step})", lambda s, scale, low, high: s * (scale * _asymmetric_step(low, high)), 4),
        "asymmetric_reals_in_turn": Row(
            f"{{0}} * {{1}} * {asymmetric_step}", lambda s, scale, low, high: s * scale * _asymmetric_step(low, high), 4),
    }  # fmt: skip


TABLE = _table()


@dataclass(frozen=True)
class RunTimeGrid(Elementwise):
    """An element-wise function of the table above."""

    @property
    def row(self) -> Row:
        return TABLE[self.fn]


@dataclass(frozen=True)
class Counts:
    """Data in counts.

    Attributes:
        low, high: its least and its greatest element, of extent 1 along the axes that share a grid.
    """

    value: str
    grid: Grid
    low: str
    high: str

    def reals(self, n: SourceNode, total: str, scale: np.ndarray, in_turn: bool = False) -> str:
        """What sums of products of the counts stand for.

        Args:
            scale: of the weights, one or for each channel, the last axis.
            in_turn: the sums are multiplied by it first, then by the step; else by the product of both.
        """
        fn = f"{self.grid}_reals" + "_in_turn" * in_turn
        return n.emit(RunTimeGrid(fn), total, n.add_constant(np.asarray(scale, np.float32)), self.low, self.high)

    def along(self, n: SourceNode, shape: tuple[int, ...]) -> Counts:
        """The same counts for sums along other axes, with which a range of another shape goes."""
        low, high = (n.emit(Reshape(shape), v) for v in (self.low, self.high))
        return replace(self, low=low, high=high)


def rounded_rows(x: np.ndarray, grid: Grid) -> np.ndarray:
    """The reals of the nearest points of a grid for each row of float32, the last axis."""
    low, high = x.min(-1, keepdims=True), x.max(-1, keepdims=True)
    with np.errstate(all="ignore"):
        counts = TABLE[f"{grid}_counts"].numpy(x, low, high)
        return np.asarray(TABLE[f"{grid}_reals"].numpy(counts, np.float32(1), low, high))


def rounded(n: SourceNode, x: str, axes: Sequence[int], grid: Grid) -> str:
    """The reals of the nearest points of a grid for all elements along `axes`."""
    counts = counted(n, x, axes, grid)
    return counts.reals(n, counts.value, np.array([1]))


def counted(n: SourceNode, x: str, axes: Sequence[int], grid: Grid) -> Counts:
    """Data in counts, with one grid for all elements along `axes`."""
    low, high = (n.emit(Reduce(kind, tuple(axes), keepdims=True), x) for kind in ("min", "max"))
    return Counts(n.emit(RunTimeGrid(f"{grid}_counts"), x, low, high), grid, low, high)
