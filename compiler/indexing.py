"""What kernels of several ops say alike in C: coordinates, the width of vectors along a last axis, the ends of a type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from .kernel import Index, View


def width(view: View, lanes: int) -> int:
    """Elements of a vector that a work-item may own along the last axis of a result: a block, where there are blocks."""
    if view.layout.axis is not None:
        return view.layout.lanes
    if not view.shape or view.layout.strides[-1] != 1:
        return 1
    return min(lanes, 1 << (max(view.shape[-1], 1).bit_length() - 1))


def unravel(number: str, shape: Sequence[int]) -> Index:
    """The coordinates of the element with a row-major number."""
    axes = [d for d, e in enumerate(shape) if e != 1]
    index = ["0"] * len(shape)
    for d in axes:
        inner = prod(shape[d + 1 :])
        text = number if inner == 1 else f"{number} / {inner}"
        index[d] = text if d == axes[0] else f"{text} % {shape[d]}"
    return tuple(i if i.isidentifier() or i.isdigit() else f"({i})" for i in index)


def rows(shape: Sequence[int]) -> Callable[[Index], Index]:
    """The `place` of a kernel whose x is the number of a row of the result: of everything but its last axis."""
    return lambda at: (*unravel(at[2], shape[:-1]), at[3])


def elements(shape: Sequence[int]) -> Callable[[Index], Index]:
    """The `place` of a kernel whose x is the row-major number of an element of the result."""
    return lambda at: unravel(at[2], shape) if shape else ("0",)


def extremes(dtype: np.dtype) -> tuple[str, str]:
    """The least and the greatest number of a type, as C constants."""
    if dtype.kind == "f":
        return "-INFINITY", "INFINITY"
    if dtype.kind == "b":
        return "0", "1"
    if dtype.name in ("int32", "int64"):
        name = "INT" if dtype.name == "int32" else "LONG"
        return f"{name}_MIN", f"{name}_MAX"
    info = np.iinfo(dtype)
    return str(info.min), f"{info.max}{'ul' if dtype.kind == 'u' else ''}"


def combine(kind: str, dtype: np.dtype) -> str:
    """The expression of the larger ("max") or the smaller ("min") of `a` and `b`, NaN where one of them is NaN."""
    if dtype.kind != "f":
        return f"{kind}(a, b)"
    return f"(((a) {'>' if kind == 'max' else '<'} (b)) | ((a) != (a)) ? (a) : (b))"
