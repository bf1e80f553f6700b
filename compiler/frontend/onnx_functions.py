"""ONNX operators that are defined by other operators: the functions of a model, and those of the standard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import AttributeProto, FunctionProto, NodeProto, TypeProto


def has_standard_function(node: NodeProto, version: int) -> bool:
    """Whether the standard defines a node's operator by others; `version` is that of its operator set."""
    schema = _schema(node, version)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def standard_function(node: NodeProto, version: int, types: Sequence[TypeProto]) -> FunctionProto:
    """The body that the standard gives for such a node; it may depend on the types of the operands."""
    schema = _schema(node, version)
    if schema.has_function:
        data = schema.get_function_with_opset_version(_newest(schema.function_opset_versions, version))
    else:
        protos = [t.SerializeToString() for t in types]
        version = _newest(schema.context_dependent_function_opset_versions, version)
        data = schema.get_context_dependent_function_with_opset_version(version, node.SerializeToString(), protos)
    function = FunctionProto.FromString(data)
    defaults = {name: a.default_value for name, a in schema.attributes.items() if a.default_value.name}
    for attribute in function.attribute_proto:
        defaults.pop(attribute.name, None)
    function.attribute_proto.extend(defaults.values())
    return function


def bound_nodes(function: FunctionProto, node: NodeProto) -> list[NodeProto]:
    """The nodes of a function's body, with the attributes of the node that calls it."""
    attributes = {a.name: a for a in (*function.attribute_proto, *node.attribute)}
    return [_bound(inner, attributes) for inner in function.node]


def _bound(node: NodeProto, attributes: dict[str, AttributeProto]) -> NodeProto:
    if not any(a.ref_attr_name or a.HasField("g") for a in node.attribute):
        return node
    copy = NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for attribute in node.attribute:
        source = attributes.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute
        if source is None:
            continue
        new = copy.attribute.add()
        new.CopyFrom(source)
        new.name = attribute.name
        if new.HasField("g"):
            nodes = [_bound(n, attributes) for n in new.g.node]
            del new.g.node[:]
            new.g.node.extend(nodes)
    return copy


def _schema(node: NodeProto, version: int) -> Any:
    try:
        return onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError:
        return None


def _newest(versions: Sequence[int], limit: int) -> int:
    return max((v for v in versions if v <= limit), default=limit)
