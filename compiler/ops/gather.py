"""Elements picked by index: whole rows of an axis, elements along one, or by coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .elementwise import Elementwise
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .movement import Concat, Reshape, Slice, Transpose
from .op import Op, normal_axis

if TYPE_CHECKING:
    from ..kernel import Index, Kernel, Site

MOST_SLICES = 4
"""Runs of constant indices up to which slices, which may cost nothing, take the place of a gather."""


@dataclass(frozen=True)
class Gather(Op):
    """y[b…, o…, i…, r…] = x[b…, o…, index[b…, i…], r…]: `axis` of x gives way to the axes of the index.

    Operands: x, index (integers; a negative one counts from the end, one out of range picks the nearest end). The first `batch` axes
    are common to both.
    """

    axis: int
    batch: int = 0
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, index = types[0], types[1]
        assert x is not None and index is not None
        if not 0 <= self.batch <= self.axis < x.rank or index.shape[: self.batch] != x.shape[: self.batch]:
            raise GraphError(f"{index} does not pick from axis {self.axis} of {x} with {self.batch} axes in common")
        shape = (*x.shape[: self.axis], *index.shape[self.batch :], *x.shape[self.axis + 1 :])
        return (_picked(x, index, (x.shape[self.axis],), shape),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, index = arrays[0], arrays[1]
        assert x is not None and index is not None
        inside = wrapped(index, x.shape[self.axis])
        if not self.batch:
            return (np.take(x, inside, self.axis),)
        (y,) = self.infer(TensorType.of(x), TensorType.of(index))
        rows = [np.take(x[b], inside[b], self.axis - self.batch) for b in np.ndindex(x.shape[: self.batch])]
        return (np.stack(rows).reshape(y.shape),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        at, behind = _coordinates(site), self.axis + site.input(1).type.rank - self.batch
        place = (*at[: self.batch], *at[self.axis : behind])
        return [_kernel(site, [(place, site.input(0).shape[self.axis])], (*at[: self.axis], "k0", *at[behind:]))]


@dataclass(frozen=True)
class GatherElements(Op):
    """y[i…] = x[i…] with index[i…] in the place of the coordinate on `axis`; the result has the shape of the index.

    Operands: x, index, as those of `Gather`; on the other axes the index may have fewer elements than x.
    """

    axis: int
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, index = types[0], types[1]
        assert x is not None and index is not None
        fits = x.rank == index.rank and all(d == self.axis or a >= b for d, (a, b) in enumerate(zip(x.shape, index.shape)))
        if not 0 <= self.axis < x.rank or not fits:
            raise GraphError(f"{index} does not pick elements along axis {self.axis} of {x}")
        return (_picked(x, index, (x.shape[self.axis],), index.shape),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, index = arrays[0], arrays[1]
        assert x is not None and index is not None
        part = x[tuple(slice(None if d == self.axis else e) for d, e in enumerate(index.shape))]
        return (np.take_along_axis(part, wrapped(index, x.shape[self.axis]), self.axis),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        at = _coordinates(site)
        source = (*at[: self.axis], "k0", *at[self.axis + 1 :])
        return [_kernel(site, [(at, site.input(0).shape[self.axis])], source)]


@dataclass(frozen=True)
class GatherND(Op):
    """y[b…, i…, r…] = x[b…, index[b…, i…, 0], index[b…, i…, 1], …, r…]: the last axis of the index holds coordinates.

    Operands: x, index, as those of `Gather`; the first `batch` axes are common to both.
    """

    batch: int = 0
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, index = types[0], types[1]
        assert x is not None and index is not None
        picked = self.batch + (index.shape[-1] if index.shape else 0)
        if not 0 <= self.batch < min(index.rank, picked) or picked > x.rank or index.shape[: self.batch] != x.shape[: self.batch]:
            raise GraphError(f"{index} does not hold coordinates in {x} with {self.batch} axes in common")
        return (_picked(x, index, x.shape[self.batch : picked], (*index.shape[:-1], *x.shape[picked:])),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, index = arrays[0], arrays[1]
        assert x is not None and index is not None
        common = np.indices(index.shape[:-1])[: self.batch]
        return (x[(*common, *(wrapped(index[..., k], x.shape[self.batch + k]) for k in range(index.shape[-1])))],)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        x, index, at = site.input(0), site.input(1), _coordinates(site)
        outer, count = index.type.rank - 1, index.shape[-1]
        picks = [((*at[:outer], str(k)), x.shape[self.batch + k]) for k in range(count)]
        return [_kernel(site, picks, (*at[: self.batch], *(f"k{k}" for k in range(count)), *at[outer:]))]


def wrapped(index: np.ndarray, extent: int) -> np.ndarray:
    """Indices as they are meant: negative ones count from the end, those out of range are the nearest end."""
    wide = index.astype(np.int64)
    return np.clip(np.where(wide < 0, wide + extent, wide), 0, max(extent - 1, 0))


def _picked(x: TensorType, index: TensorType, extents: Sequence[int], shape: tuple[int, ...]) -> TensorType:
    """The type of what an index picks from axes of x of some extents."""
    if index.dtype.kind not in "iu":
        raise GraphError(f"indices of type {index.dtype}")
    if 0 in extents and 0 not in shape:
        raise GraphError(f"{x} has nothing to pick")
    return TensorType(shape, x.dtype)


def _coordinates(site: Site) -> Index:
    """Those of the result in the template: `last`, and what the number of a row says of the other axes."""
    from ..indexing import unravel

    shape = site.output.shape
    return (*unravel("row", shape[:-1]), "last") if shape else ()


def _kernel(site: Site, picks: Sequence[tuple[Index, int]], source: Index) -> Kernel:
    """The kernel that reads x at `source`.

    Args:
        picks: for each of k0, k1, … in `source` where it lies in the index, and the extent of the axis on which it is a coordinate.
    """
    from ..access import compute_type
    from ..kernel import Kernel

    x, index, y = site.input(0), site.input(1), site.output
    last = y.shape[-1] if y.shape else 1
    together = source[-1:] == ("last",) and all("last" not in place for place, _ in picks) and x.layout.axis is None
    lanes = min(site.target.lanes, last & -last) if together and x.layout.strides[-1] == y.layout.strides[-1] == 1 else 1
    params = {"LANES": lanes, "T": compute_type(index.type.dtype), "V": compute_type(x.type.dtype, lanes),
              "picks": picks, "at": _coordinates(site) or ("0",), "source": source}
    cost = site.target.launch + site.moved() / site.target.bandwidth / 1e3
    return Kernel("gather", params, (site.read("x", 0), site.read("index", 1)), (last // lanes, prod(y.shape[:-1]), 1), lanes=lanes,
                  flops=len(site.node.epilogue) * y.type.size, nbytes=site.moved(), cost=cost)


def gather(n: SourceNode, x: str, index: str, axis: int, batch: int = 0) -> str:
    """A gather, or slices where the indices are constant and fall into few runs of equal step."""
    shape, picked = n.shape(x), n.array(index)
    axis, batch = normal_axis(axis, len(shape)), normal_axis(batch, len(n.shape(index)))
    if picked is None:
        return n.emit(Gather(axis, batch), x, index)
    _check_range(n, x, picked, axis)
    runs = _runs(wrapped(picked, shape[axis]).ravel().tolist())
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


def gather_elements(n: SourceNode, x: str, index: str, axis: int) -> str:
    axis, picked = normal_axis(axis, len(n.shape(x))), n.array(index)
    if picked is not None and axis < len(n.shape(x)):
        _check_range(n, x, picked, axis)
    return n.emit(GatherElements(axis), x, index)


def gather_nd(n: SourceNode, x: str, index: str, batch: int = 0) -> str:
    """A gather by coordinates, or by an index where they are of one axis."""
    shape, picked = n.shape(index), n.array(index)
    if shape[-1:] == (1,) and len(shape) > batch:
        return gather(n, x, n.emit(Reshape(shape[:-1]), index), batch, batch)
    if picked is not None and shape and batch + shape[-1] <= len(n.shape(x)):
        for k in range(shape[-1]):
            _check_range(n, x, picked[..., k], batch + k)
    return n.emit(GatherND(batch), x, index)


def _check_range(n: SourceNode, x: str, index: np.ndarray, axis: int) -> None:
    extent = n.shape(x)[axis]
    if np.any((index < -extent) | (index >= extent)):
        raise Unsupported(f"its indices reach outside axis {axis} of {n.type(x)}")


@onnx_op("Gather")
def onnx_gather(n: OnnxNode) -> str:
    return gather(n, n.input(0), n.input(1), n.attr("axis", 0))


@onnx_op("GatherElements")
def onnx_gather_elements(n: OnnxNode) -> str:
    return gather_elements(n, n.input(0), n.input(1), n.attr("axis", 0))


@onnx_op("GatherND")
def onnx_gather_nd(n: OnnxNode) -> str:
    return gather_nd(n, n.input(0), n.input(1), n.attr("batch_dims", 0))


@tflite_op("GATHER")
def tflite_gather(n: TfliteNode) -> str:
    return gather(n, n.input(0), n.input(1), n.options.axis, n.options.batch_dims)


@tflite_op("GATHER_ND")
def tflite_gather_nd(n: TfliteNode) -> str:
    return gather_nd(n, n.input(0), n.input(1))


@tflite_op("EMBEDDING_LOOKUP")
def tflite_embedding_lookup(n: TfliteNode) -> str:
    return gather(n, n.input(1), n.input(0), 0)


def reverse_sequence(n: SourceNode, batch: int, time: int) -> str:
    """Of operand 0 the first elements along `time` in reverse order, for each of the batch as many as operand 1 says."""
    x, lengths = n.input(0), n.input(1)
    rank = len(n.shape(x))
    batch, time = normal_axis(batch, rank), normal_axis(time, rank)
    if batch == time or not (0 <= batch < rank and 0 <= time < rank) or n.shape(lengths) != (n.shape(x)[batch],):
        raise Unsupported(f"lengths {n.type(lengths)} of sequences along axis {time} of {n.type(x)}, one for each of axis {batch}")
    perm = (batch, time, *(d for d in range(rank) if d not in (batch, time)))
    column = n.emit(Reshape((n.shape(x)[batch], 1)), lengths)
    step = n.add_constant(np.arange(n.shape(x)[time], dtype=n.type(lengths).dtype))
    mirrored = n.emit(Elementwise("sub"), n.emit(Elementwise("sub"), column, n.scalar(1, lengths)), step)
    index = n.emit(Elementwise("where"), n.emit(Elementwise("less"), step, column), mirrored, step)
    y = n.emit(Gather(1, 1), n.emit(Transpose(perm), x), index)
    return n.emit(Transpose(tuple(perm.index(d) for d in range(rank))), y)


@onnx_op("ReverseSequence")
def onnx_reverse_sequence(n: OnnxNode) -> str:
    return reverse_sequence(n, n.attr("batch_axis", 1), n.attr("time_axis", 0))


@tflite_op("REVERSE_SEQUENCE")
def tflite_reverse_sequence(n: TfliteNode) -> str:
    return reverse_sequence(n, n.options.batch_dim, n.options.seq_dim)


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
