"""Elements of an axis, picked by index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .importing import SourceNode
from .movement import Concat, Reshape, Slice
from .op import Op, normal_axis

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

MOST_SLICES = 4
"""Runs of constant indices up to which slices, which may cost nothing, take the place of a gather."""


@dataclass(frozen=True)
class Gather(Op):
    """y[b…, o…, i…, r…] = x[b…, o…, index[b…, i…], r…]: `axis` of x gives way to the axes of the index.

    Operands: x, index (integers; a negative one counts from the end). The first `batch` axes are common to both.
    """

    axis: int
    batch: int = 0
    layout: ClassVar[Literal["gather"]] = "gather"

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

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..access import compute_type
        from ..indexing import unravel
        from ..kernel import Kernel

        x, index, y = site.input(0), site.input(1), site.output
        last = y.shape[-1] if y.shape else 1
        together = self.axis < x.type.rank - 1 and x.layout.axis is None and x.layout.strides[-1] == y.layout.strides[-1] == 1
        lanes = min(site.target.lanes, last & -last) if together else 1
        at = (*unravel("row", y.shape[:-1]), "last")[-max(y.type.rank, 1) :]
        behind = self.axis + index.type.rank - self.batch
        coordinates = at if y.shape else ()
        params = {"EXTENT": x.shape[self.axis], "LANES": lanes, "T": compute_type(index.type.dtype), "at": at,
                  "place": (*coordinates[: self.batch], *coordinates[self.axis : behind]),
                  "source": (*coordinates[: self.axis], "k", *coordinates[behind:])}
        cost = site.target.launch + site.moved() / site.target.bandwidth / 1e3
        return [Kernel("gather", params, (site.read("x", 0), site.read("index", 1)), (last // lanes, prod(y.shape[:-1]), 1), lanes=lanes,
                       flops=len(site.node.epilogue) * y.type.size, nbytes=site.moved(), cost=cost)]


def gather(n: SourceNode, x: str, index: str, axis: int, batch: int = 0) -> str:
    """A gather, or slices where the indices are constant and fall into few runs of equal step."""
    shape, picked = n.shape(x), n.array(index)
    axis, batch = normal_axis(axis, len(shape)), normal_axis(batch, len(n.shape(index)))
    if picked is None:
        return n.emit(Gather(axis, batch), x, index)
    flat = np.where(picked < 0, picked + shape[axis], picked).ravel().tolist()
    if any(not 0 <= i < shape[axis] for i in flat):
        raise Unsupported(f"its indices reach outside axis {axis} of {n.type(x)}")
    runs = _runs(flat)
    if batch or len(runs) > MOST_SLICES or n.array(x) is not None:
        return n.emit(Gather(axis, batch), x, index)
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
