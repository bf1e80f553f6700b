"""Elements of an axis, picked by index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .importing import SourceNode
from .movement import Concat, Reshape, Slice
from .op import Op, normal_axis

MOST_SLICES = 64
"""Runs of indices up to which a gather is taken apart into slices."""


@dataclass(frozen=True)
class Gather(Op):
    """y[b…, o…, i…, r…] = x[b…, o…, index[b…, i…], r…]: `axis` of x gives way to the axes of the index.

    Operands: x, index (integers; a negative one counts from the end). The first `batch` axes are common to both.
    """

    axis: int
    batch: int = 0

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, index = types[0], types[1]
        assert x is not None and index is not None
        if not 0 <= self.batch <= self.axis < x.rank or index.shape[: self.batch] != x.shape[: self.batch]:
            raise GraphError(f"{index} does not pick from axis {self.axis} of {x} with {self.batch} axes in common")
        if index.dtype.kind not in "iu":
            raise GraphError(f"indices of type {index.dtype}")
        return (TensorType((*x.shape[: self.axis], *index.shape[self.batch :], *x.shape[self.axis + 1 :]), x.dtype),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, index = arrays[0], arrays[1]
        assert x is not None and index is not None
        if not self.batch:
            return (np.take(x, index, self.axis),)
        (y,) = self.infer(TensorType.of(x), TensorType.of(index))
        rows = [np.take(x[b], index[b], self.axis - self.batch) for b in np.ndindex(x.shape[: self.batch])]
        return (np.stack(rows).reshape(y.shape),)


def gather(n: SourceNode, x: str, index: str, axis: int, batch: int = 0) -> str:
    """A gather; of values computed at run time, the indices must be constant, and fall into few runs of equal step."""
    shape, picked = n.shape(x), n.array(index)
    axis = normal_axis(axis, len(shape))
    op = Gather(axis, batch)
    if picked is None or n.array(x) is not None:
        if picked is None:
            raise Unsupported("its indices are computed at run time; constant ones would be accepted")
        return n.emit(op, x, index)
    if batch:
        raise Unsupported(f"batch_dims {batch}; 0 would be accepted")
    flat = np.where(picked < 0, picked + shape[axis], picked).ravel().tolist()
    if any(not 0 <= i < shape[axis] for i in flat):
        raise Unsupported(f"its indices reach outside axis {axis} of {n.type(x)}")
    runs = _runs(flat)
    if len(runs) > MOST_SLICES:
        raise Unsupported(f"its indices fall into {len(runs)} runs of equal step; {MOST_SLICES} would be accepted")
    parts = []
    for first, count, step in runs:
        begin, extent, steps = [0] * len(shape), list(shape), [1] * len(shape)
        begin[axis], extent[axis], steps[axis] = first, count, step
        parts.append(n.emit(Slice(tuple(begin), tuple(extent), tuple(steps)), x))
    whole = n.emit(Concat(axis), *parts) if len(parts) > 1 else parts[0]
    target = (*shape[:axis], *picked.shape, *shape[axis + 1 :])
    return n.emit(Reshape(target), whole) if picked.ndim != 1 else whole


def _runs(indices: list[int]) -> list[tuple[int, int, int]]:
    """The indices as (first, count, step): a run goes on for as long as its step, which is never 0, stays the same."""
    if not indices:
        return [(0, 0, 1)]
    runs, k = [], 0
    while k < len(indices):
        end = k + 1
        step = indices[end] - indices[k] if end < len(indices) else 1
        if step:
            while end < len(indices) and indices[end] - indices[end - 1] == step:
                end += 1
        runs.append((indices[k], end - k, step if end - k > 1 else 1))
        k = end
    return runs
