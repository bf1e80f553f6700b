"""The options of TFLite operators, read by the names of the schema.

The generated readers know every field but not which numbers are enums: that is said here, by the field's name.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import flatbuffers
import tflite
from flatbuffers import flexbuffers

ENUM_OF_FIELD = {
    "padding": "Padding", "fused_activation_function": "ActivationFunctionType", "quantized_bias_type": "TensorType",
    "in_data_type": "TensorType", "out_data_type": "TensorType", "output_type": "TensorType", "out_type": "TensorType",
    "idx_out_type": "TensorType", "key_dtype": "TensorType", "value_dtype": "TensorType",
    "weights_format": "FullyConnectedOptionsWeightsFormat", "kernel_type": "LSTMKernelType", "mode": "MirrorPadMode",
    "combiner": "CombinerType", "type": "LSHProjectionType", "reduce_function": "ReduceWindowFunction",
    "comparison_direction": "StablehloComparisonDirection", "compare_type": "StablehloComparisonType",
    "algorithm": "RngAlgorithm",
}  # fmt: skip
SHARED_TABLES = {
    r"(AVERAGE|L2|MAX)_POOL_2D": "Pool2DOptions",
    r"MEAN|SUM|REDUCE_(PROD|MAX|MIN|ANY|ALL)": "ReducerOptions",
    r"MAXIMUM|MINIMUM": "MaximumMinimumOptions",
    r"RANDOM_STANDARD_NORMAL|RANDOM_UNIFORM|MULTINOMIAL": "RandomOptions",
    r"(UNIDIRECTIONAL_)?SEQUENCE_RNN": "SequenceRNNOptions",
    r"L2_NORMALIZATION": "L2NormOptions",
    r"CONV_3D_TRANSPOSE": "Conv3DOptions",
}
"""Tables whose name does not follow from the operator's."""


@functools.cache
def enum_names(enum: str) -> dict[int, str]:
    return {value: name for name, value in vars(getattr(tflite, enum)).items() if isinstance(value, int)}


class Options:
    """The options of one operator: `options.stride_w`, `options.padding`.

    Enums are their names, vectors tuples, texts strings; a field that the file leaves out has the schema's default.

    Raises:
        AttributeError: the operator has no such option.
    """

    def __init__(self, operator: str, table: Any):
        self._operator = operator
        self._table = table

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        field = name.title().replace("_", "")
        if not hasattr(self._table, field):
            raise AttributeError(f"{self._operator} has no option '{name}'")
        value = self._read(name, field)
        self.__dict__[name] = value
        return value

    def replaced(self, **values: Any) -> Options:
        """The same options, but for some."""
        options = Options(self._operator, self._table)
        options.__dict__.update(values)
        return options

    def _read(self, name: str, field: str) -> Any:
        if hasattr(self._table, f"{field}Length"):
            return vector(self._table, field)
        value = getattr(self._table, field)()
        if isinstance(value, bytes):
            return value.decode()
        enum = ENUM_OF_FIELD.get(name)
        return enum_names(enum).get(value, f"{enum} {value}") if enum else value


def vector(table: Any, field: str) -> tuple[Any, ...]:
    """The numbers of a vector; an absent one is empty."""
    return tuple(getattr(table, f"{field}AsNumpy")().tolist()) if getattr(table, f"{field}Length")() else ()


def options_of(operator: str, kind: str, union: Any) -> Options:
    """The options of an operator.

    Args:
        kind: name of the options' table in the file, "NONE" where there is none.
        union: the flatbuffer's table.
    """
    if kind == "NONE":
        return Options(operator, _defaults(operator))
    table = getattr(tflite, kind)()
    table.Init(union.Bytes, union.Pos)
    return Options(operator, table)


@functools.cache
def _defaults(operator: str) -> Any:
    """An empty table of the kind that an operator has; None where it has none."""
    shared = (table for pattern, table in SHARED_TABLES.items() if re.fullmatch(pattern, operator))
    wanted = operator.replace("_", "").lower() + "options"
    tables = (*enum_names("BuiltinOptions").values(), *enum_names("BuiltinOptions2").values())
    name = next(shared, None) or next((t for t in tables if t.lower() == wanted), None)
    if name is None:
        return None
    builder = flatbuffers.Builder(16)
    builder.StartObject(0)
    builder.Finish(builder.EndObject())
    return getattr(tflite, name).GetRootAs(bytes(builder.Output()), 0)


def custom_options(data: bytes) -> Any:
    """The options of a custom operator: a dict where they are a FlexBuffers map, else the bytes themselves."""
    try:
        root = flexbuffers.GetRoot(data)
        return root.Value if root.IsMap else data
    except Exception:  # whatever the decoder makes of bytes that are no FlexBuffer
        return data
