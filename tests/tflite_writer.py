"""Writes .tflite flatbuffers from a few declarative calls: the source of the models that tests and benchmarks compile.

    m = TfliteWriter()
    x = m.input("x", (1, 8, 8, 3), "float32")
    w, b = m.constant(weights), m.constant(bias)
    y = m.op("CONV_2D", [x, w, b], dict(padding="SAME", stride_w=1, stride_h=1), shape=(1, 8, 8, 16), dtype="float32")
    m.output(y)
    data = m.finish()

A tensor is its index in its subgraph; -1 is an optional input left out. Only names that the schema lacks are refused:
shapes, types and operands are written as given, so that wrong models can be made too. Options are looked up in the
generated modules of the `tflite` package, so every operator of its schema can be written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import flatbuffers
import numpy as np
import numpy.typing as npt

import tests.tflite_schema as schema
from tests.tflite_schema import member, members, write_table, write_vector

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Quantization:
    """real = scale * (stored - zero_point); more than one scale means one per slice along `dimension`."""

    scale: Sequence[float]
    zero_point: Sequence[int] = (0,)
    dimension: int = 0


@dataclass(frozen=True)
class Sparsity:
    """TACO-style storage of a constant: per traversed dimension a size (dense) or (segments, indices) (CSR).

    Segments and indices are stored as 32-bit integers unless they are uint8 or uint16 arrays.
    """

    traversal_order: Sequence[int]
    dims: Sequence[int | tuple[npt.ArrayLike, npt.ArrayLike]]
    block_map: Sequence[int] = ()


class TensorSpec(NamedTuple):
    """A tensor. `dtype` is a name as in numpy, or int4; `signature` is the shape with -1 for what is dynamic."""

    shape: Sequence[int]
    dtype: str
    quantization: Quantization | None = None
    signature: Sequence[int] | None = None
    name: str | None = None


@dataclass(frozen=True)
class _Tensor:
    spec: TensorSpec
    data: bytes | None = None
    variable: bool = False
    sparsity: Sparsity | None = None


@dataclass(frozen=True)
class _Operator:
    code: tuple[int, str | None, int]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: str | None
    options: Options
    custom_options: bytes
    intermediates: tuple[int, ...]


class Subgraph:
    """Tensors and operators in the order of the calls that made them. `index` is its place in the model."""

    def __init__(self, index: int, name: str) -> None:
        self.index = index
        self.name = name
        self.tensors: list[_Tensor] = []
        self.operators: list[_Operator] = []
        self.inputs: list[int] = []
        self.outputs: list[int] = []

    def input(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        quantization: Quantization | None = None,
        signature: Sequence[int] | None = None,
    ) -> int:
        """Appends a tensor to the subgraph's inputs."""
        self.inputs.append(self._add(_Tensor(TensorSpec(shape, dtype, quantization, signature, name))))
        return self.inputs[-1]

    def constant(
        self,
        array: npt.ArrayLike,
        dtype: str | None = None,
        quantization: Quantization | None = None,
        name: str | None = None,
        shape: Sequence[int] | None = None,
        sparsity: Sparsity | None = None,
    ) -> int:
        """A tensor with data; `dtype` converts. With `sparsity`, `array` holds the stored values of a dense `shape`."""
        value = np.asarray(array)
        dtype = dtype or value.dtype.name
        data = _pack_int4(value) if dtype == "int4" else np.ascontiguousarray(value, dtype).tobytes()
        spec = TensorSpec(value.shape if shape is None else shape, dtype, quantization, None, name)
        return self._add(_Tensor(spec, data, sparsity=sparsity))

    def variable(
        self, shape: Sequence[int], dtype: str, quantization: Quantization | None = None, name: str | None = None
    ) -> int:
        """A tensor that keeps its value between runs, zero at first: the state of SVDF, RNN and LSTM."""
        return self._add(_Tensor(TensorSpec(shape, dtype, quantization, None, name), variable=True))

    @overload
    def op(
        self,
        name: str,
        inputs: Sequence[int | None],
        options: Options | None = None,
        *,
        shape: Sequence[int],
        dtype: str,
        quantization: Quantization | None = None,
        version: int = 1,
        custom_code: str | None = None,
        custom_options: bytes = b"",
        intermediates: Sequence[TensorSpec] = (),
    ) -> int: ...

    @overload
    def op(
        self,
        name: str,
        inputs: Sequence[int | None],
        options: Options | None = None,
        *,
        outputs: Sequence[tuple[Any, ...]],
        version: int = 1,
        custom_code: str | None = None,
        custom_options: bytes = b"",
        intermediates: Sequence[TensorSpec] = (),
    ) -> list[int]: ...

    def op(
        self,
        name: str,
        inputs: Sequence[int | None],
        options: Options | None = None,
        *,
        shape: Sequence[int] | None = None,
        dtype: str = "float32",
        quantization: Quantization | None = None,
        outputs: Sequence[tuple[Any, ...]] = (),
        version: int = 1,
        custom_code: str | None = None,
        custom_options: bytes = b"",
        intermediates: Sequence[TensorSpec] = (),
    ) -> int | list[int]:
        """Appends an operator and the tensor of `shape` and `dtype` that it makes, or several: `outputs`.

        `name` is a BuiltinOperator: `CONV_2D`, or `CUSTOM` with a `custom_code`. `outputs` holds TensorSpecs or
        tuples (shape, dtype[, quantization]), and their indices are returned. `options` maps the snake-case fields of
        the operator's options table to numbers, enum names, strings or sequences; a field left out has the schema's
        default. Raises ValueError for a name that the schema lacks.
        """
        table = schema.options_table(name)
        schema.check_options(name, table, options or {})
        specs = outputs if shape is None else [TensorSpec(shape, dtype, quantization)]
        made = [self._add(_Tensor(TensorSpec(*spec))) for spec in specs]
        between = tuple(self._add(_Tensor(spec)) for spec in intermediates)
        code = (member("BuiltinOperator", name), custom_code, version)
        operands = tuple(-1 if i is None else i for i in inputs)
        self.operators.append(_Operator(code, operands, tuple(made), table, options or {}, custom_options, between))
        return made if shape is None else made[0]

    def output(self, *tensors: int) -> None:
        """Appends to the subgraph's outputs."""
        self.outputs.extend(tensors)

    def _add(self, tensor: _Tensor) -> int:
        member("TensorType", tensor.spec.dtype)
        self.tensors.append(tensor)
        return len(self.tensors) - 1


class TfliteWriter(Subgraph):
    """A model: the main subgraph itself, and any further ones from `subgraph`."""

    def __init__(self, name: str = "main") -> None:
        super().__init__(0, name)
        self.subgraphs: list[Subgraph] = [self]
        self.signatures: list[tuple[str, Mapping[str, int], Mapping[str, int], int]] = []

    def subgraph(self, name: str) -> Subgraph:
        """Appends a subgraph; its `index` goes into options such as `then_subgraph_index` (IF, WHILE, CALL_ONCE)."""
        self.subgraphs.append(Subgraph(len(self.subgraphs), name))
        return self.subgraphs[-1]

    def signature(self, name: str, inputs: Mapping[str, int], outputs: Mapping[str, int], subgraph: int = 0) -> None:
        """Offers tensors of a subgraph under names."""
        self.signatures.append((name, inputs, outputs, subgraph))

    def finish(self) -> bytes:
        """The model as a .tflite file. Buffer 0 is empty, as the format demands; every constant has its own buffer."""
        buffers: list[bytes] = [b""]
        codes = dict.fromkeys(op.code for graph in self.subgraphs for op in graph.operators)
        payload = sum(len(t.data or b"") for graph in self.subgraphs for t in graph.tensors)
        b = flatbuffers.Builder(payload + 4096)
        graphs = [_write_subgraph(b, graph, buffers, list(codes)) for graph in self.subgraphs]
        datas = [write_table(b, "Buffer", {"Data": schema.write_bytes(b, data)} if data else {}) for data in buffers]
        parts = {"Version": 3, "Subgraphs": schema.write_offsets(b, graphs), "Buffers": schema.write_offsets(b, datas)}
        parts["OperatorCodes"] = schema.write_offsets(b, [_write_code(b, *code) for code in codes])
        if self.signatures:
            parts["SignatureDefs"] = schema.write_offsets(b, [_write_signature(b, *signature) for signature in self.signatures])
        parts["Description"] = b.CreateString("planish")
        b.Finish(write_table(b, "Model", parts), file_identifier=b"TFL3")
        return bytes(b.Output())


def _write_signature(b: flatbuffers.Builder, name: str, inputs: Mapping[str, int], outputs: Mapping[str, int], subgraph: int) -> int:
    def maps(entries: Mapping[str, int]) -> int:
        written = [write_table(b, "TensorMap", {"Name": b.CreateString(key), "TensorIndex": k}) for key, k in entries.items()]
        return schema.write_offsets(b, written)

    parts = {"Inputs": maps(inputs), "Outputs": maps(outputs), "SignatureKey": b.CreateString(name), "SubgraphIndex": subgraph}
    return write_table(b, "SignatureDef", parts)


def _write_code(b: flatbuffers.Builder, builtin: int, custom: str | None, version: int) -> int:
    """Codes above 126 do not fit the old 8-bit field: it then holds a placeholder and readers use the new one."""
    parts = {"DeprecatedBuiltinCode": min(builtin, 127), "Version": version, "BuiltinCode": builtin}
    return write_table(b, "OperatorCode", parts | ({"CustomCode": b.CreateString(custom)} if custom else {}))


def _write_subgraph(b: flatbuffers.Builder, graph: Subgraph, buffers: list[bytes], codes: list[Any]) -> int:
    tensors = [_write_tensor(b, index, tensor, buffers) for index, tensor in enumerate(graph.tensors)]
    operators = [_write_operator(b, op, codes.index(op.code)) for op in graph.operators]
    parts = {"Tensors": schema.write_offsets(b, tensors), "Operators": schema.write_offsets(b, operators)}
    parts |= {"Inputs": write_vector(b, graph.inputs), "Outputs": write_vector(b, graph.outputs)}
    parts["Name"] = b.CreateString(graph.name)
    return write_table(b, "SubGraph", parts)


def _write_tensor(b: flatbuffers.Builder, index: int, tensor: _Tensor, buffers: list[bytes]) -> int:
    spec = tensor.spec
    parts = {"Shape": write_vector(b, spec.shape), "Type": member("TensorType", spec.dtype), "Buffer": 0}
    parts |= {"Name": b.CreateString(f"t{index}" if spec.name is None else spec.name), "IsVariable": tensor.variable, "HasRank": True}
    if tensor.data is not None:
        parts["Buffer"] = len(buffers)
        buffers.append(tensor.data)
    if spec.signature is not None:
        parts["ShapeSignature"] = write_vector(b, spec.signature)
    if (q := spec.quantization) is not None:
        zero_point = np.broadcast_to(np.asarray(q.zero_point, np.int64), len(q.scale))
        scale = {"Scale": write_vector(b, q.scale, "float32"), "ZeroPoint": write_vector(b, zero_point, "int64")}
        parts["Quantization"] = write_table(b, "QuantizationParameters", scale | {"QuantizedDimension": q.dimension})
    if (s := tensor.sparsity) is not None:
        order = {"TraversalOrder": write_vector(b, s.traversal_order), "BlockMap": write_vector(b, s.block_map)}
        dims = schema.write_offsets(b, [_write_dimension(b, dim) for dim in s.dims])
        parts["Sparsity"] = write_table(b, "SparsityParameters", order | {"DimMetadata": dims})
    return write_table(b, "Tensor", parts)


def _write_dimension(b: flatbuffers.Builder, dim: int | tuple[npt.ArrayLike, npt.ArrayLike]) -> int:
    if isinstance(dim, int):
        return write_table(b, "DimensionMetadata", {"Format": member("DimensionType", "DENSE"), "DenseSize": dim})
    parts = {"Format": member("DimensionType", "SPARSE_CSR")}
    for name, values in zip(("ArraySegments", "ArrayIndices"), dim, strict=True):
        array = np.asarray(values)
        dtype = array.dtype.name if array.dtype in (np.uint8, np.uint16) else "int32"
        kind = f"{dtype.capitalize()}Vector"
        parts[name] = write_table(b, kind, {"Values": write_vector(b, array, dtype)})
        parts[f"{name}Type"] = member("SparseIndexVector", kind)
    return write_table(b, "DimensionMetadata", parts)


def _write_operator(b: flatbuffers.Builder, op: _Operator, code: int) -> int:
    parts = {"OpcodeIndex": code, "Inputs": write_vector(b, op.inputs), "Outputs": write_vector(b, op.outputs)}
    if op.table is not None:
        union = "BuiltinOptions" if op.table in members("BuiltinOptions") else "BuiltinOptions2"
        known = schema.fields(op.table)
        values = {known[name].setter: _option(b, known[name], value) for name, value in op.options.items()}
        parts |= {union: write_table(b, op.table, values), f"{union}Type": member(union, op.table)}
    if op.custom_options:
        parts["CustomOptions"] = schema.write_bytes(b, op.custom_options)
    if op.intermediates:
        parts["Intermediates"] = write_vector(b, op.intermediates)
    return write_table(b, "Operator", parts)


def _option(b: flatbuffers.Builder, field: schema.Field, value: Any) -> Any:
    """A number as it is; anything else written first, which gives its offset."""
    if field.vector is not None:
        return write_vector(b, value, field.vector)
    if isinstance(value, str):
        return member(field.enum, value) if field.enum else b.CreateString(value)
    return value


def _pack_int4(value: npt.NDArray[Any]) -> bytes:
    """Two to a byte, the first in the low half."""
    nibbles = value.astype(np.int8).reshape(-1).view(np.uint8) & 15
    even: npt.NDArray[np.uint8] = np.pad(nibbles, (0, len(nibbles) % 2))
    return bytes(even[::2] | even[1::2] << 4)
