"""The element-wise operators of both formats, by their names there, and the activations that TFLite fuses into other ops."""

from __future__ import annotations

import numpy as np

from ..errors import Unsupported
from .elementwise import FLOAT, Cast, Elementwise
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .lowbit import converted
from .movement import Broadcast, Reshape
from .op import normal_axis

# fmt: off
ONNX_NAMES = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "Softsign": "softsign", "Mish": "mish",
    "HardSwish": "hard_swish", "PRelu": "prelu", "Identity": "identity", "Neg": "neg", "Abs": "abs",
    "Sign": "sign", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Reciprocal": "reciprocal", "Floor": "floor", "Ceil": "ceil",
    "Round": "round", "Erf": "erf", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Asin": "asin", "Acos": "acos", "Atan": "atan",
    "Sinh": "sinh", "Cosh": "cosh", "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh", "Not": "logical_not", "Add": "add",
    "Sub": "sub", "Mul": "mul", "Div": "div", "Equal": "equal", "Less": "less", "LessOrEqual": "less_equal",
    "Greater": "greater", "GreaterOrEqual": "greater_equal", "And": "logical_and", "Or": "logical_or", "Xor": "not_equal",
    "Where": "where", "BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor", "BitwiseNot": "bitwise_not",
}
TFLITE_NAMES = {
    "RELU": "relu", "LOGISTIC": "sigmoid", "TANH": "tanh", "HARD_SWISH": "hard_swish", "PRELU": "prelu", "NEG": "neg",
    "ABS": "abs", "SIGN": "sign", "EXP": "exp", "LOG": "log", "SQRT": "sqrt", "RSQRT": "rsqrt", "SQUARE": "square",
    "FLOOR": "floor", "CEIL": "ceil", "ROUND": "round", "SIN": "sin", "COS": "cos", "LOGICAL_NOT": "logical_not",
    "MAXIMUM": "maximum", "MINIMUM": "minimum", "SQUARED_DIFFERENCE": "squared_difference",
    "FLOOR_DIV": "floor_div", "FLOOR_MOD": "floor_mod", "ATAN2": "atan2", "EQUAL": "equal", "NOT_EQUAL": "not_equal",
    "LESS": "less", "LESS_EQUAL": "less_equal", "GREATER": "greater", "GREATER_EQUAL": "greater_equal",
    "LOGICAL_AND": "logical_and", "LOGICAL_OR": "logical_or", "SELECT_V2": "where",
    "BITWISE_XOR": "bitwise_xor",
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


@onnx_op("Pow")
@tflite_op("POW")
def power(n: SourceNode) -> str:
    """In the type of the base; an integer to one constant integer power is multiplied out."""
    x, y = n.input(0), n.input(1)
    base, exponent = n.type(x).dtype, n.type(y).dtype
    if base.kind == "f" or exponent.kind == "f":
        wide = base if base.kind == "f" else exponent
        x, y = (v if n.type(v).dtype == wide else n.emit(Cast(wide), v) for v in (x, y))
        result = n.emit(Elementwise("pow"), x, y)
        return result if base == wide else n.emit(Cast(base), result)
    times = n.array(y)
    if times is None or times.size != 1 or times.item() < 0:
        return _integer_power(n, x, y)
    shape, left = np.broadcast_shapes(n.shape(x), times.shape), int(times.item())
    result = n.add_constant(np.ones((), base))
    while left:
        if left % 2:
            result = n.emit(Elementwise("mul"), x, result)
        left //= 2
        x = n.emit(Elementwise("mul"), x, x) if left else x
    return n.emit(Broadcast(shape), result) if n.shape(result) != shape else result


def _integer_power(n: SourceNode, x: str, y: str) -> str:
    """Squares multiplied by the bits of the exponents; of a negative one, the inverse cut towards zero: 1, -1 or 0.

    Of exponents above 63 only whether they are odd counts, which is all that shows unless the result overflows.
    """
    base = n.type(x).dtype
    exponent = y if n.type(y).dtype == base else n.emit(Cast(base), y)
    one = n.add_constant(np.ones((), base))
    odd = n.emit(Elementwise("bitwise_and"), exponent, one)
    if base.kind == "i":
        zero = n.add_constant(np.zeros((), base))
        negative = n.emit(Elementwise("less"), exponent, zero)
        inverse = n.emit(Elementwise("div"), one, x)
        x = n.emit(Elementwise("where"), negative, inverse, x)
        exponent = n.emit(Elementwise("where"), negative, odd, exponent)
    high = n.emit(Elementwise("greater"), exponent, n.add_constant(np.full((), 63, base)))
    exponent = n.emit(Elementwise("where"), high, n.emit(Elementwise("bitwise_or"), odd, n.add_constant(np.full((), 62, base))), exponent)
    result = ""
    for k in range(6):
        set_ = n.emit(Elementwise("bitwise_and"), exponent, n.add_constant(np.full((), 1 << k, base)))
        wanted = n.emit(Elementwise("not_equal"), set_, n.add_constant(np.zeros((), base)))
        factor = n.emit(Elementwise("where"), wanted, x, one)
        result = n.emit(Elementwise("mul"), result, factor) if result else factor
        x = n.emit(Elementwise("mul"), x, x) if k < 5 else x
    return result


@onnx_op(*ONNX_NAMES)
def onnx_elementwise(n: OnnxNode) -> str:
    fn = ONNX_NAMES[n.op]
    arity = Elementwise(fn).row.arity
    inputs = [n.input(k) for k in range(arity)]
    if n.op == "PRelu" and len(n.shape(1)) == 1 and len(n.shape(0)) > 1 and n.opset < 7:
        inputs[1] = n.emit(Reshape((*n.shape(1), *[1] * (len(n.shape(0)) - 2))), inputs[1])
    if n.opset < 7 and n.attr("broadcast") and n.attr("axis") is not None:
        after = len(n.shape(0)) - normal_axis(n.attr("axis"), len(n.shape(0))) - len(n.shape(1))
        inputs[1] = n.emit(Reshape((*n.shape(1), *[1] * after)), inputs[1])
    return _of_reals(n, Elementwise(fn), *inputs)


@onnx_op(*ONNX_DEFAULTS)
def onnx_parametrised(n: OnnxNode) -> str:
    fn, defaults = ONNX_DEFAULTS[n.op]
    return _of_reals(n, Elementwise(fn, tuple(float(n.attr(k, v)) for k, v in defaults)), n.input(0))


def _of_reals(n: SourceNode, op: Elementwise, *inputs: str) -> str:
    """An operation of reals; the standard gives integers to some, whose results are cut towards zero."""
    dtype = n.type(inputs[0]).dtype
    if dtype.kind not in "iu" or n.op not in ("Erf", "Shrink"):
        return n.emit(op, *inputs)
    return n.emit(Cast(dtype), n.emit(op, *(n.emit(Cast(FLOAT), v) for v in inputs)))


@onnx_op("Gelu")
def onnx_gelu(n: OnnxNode) -> str:
    tanh = n.attr("approximate", b"none") in (b"tanh", "tanh")
    return n.emit(Elementwise("gelu_tanh" if tanh else "gelu"), n.input(0))


@onnx_op("Swish")
def onnx_swish(n: OnnxNode) -> str:
    x, alpha = n.input(0), float(n.attr("alpha", 1.0))
    if alpha == 1:
        return n.emit(Elementwise("silu"), x)
    scaled = n.emit(Elementwise("mul"), x, n.scalar(alpha, x))
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
    ends = np.iinfo(dtype) if dtype.kind in "iu" else None
    low, high = (ends.min, ends.max) if ends else (-np.inf, np.inf)
    low = arrays[0].item() if arrays[0] is not None else n.attr("min", low)
    high = arrays[1].item() if arrays[1] is not None else n.attr("max", high)
    return n.emit(Elementwise("clip", (min(low, high), high)), x)


@onnx_op("Mod")
def onnx_mod(n: OnnxNode) -> str:
    """The rest has the sign of the divisor, or with `fmod` of the dividend."""
    return n.emit(Elementwise("fmod" if n.attr("fmod", 0) else "floor_mod"), n.input(0), n.input(1))


@onnx_op("BitShift")
def onnx_bit_shift(n: OnnxNode) -> str:
    return n.emit(Elementwise("shift_left" if n.attr("direction") == "LEFT" else "shift_right"), n.input(0), n.input(1))


@onnx_op("IsNaN")
def onnx_is_nan(n: OnnxNode) -> str:
    return n.emit(Elementwise("not_equal"), n.input(0), n.input(0))


@onnx_op("IsInf")
def onnx_is_inf(n: OnnxNode) -> str:
    x = n.input(0)
    positive, negative = n.attr("detect_positive", 1), n.attr("detect_negative", 1)
    if not positive and not negative:
        return n.add_constant(np.broadcast_to(np.zeros((), bool), n.shape(x)))
    if positive and negative:
        x = n.emit(Elementwise("abs"), x)
    return n.emit(Elementwise("equal"), x, n.scalar(np.inf if positive else -np.inf, x))


@onnx_op("Dropout")
def onnx_dropout(n: OnnxNode) -> tuple[str, ...]:
    """Drops nothing; the mask, where it is wanted, says so."""
    training = n.array(2) if n.input(2) else np.array(False)
    if training is None or training.item():
        raise Unsupported("training_mode is computed at run time, or true, which drops at random; false would be accepted")
    y = n.emit(Elementwise("identity"), n.input(0))
    mask = np.broadcast_to(np.ones((), bool if n.opset >= 10 else n.type(y).dtype), n.shape(y))
    return (y, n.add_constant(mask)) if len(n.outputs) > 1 else (y,)


@onnx_op("CastLike")
def onnx_cast_like(n: OnnxNode) -> str:
    return _cast(n, n.type(1).dtype)


@onnx_op("Cast")
def onnx_cast(n: OnnxNode) -> str:
    import onnx

    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(n.attr("to")))
    if not n.element and (dtype.isbuiltin != 1 or dtype.kind not in "fbiu"):
        raise Unsupported(f"a cast to {dtype.name}; numbers and bool would be accepted")
    return _cast(n, dtype)


def _cast(n: OnnxNode, dtype: np.dtype) -> str:
    """To the element type of the result, where numpy lacks it, else to `dtype`."""
    if n.element:
        return converted(n, n.input(0), n.element, saturate=bool(n.attr("saturate", 1)), round_mode=n.attr("round_mode", "up"))
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


@tflite_op("RIGHT_SHIFT")
def tflite_right_shift(n: TfliteNode) -> str:
    """Counts are clamped to those below the number of bits."""
    count = n.emit(Elementwise("clip", (0, 8 * n.type(1).dtype.itemsize - 1)), n.input(1))
    return n.emit(Elementwise("shift_right"), n.input(0), count)


@tflite_op(*TFLITE_NAMES)
def tflite_elementwise(n: TfliteNode) -> str:
    if n.op == "RSQRT" and n.ordered:
        return n.emit(Elementwise("reciprocal"), n.emit(Elementwise("sqrt"), n.input(0)))
    return n.emit(Elementwise(TFLITE_NAMES[n.op]), *n.inputs)


@tflite_op("SELECT")
def tflite_select(n: TfliteNode) -> str:
    """A condition of rank 1 chooses whole slices along the first axis."""
    condition, rank = n.input(0), len(n.shape(1))
    if len(n.shape(condition)) == 1 and rank > 1:
        condition = n.emit(Reshape((*n.shape(condition), *[1] * (rank - 1))), condition)
    return n.emit(Elementwise("where"), condition, n.input(1), n.input(2))


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
