"""The element-wise operators of both formats, by their names there, and the activations that TFLite fuses into other ops."""

from __future__ import annotations

import numpy as np

from ..errors import Unsupported
from .elementwise import Cast, Elementwise
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .movement import Reshape
from .op import normal_axis

# fmt: off
ONNX_NAMES = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "Softsign": "softsign", "Mish": "mish",
    "HardSwish": "hard_swish", "PRelu": "prelu", "Identity": "identity", "Dropout": "identity", "Neg": "neg", "Abs": "abs",
    "Sign": "sign", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Reciprocal": "reciprocal", "Floor": "floor", "Ceil": "ceil",
    "Round": "round", "Erf": "erf", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Asin": "asin", "Acos": "acos", "Atan": "atan",
    "Sinh": "sinh", "Cosh": "cosh", "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh", "Not": "logical_not", "Add": "add",
    "Sub": "sub", "Mul": "mul", "Div": "div", "Pow": "pow", "Equal": "equal", "Less": "less", "LessOrEqual": "less_equal",
    "Greater": "greater", "GreaterOrEqual": "greater_equal", "And": "logical_and", "Or": "logical_or", "Xor": "not_equal",
    "Where": "where",
}
TFLITE_NAMES = {
    "RELU": "relu", "LOGISTIC": "sigmoid", "TANH": "tanh", "HARD_SWISH": "hard_swish", "PRELU": "prelu", "NEG": "neg",
    "ABS": "abs", "SIGN": "sign", "EXP": "exp", "LOG": "log", "SQRT": "sqrt", "RSQRT": "rsqrt", "SQUARE": "square",
    "FLOOR": "floor", "CEIL": "ceil", "ROUND": "round", "SIN": "sin", "COS": "cos", "LOGICAL_NOT": "logical_not",
    "POW": "pow", "MAXIMUM": "maximum", "MINIMUM": "minimum", "SQUARED_DIFFERENCE": "squared_difference",
    "FLOOR_DIV": "floor_div", "FLOOR_MOD": "floor_mod", "ATAN2": "atan2", "EQUAL": "equal", "NOT_EQUAL": "not_equal",
    "LESS": "less", "LESS_EQUAL": "less_equal", "GREATER": "greater", "GREATER_EQUAL": "greater_equal",
    "LOGICAL_AND": "logical_and", "LOGICAL_OR": "logical_or", "SELECT_V2": "where",
}
FUSED = {"NONE": None, "RELU": Elementwise("relu"), "RELU6": Elementwise("clip", (0.0, 6.0)), "TANH": Elementwise("tanh"),
         "RELU_N1_TO_1": Elementwise("clip", (-1.0, 1.0))}
ONNX_DEFAULTS: dict[str, tuple[str, tuple[tuple[str, float], ...]]] = {
    "LeakyRelu": ("leaky_relu", (("alpha", 0.01),)), "ThresholdedRelu": ("thresholded_relu", (("alpha", 1.0),)),
    "Elu": ("elu", (("alpha", 1.0),)), "Celu": ("celu", (("alpha", 1.0),)),
    "Selu": ("selu", (("alpha", 1.67326319217681884765625), ("gamma", 1.05070102214813232421875))),
    "HardSigmoid": ("hard_sigmoid", (("alpha", 0.2), ("beta", 0.5))), "Shrink": ("shrink", (("lambd", 0.5), ("bias", 0.0))),
}
CLIPS = {"RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}
# fmt: on


def activate(n: SourceNode, value: str, name: str) -> str:
    """Follows a value by an activation that TFLite fuses into the op before it."""
    if name not in FUSED:
        raise Unsupported(f"fused activation {name}; one of {', '.join(FUSED)} would be accepted")
    op = FUSED[name]
    return n.emit(op, value) if op else value


@onnx_op(*ONNX_NAMES)
def onnx_elementwise(n: OnnxNode) -> str:
    fn = ONNX_NAMES[n.op]
    arity = Elementwise(fn).row.arity
    inputs = [n.input(k) for k in range(arity)]
    if n.op == "PRelu" and len(n.shape(1)) == 1 and len(n.shape(0)) > 1 and n.opset < 7:
        inputs[1] = n.add_constant(n.constant(1, "slope").reshape(-1, *[1] * (len(n.shape(0)) - 2)))
    if n.opset < 7 and n.attr("broadcast") and n.attr("axis") is not None:
        after = len(n.shape(0)) - normal_axis(n.attr("axis"), len(n.shape(0))) - len(n.shape(1))
        inputs[1] = n.emit(Reshape((*n.shape(1), *[1] * after)), inputs[1])
    if arity == 2 and n.type(inputs[0]).dtype != n.type(inputs[1]).dtype and fn == "pow":
        inputs[1] = n.emit(Cast(n.type(inputs[0]).dtype), inputs[1])
    return n.emit(Elementwise(fn), *inputs)


@onnx_op(*ONNX_DEFAULTS)
def onnx_parametrised(n: OnnxNode) -> str:
    fn, defaults = ONNX_DEFAULTS[n.op]
    return n.emit(Elementwise(fn, tuple(float(n.attr(k, v)) for k, v in defaults)), n.input(0))


@onnx_op("Gelu")
def onnx_gelu(n: OnnxNode) -> str:
    tanh = n.attr("approximate", b"none") in (b"tanh", "tanh")
    return n.emit(Elementwise("gelu_tanh" if tanh else "gelu"), n.input(0))


@onnx_op("Swish")
def onnx_swish(n: OnnxNode) -> str:
    x = n.input(0)
    scaled = n.emit(Elementwise("mul"), x, n.scalar(n.attr("alpha", 1.0), x))
    return n.emit(Elementwise("mul"), x, n.emit(Elementwise("sigmoid"), scaled))


@onnx_op("Clip")
def onnx_clip(n: OnnxNode) -> str:
    """Bounds are attributes before opset 11, operands since; either may be absent, and operands may be computed."""
    x = n.input(0)
    bounds = [n.input(1), n.input(2)]
    arrays = [n.array(b) if b else None for b in bounds]
    if any(b and a is None for a, b in zip(arrays, bounds)):
        for fn, bound in zip(("maximum", "minimum"), bounds):
            x = n.emit(Elementwise(fn), x, bound) if bound else x
        return x
    dtype = n.type(0).dtype
    limits = np.iinfo(dtype) if dtype.kind in "iu" else None
    lo, hi = (limits.min, limits.max) if limits else (-np.inf, np.inf)
    low = arrays[0].item() if arrays[0] is not None else float(n.attr("min", lo))
    high = arrays[1].item() if arrays[1] is not None else float(n.attr("max", hi))
    return n.emit(Elementwise("clip", (low, high)), x)


@onnx_op("Cast")
def onnx_cast(n: OnnxNode) -> str:
    import onnx

    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(n.attr("to")))
    if dtype.isbuiltin != 1 or dtype.kind not in "fbiu":
        raise Unsupported(f"a cast to {dtype.name}; float, double, float16, bool and integers would be accepted")
    return n.emit(Cast(dtype), n.input(0))


@onnx_op("Sum", "Mean", "Max", "Min")
def onnx_variadic(n: OnnxNode) -> str:
    fn = {"Sum": "add", "Mean": "add", "Max": "maximum", "Min": "minimum"}[n.op]
    total = n.input(0)
    for k in range(1, len(n)):
        total = n.emit(Elementwise(fn), total, n.input(k))
    return n.emit(Elementwise("div"), total, n.scalar(len(n), total)) if n.op == "Mean" else total


@onnx_op("ImageScaler")
def onnx_image_scaler(n: OnnxNode) -> str:
    """scale * x + bias per channel of NCHW: an experimental operator of early models."""
    x = n.input(0)
    bias = np.asarray(n.attr("bias"), np.float32).reshape(-1, 1, 1)
    scaled = n.emit(Elementwise("mul"), x, n.scalar(n.attr("scale", 1.0), x))
    return n.emit(Elementwise("add"), scaled, n.add_constant(bias))


@onnx_op("Affine")
def onnx_affine(n: OnnxNode) -> str:
    """alpha * x + beta: an experimental operator of early models."""
    x = n.input(0)
    scaled = n.emit(Elementwise("mul"), x, n.scalar(n.attr("alpha", 1.0), x))
    return n.emit(Elementwise("add"), scaled, n.scalar(n.attr("beta", 0.0), x))


@tflite_op(*TFLITE_NAMES)
def tflite_elementwise(n: TfliteNode) -> str:
    return n.emit(Elementwise(TFLITE_NAMES[n.op]), *n.inputs)


@tflite_op(*CLIPS)
def tflite_clip(n: TfliteNode) -> str:
    return n.emit(Elementwise("clip", CLIPS[n.op]), n.input(0))


@tflite_op("ADD", "SUB", "MUL", "DIV")
def tflite_arithmetic(n: TfliteNode) -> str:
    return activate(n, n.emit(Elementwise(n.op.lower()), *n.inputs), n.options.fused_activation_function)


@tflite_op("ADD_N")
def tflite_add_n(n: TfliteNode) -> str:
    total = n.input(0)
    for k in range(1, len(n)):
        total = n.emit(Elementwise("add"), total, n.input(k))
    return total


@tflite_op("LEAKY_RELU")
def tflite_leaky_relu(n: TfliteNode) -> str:
    return n.emit(Elementwise("leaky_relu", (n.options.alpha,)), n.input(0))


@tflite_op("ELU")
def tflite_elu(n: TfliteNode) -> str:
    return n.emit(Elementwise("elu", (1.0,)), n.input(0))


@tflite_op("GELU")
def tflite_gelu(n: TfliteNode) -> str:
    return n.emit(Elementwise("gelu_tanh" if n.options.approximate else "gelu"), n.input(0))


@tflite_op("CAST")
def tflite_cast(n: TfliteNode) -> str:
    return n.emit(Cast(n.results[0].dtype), n.input(0))


@tflite_op("DEQUANTIZE")
def tflite_dequantize(n: TfliteNode) -> str:
    """Widens half-precision weights; the frontend refuses quantised tensors before they come here."""
    return n.emit(Cast(np.dtype(np.float32)), n.input(0))
