"""Cases of TFLite operators: products of shapes, types and options, operator by operator, in the manner of TensorFlow's zip tests."""

from __future__ import annotations

from itertools import combinations, permutations, product

import numpy as np

from tests.conformance.tflite_case import ACTIVATIONS, BROADCASTS, CHANNELS, SHAPES, Case, Cases, family, ints, numbers


@family
def unary() -> Cases:
    plain = ("ABS", "CEIL", "COS", "ELU", "EXP", "FLOOR", "HARD_SWISH", "LOGISTIC", "NEG", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1",
             "ROUND", "SIN", "SQUARE", "TANH", "SIGN")
    for op, shape in product(plain, SHAPES):
        yield Case(op, [numbers(shape)])
    for op, shape in product(("LOG", "RSQRT", "SQRT"), SHAPES):
        yield Case(op, [numbers(shape, low=0.1)])
    for shape, alpha in product(SHAPES, (0.1, 2.0)):
        yield Case("LEAKY_RELU", [numbers(shape)], {"alpha": alpha})
    for shape, approximate in product(SHAPES, (False, True)):
        yield Case("GELU", [numbers(shape)], {"approximate": approximate})
    for shape in SHAPES:
        yield Case("LOGICAL_NOT", [numbers(shape, "bool")], results=("bool",))
        yield Case("ZEROS_LIKE", [numbers(shape)])
        yield Case("SOFTMAX", [numbers(shape)], {"beta": 1.0})
        yield Case("LOG_SOFTMAX", [numbers(shape)])
    for shape in SHAPES[3:8]:
        yield Case("SOFTMAX", [numbers(shape)], {"beta": 0.5})


@family
def binary() -> Cases:
    for op, (a, b), activation in product(("ADD", "SUB", "MUL", "DIV"), BROADCASTS, ACTIVATIONS):
        operands = [numbers(a), numbers(b, seed=1, low=0.5)]
        yield Case(op, operands, {"fused_activation_function": activation}, fed=2)
    for op, (a, b) in product(("ADD", "SUB", "MUL"), BROADCASTS):
        yield Case(op, [numbers(b), numbers(a, seed=1)], {}, fed=2)
        yield Case(op, [numbers(a, "int32"), numbers(b, "int32", 1)], {}, fed=2, results=("int32",))
    for op, (a, b) in product(("MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"), BROADCASTS):
        yield Case(op, [numbers(a), numbers(b, seed=1)], {}, fed=2)
        yield Case(op, [numbers(a), numbers(b, seed=1)], {}, fed=1)
        yield Case(op, [numbers(a, "int32"), numbers(b, "int32", 1)], {}, fed=2, results=("int32",))
    for op, (a, b), dtype in product(("FLOOR_DIV", "FLOOR_MOD"), BROADCASTS, ("float32", "int32")):
        divisor = numbers(b, dtype, 1)
        divisor[np.abs(divisor) < 0.5] = 1
        yield Case(op, [numbers(a, dtype), divisor], {}, fed=2, results=(dtype,))
    for a, b in BROADCASTS:
        yield Case("POW", [numbers(a, low=0.1), numbers(b, seed=1)], {}, fed=2)
        yield Case("ATAN2", [numbers(a), numbers(a, seed=1)], {}, fed=2)
        yield Case("LOGICAL_AND", [numbers(a, "bool"), numbers(b, "bool", 1)], {}, fed=2, results=("bool",))
        yield Case("LOGICAL_OR", [numbers(a, "bool"), numbers(b, "bool", 1)], {}, fed=2, results=("bool",))
    for op, (a, b), dtype in product(("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"), BROADCASTS,
                                     ("float32", "int32", "int64")):
        yield Case(op, [numbers(a, dtype).round(), numbers(b, dtype, 1).round()], {}, fed=2, results=("bool",))
    for (a, b), dtype in product(BROADCASTS[3:], ("float32", "int32")):
        if len(a) <= 4:
            yield Case("SELECT_V2", [numbers(a, "bool"), numbers(b, dtype, 1), numbers(a, dtype, 2)], {}, fed=3, results=(dtype,))
    for shape in SHAPES[:8]:
        yield Case("SELECT", [numbers(shape, "bool"), numbers(shape, seed=1), numbers(shape, seed=2)], {}, fed=3)
        yield Case("ADD_N", [numbers(shape, seed=k) for k in range(4)], {}, fed=4)
    for shape in SHAPES[3:8]:
        yield Case("PRELU", [numbers(shape), numbers((1,) * (len(shape) - 1) + shape[-1:], seed=1)])
        yield Case("PRELU", [numbers(shape), numbers(shape[1:], seed=1)])


@family
def casts() -> Cases:
    kinds = ("float32", "int32", "int64", "uint8", "int8", "bool", "int16")
    for a, b in product(kinds, kinds):
        if a != b:
            yield Case("CAST", [numbers((3, 5), a, low=0)], {"in_data_type": a.upper(), "out_data_type": b.upper()}, results=(b,))


@family
def reductions() -> Cases:
    shape = (2, 3, 4, 5)
    axes = [a for n in range(1, 5) for a in combinations(range(4), n)]
    for op, a, keep in product(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"), axes, (False, True)):
        yield Case(op, [numbers(shape, low=0.5, high=1.5), ints(*a)], {"keep_dims": keep})
    for op, a, keep in product(("REDUCE_ANY", "REDUCE_ALL"), axes[::2], (False, True)):
        yield Case(op, [numbers(shape, "bool"), ints(*a)], {"keep_dims": keep}, results=("bool",))
    for op, a in product(("SUM", "REDUCE_MAX", "REDUCE_MIN"), axes[::2]):
        yield Case(op, [numbers(shape, "int32"), ints(*a)], {"keep_dims": False}, results=("int32",))
    for op, a, shape in product(("MEAN", "SUM", "REDUCE_MAX"), (-1, 0), ((17,), (3, 17), (2, 3, 17), (1, 9, 7, 17), (2, 2, 3, 2, 3))):
        yield Case(op, [numbers(shape), ints(a)], {"keep_dims": True})
    for op, axis, out, dtype in product(("ARG_MAX", "ARG_MIN"), (0, 1, 2, -1), ("int32", "int64"), ("float32", "int32")):
        yield Case(op, [numbers((3, 4, 2, 5), dtype), ints(axis)], {"output_type": out.upper()}, results=(out,))
    for axis, exclusive, reverse in product(range(4), (False, True), (False, True)):
        yield Case("CUMSUM", [numbers((2, 3, 4, 5)), ints(axis)], {"exclusive": exclusive, "reverse": reverse})
    for shape, k in product(((7,), (3, 9), (2, 3, 17)), (1, 3, 7)):
        yield Case("TOPK_V2", [numbers(shape), np.array(k, np.int32)], results=("float32", "int32"))


@family
def convolutions() -> Cases:
    windows = (((1, 1), 1, 1), ((1, 1), 2, 1), ((3, 3), 1, 1), ((3, 3), 2, 1), ((3, 3), 1, 2), ((5, 3), 1, 1), ((2, 4), 2, 1),
               ((5, 5), 3, 1))
    for (kernel, stride, dilation), padding, c, o in product(windows, ("SAME", "VALID"), CHANNELS, (4, 17)):
        options = {"padding": padding, "stride_h": stride, "stride_w": stride, "dilation_h_factor": dilation, "dilation_w_factor": dilation}
        yield Case("CONV_2D", [numbers((1 + 2 * (c == 5), 11, 9, c)), numbers((o, *kernel, c), low=-0.5, high=0.5), numbers((o,), seed=2)],
                   {**options, "fused_activation_function": ACTIVATIONS[(c + o) % 4]})
        if o == 4:
            outputs = c * (1 + (c == 3))
            yield Case("DEPTHWISE_CONV_2D",
                       [numbers((1 + 2 * (c == 5), 11, 9, c)), numbers((1, *kernel, outputs), seed=1), numbers((outputs,), seed=2)],
                       {**options, "depth_multiplier": outputs // c, "fused_activation_function": ACTIVATIONS[c % 4]})
    for groups, padding in product((2, 3), ("SAME", "VALID")):
        yield Case("CONV_2D", [numbers((1, 8, 7, 6)), numbers((12, 3, 3, 6 // groups), seed=1), numbers((12,), seed=2)],
                   {"padding": padding, "stride_h": 1, "stride_w": 1})
    for kernel, stride, padding, c, o in product(((2, 2), (3, 3), (4, 3)), (1, 2), ("SAME", "VALID"), (1, 5, 17), (3, 16)):
        same = padding == "SAME"
        size = [e * stride if same else (e - 1) * stride + k for e, k in zip((6, 5), kernel)]
        if not same and any(k < stride for k in kernel):
            continue
        yield Case("TRANSPOSE_CONV", [ints(1, *size, o), numbers((o, *kernel, c), seed=1), numbers((1, 6, 5, c))],
                   {"padding": padding, "stride_h": stride, "stride_w": stride}, fed=[2])
    for rows, i, o, activation, bias in product((1, 3, 17), (1, 5, 32), (1, 17), ("NONE", "RELU"), (False, True)):
        yield Case("FULLY_CONNECTED", [numbers((rows, i)), numbers((o, i), seed=1), numbers((o,), seed=2) if bias else None],
                   {"fused_activation_function": activation})
    for keep, shape in product((False, True), ((2, 3, 4), (1, 2, 2, 8))):
        yield Case("FULLY_CONNECTED", [numbers(shape), numbers((5, shape[-1]), seed=1), None], {"keep_num_dims": keep})
    for (x, y), (m, k, n) in product(product((False, True), repeat=2), ((1, 5, 3), (4, 17, 8), (3, 2, 33))):
        for outer in ((((2,), (2,))), ((2, 3), (2, 3)), ((2, 3), (1, 3))):
            a, b = (k, m) if x else (m, k), (n, k) if y else (k, n)
            yield Case("BATCH_MATMUL", [numbers((*outer[0], *a)), numbers((*outer[1], *b), seed=1)], {"adj_x": x, "adj_y": y}, fed=2)
    for padding, stride in product(("SAME", "VALID"), (1, 2)):
        yield Case("CONV_3D", [numbers((1, 4, 5, 6, 3)), numbers((2, 3, 3, 3, 5), seed=1), numbers((5,), seed=2)],
                   {"padding": padding, "stride_d": stride, "stride_h": stride, "stride_w": stride,
                    "dilation_d_factor": 1, "dilation_h_factor": 1, "dilation_w_factor": 1})


@family
def windows() -> Cases:
    pools = ("MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D")
    for op, kernel, stride, padding, c in product(pools, ((1, 1), (2, 2), (3, 3), (3, 2)), (1, 2), ("SAME", "VALID"), CHANNELS):
        yield Case(op, [numbers((1 + 2 * (c == 5), 7, 9, c), low=0.1)],
                   {"padding": padding, "stride_h": stride, "stride_w": stride, "filter_height": kernel[0], "filter_width": kernel[1],
                    "fused_activation_function": "RELU6" if c == 3 else "NONE"})
    modes = ({}, {"align_corners": True}, {"half_pixel_centers": True})
    sizes = ((1, 1), (3, 3), (5, 7), (10, 14), (8, 11))
    for op, size, mode, c in product(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), sizes, modes, (1, 3, 17)):
        yield Case(op, [numbers((2, 5, 7, c)), ints(*size)], mode)
    for c, radius, bias in product(CHANNELS, (1, 2), (0.5, 2.0)):
        yield Case("LOCAL_RESPONSE_NORMALIZATION", [numbers((1, 3, 4, c))], {"radius": radius, "bias": bias, "alpha": 0.5, "beta": 0.75})
    for shape in SHAPES[3:8]:
        yield Case("L2_NORMALIZATION", [numbers(shape)])
    for block, c in product((2, 3), CHANNELS):
        yield Case("SPACE_TO_DEPTH", [numbers((2, 2 * block, block, c))], {"block_size": block})
        yield Case("DEPTH_TO_SPACE", [numbers((2, 2, 3, c * block**2))], {"block_size": block})
    for pads, c in product(((0, 0, 0, 0), (1, 1, 0, 2)), CHANNELS):
        grid = np.array(pads, np.int32).reshape(2, 2)
        yield Case("SPACE_TO_BATCH_ND", [numbers((1, 4, 6, c)), ints(2, 2), grid])
        yield Case("BATCH_TO_SPACE_ND", [numbers((8, 3, 4, c)), ints(2, 2), grid])


@family
def movements() -> Cases:
    for perm in [*permutations(range(3)), *permutations(range(4))]:
        shape = (2, 3, 5, 4)[: len(perm)]
        yield Case("TRANSPOSE", [numbers(shape), ints(*perm)])
        yield Case("TRANSPOSE", [numbers(shape, "int32"), ints(*perm)], results=("int32",))
    for perm in ((4, 3, 2, 1, 0), (0, 2, 1, 4, 3), (1, 0, 3, 2, 4), (5, 0, 3, 1, 4, 2), (0, 1, 2, 3, 5, 4)):
        yield Case("TRANSPOSE", [numbers((2, 3, 2, 1, 4, 3)[: len(perm)]), ints(*perm)])
    for shape, parts, dtype in product(SHAPES, (1, 2, 5), ("float32", "int32")):
        for axis in range(len(shape)) if len(shape) <= 4 else (0, -1):
            extents = [(*shape[:axis], k + 1, *shape[axis:][1:]) for k in range(parts)]
            operands = [numbers(e, dtype, k) for k, e in enumerate(extents)]
            if dtype == "float32" or axis == 0:
                yield Case("CONCATENATION", operands, {"axis": axis}, fed=parts, results=(dtype,))
    for shape, parts in product(((4,), (3, 5), (2, 3, 5)), (1, 3)):
        for axis in range(-1, len(shape) + 1):
            yield Case("PACK", [numbers(shape, seed=k) for k in range(parts)], {"axis": axis, "values_count": parts}, fed=parts)
    for axis in range(4):
        shape = (2, 4, 6, 8)
        yield Case("UNPACK", [numbers(shape)], {"axis": axis, "num": shape[axis]}, results=("float32",) * shape[axis])
        yield Case("SPLIT", [ints(axis).reshape(()), numbers(shape)], {"num_splits": 2}, fed=[1], results=("float32",) * 2)
        yield Case("SPLIT_V", [numbers(shape), ints(1, shape[axis] - 1), np.array(axis, np.int32)], {"num_splits": 2},
                   results=("float32",) * 2)
    for shape, dtype in product(SHAPES[:9], ("float32", "int32", "int8")):
        if len(shape) <= 5:
            pads = np.array([(k % 2, k % 3) for k in range(1, len(shape) + 1)], np.int32)
            if dtype != "int8":
                yield Case("PAD", [numbers(shape, dtype), pads], results=(dtype,))
                yield Case("PADV2", [numbers(shape, dtype), pads, np.array(3, dtype)], results=(dtype,))
            if min(shape) > 2:
                for mode in ("REFLECT", "SYMMETRIC"):
                    yield Case("MIRROR_PAD", [numbers(shape, dtype), pads], {"mode": mode}, results=(dtype,))
    for shape in SHAPES[:9]:
        begin = [min(1, e - 1) for e in shape]
        yield Case("SLICE", [numbers(shape), ints(*begin), ints(*(-1 for _ in shape))])
        yield Case("SLICE", [numbers(shape), ints(*(0 for _ in shape)), ints(*((e + 1) // 2 for e in shape))])
        yield Case("TILE", [numbers(shape), ints(*(1 + k % 3 for k in range(len(shape))))])
        yield Case("REVERSE_V2", [numbers(shape), ints(len(shape) - 1)])
        yield Case("REVERSE_V2", [numbers(shape), ints(0)])
        yield Case("SHAPE", [numbers(shape)], {"out_type": "INT32"}, results=("int32",))
        yield Case("RANK", [numbers(shape)], results=("int32",))
        yield Case("RESHAPE", [numbers(shape), ints(-1)], {"new_shape": [-1]})
        yield Case("RESHAPE", [numbers(shape), ints(1, *shape[::-1])], {"new_shape": [1, *shape[::-1]]})
        yield Case("BROADCAST_TO", [numbers(shape), ints(*((2,) if len(shape) < 6 else ()), *shape)], version=2)
        for axis in range(-1, len(shape) + 1):
            if len(shape) < 6:
                yield Case("EXPAND_DIMS", [numbers(shape), np.array(axis, np.int32)])
        yield Case("SQUEEZE", [numbers(shape)], {"squeeze_dims": [k for k, e in enumerate(shape) if e == 1]})


@family
def strided_slices() -> Cases:
    shape = (3, 5, 6, 4)
    spans = (((0, 0, 0, 0), (3, 5, 6, 4), (1, 1, 1, 1)), ((1, 1, 1, 1), (3, 4, 6, 3), (1, 2, 3, 1)),
             ((-1, -2, -3, -4), (3, 5, 6, 4), (1, 1, 2, 3)), ((2, 4, 5, 3), (0, 0, 1, 0), (-1, -2, -1, -3)))
    for (begin, end, step), mask in product(spans, range(16)):
        yield Case("STRIDED_SLICE", [numbers(shape), ints(*begin), ints(*end), ints(*step)], {"begin_mask": mask})
        yield Case("STRIDED_SLICE", [numbers(shape), ints(*begin), ints(*end), ints(*step)], {"end_mask": mask})
    for mask in range(1, 16):
        yield Case("STRIDED_SLICE", [numbers(shape), ints(1, 2, 3, 1), ints(3, 4, 6, 4), ints(1, 1, 1, 1)], {"shrink_axis_mask": mask})
    for mask in (1, 2, 4, 8, 3, 5):
        yield Case("STRIDED_SLICE", [numbers((4, 5)), ints(0, 1, 0), ints(3, 4, 4), ints(1, 1, 1)],
                   {"new_axis_mask": mask & 1 or 2, "ellipsis_mask": 0})
        yield Case("STRIDED_SLICE", [numbers(shape), ints(1, 1), ints(3, 3), ints(1, 1)], {"ellipsis_mask": 1 if mask % 2 else 2})


@family
def indexing() -> Cases:
    for axis, index, dtype in product(range(-1, 3), ((4,), (2, 3), (1,)), ("float32", "int32")):
        places = numbers(index, "int32", 3, 0, 2)
        yield Case("GATHER", [numbers((3, 4, 5), dtype), places], {"axis": axis}, fed=2, results=(dtype,))
        yield Case("GATHER", [numbers((3, 4, 5), dtype), places], {"axis": axis}, fed=1, results=(dtype,))
    for batch, axis in ((1, 1), (1, 2), (2, 2)):
        places = numbers((3, 4, 2)[: batch + 1], "int32", 3, 0, 3)
        yield Case("GATHER", [numbers((3, 4, 5)), places], {"axis": axis, "batch_dims": batch}, fed=2)
    for depth, lead in product((1, 2, 3), ((2,), (3, 2))):
        yield Case("GATHER_ND", [numbers((3, 4, 5)), numbers((*lead, depth), "int32", 3, 0, 2)], fed=2)
    for depth in (1, 2):
        places = np.array([[0, 1], [2, 3], [1, 0]], np.int32)[:, :depth]
        yield Case("SCATTER_ND", [places, numbers((3, *(4, 5)[depth - 1 :])), ints(3, 4, 5)[: 3]], {}, fed=2)
    for axis, shape in product((-1, 0, 1), ((5,), (2, 3))):
        yield Case("ONE_HOT", [numbers(shape, "int32", 0, 0, 3), np.array(4, np.int32), np.array(2, np.float32), np.array(-1, np.float32)],
                   {"axis": axis})
    for seq, batch in ((1, 0), (0, 1), (2, 0), (2, 1)):
        shape = (3, 4, 5)
        yield Case("REVERSE_SEQUENCE", [numbers(shape), numbers((shape[batch],), "int32", 1, 1, min(shape[seq], 3))],
                   {"seq_dim": seq, "batch_dim": batch}, fed=2)
    for shape in ((3,), (2, 3), (2, 3, 4)):
        yield Case("MATRIX_DIAG", [numbers(shape)])
        square = (*shape, shape[-1])
        yield Case("MATRIX_SET_DIAG", [numbers(square), numbers(shape, seed=1)], {}, fed=2)
    for shape in ((5,), (5, 3), (5, 2, 3)):
        yield Case("SEGMENT_SUM", [numbers(shape), ints(0, 0, 1, 2, 2)])
        if len(shape) > 1:
            yield Case("EMBEDDING_LOOKUP", [ints(2, 0, 4), numbers(shape)], fed=2)
