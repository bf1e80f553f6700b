"""The convolutions of both formats, against LiteRT and ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
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
        ((2, 3, 5, 6, 4), (4, 3, 3, 2, 2), {"strides": [2, 1, 1], "pads": [1, 0, 1, 1, 2, 0]}),
        ((1, 4, 5, 6, 7), (6, 2, 3, 3, 3), {"group": 2, "dilations": [2, 1, 2], "pads": [0, 1, 1, 1, 1, 2]}),
        ((1, 3, 5, 4, 4), (3, 1, 1, 3, 1), {"group": 3, "auto_pad": "SAME_UPPER"}),
    ],
)
@pytest.mark.parametrize("computed", [True, False])
def test_onnx(tmp_path: Path, x: tuple[int, ...], w: tuple[int, ...], attributes: dict[str, Any], opset: int,
              computed: bool) -> None:
    """With weights and bias that are constant, and that the user feeds."""
    data, weights, bias = floats(x, w, w[:1])
    for operands in ([data, weights], [data, weights, bias]):
        fed = len(operands) if computed else 1
        path = onnx_node(tmp_path, "Conv", operands[:fed], operands[fed:], opset=opset, **attributes)
        same(evaluated(path, operands[:fed]), ort(path, operands[:fed]), 1e-4)


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
@pytest.mark.parametrize("computed", [True, False])
def test_tflite(
    tmp_path: Path, op: str, x: tuple[int, ...], w: tuple[int, ...], options: dict[str, Any], padding: str, computed: bool
) -> None:
    channels = w[0] if op == "CONV_2D" else w[3]
    options = {"padding": padding, "dilation_h_factor": 1, "dilation_w_factor": 1} | options
    check_tflite(tmp_path, op, floats(x, w, (channels,)), options, computed)


def check_tflite(tmp_path: Path, op: str, arrays: list[np.ndarray], options: dict[str, Any], computed: bool) -> None:
    """With weights and bias that are constant, or that the user feeds."""
    m = TfliteWriter()
    fed = len(arrays) if computed else 1
    operands = [m.input(f"x{k}", a.shape, "float32") if k < fed else m.constant(a) for k, a in enumerate(arrays)]
    m.output(m.op(op, operands, options, shape=(1,) * (arrays[0].ndim - 1) + arrays[2].shape))
    path = write(tmp_path, m)
    same(evaluated(path, arrays[:fed]), litert(path, arrays[:fed]), 1e-4)


ONCE = {"dilation_d_factor": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}


@pytest.mark.parametrize("computed", [True, False])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("x", "w", "options"),
    [
        ((1, 5, 6, 7, 3), (3, 2, 3, 3, 4), {"stride_d": 1, "stride_h": 1, "stride_w": 1}),
        ((2, 5, 6, 7, 2), (2, 3, 3, 2, 4), {"stride_d": 2, "stride_h": 1, "stride_w": 3, "fused_activation_function": "RELU"}),
        ((1, 7, 6, 7, 2), (3, 3, 3, 2, 1), {"stride_d": 1, "stride_h": 1, "stride_w": 1, "dilation_d_factor": 2, "dilation_w_factor": 2}),
    ],
)
def test_tflite_3d(
    tmp_path: Path, x: tuple[int, ...], w: tuple[int, ...], options: dict[str, Any], padding: str, computed: bool
) -> None:
    check_tflite(tmp_path, "CONV_3D", floats(x, w, w[4:]), {"padding": padding} | ONCE | options, computed)


def test_what_is_refused(tmp_path: Path) -> None:
    for x, w, reason in [
        ((1, 3, 5, 5), (4, 2, 3, 3), "does not fit weights"),
        ((1, 3, 5, 5), (4, 3, 3), r"for \[N,C,spatial…\] would be accepted"),
        ((1, 3, 2, 5, 5), (4, 3, 3, 1, 1), "does not fit 2 padded by"),
    ]:
        with pytest.raises(UnsupportedError, match=reason):
            load(onnx_node(tmp_path, "Conv", floats(x, w)))
