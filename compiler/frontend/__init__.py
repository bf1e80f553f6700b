"""Model files -> graphs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import ModelError
from ..ir import Graph

NO_SHAPES: Mapping[str, tuple[int, ...]] = {}
NO_VALUES: Mapping[str, np.ndarray] = {}


def load(path: str | os.PathLike[str], *, input_shapes: Mapping[str, tuple[int, ...]] = NO_SHAPES,
         input_values: Mapping[str, np.ndarray] = NO_VALUES) -> Graph:
    """The graph of a .tflite or .onnx file, as the file has it, verified.

    What the file is shows in its content, not in its name.

    Args:
        input_shapes: the whole shape of each input that has dimensions which the file leaves open.
        input_values: contents of inputs that become constants, and are inputs no more: those that decide shapes, say.

    Raises:
        ModelError: there is no such file, or it is damaged, or not a model.
        OptionError: a shape is missing, or does not fit its input.
        UnsupportedError: some nodes have no counterpart here; lists every one.
    """
    path = Path(path)
    return parse(_read(path), path, input_shapes=input_shapes, input_values=input_values)


def parse(data: bytes, path: Path, *, input_shapes: Mapping[str, tuple[int, ...]] = NO_SHAPES,
          input_values: Mapping[str, np.ndarray] = NO_VALUES) -> Graph:
    """The graph of a file's contents; as `load`.

    Args:
        path: of the file, or what its errors and the graph should call it.
    """
    if data[4:8] == b"TFL3":
        from .tflite import read_graph as read_tflite

        graph = read_tflite(data, path, input_shapes, input_values)
    else:
        from .onnx import read_graph as read_onnx

        graph = read_onnx(data, path, input_shapes, input_values)
    graph.sweep()
    graph.verify()
    return graph


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ModelError(f"{path}: is a directory; a .tflite or .onnx file would be accepted") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
    if not data:
        raise ModelError(f"{path}: the file is empty")
    return data
