"""The tensors and attributes of ONNX, as Python values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, SparseTensorProto, TensorProto

from ..errors import ModelError
from ..ir import MOST_ELEMENTS, TensorType
from ..ops.lowbit import ELEMENTS, held_as


def array_of(tensor: TensorProto, path: Path) -> np.ndarray:
    """The contents of a tensor; what lies in another file is looked for beside the model.

    Raises:
        ModelError: its data are missing or damaged.
    """
    try:
        array = onnx.numpy_helper.to_array(tensor, base_dir=str(path.parent))
    except Exception as error:  # of the decoder, of the file system, or of the check of external paths
        raise ModelError(f"{path}: the data of tensor '{tensor.name}' cannot be read: {error}") from error
    return array.astype(held_as(array.dtype.name)) if array.dtype.name in ELEMENTS else array


def dense(sparse: SparseTensorProto, path: Path) -> np.ndarray:
    """A sparse tensor with its zeros; its indices are either row-major numbers or one row of coordinates each."""
    values, indices = array_of(sparse.values, path), array_of(sparse.indices, path)
    type = TensorType(tuple(sparse.dims), values.dtype)
    if min(type.shape, default=0) < 0 or type.size > MOST_ELEMENTS:
        raise ModelError(f"{path}: sparse tensor '{sparse.values.name}' of {type}; up to {MOST_ELEMENTS} elements would be accepted")
    result = np.zeros(tuple(sparse.dims), values.dtype)
    if indices.ndim == 2:
        result[tuple(indices.T)] = values
    else:
        result.reshape(-1)[indices] = values
    return result


def attribute_value(attribute: AttributeProto, path: Path) -> Any:
    """Strings are `str`, tensors arrays; graphs stay as they are."""
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, TensorProto):
        return array_of(value, path)
    if isinstance(value, SparseTensorProto):
        return dense(value, path)
    if attribute.type == AttributeProto.STRINGS:
        return [v.decode(errors="replace") for v in value]
    if attribute.type == AttributeProto.TENSORS:
        return [array_of(v, path) for v in value]
    return list(value) if attribute.type in (AttributeProto.INTS, AttributeProto.FLOATS) else value
