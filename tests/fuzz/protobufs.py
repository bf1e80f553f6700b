"""Mutations of ONNX models: fields of any message set to what a field of that type can hold, and graphs bent out of shape."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.message import Message
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

from planish.compiler.ops.importing import ONNX
from tests.fuzz.octets import HOSTILE, number

INTEGERS = {"int32": 32, "int64": 64, "uint32": 32, "uint64": 64}
FLOATS = (0.0, -1.0, 1e38, -1e38, float("inf"), float("nan"), 1e-45)


def mutate(r: random.Random, data: bytes) -> bytes:
    """Another model, by one mutation or a few, which may not be one at all."""
    model = ModelProto.FromString(data)
    for _ in range(r.choice((1, 1, 2, 4))):
        r.choice(MUTATIONS)(r, model)
    return model.SerializeToString()


def _messages(message: Message) -> Iterator[Message]:
    """A message and all within."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if isinstance(value, (list, tuple)) or hasattr(value, "add") else [value]:
                yield from _messages(inner)


def _field(r: random.Random, model: ModelProto) -> None:
    """A field that is set becomes another, goes, or occurs again; not so often that a model of its size would take long."""
    message = r.choice([m for m in _messages(model) if m.ListFields()] or [model])
    if not message.ListFields():
        return
    field, value = r.choice(message.ListFields())
    repeated = hasattr(value, "extend")
    kind = field.message_type.name if field.message_type is not None else type(value[0] if repeated and len(value) else value).__name__
    if r.random() < 0.15:
        message.ClearField(field.name)
    elif repeated and len(value) and r.random() < 0.3:
        value.extend([value[r.randrange(len(value))]] * r.choice((1, 1, 3, 300)))
    elif repeated and len(value) and (r.random() < 0.3 or field.message_type is not None):
        del value[r.randrange(len(value))]
    elif field.message_type is None:
        _assign(message, field.name, value, repeated, lambda old: _other(r, kind, old))


def _assign(message: Message, name: str, value: Any, repeated: bool, change: Callable[[Any], Any]) -> None:
    try:
        if not repeated:
            setattr(message, name, change(value))
        elif len(value):
            value[len(value) // 2] = change(value[len(value) // 2])
    except (TypeError, ValueError):  # protobuf knows what the field can hold
        message.ClearField(name)


def _other(r: random.Random, kind: str, old: Any) -> Any:
    if kind == "int":
        return r.choice((number(r), number(r, 32), r.randrange(20), old + 1, old - 1, -old))
    if kind == "float":
        return r.choice(FLOATS)
    if kind == "bytes":
        return r.choice((old[: len(old) // 2], old + b"\0", b"", r.choice(HOSTILE).encode(), old * 3))
    return r.choice(HOSTILE)


def _graphs(model: ModelProto) -> list[Any]:
    """Whatever holds nodes and has some."""
    return [m for m in _messages(model) if hasattr(m, "node") and len(m.node)]


def _rewire(r: random.Random, model: ModelProto) -> None:
    """An operand becomes another value, perhaps one that depends on it."""
    for graph in _graphs(model)[:1] if r.random() < 0.5 else _graphs(model):
        node = r.choice(graph.node)
        names = [*(v for n in graph.node for v in (*n.input, *n.output)), "", "nowhere"]
        target = node.input if r.random() < 0.7 else node.output
        if len(target):
            target[r.randrange(len(target))] = r.choice(names)
        if r.random() < 0.2:
            target.append(r.choice(names))


def _operator(r: random.Random, model: ModelProto) -> None:
    """A node becomes one of another operator, or of another version."""
    for graph in _graphs(model)[:1]:
        domain, _, op = r.choice(sorted(ONNX)).rpartition("::")
        node = r.choice(graph.node)
        node.op_type, node.domain = op, domain
        if domain and r.random() < 0.9:
            model.opset_import.append(helper.make_opsetid(domain, 1))
    if model.opset_import and r.random() < 0.3:
        model.opset_import[0].version = r.choice((0, 1, 6, 7, 11, 13, 18, 22, 1000, number(r)))


def _attribute(r: random.Random, model: ModelProto) -> None:
    """A node gets an attribute of its operator or of any, with any contents."""
    for graph in _graphs(model)[:1]:
        node = r.choice(graph.node)
        names = [*(a.name for a in node.attribute), "axis", "axes", "perm", "kernel_shape", "pads", "strides", "group", "to", "value"]
        shape = [abs(number(r, 32)) for _ in range(r.choice((0, 1, 2)))]
        values = (number(r), [number(r) for _ in range(r.choice((1, 2, 4, 300)))], r.choice(FLOATS), r.choice(HOSTILE),
                  [r.choice(FLOATS)] * 3, TensorProto(dims=shape, data_type=r.randrange(30), raw_data=b"\0" * 8))
        made = helper.make_attribute(r.choice(names), r.choice(values))
        kept = [a for a in node.attribute if a.name != made.name or r.random() < 0.1]
        del node.attribute[:]
        node.attribute.extend([*kept, made])


def _shape(r: random.Random, model: ModelProto) -> None:
    """Other extents, gigantic or negative, of a tensor or an input; perhaps of another type."""
    tensors = [m for m in _messages(model) if isinstance(m, TensorProto)]
    if tensors and r.random() < 0.7:
        tensor = r.choice(tensors)
        if len(tensor.dims) and r.random() < 0.7:
            tensor.dims[r.randrange(len(tensor.dims))] = number(r)
        else:
            tensor.dims.extend([number(r, 32)] * r.choice((1, 1, 40)))
        if tensor.data_type in (6, 7) and r.random() < 0.5:
            width = 8 if tensor.data_type == 7 else 4
            count = max(len(tensor.raw_data) // width, len(tensor.int64_data), len(tensor.int32_data), 1)
            tensor.raw_data = b"".join((number(r, 8 * width) % (1 << 8 * width)).to_bytes(width, "little") for _ in range(count))
            del tensor.dims[:], tensor.int64_data[:], tensor.int32_data[:]
            tensor.dims.append(count)
        if r.random() < 0.3:
            tensor.data_type = r.randrange(-1, 30)
    elif model.graph.input:
        info = r.choice(model.graph.input).type.tensor_type
        if len(info.shape.dim):
            info.shape.dim[r.randrange(len(info.shape.dim))].dim_value = number(r)
        if r.random() < 0.3:
            info.elem_type = r.randrange(30)


def _external(r: random.Random, model: ModelProto) -> None:
    """A tensor whose contents lie in another file."""
    tensors = [m for m in _messages(model) if isinstance(m, TensorProto)]
    if tensors:
        tensor = r.choice(tensors)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", r.choice(HOSTILE)), ("offset", str(number(r))), ("length", str(number(r)))):
            if key == "location" or r.random() < 0.5:
                tensor.external_data.add(key=key, value=value)


def _nest(r: random.Random, model: ModelProto) -> None:
    """The graph becomes the branch of a condition, many times over."""
    for _ in range(r.choice((1, 5, 30, 200))):
        inner = GraphProto()
        inner.CopyFrom(model.graph)
        outputs = [o.name for o in inner.output]
        del inner.input[:], model.graph.node[:]
        if "fuzz_condition" not in [t.name for t in model.graph.initializer]:
            model.graph.initializer.append(helper.make_tensor("fuzz_condition", TensorProto.BOOL, [], [r.random() < 0.5]))
        condition = r.choice(["fuzz_condition", "fuzz_condition", *(i.name for i in model.graph.input)])
        model.graph.node.append(helper.make_node("If", [condition], outputs, then_branch=inner, else_branch=inner))
        if model.ByteSize() > 1 << 18:
            return


def _functions(r: random.Random, model: ModelProto) -> None:
    """An operator becomes a function that calls itself, or one that calls another twice, and so on."""
    for graph in _graphs(model)[:1]:
        op = r.choice(graph.node).op_type
        depth = r.choice((0, 1, 3, 30))
        opsets = [helper.make_opsetid("", 18)]
        for k in range(depth + 1):
            name, called = (f"{op}{k}" if k else op), (f"{op}{k + 1}" if k < depth else r.choice((op, "Relu")))
            nodes = [NodeProto(op_type=called, input=["x"], output=["z"]), NodeProto(op_type=called, input=["z"], output=["y"])]
            model.functions.append(helper.make_function("", name, ["x"], ["y"], nodes, opsets))


def _trips(r: random.Random, model: ModelProto) -> None:
    """A loop around the graph, as long as can be, perhaps in another."""
    for _ in range(r.choice((1, 2, 3))):
        body = GraphProto(name="body")
        body.CopyFrom(model.graph)
        outputs = [o.name for o in body.output]
        del body.input[:], body.output[:], model.graph.node[:]
        going = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
        body.input.extend([helper.make_tensor_value_info("k", TensorProto.INT64, []), going])
        body.output.append(going)
        body.output.extend(model.graph.output)
        if "fuzz_trips" not in [t.name for t in model.graph.initializer]:
            model.graph.initializer.append(helper.make_tensor("fuzz_trips", TensorProto.INT64, [], [r.choice((1, 100, 4096, 1 << 40, -1))]))
        model.graph.node.append(helper.make_node("Loop", ["fuzz_trips", ""], outputs, body=body))


def _names(r: random.Random, model: ModelProto) -> None:
    """A name becomes another wherever it stands: values, nodes, inputs."""
    values = sorted({v for m in _messages(model) if isinstance(m, NodeProto) for v in (*m.input, *m.output) if v})
    if not values:
        return
    old, new = r.choice(values), r.choice([h for h in HOSTILE if h and len(h) < 1000])
    for message in _messages(model):
        if isinstance(message, NodeProto):
            message.name = new
            for names in (message.input, message.output):
                names[:] = [new if v == old else v for v in names]
        elif not isinstance(message, AttributeProto) and getattr(message, "name", None) == old:
            message.name = new


MUTATIONS: tuple[Callable[[random.Random, ModelProto], None], ...] = (
    _field, _field, _field, _rewire, _operator, _attribute, _attribute, _shape, _shape, _shape, _external, _nest, _functions, _trips,
    _names,
)
