"""A model run by the names that a signature of its file gives to inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from .interpreter import Interpreter


class SignatureRunner:
    """What `Interpreter.get_signature_runner` gives: called with an array for each input, by name, it gives a dict of the outputs."""

    def __init__(self, interpreter: Interpreter, name: str, inputs: Mapping[str, int], outputs: Mapping[str, int]):
        """Args: the name of the signature; name -> index of its inputs and outputs."""
        self._interpreter, self._name, self._inputs, self._outputs = interpreter, name, inputs, outputs

    def __call__(self, **inputs: Any) -> dict[str, np.ndarray]:
        """Computes the outputs. Inputs are resized to what is given, where the model leaves that open.

        Raises:
            InputError: a name, shape or dtype does not fit; says what is accepted.
        """
        unknown = [name for name in inputs if name not in self._inputs]
        missing = [name for name in self._inputs if name not in inputs]
        if unknown or missing:
            wrong = f"has no input '{unknown[0]}'" if unknown else f"input '{missing[0]}' is missing"
            raise InputError(f"signature '{self._name}': {wrong}; its inputs are: {', '.join(self._inputs) or 'none'}")
        for name, value in inputs.items():
            self._interpreter.resize_tensor_input(self._inputs[name], np.shape(value))
        self._interpreter.allocate_tensors()
        for name, value in inputs.items():
            self._interpreter.set_tensor(self._inputs[name], value)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}

    def get_input_details(self) -> dict[str, dict[str, Any]]:
        """As those of the interpreter, by name."""
        return self._by_name(self._inputs, self._interpreter.get_input_details())

    def get_output_details(self) -> dict[str, dict[str, Any]]:
        """As those of the interpreter, by name."""
        return self._by_name(self._outputs, self._interpreter.get_output_details())

    @staticmethod
    def _by_name(names: Mapping[str, int], details: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        by_index = {each["index"]: each for each in details}
        return {name: by_index[index] for name, index in names.items()}
