"""What the importers of both formats share when they cut, join and rearrange tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TypeVar

import numpy as np

from ..errors import Unsupported
from .importing import SourceNode
from .movement import Concat, Reshape, Slice
from .op import Shape, normal_axis

N = TypeVar("N", bound=SourceNode)


def axes_of(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Axes counted from the front."""
    normal = tuple(normal_axis(int(axis), rank) for axis in axes)
    if any(not 0 <= axis < rank for axis in normal):
        raise Unsupported(f"axes {tuple(axes)} of a tensor of rank {rank}")
    return normal


def part(n: N, index: int) -> N:
    """The node as if it had only its output `index`, so that what it emits takes that one's name."""
    return replace(n, outputs=n.outputs[index : index + 1])


def cut(n: SourceNode, x: str, ranges: dict[int, tuple[int, int, int]]) -> str:
    """Slices a value: axis -> (begin, extent, step)."""
    shape = n.shape(x)
    whole = [(0, extent, 1) for extent in shape]
    begin, extent, step = zip(*(ranges.get(d, w) for d, w in enumerate(whole))) if shape else ((), (), ())
    return n.emit(Slice(begin, extent, step), x)


def extents(begin: int, end: int, step: int, size: int) -> tuple[int, int, int]:
    """(begin, extent, step) of what Python's begin:end:step takes of an axis: both formats clamp as Python does."""
    if step == 0:
        raise Unsupported("a step of 0")
    taken = range(*slice(begin, end, step).indices(size))
    return (taken.start if taken else 0), len(taken), step


def split(n: N, x: str, axis: int, sizes: Sequence[int]) -> list[str]:
    """Consecutive parts of an axis."""
    (axis,) = axes_of([axis], len(n.shape(x)))
    if sum(sizes) != n.shape(x)[axis] or min(sizes, default=0) < 0:
        raise Unsupported(f"parts of {tuple(sizes)} do not add up to axis {axis} of {n.type(x)}")
    starts = np.cumsum([0, *sizes]).tolist()
    return [cut(part(n, k), x, {axis: (starts[k], size, 1)}) for k, size in enumerate(sizes)]


def join(n: SourceNode, values: Sequence[str], axis: int) -> str:
    """Values one after another along an axis; those without elements add nothing."""
    axis = normal_axis(axis, len(n.shape(values[0])))
    filled = [v for v in values if n.type(v).size] or list(values[:1])
    return n.emit(Concat(axis), *filled)


def reshape(n: SourceNode, x: str, shape: Sequence[int]) -> str:
    """The elements under another shape, of which one extent may be -1: what is left."""
    shape = [int(e) for e in shape]
    size, known = n.type(x).size, prod(e for e in shape if e != -1)
    if shape.count(-1) > 1 or (-1 in shape and (not known or size % known)):
        raise Unsupported(f"shape {tuple(shape)} does not fit {n.type(x)}")
    return n.emit(Reshape(tuple(size // known if e == -1 else e for e in shape)), x)


def squeeze(n: SourceNode, x: str, axes: Sequence[int]) -> str:
    """Drops axes of extent 1: those given, or all of them."""
    shape = n.shape(x)
    dropped = axes_of(axes, len(shape)) or tuple(d for d, e in enumerate(shape) if e == 1)
    if any(shape[d] != 1 for d in dropped):
        raise Unsupported(f"axes {dropped} of {n.type(x)} do not all have extent 1")
    return n.emit(Reshape(tuple(e for d, e in enumerate(shape) if d not in dropped)), x)


def unsqueeze(n: SourceNode, x: str, axes: Sequence[int]) -> str:
    """Adds axes of extent 1; they are counted in the result."""
    shape = list(n.shape(x))
    for axis in sorted(axes_of(axes, len(shape) + len(axes))):
        shape.insert(axis, 1)
    return n.emit(Reshape(tuple(shape)), x)


def constant_range(n: SourceNode, start: np.ndarray, limit: np.ndarray, delta: np.ndarray) -> str:
    """start, start + delta, … as far as limit."""
    count = max(int(np.ceil((limit.item() - start.item()) / delta.item())), 0)
    numbers = start.item() + np.arange(*n.checked((count,))) * delta.item()
    return n.add_constant(numbers.astype(start.dtype))


def filled(n: SourceNode, shape: Shape, number: np.ndarray) -> str:
    """A constant of one number throughout; it takes the memory of one."""
    return n.add_constant(np.broadcast_to(number.reshape(()), shape))
