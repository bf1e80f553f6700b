"""What can go wrong between a model file and a plan.

    PlanishError                  (planish.runtime.errors)
    └── CompileError              any refusal of the compiler
        ├── ModelError            the file is missing, damaged or not a model
        ├── OptionError           an option does not fit the model or the device
        ├── UnsupportedError      nodes that no op of this compiler can take; lists every one
        ├── DifferenceError       a plan does not give what its model says
        └── GraphError            a graph that contradicts itself: a fault of a frontend or a pass

Every message says where, what, and what would be accepted; the command line prints it as one `error:` line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from planish.runtime.errors import PlanError, PlanishError

NO_OPERATOR = "no such operator is supported"
"""The reason of a node whose operator has no importer."""


class CompileError(PlanishError):
    """The model cannot be compiled as asked."""


class ModelError(CompileError):
    """The file is not a model that can be read."""


class OptionError(CompileError):
    """An option names something that the model or the device does not have."""


class DifferenceError(CompileError):
    """A plan's outputs are not those of the reference."""


class GraphError(CompileError):
    """The graph is inconsistent; raised by `Graph.verify` and by the shape inference of ops."""


@contextmanager
def blaming(path: str | Path) -> Iterator[None]:
    """Says of what contradicts itself from which file it came: damage that shows first where all is put together.

    Raises:
        ModelError: in its place.
    """
    try:
        yield
    except (GraphError, PlanError) as error:
        raise ModelError(f"{path}: {error}; a model that contradicts itself, or a fault of planish") from error


class Unsupported(Exception):
    """Raised by an importer for the node at hand: why, and what would be accepted."""


class ComputedOperand(Unsupported):
    """Raised by an importer for an operand that has to be constant and is computed at run time.

    Attributes:
        value: the operand, as a value of the graph.
    """

    def __init__(self, reason: str, value: str):
        super().__init__(reason)
        self.value = value


class Refused(Exception):
    """Raised out of an importer by nodes within its own that were refused; the desk has the reasons."""


class UnsupportedError(CompileError):
    """Nodes that cannot be compiled; the message tells those of one operator and one reason together.

    Attributes:
        nodes: (node, op, reason) of each, in the order of the file.
        deciders: inputs of the model from which operands come that have to be constant, in the model's order.
    """

    def __init__(self, path: str, nodes: list[tuple[str, str, str]], deciders: Sequence[str] = ()):
        self.nodes = tuple(nodes)
        self.deciders = tuple(deciders)
        alike: dict[tuple[str, str], list[str]] = {}
        for node, op, reason in nodes:
            alike.setdefault((op, reason), []).append(f"'{node}'")
        listed = "; ".join(f"{op} {', '.join(names)}: {reason}" for (op, reason), names in alike.items())
        count = f"{len(nodes)} nodes" if len(nodes) > 1 else "1 node"
        hint = " (`planish ops` lists those that are)" if any(reason.startswith(NO_OPERATOR) for *_, reason in nodes) else ""
        if deciders:
            values = " ".join(f"--input-value {name}=…" for name in deciders)
            hint = f"{hint} (where inputs decide such operands, {values} makes them constants)"
        super().__init__(f"{path}: {count} not supported: {listed}{hint}")
