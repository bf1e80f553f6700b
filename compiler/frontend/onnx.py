"""An ONNX model -> a graph. Knows tensors and nodes in general; each op's importer knows its operator.

Operators of other domains go by "domain::Name". One without an importer is replaced by the function that the model, or
the standard, defines it by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, ValueInfoProto

from planish.runtime.plan import Recorded

from ..errors import NO_OPERATOR, ModelError, Refused
from ..ir import GROWTH, Graph, Node, TensorType, Value
from ..ops import importing
from ..ops.lowbit import FLOATS, Decode, Encode, EncodeOnHost, held_as, stored_as
from ..ops.op import Op
from . import onnx_elements
from .desk import Desk
from .inputs import Dims, InputOptions, add, resolve
from .onnx_functions import bound_nodes, has_standard_function, standard_function
from .onnx_tensors import array_of, attribute_value, dense

DEFAULT_DOMAINS = ("", "ai.onnx")
Opsets = Mapping[str, int]


def read_graph(data: bytes, path: Path, given: InputOptions) -> Graph:
    """The graph of a model; see `planish.compiler.frontend.load`."""
    model = _parse(data, path)
    reader = _Reader(model, path)
    reader.graph.room += GROWTH * len(data)
    reader.add_inputs(given)
    reader.add_nodes(model.graph.node, reader.main)
    reader.desk.close()
    reader.add_outputs()
    return reader.graph


def _parse(data: bytes, path: Path) -> ModelProto:
    try:
        model = ModelProto.FromString(data)
    except Exception:  # protobuf's DecodeError
        if data[:1] == b"\x08" and b"\x00" < data[1:2] < b"\x20":  # field 1, ir_version: so every ONNX writer begins
            raise ModelError(f"{path}: a damaged or truncated ONNX protobuf") from None
        model = ModelProto()
    if not all(isinstance(text, str) for text in _texts(model)):  # protobuf leaves what is not UTF-8 as bytes
        raise ModelError(f"{path}: a damaged ONNX protobuf: a name in it is no text")
    if not model.HasField("graph"):
        raise ModelError(f"{path}: neither a TFLite flatbuffer nor an ONNX protobuf")
    if model.ir_version >= 3 and not model.opset_import:
        raise ModelError(f"{path}: a damaged or truncated ONNX protobuf: it names no operator set")
    if not model.graph.output:
        raise ModelError(f"{path}: the model has no outputs")
    _check_names(path, "input", model.graph.input)
    _check_names(path, "output", model.graph.output)
    return model


def _check_names(path: Path, what: str, infos: Sequence[ValueInfoProto]) -> None:
    names = Counter(info.name for info in infos)
    if "" in names:
        raise ModelError(f"{path}: {what} {[info.name for info in infos].index('')} has no name")
    for name, count in names.items():
        if count > 1:
            raise ModelError(f"{path}: {count} {what}s are named '{name}'; names that differ would be accepted")


def _texts(model: ModelProto) -> Iterator[str | bytes]:
    """Every name in a model."""
    graph = model.graph
    yield from (i.domain for i in model.opset_import)
    yield from (t.name for t in (*graph.initializer, *graph.output))
    for i in graph.input:
        yield from (i.name, *(d.dim_param for d in i.type.tensor_type.shape.dim))
    for node in (*graph.node, *(n for function in model.functions for n in function.node)):
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (name for a in node.attribute for name in (a.name, a.ref_attr_name))


@dataclass
class _Scope:
    """The names that nodes see: of the model's graph, of a function's body, or of a graph that a node holds.

    Attributes:
        used: names that something reads.
        constants: those of the graph, until they are asked for.
        values: name -> value of the graph; None for what a refused node computes.
        elements: name -> the type of its numbers, where numpy lacks it.
        prefix: of the names of nodes.
        outer: the scope around it, whose names it sees.
        callers: the functions that called one another so far; depth: of graphs and functions within one another.
    """

    opsets: Opsets
    used: set[str]
    constants: Mapping[str, TensorProto | SparseTensorProto] = field(default_factory=dict)
    values: dict[str, str | None] = field(default_factory=dict)
    elements: dict[str, str] = field(default_factory=dict)
    prefix: str = ""
    outer: _Scope | None = None
    callers: tuple[tuple[str, str], ...] = ()
    depth: int = 0

    def element(self, name: str) -> str:
        """The type of a name's numbers, where numpy lacks it."""
        at: _Scope | None = self
        while at is not None:
            if name in at.elements or name in at.values:
                return at.elements.get(name, "")
            at = at.outer
        return ""


class _Reader:
    def __init__(self, model: ModelProto, path: Path):
        self.model = model
        self.path = path
        self.graph = Graph(path.stem)
        self.desk = Desk(path, self.graph, len(model.graph.node))
        self.functions = {(_domain(f.domain), f.name): f for f in model.functions}
        self.main = _scope(model.graph, _opsets(model.opset_import))
        self.position = 0

    def add_inputs(self, given: InputOptions) -> None:
        inputs = [i for i in self.model.graph.input if i.name not in self.main.constants]
        for i in inputs:
            reason = _refusal(i)
            if reason:
                self.desk.refuse(i.name, "input", reason)
        self.desk.close()
        shapes = resolve(self.path, {i.name: _dims(i) for i in inputs}, given)
        for i in inputs:
            elem_type, value = i.type.tensor_type.elem_type, given.values.get(i.name)
            element = self.main.elements[i.name] = onnx_elements.element(elem_type)
            dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(elem_type))
            if element:
                dtype = stored_as(element) if value is None else held_as(element)
            name = add(self.graph, self.path, i.name, TensorType(shapes[i.name], dtype), value)
            self.graph.recorded["input", name] = Recorded(element=element)
            self.main.values[i.name] = self._decoded(name, element) if element in FLOATS and value is None else name

    def add_nodes(self, nodes: Sequence[NodeProto], scope: _Scope) -> None:
        for node in self._ordered(nodes):
            self._add_node(node, scope)

    def add_outputs(self) -> None:
        for output in self.model.graph.output:
            value, elem_type = self.value(output.name, self.main), output.type.tensor_type.elem_type
            element = onnx_elements.element(elem_type) if elem_type else self.main.element(output.name)
            self.graph.outputs[output.name] = self._encoded(value, element) if element in FLOATS else value
            self.graph.recorded["output", output.name] = Recorded(element=element)

    def _decoded(self, bits: str, element: str) -> str:
        """The numbers that an input's bits stand for."""
        return self._convert(Decode(element), bits, f"{bits}:decoded")

    def _encoded(self, value: str, element: str) -> str:
        """The bits of an output."""
        producer = self.graph.producer(value)
        if producer and producer.op == Decode(element):
            return producer.inputs[0]
        array = self.graph.constant(value)
        if array is not None:
            return self.graph.add_constant(Encode(element).reference(array)[0])
        op = EncodeOnHost() if self.graph.type(value).open else Encode(element)  # no operator gives others of open shape than bfloat16
        return self._convert(op, value, f"{value}:encoded")

    def _convert(self, op: Op, value: str, result: str) -> str:
        node = Node(self.graph.fresh(f"{result}:node"), op, (value,), (self.graph.fresh(result),), position=self.position)
        return self.graph.add_node(node).output

    def _add_node(self, node: NodeProto, scope: _Scope) -> None:
        domain = _domain(node.domain)
        op = f"{domain}::{node.op_type}" if domain else node.op_type
        name = scope.prefix + (node.name or next(filter(None, node.output), f"{node.op_type.lower()}_{self.position}"))
        self.position += 1
        importer, function = importing.ONNX.get(op), self.functions.get((domain, node.op_type))
        version = scope.opsets.get(domain, 1)
        known = importer or function or has_standard_function(node, version)
        results: Sequence[str | None] | None = None
        if not known:
            self.desk.refuse(name, op, NO_OPERATOR)
        elif all(self._known(v, scope) for v in _reads([node])):
            wanted = [k for k, v in enumerate(node.output) if v in scope.used]
            if importer and not function:
                make = partial(self._node, node, op, name, version, scope)
                results = self.desk.take(name, op, importer, make, wanted=wanted)
            else:
                results = self._call(node, op, name, version, scope)
        scope.values.update(zip(node.output, results if results is not None else [None] * len(node.output)))

    def _node(self, node: NodeProto, op: str, name: str, version: int, scope: _Scope) -> importing.OnnxNode:
        operands = tuple(self.value(v, scope) for v in node.input)
        elements = tuple(scope.element(v) for v in node.input)
        found = onnx_elements.of_results(node, version, elements, [self.graph.type(v) if v else None for v in operands])
        scope.elements.update(found)
        return importing.OnnxNode(
            self.graph, name, op, self.position - 1, operands, tuple(f"{scope.prefix}{v}" for v in node.output), opset=version,
            attributes={a.name: attribute_value(a, self.path) for a in node.attribute}, inline=_Inline(self, node, name, scope),
            elements=elements, element=found.get(node.output[0], "") if node.output else "",
        )

    def _call(self, node: NodeProto, op: str, name: str, version: int, scope: _Scope) -> list[str | None] | None:
        """Imports the body of a function in the place of the node that calls it."""
        operands = [self.value(v, scope) for v in node.input]
        elements = [scope.element(v) for v in node.input]
        called = _domain(node.domain), node.op_type
        if called in scope.callers:
            raise ModelError(f"{self.path}: '{name}' calls function {op}, which calls it")
        function = self.functions.get(called)
        if function is None:
            types = [onnx_elements.type_proto(e, self.graph.type(v) if v else None) for e, v in zip(elements, operands)]
            function = standard_function(node, version, types)
        nodes = bound_nodes(function, node)
        if not nodes:
            self.desk.refuse(name, op, f"{NO_OPERATOR}, and the standard does not define this one by others")
            return None
        self.desk.enter(name, len(nodes), scope.depth)
        opsets = {**scope.opsets, **_opsets(function.opset_import)}
        inner = _Scope(opsets, {*_reads(nodes), *function.output}, prefix=f"{name}/", callers=(*scope.callers, called),
                       depth=scope.depth + 1)
        inner.values.update(dict.fromkeys(function.input, ""))
        inner.values.update(zip(function.input, operands))
        inner.elements.update(zip(function.input, elements))
        self.add_nodes(nodes, inner)
        scope.elements.update(zip(node.output, (inner.element(v) for v in function.output)))
        unused = {v for k, v in enumerate(function.output) if v not in inner.values and node.output[k : k + 1] in ([], [""])}
        return ["" if v in unused else self.value(v, inner) if self._known(v, inner) else None for v in function.output]

    def _known(self, name: str, scope: _Scope) -> bool:
        """Whether no refused node computes what has that name."""
        at: _Scope | None = scope
        while at is not None:
            if name in at.values:
                return at.values[name] is not None
            at = at.outer
        return True

    def value(self, name: str, scope: _Scope) -> str:
        """The graph's value of that name; a constant is added when it is first asked for.

        Raises:
            Refused: a refused node computes it.
        """
        at: _Scope | None = scope if name else None
        while at is not None:
            if name in at.values:
                value = at.values[name]
                if value is None:
                    raise Refused
                return value
            constant = at.constants.get(name)
            if constant is not None:
                array = dense(constant, self.path) if isinstance(constant, SparseTensorProto) else array_of(constant, self.path)
                if isinstance(constant, TensorProto) and constant.data_location == TensorProto.EXTERNAL:
                    self.graph.room += GROWTH * array.nbytes
                at.values[name] = value = self.graph.fresh(at.prefix + name)
                return self.graph.add_value(Value(value, TensorType.of(array), array))
            at = at.outer
        if not name:
            return ""
        raise ModelError(f"{self.path}: '{name}' is neither an input nor a constant, and no node computes it")

    def _ordered(self, nodes: Sequence[NodeProto]) -> Sequence[NodeProto]:
        """The nodes with producers before consumers; as they are, where they already stand so."""
        producers = {v: k for k, node in enumerate(nodes) for v in node.output if v}
        needs = {k: {producers[v] for v in _reads([node]) if v in producers} for k, node in enumerate(nodes)}
        if all(max(before, default=-1) < k for k, before in needs.items()):
            return nodes
        try:
            return [nodes[k] for k in TopologicalSorter(needs).static_order()]
        except CycleError as error:
            cycle = " -> ".join(nodes[k].name for k in error.args[1])
            raise ModelError(f"{self.path}: the graph has a cycle: {cycle}") from None


class _Inline:
    """Imports the graphs that a node holds, once for each call.

    Attributes:
        held: of each attribute, the scope of its graph's constants, which all calls share.
    """

    def __init__(self, reader: _Reader, node: NodeProto, name: str, scope: _Scope):
        self.reader, self.name, self.scope = reader, name, scope
        self.graphs: dict[str, GraphProto] = {a.name: a.g for a in node.attribute if a.HasField("g")}
        self.held: dict[str, _Scope] = {}
        self.calls = 0

    def __call__(self, attribute: str, operands: Sequence[str]) -> list[str]:
        graph = self.graphs[attribute]
        if attribute not in self.held:
            self.held[attribute] = _scope(graph, self.scope.opsets, f"{self.name}/", self.scope)
        held = self.held[attribute]
        self.reader.desk.enter(self.name, len(graph.node), self.scope.depth)
        inner = _Scope(held.opsets, held.used, prefix=f"{self.name}/{self.calls}/" if self.calls else held.prefix, outer=held,
                       callers=self.scope.callers, depth=self.scope.depth + 1)
        self.calls += 1
        inner.values.update(zip((i.name for i in graph.input), operands))
        self.reader.add_nodes(graph.node, inner)
        return [self.reader.value(o.name, inner) for o in graph.output]


def _scope(graph: GraphProto, opsets: Opsets, prefix: str = "", outer: _Scope | None = None) -> _Scope:
    """The scope of a graph's constants; of the model's graph, of all its names."""
    constants = {**{t.name: t for t in graph.initializer}, **{t.values.name: t for t in graph.sparse_initializer}}
    elements = {t.name: onnx_elements.element(t.data_type) for t in (*graph.initializer, *(t.values for t in graph.sparse_initializer))}
    used = {*_reads(graph.node), *(o.name for o in graph.output)}
    return _Scope(opsets, used, constants, elements=elements, prefix=prefix, outer=outer)


def _domain(domain: str) -> str:
    return "" if domain in DEFAULT_DOMAINS else domain


def _opsets(imports: Sequence[onnx.OperatorSetIdProto]) -> Opsets:
    return {_domain(i.domain): i.version for i in imports}


def _reads(nodes: Sequence[NodeProto]) -> Iterator[str]:
    """Names that nodes read, those that their subgraphs take from outside included."""
    for node in nodes:
        yield from filter(None, node.input)
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                own = {v for inner in graph.node for v in inner.output}
                own |= {v.name for v in (*graph.input, *graph.initializer)}
                yield from (v for v in (*_reads(graph.node), *(o.name for o in graph.output)) if v not in own)


def _refusal(info: ValueInfoProto) -> str | None:
    """Why an input cannot be taken."""
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        return f"of kind {(kind or 'unknown').removesuffix('_type')}; tensors would be accepted"
    elem, types = info.type.tensor_type.elem_type, onnx.TensorProto.DataType
    known = elem in types.values() and elem != onnx.TensorProto.UNDEFINED
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(elem) if known else object)
    if (dtype.kind not in "fbiu" or dtype.isbuiltin != 1) and not onnx_elements.element(elem):
        accepted = "numbers and bool"
        return f"of type {types.Name(elem).lower() if known else elem}; {accepted} would be accepted"
    return None


def _dims(info: ValueInfoProto) -> Dims | None:
    if not info.type.tensor_type.HasField("shape"):
        return None
    return [d.dim_value if d.dim_value > 0 else d.dim_param for d in info.type.tensor_type.shape.dim]
