"""The shapes of a model's inputs, and the contents of those that are to be constants: what the file fixes, and what the user gives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import OptionError
from ..ir import Graph, TensorType, Value

MOST_ELEMENTS = 2**31 - 1
"""Elements of a tensor: kernels count them with an int."""

Shape = tuple[int, ...]
Dims = Sequence[int | str]
"""A recorded shape; a string, perhaps empty, is the file's name for a dimension that it leaves open."""


def resolve(path: Path, recorded: Mapping[str, Dims | None], given: Mapping[str, Shape],
            values: Mapping[str, np.ndarray]) -> dict[str, Shape]:
    """The shape of each input.

    Args:
        recorded: of every input, by name; None where the file does not even fix the rank.
        values: of inputs that become constants, which have the shapes of these arrays.

    Raises:
        OptionError: a shape is given for no input, does not fit what the file fixes, or is missing.
    """
    for name in (*given, *values):
        if name not in recorded:
            raise OptionError(f"{path}: no input '{name}'; the inputs are {', '.join(map(repr, recorded)) or '(none)'}")
        if name in given and name in values:
            raise OptionError(f"{path}: input '{name}' has both a shape and a value; one of them would be accepted")
    shapes = {**given, **{name: array.shape for name, array in values.items()}}
    return {name: _shape(f"{path}: input '{name}'", name, dims, shapes.get(name)) for name, dims in recorded.items()}


def add(graph: Graph, path: Path, name: str, type: TensorType, value: np.ndarray | None) -> str:
    """Adds an input, or the constant that it becomes.

    Raises:
        OptionError: the value cannot be had in the input's type.
    """
    if value is None:
        return graph.add_input(name, type)
    array = value.astype(type.dtype)
    if not np.array_equal(array, value, equal_nan=value.dtype.kind == "f"):
        raise OptionError(f"{path}: input '{name}': a value of {value.dtype}; {type.dtype} would be accepted")
    return graph.add_value(Value(name, type, array))


def _shape(where: str, name: str, dims: Dims | None, given: Shape | None) -> Shape:
    if given is None:
        return _fixed(where, name, dims)
    if any(extent < 0 for extent in given):
        raise OptionError(f"{where}: shape {_text(given)} has an extent below 0")
    if math.prod(given) > MOST_ELEMENTS:
        raise OptionError(f"{where}: shape {_text(given)} has more than {MOST_ELEMENTS} elements")
    if dims is None:
        return tuple(given)
    if len(given) != len(dims):
        raise OptionError(f"{where}: shape {_text(given)} does not fit {_text(dims)}: it has {len(given)} dimensions")
    for d, (extent, dim) in enumerate(zip(given, dims)):
        if isinstance(dim, int) and extent != dim:
            raise OptionError(f"{where}: shape {_text(given)} does not fit {_text(dims)}: dimension {d} is {dim}")
    return tuple(given)


def _fixed(where: str, name: str, dims: Dims | None) -> Shape:
    if dims is None:
        raise OptionError(f"{where}: the model leaves its shape open; give it as --input-shape {name}=…")
    for d, dim in enumerate(dims):
        if isinstance(dim, str):
            label = f" ('{dim}')" if dim else ""
            example = ",".join("1" if isinstance(e, str) else str(e) for e in dims)
            raise OptionError(f"{where}: the model leaves dimension {d}{label} of {_text(dims)} open; "
                              f"give the whole shape, as in --input-shape {name}={example}")
    return tuple(int(dim) for dim in dims)


def _text(dims: Dims) -> str:
    return f"[{','.join(str(dim) or '?' for dim in dims)}]"
