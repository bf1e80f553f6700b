"""The calls of LiteRT's `Interpreter`, tf.lite's, on a session: a script for it runs with one import changed.

    from planish.runtime import Interpreter
    interpreter = Interpreter("model.tflite")
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    result = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

A tensor's index is its number in the .tflite file. Of another model it is its place among all inputs and outputs.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyopencl as cl

from . import given
from .devices import Selector, find
from .errors import InputError
from .models import Model, folder_of, plan_of
from .plan import Signature, Tensor
from .session import Session
from .signatures import SignatureRunner

ABOUT_LITERT = (
    "experimental_op_resolver_type", "experimental_disable_delegate_clustering", "experimental_default_delegate_latest_features",
    "experimental_compress_quantization_zero_points", "experimental_disable_delegate_node_fusion",
    "experimental_force_delegate_node_profiling",
)  # fmt: skip
"""Options that choose among LiteRT's own kernels and delegates; whatever they say, there are none here."""


class Interpreter:
    """A model whose tensors are set, computed and read one after another. To be used by one thread at a time."""

    def __init__(self, model_path: str | os.PathLike[str] | None = None, model_content: bytes | None = None,
                 experimental_delegates: Sequence[object] | None = None, num_threads: int | None = None, *, device: Selector = None,
                 **options: Any):
        """Reads a plan, or compiles a model, unless it has been compiled before. Dimensions that a .tflite file leaves open have the
        extents recorded there, as in LiteRT, until they are resized.

        Args:
            model_path: a plan's folder, or a model's file; model_content: the content of such a file, in place of it.
            experimental_delegates: none are accepted.
            num_threads: threads at most. An OpenCL driver for the CPU starts as many as it likes; where these are more, a warning says so.
            device: as of `planish.runtime.load`.
            options: beside a model those of `planish.runtime.models.OPTIONS`; what chooses among LiteRT's kernels changes nothing.

        Raises:
            InputError: an option is not accepted.
            PlanishError: the model cannot be had, as of `planish.runtime.models.plan_of`, or not be run, as of `planish.runtime.load`.
        """
        model = model_path if model_content is None else bytes(model_content)
        if model is None or (model_path is not None and model_content is not None):
            raise InputError("model_path and model_content: one of them is accepted, and needed")
        if experimental_delegates:
            raise InputError("experimental_delegates: none are accepted, for they are code for LiteRT; device= says where to run")
        if options.pop("experimental_preserve_all_tensors", False):
            raise InputError("experimental_preserve_all_tensors: what lies between inputs and outputs is not kept; False is accepted")
        self._model: Model = model
        self._device = find(device)
        _check_threads(num_threads, self._device)
        self._resized: dict[str, tuple[int, ...]] = {}
        self._computed: dict[str, np.ndarray] = {}
        self._open({name: value for name, value in options.items() if name not in ABOUT_LITERT})

    def allocate_tensors(self) -> None:
        """Compiles the model for the shapes to which inputs have been resized, if they have been, and begins anew with it.

        Raises:
            CompileError: it does not allow them.
        """
        if self._resized:
            shapes = {**(self._options.get("input_shapes") or {}), **self._resized}
            self._open({**self._options, "input_shapes": shapes})
            self._resized = {}

    def get_input_details(self) -> list[dict[str, Any]]:
        """Name, index, shape, dtype and quantisation of each input, in LiteRT's form."""
        return [self._details(index, tensor) for index, tensor in self._inputs.items()]

    def get_output_details(self) -> list[dict[str, Any]]:
        """The like of each output; -1 is a dimension that depends on data, until it has been computed."""
        return [self._details(index, tensor) for index, tensor in zip(self._order, self._session.outputs)]

    def set_tensor(self, tensor_index: int, value: Any) -> None:
        """Copies an array, or what numpy makes one of, to an input.

        Raises:
            InputError: there is no such input, or it does not have the shape and dtype of the array.
        """
        tensor = self._input(tensor_index)
        if isinstance(value, cl.Buffer):
            raise InputError(f"input '{tensor.name}' is a buffer; an array is accepted, and buffers by Session.run")
        session = self._ready()
        (array,) = given.inputs([tensor], [value], session.queue.context)
        session.input(tensor.name)[...] = array

    def get_tensor(self, tensor_index: int) -> np.ndarray:
        """A copy of an input or an output.

        Raises:
            InputError: there is no such tensor, or it has a shape that only a run tells.
        """
        return self._array(tensor_index).copy()

    def tensor(self, tensor_index: int) -> Callable[[], np.ndarray]:
        """A function that gives an input or an output itself: to be filled, or read, until the next call of `invoke`."""
        self._tensor(tensor_index)
        return lambda: self._array(tensor_index)

    def invoke(self) -> None:
        """Computes the outputs."""
        session = self._ready()
        outputs = {t.name: session.output(t.name) for t in session.outputs if not t.open}
        self._computed = session.run({t.name: session.input(t.name) for t in session.inputs}, outputs)

    def resize_tensor_input(self, input_index: int, tensor_size: Sequence[int], strict: bool = False) -> None:
        """Gives an input another shape, with the next call of `allocate_tensors`, where the model's file leaves it open.

        Raises:
            InputError: it does not; a plan has the shapes for which it was compiled.
        """
        tensor = self._input(input_index)
        shape = tuple(int(e) for e in tensor_size)
        if shape == tensor.shape:
            self._resized.pop(tensor.name, None)
            return
        what = f"input '{tensor.name}' of shape {list(tensor.shape)} cannot be resized to {list(shape)}"
        if folder_of(self._model):
            raise InputError(f"{what}: a plan has the shapes for which it was compiled; a model's file would be accepted in its place")
        dims = tensor.recorded.shape or tensor.shape
        if len(dims) != len(shape) or any(e < 1 or d not in (-1, e) for d, e in zip(dims, shape)):
            raise InputError(f"{what}: the model's file fixes {list(dims)}, where -1 stands for any extent")
        self._resized[tensor.name] = shape

    def reset_all_variables(self) -> None:
        """Gives the model's variables the contents that they had before the first run."""
        self._session.reset()

    def get_signature_list(self) -> dict[str, dict[str, list[str]]]:
        """The names by which the model's file offers its inputs and outputs."""
        return {s.name: {"inputs": list(s.inputs), "outputs": list(s.outputs)} for s in self._signatures.values()}

    def get_signature_runner(self, signature_key: str | None = None) -> SignatureRunner:
        """What runs the model by the names of a signature, which may be left out where there is one.

        Raises:
            InputError: there is no such signature.
        """
        names = list(self._signatures)
        if signature_key is None and len(names) == 1:
            signature_key = names[0]
        if signature_key not in self._signatures:
            asked = "no signature is named" if signature_key is None else f"no signature '{signature_key}'"
            raise InputError(f"{asked}; the model has: {', '.join(names) or 'none'}")
        signature = self._signatures[signature_key]
        inputs, outputs = ({name: _index(tensors, of) for name, of in names.items()}
                           for names, tensors in ((signature.inputs, self._inputs), (signature.outputs, self._outputs)))
        return SignatureRunner(self, signature.name, inputs, outputs)

    def _open(self, options: dict[str, Any]) -> None:
        plan = plan_of(self._model, self._device, options, recorded_shapes=True)
        self._session = session = Session(plan, self._device)
        self._options, self._computed = options, {}
        self._signatures: dict[str, Signature] = {s.name: s for s in plan.signatures}
        tensors = (*plan.inputs, *plan.outputs)
        recorded = [t.recorded.index for t in tensors]
        indices = [k if index is None or None in recorded else index for k, index in enumerate(recorded)]
        self._inputs = dict(zip(indices, plan.inputs))
        self._order = indices[len(plan.inputs) :]
        self._outputs = dict(zip(reversed(self._order), reversed(plan.outputs)))  # a tensor that is an output twice is the first one
        for tensor in session.inputs:
            session.input(tensor.name)[...] = 0

    def _ready(self) -> Session:
        if self._resized:
            raise InputError(f"input '{next(iter(self._resized))}' has been resized: call allocate_tensors() first")
        return self._session

    def _tensor(self, index: int) -> Tensor:
        tensor = self._inputs.get(int(index)) or self._outputs.get(int(index))
        if tensor is None:
            raise InputError(f"no tensor {index}; {_listed({**self._inputs, **self._outputs})} are accepted")
        return tensor

    def _input(self, index: int) -> Tensor:
        tensor = self._tensor(index)
        if int(index) not in self._inputs:
            raise InputError(f"tensor {index} is '{tensor.name}', an output; the inputs are: {_listed(self._inputs)}")
        return tensor

    def _array(self, index: int) -> np.ndarray:
        tensor, session = self._tensor(index), self._ready()
        if int(index) in self._inputs:
            return session.input(tensor.name)
        if not tensor.open:
            return session.output(tensor.name)
        if tensor.name not in self._computed:
            raise InputError(f"output '{tensor.name}' has a shape that depends on data: call invoke() first")
        return self._computed[tensor.name]

    def _details(self, index: int, tensor: Tensor) -> dict[str, Any]:
        recorded = tensor.recorded
        shape = self._resized.get(tensor.name, tensor.shape) if tensor is self._inputs.get(index) else tensor.shape
        if tensor.open and tensor.name in self._computed:
            shape = self._computed[tensor.name].shape
        scales, zero_points = np.array(recorded.scale, np.float32), np.array(recorded.zero_point, np.int32)
        whole = len(scales) == 1
        parameters = {"scales": scales, "zero_points": zero_points, "quantized_dimension": recorded.axis, "block_size": 0}
        return {
            "name": tensor.name if recorded.name is None else recorded.name, "index": index, "shape": np.array(shape, np.int32),
            "shape_signature": np.array(tensor.shape if recorded.shape is None else recorded.shape, np.int32),
            "dtype": np.dtype(tensor.dtype).type,
            "quantization": (float(scales[0]), int(zero_points[0])) if whole else (0.0, 0),
            "quantization_parameters": parameters,
            "sparsity_parameters": {},
        }  # fmt: skip


def _index(tensors: dict[int, Tensor], name: str) -> int:
    return next(index for index, tensor in tensors.items() if tensor.name == name)


def _listed(tensors: dict[int, Tensor]) -> str:
    return ", ".join(f"{index} ({tensor})" for index, tensor in tensors.items())


def _check_threads(wanted: object, device: cl.Device) -> None:
    if wanted is None:
        return
    if not isinstance(wanted, int) or wanted < 1:
        raise InputError(f"num_threads={wanted!r}: a whole number from 1 on is accepted")
    if device.type & cl.device_type.CPU and wanted < device.max_compute_units:
        warnings.warn(f"num_threads={wanted}: the OpenCL driver of this CPU computes with {device.max_compute_units} threads", stacklevel=3)
