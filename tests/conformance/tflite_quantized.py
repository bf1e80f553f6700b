"""Cases of quantised operators: int8, uint8 and int16, per tensor and per channel, int4 weights, and floats that meet integer weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from tests.conformance.tflite_case import ACTIVATIONS, Case, Cases, Stored, Variable, family, grid, ints, numbers, scalar, stored
from tests.tflite_writer import Quantization

BYTES = ("int8", "uint8")
SMALL = (*BYTES, "int16")
SHAPES = ((17,), (3, 5), (2, 3, 5), (3, 4, 5, 17), (2, 1, 3, 4, 5))
IMAGE = (2, 5, 6, 9)


def fixed(dtype: str, scales: Mapping[str, tuple[float, int]]) -> tuple[str, Quantization]:
    """A result whose grid LiteRT prescribes."""
    scale, zero_point = scales[dtype]
    return dtype, Quantization([scale], [zero_point])


PROBABILITY = {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)}
SIGNED = {"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)}
LOGARITHM = {"int8": (16 / 256, 127), "uint8": (16 / 256, 255)}

UNARY: list[tuple[str, tuple[str, ...], tuple[float, float], tuple[float, float], dict[str, Any]]] = [
    # operator, types, range of the operand, range of the result, options
    ("ABS", ("int8", "int16"), (-4, 4), (0, 4), {}), ("ELU", ("int8",), (-4, 4), (-1, 4), {}),
    ("EXP", ("int8", "int16"), (-4, 1), (0, 3), {}), ("GELU", BYTES, (-4, 4), (-0.2, 4), {}),
    ("GELU", BYTES, (-3, 3), (-0.5, 3), {"approximate": True}), ("HARD_SWISH", BYTES, (-5, 5), (-0.4, 5), {}),
    ("LEAKY_RELU", SMALL, (-4, 4), (-1.3, 4), {"alpha": 0.3}), ("LEAKY_RELU", SMALL, (-2, 4), (-3, 4), {"alpha": 1.5}),
    ("LOG", ("int8", "int16"), (0.1, 4), (-2.4, 1.4), {}), ("NEG", ("int8", "int16"), (-4, 3), (-3, 4), {}),
    ("RELU", SMALL, (-4, 4), (0, 4), {}), ("RELU", SMALL, (-4, 4), (-1, 2), {}), ("RELU6", SMALL, (-4, 8), (0, 6), {}),
    ("RELU_N1_TO_1", BYTES, (-4, 4), (-1, 1), {}), ("RELU_0_TO_1", BYTES, (-4, 4), (0, 1), {}),
    ("RSQRT", ("int8", "int16"), (0.1, 4), (0, 3.2), {}), ("SQRT", ("int8", "int16"), (0, 4), (0, 2), {}),
]  # fmt: skip


@family
def unary_quantized() -> Cases:
    for op, dtypes, (low, high), (least, most), options in UNARY:
        for dtype, shape in product(dtypes, SHAPES[1::2]):
            yield Case(op, [stored(shape, dtype, low, high)], options, results=[(dtype, grid(dtype, least, most))])
    prescribed = (("LOGISTIC", PROBABILITY), ("SOFTMAX", PROBABILITY), ("TANH", SIGNED), ("L2_NORMALIZATION", SIGNED),
                  ("LOG_SOFTMAX", LOGARITHM))
    for (op, scales), shape in product(prescribed, SHAPES):
        for dtype in BYTES if op.startswith("L2") else scales:
            options = {"beta": 1.0} if op == "SOFTMAX" else {}
            yield Case(op, [stored(shape, dtype)], options, results=[fixed(dtype, scales)])
    for dtype, shape, beta in product(SMALL, SHAPES[1:4], (0.5, 2.0)):
        yield Case("SOFTMAX", [stored(shape, dtype)], {"beta": beta}, results=[fixed(dtype, PROBABILITY)])


PAIRS = (((5,), (1,)), ((3, 5), (5,)), ((2, 3, 5), (2, 3, 5)), ((2, 4, 5, 17), (1, 1, 1, 17)), ((3, 1, 5, 1), (1, 4, 1, 7)))


@family
def binary_quantized() -> Cases:
    for op, dtype, (a, b), activation in product(("ADD", "SUB", "MUL", "DIV"), SMALL, PAIRS, ACTIVATIONS[:3]):
        if op != "DIV" or (dtype == "uint8" and activation != "RELU6"):
            operands = [stored(a, dtype, 0.5 if op == "DIV" else -3, 4), stored(b, dtype, *((0.5, 4) if op == "DIV" else (-4, 3)), seed=1)]
            options = {"fused_activation_function": activation} | ({"pot_scale_int16": False} if op in ("ADD", "SUB") else {})
            yield Case(op, operands, options, fed=2, results=[(dtype, grid(dtype, -6, 7))])
    for op, dtype, fed in product(("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"), SMALL, ([0], [1], [0, 1])):
        if op == "SQUARED_DIFFERENCE" and dtype != "int8":
            continue
        a, b = stored((2, 3, 5), dtype), stored((3, 1), dtype, seed=1)
        yield Case(op, [a, b], {"pot_scale_int16": False} if op in ("ADD", "SUB") else {}, fed=fed,
                   results=[(dtype, grid(dtype, -5, 11) if op[0] == "S" else grid(dtype))])
    for op, dtype, (a, b) in product(("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"), BYTES, PAIRS):
        other = stored(b, dtype, -2, 3, seed=1)
        yield Case(op, [stored(a, dtype), other], {}, fed=2, results=["bool"])
    for dtype, (a, b) in product(BYTES, PAIRS[1:4]):
        yield Case("PRELU", [stored(a, dtype), stored(b, dtype, -0.5, 1, seed=1)], {}, fed=1, results=[(dtype, grid(dtype))])
    for dtype, (a, b) in product(SMALL, PAIRS[:4]):
        own = stored(a, dtype, seed=1)
        for op, condition in (("SELECT", a), ("SELECT_V2", b)):
            yield Case(op, [numbers(condition, "bool"), own, stored(a, dtype, seed=2)], {}, fed=3, results=[(dtype, own.grid)])


WINDOWS = (((1, 1), 1, 1, "SAME"), ((3, 3), 2, 1, "SAME"), ((3, 3), 1, 2, "VALID"), ((2, 4), 1, 1, "SAME"))


def weights(shape: Sequence[int], kind: str, axis: int | None = None, seed: int = 1) -> Stored:
    """Weights of a kind, each slice along an axis of its own scale."""
    count = 1 if axis is None else shape[axis]
    scales = np.linspace(0.5, 1, count) / (7 if kind == "int4" else 127)
    low, high = (-7, 7) if kind == "int4" else (1, 255) if kind == "uint8" else (-127, 127)
    array = np.random.default_rng([seed, *shape]).integers(low, high + 1, shape).astype("uint8" if kind == "uint8" else "int8")
    return Stored(array, Quantization(list(map(float, scales)), [128 if kind == "uint8" else 0], axis or 0), kind)


def biases(x: Stored, w: Stored, count: int) -> Stored:
    """Integers of the scale of the products, 64 bits beside data of 16."""
    scales = [x.grid.scale[0] * s for s in w.grid.scale]
    numbers = np.random.default_rng(count).uniform(-1, 1, count) / scales
    return Stored(np.rint(numbers).astype(np.int64 if x.array.dtype == np.int16 else np.int32), Quantization(scales, [0]))


KINDS = (("int8", "int8", False), ("int8", "int8", True), ("uint8", "uint8", False), ("int16", "int8", True), ("int16", "int8", False),
         ("int8", "int4", True), ("int8", "int4", False))
"""Of data and weights, and whether these have a scale for each channel."""


@family
def products_quantized() -> Cases:
    for (data, kind, channels), (kernel, stride, dilation, padding), c, o in product(KINDS, WINDOWS, (3, 16), (4, 7)):
        options = {"padding": padding, "stride_h": stride, "stride_w": stride, "dilation_h_factor": dilation, "dilation_w_factor": dilation}
        x, activation = stored((1, 7, 6, c), data, -2, 3), ACTIVATIONS[(c + o) % 3]
        result = [(data, grid(data, -9, 12))]
        w = weights((o, *kernel, c), kind, 0 if channels else None)
        yield Case("CONV_2D", [x, w, biases(x, w, o)], {**options, "fused_activation_function": activation}, results=result)
        if o == 4:
            outputs = 2 * c if c == 3 else c
            w = weights((1, *kernel, outputs), kind, 3 if channels else None)
            yield Case("DEPTHWISE_CONV_2D", [x, w, biases(x, w, outputs)],
                       {**options, "depth_multiplier": outputs // c, "fused_activation_function": activation}, results=result)
    for (data, kind, channels), (kernel, stride, padding), bias in product(KINDS[:5], (((2, 2), 2, "SAME"), ((3, 3), 1, "SAME"),
                                                                                      ((3, 4), 2, "VALID")), (False, True)):
        size = [e * stride if padding == "SAME" else (e - 1) * stride + k for e, k in zip((4, 3), kernel)]
        x, w = stored((1, 4, 3, 5), data, -2, 3), weights((6, *kernel, 5), kind, 0 if channels else None)
        yield Case("TRANSPOSE_CONV", [ints(1, *size, 6), w, x, *([biases(x, w, 6)] if bias else [])],
                   {"padding": padding, "stride_h": stride, "stride_w": stride}, fed=[2], results=[(data, grid(data, -9, 12))])
    for (data, kind, channels), rows, i, o, bias in product(KINDS, (1, 5), (6, 33), (1, 17), (False, True)):
        x, w = stored((rows, i), data, -2, 3), weights((o, i), kind, 0 if channels else None)
        yield Case("FULLY_CONNECTED", [x, w, biases(x, w, o) if bias else None],
                   {"fused_activation_function": ACTIVATIONS[(rows + i) % 3]}, results=[(data, grid(data, -15, 12))])
    turned = list(product((False, True), repeat=2))
    for dtype, (m, k, n), (adj_x, adj_y), fed in product(("int8", "int16"), ((1, 5, 3), (4, 17, 8)), turned, (1, 2)):
        a, b = (2, k, m) if adj_x else (2, m, k), (2, n, k) if adj_y else (2, k, n)
        yield Case("BATCH_MATMUL", [stored(a, dtype), stored(b, dtype, -3, 4, seed=1)], {"adj_x": adj_x, "adj_y": adj_y},
                   fed=fed, results=[(dtype, grid(dtype, -40, 40))])


@family
def hybrid() -> Cases:
    """Floats that meet integer weights: quantised as they come, or weights dequantised first."""
    for kind, channels, rows, o, bias in product(("int8", "int4"), (False, True), (1, 4), (3, 16), (False, True)):
        w = weights((o, 24), kind, 0 if channels else None)
        yield Case("FULLY_CONNECTED", [numbers((rows, 24)), w, numbers((o,), seed=2) if bias else None],
                   {"asymmetric_quantize_inputs": rows == 4 and kind == "int8"}, version=9)
    for channels, (kernel, stride, dilation, padding), c in product((False, True), WINDOWS, (3, 16)):
        options = {"padding": padding, "stride_h": stride, "stride_w": stride, "dilation_h_factor": dilation, "dilation_w_factor": dilation}
        x, b = numbers((1, 7, 6, c)), numbers((5,), seed=2)
        yield Case("CONV_2D", [x, weights((5, *kernel, c), "int8", 0 if channels else None), b], options)
        if channels:
            yield Case("DEPTHWISE_CONV_2D", [x, weights((1, *kernel, c), "int8", 3), numbers((c,), seed=2)],
                       {**options, "depth_multiplier": 1})
    for asymmetric, adjoint in product((False, True), repeat=2):
        w = weights((2, 7, 12) if adjoint else (2, 12, 7), "int8")
        yield Case("BATCH_MATMUL", [numbers((2, 5, 12)), w], {"adj_y": adjoint, "asymmetric_quantize_inputs": asymmetric})
    for kind in ("int8", "int4"):
        yield Case("EMBEDDING_LOOKUP", [ints(3, 0, 4, 4), weights((5, 6), kind)])
    yield Case("EMBEDDING_LOOKUP", [ints(3, 0, 4, 4), weights((5, 6), "int8", 0)])
    for rank, bias in product((1, 2), (False, True)):
        yield Case("SVDF", [numbers((2, 5)), weights((6 * rank, 5), "int8"), weights((6 * rank, 4), "int8", seed=2),
                            numbers((6,)) if bias else None, Variable((2, 24 * rank))], {"rank": rank}, runs=4)


@family
def grids() -> Cases:
    for a, b, shape in product(SMALL, SMALL, SHAPES[:4:3]):
        if (a, b) in (("int16", "uint8"), ("uint8", "int16")):
            continue
        yield Case("QUANTIZE", [stored(shape, a)], results=[(b, grid(b, -3, 5))])
        yield Case("QUANTIZE", [stored(shape, a)], results=[(b, grid(b))])
    for dtype, shape in product(SMALL, SHAPES):
        yield Case("QUANTIZE", [numbers(shape, high=5)], results=[(dtype, grid(dtype))])
        yield Case("DEQUANTIZE", [stored(shape, dtype)])
        yield Case("FAKE_QUANT", [numbers(shape)], {"min": -2.0, "max": 3.0, "num_bits": 8 if dtype == "int8" else 4})
    for shape in SHAPES:
        yield Case("DEQUANTIZE", [numbers(shape, "float16")])
    for axis in (0, 3):
        x = weights(IMAGE, "int8", axis)
        yield Case("DEQUANTIZE", [x], fed=0)


@family
def windows_quantized() -> Cases:
    windows = (((2, 2), 2, "VALID"), ((3, 2), 1, "SAME"), ((5, 6), 1, "VALID"))
    for op, dtype, ((height, width), stride, padding), c in product(("MAX_POOL_2D", "AVERAGE_POOL_2D"), SMALL, windows, (1, 16)):
        x = stored((2, 5, 6, c), dtype)
        yield Case(op, [x], {"padding": padding, "stride_h": stride, "stride_w": stride, "filter_height": height, "filter_width": width,
                             "fused_activation_function": "RELU" if c == 16 else "NONE"}, results=[(dtype, x.grid)])
    for op, dtype, size, mode in product(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), SMALL, ((3, 3), (10, 12), (7, 13)),
                                         ({}, {"align_corners": True}, {"half_pixel_centers": True})):
        x = stored(IMAGE, dtype)
        yield Case(op, [x, ints(*size)], mode, results=[(dtype, x.grid)])


@family
def reductions_quantized() -> Cases:
    ops = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD")
    for op, dtype, axes, keep in product(ops, SMALL, ((1, 2), (3,), (0, 2), (0, 1, 2, 3)), (False, True)):
        if op == "REDUCE_PROD" and (dtype == "uint8" or len(axes) > 1):
            continue
        x = stored((2, 3, 4, 5), dtype, *((-0.4, 0.5) if op == "SUM" else (-1.3, 1.2)))
        own = op.startswith("REDUCE_M")
        yield Case(op, [x, ints(*axes)], {"keep_dims": keep}, results=[(dtype, x.grid if own else grid(dtype, -2, 3))])
        if op == "MEAN":
            yield Case(op, [x, ints(*axes)], {"keep_dims": keep}, results=[(dtype, x.grid)])
    for op, dtype, axis in product(("ARG_MAX", "ARG_MIN"), BYTES, (0, -1)):
        yield Case(op, [stored((4, 3, 7), dtype), scalar(axis)], {"output_type": "INT32"}, results=["int32"])
    for dtype, k in product(SMALL, (1, 4)):
        x = stored((3, 9), dtype)
        yield Case("TOPK_V2", [x, scalar(k)], results=[(dtype, x.grid), "int32"])


@family
def movements_quantized() -> Cases:
    for dtype in SMALL:
        for shape in SHAPES:
            x, rank = stored(shape, dtype), len(shape)
            own, last = [(dtype, x.grid)], rank - 1
            yield Case("RESHAPE", [x, ints(-1)], {"new_shape": [-1]}, results=own)
            yield Case("TRANSPOSE", [x, ints(*range(rank)[::-1])], results=own)
            yield Case("SLICE", [x, ints(*(e // 2 for e in shape)), ints(*(-1 for _ in shape))], results=own)
            yield Case("STRIDED_SLICE", [x, ints(*(0 for _ in shape)), ints(*shape), ints(*(2 for _ in shape))], results=own)
            yield Case("TILE", [x, ints(*(2 for _ in shape))], results=own)
            yield Case("REVERSE_V2", [x, ints(last)], results=own)
            yield Case("EXPAND_DIMS", [x, scalar(0)], results=own)
            yield Case("SQUEEZE", [Stored(x.array[None], x.grid)], {"squeeze_dims": [0]}, results=own)
            yield Case("GATHER", [x, ints(0, 0)], {"axis": last}, fed=2, results=own)
            yield Case("BROADCAST_TO", [x, ints(2, *shape)], results=own, version=2)
            yield Case("PACK", [x, Stored(x.array[::-1].copy(), x.grid)], {"axis": 0, "values_count": 2}, fed=2, results=own)
            yield Case("UNPACK", [x], {"axis": last, "num": shape[-1]}, results=own * shape[-1])
            yield Case("SPLIT", [scalar(0), x], {"num_splits": shape[0]}, fed=[1], results=own * shape[0])
            yield Case("SPLIT_V", [x, ints(1, -1), scalar(last)], {"num_splits": 2}, results=own * 2)
            yield Case("PAD", [x, np.full((rank, 2), 1, np.int32)], results=own)
            yield Case("PADV2", [x, np.full((rank, 2), 1, np.int32), Stored(np.array(5, dtype), x.grid)], results=own)
            yield Case("MIRROR_PAD", [x, np.array([(min(1, e - 1), 0) for e in shape], np.int32)], {"mode": "REFLECT"}, results=own)
            parts = [x, stored(shape, dtype, seed=1)]
            yield Case("CONCATENATION", parts, {"axis": last}, fed=2, results=own)
            if dtype == "uint8":
                yield Case("CONCATENATION", [x, stored(shape, dtype, -3, 6, seed=1)], {"axis": last}, fed=2,
                           results=[(dtype, grid(dtype, -4, 6))])
        x = stored((4, 4, 6, 8), dtype)
        own = [(dtype, x.grid)]
        if dtype != "int16":
            yield Case("SPACE_TO_DEPTH", [x], {"block_size": 2}, results=own)
            yield Case("DEPTH_TO_SPACE", [x], {"block_size": 2}, results=own)
        yield Case("SPACE_TO_BATCH_ND", [x, ints(2, 2), np.array([[1, 1], [0, 2]], np.int32)], results=own)
        yield Case("BATCH_TO_SPACE_ND", [x, ints(2, 2), np.array([[1, 1], [0, 2]], np.int32)], results=own)
        yield Case("GATHER_ND", [x, numbers((5, 2), "int32", 1, 0, 3)], fed=2, results=own)
        if dtype != "int8":
            yield Case("REVERSE_SEQUENCE", [x, ints(1, 3, 2, 4)], {"seq_dim": 1, "batch_dim": 0}, fed=2, results=own)
        yield Case("DYNAMIC_UPDATE_SLICE", [x, Stored(x.array[:2, :2], x.grid), ints(1, 1, 0, 0)], fed=3, results=own)
        yield Case("FILL", [ints(2, 3), Stored(np.array(7, dtype), x.grid)], fed=[1], results=own)
        yield Case("CAST", [x], {"in_data_type": dtype.upper(), "out_data_type": "FLOAT32"})
        if dtype != "int16":
            yield Case("SCATTER_ND", [ints(2, 0)[:, None], Stored(x.array[0, 0, :2], x.grid), ints(4, 8)], fed=2, results=own)
