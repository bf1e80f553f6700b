"""Places of maxima, and elements put back there: kernels against the numpy reference, importers against ONNX Runtime and the standard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from planish.compiler.errors import GraphError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.elementwise import Cast
from planish.compiler.ops.max_place import MaxPlace, Unpool
from tests.harness import Case, check, floats
from tests.oracles import evaluated, onnx_model, onnx_node, ort, same, standard_case, standard_cases, write
from tests.tflite_writer import TfliteWriter

KERNELS = pytest.mark.device
ONE = ((0, 0), (0, 0))
PLACES = [
    # x, op
    ((2, 9, 5), MaxPlace((3,), (2,), ((1, 1),), (1,), (1,), (0,))),
    ((1, 7, 8, 17), MaxPlace((3, 2), (2, 3), ((1, 0), (0, 1)), (1, 2), (8, 1), (0, 0))),
    ((3, 4, 6, 3), MaxPlace((2, 2), (2, 2), ONE, (1, 1), (0, 0), (2, 1))),
    ((1, 4, 3, 5, 4), MaxPlace((2, 2, 3), (1, 1, 2), ((1, 0), (0, 0), (1, 1)), (2, 1, 1), (15, 5, 1), (0, 0, 0))),
]
UNPOOLED = [((3, 5), 12), ((1, 1), 1), ((17, 4), 33)]


@KERNELS
@pytest.mark.parametrize(("x", "op"), PLACES)
@pytest.mark.parametrize("framed", [True, False])
def test_places(x: tuple[int, ...], op: MaxPlace, framed: bool) -> None:
    assert check(Case(op, floats(x), framed=framed)) >= 3


@KERNELS
def test_the_first_of_equal_maxima_and_what_is_no_number() -> None:
    x = np.zeros((1, 4, 4, 5), np.float32)
    x[0, 1, 1, 2], x[0, 3, 2, 0], x[0, 2, 2, 0] = np.nan, np.nan, 7
    x[..., 4] = -np.inf
    op = MaxPlace((2, 2), (2, 2), ONE, (1, 1), (4, 1), (0, 0))
    assert check(Case(op, [x], framed=False, epilogue=(Step(Cast(np.dtype(np.int32)), (0,)),))) >= 3
    assert check(Case(op, [np.arange(-40, 40, dtype=np.int8).reshape(1, 4, 4, 5)])) >= 3


@KERNELS
@pytest.mark.parametrize(("x", "size"), UNPOOLED)
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_unpooled(x: tuple[int, ...], size: int, dtype: Any) -> None:
    """Some places are named twice, some lie outside."""
    index = np.random.default_rng(0).integers(-2, size + 2, x).astype(dtype)
    assert check(Case(Unpool(size), [*floats(x), index])) >= 3


def test_refused() -> None:
    f, i = np.dtype(np.float32), np.dtype(np.int32)
    with pytest.raises(GraphError, match="do not slide over"):
        MaxPlace((2,), (1,), ((0, 0),), (1,), (1,), (0,)).infer(TensorType((1, 4, 4, 3), f))
    with pytest.raises(GraphError, match="does not name places"):
        Unpool(9).infer(TensorType((2, 3), f), TensorType((2, 4), i))


# -- importers


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize(
    ("x", "attributes"),
    [
        ((2, 3, 9), {"kernel_shape": [3], "strides": [2]}),
        ((2, 3, 5, 7), {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}),
        ((1, 2, 5, 7), {"kernel_shape": [2, 2], "dilations": [2, 3], "ceil_mode": 1, "strides": [2, 2]}),
        ((2, 2, 3, 4, 5), {"kernel_shape": [2, 2, 3], "auto_pad": "SAME_UPPER"}),
    ],
)
def test_onnx_max_pool(tmp_path: Path, x: tuple[int, ...], attributes: dict[str, Any], order: int) -> None:
    node = onnx.helper.make_node("MaxPool", ["x"], ["y", "places"], storage_order=order, **attributes)
    model = onnx_model([node], {"x": (np.float32, x)}, ["y", "places"], opset=12)
    model.graph.output[1].type.tensor_type.elem_type = onnx.TensorProto.INT64
    path, data = write(tmp_path, model), floats(x)
    same(evaluated(path, data), ort(path, data))


@pytest.mark.parametrize("case", standard_cases(["maxunpool", "maxpool"], ["MaxUnpool"]), ids=lambda c: c.name)
def test_onnx_max_unpool(tmp_path: Path, case: Any) -> None:
    path, inputs, outputs = standard_case(tmp_path, case, 2)
    same(evaluated(path, inputs), outputs)


def test_onnx_max_unpool_puts_a_maximum_back(tmp_path: Path) -> None:
    x = np.array([[[[5, 6], [7, 8]]]] * 2, np.float32)
    index = np.array([[[[1, 3], [8, 14]]], [[[17, 19], [28, 31]]]])
    path = onnx_node(tmp_path, "MaxUnpool", [x, index], opset=11, kernel_shape=[2, 2], strides=[2, 2])
    same(evaluated(path, [x, index]), ort(path, [x, index]))


def test_onnx_max_unpool_to_less_is_refused(tmp_path: Path) -> None:
    x, index = floats((1, 1, 2, 2))[0], np.zeros((1, 1, 2, 2), np.int64)
    with pytest.raises(UnsupportedError, match="smaller than"):
        load(onnx_node(tmp_path, "MaxUnpool", [x, index], [np.array([1, 1, 3, 3])], kernel_shape=[2, 2], strides=[2, 2]))


def mediapipe(options: np.ndarray) -> TfliteWriter:
    """Maxima and their places, and those put back."""
    m = TfliteWriter()
    x, blob = m.input("x", (2, 4, 6, 3), "float32"), options.astype("<i4").tobytes()
    specs = [((1,), "float32"), ((1,), "float32")]
    y, place = m.op("CUSTOM", [x], outputs=specs, custom_code="MaxPoolingWithArgmax2D", custom_options=blob)
    back = m.op("CUSTOM", [y, place], shape=(1,), custom_code="MaxUnpooling2D", custom_options=blob)
    for value in (y, place, back):
        m.output(value)
    return m


def test_mediapipe(tmp_path: Path) -> None:
    """Windows of 2x3 that do not overlap: what comes back is x where it is a maximum, else zero."""
    (x,) = floats((2, 4, 6, 3))
    path = write(tmp_path, mediapipe(np.array([1, 3, 2, 3, 2, 0])))
    y, place, back = evaluated(path, [x])
    windows = x.reshape(2, 2, 2, 2, 3, 3).transpose(0, 1, 3, 2, 4, 5).reshape(2, 2, 2, 6, 3)
    same([y, place], [windows.max(3), (windows.argmax(3) + 0.1).astype(np.float32)])
    maxima = windows == windows.max(3, keepdims=True)
    expected = np.where(maxima, windows, 0).reshape(2, 2, 2, 2, 3, 3).transpose(0, 1, 3, 2, 4, 5).reshape(x.shape)
    same([back], [expected.astype(np.float32)])


def test_mediapipe_without_options(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="not the 24 bytes"):
        load(write(tmp_path, mediapipe(np.zeros(2))))
