"""ONNX's interface of backends: shapes and shape-deciding operands come with the arrays of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from planish.compiler import onnx_backend
from planish.compiler.driver import compile_model
from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from tests.oracles import onnx_model, write

X = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.mark.device
def test_shapes_and_deciding_operands_come_with_a_run() -> None:
    """Other shapes, and other axes, are other plans; the same ones are not compiled again."""
    model = onnx_model([helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)],
                       {"x": (np.float32, ["n", 4]), "axes": (np.int64, [1])}, ["y"])
    ready = onnx_backend.prepare(model)
    for x in (X, X[:2], X):
        for axis in (0, 1):
            (y,) = ready.run([x, np.array([axis])])
            np.testing.assert_allclose(y, x.sum(axis))
    assert len(ready._sessions) == 4


@pytest.mark.device
def test_a_node_by_itself() -> None:
    (y,) = onnx_backend.run_node(helper.make_node("Transpose", ["x"], ["y"]), [X])
    np.testing.assert_array_equal(y, X.T)
    assert onnx_backend.supports_device("") and not onnx_backend.supports_device("9:9")


def sliced() -> onnx_backend.onnx.ModelProto:
    """A slice whose end is computed from an input."""
    one = {"one": np.array([1])}
    return onnx_model([helper.make_node("Add", ["count", "one"], ["end"]), helper.make_node("Slice", ["x", "one", "end"], ["y"])],
                      {"x": (np.float32, [3, 4]), "count": (np.int64, [1])}, ["y"], one)


def test_who_decides_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="--input-value count=") as caught:
        load(write(tmp_path, sliced()))
    assert caught.value.deciders == ("count",)


def test_an_input_becomes_a_constant(tmp_path: Path) -> None:
    path = write(tmp_path, sliced())
    graph = load(path, input_values={"count": np.array([2])})
    assert graph.inputs == ["x"]
    assert graph.type(graph.outputs["y"]).shape == (2, 4)
    plan, _ = compile_model(path, "cpu", input_values={"count": np.array([1])})
    assert plan is not None and plan.outputs[0].shape == (1, 4)
