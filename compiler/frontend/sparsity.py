"""Sparse constants of TFLite, made dense.

The storage is that of TACO (https://arxiv.org/abs/1804.10112): the axes of the tensor and the axes inside its blocks
are walked in `traversal_order`, and each level of the walk either holds all of its extent (dense) or a list of indices
for every element of the level above (compressed sparse rows). Block axis b, number rank + b in the walk, divides axis
block_map[b].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

LARGEST = 1 << 28
"""Bytes of a tensor that is stored sparse."""


@dataclass(frozen=True)
class Level:
    """One axis of the walk.

    Attributes:
        size: of a dense level; None of a sparse one.
        segments: element k of the level above owns indices[segments[k] : segments[k + 1]].
    """

    size: int | None = None
    segments: np.ndarray | None = None
    indices: np.ndarray | None = None


@dataclass(frozen=True)
class Sparsity:
    """How the elements that are stored lie in the tensor; `levels` are in the order of the walk."""

    traversal_order: Sequence[int]
    block_map: Sequence[int]
    levels: Sequence[Level]

    def densify(self, stored: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The whole tensor.

        Raises:
            ValueError: the storage does not fit the shape.
        """
        rank, order = len(shape), list(self.traversal_order)
        if sorted(order) != list(range(rank + len(self.block_map))) or len(self.levels) != len(order):
            raise ValueError(f"sparse storage of {len(self.levels)} levels does not fit shape {shape}")
        if prod(shape) * stored.itemsize > LARGEST:
            raise ValueError(f"sparse storage of shape {shape} takes more than {LARGEST >> 20} MB")
        coordinates, positions = self._walk(stored.size)
        place = []
        for axis in range(rank):
            index = coordinates[axis]
            for block, divided in enumerate(self.block_map):
                if divided == axis:
                    size = self.levels[order.index(rank + block)].size
                    if size is None:
                        raise ValueError(f"the blocks of axis {axis} are stored sparse")
                    index = index * size + coordinates[rank + block]
            if index.size and (index.min() < 0 or index.max() >= shape[axis]):
                raise ValueError(f"sparse storage reaches outside axis {axis} of shape {shape}")
            place.append(index)
        dense = np.zeros(shape, stored.dtype)
        dense[tuple(place)] = stored[positions]
        return dense

    def _most(self, number: int, stored: int) -> int:
        """Elements that the levels before one may come to; what is stored bounds them, or the segments of the next sparse level."""
        if number == len(self.levels):
            return stored
        size, segments = self.levels[number].size, self.levels[number].segments
        return segments.size - 1 if size is None and segments is not None else self._most(number + 1, stored) // max(size or 0, 1)

    def _walk(self, stored: int) -> tuple[dict[int, np.ndarray], np.ndarray]:
        """The coordinate on each axis, and the place in the storage, of every stored element."""
        coordinates: dict[int, np.ndarray] = {}
        positions = np.zeros(1, np.int64)
        for number, (axis, level) in enumerate(zip(self.traversal_order, self.levels)):
            if level.size is not None:
                if not 0 <= len(positions) * level.size <= self._most(number + 1, stored):
                    raise ValueError(f"a level of {level.size} for {len(positions)} elements does not fit the {stored} stored")
                counts = np.full(len(positions), level.size)
                inner = np.tile(np.arange(level.size), len(positions))
                starts = positions * level.size
            else:
                assert level.segments is not None and level.indices is not None
                segments = level.segments.astype(np.int64)
                starts, counts = segments[positions], segments[positions + 1] - segments[positions]
                if counts.size and (counts.min() < 0 or counts.sum() > level.indices.size):
                    raise ValueError(f"segments of {counts.sum()} elements in all do not fit {level.indices.size} indices")
                inner = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            coordinates = {a: np.repeat(c, counts) for a, c in coordinates.items()}
            positions = np.repeat(starts, counts) + inner
            coordinates[axis] = inner if level.indices is None else level.indices.astype(np.int64)[positions]
        return coordinates, positions
