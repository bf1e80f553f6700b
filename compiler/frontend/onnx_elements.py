"""Which tensors of an ONNX file hold numbers of a type that numpy lacks; in the graph they are wider (`planish.compiler.ops.lowbit`).

Such a type is told by its name, "" stands for the types of numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TypeProto

from ..errors import Unsupported
from ..ir import TensorType
from ..ops.lowbit import ELEMENTS

TYPED = ("to", "dtype", "output_dtype")
"""Attributes that say the type of a node's result."""


def element(elem_type: int) -> str:
    """The name of an element type of ONNX where numpy lacks it."""
    if elem_type not in onnx.TensorProto.DataType.values() or elem_type == onnx.TensorProto.UNDEFINED:
        return ""
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(elem_type))
    return dtype.name if dtype.name in ELEMENTS else ""


def type_proto(element: str, type: TensorType | None) -> TypeProto:
    """An operand's type in the file, from its element and its type in the graph; None is an absent operand."""
    if type is None:
        return TypeProto()
    elem_type = _elem_types()[element] if element else onnx.helper.np_dtype_to_tensor_dtype(type.dtype)
    return onnx.helper.make_tensor_type_proto(elem_type, type.shape)


def of_results(node: NodeProto, version: int, elements: Sequence[str], types: Sequence[TensorType | None]) -> Mapping[str, str]:
    """The elements of a node's outputs, by the inference of the standard; "" where it says nothing.

    Args:
        elements: of the operands; types: theirs in the graph.

    Raises:
        Unsupported: the operands do not have the types that the operator takes.
    """
    if not any(elements) and not any(_introduces(a) for a in node.attribute):
        return {}
    given = {name: type_proto(e, t) for name, e, t in zip(node.input, elements, types) if name}
    refusal = None
    for accepted in (version, onnx.defs.onnx_opset_version()):  # a newer version may take types that files use before
        try:
            schema = onnx.defs.get_schema(node.op_type, accepted, node.domain)
            opsets = [onnx.helper.make_opsetid(node.domain, accepted)]
            found = onnx.shape_inference.infer_node_outputs(schema, node, given, opset_imports=opsets)
            return {name: element(t.tensor_type.elem_type) for name, t in found.items()}
        except onnx.defs.SchemaError:
            return {}
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
            refusal = refusal or error
    raise Unsupported(f"its operands do not fit the operator ({refusal})")


def _introduces(attribute: AttributeProto) -> bool:
    return bool((attribute.name in TYPED and element(attribute.i)) or (attribute.HasField("t") and element(attribute.t.data_type)))


def _elem_types() -> Mapping[str, int]:
    return {element(e): e for e in onnx.TensorProto.DataType.values()}
