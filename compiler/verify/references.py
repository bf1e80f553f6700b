"""What others make of a model: numpy, by the references of the ops; LiteRT; ONNX Runtime."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..errors import OptionError
from ..ir import Graph, evaluate

NAMES = ("auto", "numpy", "litert", "onnxruntime")
MODULES = {"litert": "ai_edge_litert", "onnxruntime": "onnxruntime"}
Arrays = Mapping[str, np.ndarray]


def choose(name: str, data: bytes) -> str:
    """The reference that is meant: "auto" is the runtime of the model's format where that is installed, else numpy.

    Raises:
        OptionError: it is not installed, or does not read the format.
    """
    own = "litert" if data[4:8] == b"TFL3" else "onnxruntime"
    if name == "auto":
        return own if find_spec(MODULES[own]) else "numpy"
    if name in MODULES and name != own:
        raise OptionError(f"--reference {name} does not read such a model; numpy or {own} would be accepted")
    if name in MODULES and not find_spec(MODULES[name]):
        raise OptionError(f"--reference {name}: {MODULES[name]} is not installed (planish[references] has it); numpy would be accepted")
    return name


def outputs(name: str, path: Path, graph: Graph, feed: Arrays) -> dict[str, np.ndarray]:
    """The outputs of a first run, by the model's names of them.

    Args:
        graph: of the file, as imported.
        feed: the inputs, and constants that were inputs of the file, by name.

    Raises:
        OptionError: the runtime cannot run the model.
    """
    if name == "numpy":
        with np.errstate(all="ignore"):
            values = evaluate(graph, start(graph, feed))
        return {output: values[value] for output, value in graph.external_outputs.items()}
    try:
        found = (_litert if name == "litert" else _onnxruntime)(path, graph, feed)
    except Exception as error:  # whatever a foreign runtime raises
        raise OptionError(f"{path}: {name} does not run it: {error}; --reference numpy would be accepted") from None
    return dict(zip(graph.external_outputs, found))


def start(graph: Graph, feed: Arrays) -> dict[str, np.ndarray]:
    """What a graph is given in a first run: inputs, and states as they are before it."""
    return {**{name: feed[name] for name in graph.external_inputs}, **{name: state.initial for name, state in graph.states.items()}}


def _litert(path: Path, graph: Graph, feed: Arrays) -> list[np.ndarray]:
    module = importlib.import_module("ai_edge_litert.interpreter")
    resolver = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = module.Interpreter(model_path=str(path), experimental_op_resolver_type=resolver)
    details = interpreter.get_input_details()
    named = all(detail["name"] in feed for detail in details)
    arrays = [feed[detail["name"]] for detail in details] if named else list(feed.values())
    for detail, array in zip(details, arrays, strict=True):
        interpreter.resize_tensor_input(detail["index"], array.shape)
    interpreter.allocate_tensors()
    for detail, array in zip(details, arrays, strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def _onnxruntime(path: Path, graph: Graph, feed: Arrays) -> list[np.ndarray]:
    module = importlib.import_module("onnxruntime")
    options = module.SessionOptions()
    options.graph_optimization_level = module.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = module.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return [np.asarray(array) for array in session.run(None, {i.name: feed[i.name] for i in session.get_inputs()})]
