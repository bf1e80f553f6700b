"""Updates at places that an index names: scattered elements and slices, windows, sums of segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .elementwise import Elementwise
from .gather import Gather, gather
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .movement import Broadcast, Reshape
from .op import Op, Shape
from .reshaping import axes_of, cut, reshape, unsqueeze

if TYPE_CHECKING:
    from ..kernel import Index, Kernel, Site

Reduction = Literal["none", "add", "mul", "max", "min"]
JOIN = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


@dataclass(frozen=True)
class ScatterElements(Op):
    """x, with updates[i…] at i… with index[i…] in the place of the coordinate on `axis`.

    Operands: x, which broadcasts to the result; index; updates of the shape of the index. Updates of one place are applied in row-major
    order. A negative index counts from the end; one out of range is ignored.

    Attributes:
        shape: of the result.
        reduction: how an update joins what is there; "none" takes its place.
    """

    shape: Shape
    axis: int
    reduction: Reduction = "none"
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, index, updates = types
        assert x is not None and index is not None and updates is not None
        rank = len(self.shape)
        fits = index.rank == rank and all(d == self.axis or a >= b for d, (a, b) in enumerate(zip(self.shape, index.shape)))
        if not 0 <= self.axis < rank or not fits or updates.shape != index.shape:
            raise GraphError(f"{index} does not place {updates} along axis {self.axis} of {x}")
        return (_updated(x, index, updates, self.shape, self.reduction),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, index, updates = arrays
        assert x is not None and index is not None and updates is not None
        places = [*np.indices(index.shape)]
        places[self.axis] = index
        return (_update(np.broadcast_to(x, self.shape).copy(), places, updates, self.reduction),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        at, index = _coordinates(site), site.input(1)
        place = (*at[: self.axis], "u", *at[self.axis + 1 :])
        inside = [f"{i} < {e}" for d, (i, e) in enumerate(zip(at, index.shape)) if d != self.axis and e < self.shape[d]]
        return [_kernel(site, index.shape[self.axis], [(place, at[self.axis], self.shape[self.axis])], place, inside)]


@dataclass(frozen=True)
class ScatterND(Op):
    """x, with updates[i…, r…] at (index[i…, 0], index[i…, 1], …, r…): the last axis of the index holds coordinates.

    Operands and attributes as those of `ScatterElements`, but for the shape of the updates.
    """

    shape: Shape
    reduction: Reduction = "none"
    layout: ClassVar[Literal["gather"]] = "gather"

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, index, updates = types
        assert x is not None and index is not None and updates is not None
        count = index.shape[-1] if index.shape else 0
        if not 0 < count <= len(self.shape) or updates.shape != (*index.shape[:-1], *self.shape[count:]):
            raise GraphError(f"{index} does not hold coordinates of {updates} in a tensor of shape {self.shape}")
        return (_updated(x, index, updates, self.shape, self.reduction),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, index, updates = arrays
        assert x is not None and index is not None and updates is not None
        places = [index[..., k] for k in range(index.shape[-1])]
        return (_update(np.broadcast_to(x, self.shape).copy(), places, updates, self.reduction),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..indexing import unravel

        at, index = _coordinates(site), site.input(1)
        count, outer = index.shape[-1], index.shape[:-1]
        u = unravel("u", outer)
        picks = [((*u, str(k)), at[k], self.shape[k]) for k in range(count)]
        return [_kernel(site, prod(outer), picks, (*u, *at[count:]), [])]


def _updated(x: TensorType, index: TensorType, updates: TensorType, shape: Shape, reduction: str) -> TensorType:
    if index.dtype.kind not in "iu":
        raise GraphError(f"indices of type {index.dtype}")
    if x.dtype != updates.dtype or np.broadcast_shapes(x.shape, shape) != shape:
        raise GraphError(f"{updates} does not update {x} of shape {shape}")
    kinds = {"none": "fiub", "max": "fiub", "min": "fiub"}.get(reduction, "fiu")
    if reduction not in get_args(Reduction) or x.dtype.kind not in kinds:
        raise GraphError(f"reduction {reduction} of {x.dtype}; {', '.join(get_args(Reduction))} of numbers would be accepted")
    return TensorType(shape, x.dtype)


def _update(y: np.ndarray, places: Sequence[np.ndarray], updates: np.ndarray, reduction: Reduction) -> np.ndarray:
    """y, changed: the updates at their places, as far as these exist."""
    wide = [np.where(i < 0, i.astype(np.int64) + e, i.astype(np.int64)) for i, e in zip(places, y.shape)]
    inside = np.all([(i >= 0) & (i < e) for i, e in zip(wide, y.shape)], 0)
    target, taken = tuple(i[inside] for i in wide), updates[inside]
    if reduction == "none":
        y[target] = taken
    else:
        with np.errstate(all="ignore"):
            JOIN[reduction].at(y, target, taken)
    return y


def _coordinates(site: Site) -> Index:
    """Those of the result in the template: `last`, and what the number of a row says of the other axes."""
    from ..indexing import unravel

    return (*unravel("row", site.output.shape[:-1]), "last")


def _kernel(site: Site, count: int, picks: Sequence[tuple[Index, str, int]], source: Index, inside: Sequence[str]) -> Kernel:
    """The kernel that looks through all updates for those of its element.

    Args:
        count: of the updates u = 0, 1, ….
        picks: where a coordinate lies in the index, what it has to be, and the extent of its axis.
        source: where the update lies; inside: conditions without which there is none.
    """
    from ..access import compute_type
    from ..indexing import combine
    from ..kernel import Kernel
    from .reduce_kernels import share_cost

    x, index, updates, y = site.input(0), site.input(1), site.input(2), site.output
    together = all("last" not in (*place, wanted) for place, wanted, _ in picks) and source[-1] == "last"
    together = together and updates.layout.axis is None and updates.layout.strides[-1] == y.layout.strides[-1] == 1
    lanes = min(site.target.lanes, y.shape[-1] & -y.shape[-1]) if together and inside == [] else 1
    reduction = site.op.reduction
    join = {"none": "(b)", "add": "(a) + (b)", "mul": "(a) * (b)"}.get(reduction) or combine(reduction, y.type.dtype)
    params = {"COUNT": count, "LANES": lanes, "T": compute_type(index.type.dtype), "V": compute_type(x.type.dtype, lanes), "JOIN": join,
              "XL": lanes if x.shape[-1:] == y.shape[-1:] else 1,
              "picks": picks, "source": source, "inside": inside, "at": _coordinates(site)}
    grid = (y.shape[-1] // lanes, prod(y.shape[:-1]), 1)
    cost = share_cost(site.target, site.moved(), count + 1, prod(grid), 1)
    return Kernel("scatter", params, (site.read("x", 0), site.read("index", 1), site.read("updates", 2)), grid, lanes=lanes,
                  flops=y.type.size * count, nbytes=site.moved(), cost=cost)


def scatter(n: SourceNode, op: ScatterElements | ScatterND, x: str, index: str, updates: str) -> str:
    """A scatter; x alone where there is nothing to scatter; where the places are known, a gather of the updates."""
    places = n.array(index)
    if places is None or op.reduction != "none" or (n.array(x) is not None and n.array(updates) is not None):
        y = n.emit(op, x, index, updates)
        return y if n.type(updates).size or n.array(y) is not None else n.emit(Broadcast(op.shape), x)
    return _gathered(n, op, x, places, updates)


def _gathered(n: SourceNode, op: ScatterElements | ScatterND, x: str, places: np.ndarray, updates: str) -> str:
    """x and updates at constant places: each element, or row of the axes that have no coordinate, from where it comes."""
    count = places.shape[-1] if isinstance(op, ScatterND) else len(op.shape)
    outer, rest = op.shape[:count], op.shape[count:]
    shape = places.shape[:-1] if isinstance(op, ScatterND) else places.shape
    none = np.full(outer, -1)
    (source,) = replace(op, shape=outer).reference(none, places, np.arange(prod(shape)).reshape(shape))
    given = n.emit(Broadcast(op.shape), x)
    if (source < 0).all():
        return given
    rows = n.emit(Reshape((prod(shape), *rest)), updates)
    moved = n.emit(Gather(0), rows, n.add_constant(np.maximum(source, 0).astype(np.int32)))
    if (source >= 0).all():
        return moved
    inside = (source >= 0).reshape(*outer, *[1] * len(rest))
    return n.emit(Elementwise("where"), n.add_constant(inside), moved, given)


@onnx_op("ScatterElements", "Scatter")
def onnx_scatter_elements(n: OnnxNode) -> str:
    shape = n.shape(0)
    (axis,) = axes_of([n.attr("axis", 0)], len(shape))
    return scatter(n, ScatterElements(shape, axis, _reduction(n)), *n.inputs)


@onnx_op("ScatterND")
def onnx_scatter_nd(n: OnnxNode) -> str:
    return scatter(n, ScatterND(n.shape(0), _reduction(n)), *n.inputs)


def _reduction(n: OnnxNode) -> Reduction:
    """A sum of truth values is their maximum, a product their minimum."""
    reduction = n.attr("reduction", "none")
    truth: dict[str, Reduction] = {"add": "max", "mul": "min"} if n.type(0).dtype == np.bool_ else {}
    return truth.get(reduction, reduction)


@tflite_op("SCATTER_ND")
def tflite_scatter_nd(n: TfliteNode) -> str:
    """Zeros, to which the updates are added; truth values are joined by or."""
    reduction: Reduction = "max" if n.type(1).dtype == np.bool_ else "add"
    return scatter(n, ScatterND(n.integers(2, "shape"), reduction), n.scalar(0, n.input(1)), n.input(0), n.input(1))


@tflite_op("SPARSE_TO_DENSE")
def tflite_sparse_to_dense(n: TfliteNode) -> str:
    """A default value, and one or many values at coordinates; of a vector these may be without an axis of their own."""
    shape, index = n.integers(1, "shape"), n.shape(0)
    places = reshape(n, n.input(0), (-1, len(shape)) if len(index) == 2 else (n.type(0).size, 1))
    values = n.emit(Broadcast(n.shape(places)[:1]), n.input(2))
    return scatter(n, ScatterND(shape), reshape(n, n.input(3), ()), places, values)


@tflite_op("EMBEDDING_LOOKUP_SPARSE")
def tflite_embedding_lookup_sparse(n: TfliteNode) -> str:
    """Rows of a table, operand 4, added up with weights in bags: operand 0 names the rows, operand 1 the place of each, of which all
    but the last coordinate say the bag. An empty bag is zero.
    """
    shape = n.integers(2, "dense_shape")
    bags, rest = shape[:-1], n.shape(4)[1:]
    if not bags:
        raise Unsupported("a dense_shape of one axis; two and more would be accepted")
    places = cut(n, n.input(1), {1: (0, len(bags), 1)})
    weights, zero = n.input(3), n.scalar(0, n.input(3))
    column = n.emit(Reshape((*n.shape(weights), *[1] * len(rest))), weights)
    rows = n.emit(Elementwise("mul"), gather(n, n.input(4), n.input(0), 0), column)
    total = n.emit(ScatterND((*bags, *rest), "add"), zero, places, rows)
    if n.options.combiner == "SUM":
        return total
    root = n.options.combiner == "SQRTN"
    scale = n.emit(ScatterND(bags, "add"), zero, places, n.emit(Elementwise("square"), weights) if root else weights)
    scale = n.emit(Elementwise("where"), n.emit(Elementwise("equal"), scale, zero), n.scalar(1, scale), scale)
    scale = n.emit(Reshape((*bags, *[1] * len(rest))), n.emit(Elementwise("sqrt"), scale) if root else scale)
    return n.emit(Elementwise("div"), total, scale)


SEGMENTS: dict[str, tuple[Reduction, float]] = {
    "UNSORTED_SEGMENT_SUM": ("add", 0), "UNSORTED_SEGMENT_PROD": ("mul", 1),
    "UNSORTED_SEGMENT_MAX": ("max", -np.inf), "UNSORTED_SEGMENT_MIN": ("min", np.inf),
}  # fmt: skip
"""How elements of a segment are joined, and the start; an infinite one is the last finite number of the type."""


@tflite_op(*SEGMENTS)
def tflite_segments(n: TfliteNode) -> str:
    (count,) = n.integers(2, "the number of segments")
    return joined(n, *SEGMENTS[n.op], count)


def joined(n: SourceNode, reduction: Reduction, start: float, count: int) -> str:
    """Slices of operand 0 joined by the numbers in operand 1; those of negative numbers are left out."""
    dtype, ids = n.type(0).dtype, n.type(1)
    if np.isinf(start):
        info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
        start = info.max if start > 0 else info.min
    nowhere = n.emit(Elementwise("where"), n.emit(Elementwise("less"), n.input(1), n.scalar(0, n.input(1))),
                     n.scalar(count, n.input(1)), n.input(1))
    op = ScatterND((count, *n.shape(0)[ids.rank :]), reduction)
    return n.emit(op, n.scalar(start, n.input(0)), unsqueeze(n, nowhere, [-1]), n.input(0))


def window(n: SourceNode, x: str, update: str, axis: int, offset: str) -> tuple[str, str]:
    """Moves an update along an axis to where it lies in x.

    Args:
        offset: for each coordinate of x on the axis the one in the update, after as many axes as both have in common; those outside
            the update are outside the window.

    Returns:
        the update with x's extent along the axis, and where it counts, as truth values that broadcast to it.
    """
    rank, batch = len(n.shape(x)), len(n.shape(offset)) - 1
    first, end = n.scalar(0, offset), n.scalar(n.shape(update)[axis], offset)
    begun, ended = n.emit(Elementwise("greater_equal"), offset, first), n.emit(Elementwise("greater_equal"), offset, end)
    inside = n.emit(Elementwise("logical_and"), begun, n.emit(Elementwise("logical_not"), ended))
    moved = n.emit(Gather(axis, batch), update, offset)
    common = n.shape(offset)[:batch]
    return moved, n.emit(Reshape((*common, *[1] * (axis - batch), n.shape(x)[axis], *[1] * (rank - axis - 1))), inside)


@tflite_op("DYNAMIC_UPDATE_SLICE")
def tflite_dynamic_update_slice(n: TfliteNode) -> str:
    """Operand 1 in the place of a part of operand 0 that begins at the coordinates of operand 2, moved so that it lies inside."""
    x, y, starts = n.input(0), n.input(1), n.input(2)
    shape, mask = n.shape(x), ""
    if any(a > b for a, b in zip(n.shape(y), shape)) or len(n.shape(y)) != len(shape):
        raise Unsupported(f"{n.type(1)} is no part of {n.type(0)}")
    for axis, (whole, part) in enumerate(zip(shape, n.shape(y))):
        if whole == part:
            continue
        begin = n.emit(Elementwise("clip", (0, whole - part)), cut(n, starts, {0: (axis, 1, 1)}))
        places = n.add_constant(np.arange(whole, dtype=n.type(starts).dtype))
        y, inside = window(n, x, y, axis, n.emit(Elementwise("sub"), places, begin))
        mask = n.emit(Elementwise("logical_and"), mask, inside) if mask else inside
    return n.emit(Elementwise("where"), mask, y, x) if mask else y


@onnx_op("TensorScatter")
def onnx_tensor_scatter(n: OnnxNode) -> str:
    """Operand 1 written into a cache along an axis, for each of the batch from a position of its own, perhaps around the end."""
    x, y, shape = n.input(0), n.input(1), n.shape(0)
    (axis,) = axes_of([n.attr("axis", -2)], len(shape))
    mode = n.attr("mode", "linear")
    if not axis or mode not in ("linear", "circular"):
        raise Unsupported(f"mode {mode} along axis {axis}; linear and circular along an axis behind the batch would be accepted")
    begin = n.input(2) or n.add_constant(np.zeros(shape[0], np.int64))
    places = n.add_constant(np.arange(shape[axis], dtype=n.type(begin).dtype))
    offset = n.emit(Elementwise("sub"), places, unsqueeze(n, begin, [1]))
    if mode == "circular":
        offset = n.emit(Elementwise("floor_mod"), offset, n.scalar(shape[axis], offset))
    moved, inside = window(n, x, y, axis, offset)
    return n.emit(Elementwise("where"), inside, moved, x)
