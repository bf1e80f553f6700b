"""Models made to harm: each ends in one error that says where and what, before memory or time is spent."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from planish.compiler import CompileError
from planish.compiler.driver import compile_model
from planish.compiler.ir import TensorType
from planish.compiler.ops.importing import LARGEST
from tests.fuzz.seeds import functions
from tests.tflite_writer import Quantization, Sparsity, TfliteWriter

SECONDS = 10


def model(nodes: Sequence[NodeProto], shape: Sequence[int] = (2, 3), opset: int = 18, **constants: Any) -> ModelProto:
    """Of an input x and an output y."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    kept = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return helper.make_model(helper.make_graph(nodes, "hostile", [x], [y], kept), opset_imports=[helper.make_opsetid("", opset)])


def node(op: str, *inputs: str, output: str = "y", **attributes: Any) -> NodeProto:
    return helper.make_node(op, inputs, [output], **attributes)


def refusal(path: Path, data: bytes) -> str:
    """The error that a file ends in, within the time that any file may take."""
    path.write_bytes(data)
    begun = time.process_time()
    with pytest.raises(CompileError) as caught:
        compile_model(path, "cpu")
    assert time.process_time() - begun < SECONDS
    return str(caught.value)


def calls_itself() -> ModelProto:
    made = functions(1)
    made.functions[0].node[0].op_type, made.functions[0].node[0].domain = "F0", "own"
    return made


def named(*names: str) -> ModelProto:
    """With inputs of these names."""
    made = model([node("Identity", "x")])
    del made.graph.input[:]
    made.graph.input.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in names)
    return made


def looped(times: int, depth: int) -> ModelProto:
    """Loops of so many runs within one another, around nothing."""
    info = helper.make_tensor_value_info
    nodes = [node("Identity", "v0", output="y0")]
    for k in range(depth):
        body = helper.make_graph(
            nodes, "body", [info("k", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info(f"v{k}", TensorProto.FLOAT, [2, 3])],
            [info("c", TensorProto.BOOL, []), info(f"y{k}", TensorProto.FLOAT, [2, 3])])
        nodes = [helper.make_node("Loop", ["times", "", f"v{k + 1}"], [f"y{k + 1}"], body=body)]
    nodes[0].input[2], nodes[0].output[0] = "start", "z"
    return model([*nodes, node("Add", "x", "z")], times=np.int64(times), start=np.ones((2, 3), np.float32))


ONNX: dict[str, tuple[Callable[[], ModelProto], str]] = {
    "a function that calls itself": (calls_itself, "calls function own::F0, which calls it"),
    "functions that double": (lambda: functions(40), "make a graph of more than 16400 nodes"),
    "functions within functions": (lambda: functions(200, 1), "more than 64 graphs and functions lie within one another"),
    "loops in loops": (lambda: looped(4000, 3), "come to more than 65536 nodes"),
    "a range without end": (lambda: model([node("Range", "a", "b", "c", output="r"), node("Add", "x", "r")],
                                          a=np.float32(0), b=np.float32(1e30), c=np.float32(1)), "it makes a constant float64["),
    "a constant of more than can be counted": (
        lambda: model([node("ConstantOfShape", "s", output="r"), node("Add", "x", "r")], s=np.array([1 << 32, 1 << 32, 3])),
        "ConstantOfShape 'r': its operands or attributes do not fit the operator"),
    "an identity without end": (
        lambda: model([node("Expand", "x", "s", output="r"), node("EyeLike", "r")], (1, 1), s=np.array([30000, 30000])),
        "it makes a constant float64["),
    "an operand that is not there": (lambda: model([node("Sum")]), "Sum 'y': an operand is missing without which"),
    "an input without a name": (lambda: named("x", ""), "input 1 has no name"),
    "inputs of one name": (lambda: named("x", "x"), "2 inputs are named 'x'; names that differ would be accepted"),
    "a constant of text": (lambda: model([node("Constant", perm="text")]), "Constant 'y': attribute 'perm'; value, sparse_value, "),
    "a result whose size is 0 in 64 bits": (lambda: model([node("Tile", "x", "s")], (1, 1), s=np.array([1 << 32, 1 << 32])),
                                            f"its result float32[4294967296,4294967296] has more than {LARGEST} elements"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "message"), ONNX.values(), ids=list(ONNX))
def test_onnx(tmp_path: Path, make: Callable[[], ModelProto], message: str) -> None:
    assert message in refusal(tmp_path / "model.onnx", make().SerializeToString())


@pytest.mark.parametrize(("extent", "levels", "message"), [
    (1 << 20, [1 << 20, 1 << 20], "takes more than 256 MB"),
    (1 << 12, [1 << 12, 1 << 12], "a level of 4096 for 1 elements does not fit the 4 stored"),
    (1 << 12, [1, (np.array([0, 2**31 - 1]), np.array([0]))], "segments of 2147483647 elements in all do not fit 1 indices"),
])
def test_sparse_constants(tmp_path: Path, extent: int, levels: list[Any], message: str) -> None:
    m = TfliteWriter()
    x = m.input("x", (extent, 1), "float32")
    w = m.constant(np.ones(4, np.float32), shape=(extent, extent), sparsity=Sparsity([0, 1], levels))
    m.output(m.op("ADD", [x, w], {}, shape=(extent, extent), dtype="float32"))
    assert message in refusal(tmp_path / "model.tflite", m.finish())


def test_sizes_do_not_overflow() -> None:
    assert TensorType((1 << 32, 1 << 32), np.dtype("float32")).nbytes == 1 << 66
    assert TensorType((np.int64(1 << 40), np.int64(1 << 40)), np.dtype("int8")).size == 1 << 80  # type: ignore[arg-type]


def test_constants_made_of_constants_find_room_no_longer(tmp_path: Path) -> None:
    """Small ones that grow by every node are left to the device, not made one after another."""
    nodes = [node("Expand", "one", "s", output="r0")]
    nodes += [node("Add", f"r{k}", f"r{k}", output=f"r{k + 1}") for k in range(40)]
    made = model([*nodes, node("Add", "x", "r40")], (1, 1), one=np.ones((1, 1), np.float32), s=np.array([1 << 11, 1 << 12]))
    path = tmp_path / "model.onnx"
    path.write_bytes(made.SerializeToString())
    plan, _ = compile_model(path, "cpu")
    assert plan is not None and len(plan.weights) < 1 << 28


def test_a_variable_without_end(tmp_path: Path) -> None:
    m = TfliteWriter()
    x = m.input("x", (2, 3), "float32")
    state = m.variable((1 << 20, 1 << 20), "float32")
    m.output(m.op("ADD", [x, state], {}, shape=(2, 3), dtype="float32"))
    assert "has more than" in refusal(tmp_path / "model.tflite", m.finish())


def test_subgraphs_that_double(tmp_path: Path) -> None:
    """Each calls the next in both of its branches."""
    m = TfliteWriter()
    shape = (2, 3)
    graphs = [m, *(m.subgraph(f"g{k}") for k in range(40))]
    for k, g in enumerate(graphs):
        x, c = g.input("x", shape, "float32"), g.input("c", (), "bool")
        if k + 1 == len(graphs):
            g.output(g.op("ADD", [x, x], {}, shape=shape, dtype="float32"))
        else:
            options = {"then_subgraph_index": graphs[k + 1].index, "else_subgraph_index": graphs[k + 1].index}
            g.output(g.op("IF", [c, x, c], options, shape=shape, dtype="float32"))
    assert "calls and runs of loops make a graph of more than" in refusal(tmp_path / "model.tflite", m.finish())


def test_loops_whose_bodies_double(tmp_path: Path) -> None:
    """What a loop hands on is asked of each subgraph once."""
    m = TfliteWriter()
    shape = (2, 3)
    graphs = [m, *(m.subgraph(f"g{k}") for k in range(30))]
    cond = m.subgraph("cond")
    c = cond.input("x", shape, "float32")
    total = cond.op("SUM", [c, cond.constant(np.array([0, 1], np.int32))], {"keep_dims": False}, shape=(), dtype="float32")
    cond.output(cond.op("LESS", [total, cond.constant(np.float32(9))], shape=(), dtype="bool"))
    for k, g in enumerate(graphs):
        x = g.input("x", shape, "float32")
        for _ in range(2):
            if k + 1 == len(graphs):
                x = g.op("ADD", [x, x], {}, shape=shape, dtype="float32")
            else:
                (x,) = g.op("WHILE", [x], {"cond_subgraph_index": cond.index, "body_subgraph_index": graphs[k + 1].index},
                            outputs=[(shape, "float32")])
        g.output(x)
    assert "calls and runs of loops make a graph of more than" in refusal(tmp_path / "model.tflite", m.finish())


@pytest.mark.parametrize(("op", "options", "outputs", "message"), [
    ("CAST", {}, [((2, 3), "string")], "CAST 'cast_0': its result would be of object; numbers and truth values would be accepted"),
    ("UNPACK", {"num": 2, "axis": 1}, [((2,), "float32")] * 2, "UNPACK 'unpack_0': of 3 parts, which its 2 outputs cannot take"),
])
def test_operators_that_say_what_cannot_be(tmp_path: Path, op: str, options: dict[str, Any], outputs: Any, message: str) -> None:
    m = TfliteWriter()
    m.output(*m.op(op, [m.input("x", (2, 3), "float32")], options, outputs=outputs))
    assert message in refusal(tmp_path / "model.tflite", m.finish())


def test_the_options_of_another_operator(tmp_path: Path) -> None:
    m = TfliteWriter()
    weights = m.constant(np.ones((1, 3), np.int8), quantization=Quantization([0.1]))
    state = m.variable((2, 4), "float32")
    operands = [m.input("x", (2, 3), "float32"), weights, m.constant(np.ones((1, 4), np.float32)), None, state]
    m.output(m.op("SVDF", operands, {}, shape=(2, 1)))
    m.operators[-1] = replace(m.operators[-1], table="Conv2DOptions")
    assert "SVDF has no option 'asymmetric_quantize_inputs'" in refusal(tmp_path / "model.tflite", m.finish())


def test_a_split_into_more_than_memory_holds(tmp_path: Path) -> None:
    m = TfliteWriter()
    x = m.input("x", (2, 4), "float32")
    m.output(*m.op("SPLIT", [m.constant(np.int32(1)), x], {"num_splits": (1 << 31) - 1}, outputs=[((2, 2), "float32")] * 2))
    assert "SPLIT 'split_0': of 2147483647 parts, which its 2 outputs cannot take" in refusal(tmp_path / "model.tflite", m.finish())


def test_a_device_is_no_model() -> None:
    with pytest.raises(CompileError, match="/dev/zero: is a device, which may never end"):
        compile_model("/dev/zero", "cpu")


def test_what_lies_elsewhere_is_not_read(tmp_path: Path) -> None:
    """A tensor whose contents are said to lie outside of the model's folder."""
    (tmp_path / "secret").write_bytes(bytes(24))
    (tmp_path / "models").mkdir()
    for location in ("../secret", str(tmp_path / "secret"), "/dev/zero"):
        made = model([node("Add", "x", "w")], w=np.ones((2, 3), np.float32))
        tensor = made.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        assert "the data of tensor 'w' cannot be read" in refusal(tmp_path / "models" / "model.onnx", made.SerializeToString())
