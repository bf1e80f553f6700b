"""The shapes of a model's inputs: what the file fixes, and what the user gives for the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import OptionError

MOST_ELEMENTS = 2**31 - 1
"""Elements of a tensor: kernels count them with an int."""

Shape = tuple[int, ...]
Dims = Sequence[int | str]
"""A recorded shape; a string, perhaps empty, is the file's name for a dimension that it leaves open."""


def resolve(path: Path, recorded: Mapping[str, Dims | None], given: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shape of each input.

    Args:
        recorded: of every input, by name; None where the file does not even fix the rank.

    Raises:
        OptionError: a shape is given for no input, does not fit what the file fixes, or is missing.
    """
    for name in given:
        if name not in recorded:
            raise OptionError(f"{path}: no input '{name}'; the inputs are {', '.join(map(repr, recorded)) or '(none)'}")
    return {name: _shape(f"{path}: input '{name}'", name, dims, given.get(name)) for name, dims in recorded.items()}


def _shape(where: str, name: str, dims: Dims | None, given: Shape | None) -> Shape:
    if given is None:
        return _fixed(where, name, dims)
    if any(extent < 1 for extent in given):
        raise OptionError(f"{where}: shape {_text(given)} has an extent below 1")
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
