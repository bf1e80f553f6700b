"""What users give to a run, and where they want its results: checked against the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import pyopencl as cl

from .errors import InputError
from .plan import Tensor

Data: TypeAlias = "np.ndarray | cl.Buffer"
"""An array, or a buffer of the session's context that holds its row-major bytes."""
Inputs: TypeAlias = "Mapping[str, Data] | Sequence[Data]"
Outputs: TypeAlias = Mapping[str, Data]


def inputs(tensors: Sequence[Tensor], given: Inputs, context: cl.Context) -> list[Data]:
    """The inputs in the model's order, arrays contiguous.

    Raises:
        InputError: a name, shape, dtype or size does not fit; says what is accepted.
    """
    if isinstance(given, Mapping):
        names = {t.name for t in tensors}
        unknown = [name for name in given if name not in names]
        missing = [t.name for t in tensors if t.name not in given]
        if unknown or missing:
            wrong = f"no input '{unknown[0]}'" if unknown else f"input '{missing[0]}' is missing"
            raise InputError(f"{wrong}; the inputs are: {_listed(tensors)}")
        ordered = [given[t.name] for t in tensors]
    elif isinstance(given, Sequence) and not isinstance(given, str | bytes):
        if len(given) != len(tensors):
            raise InputError(f"{len(given)} inputs given; there are {len(tensors)}: {_listed(tensors)}")
        ordered = list(given)
    else:
        kind = type(given).__name__
        raise InputError(f"inputs given as {kind}; a dict by name or a list in this order is accepted: {_listed(tensors)}")
    return [data if _fits(tensor, data) else _input(tensor, data, context) for tensor, data in zip(tensors, ordered)]


def outputs(tensors: Sequence[Tensor], wanted: Outputs | None, context: cl.Context) -> dict[str, Data | None]:
    """Where each output goes, in the model's order; None where nothing is wanted.

    Raises:
        InputError: a name, shape, dtype or size does not fit, or an array cannot be filled; says what is accepted.
    """
    if wanted is None:
        return {t.name: None for t in tensors}
    if not isinstance(wanted, Mapping):
        raise InputError(f"outputs given as {type(wanted).__name__}; a dict by name is accepted: {_listed(tensors)}")
    names = {t.name for t in tensors}
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise InputError(f"no output '{unknown[0]}'; the outputs are: {_listed(tensors)}")
    return {t.name: _output(t, wanted[t.name], context) if t.name in wanted else None for t in tensors}


def _fits(tensor: Tensor, data: object) -> TypeGuard[np.ndarray]:
    """Whether nothing is to be done or said about an input, as of nearly every one."""
    return type(data) is np.ndarray and data.shape == tensor.shape and data.dtype == tensor.dtype and data.flags.c_contiguous


def _input(tensor: Tensor, data: object, context: cl.Context) -> Data:
    what = f"input '{tensor.name}'"
    if isinstance(data, cl.Buffer):
        return _buffer(what, tensor, data, context)
    return np.ascontiguousarray(_fitting(what, tensor, _array(what, data)))


def _array(what: str, data: Any) -> np.ndarray:
    """What is given as an array: by DLPack, without a copy, where numpy takes that, else by its other ways."""
    if not isinstance(data, np.ndarray | np.generic) and hasattr(data, "__dlpack__"):
        with suppress(BufferError, RuntimeError, TypeError, ValueError):
            return np.from_dlpack(data)
    try:
        return np.asarray(data)
    except (RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{what} is no array: {error}") from None


def _output(tensor: Tensor, data: object, context: cl.Context) -> Data:
    what = f"output '{tensor.name}'"
    if tensor.open:
        raise InputError(f"{what} has a shape that depends on data: every run gives a new array; leave it out of outputs")
    if isinstance(data, cl.Buffer):
        return _buffer(what, tensor, data, context)
    if not isinstance(data, np.ndarray):
        raise InputError(f"{what} cannot go to {type(data).__name__}; a numpy array or a pyopencl.Buffer is accepted")
    array = _fitting(what, tensor, data)
    if not array.flags.c_contiguous or not array.flags.writeable:
        raise InputError(f"{what} cannot go to an array that is strided or not to be written; a contiguous, writeable one is accepted")
    return array


def _fitting(what: str, tensor: Tensor, array: np.ndarray) -> np.ndarray:
    if tuple(array.shape) != tensor.shape:
        raise InputError(f"{what} has shape {list(array.shape)}; {list(tensor.shape)} is accepted")
    if array.dtype != np.dtype(tensor.dtype):
        raise InputError(f"{what} has dtype {array.dtype}; {tensor.dtype} is accepted")
    return array


def _buffer(what: str, tensor: Tensor, buffer: cl.Buffer, context: cl.Context) -> cl.Buffer:
    if buffer.context != context:
        raise InputError(f"{what} is a buffer of another context; one made with session.queue.context is accepted")
    if buffer.size < tensor.nbytes:
        raise InputError(f"{what} is a buffer of {buffer.size} bytes; {tensor.nbytes} or more are accepted")
    return buffer


def _listed(tensors: Sequence[Tensor]) -> str:
    return ", ".join(map(str, tensors)) or "none"
