"""ONNX files -> graphs: opsets, shapes, constants in all their storage forms, functions, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from planish.compiler.errors import ModelError, OptionError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ops import importing
from tests.oracles import evaluated, onnx_model, same, write

RNG = np.random.default_rng(0)
node = helper.make_node


def relu_model(shape: tuple[Any, ...] = (2, 3)) -> onnx.ModelProto:
    return onnx_model([node("Relu", ["x"], ["y"])], {"x": (np.float32, shape)}, ["y"])


def seen_attributes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **attributes: Any) -> importing.OnnxNode:
    """The node that an importer gets."""
    nodes = []

    def importer(n: importing.OnnxNode) -> str:
        nodes.append(n)
        return n.input(0)

    monkeypatch.setitem(importing.ONNX, "mine::Probe", importer)
    probe = node("Probe", ["x", ""], ["y"], domain="mine", **attributes)
    model = onnx_model([probe], {"x": (np.float32, (2,))}, ["y"])
    model.opset_import.append(helper.make_opsetid("mine", 3))
    load(write(tmp_path, model))
    return nodes[0]


# -- what is no model


def test_truncation_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    data = onnx_model([node("Add", ["x", "c"], ["y"])], {"x": (np.float32, (2,))}, ["y"],
                      {"c": np.ones(2, np.float32)}).SerializeToString()  # fmt: skip
    for length in range(2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises((ModelError, UnsupportedError), match=str(path)):
            load(path)


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(relu_model().SerializeToString().replace(b"Relu", b"Re\xffu"))
    with pytest.raises(ModelError, match="no text"):
        load(path)


def test_a_model_without_outputs(tmp_path: Path) -> None:
    model = relu_model()
    del model.graph.output[:]
    with pytest.raises(ModelError, match="no outputs"):
        load(write(tmp_path, model))


def test_a_value_from_nowhere(tmp_path: Path) -> None:
    model = onnx_model([node("Relu", ["z"], ["y"])], {"x": (np.float32, (2,))}, ["y"])
    with pytest.raises(ModelError, match="'z' is neither an input nor a constant"):
        load(write(tmp_path, model))


def test_a_cycle(tmp_path: Path) -> None:
    model = onnx_model([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"])], {"x": (np.float32, (2,))}, ["b"])
    with pytest.raises(ModelError, match="cycle"):
        load(write(tmp_path, model))


# -- inputs, outputs, order


@pytest.mark.parametrize(
    ("shape", "label", "option"),
    [
        (("batch", 3), r"dimension 0 \('batch'\) of \[batch,3\]", "--dim batch=1"),
        ((0, 3), "dimension 0 of", "--batch 1"),
        ((None, 3), "dimension 0 of", "--batch 1"),
    ],
)
def test_open_dimensions_need_a_shape(tmp_path: Path, shape: tuple[Any, ...], label: str, option: str) -> None:
    path = write(tmp_path, relu_model(shape))
    with pytest.raises(OptionError, match=rf"input 'x'.*{label}.*{option}$"):
        load(path)
    assert load(path, input_shapes={"x": (5, 3)}).type("x").shape == (5, 3)
    with pytest.raises(OptionError, match="dimension 1 is 3"):
        load(path, input_shapes={"x": (5, 4)})


def test_an_open_rank_needs_a_shape(tmp_path: Path) -> None:
    model = relu_model()
    model.graph.input[0].type.tensor_type.ClearField("shape")
    path = write(tmp_path, model)
    with pytest.raises(OptionError, match="--input-shape x="):
        load(path)
    assert load(path, input_shapes={"x": (5, 4)}).type("x").shape == (5, 4)


def test_initializers_among_the_inputs_are_constants(tmp_path: Path) -> None:
    model = onnx_model([node("Add", ["x", "c"], ["y"])], {"x": (np.float32, (2,)), "c": (np.float32, (2,))}, ["y"],
                       {"c": np.ones(2, np.float32)})  # fmt: skip
    path = write(tmp_path, model)
    assert load(path).inputs == ["x"]
    same(evaluated(path, [np.zeros(2, np.float32)]), [np.ones(2, np.float32)])


@pytest.mark.parametrize("elem", [TensorProto.STRING, TensorProto.COMPLEX64, TensorProto.COMPLEX128, 0, 55])
def test_inputs_of_other_types_are_refused(tmp_path: Path, elem: int) -> None:
    model = relu_model()
    model.graph.input[0].type.tensor_type.elem_type = elem
    with pytest.raises(UnsupportedError, match="input 'x': of type"):
        load(write(tmp_path, model))


def test_sequences_are_refused(tmp_path: Path) -> None:
    model = relu_model()
    model.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, None))
    with pytest.raises(UnsupportedError, match="of kind sequence; tensors would be accepted"):
        load(write(tmp_path, model))


def test_nodes_out_of_order_are_sorted(tmp_path: Path) -> None:
    nodes = [node("Relu", ["a"], ["y"]), node("Neg", ["x"], ["a"])]
    path = write(tmp_path, onnx_model(nodes, {"x": (np.float32, (3,))}, ["y"]))
    same(evaluated(path, [np.array([-1, 0, 2], np.float32)]), [np.array([1, 0, 0], np.float32)])


def test_an_input_may_be_an_output(tmp_path: Path) -> None:
    graph = load(write(tmp_path, onnx_model([node("Relu", ["x"], ["y"])], {"x": (np.float32, (2,))}, ["x", "y"])))
    assert graph.outputs["x"] == "x"
    assert list(graph.outputs) == ["x", "y"]


# -- constants


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "uint32", "bool"]
)
def test_initializers_of_every_type(tmp_path: Path, dtype: str, raw: bool) -> None:
    data = RNG.integers(0, 2, (2, 3)).astype(dtype)
    model = onnx_model([node("Identity", ["c"], ["y"])], {"x": (np.float32, (1,))}, ["y"])
    elem = helper.np_dtype_to_tensor_dtype(data.dtype)
    model.graph.initializer.append(
        helper.make_tensor("c", elem, data.shape, data.tobytes() if raw else data.ravel(), raw=raw)
    )
    same(evaluated(write(tmp_path, model), [np.zeros(1, np.float32)]), [data])


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [(ml_dtypes.bfloat16, np.float32), (ml_dtypes.float8_e4m3fn, np.float32), (ml_dtypes.int4, np.int8)],
)
def test_types_that_numpy_lacks_are_widened(tmp_path: Path, dtype: Any, kept: Any) -> None:
    data = np.array([-2, 0, 1, 3]).astype(dtype)
    model = onnx_model([node("Identity", ["c"], ["y"])], {"x": (np.float32, (1,))}, ["y"])
    model.graph.initializer.append(numpy_helper.from_array(data, "c"))
    same(evaluated(write(tmp_path, model), [np.zeros(1, np.float32)]), [np.array([-2, 0, 1, 3], kept)])


def test_external_data(tmp_path: Path) -> None:
    data = RNG.random((4, 5), np.float32)
    model = onnx_model([node("Add", ["x", "c"], ["y"])], {"x": (np.float32, (4, 5))}, ["y"], {"c": data})
    path = tmp_path / "model.onnx"
    onnx.save_model(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    same(evaluated(path, [np.zeros((4, 5), np.float32)]), [data])
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError, match="the data of tensor 'c' cannot be read"):
        load(path)


def test_external_data_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\0" * 16)
    folder = tmp_path / "inner"
    folder.mkdir()
    model = onnx_model([node("Add", ["x", "c"], ["y"])], {"x": (np.float32, (4,))}, ["y"])
    tensor = TensorProto(name="c", dims=[4], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../secret")
    model.graph.initializer.append(tensor)
    with pytest.raises(ModelError, match="cannot be read"):
        load(write(folder, model))


@pytest.mark.parametrize("rows", [True, False])
def test_sparse_initializers(tmp_path: Path, rows: bool) -> None:
    values = numpy_helper.from_array(np.array([1, 2], np.float32), "c")
    indices = np.array([[0, 1], [1, 2]]) if rows else np.array([1, 5])
    model = onnx_model([node("Add", ["x", "c"], ["y"])], {"x": (np.float32, (2, 3))}, ["y"])
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(indices), [2, 3])
    model.graph.sparse_initializer.append(sparse)
    same(
        evaluated(write(tmp_path, model), [np.zeros((2, 3), np.float32)]),
        [np.array([[0, 1, 0], [0, 0, 2]], np.float32)],
    )


def test_huge_constants_take_no_memory(tmp_path: Path) -> None:
    nodes = [
        node("ConstantOfShape", ["shape"], ["c"], value=numpy_helper.from_array(np.array([2.5], np.float32))),
        node("Slice", ["c", "zero", "one"], ["first"]),
        node("Add", ["x", "first"], ["y"]),
        node("Mul", ["x", "c"], ["z"]),
    ]
    constants = {"shape": np.array([1 << 20, 1 << 12]), "zero": np.array([0, 0]), "one": np.array([1, 1])}
    graph = load(write(tmp_path, onnx_model(nodes, {"x": (np.float32, (1, 1))}, ["y", "z"], constants)))
    big = [v.data for v in graph.values() if v.data is not None and v.type.size == 1 << 32]
    assert [array.strides for array in big] == [(0, 0)]


# -- attributes


def test_attributes_are_python_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = RNG.random((2, 2), np.float32)
    branch = helper.make_graph([], "branch", [], [])
    n = seen_attributes(tmp_path, monkeypatch, i=3, f=0.5, s="text", ints=[1, 2], floats=[0.5], strings=["a", "b"],
                        t=numpy_helper.from_array(array), g=branch)  # fmt: skip
    assert (n.op, n.opset, n.inputs) == ("mine::Probe", 3, ("x", ""))
    assert [n.attr(k) for k in ("i", "f", "s", "ints", "floats", "strings")] == [
        3,
        0.5,
        "text",
        [1, 2],
        [0.5],
        ["a", "b"],
    ]
    np.testing.assert_array_equal(n.attr("t"), array)
    assert n.attr("g").name == "branch"
    assert n.attr("missing", 7) == 7


# -- functions


def function(name: str, nodes: list[onnx.NodeProto], **attributes: list[str]) -> onnx.FunctionProto:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)]
    return helper.make_function("mine", name, ["a", "b"], ["r"], nodes, opsets, **attributes)


def test_functions_of_the_model_are_expanded(tmp_path: Path) -> None:
    leaky = node("LeakyRelu", ["a"], ["l"])
    leaky.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT))
    outer = node("Outer", ["x", "c"], ["y"], domain="mine", slope=0.25)
    inner = node("Inner", ["y", "c"], ["z"], domain="mine")
    constants = {"c": np.array([1, -2, 3], np.float32)}
    model = onnx_model([outer, inner], {"x": (np.float32, (3,))}, ["y", "z"], constants)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    model.functions.append(function("Inner", [node("Mul", ["a", "b"], ["r"])]))
    model.functions.append(
        function("Outer", [leaky, node("Inner", ["l", "b"], ["r"], domain="mine")], attributes=["slope"])
    )
    x = np.array([-4, 5, 6], np.float32)
    path = write(tmp_path, model)
    y = np.where(x < 0, x * 0.25, x) * np.array([1, -2, 3])
    same(evaluated(path, [x]), [y.astype(np.float32), (y * np.array([1, -2, 3])).astype(np.float32)])
    assert {n.sources[0] for n in load(path).nodes()} == {"y/l", "y/r/r", "z/r"}


def test_functions_of_the_standard_stand_in_for_missing_importers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HardSwish", "LessOrEqual"):
        monkeypatch.delitem(importing.ONNX, name)
    nodes = [node("HardSwish", ["x"], ["y"]), node("LessOrEqual", ["x", "y"], ["z"])]
    model = onnx_model(nodes, {"x": (np.float32, (9,))}, ["y", "z"])
    model.graph.output[1].type.tensor_type.elem_type = TensorProto.BOOL
    x = np.linspace(-4, 4, 9, dtype=np.float32)
    same(evaluated(write(tmp_path, model), [x]), ReferenceEvaluator(model).run(None, {"x": x}))


def test_a_function_may_depend_on_the_types_of_its_operands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(importing.ONNX, "ThresholdedRelu")
    model = onnx_model([node("ThresholdedRelu", ["x"], ["y"], alpha=2.0)], {"x": (np.float32, (9,))}, ["y"])
    x = np.linspace(-4, 4, 9, dtype=np.float32)
    same(evaluated(write(tmp_path, model), [x]), ReferenceEvaluator(model).run(None, {"x": x}))


# -- refusals


def test_every_refusal_is_listed_and_nothing_that_follows_from_it(tmp_path: Path) -> None:
    nodes = [
        node("Mystery", ["x"], ["a"], "first", domain="mine"), node("Relu", ["a"], ["b"], "second"),
        node("Riddle", ["b"], ["c"], "third"), node("Reshape", ["x", "x"], ["d"], "fourth"),
    ]  # fmt: skip
    model = onnx_model(nodes, {"x": (np.float32, (2,))}, ["c", "d"])
    with pytest.raises(UnsupportedError) as caught:
        load(write(tmp_path, model))
    assert [(name, op) for name, op, _ in caught.value.nodes] == [
        ("first", "mine::Mystery"),
        ("third", "Riddle"),
        ("fourth", "Reshape"),
    ]
    assert caught.value.nodes[0][2] == "no such operator is supported"
    assert "computed at run time" in caught.value.nodes[2][2]


def test_outputs_that_an_importer_does_not_give(tmp_path: Path) -> None:
    model = onnx_model([node("Relu", ["x"], ["y", "mask"])], {"x": (np.float32, (2,))}, ["y"])
    assert load(write(tmp_path, model)).inputs == ["x"]
    model.graph.output.append(helper.make_tensor_value_info("mask", TensorProto.BOOL, [2]))
    with pytest.raises(UnsupportedError, match="of its outputs 1 would be accepted, but 2 are used"):
        load(write(tmp_path, model))


@pytest.mark.parametrize("operator", ["Add", "Mul"])
def test_legacy_broadcasting(tmp_path: Path, operator: str) -> None:
    """Before opset 7 an operand was aligned by `axis`, not at the end."""
    model = onnx_model([node(operator, ["x", "c"], ["y"], broadcast=1, axis=1)], {"x": (np.float32, (2, 3, 4))}, ["y"],
                       {"c": np.array([1, 2, 3], np.float32)}, opset=6)  # fmt: skip
    x = RNG.random((2, 3, 4), np.float32)
    c = np.array([1, 2, 3], np.float32).reshape(3, 1)
    same(evaluated(write(tmp_path, model), [x]), [x + c if operator == "Add" else x * c])
