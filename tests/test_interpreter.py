"""The calls of LiteRT's Interpreter: the same script on LiteRT itself and here, with the same numbers and the same details."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter as LiteRT

from planish.compiler import CompileError, compile_model
from planish.runtime import InputError, Interpreter, PlanError
from planish.runtime.plan import Plan
from tests.harness import floats
from tests.oracles import onnx_node, write
from tests.tflite_writer import Quantization, TfliteWriter

pytestmark = pytest.mark.device
SAME = {"padding": "SAME", "stride_w": 1, "stride_h": 1}
SHAPE = (1, 6, 5, 3)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLANISH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def float_model() -> TfliteWriter:
    m = TfliteWriter()
    m.constant(np.float32([1]))  # so that the first input is not tensor 0
    x = m.input("image", SHAPE, "float32")
    y = m.op("CONV_2D", [x, *map(m.constant, floats((4, 3, 3, 3), (4,)))], SAME, shape=(*SHAPE[:3], 4), dtype="float32")
    m.output(m.op("RELU", [y], shape=(*SHAPE[:3], 4), dtype="float32"), y)
    return m


def quantised_model() -> TfliteWriter:
    m = TfliteWriter()
    x = m.input("image", SHAPE, "int8", Quantization([0.05], [-7]))
    w = m.constant(np.random.default_rng(1).integers(-127, 128, (4, 3, 3, 3)), "int8", Quantization([0.01, 0.02, 0.03, 0.04]))
    b = m.constant([5, -5, 9, 0], "int32", Quantization([0.0005, 0.001, 0.0015, 0.002], [0]))
    m.output(m.op("CONV_2D", [x, w, b], SAME, shape=(*SHAPE[:3], 4), dtype="int8", quantization=Quantization([0.25], [3])))
    return m


def crossed_model() -> TfliteWriter:
    """Inputs of several types, in an order that is not that of the tensors, two of one name, one without; one of them is an output,
    another output is one twice."""
    m = TfliteWriter()
    a, b = m.input("a", (2, 3), "float32"), m.input("", (3,), "float32")
    k = m.input("a", (), "int32")
    m.inputs.reverse()
    y = m.op("ADD", [a, b], shape=(2, 3), dtype="float32")
    m.output(m.op("CAST", [k], shape=(), dtype="float32"), y, a, y)
    m.signature("crossed", {"second": b, "first": a, "k": k}, {"sum": y, "same": a, "cast": m.outputs[0]})
    return m


def open_model() -> TfliteWriter:
    m = TfliteWriter()
    x = m.input("x", (1, 3), "float32", signature=(-1, 3))
    m.output(m.op("TANH", [x], shape=(1, 3), dtype="float32"))
    m.signature("second", {"of": x}, {"tanh": m.outputs[0]})
    return m


def fed(detail: dict[str, Any], seed: int) -> np.ndarray:
    rng, dtype = np.random.default_rng(seed), np.dtype(detail["dtype"])
    shape = tuple(detail["shape"])
    return rng.normal(size=shape).astype(dtype) if dtype.kind == "f" else np.asarray(rng.integers(-100, 100, shape), dtype)


def script(interpreter: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[np.ndarray], dict[str, Any]]:
    """What any script does, twice over; its details, and its results."""
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    results = []
    for seed in (0, 1):
        for k, detail in enumerate(inputs):
            value = fed(detail, seed + k)
            interpreter.set_tensor(detail["index"], value)
            np.testing.assert_array_equal(interpreter.get_tensor(detail["index"]), value)
        interpreter.invoke()
        results += [interpreter.get_tensor(detail["index"]) for detail in outputs]
        results += [np.array(interpreter.tensor(detail["index"])()) for detail in outputs]
    return inputs, outputs, results, interpreter.get_signature_list()


def assert_details(actual: Any, expected: Any) -> None:
    """The same keys, types and values, arrays with their dtypes."""
    assert type(actual) is type(expected)
    if isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key in expected:
            assert_details(actual[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(actual) == len(expected)
        for a, b in zip(actual, expected):
            assert_details(a, b)
    elif isinstance(expected, np.ndarray):
        assert actual.dtype == expected.dtype and np.array_equal(actual, expected), (actual, expected)
    else:
        assert actual == expected


@pytest.mark.parametrize("make", [float_model, quantised_model, crossed_model, open_model])
@pytest.mark.parametrize("how", ["path", "content", "plan"])
def test_a_script_gives_what_it_gives_with_litert(make: Callable[[], TfliteWriter], how: str, tmp_path: Path) -> None:
    path = write(tmp_path, make())
    given: dict[str, Any] = {"model_content": path.read_bytes()} if how == "content" else {"model_path": path}
    if how == "plan":
        plan, _ = compile_model(path, recorded_shapes=True)
        assert plan is not None
        plan.write(tmp_path / "model.plan")
        given = {"model_path": str(tmp_path / "model.plan")}
    inputs, outputs, results, signatures = script(Interpreter(**given))
    expected = script(LiteRT(model_path=str(path)))
    assert_details(inputs, expected[0])
    assert_details(outputs, expected[1])
    for actual, wanted in zip(results, expected[2], strict=True):
        assert (actual.shape, actual.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-5 if actual.dtype.kind == "f" else 0)
    assert_details(signatures, expected[3])


def test_inputs_that_were_never_set_are_zeros() -> None:
    interpreter = Interpreter(model_content=crossed_model().finish())
    interpreter.invoke()
    assert all(not interpreter.get_tensor(d["index"]).any() for d in interpreter.get_output_details())


def test_tensor_is_the_memory_itself() -> None:
    interpreter = Interpreter(model_content=open_model().finish())
    x, y = (interpreter.tensor(d[0]["index"]) for d in (interpreter.get_input_details(), interpreter.get_output_details()))
    copy = interpreter.get_tensor(0)
    for value in (0.5, -2.0):
        x().fill(value)
        interpreter.invoke()
        np.testing.assert_allclose(y(), np.full((1, 3), np.tanh(value)), rtol=1e-5)
    assert y() is y() and not copy.any()


def test_variables_are_kept_and_reset() -> None:
    m = TfliteWriter()
    x, state = m.input("x", (1, 4), "float32"), m.variable((1, 6), "float32")
    w, r, b = floats((6, 4), (6, 6), (6,))
    operands = [x, *map(m.constant, (w, r, b)), state]
    y = m.op("RNN", operands, {"fused_activation_function": "TANH"}, shape=(1, 6), dtype="float32")
    m.output(y)
    results = []
    for interpreter in (Interpreter(model_content=m.finish()), LiteRT(model_content=m.finish())):
        interpreter.allocate_tensors()
        found = []
        for _ in range(2):
            for _ in range(2):
                interpreter.set_tensor(x, floats((1, 4))[0])
                interpreter.invoke()
                found.append(interpreter.get_tensor(y))
            interpreter.reset_all_variables()
        results.append(np.array(found))
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)
    assert np.array_equal(results[0][0], results[0][2]) and not np.array_equal(results[0][0], results[0][1])


def resizing(interpreter: Any) -> list[np.ndarray]:
    results = []
    for batch in (4, 4, 1):
        interpreter.resize_tensor_input(0, [batch, 3])
        interpreter.allocate_tensors()
        (detail,) = interpreter.get_input_details()
        assert detail["shape"].tolist() == [batch, 3] and detail["shape_signature"].tolist() == [-1, 3]
        interpreter.set_tensor(0, np.arange(3 * batch, dtype=np.float32).reshape(batch, 3) / 8)
        interpreter.invoke()
        results.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return results


def test_what_is_open_can_be_resized() -> None:
    for actual, expected in zip(*(resizing(cls(model_content=open_model().finish())) for cls in (Interpreter, LiteRT)), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_resizing_is_refused_where_the_shape_is_fixed(tmp_path: Path) -> None:
    interpreter = Interpreter(write(tmp_path, open_model()))
    with pytest.raises(InputError, match=r"input 'x' of shape \[1, 3\] cannot be resized to \[1, 4\]: the model's file fixes \[-1, 3\]"):
        interpreter.resize_tensor_input(0, (1, 4))
    interpreter.resize_tensor_input(0, (2, 3))
    with pytest.raises(InputError, match=r"'x' has been resized: call allocate_tensors\(\) first"):
        interpreter.invoke()
    interpreter.resize_tensor_input(0, (1, 3))
    interpreter.invoke()
    plan, _ = compile_model(tmp_path / "model.tflite", batch=1)
    assert plan is not None
    plan.write(tmp_path / "model.plan")
    interpreter = Interpreter(tmp_path / "model.plan")
    interpreter.resize_tensor_input(0, (1, 3))
    with pytest.raises(InputError, match="a plan has the shapes for which it was compiled; a model's file would be accepted"):
        interpreter.resize_tensor_input(0, (2, 3))


def test_resizing_that_does_not_fit_leaves_what_was_there() -> None:
    m = TfliteWriter()
    x = m.input("x", (2, 3), "float32", signature=(-1, 3))
    m.output(m.op("ADD", [x, m.constant(np.ones((2, 3), np.float32))], shape=(2, 3), dtype="float32"))
    interpreter = Interpreter(model_content=m.finish())
    interpreter.resize_tensor_input(0, (4, 3))
    for _ in range(2):
        with pytest.raises(CompileError, match="do not broadcast"):
            interpreter.allocate_tensors()
        with pytest.raises(InputError, match="has been resized"):
            interpreter.set_tensor(0, np.zeros((4, 3), np.float32))
    interpreter.resize_tensor_input(0, (2, 3))
    interpreter.allocate_tensors()
    interpreter.invoke()
    assert interpreter.get_tensor(m.outputs[0]).tolist() == [[1, 1, 1]] * 2


def test_signatures() -> None:
    """Those of the main subgraph; names in LiteRT's order, arrays of another batch."""
    m = open_model()
    m.signature("first", {"b": 0}, {"y": m.outputs[0]})
    results = []
    for interpreter in (Interpreter(model_content=m.finish()), LiteRT(model_content=m.finish())):
        runner = interpreter.get_signature_runner("second")
        x = np.arange(6, dtype=np.float32).reshape(2, 3) / 8
        results.append((interpreter.get_signature_list(), runner(of=x), runner.get_input_details(), runner.get_output_details()))
    (listed, found, *details), (expected, wanted, *told) = results
    assert listed == expected and list(listed) == list(expected) == ["second", "first"]
    assert list(found) == list(wanted) == ["tanh"]
    np.testing.assert_allclose(found["tanh"], wanted["tanh"], rtol=1e-5)
    assert_details(details[0], told[0])
    assert details[1]["tanh"]["index"] == told[1]["tanh"]["index"] and list(details[1]["tanh"]) == list(told[1]["tanh"])


@pytest.mark.parametrize(("call", "message"), [
    (lambda i: i.get_signature_runner(), "no signature is named; the model has: one, two"),
    (lambda i: i.get_signature_runner("three"), "no signature 'three'; the model has: one, two"),
    (lambda i: i.get_signature_runner("one")(y=0), "signature 'one': has no input 'y'; its inputs are: x"),
    (lambda i: i.get_signature_runner("one")(), "signature 'one': input 'x' is missing; its inputs are: x"),
    (lambda i: i.set_tensor(0, np.zeros((1, 3))), "input 'x' has dtype float64; float32 is accepted"),
    (lambda i: i.set_tensor(0, np.zeros((1, 4), np.float32)), r"input 'x' has shape \[1, 4\]; \[1, 3\] is accepted"),
    (lambda i: i.set_tensor(1, np.zeros((1, 3), np.float32)), r"tensor 1 is 't1', an output; the inputs are: 0 \(x float32\[1, 3\]\)"),
    (lambda i: i.get_tensor(7), r"no tensor 7; 0 \(x float32\[1, 3\]\), 1 \(t1 float32\[1, 3\]\) are accepted"),
    (lambda i: i.tensor(7), "no tensor 7; "),
])  # fmt: skip
def test_wrong_calls_say_what_is_accepted(call: Callable[[Interpreter], object], message: str) -> None:
    m = open_model()
    m.signatures = []
    for name in ("one", "two"):
        m.signature(name, {"x": 0}, {"y": 1})
    interpreter = Interpreter(model_content=m.finish())
    with pytest.raises(InputError, match=message):
        call(interpreter)


@pytest.mark.parametrize(("given", "error", "message"), [
    ({}, InputError, "one of them is accepted, and needed"),
    ({"model_path": "x", "model_content": b"x"}, InputError, "one of them is accepted, and needed"),
    ({"model_path": "missing.tflite"}, PlanError, "missing.tflite: No such file or directory; a plan's folder or a model's file"),
    ({"model_content": b"no model"}, CompileError, "model: neither a TFLite flatbuffer nor an ONNX protobuf"),
    ({"model_content": open_model().finish(), "experimental_delegates": [object()]}, InputError, "_delegates: none are accepted"),
    ({"model_content": open_model().finish(), "experimental_preserve_all_tensors": True}, InputError, "is not kept; False is accepted"),
    ({"model_content": open_model().finish(), "num_threads": 0}, InputError, "num_threads=0: a whole number from 1 on is accepted"),
    ({"model_content": open_model().finish(), "precison": "f16"}, InputError, "no option 'precison'; precision, input_shapes, "),
])  # fmt: skip
def test_wrong_options_say_what_is_accepted(given: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Interpreter(**given)


def test_options_of_litert(device: Any) -> None:
    content = open_model().finish()
    Interpreter(None, content, None, device.max_compute_units, experimental_op_resolver_type=2, experimental_preserve_all_tensors=False)
    Interpreter(None, content, [], None, precision="f16", batch=2).set_tensor(0, np.zeros((2, 3), np.float32))
    if device.max_compute_units > 1:
        with pytest.warns(UserWarning, match=f"num_threads=1: .* computes with {device.max_compute_units} threads"):
            Interpreter(model_content=content, num_threads=1)


def test_another_models_tensors_are_numbered_in_order(tmp_path: Path) -> None:
    a, b = floats((2, 3), (2, 3))
    interpreter = Interpreter(onnx_node(tmp_path, "Sub", [a, b]))
    interpreter.set_tensor(1, b)
    interpreter.set_tensor(0, a)
    interpreter.invoke()
    assert [d["index"] for d in interpreter.get_input_details() + interpreter.get_output_details()] == [0, 1, 2]
    np.testing.assert_array_equal(interpreter.get_tensor(2), a - b)


def test_outputs_whose_shape_depends_on_data(tmp_path: Path) -> None:
    interpreter = Interpreter(onnx_node(tmp_path, "NonZero", floats((5,))))
    (detail,) = interpreter.get_output_details()
    assert detail["shape"].tolist() == [1, -1]
    with pytest.raises(InputError, match=r"call invoke\(\) first"):
        interpreter.get_tensor(1)
    interpreter.set_tensor(0, np.float32([0, 2, 0, 0, 3]))
    interpreter.invoke()
    assert interpreter.get_tensor(1).tolist() == [[1, 4]]
    assert interpreter.get_output_details()[0]["shape"].tolist() == [1, 2]


def test_what_the_file_says_is_in_the_plan(tmp_path: Path) -> None:
    """Of tensors, and its signatures; a plan without it, as older ones are, runs as well."""
    m = quantised_model()
    m.signature("serve", {"x": m.inputs[0]}, {"y": m.outputs[0]})
    m.signature("inner", {"x": m.inputs[0]}, {"w": 1})  # of a tensor that no plan has
    plan, _ = compile_model(write(tmp_path, m))
    assert plan is not None
    plan.write(tmp_path / "plan")
    read = Plan.read(tmp_path / "plan")
    assert read.inputs[0].recorded.zero_point == (-7,) and read.outputs[0].recorded.index == m.outputs[0]
    assert [t.recorded for t in (*read.inputs, *read.outputs)] == [t.recorded for t in (*plan.inputs, *plan.outputs)]
    assert read.signatures == plan.signatures and [s.name for s in read.signatures] == ["serve"]
