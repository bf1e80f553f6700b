"""TFLite files -> graphs: names, shapes, constants in all their storage forms, and what is refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import flatbuffers.flexbuffers
import numpy as np
import pytest

import tests.tflite_writer
from planish.compiler.errors import CompileError, ModelError, OptionError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.frontend.sparsity import Level, Sparsity
from planish.compiler.frontend.tflite_file import read_subgraphs
from planish.compiler.ir import Graph
from planish.compiler.ops import importing
from tests.oracles import evaluated, litert, same, write
from tests.tflite_writer import Quantization, TfliteWriter
from tests.tflite_writer import Sparsity as Stored

RNG = np.random.default_rng(0)


def relu_model(shape: tuple[int, ...] = (1, 4), **given: Any) -> TfliteWriter:
    m = TfliteWriter()
    m.output(m.op("RELU", [m.input("x", shape, "float32", **given)], shape=shape, dtype="float32"))
    return m


def added(tmp_path: Path, shape: tuple[int, ...], constant: Any) -> list[np.ndarray]:
    """x + constant, for x = 0; `constant` adds the tensor to a writer."""
    m = TfliteWriter()
    m.output(m.op("ADD", [m.input("x", shape, "float32"), constant(m)], shape=shape, dtype="float32"))
    return evaluated(write(tmp_path, m), [np.zeros(shape, np.float32)])


def assert_told(path: Path) -> None:
    """What is wrong with a file, if anything, is told by an error of the compiler's own that names the file."""
    error = None
    try:
        load(path)
    except CompileError as caught:
        error = str(caught)
    assert error is None or str(path) in error


# -- what is no model


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"", "empty"), (b"hello world, this is text", "neither a TFLite flatbuffer nor an ONNX")],
)
def test_no_model(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load(path)


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="directory"):
        load(tmp_path)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(relu_model().finish())
    assert load(path).inputs == ["x"]


def test_every_truncation_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    data = relu_model().finish()
    for length in range(8, len(data) - 1, 7):
        path.write_bytes(data[:length])
        assert_told(path)


@pytest.mark.parametrize("seed", range(50))
def test_damage_is_told(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(relu_model().finish())
    for place in rng.integers(8, len(data), 4):
        data[place] = rng.integers(256)
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    assert_told(path)


# -- inputs and outputs


def test_names_are_those_of_the_file_made_unique(tmp_path: Path) -> None:
    m = TfliteWriter()
    a, b = m.input("x", (2,), "float32"), m.input("x", (3,), "int32")
    m.output(m.op("RELU", [a], shape=(2,), dtype="float32"), b, b)
    graph = load(write(tmp_path, m))
    assert graph.inputs == ["x", "x.1"]
    assert list(graph.outputs) == ["t2", "x", "x.1"]
    assert graph.outputs["x"] == graph.outputs["x.1"] == "x.1"
    assert [str(graph.type(v)) for v in graph.inputs] == ["float32[2]", "int32[3]"]


def test_open_dimensions_need_a_shape(tmp_path: Path) -> None:
    path = write(tmp_path, relu_model((1, 4), signature=(-1, 4)))
    with pytest.raises(OptionError, match=r"input 'x'.* dimension 0 of \[\?,4\] open; .*--batch 1$"):
        load(path)
    graph = load(path, input_shapes={"x": (3, 4)})
    assert graph.type("x").shape == (3, 4)
    assert [graph.type(v).shape for v in graph.outputs.values()] == [(3, 4)]


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [("y", (3, 4), "no input 'y'; the inputs are 'x'"), ("x", (3, 5), "dimension 1 is 4"), ("x", (3,), "1 dimensions"),
     ("x", (-1, 4), "below 0")],
)  # fmt: skip
def test_shapes_that_do_not_fit(tmp_path: Path, name: str, shape: tuple[int, ...], message: str) -> None:
    path = write(tmp_path, relu_model((1, 4), signature=(-1, 4)))
    with pytest.raises(OptionError, match=message):
        load(path, input_shapes={name: shape})


def test_a_fixed_shape_may_be_given(tmp_path: Path) -> None:
    assert load(write(tmp_path, relu_model((1, 4))), input_shapes={"x": (1, 4)}).type("x").shape == (1, 4)


def test_inputs_without_numbers_are_refused(tmp_path: Path) -> None:
    m = TfliteWriter()
    m.output(m.op("RELU", [m.input("x", (1,), "string")], shape=(1,), dtype="float32"))
    with pytest.raises(UnsupportedError, match="input 'x': of type STRING"):
        load(write(tmp_path, m))


# -- operators


def test_every_refusal_is_listed_and_nothing_that_follows_from_it(tmp_path: Path) -> None:
    m = TfliteWriter()
    x = m.input("x", (2, 2), "float32")
    a = m.op("CUSTOM", [x], shape=(2, 2), dtype="float32", custom_code="Mystery")
    b = m.op("RELU", [a], shape=(2, 2), dtype="float32")
    c = m.op("CUSTOM", [b], outputs=[((2,), "float32"), ((2,), "int32")], custom_code="Riddle")
    m.output(*c)
    with pytest.raises(UnsupportedError) as caught:
        load(write(tmp_path, m))
    assert [(op, reason) for _, op, reason in caught.value.nodes] == [
        ("Mystery", "no such operator is supported"),
        ("Riddle", "no such operator is supported"),
    ]


def test_a_missing_operand_is_a_refusal_not_a_crash(tmp_path: Path) -> None:
    m = TfliteWriter()
    m.output(m.op("TRANSPOSE", [m.input("x", (2, 2), "float32")], shape=(2, 2), dtype="float32"))
    with pytest.raises(UnsupportedError, match="TRANSPOSE 'transpose_0'"):
        load(write(tmp_path, m))


def test_options_by_their_names_in_the_schema(tmp_path: Path) -> None:
    m = TfliteWriter()
    x = m.input("x", (1, 4, 4, 1), "float32")
    given = {"padding": "VALID", "stride_w": 2, "fused_activation_function": "RELU6"}
    y = m.op("CONV_2D", [x, x], given, shape=(1, 1, 1, 1), dtype="float32")
    m.op("SQUEEZE", [y], {"squeeze_dims": [1, 2]}, shape=(1, 1), dtype="float32")
    m.op("CAST", [y], {"out_data_type": "INT32"}, shape=(1, 1), dtype="int32")
    m.op("VAR_HANDLE", [], {"shared_name": "state"}, shape=(), dtype="resource")
    m.output(y)
    path = write(tmp_path, m)
    conv, squeeze, cast, handle = (o.options for o in read_subgraphs(path.read_bytes(), path)[0].operators)
    assert (conv.padding, conv.stride_w, conv.fused_activation_function) == ("VALID", 2, "RELU6")
    assert (conv.stride_h, conv.dilation_w_factor) == (0, 1)
    assert squeeze.squeeze_dims == (1, 2)
    assert cast.out_data_type == "INT32"
    assert handle.shared_name == "state"
    with pytest.raises(AttributeError, match="CONV_2D has no option 'beta'"):
        _ = conv.beta


def test_options_left_out_have_the_defaults_of_the_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tests.tflite_writer.schema, "options_table", lambda operator: None)
    m = TfliteWriter()
    x = m.input("x", (1, 4, 4, 1), "float32")
    m.output(m.op("CONV_2D", [x, x], shape=(1,)), m.op("AVERAGE_POOL_2D", [x], shape=(1,)))
    path = write(tmp_path, m)
    conv, pool = (o.options for o in read_subgraphs(path.read_bytes(), path)[0].operators)
    assert (conv.padding, conv.dilation_h_factor, pool.fused_activation_function) == ("SAME", 1, "NONE")


def test_custom_options_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def importer(n: importing.TfliteNode) -> str:
        seen.append(n.custom)
        return n.input(0)

    monkeypatch.setitem(importing.TFLITE, "Mystery", importer)
    m = TfliteWriter()
    x = m.input("x", (2,), "float32")
    for options in (bytes(flatbuffers.flexbuffers.Dumps({"alpha": 0.5, "axes": [1, 2]})), b"\x01\x02\x03\x04", b""):
        x = m.op("CUSTOM", [x], shape=(2,), dtype="float32", custom_code="Mystery", custom_options=options)
    m.output(x)
    load(write(tmp_path, m))
    assert seen == [{"alpha": 0.5, "axes": [1, 2]}, b"\x01\x02\x03\x04", None]


def test_recorded_results_are_hints_only(tmp_path: Path) -> None:
    m = TfliteWriter()
    x = m.input("x", (1, 3), "float32", signature=(-1, 3))
    m.output(m.op("ADD", [x, m.constant(np.ones((1, 3), np.float32))], shape=(1, 3), dtype="float32"))
    graph: Graph = load(write(tmp_path, m), input_shapes={"x": (5, 3)})
    assert [graph.type(v).shape for v in graph.outputs.values()] == [(5, 3)]


# -- constants


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool"])
def test_constants_of_every_type(tmp_path: Path, dtype: str) -> None:
    data = RNG.integers(0, 2 if dtype == "bool" else 100, (2, 3)).astype(dtype)
    m = TfliteWriter()
    m.input("x", (1,), "float32")
    m.output(m.constant(data, name="c"))
    (result,) = evaluated(write(tmp_path, m), [np.zeros(1, np.float32)])
    same([result], [data])


@pytest.mark.parametrize("size", [6, 7])
def test_int4_is_unpacked(tmp_path: Path, size: int) -> None:
    data = np.arange(-3, size - 3)
    m = TfliteWriter()
    m.input("x", (1,), "float32")
    m.output(m.constant(data, "int4"))
    (result,) = evaluated(write(tmp_path, m), [np.zeros(1, np.float32)])
    same([result], [data.astype(np.int8)])


def test_constants_behind_the_flatbuffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files above 2 GB keep their constants at an offset from the start of the file."""
    data = RNG.random((2, 3), np.float32)
    original = tests.tflite_writer.write_table

    def outside(b: Any, table: str, values: Any) -> int:
        return original(b, table, {"Offset": 4096, "Size": 24} if table == "Buffer" and values else values)

    m = TfliteWriter()
    m.input("x", (1,), "float32")
    m.output(m.constant(data))
    monkeypatch.setattr(tests.tflite_writer, "write_table", outside)
    path = write(tmp_path, m)
    path.write_bytes(path.read_bytes().ljust(4096, b"\0") + data.tobytes())
    same(evaluated(path, [np.zeros(1, np.float32)]), [data])


def test_a_constant_that_does_not_fill_its_shape(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds 3 elements"):
        added(tmp_path, (4,), lambda m: m.constant(np.zeros(3, np.float32), shape=(4,)))


def test_a_tensor_from_nowhere(tmp_path: Path) -> None:
    m = TfliteWriter()
    m.output(
        m.op("RELU", [m._add(tests.tflite_writer._Tensor(tests.tflite_writer.TensorSpec((2,), "float32")))], shape=(2,))
    )
    with pytest.raises(UnsupportedError, match="neither an input nor a constant"):
        load(write(tmp_path, m))


@pytest.mark.parametrize("scale", [(0.5,), (0.5, 0.25, 2.0)])
def test_quantised_weights_become_floats(tmp_path: Path, scale: tuple[float, ...]) -> None:
    stored = RNG.integers(-128, 128, (2, 3)).astype(np.int8)
    quantization = Quantization(scale, (3,), 1)
    m = TfliteWriter()
    x = m.input("x", (2, 3), "float32")
    w = m.op("DEQUANTIZE", [m.constant(stored, quantization=quantization)], shape=(2, 3), dtype="float32")
    m.output(m.op("ADD", [x, w], shape=(2, 3), dtype="float32"))
    expected = (stored.astype(np.float32) - 3) * np.array(scale, np.float32)
    same(evaluated(write(tmp_path, m), [np.zeros((2, 3), np.float32)]), [expected])


def test_half_precision_weights_are_widened(tmp_path: Path) -> None:
    data = RNG.random((2, 3)).astype(np.float16)
    m = TfliteWriter()
    x = m.input("x", (2, 3), "float32")
    w = m.op("DEQUANTIZE", [m.constant(data)], shape=(2, 3), dtype="float32")
    m.output(m.op("ADD", [x, w], shape=(2, 3), dtype="float32"))
    same(evaluated(write(tmp_path, m), [np.zeros((2, 3), np.float32)]), [data.astype(np.float32)])



def test_variable_tensors_are_states(tmp_path: Path) -> None:
    m = TfliteWriter()
    m.output(m.op("RELU", [m.variable((2,), "float32", name="state")], shape=(2,), dtype="float32"))
    graph = load(write(tmp_path, m))
    assert list(graph.states) == ["state"] and not graph.external_inputs and not graph.states["state"].initial.any()


# -- sparse constants


def sparse(
    dense: np.ndarray, order: tuple[int, ...], blocks: dict[int, int], compressed: set[int]
) -> tuple[np.ndarray, list[Any]]:
    """The stored values and levels of an array.

    Args:
        blocks: axis -> block size; compressed: the places in the walk that are not dense.
    """
    rank, shape, view = dense.ndim, [], []
    for axis, extent in enumerate(dense.shape):
        shape += [extent // blocks[axis], blocks[axis]] if axis in blocks else [extent]
        view.append(len(shape) - (2 if axis in blocks else 1))
    inner = [view[axis] + 1 for axis in blocks]
    walked = dense.reshape(shape).transpose([(view + inner)[k] for k in order])
    nodes: list[tuple[int, ...]] = [()]
    levels: list[Any] = []
    for place, extent in enumerate(walked.shape):
        if place in compressed:
            children = [[k for k in range(extent) if walked[(*node, k)].any()] for node in nodes]
            segments = np.cumsum([0, *map(len, children)])
            levels.append((segments, np.array([k for c in children for k in c], np.int64)))
        else:
            children = [list(range(extent))] * len(nodes)
            levels.append(extent)
        nodes = [(*node, k) for node, c in zip(nodes, children) for k in c]
    assert rank + len(blocks) == walked.ndim
    return np.array([walked[node] for node in nodes], dense.dtype), levels


def scattered(shape: tuple[int, ...], density: float = 0.3) -> np.ndarray:
    return (RNG.random(shape) * (RNG.random(shape) < density)).astype(np.float32)


def level(stored: Any) -> Level:
    return Level(size=stored) if isinstance(stored, int) else Level(segments=stored[0], indices=stored[1])


def test_every_walk_is_densified() -> None:
    dense = scattered((4, 6))
    for blocks in ({}, {0: 2}, {1: 3}, {0: 2, 1: 3}):
        count = 2 + len(blocks)
        for order in itertools.permutations(range(count)):
            inside = {k for k, axis in enumerate(order) if axis >= 2}
            for bits in range(1 << count):
                compressed = {k for k in range(count) if bits >> k & 1} - inside
                stored, levels = sparse(dense, order, blocks, compressed)
                sparsity = Sparsity(order, list(blocks), [level(v) for v in levels])
                np.testing.assert_array_equal(sparsity.densify(stored, dense.shape), dense)


@pytest.mark.parametrize("width", [np.uint8, np.uint16, np.int32])
@pytest.mark.parametrize("densify", [True, False])
def test_sparse_constants(tmp_path: Path, width: Any, densify: bool) -> None:
    dense = scattered((8, 12))
    stored, levels = sparse(dense, (0, 1, 2), {1: 4}, {1})
    levels = [v if isinstance(v, int) else tuple(array.astype(width) for array in v) for v in levels]
    m = TfliteWriter()
    x = m.input("x", (8, 12), "float32")
    w = m.constant(stored, shape=(8, 12), sparsity=Stored((0, 1, 2), levels, (1,)))
    w = m.op("DENSIFY", [w], shape=(8, 12), dtype="float32") if densify else w
    m.output(m.op("ADD", [x, w], shape=(8, 12), dtype="float32"))
    path = write(tmp_path, m)
    arrays = [RNG.random((8, 12), np.float32)]
    same(evaluated(path, arrays), litert(path, arrays) if densify else [arrays[0] + dense])


def test_sparse_storage_that_reaches_outside() -> None:
    sparsity = Sparsity((0, 1), (), (Level(size=2), Level(segments=np.array([0, 1, 2]), indices=np.array([0, 7]))))
    with pytest.raises(ValueError, match="outside axis 1"):
        sparsity.densify(np.ones(2, np.float32), (2, 3))
