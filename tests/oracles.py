"""Models as files, and what LiteRT, ONNX Runtime and this project's own numpy references make of them."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from planish.compiler.frontend import load
from planish.compiler.ir import evaluate
from tests.tflite_writer import TfliteWriter

Arrays = Sequence[np.ndarray]


def write(folder: Path, model: TfliteWriter | onnx.ModelProto) -> Path:
    """A model as a file in a folder."""
    path = folder / ("model.tflite" if isinstance(model, TfliteWriter) else "model.onnx")
    path.write_bytes(model.finish() if isinstance(model, TfliteWriter) else model.SerializeToString())
    return path


def onnx_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[Any, Sequence[int | str | None]]],
    outputs: Sequence[str],
    constants: Mapping[str, np.ndarray] | None = None,
    opset: int = 18,
) -> onnx.ModelProto:
    """A model; `inputs` maps names to (dtype, shape), where a string or None is an open dimension."""

    def info(name: str, dtype: Any, shape: Sequence[int | str | None] | None) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)

    graph = helper.make_graph(
        list(nodes), "graph", [info(name, *spec) for name, spec in inputs.items()],
        [info(name, np.float32, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def evaluated(path: Path, arrays: Arrays, shapes: Mapping[str, tuple[int, ...]] | None = None) -> list[np.ndarray]:
    """The outputs by the numpy references of the ops."""
    graph = load(path, input_shapes=shapes or {})
    values = evaluate(graph, dict(zip(graph.inputs, arrays, strict=True)))
    for name, value in graph.outputs.items():
        found, type = values[value], graph.type(value)
        assert found.dtype == type.dtype and found.ndim == type.rank, name
        assert all(e <= most if d in type.open else e == most for d, (e, most) in enumerate(zip(found.shape, type.shape))), name
    return [values[value] for value in graph.outputs.values()]


def litert(path: Path, arrays: Arrays) -> list[np.ndarray]:
    """The outputs by LiteRT's built-in kernels."""
    return litert_runs(path, [arrays])[0]


def litert_runs(path: Path, feeds: Sequence[Arrays]) -> list[list[np.ndarray]]:
    """The outputs of several runs, one after another, by LiteRT's built-in kernels."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=resolver)
    details, results = interpreter.get_input_details(), []
    for detail, array in zip(details, feeds[0], strict=True):
        interpreter.resize_tensor_input(detail["index"], array.shape)
    interpreter.allocate_tensors()
    for arrays in feeds:
        for detail, array in zip(details, arrays, strict=True):
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        results.append([interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()])
    return results


def ort(path: Path, arrays: Arrays) -> list[np.ndarray]:
    """The outputs by ONNX Runtime, without its graph optimisations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return [np.asarray(a) for a in session.run(None, dict(zip([i.name for i in session.get_inputs()], arrays, strict=True)))]


def onnx_node(
    folder: Path, op: str, inputs: Arrays, constants: Sequence[np.ndarray | None] = (), *, opset: int = 18, outputs: int = 1,
    **attributes: Any,
) -> Path:
    """A model of one node as a file: operands x0, x1, … that are fed, then constants; None is an absent one. Results are y, y1, …."""
    feeds = {f"x{k}": (a.dtype, a.shape) for k, a in enumerate(inputs)}
    held = {f"c{k}": a for k, a in enumerate(constants) if a is not None}
    names = [*feeds, *(f"c{k}" if a is not None else "" for k, a in enumerate(constants))]
    results = [f"y{k or ''}" for k in range(outputs)]
    node = helper.make_node(op, names, results, **attributes)
    model = onnx_model([node], feeds, results, held, opset)
    for output in model.graph.output:
        output.ClearField("type")
    return write(folder, model)


def tflite_node(
    folder: Path, op: str, operands: Sequence[Any], options: Mapping[str, Any], *, dtype: str | Sequence[str] = "float32", version: int = 1,
    fed: int = 0,
) -> tuple[Path, list[np.ndarray]]:
    """A model of one operator as a file, and what to feed it: floats, truth values; integers and scalars are constants, None is absent.

    Args:
        dtype: of the result, or of each of several.
        fed: of so many operands in front, integers are fed too.
    """
    m, feed, tensors = TfliteWriter(), [], []
    for k, operand in enumerate(operands):
        array = None if operand is None else np.asarray(operand)
        if array is None:
            tensors.append(-1)
        elif k < fed or (array.dtype.kind in "fb" and array.ndim):
            feed.append(array.astype({"f": np.float32, "b": bool}.get(array.dtype.kind, array.dtype)))
            tensors.append(m.input(f"x{k}", array.shape, feed[-1].dtype.name))
        else:
            tensors.append(m.constant(array.astype(np.float32 if array.dtype.kind == "f" else np.int32)))
    outputs = [((1,), dtype)] if isinstance(dtype, str) else [((1,), d) for d in dtype]
    m.output(*m.op(op, tensors, options, outputs=outputs, version=version))
    return write(folder, m), feed


def standard_cases(modules: Sequence[str], operators: Sequence[str]) -> list[Any]:
    """The cases of the ONNX standard for some operators, those of types that numpy has.

    Args:
        modules: of `onnx.backend.test.case.node`, in which they are.
        operators: their types.
    """
    from onnx.backend.test.case import node

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in modules:
            importlib.import_module(f"{node.__name__}.{module}")
    cases = [c for c in node._NodeTestCases if c.model.graph.node[0].op_type in operators]
    return [c for c in cases if np.asarray(c.data_sets[0][0][0]).dtype.isbuiltin == 1]


def standard_case(folder: Path, case: Any, fed: int) -> tuple[Path, list[np.ndarray], list[np.ndarray]]:
    """A case of the standard as a file, its first `fed` operands, and its results; the other operands are constants."""
    inputs, outputs = ([np.asarray(a) for a in arrays] for arrays in case.data_sets[0])
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    model.graph.initializer.extend(numpy_helper.from_array(a, v.name) for v, a in list(zip(model.graph.input, inputs))[fed:])
    return write(folder, model), inputs[:fed], outputs


def same(actual: Arrays, expected: Arrays, tolerance: float = 1e-5) -> None:
    """Raises AssertionError unless every output has the shape, the dtype and (nearly) the numbers expected."""
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
