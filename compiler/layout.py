"""Where the elements of a tensor lie in memory.

A layout maps the logical index (i0, …, ik) of a tensor to an element offset:

    offset + sum(stride[d] * i_d)                                 a strided layout
    offset + sum(stride[d] * i_d, d != axis) + stride[axis] * (i_axis / lanes) + i_axis % lanes
                                                                  a blocked one: `lanes` neighbours of one axis lie together

An image in blocked channels, [N][C/V][H][W][V], is the blocked layout of NHWC with axis 3; for V = 4 this is the PHWC4 of the
TensorFlow Lite GPU delegate. Views (a slice, one part of a concatenation) are layouts with the strides of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Layout:
    """Offsets, in elements, of a tensor's elements within its buffer.

    Attributes:
        strides: one per axis; of the blocked axis, the distance between two blocks.
        offset: of element (0, …, 0).
        axis: the blocked axis, or None where the layout is only strided.
        lanes: elements of a block; 1 without a blocked axis.
    """

    strides: tuple[int, ...]
    offset: int = 0
    axis: int | None = None
    lanes: int = 1

    @staticmethod
    def linear(shape: tuple[int, ...]) -> Layout:
        """Row-major: the last axis is contiguous."""
        strides, step = [], 1
        for extent in reversed(shape):
            strides.append(step)
            step *= max(extent, 1)
        return Layout(tuple(reversed(strides)))

    @staticmethod
    def blocked(shape: tuple[int, ...], lanes: int) -> Layout:
        """[N][C/lanes][H][W][lanes] of an NHWC shape, or [C/lanes][lanes] of whatever precedes the last axis."""
        *outer, channels = shape
        blocks = -(-channels // lanes)
        spatial = outer[1:]
        strides, step = [], lanes
        for extent in reversed(spatial):
            strides.append(step)
            step *= max(extent, 1)
        batch = (step * blocks,) if outer else ()
        return Layout((*batch, *reversed(strides), step), axis=len(shape) - 1, lanes=lanes)

    def span(self, shape: tuple[int, ...]) -> int:
        """Elements from the buffer's start to the end of the last (whole) block."""
        if 0 in shape:
            return self.offset
        last = sum(s * (self.extent(shape, d) - 1) for d, s in enumerate(self.strides))
        return self.offset + last + self.lanes

    def extent(self, shape: tuple[int, ...], axis: int) -> int:
        """Steps along an axis: elements, or blocks on the blocked axis."""
        return -(-shape[axis] // self.lanes) if axis == self.axis else shape[axis]

    def row_major(self, shape: tuple[int, ...]) -> bool:
        """Whether the elements lie in row-major order without gaps (so that a reshape is free)."""
        if self.axis is not None and shape[self.axis] % self.lanes:
            return False
        expected = 1
        for d in reversed(range(len(shape))):
            steps = self.extent(shape, d)
            if d == self.axis:
                expected *= self.lanes
            if steps != 1 and self.strides[d] != expected:
                return False
            expected *= steps
        return True

    def matches(self, other: Layout, shape: tuple[int, ...]) -> bool:
        """Whether every element lies in the same place under both: the strides of axes with a single step do not matter."""
        apart = any(self.extent(shape, d) > 1 and s != t for d, (s, t) in enumerate(zip(self.strides, other.strides)))
        return (self.offset, self.axis, self.lanes) == (other.offset, other.axis, other.lanes) and not apart

    def flat(self, shape: tuple[int, ...], first: int, second: int) -> bool:
        """Whether two neighbouring axes can be walked as one: stride[first] covers the whole of second."""
        return shape[first] == 1 or shape[second] == 1 or self.strides[first] == self.strides[second] * shape[second]

    def shifted(self, elements: int) -> Layout:
        return replace(self, offset=self.offset + elements)

    def pack(self, array: np.ndarray) -> np.ndarray:
        """The buffer, 1-D, that holds this array in this layout; what no element names is zero."""
        buffer = np.zeros(self.span(array.shape), array.dtype)
        places = self._places(buffer, array.shape)
        if self.axis is not None:
            missing = -array.shape[self.axis] % self.lanes
            array = np.pad(array, [(0, missing if d == self.axis else 0) for d in range(array.ndim)]).reshape(places.shape)
        places[...] = array
        return buffer

    def unpack(self, buffer: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The array that a buffer holds in this layout."""
        places = self._places(buffer, shape)
        if self.axis is None:
            return places.copy()
        whole = places.reshape([e + -e % self.lanes if d == self.axis else e for d, e in enumerate(shape)])
        return whole[tuple(slice(e) for e in shape)].copy()

    def _places(self, buffer: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """A view of a buffer, with the axes of the tensor, of which the blocked one is two: blocks and lanes."""
        extents, strides = [self.extent(shape, d) for d in range(len(shape))], list(self.strides)
        if self.axis is not None:
            extents.insert(self.axis + 1, self.lanes)
            strides.insert(self.axis + 1, 1)
        return np.lib.stride_tricks.as_strided(buffer[self.offset :], extents, [s * buffer.itemsize for s in strides])

    def indices(self, shape: tuple[int, ...]) -> np.ndarray:
        """The offset of every element, of the given shape."""
        total = np.full(shape, self.offset, np.int64)
        for d, (extent, stride) in enumerate(zip(shape, self.strides)):
            i = np.arange(extent)
            steps = i // self.lanes * stride + i % self.lanes if d == self.axis else i * stride
            total += steps.reshape([-1 if k == d else 1 for k in range(len(shape))])
        return total

    def __str__(self) -> str:
        kind = f"/{self.lanes}@{self.axis}" if self.axis is not None else ""
        place = f"+{self.offset}" if self.offset else ""
        return f"[{','.join(map(str, self.strides))}]{kind}{place}"
