"""The calls of ONNX Runtime's `InferenceSession`, on a session.

    from planish.runtime import InferenceSession
    session = InferenceSession("model.onnx")
    outputs = session.run(None, {session.get_inputs()[0].name: image})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyopencl as cl

from .devices import Selector, find
from .errors import DeviceError, InputError
from .given import Data
from .models import Model, plan_of
from .plan import Tensor
from .session import Session

KINDS = {"CPUExecutionProvider": "cpu", **{f"{name}ExecutionProvider": "gpu" for name in (
    "CUDA", "CoreML", "Dml", "MIGraphX", "NvTensorRTRTX", "ROCM", "Tensorrt", "WebGpu")}}
"""The kind of device on which a provider of ONNX Runtime computes."""
TYPES = {"float32": "float", "float64": "double"}
"""Of elements, where ONNX Runtime's name is not numpy's."""


@dataclass(frozen=True)
class NodeArg:
    """An input or an output: its type as in "tensor(float)"; None in its shape is a dimension that depends on data."""

    name: str
    shape: list[int | None]
    type: str


class InferenceSession:
    """A model whose outputs are asked for by name."""

    def __init__(self, path_or_bytes: Model, sess_options: None = None, providers: Sequence[Any] | None = None,
                 provider_options: None = None, *, device: Selector = None, **options: Any):
        """Reads a plan, or compiles a model, unless it has been compiled before.

        Args:
            path_or_bytes: a plan's folder, a model's file, or the content of such a file.
            sess_options, provider_options: None; they are about ONNX Runtime's own kernels.
            providers: those of ONNX Runtime, the best first, as names or (name, options): the first whose kind of device is present, a CPU
                or a GPU, says where to run, if `device` does not.
            device: as of `planish.runtime.load`.
            options: beside a model those of `planish.runtime.models.OPTIONS`, such as `dims` for what it leaves open.

        Raises:
            InputError: an option is not accepted.
            PlanishError: the model cannot be had, as of `planish.runtime.models.plan_of`, or not be run, as of `planish.runtime.load`.
        """
        for name, value in (("sess_options", sess_options), ("provider_options", provider_options)):
            if value is not None:
                raise InputError(f"{name}: None is accepted, for there are no kernels of ONNX Runtime that it could be about")
        chosen = find(device) if device or not providers else _device(providers)
        self._session = Session(plan_of(path_or_bytes, chosen, options), chosen)

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Data], run_options: None = None) -> list[np.ndarray]:
        """Computes outputs: those named, in that order; None means all, in the model's.

        Raises:
            InputError: a name, shape or dtype does not fit; says what is accepted.
            DeviceError: the device failed.
        """
        if run_options is not None:
            raise InputError("run_options: None is accepted, for they are about ONNX Runtime")
        outputs = self._session.outputs
        unknown = [name for name in output_names or () if name not in {t.name for t in outputs}]
        if unknown:
            raise InputError(f"no output '{unknown[0]}'; the outputs are: {', '.join(map(str, outputs))}")
        results = self._session.run(input_feed)
        return [results[name] for name in output_names or results]

    def get_inputs(self) -> list[NodeArg]:
        """Name, shape and type of each input, in the model's order."""
        return [_node_arg(tensor) for tensor in self._session.inputs]

    def get_outputs(self) -> list[NodeArg]:
        """The like of each output."""
        return [_node_arg(tensor) for tensor in self._session.outputs]


def _device(providers: Sequence[Any]) -> cl.Device:
    names = [str(provider if isinstance(provider, str) else provider[0]) for provider in providers]
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        raise InputError(f"no provider '{unknown[0]}'; accepted are {', '.join(KINDS)}, or device= in their place")
    for k, name in enumerate(names):
        try:
            return find(KINDS[name])
        except DeviceError:
            if k == len(names) - 1:
                raise
    raise AssertionError("there is a provider")


def _node_arg(tensor: Tensor) -> NodeArg:
    element = tensor.recorded.element.replace("_", "") or TYPES.get(tensor.dtype, tensor.dtype)
    return NodeArg(tensor.name, [None if e < 0 else e for e in tensor.shape], f"tensor({element})")
