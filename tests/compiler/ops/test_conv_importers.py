"""The convolutions of both formats, against LiteRT and ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from tests.harness import floats
from tests.oracles import evaluated, litert, onnx_node, ort, same, write
from tests.tflite_writer import TfliteWriter


@pytest.mark.parametrize("opset", [7, 11, 18])
@pytest.mark.parametrize(
    ("x", "w", "attributes"),
    [
        ((1, 3, 7, 8), (5, 3, 3, 3), {}),
        ((2, 3, 7, 8), (5, 3, 3, 2), {"strides": [2, 3], "pads": [1, 0, 2, 1]}),
        ((1, 3, 9, 8), (5, 3, 3, 3), {"auto_pad": "SAME_UPPER"}),
        ((1, 3, 9, 8), (5, 3, 3, 3), {"dilations": [2, 1], "pads": [0, 1, 2, 0]}),
        ((1, 3, 9, 8), (5, 3, 4, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
        ((1, 3, 9, 8), (5, 3, 3, 3), {"strides": [2, 2], "auto_pad": "VALID"}),
        ((1, 6, 5, 5), (4, 3, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
        ((1, 4, 5, 5), (8, 1, 3, 3), {"group": 4}),
        ((1, 4, 5, 5), (4, 1, 3, 3), {"group": 4, "kernel_shape": [3, 3]}),
        ((2, 3, 11), (4, 3, 3), {"strides": [2], "pads": [2, 1], "dilations": [2]}),
        ((2, 4, 11), (4, 2, 3), {"group": 2, "auto_pad": "SAME_UPPER"}),
    ],
)
def test_onnx(tmp_path: Path, x: tuple[int, ...], w: tuple[int, ...], attributes: dict[str, Any], opset: int) -> None:
    data, weights, bias = floats(x, w, w[:1])
    for constants in ([weights], [weights, bias]):
        path = onnx_node(tmp_path, "Conv", [data], constants, opset=opset, **attributes)
        same(evaluated(path, [data]), ort(path, [data]), 1e-4)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("op", "x", "w", "options"),
    [
        ("CONV_2D", (1, 9, 8, 3), (5, 3, 3, 3), {"stride_h": 1, "stride_w": 1}),
        ("CONV_2D", (2, 9, 8, 3), (5, 3, 2, 3), {"stride_h": 2, "stride_w": 3, "fused_activation_function": "RELU6"}),
        ("CONV_2D", (1, 9, 8, 3), (5, 3, 3, 3), {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 2, "dilation_w_factor": 3}),
        ("CONV_2D", (1, 6, 6, 6), (4, 3, 3, 3), {"stride_h": 1, "stride_w": 1}),
        ("DEPTHWISE_CONV_2D", (1, 9, 8, 3), (1, 3, 3, 3), {"stride_h": 1, "stride_w": 1, "depth_multiplier": 1}),
        ("DEPTHWISE_CONV_2D", (2, 9, 8, 3), (1, 3, 3, 6), {"stride_h": 2, "stride_w": 2, "depth_multiplier": 2}),
        ("DEPTHWISE_CONV_2D", (1, 9, 8, 2), (1, 3, 2, 2),
         {"stride_h": 1, "stride_w": 1, "depth_multiplier": 1, "dilation_h_factor": 2, "fused_activation_function": "RELU"}),
    ],
)  # fmt: skip
def test_tflite(tmp_path: Path, op: str, x: tuple[int, ...], w: tuple[int, ...], options: dict[str, Any], padding: str) -> None:
    channels = w[0] if op == "CONV_2D" else w[3]
    data, weights, bias = floats(x, w, (channels,))
    m = TfliteWriter()
    operands = [m.input("x", x, "float32"), m.constant(weights), m.constant(bias)]
    m.output(m.op(op, operands, {"padding": padding, "dilation_h_factor": 1, "dilation_w_factor": 1} | options, shape=(1, 1, 1, channels)))
    path = write(tmp_path, m)
    same(evaluated(path, [data]), litert(path, [data]), 1e-4)


def test_what_is_refused(tmp_path: Path) -> None:
    x, w = floats((1, 3, 5, 5), (4, 3, 3, 3))
    with pytest.raises(UnsupportedError, match="weights are computed at run time"):
        load(onnx_node(tmp_path, "Conv", [x, w]))
    x, w = floats((1, 2, 3, 3, 3), (4, 2, 1, 1, 1))
    with pytest.raises(UnsupportedError, match="over 3 spatial axes; 1 and 2"):
        load(onnx_node(tmp_path, "Conv", [x], [w]))
