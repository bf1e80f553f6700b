"""ONNX operators in all of their versions, with operands of every type.

They are held against ONNX Runtime, and where it has no kernel against the standard's reference.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from planish.compiler import frontend, onnx_backend
from planish.compiler.errors import CompileError
from planish.compiler.ir import evaluate
from planish.compiler.onnx_backend import _stored
from planish.compiler.operators import OLDEST, operators
from tests.onnx_history import CASES, Case, Constant

NEWEST = onnx.defs.onnx_opset_version()
COARSE = {"float16": 4e-3, "bfloat16": 4e-2, "float8_e4m3fn": 0.3, "float8_e4m3fnuz": 0.3, "float8_e5m2": 0.3, "float8_e5m2fnuz": 0.3,
          "float8_e8m0fnu": 1.0}
"""Tolerances of floats of few bits, of which a step of the computation may have rounded the other way."""
ROUNDED = {"Resize", "GridSample", "Upsample", "QuantizeLinear", "QLinearConv", "QLinearMatMul", "ReduceLogSumExp"}
"""Operators that make integers of reals: they may be one off."""
DECLINED = {"Attention": lambda types: types.get("T1", SINGLE) != types.get("T2", SINGLE),
            "Col2Im": lambda types: types["T"] == np.bool_}
"""What is declined though the schema allows it: attention of two types, which the operators that define it refuse; sums of truth values."""
SINGLE = np.dtype(np.float32)
Types = Mapping[str, np.dtype[Any]]
Run = Callable[[onnx.ModelProto, Mapping[str, np.ndarray]], list[np.ndarray]]


def in_force(name: str) -> Iterator[tuple[Any, int, int]]:
    """The definitions of an operator, each with the first and the last operator set, from 7 on, that has it."""
    history = sorted((s for s in onnx.defs.get_all_schemas_with_history() if not s.domain and s.name == name),
                     key=lambda s: s.since_version)
    for schema, after in zip(history, [*(s.since_version for s in history[1:]), NEWEST + 1]):
        if after > OLDEST and not schema.deprecated:
            yield schema, max(schema.since_version, OLDEST), after - 1


def dtype_of(type_str: str) -> np.dtype[Any] | None:
    """That of a tensor of a schema; None of what is no number."""
    name = type_str.removeprefix("tensor(").removesuffix(")")
    if not type_str.startswith("tensor(") or name in ("string", "complex64", "complex128"):
        return None
    return np.dtype(helper.tensor_dtype_to_np_dtype(onnx.TensorProto.DataType.Value(name.upper())))


def cast(array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """Floats in another type: integers of about twice their size, within the type's range. Zero points of floats are zero."""
    if array.dtype == dtype:
        return array
    if dtype == np.bool_:
        return array > 0
    if "int" not in dtype.name:
        array = np.abs(array) if dtype.name == "float8_e8m0fnu" else array
        return (array if array.dtype.kind == "f" else np.zeros_like(array)).astype(dtype)
    whole = np.nan_to_num(np.round(2 * array) if array.dtype.kind == "f" else array, posinf=3, neginf=-3).astype(np.int64)
    info = ml_dtypes.iinfo(dtype)
    return np.clip(np.abs(whole) if info.min == 0 else whole, info.min, info.max).astype(dtype)


def model_of(name: str, case: Case, schema: Any, opset: int, types: Types, held: Types) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """A model of a case, and what to feed it.

    Args:
        types: of the schema's type variables, where they are not as the case has them; held: others in which the same numbers are given.
    """
    feed, constants, names = {}, [], []
    for k, operand in enumerate(case.operands):
        if operand is None:
            names.append("")
            continue
        array = np.asarray(operand.array if isinstance(operand, Constant) else operand)
        variable = schema.inputs[min(k, len(schema.inputs) - 1)].type_str
        for given in (types, held):
            array = cast(array, given[variable]) if given is types and variable in given else array.astype(given.get(variable, array.dtype))
        names.append(f"x{k}")
        if isinstance(operand, Constant):
            constants.append(numpy_helper.from_array(array, names[-1]))
        else:
            feed[names[-1]] = array
    results = [f"y{k}" for k in range(case.outputs)]
    graph = helper.make_graph(
        [helper.make_node(name, names, results, **case.attributes)], "graph",
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in feed.items()],
        [helper.make_empty_tensor_value_info(n) for n in results], constants,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset < 19 else 10), feed


def on_device(model: onnx.ModelProto, feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    return list(onnx_backend.run_model(model, dict(feed)))


def ours(model: onnx.ModelProto, feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    graph = frontend.parse(model.SerializeToString(), Path("model.onnx"))
    values = evaluate(graph, {n: _stored(feed[n], graph.type(n).dtype) for n in graph.inputs})
    return [values[v] for v in graph.outputs.values()]


def by_onnx_runtime(model: onnx.ModelProto, feed: Mapping[str, np.ndarray]) -> list[Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(feed)))


def by_reference(model: onnx.ModelProto, feed: Mapping[str, np.ndarray]) -> list[Any]:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(ReferenceEvaluator(model).run(None, dict(feed)))


def expected(name: str, case: Case, schema: Any, opset: int, types: Types) -> list[Any] | None:
    """By the first oracle that takes the node: as it is, else with the same numbers in wider types, else in an older operator set."""
    wider: list[Types] = [{}]
    if name == "BitCast":
        pass
    elif any(t.kind not in "biu" and "float" in t.name for t in types.values()) or name in ROUNDED:
        wider.append(dict.fromkeys(types, np.dtype(np.float32)))
    elif types:
        wider += [dict.fromkeys(types, np.dtype(t)) for t in (np.int32, np.int64)]
    older = range(opset - 1, max(case.since, OLDEST) - 1, -1)
    tries = [(oracle, opset, held) for oracle in (by_onnx_runtime, by_reference) for held in wider]
    for oracle, at, held in (*tries, *((by_onnx_runtime, n, held) for n in older for held in wider)):
        try:
            return oracle(*model_of(name, case, schema, at, types, held))
        except Exception:  # whatever an oracle raises at a model that it does not take
            continue
    return None


def declared(schema: Any, model: onnx.ModelProto) -> Iterator[np.dtype[Any] | None]:
    """The types of the outputs: those of the schema, else of the standard's inference; None where both say nothing."""
    node = model.graph.node[0]
    elements = {v.name: v.type.tensor_type.elem_type for v in model.graph.input} | {t.name: t.data_type for t in model.graph.initializer}
    given = {i.type_str: elements[v] for i, v in zip(schema.inputs, node.input) if v and i.is_homogeneous}
    inferred = {o.name: o.type.tensor_type.elem_type for o in onnx.shape_inference.infer_shapes(model).graph.output}
    for k, name in enumerate(node.output):
        formal = schema.outputs[min(k, len(schema.outputs) - 1)]
        element = given.get(formal.type_str) or inferred[name]
        yield np.dtype(helper.tensor_dtype_to_np_dtype(element)) if element else None


def compare(name: str, actual: np.ndarray, wanted: Any, dtype: np.dtype[Any] | None, types: Types) -> None:
    wanted = np.asarray(wanted)
    dtype = dtype or wanted.dtype
    assert actual.shape == wanted.shape
    if dtype.isbuiltin == 1:
        assert actual.dtype == dtype
    elif "float" in dtype.name:
        actual = actual.view(dtype) if actual.dtype != dtype else actual
        wanted = wanted.view(dtype) if wanted.dtype == f"u{dtype.itemsize}" else wanted  # bits
    tolerance = max([1e-5, *(COARSE.get(d.name, 0) for d in (dtype, *types.values()))])
    off = 1 if "int" in dtype.name and name in ROUNDED else tolerance
    a, b = actual.astype(np.float64), wanted.astype(dtype).astype(np.float64)
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=off)


def valid(model: onnx.ModelProto) -> bool:
    """Whether the standard's inference finds no fault, as it does with types that do not go together."""
    try:
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except onnx.shape_inference.InferenceError:
        return False
    return True


def plain(schema: Any, case: Case) -> Types:
    """The types of a case's own operands where the schema allows them, else the first that it allows."""
    allowed = {c.type_param_str: list(filter(None, map(dtype_of, c.allowed_type_strs))) for c in schema.type_constraints}
    found = {}
    for k, operand in enumerate(case.operands):
        variable = schema.inputs[min(k, len(schema.inputs) - 1)].type_str
        if operand is not None and variable in allowed:
            dtype = np.asarray(operand.array if isinstance(operand, Constant) else operand).dtype
            if dtype not in allowed[variable]:
                found[variable] = allowed[variable][0]
    return found


def sweeps(schema: Any, case: Case) -> Iterator[Types]:
    """Each type that the schema allows for a type variable of the operands, and for all those of floats at once."""
    allowed = {c.type_param_str: list(filter(None, map(dtype_of, c.allowed_type_strs))) for c in schema.type_constraints}
    given = {schema.inputs[min(k, len(schema.inputs) - 1)].type_str: o for k, o in enumerate(case.operands) if o is not None}
    variables = [v for v in given if v in allowed]
    for variable in variables:
        yield from ({**plain(schema, case), variable: dtype} for dtype in allowed[variable])
    floats = [v for v in variables if np.asarray(getattr(given[v], "array", given[v])).dtype == np.float32]
    if len(floats) > 1:
        for dtype in allowed[floats[0]]:
            yield {v: dtype for v in floats if dtype in allowed[v]}


def types_of(name: str) -> set[str]:
    """The types of operands, or of the results where there are none, with which an operator is held against an oracle."""
    found = set()
    for schema, first, _ in in_force(name):
        allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
        if not schema.inputs:
            found |= {d.name for v in allowed.values() for d in map(dtype_of, v) if d}
        for case in (c for c in CASES[name] if c.since <= first < c.before and not c.fixed):
            kept = (t for t in sweeps(schema, case) if name not in DECLINED or not DECLINED[name](t))
            found |= {d.name for types in kept for d in types.values()}
        for formal in (f for f in schema.inputs if f.type_str not in allowed):
            found |= {d.name for d in [dtype_of(formal.type_str)] if d}
    return found


def test_every_operator_is_here() -> None:
    assert {*CASES} == {o.name for o in operators() if o.format == "onnx" and "::" not in o.name and onnx.defs.has(o.name)}


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_version(name: str) -> None:
    """At the first and the last operator set of each."""
    for schema, first, last in in_force(name):
        for opset in sorted({first, last}):
            cases = [c for c in CASES[name] if c.since <= opset < c.before]
            assert cases, f"no case of operator set {opset}"
            for case in cases:
                hold(name, case, schema, opset, first, plain(schema, case))


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_type(name: str) -> None:
    for schema, first, _ in in_force(name):
        for case in CASES[name]:
            if case.since <= first < case.before and not case.fixed:
                for types in sweeps(schema, case):
                    hold(name, case, schema, first, first, types)


@pytest.mark.device
@pytest.mark.parametrize(("name", "opset", "types"), [
    ("BatchNormalization", 7, {}), ("BitCast", 26, {"T1": "float8_e5m2"}), ("CenterCropPad", 18, {"Tind": "int32"}), ("Clip", 7, {}),
    ("Erf", 9, {"T": "int16"}), ("Gemm", 9, {"T": "int32"}), ("GridSample", 16, {"T2": "float16"}),
    ("LayerNormalization", 17, {"T": "float16"}),
    ("PRelu", 9, {"T": "int64"}), ("Pad", 7, {}), ("RMSNormalization", 23, {"T": "float16"}), ("ReduceLogSumExp", 18, {"T": "int32"}),
    ("Scan", 8, {}), ("ScatterElements", 18, {"T": "bool"}), ("ScatterND", 18, {"T": "bool"}), ("Shrink", 9, {"T": "int8"}),
    ("Softmax", 7, {}), ("TopK", 7, {}), ("Upsample", 7, {}),
])  # fmt: skip
def test_on_the_device(name: str, opset: int, types: Mapping[str, str]) -> None:
    """What differs from the newest version, which the standard's own suite runs."""
    given = {variable: np.dtype(getattr(ml_dtypes, t, t)) for variable, t in types.items()}
    (schema,) = (s for s, first, last in in_force(name) if first <= opset <= last)
    for case in CASES[name]:
        if case.since <= opset < case.before:
            hold(name, case, schema, opset, opset, {**plain(schema, case), **given}, run=on_device)


def hold(name: str, case: Case, schema: Any, opset: int, first: int, types: Types, run: Run | None = None) -> None:
    """Compares, unless the types do not go together.

    Args:
        first: the operator set in which the definition came into force.
        run: computes the outputs; by the ops' references if there is none.
    """
    model, feed = model_of(name, case, schema, opset, types, {})
    if types and name in DECLINED and DECLINED[name](types):
        with pytest.raises(CompileError):
            ours(model, feed)
        return
    try:
        actual = (run or ours)(model, feed)
        wanted = expected(name, case, schema, first, types)
        if wanted is None and name == "QLinearMatMul":
            return  # results of 8-bit floats, of which there is no kernel elsewhere: tests/compiler/ops/test_quantized_onnx.py
        assert wanted is not None, "no oracle takes it"
        for a, b, dtype in zip(actual, wanted, declared(schema, model), strict=True):
            compare(name, a, b, dtype, types)
    except Exception as error:
        if isinstance(error, CompileError) and not valid(model):
            return
        error.add_note(f"{name} of operator set {opset}: {dict(case.attributes)} {types}")
        raise
