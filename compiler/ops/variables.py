"""Variables of TFLite: resources that operators name, read and assign; a run finds in them what the run before has left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..errors import ComputedOperand, Unsupported
from ..ir import Graph, TensorType
from .importing import TfliteNode, tflite_op


class Variables:
    """The variables of a model: states of its graph.

    Attributes:
        current: the value of each, by its number, at this point of the file.
        once: whether what is assigned now is what the variables hold before the first run.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.current: dict[int, str] = {}
        self.once = False
        self._numbers: dict[str, int] = {}
        self._states: dict[int, str] = {}

    def handle(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    def read(self, number: int, type: TensorType) -> str:
        """The value of a variable; of one that nothing has been assigned to, zeros of a type.

        Raises:
            Unsupported: nothing has been assigned to it, and extents of the type are open.
        """
        if number not in self.current:
            if type.open:
                raise Unsupported("a variable without contents before the first run, of which the file leaves extents open; "
                                  "a whole shape would be accepted")
            self._declare(number, np.broadcast_to(np.zeros((), type.dtype), type.shape))
        return self.current[number]

    def initially(self, number: int) -> str:
        """The value of a variable at the beginning of a run."""
        return self._states[number]

    def rewind(self, before: Mapping[int, str]) -> None:
        """Gives variables the values that they had; those met since then hold what they do at the beginning of a run."""
        self.current = {number: before.get(number, self.initially(number)) for number in self.current}

    def assign(self, number: int, value: str) -> None:
        """Gives a variable another value.

        Raises:
            ComputedOperand: it should hold that before the first run, and the value is computed.
        """
        array = self.graph.constant(value)
        if self.once:
            if array is None:
                raise ComputedOperand("what a variable holds before the first run is computed; it must be constant", value)
            self._declare(number, array)
            return
        type = self.graph.type(value)
        if number not in self.current:
            self._declare(number, np.broadcast_to(np.zeros((), type.dtype), type.shape))
        self.current[number] = value
        self.graph.set_state(self._states[number], value)

    def _declare(self, number: int, initial: np.ndarray) -> None:
        if number in self._states:
            name = self._states[number]
            self.graph.states[name] = replace(self.graph.states[name], initial=initial)
            return
        name = next(key for key, k in self._numbers.items() if k == number)
        self.current[number] = self._states[number] = self.graph.add_state(name, initial)


@tflite_op("VAR_HANDLE")
def tflite_var_handle(n: TfliteNode) -> str:
    """A handle is the number of the variable."""
    name = "/".join(filter(None, (n.options.container, n.options.shared_name)))
    return n.add_constant(np.asarray(n.variables.handle(name or n.name), np.int32))


@tflite_op("READ_VARIABLE")
def tflite_read_variable(n: TfliteNode) -> str:
    return n.variables.read(int(n.constant(0, "the variable").item()), n.results[0])


@tflite_op("ASSIGN_VARIABLE")
def tflite_assign_variable(n: TfliteNode) -> tuple[str, ...]:
    n.variables.assign(int(n.constant(0, "the variable").item()), n.input(1))
    return ()


@tflite_op("CALL_ONCE")
def tflite_call_once(n: TfliteNode) -> tuple[str, ...]:
    """Runs before the first run, at compilation."""
    n.variables.once = True
    try:
        n.inline(n.options.init_subgraph_index, ())
    finally:
        n.variables.once = False
    return ()
