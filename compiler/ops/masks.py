"""Operators that ask where an element is: diagonals, triangles, one-hot vectors. Constant masks choose between two values."""

from __future__ import annotations

import numpy as np
import onnx

from ..errors import Unsupported
from .elementwise import Cast, Elementwise
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .movement import Pad, Reshape
from .op import Shape
from .reshaping import axes_of, cut, reshape, unsqueeze


def where(n: SourceNode, condition: str, chosen: str, other: str) -> str:
    return n.emit(Elementwise("where"), condition, chosen, other)


def along(axis: int, rank: int, numbers: np.ndarray) -> np.ndarray:
    """Numbers under a shape in which they lie along one axis and broadcast along the others."""
    return numbers.reshape([-1 if d == axis else 1 for d in range(rank)])


@onnx_op("Trilu")
def onnx_trilu(n: OnnxNode) -> str:
    """Keeps of each matrix what is on or above (below) its k-th diagonal; zeros elsewhere."""
    shape = n.shape(0)
    if len(shape) < 2:
        raise Unsupported(f"of {n.type(0)}; matrices would be accepted")
    k = n.integers(1, "k")[0] if n.input(1) else 0
    upper = bool(n.attr("upper", 1))
    rows, columns = shape[-2:]
    n.checked(shape[-2:], np.int64)
    mask = ~np.tri(rows, columns, k - 1, bool) if upper else np.tri(rows, columns, k, bool)
    return where(n, n.add_constant(mask), n.input(0), n.scalar(0, n.input(0)))


@onnx_op("EyeLike")
def onnx_eye_like(n: OnnxNode) -> str:
    """A constant: it depends on nothing but the operand's shape and type."""
    shape = n.shape(0)
    if len(shape) != 2:
        raise Unsupported(f"of {n.type(0)}; a matrix would be accepted")
    to = n.attr("dtype")
    n.checked(shape)
    dtype = n.type(0).dtype if to is None else np.dtype(onnx.helper.tensor_dtype_to_np_dtype(to))
    return n.add_constant(np.eye(shape[0], shape[1], n.attr("k", 0), dtype=dtype))


def one_hot(n: SourceNode, index: str, depth: int, on: str, off: str, axis: int, *, wrap: bool) -> str:
    """`on` where the coordinate on a new axis is the index, else `off`; an index out of range is nowhere.

    Args:
        wrap: a negative index counts from the end.
    """
    dtype = n.type(index).dtype
    if dtype not in (np.int32, np.int64):
        index = n.emit(Cast(np.dtype(np.int32 if dtype.kind in "iu" and dtype.itemsize < 4 else np.int64)), index)
    (axis,) = axes_of([axis], len(n.shape(index)) + 1)
    index = unsqueeze(n, index, [axis])
    places = along(axis, len(n.shape(index)), np.arange(*n.checked((depth,)), dtype=n.type(index).dtype))
    hit = n.emit(Elementwise("equal"), index, n.add_constant(places))
    if wrap:
        from_end = n.emit(Elementwise("equal"), index, n.add_constant(places - depth))
        hit = n.emit(Elementwise("logical_or"), hit, from_end)
    return where(n, hit, on, off)


@onnx_op("OneHot")
def onnx_one_hot(n: OnnxNode) -> str:
    """The operand `values` holds (off, on)."""
    depth = int(n.constant(1, "depth").item())
    off, on = (n.emit(Reshape(()), cut(n, n.input(2), {0: (k, 1, 1)})) for k in range(2))
    return one_hot(n, n.input(0), depth, on, off, n.attr("axis", -1), wrap=True)


@tflite_op("ONE_HOT")
def tflite_one_hot(n: TfliteNode) -> str:
    (depth,) = n.integers(1, "depth")
    on, off = (reshape(n, n.input(k), ()) for k in (2, 3))
    return one_hot(n, n.input(0), depth, on, off, n.options.axis, wrap=False)


def _set_diagonal(n: TfliteNode, x: str, diagonal: str, shape: Shape) -> str:
    """Matrices of a shape with a diagonal in the place of that of x, which broadcasts to them."""
    missing = shape[-1] - n.shape(diagonal)[-1]
    if missing:
        diagonal = n.emit(Pad((*[(0, 0)] * (len(shape) - 2), (0, missing))), diagonal)
    rows = n.emit(Reshape((*shape[:-2], 1, shape[-1])), diagonal)
    return where(n, n.add_constant(np.eye(*n.checked(shape[-2:]), dtype=bool)), rows, x)


@tflite_op("MATRIX_DIAG")
def tflite_matrix_diag(n: TfliteNode) -> str:
    """Square matrices with the operand's rows as diagonals, zero elsewhere."""
    shape = n.shape(0)
    return _set_diagonal(n, n.scalar(0, n.input(0)), n.input(0), (*shape, shape[-1]))


@tflite_op("MATRIX_SET_DIAG")
def tflite_matrix_set_diag(n: TfliteNode) -> str:
    shape = n.shape(0)
    if n.shape(1) != (*shape[:-2], min(shape[-2:])):
        raise Unsupported(f"{n.type(1)} as diagonals of {n.type(0)}")
    return _set_diagonal(n, n.input(0), n.input(1), shape)
