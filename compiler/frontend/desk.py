"""Where the nodes of a file meet their importers; what cannot be imported is gathered, to be told in one go."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from ..errors import NO_OPERATOR, ComputedOperand, ModelError, Refused, Unsupported, UnsupportedError
from ..ir import Graph
from ..ops.importing import HOSTED, ONNX, TFLITE, Result, SourceNode
from ..ops.on_host import OPEN

FAULTS = (AssertionError, AttributeError, ArithmeticError, LookupError, TypeError, ValueError, struct.error)
"""What an importer stumbles over when a node lacks the operands or attributes that its operator has."""

MOST_INLINED = 1 << 16
"""Nodes that calls of functions and subgraphs, and runs of loops, may come to."""
MOST_EMITTED = 1 << 14
"""Nodes of the graph that a file may come to which calls and runs of loops make larger; for each of its own `OWN` more."""
OWN = 16
NUMBERS = "biufc"
"""Kinds of numpy's types that values may have."""
DEEPEST = 64
"""Graphs and functions that may lie within one another."""
N = TypeVar("N", bound=SourceNode)
Found = TypeVar("Found")


class Desk:
    """Takes source nodes, one by one.

    Attributes:
        refused: (node, op, reason) of each node that could not be imported.
    """

    def __init__(self, path: Path, graph: Graph, nodes: int):
        """Args:
        nodes: of the file.
        """
        self.path = path
        self.graph = graph
        self.refused: list[tuple[str, str, str]] = []
        self._cause: Exception | None = None
        self._computed: list[str] = []
        self._inlined, self._most_emitted = 0, MOST_EMITTED + OWN * nodes

    def refuse(self, name: str, op: str, reason: str, cause: Exception | None = None) -> None:
        self.refused.append((name, op, reason))
        self._cause = self._cause or cause

    def enter(self, name: str, count: int, depth: int) -> None:
        """Counts the nodes of a graph or a function that a node runs, before they are imported.

        Raises:
            ModelError: there are too many in all, or it lies too deep.
        """
        self._inlined += count + 1
        if self._inlined > MOST_INLINED:
            what = f"calls and runs of loops come to more than {MOST_INLINED} nodes"
            raise ModelError(f"{self.path}: '{name}': {what}; fewer would be accepted")
        if len(self.graph.journal) > self._most_emitted:
            what = f"calls and runs of loops make a graph of more than {self._most_emitted} nodes"
            raise ModelError(f"{self.path}: '{name}': {what}; fewer would be accepted")
        if depth > DEEPEST:
            what = f"more than {DEEPEST} graphs and functions lie within one another"
            raise ModelError(f"{self.path}: '{name}': {what}; fewer would be accepted")

    def importer(self, name: str, op: str, find: Callable[[], Found | None]) -> Found | None:
        """The importer of a node, which may depend on its operands and attributes; None where it has none, or is refused for them."""
        try:
            found = find()
        except FAULTS as error:
            self._misfit(name, op, error)
            return None
        if found is None:
            self.refuse(name, op, NO_OPERATOR)
        return found

    def _misfit(self, name: str, op: str, error: Exception) -> None:
        what = f"{type(error).__name__}: {error}"
        self.refuse(name, op, f"its operands or attributes do not fit the operator ({what})", error)

    def take(
        self, name: str, op: str, importer: Callable[[N], Result], make: Callable[[], N], *, wanted: Collection[int]
    ) -> tuple[str, ...] | None:
        """The values of a node's outputs; None where it is refused.

        Args:
            make: the node; it may raise `Unsupported` for an operand.
            wanted: the numbers of the outputs that are used.
        """
        try:
            node = make()
            result = _taker(node, importer)(node)
            values = (result,) if isinstance(result, str) else tuple(result)
            if len(values) <= max(wanted, default=-1):
                raise Unsupported(f"of its outputs {len(values)} would be accepted, but {max(wanted) + 1} are used")
            if not all(values[k] for k in wanted):
                raise Unsupported("an operand is missing without which what it computes has no value")
            for type in (node.graph.type(v) for v in values if v):
                if type.dtype.kind not in NUMBERS:
                    raise Unsupported(f"its result would be of {type.dtype}; numbers and truth values would be accepted")
            return values
        except Unsupported as error:
            if isinstance(error, ComputedOperand):
                self._computed.append(error.value)
            self.refuse(name, op, str(error), error)
        except Refused:
            return None
        except FAULTS as error:
            self._misfit(name, op, error)
        return None

    def close(self) -> None:
        """Raises `UnsupportedError` for what has been refused."""
        if self.refused:
            sources = self.graph.ancestors(self._computed)
            deciders = [name for name in self.graph.inputs if name in sources]
            raise UnsupportedError(str(self.path), self.refused, deciders) from self._cause


def _taker(node: SourceNode, importer: Callable[..., Result]) -> Callable[..., Result]:
    """The importer of a node: its operator's, or, for operands whose shapes depend on data, that of the operator on the host.

    Raises:
        Unsupported: there is none.
    """
    for k, value in enumerate(node.inputs):
        if value and importer not in HOSTED and (type := node.graph.type(value)).open:
            if node.op in OPEN:
                return OPEN[node.op]
            hosted = (name for registry in (ONNX, TFLITE) for name, each in registry.items() if each in HOSTED)
            accepted = f"outputs of the model, and operands of {', '.join(sorted({*hosted, *OPEN}))}, may be such"
            raise Unsupported(f"the shape of operand {k} ({type}) depends on data; {accepted}")
    return importer
