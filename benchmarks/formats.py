"""Writes one network as .tflite and as .onnx: the same weights, the same function.

The .tflite is NHWC with fused activations, as the TensorFlow converter writes it; the .onnx is NCHW with Clip and Relu
nodes, as exporters do. The input is called `input`, the output `output`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.layers import (
    Add,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalAverage,
    Layer,
    Multiply,
    Network,
    Pool,
    Resize,
    Shape,
    Sigmoid,
    Softmax,
    pads,
)
from tests.tflite_writer import TfliteWriter


def to_tflite(net: Network) -> bytes:
    """The file's bytes; float32, images NHWC."""
    m = TfliteWriter(net.name)
    values = {"input": m.input("input", net.input_shape, "float32")}
    for layer in net.layers:
        values[layer.name] = _tflite_layer(m, layer, [values[x] for x in layer.inputs], net.shapes[layer.inputs[0]])
    m.output(values[net.layers[-1].name])
    return m.finish()


def _tflite_layer(m: TfliteWriter, layer: Layer, inputs: list[int], shape: Shape) -> int:
    def op(name: str, operands: list[int], options: dict[str, Any] | None = None, out: Shape = layer.shape) -> int:
        return m.op(name, operands, options, shape=out, dtype="float32")

    def fused(activation: str) -> dict[str, Any]:
        return {"fused_activation_function": activation}

    def reshape(x: int, out: Shape) -> int:
        return op("RESHAPE", [x, m.constant(out, "int32")], {"new_shape": out}, out)

    match layer.op:
        case Conv(w, b, stride, padding, groups, activation, dilation):
            options = {"padding": padding, "stride_w": stride, "stride_h": stride, **fused(activation)}
            options |= {"dilation_w_factor": dilation, "dilation_h_factor": dilation}
            if groups == 1:
                return op("CONV_2D", [*inputs, m.constant(w), m.constant(b)], options)
            w = w.transpose(3, 1, 2, 0)
            return op("DEPTHWISE_CONV_2D", [*inputs, m.constant(w), m.constant(b)], options | {"depth_multiplier": 1})
        case ConvTranspose(w, b, stride):
            operands = [m.constant(layer.shape, "int32"), m.constant(w), *inputs, m.constant(b)]
            options = {"padding": "VALID", "stride_w": stride, "stride_h": stride}
            return m.op("TRANSPOSE_CONV", operands, options, shape=layer.shape, dtype="float32", version=3)
        case Pool(kind, size, stride, padding):
            options = {"padding": padding, "stride_w": stride, "stride_h": stride}
            return op(f"{kind}_POOL_2D", inputs, options | {"filter_width": size, "filter_height": size})
        case GlobalAverage(keep):
            return op("MEAN", [*inputs, m.constant([1, 2], "int32")], {"keep_dims": keep})
        case Flatten():
            return reshape(inputs[0], layer.shape)
        case Dense(w, b, activation):
            x = inputs[0] if len(shape) == 2 else reshape(inputs[0], (shape[0], w.shape[1]))
            return op("FULLY_CONNECTED", [x, m.constant(w), m.constant(b)], fused(activation))
        case Add(activation):
            return op("ADD", inputs, fused(activation))
        case Multiply():
            return op("MUL", inputs, fused("NONE"))
        case Sigmoid():
            return op("LOGISTIC", inputs)
        case Resize():
            size = m.constant(layer.shape[1:3], "int32")
            return op("RESIZE_BILINEAR", [*inputs, size], {"align_corners": True})
        case Concat():
            return op("CONCATENATION", inputs, {"axis": -1})
        case Softmax():
            return op("SOFTMAX", inputs, {"beta": 1.0})


def to_onnx(net: Network) -> onnx.ModelProto:
    """Opset 17; float32, images NCHW."""
    graph = _OnnxGraph()
    for layer in net.layers:
        graph.add(layer, net.shapes[layer.inputs[0]])
    graph.nodes[-1].output[0] = "output"
    x = helper.make_tensor_value_info("input", TensorProto.FLOAT, nchw(net.input_shape))
    y = helper.make_tensor_value_info("output", TensorProto.FLOAT, nchw(net.output_shape))
    proto = helper.make_graph(graph.nodes, net.name, [x], [y], graph.constants)
    return helper.make_model(proto, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="planish")


def nchw(shape: Shape) -> Shape:
    """The ONNX file's shape of a value that is NHWC in the description; other ranks as they are."""
    return (shape[0], shape[3], *shape[1:3]) if len(shape) == 4 else shape


class _OnnxGraph:
    """Nodes and constants so far."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, layer: Layer, shape: Shape) -> None:
        """Appends the nodes of a layer whose first input has `shape`, in NHWC or NC."""
        x, y = layer.inputs[0], layer.name
        match layer.op:
            case Conv(w, b, stride, padding, groups, activation, dilation):
                window = self._window(shape, w.shape[1], stride, padding, dilation)
                w = np.ascontiguousarray(w.transpose(0, 3, 1, 2))
                inputs = [x, self._constant(f"{y}.w", w), self._constant(f"{y}.b", b)]
                self._node("Conv", inputs, self._before(y, activation), group=groups, **window)
                self._activate(y, activation)
            case ConvTranspose(w, b, stride):
                w = np.ascontiguousarray(w.transpose(3, 0, 1, 2))
                inputs = [x, self._constant(f"{y}.w", w), self._constant(f"{y}.b", b)]
                self._node("ConvTranspose", inputs, y, kernel_shape=[stride] * 2, strides=[stride] * 2)
            case Pool(kind, size, stride, padding):
                window = self._window(shape, size, stride, padding)
                self._node("MaxPool" if kind == "MAX" else "AveragePool", [x], y, **window)
            case GlobalAverage(keep=True):
                self._node("GlobalAveragePool", [x], y)
            case GlobalAverage(keep=False):
                self._node("GlobalAveragePool", [x], f"{y}.kept")
                self._node("Flatten", [f"{y}.kept"], y)
            case Flatten():
                self._node("Flatten", [x], y)
            case Dense(w, b, activation):
                if len(shape) == 4:
                    w = np.ascontiguousarray(w.reshape(-1, *shape[1:]).transpose(0, 3, 1, 2).reshape(w.shape))
                    self._node("Flatten", [x], f"{y}.flat")
                    x = f"{y}.flat"
                inputs = [x, self._constant(f"{y}.w", w), self._constant(f"{y}.b", b)]
                self._node("Gemm", inputs, self._before(y, activation), transB=1)
                self._activate(y, activation)
            case Add(activation):
                self._node("Add", list(layer.inputs), self._before(y, activation))
                self._activate(y, activation)
            case Multiply():
                self._node("Mul", list(layer.inputs), y)
            case Sigmoid():
                self._node("Sigmoid", [x], y)
            case Resize():
                sizes = self._constant(f"{y}.sizes", np.asarray(nchw(layer.shape), np.int64))
                mode = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
                self._node("Resize", [x, "", "", sizes], y, **mode)
            case Concat():
                self._node("Concat", list(layer.inputs), y, axis=1)
            case Softmax():
                self._node("Softmax", [x], y, axis=-1)

    def _node(self, op: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))

    def _constant(self, name: str, array: Any) -> str:
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    @staticmethod
    def _window(shape: Shape, kernel: int, stride: int, padding: Any, dilation: int = 1) -> dict[str, list[int]]:
        """Explicit pads: TensorFlow's SAME is lopsided where the stride is even."""
        reach = (kernel - 1) * dilation + 1
        (_, top, bottom), (_, left, right) = (pads(size, reach, stride, padding) for size in shape[1:3])
        window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [top, left, bottom, right]}
        return window if dilation == 1 else window | {"dilations": [dilation] * 2}

    @staticmethod
    def _before(name: str, activation: str) -> str:
        return name if activation == "NONE" else f"{name}.linear"

    def _activate(self, name: str, activation: str) -> None:
        """From `_before(name)` to `name`."""
        if activation == "RELU":
            self._node("Relu", [self._before(name, activation)], name)
        elif activation == "RELU6":
            if not any(constant.name == "six" for constant in self.constants):
                self._constant("zero", np.float32(0))
                self._constant("six", np.float32(6))
            self._node("Clip", [self._before(name, activation), "zero", "six"], name)
