"""The graph of a model: values, nodes, and the rules they keep.

A `Graph` is a bipartite `networkx.DiGraph`: a vertex is a value (one tensor) or a node (one operation), its payload one
frozen dataclass. Edges follow from `Node.inputs`, `Node.epilogue` and `Node.outputs`; operand order lives in those tuples.
Nothing outside this file touches networkx.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import networkx as nx
import numpy as np

from planish.runtime.plan import Recorded, Signature

from .errors import GraphError
from .layout import Layout

MOST_ELEMENTS = 2**31 - 1
"""Of a tensor: kernels count them with an int."""
ROOM = 1 << 28
"""Bytes that constants may take which are made of others; `GROWTH` for each byte of the file come on top."""
GROWTH = 16
SMALL = 1 << 12
"""Bytes of a constant that finds room always, as shapes have to."""


@dataclass(frozen=True)
class TensorType:
    """Shape and element type of a tensor.

    Attributes:
        open: the dimensions whose extents depend on data; in `shape` stands the most that they can be. Such a tensor lies on the host, and
            only ops that run there read it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    open: tuple[int, ...] = ()

    @staticmethod
    def of(array: np.ndarray) -> TensorType:
        return TensorType(tuple(array.shape), array.dtype)

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(map(int, self.shape))  # of Python's integers, which do not overflow

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(f'<={e}' if d in self.open else str(e) for d, e in enumerate(self.shape))}]"


@dataclass(frozen=True)
class Value:
    """One tensor.

    Attributes:
        data: the contents of a constant.
        layout: where its elements lie; None until the layout pass.
        home: the value in whose buffer it lies; None where it has a buffer of its own.
    """

    name: str
    type: TensorType
    data: np.ndarray | None = field(default=None, compare=False)
    layout: Layout | None = None
    home: str | None = None


class Operation(Protocol):
    """What a node needs of its op; `planish.compiler.ops.op.Op` is the real thing."""

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]: ...

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]: ...


Arg = int | str


@dataclass(frozen=True)
class Step:
    """One operation of an epilogue, applied to the result before it is stored.

    Attributes:
        op: an element-wise op.
        args: its operands: k >= 0 is the k-th result so far (0: of the node's op, k: of step k), a string names a value
            that broadcasts to the result.
    """

    op: Operation
    args: tuple[Arg, ...]


@dataclass(frozen=True)
class Node:
    """One operation, followed by its epilogue.

    Attributes:
        inputs: names of values; "" where an optional operand is absent.
        outputs: names of values; the epilogue applies to the only one.
        position: place in the source file, which breaks ties in the order of execution.
        sources: the names, in the source file, of the nodes it stands for.
    """

    name: str
    op: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    epilogue: tuple[Step, ...] = ()
    position: int = 0
    sources: tuple[str, ...] = ()

    @property
    def output(self) -> str:
        """The first output."""
        return self.outputs[0]

    @property
    def operands(self) -> tuple[str, ...]:
        """Every value it reads: inputs, then the epilogue's, each once."""
        extra = (a for step in self.epilogue for a in step.args if isinstance(a, str))
        return tuple(dict.fromkeys(v for v in (*self.inputs, *extra) if v))


@dataclass(frozen=True)
class State:
    """What a model keeps from one run to the next.

    Attributes:
        output: its entry in the graph's outputs, whose value it has behind a run.
        initial: before the first run.
    """

    output: str
    initial: np.ndarray = field(compare=False)


class Graph:
    """A model: inputs, outputs, and what lies between.

    Attributes:
        inputs: names of the values that the user supplies, in the model's order, and of states as they are before a run.
        outputs: the model's name of each output -> the value that it is; states as they are behind a run among them.
        states: name of an input that is a state -> what becomes of it.
        recorded: what the file says of its inputs and outputs, by ("input", name) or ("output", name); signatures: what it calls them.
        journal: names of the nodes added since somebody last emptied it.
        room: bytes that further constants may take which are made of others, so that a small file cannot fill the memory.
    """

    def __init__(self, name: str = "model"):
        self.name = name
        self.inputs: list[str] = []
        self.outputs: dict[str, str] = {}
        self.states: dict[str, State] = {}
        self.recorded: dict[tuple[str, str], Recorded] = {}
        self.signatures: tuple[Signature, ...] = ()
        self.journal: list[str] = []
        self.room = ROOM
        self._vertices = nx.DiGraph()
        self._sequence: list[str] | None = None  # names of all nodes as `nodes` gives them, until an edge changes
        self._fresh: dict[str, int] = {}

    # -- reading

    def value(self, name: str) -> Value:
        return self._vertices.nodes["value", name]["payload"]

    def node(self, name: str) -> Node:
        return self._vertices.nodes["node", name]["payload"]

    def has_value(self, name: str) -> bool:
        return ("value", name) in self._vertices

    def has_node(self, name: str) -> bool:
        return ("node", name) in self._vertices

    def type(self, name: str) -> TensorType:
        return self.value(name).type

    def constant(self, name: str) -> np.ndarray | None:
        """The contents of a value that is constant, else None."""
        return self.value(name).data if name else None

    def producer(self, name: str) -> Node | None:
        """The node that computes a value; None for inputs and constants."""
        for key in self._vertices.predecessors(("value", name)):
            return self.node(key[1])
        return None

    def has_source(self, name: str) -> bool:
        """Whether a value is an input, a constant or computed."""
        return name in self.inputs or self.constant(name) is not None or self.producer(name) is not None

    def consumers(self, name: str) -> list[Node]:
        """The nodes that read a value, in a reproducible order."""
        nodes = [self.node(key[1]) for key in self._vertices.successors(("value", name))]
        return sorted(nodes, key=_order) if len(nodes) > 1 else nodes

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """The values from which the given ones are computed, themselves included."""
        found = set(names)
        stack = list(found)
        while stack:
            producer = self.producer(stack.pop())
            fresh = set(producer.operands) - found if producer else set()
            found |= fresh
            stack += fresh
        return found

    def is_output(self, name: str) -> bool:
        return name in self.outputs.values()

    def values(self) -> list[Value]:
        """Every value, in the order of insertion."""
        return [d["payload"] for (kind, _), d in self._vertices.nodes(data=True) if kind == "value"]

    def nodes(self, among: Iterable[str] | None = None) -> list[Node]:
        """Every node, producers first; ties go to the earlier position in the source, then to the name.

        Args:
            among: names of nodes; of others that lie between them nothing is known.

        Raises:
            GraphError: there is a cycle.
        """
        if among is None:
            if self._sequence is None:
                self._sequence = list(self._sorted(self._vertices))
            return [self.node(name) for name in self._sequence]
        chosen = [("node", name) for name in dict.fromkeys(among) if self.has_node(name)]
        around = (v for key in chosen for v in (*self._vertices.predecessors(key), *self._vertices.successors(key)))
        return [self.node(name) for name in self._sorted(self._vertices.subgraph([*chosen, *around]))]

    def _sorted(self, graph: nx.DiGraph) -> Iterator[str]:
        vertices = self._vertices.nodes

        def key(vertex: tuple[str, str]) -> tuple[int, int, str]:
            kind, name = vertex
            return (0, 0, name) if kind == "value" else (1, vertices[vertex]["payload"].position, name)

        try:
            for kind, name in nx.lexicographical_topological_sort(graph, key):
                if kind == "node":
                    yield name
        except nx.NetworkXUnfeasible:
            raise GraphError(f"{self.name}: the graph has a cycle") from None

    def walk(self) -> Iterator[Node]:
        """Every node as `nodes`, and behind each loop those of its body."""
        for node in self.nodes():
            yield node
            if node.op.driven:
                yield from node.op.body.walk()

    def __len__(self) -> int:
        """Number of nodes, those of bodies left out."""
        return sum(1 for kind, _ in self._vertices if kind == "node")

    # -- writing

    def fresh(self, hint: str) -> str:
        """A name that neither a value nor a node has."""
        if not self.has_value(hint) and not self.has_node(hint):
            return hint
        count = self._fresh.get(hint, 0)
        while True:
            count += 1
            name = f"{hint}.{count}"
            if not self.has_value(name) and not self.has_node(name):
                self._fresh[hint] = count
                return name

    def add_value(self, value: Value) -> str:
        """Adds a value, or replaces the payload of the one with its name."""
        self._vertices.add_node(("value", value.name), payload=value)
        return value.name

    def add_input(self, name: str, type: TensorType) -> str:
        self.inputs.append(name)
        return self.add_value(Value(name, type))

    def add_state(self, hint: str, initial: np.ndarray) -> str:
        """Adds a state, which a run leaves as it is until it is given another value behind it."""
        name = self.fresh(hint)
        output = f"{name}:next"
        while output in self.outputs:
            output += "'"
        self.states[name] = State(output, initial)
        self.outputs[output] = name
        return self.add_input(name, TensorType.of(initial))

    def set_state(self, name: str, value: str) -> None:
        """Gives a state the value that it has behind a run."""
        self.outputs[self.states[name].output] = value

    @property
    def external_inputs(self) -> list[str]:
        """The inputs that the user supplies."""
        return [name for name in self.inputs if name not in self.states]

    @property
    def external_outputs(self) -> dict[str, str]:
        """The outputs that the user gets."""
        kept = {state.output for state in self.states.values()}
        return {name: value for name, value in self.outputs.items() if name not in kept}

    def make_room(self, nbytes: int) -> bool:
        """Whether a constant of so many bytes may be made of others; it takes its part of the room."""
        if nbytes <= SMALL:
            return True
        if nbytes > self.room:
            return False
        self.room -= nbytes
        return True

    def add_constant(self, data: np.ndarray, hint: str = "const") -> str:
        return self.add_value(Value(self.fresh(hint), TensorType.of(data), data))

    def add_node(self, node: Node) -> Node:
        """Adds a node; its output values are made, with inferred types, where they do not exist.

        Raises:
            GraphError: a value that it reads does not exist, or the op refuses its operands.
        """
        for name in node.operands:
            if not self.has_value(name):
                raise GraphError(f"node '{node.name}' reads '{name}', which does not exist")
        for name, type in zip(node.outputs, self.infer(node)):
            if not self.has_value(name):
                self.add_value(Value(name, type))
        self.journal.append(node.name)
        self._sequence = None
        self._vertices.add_node(("node", node.name), payload=node)
        self._vertices.add_edges_from((("value", v), ("node", node.name)) for v in node.operands)
        self._vertices.add_edges_from((("node", node.name), ("value", v)) for v in node.outputs if v)
        return node

    def emit(self, op: Any, *inputs: str, like: Node, hint: str = "") -> str:
        """Adds a node with one new output, in the place of `like`; returns the output's name."""
        output = self.fresh(hint or like.output)
        name = self.fresh(f"{like.name}:{type(op).__name__.lower()}")
        self.add_node(Node(name, op, inputs, (output,), position=like.position, sources=like.sources))
        return output

    def remove_node(self, name: str) -> None:
        """Removes a node; its outputs stay, without a producer, until `sweep`."""
        self._sequence = None
        self._vertices.remove_node(("node", name))

    def replace_node(self, old: Node, new: Node) -> Node:
        """Puts a node in the place of another."""
        self.remove_node(old.name)
        return self.add_node(new)

    def replace_uses(self, old: str, new: str) -> None:
        """Lets every reader of one value, and the model's outputs, take another."""
        for node in self.consumers(old):
            inputs = tuple(new if v == old else v for v in node.inputs)
            epilogue = tuple(
                replace(s, args=tuple(new if a == old else a for a in s.args)) for s in node.epilogue
            )
            self.replace_node(node, replace(node, inputs=inputs, epilogue=epilogue))
        for name, value in self.outputs.items():
            if value == old:
                self.outputs[name] = new

    def sweep(self) -> list[Node]:
        """Removes what no output depends on; returns the nodes removed. Inputs stay."""
        roots = [("value", v) for v in self.outputs.values()]
        alive = set(roots)
        stack = list(roots)
        while stack:
            for key in self._vertices.predecessors(stack.pop()):
                if key not in alive:
                    alive.add(key)
                    stack.append(key)
        for key in list(alive):
            if key[0] == "node":
                alive.update(("value", v) for v in self.node(key[1]).outputs)
        alive.update(("value", v) for v in self.inputs)
        dead = [key for key in self._vertices if key not in alive]
        nodes = [self.node(name) for kind, name in dead if kind == "node"]
        self._sequence = None if nodes else self._sequence
        self._vertices.remove_nodes_from(dead)
        return nodes

    def copy(self) -> Graph:
        """An independent graph with the same (immutable) payloads."""
        other = Graph(self.name)
        other.inputs = list(self.inputs)
        other.outputs = dict(self.outputs)
        other.states = dict(self.states)
        other.recorded, other.signatures = dict(self.recorded), self.signatures
        other.room = self.room
        other._vertices, other._sequence = self._vertices.copy(), self._sequence
        other._fresh = dict(self._fresh)
        return other

    # -- rules

    def infer(self, node: Node) -> tuple[TensorType, ...]:
        """The types of a node's outputs, by its op's and its epilogue's own inference.

        Raises:
            GraphError: an op refuses its operands; names the node.
        """
        try:
            types = node.op.infer(*(self.type(v) if v else None for v in node.inputs))
            results = [types[0]]
            for step in node.epilogue:
                args = (results[a] if isinstance(a, int) else self.type(a) for a in step.args)
                results.append(step.op.infer(*args)[0])
        except GraphError as error:
            raise GraphError(f"node '{node.name}' ({type(node.op).__name__}): {error}") from None
        return types if not node.epilogue else (results[-1],)

    def verify(self) -> None:
        """Checks the rules every graph keeps.

        Acyclic; each value has exactly one source (producer, input or constant); outputs exist; states keep their types; only ops that
        run on the host read values whose shapes depend on data; each op's own shape inference equals the recorded types.

        Raises:
            GraphError: says which rule is broken, where.
        """
        for name in self.outputs.values():
            if not self.has_value(name):
                raise GraphError(f"output '{name}' does not exist")
        for name, state in self.states.items():
            if self.type(name) != self.type(self.outputs[state.output]):
                raise GraphError(f"state '{name}' of {self.type(name)} becomes {self.type(self.outputs[state.output])}")
        inputs = set(self.inputs)
        for value in self.values():
            key = ("value", value.name)
            producers = self._vertices.in_degree(key)
            sources = producers + (value.name in inputs) + (value.data is not None)
            used = self._vertices.out_degree(key) or self.is_output(value.name)
            if sources > 1 or (used and not sources):
                raise GraphError(f"value '{value.name}' has {sources} sources; it needs one: a node, an input or a constant")
        for node in self.nodes():
            unbound = [name for name in node.operands if self.type(name).open]
            if unbound and not node.op.host:
                raise GraphError(f"node '{node.name}' reads '{unbound[0]}', whose shape depends on data, and does not run on the host")
            for name, type in zip(node.outputs, self.infer(node)):
                if name and self.type(name) != type:
                    raise GraphError(f"node '{node.name}': '{name}' is recorded as {self.type(name)}, but the op gives {type}")


def evaluate(graph: Graph, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Runs a graph by the numpy reference of its ops: the oracle of every test.

    Args:
        feed: an array for each of the graph's inputs.

    Returns:
        Every value of the graph, by name.
    """
    arrays = {v.name: v.data for v in graph.values() if v.data is not None} | dict(feed)
    for node in graph.nodes():
        arrays.update(zip(node.outputs, evaluate_node(node, arrays)))
    return arrays


def evaluate_node(node: Node, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """The outputs of one node, its epilogue included."""
    outputs = node.op.reference(*(arrays[v] if v else None for v in node.inputs))
    results = [outputs[0]]
    for step in node.epilogue:
        args = (results[a] if isinstance(a, int) else arrays[a] for a in step.args)
        results.append(step.op.reference(*args)[0])
    return tuple(outputs) if not node.epilogue else (results[-1],)


def _order(node: Node) -> tuple[int, str]:
    return node.position, node.name
