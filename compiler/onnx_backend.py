"""ONNX's standard interface of backends, `onnx.backend.base.Backend`, over the compiler and the runtime.

    from planish.compiler import onnx_backend
    outputs = onnx_backend.prepare(model).run([x])

A plan has fixed shapes. What a model leaves open is taken from the arrays of a run: the shapes of its inputs, and the contents of
inputs that decide shapes (axes, sizes, repeats, …), which become constants. A run that brings others compiles again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep

from planish.runtime import DeviceError, Session, devices

from . import frontend, targets
from .driver import compile_graph
from .errors import UnsupportedError
from .frontend.inputs import InputOptions

FEW = 1024
"""Elements of an input that may become a constant."""

Key = tuple[tuple[tuple[int, ...], bytes], ...]


class PlanishRep(BackendRep):
    """A model ready to run; compiled when it first is."""

    def __init__(self, model: onnx.ModelProto, device: str | None):
        self._data = model.SerializeToString()
        known = {t.name for t in (*model.graph.initializer, *(s.values for s in model.graph.sparse_initializer))}
        self._inputs = [i for i in model.graph.input if i.name not in known]
        self._outputs = list(model.graph.output)
        self._device = device
        self._deciders: tuple[str, ...] = ()
        self._sessions: dict[Key, Session] = {}

    def run(self, inputs: Any, **kwargs: Any) -> tuple[np.ndarray, ...]:
        """The outputs, in the model's order.

        Args:
            inputs: arrays by name, in the model's order, or the only one.

        Raises:
            CompileError: the model is not accepted.
            InputError: the inputs do not fit it.
        """
        arrays = self._arrays(inputs)
        key = self._key(arrays)
        if key not in self._sessions:
            session = self._compile(arrays)
            key = self._key(arrays)
            self._sessions[key] = session
        session = self._sessions[key]
        feed = {t.name: _stored(arrays[t.name], np.dtype(t.dtype)) for t in session.inputs}
        results = session.run(feed)
        return tuple(_declared(results[o.name], o) for o in self._outputs)

    def _arrays(self, inputs: Any) -> dict[str, np.ndarray]:
        names = [i.name for i in self._inputs]
        if isinstance(inputs, Mapping):
            return {name: _array(given) for name, given in inputs.items()}
        return {name: _array(given) for name, given in zip(names, inputs if isinstance(inputs, Sequence) else [inputs])}

    def _key(self, arrays: Mapping[str, np.ndarray]) -> Key:
        return tuple((a.shape, a.tobytes() if name in self._deciders else b"") for name, a in arrays.items())

    def _compile(self, arrays: Mapping[str, np.ndarray]) -> Session:
        device = devices.find(self._device)
        target = targets.resolve("auto", self._device)
        while True:
            values = {name: arrays[name] for name in self._deciders}
            shapes = {i.name: arrays[i.name].shape for i in self._inputs if i.name in arrays and i.name not in values and _is_open(i)}
            try:
                graph = frontend.parse(self._data, Path("model.onnx"), InputOptions(shapes, values))
            except UnsupportedError as error:
                more = [name for name in error.deciders if name not in values and name in arrays and arrays[name].size <= FEW]
                if not more:
                    raise
                self._deciders += tuple(more)
                continue
            return Session(compile_graph(graph, target), device)


class PlanishBackend(Backend):
    """`device` is "CPU", "CUDA" (any GPU), or a selector of planish."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "", **kwargs: Any) -> PlanishRep:
        """The model, to be run many times."""
        return PlanishRep(model, _selector(device))

    @classmethod
    def run_model(cls, model: onnx.ModelProto, inputs: Any, device: str = "", **kwargs: Any) -> tuple[np.ndarray, ...]:
        """Runs a model once."""
        return cls.prepare(model, device).run(inputs)

    @classmethod
    def run_node(cls, node: onnx.NodeProto, inputs: Any, device: str = "", outputs_info: Any = None,
                 **kwargs: Any) -> tuple[np.ndarray, ...]:
        """Runs a single node of the default operator set."""
        arrays = [np.asarray(a) for a in inputs]
        of = [onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
              for name, array in zip(filter(None, node.input), arrays)]
        graph = onnx.helper.make_graph([node], "node", of, [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name])
        opsets = [onnx.helper.make_opsetid("", kwargs.get("opset_version", onnx.defs.onnx_opset_version()))]
        return cls.run_model(onnx.helper.make_model(graph, opset_imports=opsets), arrays, device)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether there is such an OpenCL device."""
        try:
            devices.find(_selector(device))
        except DeviceError:
            return False
        return True


def _array(given: Any) -> np.ndarray:
    """What is given for an input; a sequence, which no model may take, as an array of objects, for the importer to refuse."""
    if not isinstance(given, list) or not any(isinstance(part, np.ndarray) for part in given):
        return np.asarray(given)
    array = np.empty(len(given), object)
    for k, part in enumerate(given):
        array[k] = part
    return array


def _selector(device: str) -> str | None:
    """planish's name of ONNX's device."""
    kind = device.partition(":")[0]
    return {"": None, "CPU": "cpu", "CUDA": "gpu"}.get(kind, device)


def _is_open(info: onnx.ValueInfoProto) -> bool:
    """Whether the model leaves a part of the shape open: exporters write 0 for that, too."""
    tensor = info.type.tensor_type
    return not tensor.HasField("shape") or any(d.dim_value <= 0 for d in tensor.shape.dim)


def _stored(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """An array of a type that numpy lacks, as the plan stores it: its bits, or small integers in bytes."""
    if array.dtype == dtype or array.dtype.isbuiltin == 1:
        return array
    return array.astype(dtype) if "int" in array.dtype.name else array.view(dtype)


def _declared(array: np.ndarray, info: onnx.ValueInfoProto) -> np.ndarray:
    """An output in the type that the model declares."""
    elem = info.type.tensor_type.elem_type
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(elem)) if elem else array.dtype
    if array.dtype == dtype or dtype.isbuiltin == 1:
        return array
    return array.astype(dtype) if "int" in dtype.name else array.view(dtype)


prepare = PlanishBackend.prepare
run_model = PlanishBackend.run_model
run_node = PlanishBackend.run_node
supports_device = PlanishBackend.supports_device
