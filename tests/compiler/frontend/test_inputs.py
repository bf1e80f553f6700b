"""The shapes of inputs: what the file fixes, what the user gives, and what is told where the two do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from planish.compiler import compile_model
from planish.compiler.errors import OptionError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.frontend.inputs import NOTHING, Dims, InputOptions, resolve
from planish.compiler.ir import Graph, evaluate
from tests.oracles import litert, onnx_model, ort, same, write
from tests.tflite_writer import TfliteWriter

PATH = Path("m")
NAMED: dict[str, Dims] = {"x": ["n", 3, "t"], "state": [2, "n", 8]}
MIXED: dict[str, Dims] = {"x": ["", 4], "y": ["n", "t"], "z": [1, 4]}
BARE: dict[str, Dims] = {"x": ["", "", 4], "y": ["", 2]}
FIXED: dict[str, Dims] = {"x": [1, 4]}
SIZES: dict[str, Dims] = {"x": ["", 4], "sizes": [""]}


@pytest.mark.parametrize(
    ("recorded", "given", "shapes"),
    [
        (FIXED, NOTHING, {"x": (1, 4)}),
        (NAMED, InputOptions(dims={"n": 5, "t": 7}), {"x": (5, 3, 7), "state": (2, 5, 8)}),
        (NAMED, InputOptions(batch=5, dims={"t": 7}), {"x": (5, 3, 7), "state": (2, 5, 8)}),
        (NAMED, InputOptions(batch=5, dims={"n": 5, "t": 7}), {"x": (5, 3, 7), "state": (2, 5, 8)}),
        (NAMED, InputOptions({"x": (5, 3, 7)}), {"x": (5, 3, 7), "state": (2, 5, 8)}),
        (NAMED, InputOptions(values={"x": np.zeros((5, 3, 7))}, batch=None), {"x": (5, 3, 7), "state": (2, 5, 8)}),
        (MIXED, InputOptions(batch=6, dims={"t": 2}), {"x": (6, 4), "y": (6, 2), "z": (1, 4)}),
        (BARE, InputOptions({"x": (6, 3, 4)}, batch=6), {"x": (6, 3, 4), "y": (6, 2)}),
        (SIZES, InputOptions(values={"sizes": np.array([7, 9])}, batch=3), {"x": (3, 4), "sizes": (2,)}),
        (FIXED, InputOptions(batch=1), {"x": (1, 4)}),
        ({"x": None}, InputOptions({"x": (2, 3)}), {"x": (2, 3)}),
    ],
)  # fmt: skip
def test_what_is_given_fixes_what_is_open(recorded: dict[str, Dims], given: InputOptions, shapes: dict[str, Any]) -> None:
    assert resolve(PATH, recorded, given) == shapes


@pytest.mark.parametrize(
    ("recorded", "given", "message"),
    [
        (NAMED, NOTHING, "input 'x': the model leaves dimension 0 ('n'), dimension 2 ('t') of [n,3,t] open; "
                         "input 'state': the model leaves dimension 1 ('n') of [2,n,8] open; give, for example, --dim n=1 --dim t=1"),
        (NAMED, InputOptions(dims={"n": 5}),
         "input 'x': the model leaves dimension 2 ('t') of [5,3,t] open; give, for example, --dim t=1"),
        (MIXED, NOTHING, "of [n,t] open; give, for example, --batch 1 --dim t=1"),
        (BARE, NOTHING, "of [?,2] open; give, for example, --input-shape x=1,1,4 --batch 1"),
        (BARE, InputOptions(batch=6),
         "input 'x': the model leaves dimension 1 of [6,?,4] open; give, for example, --input-shape x=6,1,4"),
        ({"x": None}, NOTHING, "input 'x': the model leaves its shape open; give, for example, --input-shape x=…"),
        ({"x": ["a b", 4]}, NOTHING, "give, for example, --dim 'a b'=1"),
        (NAMED, InputOptions(dims={"m": 5}), "no open dimension 'm'; those with a name are 'n', 't', and the inputs are 'x' [n,3,t], "),
        (FIXED, InputOptions(dims={"n": 5}), "no open dimension 'n'; none has a name, and the inputs are 'x' [1,4]"),
        (NAMED, InputOptions(dims={"n": 0}), "--dim n=0: 1 or more would be accepted; the inputs are 'x' [n,3,t]"),
        (NAMED, InputOptions(dims={"n": -5}), "--dim n=-5: 1 or more"),
        (MIXED, InputOptions(batch=0), "--batch 0: 1 or more would be accepted; the inputs are 'x' [?,4], 'y' [n,t], 'z' [1,4]"),
        (FIXED, InputOptions(batch=2), "--batch 2: the file fixes dimension 0 of every input: 'x' [1,4]; a model that was exported"),
        (NAMED, InputOptions(batch=5, dims={"n": 4}), "dimension 'n' is 4 by --dim n=4 and 5 by --batch 5; one extent"),
        (NAMED, InputOptions({"x": (5, 3, 7)}, dims={"t": 8}), "dimension 't' is 8 by --dim t=8 and 7 by --input-shape x=5,3,7"),
        (NAMED, InputOptions({"x": (5, 3, 7), "state": (2, 4, 8)}),
         "dimension 'n' is 5 by --input-shape x=5,3,7 and 4 by --input-shape state=2,4,8"),
        (NAMED, InputOptions(values={"x": np.zeros((5, 3, 7))}, dims={"n": 4}),
         "dimension 'n' is 4 by --dim n=4 and 5 by the value of 'x'"),
        (MIXED, InputOptions({"x": (5, 4)}, batch=6), "dimension 0 of input 'x' is 5 by --input-shape x=5,4 and 6 by --batch 6"),
        (MIXED, InputOptions({"w": (5, 4)}), "no input 'w'; the inputs are 'x' [?,4], 'y' [n,t], 'z' [1,4]"),
        (MIXED, InputOptions(batch=2**20, dims={"t": 2**20}), "input 'y': shape [1048576,1048576] has more than"),
    ],
)  # fmt: skip
def test_what_is_told(recorded: dict[str, Dims], given: InputOptions, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        resolve(PATH, recorded, given)
    assert str(caught.value).startswith("m: ") and message in str(caught.value)


def rows_of_onnx() -> Any:
    """y = x [n,t,4] as [n,4t], by its own shape."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]), helper.make_node("Gather", ["shape", "first"], ["n"]),
        helper.make_node("Concat", ["n", "rest"], ["rows"], axis=0), helper.make_node("Reshape", ["x", "rows"], ["y"]),
    ]  # fmt: skip
    return onnx_model(nodes, {"x": (np.float32, ["n", "t", 4])}, ["y"], {"first": np.array([0]), "rest": np.array([-1])})


def rows_of_tflite() -> TfliteWriter:
    """y = x [?,2,4] as [?,8], by its own shape, as converters write it: a strided slice, packed."""
    m = TfliteWriter()
    x = m.input("x", (1, 2, 4), "float32", signature=(-1, 2, 4))
    shape = m.op("SHAPE", [x], {"out_type": "INT32"}, shape=(3,), dtype="int32")
    ends = [m.constant(np.array(v, np.int32)) for v in ([0], [1], [1])]
    masks = dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask"), 0) | {"shrink_axis_mask": 1}
    n = m.op("STRIDED_SLICE", [shape, *ends], masks, shape=(), dtype="int32")
    rows = m.op("PACK", [n, m.constant(np.array(8, np.int32))], {"values_count": 2, "axis": 0}, shape=(2,), dtype="int32")
    m.output(m.op("RESHAPE", [x, rows], shape=(1, 8), dtype="float32"))
    return m


def given(graph: Graph, x: np.ndarray) -> list[np.ndarray]:
    values = evaluate(graph, {"x": x})
    return [values[v] for v in graph.outputs.values()]


def test_shape_arithmetic_folds(tmp_path: Path) -> None:
    x = np.arange(24, dtype=np.float32).reshape(3, 2, 4)
    path = write(tmp_path, rows_of_onnx())
    graph = load(path, dims={"n": 3, "t": 2})
    assert len(graph) == 1
    same(given(graph, x), ort(path, [x]), 0)
    path = write(tmp_path, rows_of_tflite())
    graph = load(path, batch=3)
    assert len(graph) == 1
    same(given(graph, x), litert(path, [x]), 0)


def test_a_constant_shape_may_forbid_the_batch(tmp_path: Path) -> None:
    m = TfliteWriter()
    x = m.input("x", (1, 2, 4), "float32", signature=(-1, 2, 4))
    m.output(m.op("RESHAPE", [x, m.constant(np.array([1, 8], np.int32))], shape=(1, 8), dtype="float32"))
    path = write(tmp_path, m)
    assert load(path, batch=1).inputs == ["x"]
    with pytest.raises(UnsupportedError, match=r"RESHAPE.*\(1, 8\)"):
        load(path, batch=3)


def test_every_way_in(tmp_path: Path) -> None:
    path = write(tmp_path, rows_of_onnx())
    for keywords in ({"dims": {"t": 2}, "batch": 3}, {"input_shapes": {"x": (3, 2, 4)}}):
        plan, _ = compile_model(path, "cpu", **keywords)  # type: ignore[arg-type]
        assert plan is not None and plan.outputs[0].shape == (3, 8)
