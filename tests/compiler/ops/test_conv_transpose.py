"""Transposed convolution: every kernel against the numpy reference, every option of both formats against their own runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Step, TensorType, evaluate
from planish.compiler.ops.conv_transpose import ConvTranspose2D
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.movement import Slice, Transpose
from tests.harness import CPU, GPU, Case, check, floats
from tests.oracles import evaluated, litert, onnx_node, ort, same, write
from tests.tflite_writer import TfliteWriter

KERNELS = pytest.mark.device
CASES = [
    # x, w, op
    ((1, 4, 5, 17), (33, 3, 3, 17), ConvTranspose2D((8, 10), (2, 2), ((0, 1), (1, 0)))),
    ((3, 3, 5, 5), (3, 2, 3, 5), ConvTranspose2D((4, 7))),
    ((1, 5, 4, 1), (1, 4, 4, 1), ConvTranspose2D((10, 8), (2, 2), ((1, 1), (1, 1)))),
    ((2, 3, 4, 16), (20, 2, 2, 16), ConvTranspose2D((9, 11), (3, 3))),
    ((1, 4, 6, 8), (6, 3, 3, 4), ConvTranspose2D((8, 13), (1, 2), ((0, 0), (1, 1)), (2, 2), 2)),
    ((1, 5, 6, 5), (5, 3, 3, 1), ConvTranspose2D((10, 12), (2, 2), ((1, 0), (0, 1)), groups=5)),
    ((1, 3, 3, 32), (48, 3, 3, 8), ConvTranspose2D((5, 5), groups=4)),
    ((1, 2, 3, 4), (3, 1, 1, 4), ConvTranspose2D((7, 2), (4, 5))),
]


def length(w: tuple[int, ...]) -> int:
    return int(np.prod(w[1:]))


def case(x: tuple[int, ...], w: tuple[int, ...], op: ConvTranspose2D, **rest: Any) -> Case:
    return Case(op, floats(x, w), frozenset({1}), **rest)


@KERNELS
@pytest.mark.parametrize(("x", "w", "op"), CASES)
def test_against_reference(x: tuple[int, ...], w: tuple[int, ...], op: ConvTranspose2D) -> None:
    assert check(case(x, w, op), reduction=length(w), candidates=2) >= 3


@KERNELS
@pytest.mark.parametrize(("x", "w", "op"), [CASES[0], CASES[6]])
@pytest.mark.parametrize("target", [CPU, GPU], ids=lambda t: t.name)
def test_every_candidate(x: tuple[int, ...], w: tuple[int, ...], op: ConvTranspose2D, target: Any) -> None:
    assert check(case(x, w, op), targets=[target], reduction=length(w)) > 1


@KERNELS
@pytest.mark.parametrize(("x", "w", "op"), [CASES[0], CASES[1]])
def test_reads_and_writes_what_the_user_sees(x: tuple[int, ...], w: tuple[int, ...], op: ConvTranspose2D) -> None:
    assert check(case(x, w, op, framed=False), reduction=length(w), candidates=1) == 3


@KERNELS
@pytest.mark.parametrize(("x", "w", "op"), [CASES[0], CASES[5]])
def test_half_precision(x: tuple[int, ...], w: tuple[int, ...], op: ConvTranspose2D) -> None:
    values, weights = floats(x, w)
    halves = [a.astype(np.float16).astype(np.float32) for a in (values, weights / np.sqrt(length(w)).astype(np.float32))]
    assert check(Case(op, halves, frozenset({1})), precision="f16", reduction=length(w), candidates=1) == 3


@KERNELS
@pytest.mark.parametrize(("x", "w", "op"), [CASES[0], CASES[4]])
def test_epilogue(x: tuple[int, ...], w: tuple[int, ...], op: ConvTranspose2D) -> None:
    shape = (x[0], *op.size, w[0])
    bias, scale, residual = floats(shape[3:], (shape[0], 1, 1, shape[3]), shape, seed=1)
    steps = (Step(Elementwise("add"), (0, "bias")), Step(Elementwise("clip", (0.0, 6.0)), (1,)), Step(Elementwise("mul"), (2, "scale")),
             Step(Elementwise("add"), ("residual", 3)), Step(Elementwise("sigmoid"), (4,)))
    extra = (("bias", bias, True), ("scale", scale, False), ("residual", residual, False))
    assert check(case(x, w, op, epilogue=steps, extra=extra), reduction=length(w), candidates=1) == 3


@KERNELS
@pytest.mark.parametrize("before", [Slice((0, 1, 0, 0), (1, 4, 4, 16), (1, 2, 2, 1)), Transpose((0, 2, 1, 3))], ids=repr)
def test_reads_a_view(before: Any) -> None:
    op = ConvTranspose2D((9, 8), (2, 2), ((1, 0), (1, 0)))
    assert check(case((1, 9, 8, 16), (5, 3, 3, 16), op, before=(before,), framed=False), targets=[CPU, GPU], candidates=1) == 2


def test_refused() -> None:
    x, w = (TensorType(s, np.dtype(np.float32)) for s in ((1, 4, 4, 6), (4, 3, 3, 3)))
    with pytest.raises(GraphError, match="in 1 groups does not fit"):
        ConvTranspose2D((6, 6)).infer(x, w)
    with pytest.raises(GraphError, match="leaves nothing"):
        ConvTranspose2D((0, 6), groups=2).infer(x, w)


# -- importers

ONNX = [
    # x, w, attributes
    ((1, 3, 4, 5), (3, 2, 3, 3), {}),
    ((2, 3, 4, 5), (3, 2, 3, 2), {"strides": [2, 3], "pads": [1, 0, 2, 1]}),
    ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [3, 2], "output_padding": [2, 1]}),
    ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 2], "dilations": [2, 3], "pads": [1, 2, 0, 1]}),
    ((1, 6, 4, 5), (6, 2, 3, 3), {"group": 3, "strides": [2, 2]}),
    ((1, 4, 4, 5), (4, 1, 2, 2), {"group": 4, "strides": [2, 2]}),
    ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((1, 3, 4, 5), (3, 2, 4, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [3, 2], "auto_pad": "VALID"}),
    ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [3, 2], "output_shape": [10, 8]}),
    ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [3, 2], "output_shape": [11, 10], "auto_pad": "SAME_UPPER"}),
    ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [3, 2], "output_shape": [13, 12], "output_padding": [1, 1]}),
    ((2, 3, 7), (3, 4, 3), {"strides": [2], "pads": [1, 0], "output_padding": [1]}),
    ((1, 3, 7), (3, 4, 3), {"strides": [2], "output_shape": [14]}),
    ((1, 3, 3, 4, 2), (3, 2, 3, 2, 2), {"strides": [2, 1, 2], "pads": [1, 0, 0, 0, 1, 1], "output_padding": [1, 0, 1]}),
    ((2, 4, 3, 2, 3), (4, 2, 2, 3, 3), {"group": 2, "dilations": [2, 1, 2], "strides": [1, 2, 1]}),
]


@pytest.mark.parametrize("opset", [7, 11, 22])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("x", "w", "attributes"), ONNX)
def test_onnx(tmp_path: Path, x: tuple[int, ...], w: tuple[int, ...], attributes: dict[str, Any], bias: bool, opset: int) -> None:
    """With weights and bias that are constant, and that the user feeds."""
    arrays = floats(x, w, (w[1] * attributes.get("group", 1),))[: 3 if bias else 2]
    for fed in (1, len(arrays)):
        path = onnx_node(tmp_path, "ConvTranspose", arrays[:fed], arrays[fed:], opset=opset, **attributes)
        same(evaluated(path, arrays[:fed]), ort(path, arrays[:fed]), 2e-5)


def test_onnx_refused(tmp_path: Path) -> None:
    x, w = floats((1, 3, 4, 5), (3, 2, 3, 3))
    for weights in (w[:2], w[0], w[..., 0]):
        with pytest.raises(UnsupportedError, match="does not fit weights"):
            load(onnx_node(tmp_path, "ConvTranspose", [x], [weights]))


def test_tflite_with_a_fed_shape(tmp_path: Path) -> None:
    """It is the recorded one, if that is a whole shape, else it has to be given."""
    x, w, shape = *floats((2, 4, 5, 3), (6, 3, 3, 3)), np.array((2, 8, 10, 6), np.int32)
    for signature in (None, (2, -1, -1, 6)):
        m = TfliteWriter()
        operands = [m.input("shape", (4,), "int32"), m.constant(w), m.input("x", x.shape, "float32")]
        options = {"padding": "SAME", "stride_h": 2, "stride_w": 2}
        m.output(*m.op("TRANSPOSE_CONV", operands, options, outputs=[((2, 8, 10, 6), "float32", None, signature)]))
        path = write(tmp_path, m)
        if signature is None:
            same(evaluated(path, [shape, x]), litert(path, [shape, x]))
            continue
        with pytest.raises(UnsupportedError, match=r"the output shape, .* --input-value shape=…"):
            load(path)
        graph = load(path, input_values={"shape": shape})
        same([evaluate(graph, {"x": x})[v] for v in graph.outputs.values()], litert(path, [shape, x]))


def tflite_model(size: tuple[int, ...], w: np.ndarray, bias: np.ndarray | None, *, computed: bool = False, **options: Any) -> TfliteWriter:
    """TRANSPOSE_CONV of x [2,4,5,C]; `computed` weights are fed, before x."""
    m = TfliteWriter()
    weights = m.input("w", w.shape, "float32") if computed else m.constant(w)
    operands = [m.constant(np.array(size, np.int32)), weights, m.input("x", (2, 4, 5, w.shape[3]), "float32")]
    if bias is not None:
        operands.append(m.constant(bias))
    version = 4 if options.get("fused_activation_function") else 3
    m.output(m.op("TRANSPOSE_CONV", operands, options, shape=size, version=version))
    return m


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("size", "padding", "stride"),
    [((8, 10), "SAME", (2, 2)), ((7, 9), "SAME", (2, 2)), ((9, 11), "VALID", (2, 2)), ((4, 15), "SAME", (1, 3)),
     ((12, 15), "VALID", (3, 3)), ((6, 7), "VALID", (1, 1)), ((16, 10), "SAME", (4, 2))],
)  # fmt: skip
@pytest.mark.parametrize("fused", [{}, {"fused_activation_function": "RELU6"}], ids=str)
def test_tflite(tmp_path: Path, size: Any, padding: str, stride: tuple[int, int], bias: bool, fused: dict[str, str]) -> None:
    x, w, b = floats((2, 4, 5, 3), (6, 3, 3, 3), (6,))
    model = tflite_model((2, *size, 6), w, b if bias else None, padding=padding, stride_h=stride[0], stride_w=stride[1], **fused)
    path = write(tmp_path, model)
    same(evaluated(path, [x]), litert(path, [x]))


def test_tflite_with_computed_weights(tmp_path: Path) -> None:
    x, w, b = floats((2, 4, 5, 3), (6, 3, 3, 3), (6,))
    path = write(tmp_path, tflite_model((2, 8, 10, 6), w, b, computed=True, padding="SAME", stride_h=2, stride_w=2))
    same(evaluated(path, [w, x]), litert(path, [w, x]))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("size", "padding", "stride"), [((6, 4, 6), "SAME", (2, 1, 2)), ((7, 6, 7), "VALID", (2, 1, 2)),
                                                         ((4, 6, 5), "VALID", (1, 1, 1))])
def test_tflite_3d(tmp_path: Path, size: tuple[int, ...], padding: str, stride: tuple[int, ...], bias: bool) -> None:
    x, w, b = floats((2, 3, 4, 3, 5), (2, 3, 3, 4, 5), (4,))
    m = TfliteWriter()
    operands = [m.constant(np.array((2, *size, 4), np.int32)), m.constant(w), m.input("x", x.shape, "float32")]
    if bias:
        operands.append(m.constant(b))
    options = {f"stride_{d}": s for d, s in zip("dhw", stride)} | {f"dilation_{d}_factor": 1 for d in "dhw"} | {"padding": padding}
    m.output(m.op("CONV_3D_TRANSPOSE", operands, options, shape=(2, *size, 4)))
    path = write(tmp_path, m)
    same(evaluated(path, [x]), litert(path, [x]))


def mediapipe_model(w: np.ndarray, bias: np.ndarray, options: bytes) -> TfliteWriter:
    m = TfliteWriter()
    operands = [m.input("x", (2, 4, 5, w.shape[3]), "float32"), m.constant(w), m.constant(bias)]
    m.output(m.op("CUSTOM", operands, shape=(1,), custom_code="Convolution2DTransposeBias", custom_options=options))
    return m


@pytest.mark.parametrize(("padding", "code", "size"), [("SAME", 1, (12, 10)), ("VALID", 2, (12, 11))])
def test_mediapipe(tmp_path: Path, padding: str, code: int, size: tuple[int, int]) -> None:
    """LiteRT does not know the op; it is TRANSPOSE_CONV with a bias whose size follows from padding and strides."""
    x, w, b = floats((2, 4, 5, 3), (6, 3, 3, 3), (6,))
    ours = evaluated(write(tmp_path, mediapipe_model(w, b, np.array([code, 2, 3], "<i4").tobytes())), [x])
    same(ours, litert(write(tmp_path, tflite_model((2, *size, 6), w, b, padding=padding, stride_h=3, stride_w=2)), [x]))


def test_mediapipe_without_options(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="not the 12 bytes"):
        load(write(tmp_path, mediapipe_model(*floats((6, 3, 3, 3), (6,)), b"")))
