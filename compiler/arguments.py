"""What is given of a model's inputs, as arguments of a command."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from .errors import OptionError

T = TypeVar("T")


def shape(text: str) -> tuple[str, tuple[int, ...]]:
    """NAME=1,224,224,3."""
    name, equals, extents = text.rpartition("=")
    try:
        found = tuple(int(e) for e in extents.split(",")) if extents else ()
    except ValueError:
        found = (-1,)
    if not equals or not name or any(e < 0 for e in found):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=1,224,224,3")
    return name, found


def dim(text: str) -> tuple[str, int]:
    """NAME=8."""
    name, _, extent = text.rpartition("=")
    try:
        if name:
            return name, int(extent)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not NAME=8")


def value(argument: str) -> tuple[str, np.ndarray]:
    """NAME=numbers, which have rank 1, or rank 0 without a comma; or NAME=file.npy."""
    name, _, given = argument.rpartition("=")
    try:
        text = f"[{given}]" if "," in given else given
        array = np.load(given, allow_pickle=False) if given.endswith(".npy") else np.array(json.loads(text))
    except (OSError, ValueError):
        array = None
    if not name or not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise argparse.ArgumentTypeError(f"{argument!r} is not NAME=1,2,3, NAME=0.5 or NAME=file.npy")
    return name, array


def once(option: str, given: Sequence[tuple[str, T]]) -> dict[str, T]:
    """What is given, by name.

    Raises:
        OptionError: a name is given twice.
    """
    found: dict[str, T] = {}
    for name, value in given:
        if name in found:
            raise OptionError(f"{option} gives '{name}' twice: {_listed(found[name])}, {_listed(value)}")
        found[name] = value
    return found


def _listed(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else list(value) if isinstance(value, tuple) else value
