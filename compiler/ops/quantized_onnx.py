"""Quantised operators of ONNX: a stored integer q stands for the real (q - zero point) * scale.

Rounding is to nearest, ties to even. Sums of products of integers are exact; operators of ONNX Runtime's domain that are not sums of
products compute on reals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod

import numpy as np

from ..errors import Unsupported
from .conv import channels_last, channels_second
from .elementwise import FLOAT, Cast, Elementwise
from .importing import ONNX, OnnxNode, onnx_op
from .lowbit import FLOATS, FORMATS, INTEGERS, converted, stored_as
from .matmul import product
from .movement import Broadcast, Concat, Reshape, Slice, Transpose
from .op import normal_axis

MICROSOFT = "com.microsoft::"
INT = np.dtype(np.int32)
EXACT = 1 << 24
"""Float32 holds every integer up to here."""


def _call(n: OnnxNode, fn: str, *operands: str) -> str:
    return n.emit(Elementwise(fn), *operands)


def _cast(n: OnnxNode, value: str, dtype: np.dtype) -> str:
    return value if n.type(value).dtype == dtype else n.emit(Cast(dtype), value)


def _narrow(n: OnnxNode, value: str, name: str) -> str:
    """As float32, rounded to a narrower type of floats if one is named."""
    return converted(n, value, name) if name in FORMATS and n.type(value).dtype.name != name else _cast(n, value, FLOAT)


def _spread(n: OnnxNode, value: str, shape: tuple[int, ...], axis: int, block: int = 0) -> str:
    """A scale or zero point in a shape that broadcasts to that of the tensor: of all of it, of an axis, or of blocks along an axis."""
    own = n.shape(value)
    if n.type(value).size == 1 and len(own) <= 1:
        return n.emit(Reshape(()), value)
    axis = normal_axis(axis, len(shape))
    if len(own) == 1 and own[0] == shape[axis]:
        return n.emit(Reshape(tuple(own[0] if d == axis else 1 for d in range(len(shape)))), value)
    size = block or (-(-shape[axis] // own[axis]) if len(own) == len(shape) else 0)
    if not size or own != (*shape[:axis], -(-shape[axis] // size), *shape[axis + 1 :]):
        raise Unsupported(f"a scale or zero point of shape {list(own)} along axis {axis} of {list(shape)}, in blocks of {block}")
    if size == 1:
        return value
    apart = (*own[: axis + 1], 1, *own[axis + 1 :])
    value = n.emit(Broadcast((*own[: axis + 1], size, *own[axis + 1 :])), n.emit(Reshape(apart), value))
    value = n.emit(Reshape((*own[:axis], own[axis] * size, *own[axis + 1 :])), value)
    return value if n.shape(value) == shape else n.emit(Slice((0,) * len(shape), shape, (1,) * len(shape)), value)


def _real(n: OnnxNode, x: str, scale: str, zero: str) -> str:
    """(x - zero) * scale as float32; operands broadcast, and zero point and scale may be absent."""
    if zero and n.type(x).dtype.itemsize >= 4:
        x = _call(n, "sub", x, _cast(n, zero, n.type(x).dtype))
    elif zero:
        x = _call(n, "sub", _cast(n, x, FLOAT), _cast(n, zero, FLOAT))
    return _call(n, "mul", _cast(n, x, FLOAT), _cast(n, scale, FLOAT)) if scale else _cast(n, x, FLOAT)


def _stored(n: OnnxNode, x: str, zero: str, dtype: np.dtype, element: str = "", saturate: bool = True) -> str:
    """A float32, in units of the scale, rounded to what is stored: x + zero within the bounds of the type.

    Args:
        element: the type, where numpy lacks it; else it is `dtype`.
    """
    if element in FLOATS:
        given = n.array(zero) if zero else np.zeros(1)
        x = x if given is not None and not given.any() else _call(n, "add", x, _cast(n, zero, FLOAT))
        return converted(n, x, element, saturate=saturate)
    low, high = INTEGERS[element] if element else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    x = _call(n, "round", x)
    x = _call(n, "add", x, _cast(n, zero, FLOAT)) if zero else x
    return n.emit(Cast(dtype), n.emit(Elementwise("clip", (float(low), float(high))), x))


def _requantized(n: OnnxNode, x: str, scale: str, zero: str) -> str:
    """Reals as integers of the zero point's type; the scale broadcasts."""
    dtype = n.type(zero).dtype if zero else np.dtype(np.uint8)
    return _stored(n, _call(n, "quotient", x, _cast(n, scale, FLOAT)), zero, dtype)


@onnx_op("QuantizeLinear", f"{MICROSOFT}QuantizeLinear")
def onnx_quantize(n: OnnxNode) -> str:
    """The division is rounded to the type of the scale, or that of `precision`."""
    import onnx

    x, scale, zero, shape = n.input(0), n.input(1), n.input(2), n.shape(0)
    axis, block = int(n.attr("axis", 1)), int(n.attr("block_size", 0))
    scale, zero = (_spread(n, v, shape, axis, block) if v else "" for v in (scale, zero))
    element = n.element or (n.elements[2] if zero else "")
    dtype = n.type(zero).dtype if zero else np.dtype(np.uint8)
    if n.attr("output_dtype") and not element:
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(n.attr("output_dtype")))
    narrow = n.elements[1] or n.type(scale).dtype.name
    if n.attr("precision"):
        narrow = onnx.helper.tensor_dtype_to_np_dtype(n.attr("precision")).name
    quotient = _narrow(n, _call(n, "quotient", _narrow(n, x, narrow), _narrow(n, scale, narrow)), narrow)
    return _stored(n, quotient, zero, stored_as(element) if element else dtype, element, bool(n.attr("saturate", 1)))


@onnx_op("DequantizeLinear", f"{MICROSOFT}DequantizeLinear")
def onnx_dequantize(n: OnnxNode) -> str:
    """The result has the type of the scale, or `output_dtype`."""
    import onnx

    x, scale, zero, shape = n.input(0), n.input(1), n.input(2), n.shape(0)
    axis, block = int(n.attr("axis", 1)), int(n.attr("block_size", 0))
    dtype = n.type(scale).dtype
    scale, zero = (_spread(n, v, shape, axis, block) if v else "" for v in (scale, zero))
    y = _real(n, x, scale, zero)
    if n.element:
        return converted(n, y, n.element)
    if n.attr("output_dtype"):
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(n.attr("output_dtype")))
    return _cast(n, y, dtype)


def _shifted(n: OnnxNode, x: str, zero: str) -> str:
    """x - zero as int32."""
    x = _cast(n, x, INT)
    return _call(n, "sub", x, _cast(n, zero, INT)) if zero else x


def _sums(n: OnnxNode, x: str, w: str, axes: tuple[int, ...], of: Callable[[str, str], str]) -> str:
    """Sums of products of int32, exact: in floats, which are fast, where the weights are constant; else in integers.

    Args:
        x: of 8 bits, less a zero point.
        axes: of w, along which the sums go.
    """
    weights = n.array(w)
    if weights is None:
        return of(x, w)
    x, total = _cast(n, x, FLOAT), ""
    for factor, part in _digits(weights, axes):
        y = n.emit(Cast(INT), of(x, n.add_constant(part.astype(np.float32))))
        y = _call(n, "mul", y, n.scalar(factor, y)) if factor > 1 else y
        total = _call(n, "add", total, y) if total else y
    return total


def _digits(w: np.ndarray, axes: tuple[int, ...], factor: int = 1) -> Iterator[tuple[int, np.ndarray]]:
    """(factor, part) that add up to w, each with sums of products with numbers of 8 bits that are exact in float32.

    Raises:
        Unsupported: the sums are too long.
    """

    def exact(part: np.ndarray) -> bool:
        return bool(255 * np.abs(part.astype(np.int64)).sum(axes).max(initial=0) < EXACT)

    if exact(w):
        yield factor, w
        return
    for base in (16, 4, 2):
        low = w - base * (high := np.rint(w / base).astype(w.dtype))
        if exact(low):
            yield factor, low
            yield from _digits(high, axes, factor * base)
            return
    raise Unsupported(f"sums of {prod(w.shape[d] for d in axes)} products of integers; {EXACT // 255} would be accepted")


def _convolved(n: OnnxNode, x: str, w: str) -> str:
    """int32 of int32, as the attributes of a convolution say."""

    def conv(x: str, w: str) -> str:
        return str(ONNX["Conv"](replace(n, op="Conv", inputs=(x, w))))

    return _sums(n, x, w, tuple(range(1, len(n.shape(w)))), conv)


def _along_outputs(n: OnnxNode, value: str, rank: int) -> str:
    """Numbers of output channels, [O] or one, as [O,1,…]."""
    return n.emit(Reshape((n.type(value).size, *[1] * (rank - 1))), value) if value else ""


@onnx_op("ConvInteger")
def onnx_conv_integer(n: OnnxNode) -> str:
    zero = n.input(2) and n.emit(Reshape(()), n.input(2))
    w = _shifted(n, n.input(1), _along_outputs(n, n.input(3), len(n.shape(1))))
    return _convolved(n, _shifted(n, n.input(0), zero), w)


@onnx_op("QLinearConv", f"{MICROSOFT}QLinearConv")
def onnx_qlinear_conv(n: OnnxNode) -> str:
    """The bias, if there is one, is an int32 in units of both scales."""
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero = (n.input(k) for k in range(8))
    rank, last = len(n.shape(w)), bool(n.attr("channels_last", 0))
    x_zero, y_zero = (n.emit(Reshape(()), v) if v else "" for v in (x_zero, y_zero))
    x = channels_second(n, x) if last else x
    y = _convolved(n, _shifted(n, x, x_zero), _shifted(n, w, _along_outputs(n, w_zero, rank)))
    if n.input(8):
        y = _call(n, "add", y, _along_outputs(n, n.input(8), rank - 1))
    factor = _call(n, "mul", n.emit(Reshape(()), x_scale), _along_outputs(n, w_scale, rank - 1))
    factor = _call(n, "div", factor, n.emit(Reshape(()), y_scale))
    scaled = _call(n, "mul", _cast(n, y, FLOAT), factor)
    y = _stored(n, scaled, y_zero, n.type(y_zero or 0).dtype)
    return channels_last(n, y) if last else y


def _matrix(n: OnnxNode, value: str, matrix: str, axis: int) -> str:
    """A number, or one for each row (axis -2) or column (-1) of a matrix or of each of a batch, in a shape that broadcasts to these."""
    if not value or n.type(value).size == 1:
        return n.emit(Reshape(()), value) if value else ""
    shape = n.shape(matrix)
    if len(n.shape(value)) == len(shape):
        return value
    return n.emit(Reshape((n.shape(value)[0], 1) if axis == -2 else (1, n.shape(value)[0])), value)


def _multiplied(n: OnnxNode, a: str, b: str) -> str:
    """int32 of int32, as MatMul says."""
    return _sums(n, a, b, (max(len(n.shape(b)) - 2, 0),), lambda a, b: product(n, a, b))


@onnx_op("MatMulInteger")
def onnx_matmul_integer(n: OnnxNode) -> str:
    a, b = n.input(0), n.input(1)
    return _multiplied(n, _shifted(n, a, _matrix(n, n.input(2), a, -2)), _shifted(n, b, _matrix(n, n.input(3), b, -1)))


@onnx_op("QLinearMatMul")
def onnx_qlinear_matmul(n: OnnxNode) -> str:
    """The product of the scales of a and b over that of y is computed in their type. Floats of 8 bits have zero points of zero."""
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = (n.input(k) for k in range(8))
    if n.elements[0] or n.elements[3]:
        a, b = (_real(n, v, "", _matrix(n, zero, v, axis)) for v, zero, axis in ((a, a_zero, -2), (b, b_zero, -1)))
        y = product(n, a, b)
    else:
        y = _multiplied(n, _shifted(n, a, _matrix(n, a_zero, a, -2)), _shifted(n, b, _matrix(n, b_zero, b, -1)))
    narrow = n.elements[1] or n.type(a_scale).dtype.name
    scales = [_cast(n, _matrix(n, v, of, axis), FLOAT) for v, of, axis in ((a_scale, a, -2), (b_scale, b, -1), (y_scale, y, -2))]
    factor = _narrow(n, _call(n, "mul", *scales[:2]), narrow)
    factor = _narrow(n, _call(n, "div", factor, scales[2]), narrow)
    return _stored(n, _call(n, "mul", _cast(n, y, FLOAT), factor), _matrix(n, y_zero, y, -2), n.type(y_zero or 0).dtype, n.element)


@onnx_op(f"{MICROSOFT}MatMulIntegerToFloat")
def onnx_matmul_to_float(n: OnnxNode) -> str:
    a, b, a_scale, b_scale, a_zero, b_zero, bias = (n.input(k) for k in range(7))
    y = _multiplied(n, _shifted(n, a, _matrix(n, a_zero, a, -2)), _shifted(n, b, _matrix(n, b_zero, b, -1)))
    factor = _call(n, "mul", _matrix(n, a_scale, a, -2), _matrix(n, b_scale, b, -1))
    y = _call(n, "mul", _cast(n, y, FLOAT), factor)
    return _call(n, "add", y, bias) if bias else y


@onnx_op(f"{MICROSOFT}QGemm")
def onnx_qgemm(n: OnnxNode) -> str:
    """alpha * a b + c; c is an int32 in units of alpha and both scales. Without a scale of y the result is real."""
    a, a_scale, a_zero, b, b_scale, b_zero, c, y_scale, y_zero = (n.input(k) for k in range(9))
    a = _shifted(n, a, _matrix(n, a_zero, a, -2))
    turned = bool(n.attr("transB", 0))
    b = _shifted(n, b, _matrix(n, b_zero, b, -2 if turned else -1))
    a = n.emit(Transpose((1, 0)), a) if n.attr("transA", 0) else a
    b = n.emit(Transpose((1, 0)), b) if turned else b
    y = _multiplied(n, a, b)
    y = _call(n, "add", y, c) if c else y
    factor = _call(n, "mul", _matrix(n, a_scale, a, -2), _matrix(n, b_scale, b, -1))
    factor = _call(n, "mul", factor, n.scalar(float(n.attr("alpha", 1.0)), factor))
    y = _call(n, "mul", _cast(n, y, FLOAT), factor)
    return _requantized(n, y, y_scale, y_zero) if y_scale else y


ON_REALS = {
    "QLinearAdd": ("Add", 2), "QLinearMul": ("Mul", 2), "QLinearSigmoid": ("Sigmoid", 1), "QLinearLeakyRelu": ("LeakyRelu", 1),
    "QLinearAveragePool": ("AveragePool", 1), "QLinearGlobalAveragePool": ("GlobalAveragePool", 1), "QLinearSoftmax": ("Softmax", 1),
}  # fmt: skip
"""Operators of ONNX Runtime -> those of ONNX that they apply to the reals, of so many operands, each with scale and zero point."""


@onnx_op(*(MICROSOFT + name for name in ON_REALS))
def onnx_on_reals(n: OnnxNode) -> str:
    op, count = ON_REALS[n.op.removeprefix(MICROSOFT)]
    reals = [_real(n, *(n.input(3 * k + j) for j in range(3))) for k in range(count)]
    last = bool(n.attr("channels_last", 0))
    reals = [channels_second(n, v) for v in reals] if last else reals
    y = ONNX[op](replace(n, op=op, inputs=tuple(reals), opset=int(n.attr("opset", 13))))
    y = channels_last(n, str(y)) if last else str(y)
    return _requantized(n, y, n.input(3 * count), n.input(3 * count + 1))


@onnx_op(f"{MICROSOFT}QLinearConcat")
def onnx_qlinear_concat(n: OnnxNode) -> str:
    """Operands: scale and zero point of the result, then of each part the numbers, scale and zero point."""
    parts = [_real(n, *n.inputs[k : k + 3]) for k in range(2, len(n), 3)]
    return _requantized(n, n.emit(Concat(normal_axis(int(n.attr("axis", 0)), len(n.shape(2)))), *parts), n.input(0), n.input(1))


@onnx_op(f"{MICROSOFT}QLinearWhere")
def onnx_qlinear_where(n: OnnxNode) -> str:
    x, y = (_real(n, *n.inputs[k : k + 3]) for k in (1, 4))
    return _requantized(n, _call(n, "where", n.input(0), x, y), n.input(7), n.input(8))
