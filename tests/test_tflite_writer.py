"""Models made by the writer run in LiteRT and give what numpy gives: the file is read as it was meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tflite

from tests.tflite_schema import fields, members, options_table
from tests.tflite_writer import Quantization, Sparsity, Subgraph, TensorSpec, TfliteWriter

Array = npt.NDArray[Any]
RNG = np.random.default_rng(0)


def run(writer: TfliteWriter, *inputs: npt.ArrayLike, times: int = 1) -> list[Array]:
    """The outputs that LiteRT computes, of the last of `times` runs."""
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(model_content=writer.finish())
    interpreter.allocate_tensors()
    for _ in range(times):
        for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.set_tensor(detail["index"], np.asarray(value, detail["dtype"]))
        interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def floats(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def test_convolution_with_options_and_activation() -> None:
    x, w, b = floats(1, 5, 4, 3), floats(2, 1, 1, 3), floats(2)
    m = TfliteWriter()
    options = {"padding": "VALID", "stride_w": 2, "stride_h": 1, "fused_activation_function": "RELU6"}
    operands = [m.input("x", x.shape, "float32"), m.constant(w), m.constant(b)]
    m.output(m.op("CONV_2D", operands, options, shape=(1, 5, 2, 2), dtype="float32"))
    (y,) = run(m, x)
    np.testing.assert_allclose(y, np.clip(x[:, :, ::2] @ w[:, 0, 0].T + b, 0, 6), rtol=1e-5, atol=1e-5)


def test_optional_input_and_option_vector() -> None:
    x, w = floats(2, 6), floats(4, 6)
    m = TfliteWriter()
    y = m.op("FULLY_CONNECTED", [m.input("x", x.shape, "float32"), m.constant(w), -1], shape=(2, 4), dtype="float32")
    z = m.op("RESHAPE", [y, m.constant([4, 2], "int32")], {"new_shape": [4, 2]}, shape=(4, 2), dtype="float32")
    m.output(z)
    (got,) = run(m, x)
    np.testing.assert_allclose(got, (x @ w.T).reshape(4, 2), rtol=1e-5)


def test_several_outputs() -> None:
    x = RNG.permutation(10).astype(np.float32)
    m = TfliteWriter()
    operands = [m.input("x", (10,), "float32"), m.constant(3, "int32")]
    m.output(*m.op("TOPK_V2", operands, outputs=[((3,), "float32"), ((3,), "int32")]))
    values, indices = run(m, x)
    assert values.tolist() == [9, 8, 7]
    assert indices.tolist() == np.argsort(-x)[:3].tolist()


@pytest.mark.parametrize("size", [6, 7])
def test_operator_code_above_127_and_int4(size: int) -> None:
    """GELU is 150: it does not fit the file format's old operator code. An odd int4 count leaves half a byte over."""
    w = np.resize(np.arange(-8, 8), size)
    m = TfliteWriter()
    q = Quantization(scale=[0.5])
    x = m.op("DEQUANTIZE", [m.constant(w, "int4", q)], shape=(size,), dtype="float32", version=6)
    y = m.op("ADD", [x, m.input("x", (size,), "float32")], shape=(size,), dtype="float32")
    m.output(m.op("GELU", [y], {"approximate": False}, shape=(size,), dtype="float32"), y)
    gelu, total = run(m, np.ones(size))
    assert total.tolist() == (w * 0.5 + 1).tolist()
    np.testing.assert_allclose(gelu[0], -3 * 0.00135, rtol=1e-2)


def test_quantization_per_channel() -> None:
    x, w = RNG.integers(-128, 128, (1, 1, 1, 8)), RNG.integers(-127, 128, (3, 1, 1, 8))
    scale = np.array([0.01, 0.02, 0.04], np.float32)
    m = TfliteWriter()
    operands = [
        m.input("x", x.shape, "int8", Quantization([0.5], [-1])),
        m.constant(w, "int8", Quantization(scale.tolist(), dimension=0)),
        m.constant(np.zeros(3), "int32", Quantization((0.5 * scale).tolist())),
    ]
    options = {"padding": "SAME", "stride_w": 1, "stride_h": 1}
    y = m.op("CONV_2D", operands, options, shape=(1, 1, 1, 3), dtype="int8", quantization=Quantization([4.0], [3]))
    m.output(y)
    (got,) = run(m, x)
    real = (w[:, 0, 0] * scale[:, None]) @ ((x[0, 0, 0] + 1) * 0.5)
    np.testing.assert_allclose(got[0, 0, 0], np.clip(real / 4 + 3, -128, 127), atol=1)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("float32", [1.5, -2]),
        ("float16", [0.5, 3]),
        ("int8", [-128, 127]),
        ("uint8", [0, 255]),
        ("bool", [True, False]),
        ("int16", [-32768, 5]),
        ("int32", [-(2**31), 1]),
        ("int64", [2**40, -1]),
    ],
)
def test_dtypes(dtype: str, values: Sequence[Any]) -> None:
    m = TfliteWriter()
    m.output(m.op("RESHAPE", [m.constant(values, dtype), m.constant([2, 1], "int32")], shape=(2, 1), dtype=dtype))
    (y,) = run(m)
    assert y.dtype == dtype
    assert y.tolist() == [[value] for value in values]


def test_shape_signature() -> None:
    m = TfliteWriter()
    x = m.input("x", (1, 3), "float32", signature=(-1, 3))
    m.output(*m.op("EXP", [x], outputs=[TensorSpec((1, 3), "float32", signature=(-1, 3), name="y")]))
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(model_content=m.finish())
    for detail, name in zip(interpreter.get_input_details() + interpreter.get_output_details(), "xy", strict=True):
        assert detail["name"] == name
        assert detail["shape_signature"].tolist() == [-1, 3]
    interpreter.resize_tensor_input(0, [4, 3])
    interpreter.allocate_tensors()
    assert interpreter.get_output_details()[0]["shape"].tolist() == [4, 3]


def test_variable_keeps_its_value() -> None:
    """An RNN cell of one unit that adds up its inputs."""
    m = TfliteWriter()
    x, one, zero = m.input("x", (1, 1), "float32"), m.constant([[1.0]], "float32"), m.constant([0.0], "float32")
    state = m.variable((1, 1), "float32")
    m.output(m.op("RNN", [x, one, one, zero, state], shape=(1, 1), dtype="float32"))
    assert run(m, [[2.0]], times=3)[0].tolist() == [[6.0]]


def _binary(graph: Subgraph, op: str, other: float, dtype: str = "float32") -> None:
    x = graph.input("x", (1,), "float32")
    graph.output(graph.op(op, [x, graph.constant([other], "float32")], shape=(1,), dtype=dtype))


@pytest.mark.parametrize(("flag", "expected"), [(True, 8.0), (False, 15.0)])
def test_if_chooses_a_subgraph(flag: bool, expected: float) -> None:
    m = TfliteWriter()
    then, other = m.subgraph("then"), m.subgraph("else")
    _binary(then, "ADD", 3)
    _binary(other, "MUL", 3)
    operands = [m.input("flag", (1,), "bool"), m.input("x", (1,), "float32")]
    options = {"then_subgraph_index": then.index, "else_subgraph_index": other.index}
    m.output(m.op("IF", operands, options, shape=(1,), dtype="float32"))
    assert run(m, [flag], [5.0])[0].tolist() == [expected]


def test_while_runs_its_body() -> None:
    m = TfliteWriter()
    condition, body = m.subgraph("condition"), m.subgraph("body")
    _binary(condition, "LESS", 100, "bool")
    _binary(body, "MUL", 3)
    options = {"cond_subgraph_index": condition.index, "body_subgraph_index": body.index}
    m.output(m.op("WHILE", [m.input("x", (1,), "float32")], options, shape=(1,), dtype="float32"))
    assert run(m, [5.0])[0].tolist() == [135.0]


@pytest.mark.parametrize("index", [np.int32, np.uint16, np.uint8])
def test_sparse_constant(index: type[np.generic]) -> None:
    """Rows dense, columns compressed: CSR."""
    dense = np.array([[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 4]], np.float32)
    segments, columns = np.array([0, 2, 2, 4], index), np.array([1, 3, 0, 3], index)
    m = TfliteWriter()
    sparsity = Sparsity(traversal_order=[0, 1], dims=[3, (segments, columns)])
    w = m.constant(dense[dense != 0], shape=dense.shape, sparsity=sparsity)
    y = m.op("DENSIFY", [w], shape=dense.shape, dtype="float32")
    m.output(m.op("ADD", [y, m.input("x", dense.shape, "float32")], shape=dense.shape, dtype="float32"))
    assert np.array_equal(run(m, np.ones_like(dense))[0], dense + 1)


def test_custom_operator_and_second_options_union() -> None:
    m = TfliteWriter()
    x = m.input("x", (4,), "float32")
    y = m.op("CUSTOM", [x, None], shape=(4,), dtype="float32", custom_code="Mine", custom_options=b"\1\2\3", version=2)
    m.op("REDUCE_WINDOW", [y], {"reduce_function": "MAXIMUM"}, shape=(4,), dtype="float32")
    model = tflite.Model.GetRootAs(m.finish())
    code, operator = model.OperatorCodes(0), model.Subgraphs(0).Operators(0)
    assert (code.CustomCode(), code.Version(), code.BuiltinCode()) == (b"Mine", 2, tflite.BuiltinOperator.CUSTOM)
    assert operator.CustomOptionsAsNumpy().tobytes() == b"\1\2\3"
    assert operator.InputsAsNumpy().tolist() == [x, -1]
    second = model.Subgraphs(0).Operators(1)
    assert second.BuiltinOptions2Type() == tflite.BuiltinOptions2.ReduceWindowOptions
    options = tflite.ReduceWindowOptions()
    options.Init(second.BuiltinOptions2().Bytes, second.BuiltinOptions2().Pos)
    assert options.ReduceFunction() == tflite.ReduceWindowFunction.MAXIMUM
    assert model.OperatorCodes(1).DeprecatedBuiltinCode() == 127


def test_every_options_table_belongs_to_an_operator() -> None:
    """And every vector in it has a type that numpy knows."""
    reached = {options_table(operator) for operator in members("BuiltinOperator")}
    tables = {*members("BuiltinOptions"), *members("BuiltinOptions2")} - {"NONE"}
    assert tables - reached == set()
    for table in tables:
        for field in fields(table).values():
            assert field.vector is None or np.dtype(field.vector).kind in "biuf"


def test_names_that_the_schema_lacks_are_refused() -> None:
    m = TfliteWriter()
    x = m.input("x", (4,), "float32")
    with pytest.raises(ValueError, match=r"SOFTMAX: no option 'gamma'; its options are: beta"):
        m.op("SOFTMAX", [x], {"gamma": 1}, shape=(4,), dtype="float32")
    with pytest.raises(ValueError, match=r"RELU: no option 'alpha'; its options are: none"):
        m.op("RELU", [x], {"alpha": 1}, shape=(4,), dtype="float32")
    with pytest.raises(ValueError, match=r"'EQUAL' is not a Padding: SAME, VALID"):
        m.op("CONV_2D", [x], {"padding": "EQUAL"}, shape=(4,), dtype="float32")
    with pytest.raises(ValueError, match=r"'CONV2D' is not a BuiltinOperator"):
        m.op("CONV2D", [x], shape=(4,), dtype="float32")
    with pytest.raises(ValueError, match=r"'float33' is not a TensorType"):
        m.input("y", (4,), "float33")


def test_files_are_deterministic_and_buffers_aligned() -> None:
    def build() -> bytes:
        m = TfliteWriter()
        parts = [m.constant(np.arange(size), "uint8") for size in (1, 3, 17)]
        m.output(m.op("CONCATENATION", parts, {"axis": 0}, shape=(21,), dtype="uint8"))
        return m.finish()

    data = build()
    assert data == build()
    assert data[4:8] == b"TFL3"
    model = tflite.Model.GetRootAs(data)
    for index in range(1, model.BuffersLength()):
        vector = model.Buffers(index)._tab
        assert vector.Vector(vector.Offset(4)) % 16 == 0
