"""The shapes of a model's inputs, and the contents of those that are to be constants: what the file fixes, and what the user gives."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import OptionError
from ..ir import MOST_ELEMENTS, Graph, TensorType, Value

Shape = tuple[int, ...]
Dims = Sequence[int | str]
"""A recorded shape; a string, perhaps empty, is the file's name for a dimension that it leaves open."""
Recorded = Mapping[str, Dims | None]
"""The shape of every input, by name; None where the file does not even fix the rank."""
Open = str | tuple[str, int]
"""An open dimension: its name, wherever that stands, or, of one without a name, the input and the axis."""


@dataclass(frozen=True, eq=False)
class InputOptions:
    """What the user gives of a model's inputs.

    Attributes:
        shapes: the whole shape of an input, by its name.
        values: the contents of an input that becomes a constant, and is an input no more: one that decides shapes, say.
        dims: the extent of a dimension that the file leaves open, by its name there; it holds wherever that name stands.
        batch: the extent of axis 0 of every input that leaves it open, but for those with a value.
        recorded: what a TFLite file leaves open, and is not given as a whole, has the extents that the file records beside that.
    """

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)
    batch: int | None = None
    recorded: bool = False

    @property
    def whole(self) -> dict[str, Shape]:
        """The shapes that are given as a whole, as such or by a value."""
        return {**self.shapes, **{name: array.shape for name, array in self.values.items()}}


NOTHING = InputOptions()
"""Nothing is given."""


def resolve(path: Path, recorded: Recorded, given: InputOptions) -> dict[str, Shape]:
    """The shape of each input.

    Raises:
        OptionError: what is given names nothing in the model, does not fit what the file fixes, or contradicts itself; or a dimension
            is left open.
    """
    _check_names(path, recorded, given)
    whole = given.whole
    for name, shape in whole.items():
        _check_fit(f"{path}: input '{name}'", shape, recorded[name])
    extents = _extents(path, recorded, given)
    shapes = {name: _filled(name, dims, extents, whole.get(name)) for name, dims in recorded.items()}
    fixed = {name: tuple(d for d in dims if isinstance(d, int)) for name, dims in shapes.items() if dims is not None}
    left = {name: dims for name, dims in shapes.items() if dims is None or len(fixed[name]) < len(dims)}
    if left:
        raise OptionError(f"{path}: {'; '.join(map(_openness, left, left.values()))}; give, for example, {_suggestion(recorded, left)}")
    for name, shape in fixed.items():
        if math.prod(shape) > MOST_ELEMENTS:
            raise OptionError(f"{path}: input '{name}': shape {_text(shape)} has more than {MOST_ELEMENTS} elements")
    return fixed


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


def _check_names(path: Path, recorded: Recorded, given: InputOptions) -> None:
    """Refuses what is given for something that the model does not have, twice, or below 1."""
    inputs = ", ".join(f"'{name}' {_text(dims)}" for name, dims in recorded.items()) or "(none)"
    for name in (*given.shapes, *given.values):
        if name not in recorded:
            raise OptionError(f"{path}: no input '{name}'; the inputs are {inputs}")
        if name in given.shapes and name in given.values:
            raise OptionError(f"{path}: input '{name}' has both a shape and a value; one of them would be accepted")
    names = dict.fromkeys(key for name, dims in recorded.items() for _, key in _open(name, dims) if isinstance(key, str))
    for name, extent in given.dims.items():
        if name not in names:
            known = f"those with a name are {', '.join(map(repr, names))}" if names else "none has a name"
            raise OptionError(f"{path}: no open dimension '{name}'; {known}, and the inputs are {inputs}")
        if extent < 1:
            raise OptionError(f"{path}: --dim {name}={extent}: 1 or more would be accepted; the inputs are {inputs}")
    if given.batch is None:
        return
    if given.batch < 1:
        raise OptionError(f"{path}: --batch {given.batch}: 1 or more would be accepted; the inputs are {inputs}")
    first = [dims[0] for name, dims in recorded.items() if dims and name not in given.values]
    if not any(isinstance(dim, str) or dim == given.batch for dim in first):
        raise OptionError(f"{path}: --batch {given.batch}: the file fixes dimension 0 of every input: {inputs}; "
                          "a model that was exported with an open batch would be accepted")


def _check_fit(where: str, given: Shape, dims: Dims | None) -> None:
    if any(extent < 0 for extent in given):
        raise OptionError(f"{where}: shape {_text(given)} has an extent below 0")
    if dims is None:
        return
    if len(given) != len(dims):
        raise OptionError(f"{where}: shape {_text(given)} does not fit {_text(dims)}: it has {len(given)} dimensions")
    for d, (extent, dim) in enumerate(zip(given, dims)):
        if isinstance(dim, int) and extent != dim:
            raise OptionError(f"{where}: shape {_text(given)} does not fit {_text(dims)}: dimension {d} is {dim}")


def _open(name: str, dims: Dims | None) -> Iterator[tuple[int, Open]]:
    """The axes of an input that the file leaves open."""
    return ((d, dim or (name, d)) for d, dim in enumerate(dims or ()) if isinstance(dim, str))


def _extents(path: Path, recorded: Recorded, given: InputOptions) -> dict[Open, int]:
    """The extent of every open dimension that is given, in one way or in several."""
    found: dict[Open, tuple[int, str]] = {}
    for key, extent, option in _given_extents(recorded, given):
        known, before = found.setdefault(key, (extent, option))
        if known != extent:
            what = f"dimension '{key}'" if isinstance(key, str) else f"dimension {key[1]} of input '{key[0]}'"
            raise OptionError(f"{path}: {what} is {known} by {before} and {extent} by {option}; one extent would be accepted")
    return {key: extent for key, (extent, _) in found.items()}


def _given_extents(recorded: Recorded, given: InputOptions) -> Iterator[tuple[Open, int, str]]:
    """(dimension, its extent, the option that says so)."""
    for name, extent in given.dims.items():
        yield name, extent, _option("--dim", name, extent)
    for name, dims in recorded.items():
        shape = given.whole.get(name)
        for axis, key in _open(name, dims):
            if shape is not None:
                by = _option("--input-shape", name, _joined(shape)) if name in given.shapes else f"the value of '{name}'"
                yield key, shape[axis], by
            if axis == 0 and given.batch is not None and name not in given.values:
                yield key, given.batch, f"--batch {given.batch}"


def _filled(name: str, dims: Dims | None, extents: Mapping[Open, int], given: Shape | None) -> Dims | None:
    """The shape of an input, as far as it is known."""
    if dims is None:
        return given
    known = {axis: extents[key] for axis, key in _open(name, dims) if key in extents}
    return [known.get(axis, dim) for axis, dim in enumerate(dims)]


def _openness(name: str, dims: Dims | None) -> str:
    if dims is None:
        return f"input '{name}': the model leaves its shape open"
    axes = (f"dimension {d}" + (f" ('{key}')" if isinstance(key, str) else "") for d, key in _open(name, dims))
    return f"input '{name}': the model leaves {', '.join(axes)} of {_text(dims)} open"


def _suggestion(recorded: Recorded, left: Mapping[str, Dims | None]) -> str:
    """Options that fix what is left open: whole shapes where an axis other than 0 has no name, the batch, and what has a name."""
    whole = {name: dims for name, dims in left.items() if dims is None or "" in dims[1:]}
    options = [_option("--input-shape", name, "…" if dims is None else _joined([1 if isinstance(d, str) else d for d in dims]))
               for name, dims in whole.items()]
    covered = {dim for dims in whole.values() for dim in dims or ()}
    if any(dims and dims[0] == "" for name, dims in left.items() if name not in whole):
        options.append("--batch 1")
        covered |= {dims[0] for dims in recorded.values() if dims}
    names = dict.fromkeys(dim for dims in left.values() for dim in dims or () if isinstance(dim, str) and dim)
    return " ".join([*options, *(_option("--dim", name, 1) for name in names if name not in covered)])


def _option(option: str, name: str, value: object) -> str:
    """An option as it is to be typed."""
    return f"{option} {shlex.quote(name) if name.isascii() else name}={value}"


def _joined(dims: Dims) -> str:
    return ",".join(str(dim) or "?" for dim in dims)


def _text(dims: Dims | None) -> str:
    return "of any shape" if dims is None else f"[{_joined(dims)}]"
