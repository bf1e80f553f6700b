"""The calls of ONNX Runtime's InferenceSession: the same script with ONNX Runtime itself and here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from planish.compiler import CompileError, compile_model
from planish.runtime import DeviceError, InferenceSession, InputError, PlanError
from tests.harness import floats
from tests.oracles import onnx_model, onnx_node, write

pytestmark = pytest.mark.device
CPU = ["CPUExecutionProvider"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANISH_CACHE", str(tmp_path / "cache"))


def several() -> Any:
    """Two outputs, two inputs of two types."""
    nodes = [helper.make_node("Cast", ["k"], ["f"], to=TensorProto.FLOAT), helper.make_node("Add", ["x", "f"], ["sum"]),
             helper.make_node("Greater", ["x", "f"], ["more"])]
    model = onnx_model(nodes, {"x": (np.float32, (2, 3)), "k": (np.int64, (3,))}, ["sum", "more"])
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.BOOL
    return model


def script(session: Any) -> tuple[Any, ...]:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    feed = {"x": floats((2, 3))[0], "k": np.int64([0, 1, -1])}
    told = [(i.name, i.shape, i.type) for i in inputs], [(o.name, o.type) for o in outputs]
    return (*told, session.run(None, feed), session.run(["more"], feed), session.run([o.name for o in outputs][::-1], feed))


@pytest.mark.parametrize("how", ["path", "content", "plan"])
def test_a_script_gives_what_it_gives_with_onnx_runtime(how: str, tmp_path: Path) -> None:
    path = write(tmp_path, several())
    given: Any = path.read_bytes() if how == "content" else str(path)
    if how == "plan":
        plan, _ = compile_model(path)
        assert plan is not None
        plan.write(tmp_path / "model.plan")
        given = tmp_path / "model.plan"
    actual, expected = script(InferenceSession(given)), script(onnxruntime.InferenceSession(str(path), providers=CPU))
    assert actual[:2] == expected[:2]
    for found, wanted in zip(actual[2:], expected[2:]):
        for a, b in zip(found, wanted, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def test_types_and_shapes(tmp_path: Path) -> None:
    session = InferenceSession(onnx_node(tmp_path, "NonZero", floats((5,))))
    assert [(o.shape, o.type) for o in session.get_outputs()] == [([1, None], "tensor(int64)")]
    cast = onnx_model([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.BFLOAT16)], {"x": (np.float64, (2, 3))}, ["y"])
    cast.graph.output[0].type.tensor_type.elem_type = TensorProto.BFLOAT16
    session = InferenceSession(cast.SerializeToString())
    assert [a.type for a in (*session.get_inputs(), *session.get_outputs())] == ["tensor(double)", "tensor(bfloat16)"]


def test_open_dimensions_are_options() -> None:
    model = onnx_model([helper.make_node("Relu", ["x"], ["y"])], {"x": (np.float32, ("n", 3))}, ["y"]).SerializeToString()
    assert InferenceSession(model, dims={"n": 4}).get_inputs()[0].shape == [4, 3]
    with pytest.raises(CompileError, match="leaves dimension 0"):
        InferenceSession(model)


def test_providers_name_a_kind_of_device(device: Any) -> None:
    kind = "cpu" if "CPU" in str(device.type) else None
    model = several().SerializeToString()
    assert script(InferenceSession(model, providers=[("CUDAExecutionProvider", {"device_id": 0}), *CPU]))
    with pytest.raises(InputError, match="no provider 'AzureExecutionProvider'; accepted are CPUExecutionProvider, "):
        InferenceSession(model, providers=["AzureExecutionProvider"])
    if kind:
        with pytest.raises(DeviceError, match="no OpenCL device fits"):
            InferenceSession(model, device="no such device", providers=CPU)


@pytest.mark.parametrize(("call", "message"), [
    (lambda s: s.run(["z"], {}), r"no output 'z'; the outputs are: sum float32\[2, 3\], more bool\[2, 3\]"),
    (lambda s: s.run(None, {"x": np.zeros((2, 3), np.float32)}), "input 'k' is missing; the inputs are: "),
    (lambda s: s.run(None, {"y": 0}), "no input 'y'; the inputs are: "),
    (lambda s: s.run(None, {"x": np.zeros((2, 3)), "k": np.zeros(3, np.int64)}), "input 'x' has dtype float64; float32 is accepted"),
    (lambda s: s.run(None, {"x": np.zeros(3, np.float32), "k": np.zeros(3, np.int64)}), r"input 'x' has shape \[3\]; \[2, 3\] is accepted"),
    (lambda s: s.run(None, {}, onnxruntime.RunOptions()), "run_options: None is accepted"),
])  # fmt: skip
def test_wrong_calls_say_what_is_accepted(call: Callable[[InferenceSession], object], message: str) -> None:
    session = InferenceSession(several().SerializeToString())
    with pytest.raises(InputError, match=message):
        call(session)


def test_wrong_options_say_what_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sess_options: None is accepted"):
        InferenceSession(b"", onnxruntime.SessionOptions())  # type: ignore[arg-type]
    with pytest.raises(PlanError, match=r"no\.onnx: No such file or directory; a plan's folder or a model's file would be accepted"):
        InferenceSession(tmp_path / "no.onnx")
    with pytest.raises(CompileError, match="model: the file is empty"):
        InferenceSession(b"")
