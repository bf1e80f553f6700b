"""Operators of ONNX Runtime that its optimiser and exporters put into models: several operators of ONNX in one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import Unsupported
from .elementwise import Elementwise
from .importing import ONNX, OnnxNode, Result, onnx_op
from .matmul import product
from .movement import Reshape, Slice, Transpose

MICROSOFT = "com.microsoft::"
PARAMETERS = {"LeakyRelu": ("alpha",), "Clip": ("min", "max"), "HardSigmoid": ("alpha", "beta"), "Relu": (), "Sigmoid": (), "Tanh": ()}
"""The activations that other operators may end with, and the names of their parameters."""


def _as(n: OnnxNode, op: str, *inputs: str, opset: int = 18, **attributes: object) -> Result:
    """What an operator of ONNX gives in the place of this node."""
    return ONNX[op](replace(n, op=op, inputs=inputs, elements=("",) * len(inputs), attributes=attributes, opset=opset))


def _call(n: OnnxNode, fn: str, *operands: str) -> str:
    return n.emit(Elementwise(fn), *operands)


@onnx_op(f"{MICROSOFT}Gelu", f"{MICROSOFT}BiasGelu", f"{MICROSOFT}FastGelu")
def onnx_biased_gelu(n: OnnxNode) -> str:
    """Of the sum of both operands, if there are two; FastGelu by the tangent."""
    x = _call(n, "add", n.input(0), n.input(1)) if n.input(1) else n.input(0)
    return _call(n, "gelu_tanh" if n.op.endswith("FastGelu") else "gelu", x)


@onnx_op(f"{MICROSOFT}QuickGelu")
def onnx_quick_gelu(n: OnnxNode) -> str:
    """x * sigmoid(alpha * x)."""
    x = n.input(0)
    return _call(n, "mul", x, _call(n, "sigmoid", _call(n, "mul", x, n.scalar(float(n.attr("alpha", 1.702)), x))))


@onnx_op(f"{MICROSOFT}SkipLayerNormalization", f"{MICROSOFT}SkipSimplifiedLayerNormalization")
def onnx_skip_layer_norm(n: OnnxNode) -> tuple[str, ...]:
    """The sum of x, skip and a bias, normalised, or with `Simplified` divided by its root mean square; outputs 1 and 2 are not made."""
    if any(n.outputs[1:3]):
        raise Unsupported("mean and deviation as outputs; the result and the sum would be accepted")
    simple, epsilon = "Simplified" in n.op, float(n.attr("epsilon", 1e-12))
    gamma, beta, bias = n.input(2), "" if simple else n.input(3), n.input(3 if simple else 4)
    total = _call(n, "add", n.input(0), n.input(1))
    total = _call(n, "add", total, bias) if bias else total
    if simple:
        y = _as(n, "RMSNormalization", total, gamma, epsilon=epsilon)
    else:
        y = _as(n, "LayerNormalization", total, gamma, beta, epsilon=epsilon)[0]
    return str(y), "", "", total


@onnx_op(f"{MICROSOFT}FusedMatMul")
def onnx_fused_matmul(n: OnnxNode) -> str:
    """alpha * a b, with the last two axes of each swapped as asked."""
    if n.attr("transBatchA", 0) or n.attr("transBatchB", 0):
        raise Unsupported("transBatchA or transBatchB; transA and transB would be accepted")
    a, b = (_turned(n, n.input(k)) if n.attr(name, 0) else n.input(k) for k, name in enumerate(("transA", "transB")))
    y, alpha = product(n, a, b), float(n.attr("alpha", 1.0))
    return y if alpha == 1 else _call(n, "mul", y, n.scalar(alpha, y))


def _turned(n: OnnxNode, value: str) -> str:
    rank = len(n.shape(value))
    return n.emit(Transpose((*range(rank - 2), rank - 1, rank - 2)), value) if rank > 1 else value


@onnx_op(f"{MICROSOFT}FusedGemm")
def onnx_fused_gemm(n: OnnxNode) -> str:
    names = ("activation_alpha", "activation_beta")
    return _activated(n, str(_as(n, "Gemm", *n.inputs, **n.attributes)), [n.attributes[k] for k in names if k in n.attributes])


@onnx_op(f"{MICROSOFT}FusedConv")
def onnx_fused_conv(n: OnnxNode) -> str:
    """A convolution, to which operand 3 is added before the activation."""
    y = str(_as(n, "Conv", *n.inputs[:3], **n.attributes))
    return _activated(n, _call(n, "add", y, n.input(3)) if n.input(3) else y, n.attr("activation_params") or [])


def _activated(n: OnnxNode, value: str, parameters: list[float]) -> str:
    name = n.attr("activation", "")
    if name and name not in PARAMETERS:
        raise Unsupported(f"activation {name}; {', '.join(PARAMETERS)} would be accepted")
    return str(_as(n, name, value, opset=9, **dict(zip(PARAMETERS[name], parameters)))) if name else value


@onnx_op(f"{MICROSOFT}MatMulNBits")
def onnx_matmul_of_few_bits(n: OnnxNode) -> str:
    """a times the transpose of w [N,K] + bias; w is packed in blocks along K, each with a scale and a zero point, the low bits first."""
    k, columns, bits, size = (int(n.attr(name, default)) for name, default in (("K", 0), ("N", 0), ("bits", 4), ("block_size", 0)))
    if bits not in (2, 4, 8):
        raise Unsupported(f"weights of {bits} bits; 2, 4 and 8 would be accepted")
    if n.input(4):
        raise Unsupported("an order of groups (g_idx); groups of neighbours would be accepted")
    blocks, scales = -(-k // size), n.constant(2, "scales")
    w = _unpacked(n.constant(1, "weights").reshape(columns, -1), bits)[:, : blocks * size].reshape(columns, blocks, size)
    zero = np.array(1 << bits - 1)
    if n.input(3):
        given = n.constant(3, "zero_points").reshape(columns, -1)
        zero = (_unpacked(given, bits) if given.dtype == np.uint8 else given)[:, :blocks, None]
    real = (w.astype(np.float32) - zero) * scales.reshape(columns, blocks, 1).astype(np.float32)
    y = product(n, n.input(0), n.add_constant(real.reshape(columns, -1)[:, :k].T.astype(n.type(0).dtype)))
    return _call(n, "add", y, n.input(5)) if n.input(5) else y


def _unpacked(packed: np.ndarray, bits: int) -> np.ndarray:
    """The unsigned numbers in the bytes of each row."""
    parts = packed[..., None] >> np.arange(0, 8, bits, dtype=np.uint8) & np.uint8((1 << bits) - 1)
    return parts.reshape(*packed.shape[:-1], -1)


@onnx_op(f"{MICROSOFT}Attention")
def onnx_contrib_attention(n: OnnxNode) -> str:
    """Self-attention of x [N,S,D]: queries, keys and values are thirds of x w + bias. The mask, [N,S], is 1 where there is a key."""
    if any(n.inputs[4:]) or n.attr("do_rotary", 0) or n.attr("qkv_hidden_sizes") or any(n.outputs[1:]):
        raise Unsupported("past keys, attention bias, rotary positions or sizes that differ; x, weights, bias and a mask would be accepted")
    y = product(n, n.input(0), n.input(1))
    y = _call(n, "add", y, n.input(2)) if n.input(2) else y
    batch, rows, width = n.shape(y)
    parts = [n.emit(Slice((0, 0, at), (batch, rows, width // 3), (1, 1, 1)), y) for at in range(0, width, width // 3)]
    return _attended(n, parts, n.input(3), "")


@onnx_op(f"{MICROSOFT}MultiHeadAttention")
def onnx_contrib_multi_head_attention(n: OnnxNode) -> str:
    """Attention of queries [N,S,D] over keys and values [N,T,D]. The mask, [N,T], is 1 where there is a key; scores have a bias."""
    if any(n.inputs[6:]) or not (n.input(1) and n.input(2)) or any(n.outputs[1:]) or any(len(n.shape(k)) != 3 for k in range(3)):
        raise Unsupported("packed or past keys and values; query, key and value of rank 3 would be accepted")
    parts, at = [n.input(k) for k in range(3)], 0
    for k in range(3 if n.input(3) else 0):
        width = n.shape(parts[k])[-1]
        parts[k] = _call(n, "add", parts[k], n.emit(Slice((at,), (width,), (1,)), n.input(3)))
        at += width
    return _attended(n, parts, n.input(4), n.input(5))


def _attended(n: OnnxNode, parts: list[str], mask: str, bias: str) -> str:
    """softmax(q k^T * scale + bias) v, head by head, of queries, keys and values."""
    query, key, value = parts
    heads = int(n.attr("num_heads"))
    batch, rows, width = n.shape(query)
    keys = n.shape(key)[1]

    def split(x: str) -> str:
        """[N,T,heads * size] as [N,heads,T,size]."""
        n_, t, w = n.shape(x)
        return n.emit(Transpose((0, 2, 1, 3)), n.emit(Reshape((n_, t, heads, w // heads)), x))

    scores = product(n, split(query), _turned(n, split(key)))
    scores = _call(n, "mul", scores, n.scalar(float(n.attr("scale", 0.0)) or (width // heads) ** -0.5, scores))
    scores = _call(n, "add", scores, bias) if bias else scores
    if mask:
        if n.shape(mask) != (batch, keys):
            raise Unsupported(f"a mask of shape {list(n.shape(mask))}; one of {[batch, keys]} would be accepted")
        absent = _call(n, "equal", n.emit(Reshape((batch, 1, 1, keys)), mask), n.scalar(0, mask))
        out = n.scalar(float(n.attr("mask_filter_value", -10000.0)), scores)
        scores = _call(n, "add", scores, _call(n, "where", absent, out, n.scalar(0.0, scores)))
    if n.attr("unidirectional", 0):
        later = np.triu(np.full((rows, keys), float(n.attr("mask_filter_value", -10000.0))), 1 + keys - rows)
        scores = _call(n, "add", scores, n.add_constant(later.astype(n.type(scores).dtype)))
    weights = str(_as(n, "Softmax", scores, axis=-1))
    y = n.emit(Transpose((0, 2, 1, 3)), product(n, weights, split(value)))
    return n.emit(Reshape((batch, rows, n.shape(value)[-1])), y)
