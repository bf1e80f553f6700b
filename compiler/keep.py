"""Nodes of a model that stay in float32 where the precision is half, as an option and as a file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from .errors import OptionError


def nodes(text: str) -> list[str]:
    """What is given for --keep-f32: a file that `write` wrote, or names with commas between them."""
    path = Path(text)
    if not path.is_file():
        if path.suffix == ".json":
            raise argparse.ArgumentTypeError(f"no such file: {text}")
        return [name for name in text.split(",") if name]
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise argparse.ArgumentTypeError(f"{text} is not a list of names, in JSON, as planish verify --keep-f32 writes it")
    return found


def write(path: Path, names: Sequence[str]) -> None:
    """Writes names, one a line.

    Raises:
        OptionError: the file cannot be written.
    """
    try:
        path.write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OptionError(f"--keep-f32 {path}: {error.strerror or error}; a file that can be written would be accepted") from None
