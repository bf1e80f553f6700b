"""The desk at which a frontend hands a source node to its op's importer.

An importer is a function of one source node; it emits ops into the graph and returns the values that are the node's
outputs. What it emits on constants alone is evaluated at once by the op's reference, so that shape arithmetic is a plain
array by the time a Reshape asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import ComputedOperand, GraphError, Unsupported
from ..ir import Graph, Node, TensorType
from .op import Op

if TYPE_CHECKING:
    from .variables import Variables

Result = str | tuple[str, ...] | list[str]
FOLD_LIMIT = 1 << 28
"""Bytes above which the importer leaves a constant expression to the graph."""

LARGEST = 1 << 40
"""Elements of a value; of one that a kernel reads or makes fewer are accepted, but passes may yet find that none does."""


@dataclass
class SourceNode:
    """One node of a model file, with its operands as values of the graph.

    Attributes:
        name: of the node in the file; op: its type there.
        inputs: values of the graph; "" where an operand is absent.
        outputs: names in the file.
    """

    graph: Graph
    name: str
    op: str
    position: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.inputs)

    def input(self, index: int) -> str:
        """Operand `index`, "" where it is absent."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def type(self, value: int | str) -> TensorType:
        """The type of an operand (by index) or of a value (by name)."""
        return self.graph.type(self.input(value) if isinstance(value, int) else value)

    def shape(self, value: int | str) -> tuple[int, ...]:
        return self.type(value).shape

    def array(self, value: int | str) -> np.ndarray | None:
        """The contents of a constant operand or value; None where it is absent or computed."""
        return self.graph.constant(self.input(value) if isinstance(value, int) else value)

    def constant(self, index: int, what: str) -> np.ndarray:
        """The contents of an operand that has to be constant.

        Raises:
            ComputedOperand: it is computed at run time.
            Unsupported: it is absent.
        """
        array = self.array(index)
        if array is None:
            if not self.input(index):
                raise Unsupported(f"operand {index} ({what}) is missing")
            raise ComputedOperand(f"operand {index} ({what}) is computed at run time; it must be constant", self.input(index))
        return array

    def integers(self, index: int, what: str) -> tuple[int, ...]:
        return tuple(int(v) for v in self.constant(index, what).ravel())

    def add_constant(self, array: np.ndarray) -> str:
        return self.graph.add_constant(np.asarray(array), f"{self.name}:const")

    def checked(self, shape: Sequence[int], dtype: npt.DTypeLike = np.float64) -> tuple[int, ...]:
        """The shape of an array that an importer is about to make.

        Raises:
            Unsupported: it would take more than `FOLD_LIMIT`.
        """
        type = TensorType(tuple(max(int(e), 0) for e in shape), np.dtype(dtype))
        if type.nbytes > FOLD_LIMIT:
            raise Unsupported(f"it makes a constant {type}; one of up to {FOLD_LIMIT >> 20} MB would be accepted")
        return type.shape

    def scalar(self, number: float, like: str) -> str:
        """A constant of rank 0 in the type of another value."""
        return self.add_constant(np.asarray(number, self.graph.type(like).dtype))

    def emit(self, op: Op, *inputs: str) -> str:
        """Adds an op of one result and returns its value."""
        return self.emit_all(op, *inputs)[0]

    def emit_all(self, op: Op, *inputs: str) -> tuple[str, ...]:
        """Adds an op and returns the values of all its results."""
        arrays = [self.graph.constant(v) for v in inputs]
        try:
            types = op.infer(*(self.graph.type(v) if v else None for v in inputs))
        except GraphError as error:
            raise Unsupported(str(error)) from None
        for type in types:
            if type.size > LARGEST:
                raise Unsupported(f"its result {type} has more than {LARGEST} elements; smaller ones would be accepted")
        known, nbytes = all(a is not None for a, v in zip(arrays, inputs) if v), sum(t.nbytes for t in types)
        if known and nbytes < FOLD_LIMIT and self.graph.make_room(nbytes):
            return tuple(self.add_constant(a) for a in op.reference(*arrays))
        outputs = tuple(self.graph.fresh("".join(self.outputs[k : k + 1]) or f"{self.name}:{k}") for k in range(len(types)))
        name = self.graph.fresh(self.name or f"{self.op.lower()}{self.position}")
        self.graph.add_node(Node(name, op, inputs, outputs, position=self.position, sources=(self.name,)))
        return outputs


@dataclass
class OnnxNode(SourceNode):
    """A node of an ONNX graph.

    Attributes:
        opset: the version of the operator set that the file imports for the node's domain.
        attributes: by name, as Python values (tensors as arrays).
        inline: imports the graph of an attribute on operands, in the place of this node; gives its results, or raises `Refused`.
        elements: of each operand the name of its element type where numpy lacks it, else ""; element: that of the first output.
    """

    opset: int
    attributes: dict[str, Any]
    inline: Callable[[str, Sequence[str]], list[str]]
    elements: tuple[str, ...] = ()
    element: str = ""

    def attr(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)


@dataclass
class TfliteNode(SourceNode):
    """An operator of a TFLite subgraph.

    Attributes:
        version: of the operator.
        options: the builtin options by their names in the schema (`stride_w`, `fused_activation_function`); enums as names.
        results: the types of the outputs as the file records them, open where it leaves an extent open.
        custom: the custom options, decoded from FlexBuffers where they can be.
        inline: imports a subgraph, by its number, on operands, in the place of this node; gives its results, or raises `Refused`.
        handed_on: of a subgraph, by its number, which results are the operands in their places, as they are.
        assign: gives a variable tensor, operand k, another value.
        variables: those of the model.
        grid_of_floats: where floats meet integer weights, to what grid of 8 bits LiteRT rounds them at run time; else "".
        ordered: somewhere in the model it does, and makes steps of last bits: an operator on floats rounds as LiteRT's does.
    """

    version: int
    options: Any
    inline: Callable[[int, Sequence[str]], list[str]]
    handed_on: Callable[[int], list[bool]]
    assign: Callable[[int, str], None]
    variables: Variables
    results: tuple[TensorType, ...] = ()
    custom: Any = None
    grid_of_floats: Literal["", "symmetric", "asymmetric"] = ""
    ordered: bool = False


    def shape_operand(self, index: int, what: str) -> tuple[int, ...]:
        """The shape of the first result, which an operand holds; where it is computed, the one that the file records.

        A file records no extent as open where its writer could tell what the operand holds in every run: then it is as good as constant.

        Raises:
            ComputedOperand: the operand is computed, and the file leaves extents of the result open.
        """
        recorded = self.results[0]
        if self.input(index) and self.array(index) is None and not recorded.open and self.shape(index) == (recorded.rank,):
            return recorded.shape
        return self.integers(index, what)


@dataclass
class QuantizedNode(TfliteNode):
    """An operator between quantised tensors, on steps: floats that are whole numbers, stored number - zero point.

    Attributes:
        bits: of each operand that is quantised, 8 or 16, else 0. scales: float32, one or one per channel, or of size 0. zeros: their
            zero points, or 0.
        grid: scale, zero point, and the least and the greatest number stored, of the result, if it is quantised.
        intermediates: scale and zero point of each tensor that the operator has for numbers in between; 0 where it has no grid.
    """

    bits: tuple[int, ...] = ()
    scales: tuple[np.ndarray, ...] = ()
    zeros: tuple[int, ...] = ()
    grid: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    intermediates: tuple[tuple[float, int], ...] = ()


OnnxImporter = Callable[[OnnxNode], Result]
TfliteImporter = Callable[[TfliteNode], Result]
ONNX: dict[str, OnnxImporter] = {}
TFLITE: dict[str, TfliteImporter] = {}
QUANTIZED: dict[tuple[str, int, int], Callable[[QuantizedNode], Result]] = {}
"""Importers of TFLite operators between quantised tensors, by operator and the bits of its data and of its results."""
EIGHT, SIXTEEN = (8, 8), (16, 16)
HOSTED: dict[Callable[..., Result], str] = {}
"""When the operators of an importer run on the host: "always", or "where …". Their operands may have shapes that depend on data."""
F = TypeVar("F", bound=Callable[..., Result])


def onnx_op(*names: str, host: str = "") -> Callable[[F], F]:
    """Registers the importer of ONNX operators; a name of another domain is written "domain::Name".

    Args:
        host: when they run on the host, as of `HOSTED`; never by default.
    """
    return lambda function: _register(ONNX, names, host, function)


def tflite_op(*names: str, host: str = "") -> Callable[[F], F]:
    """Registers the importer of TFLite operators: builtin names, or the names of custom ops.

    Args:
        host: as of `onnx_op`.
    """
    return lambda function: _register(TFLITE, names, host, function)


def quantized_op(*names: str, bits: Iterable[tuple[int, int]] = (EIGHT,)) -> Callable[[F], F]:
    """Registers the importer of TFLite operators between quantised tensors.

    Args:
        bits: how many the data and the results have.
    """
    return lambda function: _register(QUANTIZED, [(name, *pair) for name, pair in product(names, bits)], "", function)


def _register(registry: dict[Any, Callable[..., Result]], names: Sequence[Any], host: str, function: F) -> F:
    registry.update(dict.fromkeys(names, function))
    if host:
        HOSTED[function] = host
    return function
