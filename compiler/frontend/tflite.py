"""A TFLite model -> a graph. Knows tensors and operators in general; each op's importer knows its operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import ModelError, Refused, Unsupported
from ..ir import GROWTH, MOST_ELEMENTS, Graph, TensorType, Value
from ..ops import importing
from ..ops.variables import Variables
from .desk import DEEPEST, Desk
from .inputs import Dims, InputOptions, add, resolve
from .tflite_file import Operator, Subgraph, Tensor, read_subgraphs
from .tflite_grids import Grids
from .tflite_hybrid import rounds_floats
from .tflite_recorded import recorded, signatures

INPUTS = ("FLOAT32", "FLOAT16", "FLOAT64", "BOOL", "INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64")

COMPLEX = ("RFFT2D", "RESHAPE", "REAL", "IMAG", "COMPLEX_ABS")
"""Operators that know of complex numbers."""


def read_graph(data: bytes, path: Path, given: InputOptions) -> Graph:
    """The graph of a model's main subgraph; see `planish.compiler.frontend.load`."""
    subgraphs = read_subgraphs(data, path)
    if not subgraphs or not subgraphs[0].outputs:
        raise ModelError(f"{path}: the model has no outputs")
    reader = _Reader(subgraphs, 0, path)
    reader.graph.room += GROWTH * len(data)
    reader.add_inputs(given)
    for position, operator in enumerate(reader.subgraph.operators):
        reader.add_operator(operator, position)
    reader.desk.close()
    reader.add_outputs()
    reader.graph.signatures = signatures(data, path, reader.graph.recorded)
    return reader.graph


class _Reader:
    """Attributes:
        subgraphs: of the file; index: of the one that is read.
        outer: the reader of the subgraph that calls this one, where one does; callers: the subgraphs that called one another so far.
        values: the graph's value for each tensor that is known so far; None for one that a refused operator computes.
        states: the state of the graph for each variable tensor.
        prefix: of the names of nodes.
    """

    def __init__(self, subgraphs: Sequence[Subgraph], index: int, path: Path, outer: _Reader | None = None, prefix: str = ""):
        self.subgraphs, self.prefix = subgraphs, prefix
        self.subgraph = subgraph = subgraphs[index]
        self.callers: tuple[int, ...] = (*(outer.callers if outer else ()), index)
        self.path = path
        self.graph: Graph = outer.graph if outer else Graph(path.stem)
        self.desk: Desk = outer.desk if outer else Desk(path, self.graph, len(subgraph.operators))
        self.ordered: bool = outer.ordered if outer else any(rounds_floats(o, s.tensors) for s in subgraphs for o in s.operators)
        self.grids = Grids(self.graph, subgraph, self.ordered)
        self.values: dict[int, str | None] = {}
        self.used = {*subgraph.outputs, *(k for o in subgraph.operators for k in o.inputs)}
        self.states: dict[int, str] = {}
        self.variables: Variables = outer.variables if outer else Variables(self.graph)

    def add_inputs(self, given: InputOptions) -> None:
        dims: dict[str, Dims] = {}
        for k in self.subgraph.inputs:
            tensor = self.subgraph.tensors[k]
            self.values[k] = name = _unique(tensor.name, dims)
            assumed = given.recorded and name not in given.whole
            dims[name] = [d if d >= 0 else "" for d in (tensor.shape if assumed else tensor.signature)]
            self.graph.recorded["input", name] = recorded(k, name, tensor)
            if tensor.kind not in INPUTS:
                self.desk.refuse(name, "input", f"of type {tensor.kind}; {', '.join(INPUTS)} would be accepted")
        self.desk.close()
        shapes = resolve(self.path, dims, given)
        for k, name in zip(self.subgraph.inputs, dims):
            tensor = self.subgraph.tensors[k]
            add(self.graph, self.path, name, TensorType(shapes[name], tensor.type.dtype), given.values.get(name))
            if tensor.quantized:
                node = partial(importing.SourceNode, self.graph, name, "input", 0, (name,), ())
                decoded = self.desk.take(name, "input", partial(self.grids.decode, name, tensor), node, wanted=[0])
                self.values[k] = decoded[0] if decoded else None

    def add_operator(self, operator: Operator, position: int) -> None:
        name = f"{self.prefix}{operator.op.lower()}_{position}"
        importer = self.desk.importer(name, operator.op, partial(self.grids.importer, operator))
        results = None
        if importer is None:
            pass
        elif operator.op not in COMPLEX and self._complex((*operator.inputs, *operator.outputs)):
            self.desk.refuse(name, operator.op, f"of complex numbers; only {', '.join(COMPLEX)} would be accepted")
        elif all(self.values.get(k, "") is not None for k in operator.inputs):
            wanted = [k for k, t in enumerate(operator.outputs) if t in self.used]
            node = partial(self._node, operator, name, position)
            results = self.desk.take(name, operator.op, importer, lambda: self.grids.taken(node(), operator), wanted=wanted)
            if results is not None:
                results = self.desk.take(name, operator.op, partial(self.grids.given, operator, results), node, wanted=[])
        self.values.update(zip(operator.outputs, results if results is not None else [None] * len(operator.outputs)))

    def add_outputs(self) -> None:
        for k in self.subgraph.outputs:
            if self._complex([k]):
                raise ModelError(f"{self.path}: output '{self.subgraph.tensors[k].name}' is complex; real ones would be accepted")
            try:
                value = self.value(k)
            except Unsupported as error:
                raise ModelError(f"{self.path}: output {error}") from None
            tensor, name = self.subgraph.tensors[k], _unique(self.subgraph.tensors[k].name, self.graph.outputs)
            if tensor.quantized:
                node = importing.SourceNode(self.graph, name, "output", len(self.subgraph.operators), (value,), (name,))
                value = self.grids.encode(node, value, tensor)
            self.graph.outputs[name] = value
            self.graph.recorded["output", name] = recorded(k, name, tensor)

    def _complex(self, tensors: Sequence[int]) -> bool:
        return any(k >= 0 and self.subgraph.tensors[k].type.dtype.kind == "c" for k in tensors)

    def _node(self, o: Operator, name: str, position: int) -> importing.TfliteNode:
        tensors = self.subgraph.tensors
        return importing.TfliteNode(
            self.graph, name, o.op, position, tuple(self.value(k) for k in o.inputs),
            tuple(self.prefix + tensors[k].name for k in o.outputs), version=o.version, options=o.options, inline=_Inline(self, name),
            handed_on=partial(_handed_on, self.subgraphs, {}), assign=lambda k, value: self._assign(name, o, k, value),
            variables=self.variables,
            results=tuple(self.grids.type(k) for k in o.outputs), custom=o.custom,
        )

    def value(self, k: int) -> str:
        """The graph's value for a tensor; a constant is added when it is first asked for."""
        if k < 0:
            return ""
        value = self.values.get(k)
        if value is None:
            tensor = self.subgraph.tensors[k]
            if tensor.variable:
                return self._declare(k, tensor)
            self.values[k] = value = self.graph.fresh(self.prefix + tensor.name)
            self.graph.add_value(Value(value, TensorType.of(array := self._constant(tensor)), array))
        return value

    def _declare(self, k: int, tensor: Tensor) -> str:
        """A variable tensor holds zeros before the first run; a quantised one its zero point, but of uint8 the number 0, as in LiteRT."""
        if tensor.type.size > MOST_ELEMENTS:
            raise Unsupported(f"variable '{tensor.name}' of {tensor.type} has more than {MOST_ELEMENTS} elements; fewer would be accepted")
        first = -int(tensor.quantization.zero_point[0]) if tensor.quantization and tensor.kind == "UINT8" else 0
        initial = np.broadcast_to(np.asarray(first, np.float32 if tensor.quantized else tensor.type.dtype), tensor.shape)
        self.values[k] = self.states[k] = value = self.graph.add_state(self.prefix + tensor.name, initial)
        return value

    def _assign(self, name: str, operator: Operator, index: int, value: str) -> None:
        """Gives a variable tensor, an operand of an operator, another value; one that is an ordinary tensor keeps its own."""
        if (k := operator.inputs[index]) in self.states:
            tensor = self.subgraph.tensors[k]
            if tensor.quantized and not self.grids.is_integer(operator):
                value = self.grids.round(importing.SourceNode(self.graph, name, "", 0, (value,), (tensor.name,)), value, tensor)
            self.values[k] = value
            self.graph.set_state(self.states[k], value)

    def _constant(self, tensor: Tensor) -> np.ndarray:
        if not tensor.buffer.size and tensor.type.size:
            raise Unsupported(f"'{tensor.name}' is neither an input nor a constant, and no operator before computes it")
        try:
            return tensor.array()
        except (ValueError, LookupError) as error:
            raise ModelError(f"{self.path}: damaged: {error}") from error


class _Inline:
    """Imports subgraphs that a node calls."""

    def __init__(self, reader: _Reader, name: str):
        self.reader, self.name, self.calls = reader, name, 0

    def __call__(self, index: int, operands: Sequence[str]) -> list[str]:
        outer = self.reader
        if not 0 < index < len(outer.subgraphs):
            raise ModelError(f"{outer.path}: '{self.name}' calls subgraph {index} of {len(outer.subgraphs)}")
        if index in outer.callers:
            raise ModelError(f"{outer.path}: '{self.name}' calls subgraph {index}, which calls it")
        outer.desk.enter(self.name, len(outer.subgraphs[index].operators), len(outer.callers))
        inner = _Reader(outer.subgraphs, index, outer.path, outer, f"{self.name}/{self.calls}/" if self.calls else f"{self.name}/")
        self.calls += 1
        inner.values.update(zip(inner.subgraph.inputs, operands))
        for position, operator in enumerate(inner.subgraph.operators):
            inner.add_operator(operator, position)
        if any(inner.values.get(k, "") is None for k in inner.subgraph.outputs):
            raise Refused
        return [inner.value(k) for k in inner.subgraph.outputs]


def _handed_on(subgraphs: Sequence[Subgraph], known: dict[int, list[bool]], index: int, depth: int = 0) -> list[bool]:
    """Which results of a subgraph are the operands in their places, as they are, loops that hand them on included.

    Args:
        known: what was found of others, and nothing of those that call this one.
    """
    if index in known or depth > DEEPEST or not 0 < index < len(subgraphs):
        return known.get(index, [])  # who calls one that calls it, or none that is there, refuses it
    known[index], subgraph = [], subgraphs[index]
    source = {k: k for k in subgraph.inputs}
    for operator in subgraph.operators:
        if operator.op == "WHILE":
            same = _handed_on(subgraphs, known, operator.options.body_subgraph_index, depth + 1)
            source.update((o, source.get(i, -1)) for i, o, kept in zip(operator.inputs, operator.outputs, same) if kept)
    known[index] = [source.get(o, -1) == i for i, o in zip(subgraph.inputs, subgraph.outputs)]
    return known[index]


def _unique(name: str, taken: Mapping[str, object]) -> str:
    """A name that no other input (or output) has."""
    count, unique = 0, name
    while unique in taken:
        count += 1
        unique = f"{name}.{count}"
    return unique
