"""A .tflite file -> plain records: tensors, operators, subgraphs. Constants stay bytes until they are asked for."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tflite

from ..errors import ModelError, Unsupported
from ..ir import TensorType
from .sparsity import Level, Sparsity
from .tflite_options import Options, custom_options, enum_names, options_of, vector

DAMAGE = (struct.error, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading a damaged flatbuffer ends in."""
STORED = {"BFLOAT16": "uint16", "INT4": "int8", "STRING": "object", "RESOURCE": "object", "VARIANT": "object"}
SMALL_INTEGERS = ("INT4", "INT8", "UINT8", "INT16")


@dataclass(frozen=True)
class Quantization:
    """real = scale * (stored - zero_point), per tensor, or per slice along `axis`."""

    scale: np.ndarray
    zero_point: np.ndarray
    axis: int


@dataclass(frozen=True)
class Tensor:
    """One tensor of a subgraph.

    Attributes:
        kind: its type in the schema, as FLOAT32.
        signature: its shape with -1 for what is open.
        buffer: the bytes of a constant; empty where there are none.
        variable: it keeps its contents from one run to the next.
        unnamed: the file gives it no name.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    buffer: np.ndarray
    quantization: Quantization | None
    sparsity: Sparsity | None
    variable: bool
    unnamed: bool = False

    @cached_property
    def type(self) -> TensorType:
        """What numpy makes of it; of type `object` where it makes nothing."""
        known = self.kind in enum_names("TensorType").values()
        return TensorType(self.shape, np.dtype(STORED.get(self.kind, self.kind.lower()) if known else object))

    @property
    def quantized(self) -> bool:
        """Whether its numbers are small integers that stand for reals."""
        return self.quantization is not None and self.kind in SMALL_INTEGERS

    def array(self) -> np.ndarray:
        """The contents of a constant: dense, bytes unpacked, and of quantised numbers the steps, stored number - zero point.

        Raises:
            Unsupported: they are of a type that has no numbers.
            ValueError: they do not fill the shape.
        """
        if self.type.dtype == object:
            raise Unsupported(f"constant '{self.name}' is of type {self.kind}; numbers would be accepted")
        stored = _unpack(self.buffer, self.kind, self.type)
        if self.sparsity:
            stored = self.sparsity.densify(stored, self.shape)
        elif stored.size == self.type.size + 1 and self.kind == "INT4":
            stored = stored[:-1]
        if stored.size != self.type.size:
            raise ValueError(f"constant '{self.name}' of type {self.type} holds {stored.size} elements")
        stored = stored.reshape(self.shape)
        return _steps(stored, self.quantization) if self.quantized and self.quantization else stored


@dataclass(frozen=True)
class Operator:
    """One operator; its operands and results are numbers of tensors, -1 where one is left out.

    Attributes:
        op: its name in the schema, or the code of a custom one.
        intermediates: tensors without contents, whose grids are those of numbers in between.
    """

    op: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Options
    custom: Any
    intermediates: tuple[int, ...] = ()


@dataclass(frozen=True)
class Subgraph:
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_subgraphs(data: bytes, path: Path) -> list[Subgraph]:
    """The subgraphs of a file, the main one first.

    Raises:
        ModelError: the file is damaged.
    """
    try:
        file = _File(data)
        return [file.subgraph(table) for table in file.entries(file.model, "Subgraphs")]
    except DAMAGE as error:
        what = f"{type(error).__name__}: {error}"
        raise ModelError(f"{path}: a damaged or truncated TFLite flatbuffer ({what})") from error


class _File:
    def __init__(self, data: bytes):
        self.data = data
        self.model = tflite.Model.GetRootAs(data, 0)
        self.codes = [self._code(code) for code in self.entries(self.model, "OperatorCodes")]

    def entries(self, table: Any, field: str) -> Iterator[Any]:
        """The tables of a vector; a length that the file cannot hold is damage."""
        length = getattr(table, f"{field}Length")()
        if length > len(self.data) // 4:
            raise ValueError(f"{length} {field}")
        read: Callable[[int], Any] = getattr(table, field)
        return (read(k) for k in range(length))

    def subgraph(self, table: Any) -> Subgraph:
        tensors = tuple(self._tensor(t, k) for k, t in enumerate(self.entries(table, "Tensors")))
        operators = tuple(self._operator(o) for o in self.entries(table, "Operators"))
        graph = Subgraph(tensors, operators, vector(table, "Inputs"), vector(table, "Outputs"))
        if any(k < 0 for k in (*graph.inputs, *graph.outputs)):
            raise IndexError("an input or output that is left out")
        for k in (*graph.inputs, *graph.outputs, *(k for o in operators for k in (*o.inputs, *o.outputs, *o.intermediates))):
            if not -1 <= k < len(tensors):
                raise IndexError(f"tensor {k} of {len(tensors)}")
        return graph

    def _code(self, code: Any) -> tuple[str, int]:
        """Codes above 126 do not fit the old 8-bit field, which then holds 127."""
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = enum_names("BuiltinOperator").get(number, f"BUILTIN_{number}")
        return code.CustomCode().decode() if name == "CUSTOM" and code.CustomCode() else name, code.Version()

    def _operator(self, operator: Any) -> Operator:
        op, version = self.codes[operator.OpcodeIndex()]
        kind, union = enum_names("BuiltinOptions")[operator.BuiltinOptionsType()], operator.BuiltinOptions()
        if kind == "NONE":
            kind, union = enum_names("BuiltinOptions2")[operator.BuiltinOptions2Type()], operator.BuiltinOptions2()
        custom = b"" if operator.CustomOptionsIsNone() else operator.CustomOptionsAsNumpy().tobytes()
        if operator.LargeCustomOptionsOffset() > 1:
            custom = self._outside(operator.LargeCustomOptionsOffset(), operator.LargeCustomOptionsSize()).tobytes()
        return Operator(op, version, vector(operator, "Inputs"), vector(operator, "Outputs"),
                        options_of(op, kind, union), custom_options(custom) if custom else None, vector(operator, "Intermediates"))

    def _tensor(self, tensor: Any, index: int) -> Tensor:
        shape = vector(tensor, "Shape")
        signature = vector(tensor, "ShapeSignature") or shape
        name = (tensor.Name() or b"").decode()
        kind = enum_names("TensorType").get(tensor.Type(), f"TYPE_{tensor.Type()}")
        return Tensor(name or f"tensor{index}", kind, shape, signature, self._buffer(tensor.Buffer()),
                      self._quantization(tensor.Quantization()), self._sparsity(tensor.Sparsity()), tensor.IsVariable(), not name)

    def _buffer(self, index: int) -> np.ndarray:
        if index >= self.model.BuffersLength():
            raise IndexError(f"buffer {index} of {self.model.BuffersLength()}")
        buffer = self.model.Buffers(index)
        if buffer.Offset() > 1:
            return self._outside(buffer.Offset(), buffer.Size())
        return np.zeros(0, np.uint8) if buffer.DataIsNone() else np.asarray(buffer.DataAsNumpy())

    def _outside(self, offset: int, size: int) -> np.ndarray:
        """Bytes that lie behind the flatbuffer, as in files above 2 GB."""
        return np.frombuffer(self.data, np.uint8, size, offset)

    def _quantization(self, table: Any) -> Quantization | None:
        if table is None or not table.ScaleLength():
            return None
        scale = np.asarray(table.ScaleAsNumpy())
        zero_point = np.asarray(table.ZeroPointAsNumpy()) if table.ZeroPointLength() else np.zeros(1, np.int64)
        return Quantization(scale, zero_point, table.QuantizedDimension()) if scale.any() else None

    def _sparsity(self, table: Any) -> Sparsity | None:
        if table is None or not table.DimMetadataLength():
            return None
        levels = tuple(_level(level) for level in self.entries(table, "DimMetadata"))
        return Sparsity(vector(table, "TraversalOrder"), vector(table, "BlockMap"), levels)


def _level(table: Any) -> Level:
    if table.Format() == tflite.DimensionType.DENSE:
        return Level(size=table.DenseSize())
    segments = _index_vector(table.ArraySegmentsType(), table.ArraySegments())
    return Level(segments=segments, indices=_index_vector(table.ArrayIndicesType(), table.ArrayIndices()))


def _index_vector(kind: int, union: Any) -> np.ndarray:
    table = getattr(tflite, enum_names("SparseIndexVector")[kind])()
    table.Init(union.Bytes, union.Pos)
    return np.asarray(table.ValuesAsNumpy()) if table.ValuesLength() else np.zeros(0, np.int64)


def _unpack(buffer: np.ndarray, kind: str, type: TensorType) -> np.ndarray:
    """The stored numbers, one after another."""
    if kind == "INT4":
        signed = buffer.view(np.int8)
        return np.stack([signed << 4 >> 4, signed >> 4], 1).reshape(-1)
    numbers = np.frombuffer(buffer, type.dtype) if buffer.size else np.zeros(0, type.dtype)
    return (numbers.astype(np.uint32) << 16).view(np.float32) if kind == "BFLOAT16" else numbers


def _steps(stored: np.ndarray, q: Quantization) -> np.ndarray:
    along = [-1 if d == q.axis else 1 for d in range(stored.ndim)]
    zero_point = q.zero_point.reshape(along) if q.zero_point.size > 1 else q.zero_point[0]
    return stored.astype(np.float32) - np.float32(zero_point)
