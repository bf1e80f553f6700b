"""Pooling: every kernel against the numpy reference, every option of both formats against their own runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step, TensorType
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.movement import Slice, Transpose
from planish.compiler.ops.pool import Pool2D
from tests.harness import CPU, GPU, Case, check, check_graph, floats
from tests.oracles import evaluated, litert, onnx_node, ort, same, tflite_node

ONE = ((1, 1), (1, 1))
CASES = [
    # x, op
    ((1, 9, 11, 17), Pool2D("max", (3, 3), (2, 2), ((0, 1), (1, 1)))),
    ((3, 8, 7, 5), Pool2D("average", (3, 3), (1, 1), ONE)),
    ((1, 7, 8, 3), Pool2D("average", (2, 3), (2, 3), ((0, 1), (1, 2)), counted=((0, 1), (1, 0)))),
    ((2, 12, 13, 1), Pool2D("max", (2, 3), (1, 2), ((1, 0), (0, 2)), (2, 3))),
    ((1, 10, 33, 16), Pool2D("average", (3, 2), (1, 1), ((2, 2), (1, 1)), (2, 1), ((2, 2), (1, 1)))),
    ((1, 5, 5, 33), Pool2D("average", (5, 5))),
    ((3, 6, 5, 4), Pool2D("max", (1, 1), (3, 2))),
    ((1, 3, 4, 20), Pool2D("average", (3, 3), (3, 3), ((3, 3), (3, 2)), counted=((3, 3), (3, 2)))),
]
KERNELS = pytest.mark.device


@KERNELS
@pytest.mark.parametrize(("x", "op"), CASES)
def test_every_candidate(x: tuple[int, ...], op: Pool2D) -> None:
    assert check(Case(op, floats(x))) >= 3


@KERNELS
@pytest.mark.parametrize(("x", "op"), [CASES[0], CASES[2]])
def test_reads_and_writes_what_the_user_sees(x: tuple[int, ...], op: Pool2D) -> None:
    assert check(Case(op, floats(x), framed=False), candidates=2) >= 3


@KERNELS
@pytest.mark.parametrize(("x", "op"), [CASES[0], CASES[1]])
def test_half_precision(x: tuple[int, ...], op: Pool2D) -> None:
    (values,) = floats(x)
    assert check(Case(op, [values.astype(np.float16).astype(np.float32)]), precision="f16", candidates=2) >= 3


@KERNELS
@pytest.mark.parametrize(("x", "op"), [CASES[0], CASES[2]])
def test_epilogue(x: tuple[int, ...], op: Pool2D) -> None:
    shape = op.infer(TensorType(x, np.dtype(np.float32)))[0].shape
    scale, residual = floats((1, 1, 1, shape[3]), shape, seed=1)
    steps = (Step(Elementwise("mul"), (0, "scale")), Step(Elementwise("add"), ("residual", 1)), Step(Elementwise("sigmoid"), (2,)))
    extra = (("scale", scale, True), ("residual", residual, False))
    assert check(Case(op, floats(x), epilogue=steps, extra=extra), candidates=2) >= 3


@KERNELS
@pytest.mark.parametrize("before", [Slice((0, 1, 0, 0), (1, 4, 4, 16), (1, 2, 2, 1)), Transpose((0, 2, 1, 3))], ids=repr)
@pytest.mark.parametrize("framed", [True, False])
def test_reads_a_view(before: Any, framed: bool) -> None:
    op = Pool2D("max", (3, 3), (1, 1), ONE)
    assert check(Case(op, floats((1, 9, 8, 16)), before=(before,), framed=framed), targets=[CPU, GPU], candidates=1) == 2


@KERNELS
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
def test_maxima_of_integers(dtype: str) -> None:
    info = np.iinfo(dtype)
    x = np.random.default_rng(0).integers(info.min, info.max, (1, 5, 6, 5), dtype)
    assert check(Case(Pool2D("max", (3, 3), (2, 2), ONE), [x]), targets=[CPU, GPU], candidates=1) == 2


@KERNELS
def test_a_maximum_sees_what_is_no_number() -> None:
    x = np.full((1, 4, 4, 5), -np.inf, np.float32)
    x[0, 1, 1, 2], x[0, 3, 3, 0] = np.nan, np.inf
    assert check(Case(Pool2D("max", (2, 2), (2, 2)), [x], framed=False), candidates=1) == 3


def test_a_window_that_sees_nothing_is_refused() -> None:
    x = TensorType((1, 3, 9, 4), np.dtype(np.float32))
    with pytest.raises(GraphError, match="sees nothing"):
        Pool2D("max", (2, 1), pads=((2, 2), (0, 0)), dilation=(5, 1)).infer(x)
    with pytest.raises(GraphError, match="does not fit"):
        Pool2D("max", (4, 1)).infer(x)


@KERNELS
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_three_axes(tmp_path: Path, op: str) -> None:
    shape, attributes = ONNX[9]
    x = floats(shape)
    graph = load(onnx_node(tmp_path, op, x, **attributes))
    assert check_graph(graph, dict(zip(graph.inputs, x)), candidates=2) >= 3


# -- importers

ONNX = [
    # x, attributes
    ((1, 3, 9, 8), {"kernel_shape": [3, 2]}),
    ((2, 3, 9, 8), {"kernel_shape": [3, 3], "strides": [2, 1], "pads": [1, 0, 2, 1]}),
    ((1, 1, 10, 11), {"kernel_shape": [2, 3], "strides": [3, 2], "ceil_mode": 1}),
    ((1, 2, 10, 11), {"kernel_shape": [3, 3], "strides": [2, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1}),
    ((1, 2, 4, 4), {"kernel_shape": [1, 1], "strides": [3, 3], "pads": [0, 0, 0, 0], "ceil_mode": 1}),
    ((1, 2, 9, 8), {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((1, 2, 9, 8), {"kernel_shape": [4, 2], "strides": [2, 3], "auto_pad": "SAME_LOWER"}),
    ((1, 2, 9, 8), {"kernel_shape": [4, 2], "strides": [2, 3], "auto_pad": "VALID"}),
    ((2, 3, 9), {"kernel_shape": [4], "strides": [3], "pads": [2, 1]}),
    ((2, 3, 5, 6, 7), {"kernel_shape": [3, 2, 2], "strides": [2, 1, 3], "pads": [1, 0, 1, 0, 1, 1]}),
    ((1, 2, 4, 6, 5), {"kernel_shape": [3, 2, 2], "strides": [2, 2, 3], "ceil_mode": 1}),
    ((1, 2, 4, 6, 5), {"kernel_shape": [2, 3, 2], "strides": [1, 2, 2], "auto_pad": "SAME_LOWER"}),
]
DILATED = [
    ((1, 2, 9, 11), {"kernel_shape": [2, 3], "dilations": [3, 2]}),
    ((1, 2, 9, 11), {"kernel_shape": [3, 3], "dilations": [2, 3], "strides": [2, 2], "pads": [2, 1, 0, 2], "ceil_mode": 1}),
    ((1, 2, 12), {"kernel_shape": [3], "dilations": [4], "pads": [1, 1]}),
    ((1, 2, 7, 5, 6), {"kernel_shape": [2, 2, 3], "dilations": [3, 1, 2], "pads": [1, 0, 1, 1, 0, 1]}),
]


def check_onnx(tmp_path: Path, op: str, shape: tuple[int, ...], opset: int, attributes: dict[str, Any]) -> None:
    x = floats(shape)
    path = onnx_node(tmp_path, op, x, opset=opset, **attributes)
    same(evaluated(path, x), ort(path, x))


def since(opset: int, **attributes: int) -> list[Any]:
    """The cases that an opset has; `attributes` came with later ones."""
    return [(opset, *case) for case in ONNX + DILATED if all(attributes.get(a, 0) <= opset for a in case[1])]


@pytest.mark.parametrize(("opset", "shape", "attributes"), [c for v in (8, 10, 12, 22) for c in since(v, dilations=10, ceil_mode=10)])
def test_onnx_max(tmp_path: Path, opset: int, shape: tuple[int, ...], attributes: dict[str, Any]) -> None:
    check_onnx(tmp_path, "MaxPool", shape, opset, attributes)


@pytest.mark.parametrize("counted", [0, 1])
@pytest.mark.parametrize(("opset", "shape", "attributes"), [c for v in (7, 10, 19, 22) for c in since(v, dilations=19, ceil_mode=10)])
def test_onnx_average(tmp_path: Path, opset: int, shape: tuple[int, ...], attributes: dict[str, Any], counted: int) -> None:
    check_onnx(tmp_path, "AveragePool", shape, opset, {**attributes, "count_include_pad": counted})


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize(("shape", "attributes"), [ONNX[1], ONNX[5], ONNX[8], ONNX[9]])
def test_onnx_lp(tmp_path: Path, shape: tuple[int, ...], attributes: dict[str, Any], p: int) -> None:
    check_onnx(tmp_path, "LpPool", shape, 18, {**attributes, "p": p})


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 3, 7), (1, 2, 3, 4, 5)])
def test_onnx_global(tmp_path: Path, op: str, shape: tuple[int, ...]) -> None:
    check_onnx(tmp_path, op, shape, 18, {"p": 3} if op == "GlobalLpPool" else {})


@pytest.mark.parametrize(
    ("op", "shape", "attributes", "reason"),
    [
        ("MaxPool", (1, 2, 4, 4, 4), {"kernel_shape": [2, 2]}, "as many extents as there are spatial axes would be accepted"),
        ("AveragePool", (1, 2, 4, 4), {"kernel_shape": [5, 2]}, "does not fit 4 padded by"),
    ],
)
def test_onnx_refused(tmp_path: Path, op: str, shape: tuple[int, ...], attributes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        load(onnx_node(tmp_path, op, floats(shape), **attributes))


@pytest.mark.parametrize("op", ["MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D"])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("window", [(3, 3, 1, 1), (2, 3, 2, 2), (1, 1, 2, 3), (4, 5, 3, 1)])
@pytest.mark.parametrize("activation", ["NONE", "RELU6"])
def test_tflite(tmp_path: Path, op: str, padding: str, window: tuple[int, ...], activation: str) -> None:
    fields = dict(zip(("filter_height", "filter_width", "stride_h", "stride_w"), window))
    path, x = tflite_node(tmp_path, op, floats((2, 9, 8, 3)), {**fields, "padding": padding, "fused_activation_function": activation})
    same(evaluated(path, x), litert(path, x))
