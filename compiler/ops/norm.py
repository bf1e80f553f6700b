"""Normalisations, written as reductions and arithmetic, so that the rules for those see them.

All divide by a deviation whose square is the mean of (x - mean)^2, which does not cancel as E(x^2) - E(x)^2 would.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import Unsupported
from .activation import activate
from .elementwise import Cast, Elementwise
from .importing import OnnxNode, SourceNode, TfliteNode, onnx_op, tflite_op
from .movement import Broadcast, Reshape
from .op import normal_axis
from .reduce import reduced

FLOAT32 = 1
"""TensorProto.FLOAT, what `stash_type` may be."""


def _call(n: SourceNode, fn: str, *operands: str) -> str:
    return n.emit(Elementwise(fn), *operands)


def _cast(n: SourceNode, value: str, dtype: np.dtype) -> str:
    return value if n.type(value).dtype == dtype else n.emit(Cast(dtype), value)


def _stash(n: OnnxNode) -> str:
    """Operand 0 in the type in which it is normalised: float32 where it is narrower."""
    stash = n.attr("stash_type", FLOAT32)
    if stash != FLOAT32:
        raise Unsupported(f"stash_type {stash}; {FLOAT32} (float32) would be accepted")
    return _cast(n, n.input(0), np.dtype(np.float32)) if n.type(0).dtype == np.float16 else n.input(0)


def _moments(n: SourceNode, x: str, axes: Sequence[int]) -> tuple[str, str]:
    """Mean and variance; the axes stay, with extent 1."""
    mean = reduced(n, "mean", x, axes, keepdims=True)
    return mean, reduced(n, "mean", _call(n, "squared_difference", x, mean), axes, keepdims=True)


def _inverse_root(n: SourceNode, variance: str, epsilon: float) -> str:
    return _call(n, "rsqrt", _call(n, "add", variance, n.scalar(epsilon, variance)))


def _along_channels(n: SourceNode, value: str, rank: int) -> str:
    """Numbers of channels, [C], as [1,C,1,…]; those of activations, [C,H,W], as [1,C,H,W]."""
    shape = n.shape(value)
    return n.emit(Reshape((1, *shape, *[1] * (rank - 1 - len(shape)))), value)


@onnx_op("BatchNormalization")
def onnx_batch_norm(n: OnnxNode) -> tuple[str, ...]:
    """y = x * f + (B - mean * f) with f = scale / sqrt(variance + epsilon): a multiplication and an addition.

    With `training_mode` the statistics are those of the batch, and the running ones move towards them.
    """
    x, rank, dtype = n.input(0), len(n.shape(0)), n.type(0).dtype
    scale, shift, mean, variance = (_cast(n, _along_channels(n, n.input(k), rank), dtype) for k in range(1, 5))
    training = bool(n.attr("training_mode", 0))
    if not training and sum(map(bool, n.outputs)) > 1:
        raise Unsupported("statistics of the batch as outputs, without training_mode; a single output would be accepted")
    running: tuple[str, ...] = ()
    if training:
        old, momentum = (mean, variance), float(n.attr("momentum", 0.9))
        mean, variance = _moments(n, x, [d for d in range(rank) if d != 1])
        running = tuple(_running(n, n.input(k), of, new, momentum) for k, of, new in zip((3, 4), old, (mean, variance)))
    factor = _call(n, "mul", scale, _inverse_root(n, variance, float(n.attr("epsilon", 1e-5))))
    shift = _call(n, "sub", shift, _call(n, "mul", mean, factor))
    return _call(n, "add", _call(n, "mul", x, factor), shift), *running


def _running(n: OnnxNode, like: str, old: str, new: str, momentum: float) -> str:
    kept, added = (_call(n, "mul", v, n.scalar(share, v)) for v, share in ((old, momentum), (new, 1 - momentum)))
    return _cast(n, n.emit(Reshape(n.shape(like)), _call(n, "add", kept, added)), n.type(like).dtype)


@onnx_op("InstanceNormalization")
def onnx_instance_norm(n: OnnxNode) -> str:
    """(x - mean) * f + B with f = scale / sqrt(variance + epsilon)."""
    x, rank = n.input(0), len(n.shape(0))
    mean, variance = _moments(n, x, range(2, rank))
    scale, shift = (_along_channels(n, n.input(k), rank) for k in (1, 2))
    factor = _call(n, "mul", _inverse_root(n, variance, float(n.attr("epsilon", 1e-5))), scale)
    return _call(n, "add", _call(n, "mul", _call(n, "sub", x, mean), factor), shift)


@onnx_op("GroupNormalization")
def onnx_group_norm(n: OnnxNode) -> str:
    """Moments of channels, averaged over each group, so that the image keeps its shape. Scales are per group before opset 21."""
    x, rank, dtype = _stash(n), len(n.shape(0)), n.type(0).dtype
    images, channels = n.shape(0)[:2]
    groups = int(n.attr("num_groups"))
    if channels % groups:
        raise Unsupported(f"{channels} channels in {groups} groups; a number that divides them would be accepted")
    size = channels // groups

    def of_groups(value: str) -> str:
        """The mean over a group's pixels and channels, [N,G,1]."""
        means = reduced(n, "mean", value, range(2, rank), keepdims=False)
        return reduced(n, "mean", n.emit(Reshape((images, groups, size)), means), [2], keepdims=True)

    def of_channels(value: str) -> str:
        """[N,G,1] or [N,G,C/G] as [N,C,1,…]."""
        count = n.shape(value)[0]
        return n.emit(Reshape((count, channels, *[1] * (rank - 2))), n.emit(Broadcast((count, groups, size)), value))

    mean = of_channels(of_groups(x))
    variance = of_groups(_call(n, "squared_difference", x, mean))
    inverse = _inverse_root(n, variance, float(n.attr("epsilon", 1e-5)))
    scale, shift = (n.emit(Reshape((1, groups, size if n.opset >= 21 else 1)), _cast(n, n.input(k), n.type(x).dtype)) for k in (1, 2))
    y = _call(n, "mul", _call(n, "sub", x, mean), of_channels(_call(n, "mul", inverse, scale)))
    return _cast(n, _call(n, "add", y, of_channels(shift)), dtype)


@onnx_op("LayerNormalization")
def onnx_layer_norm(n: OnnxNode) -> tuple[str, ...]:
    """Outputs: the result, and as float32 the mean and the inverse deviation."""
    x, dtype = _stash(n), n.type(0).dtype
    mean, variance = _moments(n, x, _axes_from(n))
    inverse = _inverse_root(n, variance, float(n.attr("epsilon", 1e-5)))
    y = _call(n, "mul", _cast(n, _call(n, "mul", _call(n, "sub", x, mean), inverse), dtype), n.input(1))
    return _call(n, "add", y, n.input(2)) if n.input(2) else y, *(_cast(n, v, np.dtype(np.float32)) for v in (mean, inverse))


@onnx_op("RMSNormalization")
def onnx_rms_norm(n: OnnxNode) -> str:
    """The result has the type of the scale."""
    x = _stash(n)
    squares = reduced(n, "mean", _call(n, "square", x), _axes_from(n), keepdims=True)
    y = _call(n, "mul", x, _inverse_root(n, squares, float(n.attr("epsilon", 1e-5))))
    return _call(n, "mul", _cast(n, y, n.type(1).dtype), n.input(1))


def _axes_from(n: OnnxNode) -> range:
    rank = len(n.shape(0))
    return range(normal_axis(int(n.attr("axis", -1)), rank), rank)


@onnx_op("MeanVarianceNormalization")
def onnx_mean_variance_norm(n: OnnxNode) -> str:
    """(x - mean) / (sqrt(variance) + 1e-9)."""
    x = n.input(0)
    mean, variance = _moments(n, x, n.attr("axes") or (0, 2, 3))
    deviation = _call(n, "add", _call(n, "sqrt", variance), n.scalar(1e-9, x))
    return _call(n, "div", _call(n, "sub", x, mean), deviation)


@onnx_op("LpNormalization")
def onnx_lp_norm(n: OnnxNode) -> str:
    """Of a norm of zero the result is zero."""
    x, p = n.input(0), int(n.attr("p", 2))
    if p not in (1, 2):
        raise Unsupported(f"p = {p}; 1 and 2 would be accepted")
    powers = reduced(n, "sum", _call(n, "abs" if p == 1 else "square", x), [int(n.attr("axis", -1))], keepdims=True)
    norm = powers if p == 1 else _call(n, "sqrt", powers)
    return _call(n, "mul", x, _call(n, "where", norm, _call(n, "reciprocal", norm), norm))


@tflite_op("L2_NORMALIZATION")
def tflite_l2_norm(n: TfliteNode) -> str:
    """x / max(norm of the last axis, 1e-6)."""
    x = n.input(0)
    norm = _call(n, "sqrt", reduced(n, "sum", _call(n, "square", x), [-1], keepdims=True))
    y = _call(n, "div", x, _call(n, "maximum", norm, n.scalar(1e-6, x)))
    return activate(n, y, n.options.fused_activation_function)
