"""Cases of operands: constant or computed, in every combination; index types, options and versions that other cases leave out."""

from __future__ import annotations

from itertools import product

import numpy as np

from tests.conformance.tflite_case import ACTIVATIONS, Case, Cases, family, grid, ints, numbers, scalar, stored

INDICES = ("int32", "int64")
WINDOW = {"padding": "SAME", "stride_h": 1, "stride_w": 1}


@family
def either_operand() -> Cases:
    """The first alone, the second alone, and both are fed; with a scalar, and with the larger one second."""
    ops = ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "FLOOR_DIV", "FLOOR_MOD", "POW", "EQUAL", "NOT_EQUAL",
           "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
    shapes = (((2, 3, 5), ()), ((), (3, 4)), ((3, 1), (2, 1, 3, 4)))
    for op, fed, (a, b), dtype in product(ops, ([0], [1]), shapes, ("float32", "int32")):
        low = 1 if op in ("DIV", "POW", "FLOOR_DIV", "FLOOR_MOD") else -4
        compares = op.startswith(("EQ", "NOT", "GR", "LE"))
        if not (op == "POW" and dtype == "int32" and fed == [1]):
            operands = [numbers(a, dtype, 1, low).round().astype(dtype), numbers(b, dtype, 2, low).round().astype(dtype)]
            yield Case(op, operands, {}, fed=fed, results=["bool" if compares else dtype])
    for op, fed in product(("LOGICAL_AND", "LOGICAL_OR"), ([0], [1])):
        yield Case(op, [numbers((3, 5), "bool"), numbers((5,), "bool", 1)], {}, fed=fed, results=["bool"])
    for fed in product((False, True), repeat=3):
        if any(fed):
            yield Case("SELECT_V2", [numbers((3, 1), "bool"), numbers((3, 5), seed=1), numbers((5,), seed=2)], {},
                       fed=[k for k, given in enumerate(fed) if given])


@family
def computed_weights() -> Cases:
    x, c = numbers((2, 6, 5, 4)), 4
    for o, fed, activation in product((3, 8), ([1], [0, 1], [0, 1, 2], [0, 2]), ACTIVATIONS[:2]):
        options = {**WINDOW, "fused_activation_function": activation}
        yield Case("CONV_2D", [x, numbers((o, 3, 3, c), seed=1), numbers((o,), seed=2)], options, fed=fed)
        yield Case("FULLY_CONNECTED", [numbers((3, 12)), numbers((o, 12), seed=1), numbers((o,), seed=2)],
                   {"fused_activation_function": activation}, fed=fed)
        yield Case("TRANSPOSE_CONV", [ints(2, 12, 10, o), numbers((o, 3, 3, c), seed=1), x, numbers((o,), seed=2)],
                   {"padding": "SAME", "stride_h": 2, "stride_w": 2, "fused_activation_function": activation},
                   fed=[k + 1 if k else 2 for k in fed], version=4)
        yield Case("DEPTHWISE_CONV_2D", [x, numbers((1, 3, 3, c), seed=1), numbers((c,), seed=2)], {**options, "depth_multiplier": 1},
                   fed=fed)
    for fed in ([0], [1], [0, 1]):
        yield Case("BATCH_MATMUL", [numbers((2, 3, 4)), numbers((2, 4, 5), seed=1)], fed=fed)
        yield Case("PRELU", [numbers((2, 3, 4)), numbers((1, 1, 4), seed=1)], fed=fed)
        yield Case("GATHER", [numbers((5, 3)), ints(4, 0, 2)], {"axis": 0}, fed=fed)
        yield Case("GATHER_ND", [numbers((5, 3)), np.array([[4, 1], [0, 2]], np.int32)], fed=fed)
        yield Case("SCATTER_ND", [np.array([[4], [1]], np.int32), numbers((2, 3)), ints(6, 3)], fed=fed)
        yield Case("CONCATENATION", [numbers((2, 3)), numbers((2, 4))], {"axis": 1}, fed=fed)
        yield Case("PACK", [numbers((2, 3)), numbers((2, 3), seed=1)], {"axis": 1, "values_count": 2}, fed=fed)
        yield Case("MATRIX_SET_DIAG", [numbers((2, 3, 3)), numbers((2, 3), seed=1)], fed=fed)
        yield Case("REVERSE_SEQUENCE", [numbers((3, 4, 2)), ints(1, 4, 2)], {"seq_dim": 1, "batch_dim": 0}, fed=fed)
        yield Case("EMBEDDING_LOOKUP", [ints(3, 0), numbers((4, 5))], fed=fed)
        yield Case("ADD_N", [numbers((2, 3)), numbers((2, 3), seed=1)], fed=fed)
        for op in ("SEGMENT_SUM", "UNSORTED_SEGMENT_SUM"):
            count = [scalar(3)] if op[0] == "U" else []
            yield Case(op, [numbers((4, 3)), ints(0, 0, 1, 2), *count], fed=fed)
    for padding, stride, bias in product(("SAME", "VALID"), (1, 2), (False, True)):
        size = [e * stride if padding == "SAME" else (e - 1) * stride + 3 for e in (3, 4, 2)]
        yield Case("CONV_3D_TRANSPOSE", [ints(1, *size, 5), numbers((3, 3, 3, 5, 4), seed=1), numbers((1, 3, 4, 2, 4)),
                                         *([numbers((5,), seed=2)] if bias else [])],
                   {"padding": padding, "stride_d": stride, "stride_h": stride, "stride_w": stride,
                    "dilation_d_factor": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}, fed=[2])


@family
def computed_places() -> Cases:
    """Where to begin, which value, which index: computed, where the shape of the result does not depend on them."""
    x = numbers((4, 5, 6))
    for place, (step, one, whole, fed) in product(((0, 2, 5), (-1, 0, 3)), (((1, 1, 1), 5, 2, 3), ((-1, 1, 2), 2, 5, 2))):
        yield Case("STRIDED_SLICE", [x, ints(*place), ints(*place), ints(*step)],
                   {"shrink_axis_mask": one, "begin_mask": whole, "end_mask": whole}, fed=fed)
    for dtype, begin in product(INDICES, ((0, 1, 2), (2, 0, 3))):
        yield Case("SLICE", [x, np.array(begin, dtype), np.array((2, 3, 3), dtype)], fed=2)
        yield Case("SLICE", [x, np.array(begin, dtype), np.array((2, 3, 3), dtype)], fed=[1])
    for dtype in ("float32", "int32"):
        yield Case("PADV2", [numbers((2, 3), dtype), np.array([[1, 0], [2, 1]], np.int32), np.array(3, dtype)], fed=[0, 2], results=[dtype])
        yield Case("FILL", [ints(2, 3), np.array(3, dtype)], fed=[1], results=[dtype])
        yield Case("ONE_HOT", [numbers((2, 3), "int32", 0, 0, 4), scalar(4), np.array(2, dtype), np.array(-1, dtype)], {"axis": -1},
                   fed=[0, 2, 3], results=[dtype])
    for start in ((0, 1), (3, 3), (-1, 9)):
        yield Case("DYNAMIC_UPDATE_SLICE", [numbers((4, 5)), numbers((2, 3), seed=1), ints(*start)], fed=3)
        yield Case("DYNAMIC_UPDATE_SLICE", [numbers((4, 5)), numbers((2, 3), seed=1), ints(*start)], fed=2)


@family
def index_types() -> Cases:
    x = numbers((3, 4, 5))
    for dtype in INDICES:
        def whole(*values: int, dtype: str = dtype) -> np.ndarray:
            return np.array(values, dtype)

        yield Case("PAD", [x, whole(1, 0, 2, 1, 0, 3).reshape(3, 2)])
        yield Case("MIRROR_PAD", [x, whole(1, 0, 2, 1, 0, 3).reshape(3, 2)], {"mode": "REFLECT"})
        yield Case("TILE", [x, whole(2, 1, 3)])
        yield Case("BROADCAST_TO", [x, whole(2, 3, 4, 5)], version=2)
        yield Case("FILL", [whole(2, 3), scalar(2, "float32")], fed=[1])
        yield Case("EXPAND_DIMS", [x, np.array(-2, dtype)])
        yield Case("SPLIT_V", [x, whole(1, 3), scalar(1)], {"num_splits": 2}, results=["float32"] * 2)
        yield Case("ARG_MAX", [x, np.array(1, dtype)], {"output_type": "INT64"}, results=["int64"])
        yield Case("GATHER", [x, whole(2, 0)], {"axis": 1}, fed=2)
        yield Case("GATHER_ND", [x, whole(2, 0).reshape(1, 2)], fed=2)
        yield Case("REVERSE_SEQUENCE", [x, whole(1, 3, 2)], {"seq_dim": 1, "batch_dim": 0}, fed=2)
        yield Case("ONE_HOT", [whole(0, 2, 1, -1, 5), scalar(4), scalar(1, "float32"), scalar(0, "float32")], {"axis": -1})
        yield Case("SHAPE", [x], {"out_type": dtype.upper()}, results=[dtype])
        yield Case("BROADCAST_ARGS", [whole(3, 1, 5), whole(4, 1)], fed=0, results=[dtype])
        yield Case("RANGE", [np.array(v, dtype) for v in (2, 11, 3)], fed=0, results=[dtype])
        yield Case("RANGE", [np.array(v, dtype) for v in (5, -4, -2)], fed=0, results=[dtype])
        yield Case("SPARSE_TO_DENSE", [whole(0, 1, 2, 3).reshape(2, 2), whole(3, 5), numbers((2,)), scalar(9, "float32")],
                   {"validate_indices": False}, fed=[0, 2])
        yield Case("CUMSUM", [numbers((3, 4), dtype), scalar(1)], {"exclusive": True}, results=[dtype])
    yield Case("GATHER", [x, np.array([2, 0], np.int16)], {"axis": 1}, fed=2)
    yield Case("GATHER_ND", [x, np.array([[2, 0]], np.int16)], fed=2)
    for start, limit, delta in ((0.0, 1.0, 0.25), (3.0, -1.0, -0.7)):
        yield Case("RANGE", [scalar(v, "float32") for v in (start, limit, delta)], fed=0)
    for k in ("int16", "int32"):
        yield Case("TOPK_V2", [numbers((3, 9)), np.array(2, k)], results=["float32", k])


@family
def options() -> Cases:
    for kernel, stride, dilation in (((3, 2), (1, 2), (2, 1)), ((2, 3), (3, 1), (1, 3))):
        options = {"stride_h": stride[0], "stride_w": stride[1], "dilation_h_factor": dilation[0], "dilation_w_factor": dilation[1]}
        for padding, batch in product(("SAME", "VALID"), (1, 3)):
            x = numbers((batch, 9, 8, 4))
            yield Case("CONV_2D", [x, numbers((5, *kernel, 4), seed=1), numbers((5,), seed=2)], {**options, "padding": padding})
            yield Case("DEPTHWISE_CONV_2D", [x, numbers((1, *kernel, 8), seed=1), numbers((8,), seed=2)],
                       {**options, "padding": padding, "depth_multiplier": 2})
    for d, h, w in ((1, 2, 3), (2, 1, 1)):
        for padding, dilated in product(("SAME", "VALID"), (1, 2)):
            yield Case("CONV_3D", [numbers((2, 7, 8, 9, 2)), numbers((2, 3, 2, 2, 4), seed=1), None],
                       {"padding": padding, "stride_d": d, "stride_h": h, "stride_w": w, "dilation_d_factor": dilated,
                        "dilation_h_factor": 1, "dilation_w_factor": dilated})
    for begin, extent in (((0, 1, 2), (2, 3, 4)), ((-3, 0, -2), (3, 4, 1)), ((1, 4, 0), (2, 1, 6))):
        yield Case("STRIDED_SLICE", [numbers((4, 5, 6)), ints(*begin), ints(*extent), ints(1, 2, 1)], {"offset": True})
    for new, ellipsis, shrink in ((1, 0, 0), (2, 1, 0), (4, 1, 8), (1, 2, 4), (0, 1, 4), (5, 0, 2), (8, 4, 1)):
        count = 4 if new else 3
        yield Case("STRIDED_SLICE", [numbers((4, 5, 6)), ints(*[1] * count), ints(*[3] * count), ints(*[1] * count)],
                   {"new_axis_mask": new, "ellipsis_mask": ellipsis, "shrink_axis_mask": shrink})
    for align, half, size in product((False, True), (False, True), ((3, 4), (9, 14))):
        yield Case("RESIZE_NEAREST_NEIGHBOR", [numbers((1, 5, 7, 3)), ints(*size)], {"align_corners": align, "half_pixel_centers": half})
    for activation, op in product(ACTIVATIONS, ("CONV_3D", "TRANSPOSE_CONV")):
        fused = {"fused_activation_function": activation}
        if op == "CONV_3D":
            yield Case(op, [numbers((1, 3, 4, 5, 2)), numbers((2, 2, 2, 2, 3), seed=1), numbers((3,), seed=2)],
                       {"padding": "SAME", "stride_d": 1, "stride_h": 1, "stride_w": 1, "dilation_d_factor": 1, "dilation_h_factor": 1,
                        "dilation_w_factor": 1, **fused})
        else:
            yield Case(op, [ints(1, 8, 6, 5), numbers((5, 3, 3, 4), seed=1), numbers((1, 4, 3, 4))],
                       {"padding": "SAME", "stride_h": 2, "stride_w": 2, **fused}, fed=[2], version=4)
    for combiner, dims in product(("SUM", "MEAN", "SQRTN"), ((2, 4), (3, 2, 4))):
        rows = np.array([[0, 0], [0, 2], [1, 1], [1, 3]] if len(dims) == 2 else [[0, 0, 1], [0, 1, 0], [2, 0, 0], [2, 0, 1]], np.int32)
        yield Case("EMBEDDING_LOOKUP_SPARSE", [ints(1, 3, 0, 1), rows, ints(*dims), numbers((4,), low=0.5), numbers((5, 2, 3))],
                   {"combiner": combiner}, fed=[0, 3, 4])
    for dtype in ("float32", "int32", "int64"):
        yield Case("BUCKETIZE", [numbers((3, 4), dtype)], {"boundaries": [-2.0, 0.0, 0.5, 3.0]}, results=["int32"])
    for bits, low, high in product((2, 4, 8, 16), (-1.0, 0.0, -6.0), (0.0, 2.0)):
        if low < high:
            yield Case("FAKE_QUANT", [numbers((3, 5))], {"min": low, "max": high, "num_bits": bits})
    for dtype, other in (("float32", "int8"), ("int32", "uint8"), ("int16", "float16"), ("uint8", "int64"), ("int64", "float64")):
        a, b = (np.dtype(d).itemsize for d in (dtype, other))
        yield Case("BITCAST", [numbers((2, 8), dtype, low=0)] if a > b else [numbers((2, b // a), dtype, low=0)], results=[other])
    for low, high in ((-1, 1), (-4, 3)):
        yield Case("ADD", [stored((2, 5), "int16", low, high), stored((5,), "int16", low, high, 1)], {"pot_scale_int16": False}, fed=2,
                   results=[("int16", grid("int16", 2 * low, 2 * high))])
