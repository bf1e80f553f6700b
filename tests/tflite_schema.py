"""The .tflite schema, read from the generated modules of the `tflite` package, and how its parts are written.

For `tests.tflite_writer`. The `write_` functions append to a flatbuffer and return the offset of what they wrote.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
import numpy.typing as npt
import tflite

# Tables whose name does not follow from the operators' names.
_SHARED_TABLES = {
    "Pool2DOptions": r"(AVERAGE|L2|MAX)_POOL_2D",
    "ReducerOptions": r"MEAN|SUM|REDUCE_(PROD|MAX|MIN|ANY|ALL)",
    "MaximumMinimumOptions": r"MAXIMUM|MINIMUM",
    "RandomOptions": r"RANDOM_STANDARD_NORMAL|RANDOM_UNIFORM|MULTINOMIAL",
    "SequenceRNNOptions": r"UNIDIRECTIONAL_SEQUENCE_RNN",
    "L2NormOptions": r"L2_NORMALIZATION",
    "Conv3DOptions": r"CONV_3D_TRANSPOSE",
}

# The generated setters take a number: which enum it belongs to is lost, and given here by the field's name.
_ENUM_FIELDS = {
    "Padding": r"padding",
    "ActivationFunctionType": r"fused_activation_function",
    "TensorType": r"(in|out)_data_type|output_type|out_type|idx_out_type|quantized_bias_type|(key|value)_dtype",
    "FullyConnectedOptionsWeightsFormat": r"weights_format",
    "LSTMKernelType": r"kernel_type",
    "MirrorPadMode": r"mode",
    "CombinerType": r"combiner",
    "LSHProjectionType": r"type",
    "ReduceWindowFunction": r"reduce_function",
    "StablehloComparisonDirection": r"comparison_direction",
    "StablehloComparisonType": r"compare_type",
    "RngAlgorithm": r"algorithm",
}


class Field(NamedTuple):
    """A field of an options table: `setter` is its generated name, `vector` its elements' dtype, `enum` its enum."""

    setter: str
    vector: str | None
    enum: str | None


@functools.cache
def members(enum: str) -> dict[str, int]:
    """An enum's names and numbers, in the schema's order."""
    return {name: value for name, value in vars(getattr(tflite, enum)).items() if isinstance(value, int)}


def member(enum: str, name: str) -> int:
    """The number of an enum's member, in upper or exact case. Raises ValueError."""
    values = members(enum)
    value = values.get(name, values.get(name.upper()))
    if value is None:
        raise ValueError(f"{name!r} is not a {enum}: {', '.join(values)}")
    return value


@functools.cache
def options_table(operator: str) -> str | None:
    """`CONV_2D` -> `Conv2DOptions`; None for an operator without options."""
    for table, operators in _SHARED_TABLES.items():
        if re.fullmatch(operators, operator):
            return table
    wanted = operator.replace("_", "").lower() + "options"
    tables = (*members("BuiltinOptions"), *members("BuiltinOptions2"))
    return next((table for table in tables if table.lower() == wanted), None)


@functools.cache
def fields(table: str) -> dict[str, Field]:
    """Snake-case name -> field. A vector's element type is the last name in the code of its generated reader."""
    found = {}
    for setter in (name.removeprefix("Add") for name in functions(table) if name.startswith("Add")):
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", setter).lower()
        reader = getattr(getattr(tflite, table), f"{setter}AsNumpy", None)
        vector = reader.__code__.co_names[-1].removesuffix("Flags").lower() if reader else None
        enum = next((enum for enum, names in _ENUM_FIELDS.items() if re.fullmatch(names, name)), None)
        found[name] = Field(setter, vector, None if vector else enum)
    return found


@functools.cache
def functions(table: str) -> dict[str, Callable[..., Any]]:
    """The generated builder functions of a table by their short names: `Start`, `AddStrideW`, `End`."""
    return {name.removeprefix(table): value for name, value in vars(tflite).items() if name.startswith(table)}


def check_options(operator: str, table: str | None, options: Mapping[str, Any]) -> None:
    """Raises ValueError for a field, or an enum member, that the operator's table (None: it has none) lacks."""
    known = fields(table) if table else {}
    for name, value in options.items():
        if name not in known:
            raise ValueError(f"{operator}: no option {name!r}; its options are: {', '.join(known) or 'none'}")
        enum = known[name].enum
        if enum and isinstance(value, str):
            member(enum, value)


def write_table(b: flatbuffers.Builder, table: str, values: Mapping[str, Any]) -> int:
    """Strings, vectors and tables among the values are offsets: they must be in the buffer before their table."""
    write = functions(table)
    write["Start"](b)
    for setter, value in values.items():
        write[f"Add{setter}"](b, value)
    return int(write["End"](b))


def write_vector(b: flatbuffers.Builder, values: npt.ArrayLike, dtype: str = "int32") -> int:
    """A vector of numbers, flattened."""
    return int(b.CreateNumpyVector(np.asarray(values, dtype).reshape(-1)))


def write_offsets(b: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    """A vector of tables that are in the buffer already."""
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def write_bytes(b: flatbuffers.Builder, data: bytes) -> int:
    """A byte vector aligned to 16, which the schema demands of buffers."""
    b.StartVector(1, len(data), 16)
    b.head -= len(data)
    b.Bytes[b.head : b.head + len(data)] = data
    return int(b.EndVector())
