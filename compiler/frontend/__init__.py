"""Model files -> graphs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import ModelError, blaming
from ..ir import Graph
from .inputs import NOTHING, InputOptions, Shape


def load(path: str | os.PathLike[str], *, input_shapes: Mapping[str, Shape] | None = None,
         input_values: Mapping[str, np.ndarray] | None = None, dims: Mapping[str, int] | None = None, batch: int | None = None) -> Graph:
    """The graph of a .tflite or .onnx file, as the file has it, verified.

    What the file is shows in its content, not in its name.

    Args:
        input_shapes, input_values, dims, batch: what is given of its inputs, as of `InputOptions`.

    Raises:
        ModelError: there is no such file, or it is damaged, or not a model.
        OptionError: a dimension is left open, or what is given does not fit the inputs.
        UnsupportedError: some nodes have no counterpart here; lists every one.
    """
    path = Path(path)
    return parse(read(path), path, InputOptions(input_shapes or {}, input_values or {}, dims or {}, batch))


def parse(data: bytes, path: Path, given: InputOptions = NOTHING) -> Graph:
    """The graph of a file's contents; as `load`.

    Args:
        path: of the file, or what its errors and the graph should call it.
    """
    if not data:
        raise ModelError(f"{path}: the file is empty")
    if data[4:8] == b"TFL3":
        from .tflite import read_graph as read_tflite

        graph = read_tflite(data, path, given)
    else:
        from .onnx import read_graph as read_onnx

        graph = read_onnx(data, path, given)
    graph.sweep()
    with blaming(path):
        graph.verify()
    return graph


def read(path: Path) -> bytes:
    """The contents of a model file.

    Raises:
        ModelError: there is no such file, or it cannot be read.
    """
    try:
        if path.is_char_device() or path.is_block_device():
            raise ModelError(f"{path}: is a device, which may never end; a .tflite or .onnx file would be accepted")
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ModelError(f"{path}: is a directory; a .tflite or .onnx file would be accepted") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
