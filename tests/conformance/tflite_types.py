"""Cases of element types and ranks: every type that LiteRT has a kernel for, on tensors of rank 1 to 6 as far as it takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from tests.conformance.tflite_case import Case, Cases, family, ints, numbers, scalar

RANKS = ((17,), (3, 5), (2, 3, 5), (2, 3, 4, 5), (2, 1, 3, 4, 5), (1, 2, 3, 2, 3, 2))
Make = Callable[[str, tuple[int, ...]], Case]
MAKERS: dict[str, Make] = {}


def _each(ops: str, make: Callable[[str, str, tuple[int, ...]], Case]) -> None:
    for op in ops.split():
        MAKERS[op] = lambda dtype, shape, op=op: make(op, dtype, shape)


def _places(count: int, below: int, dtype: str = "int32") -> np.ndarray:
    return numbers((count,), dtype, 5, 0, below - 1)


_each("ABS CEIL COS ELU EXP FLOOR GELU HARD_SWISH L2_NORMALIZATION LEAKY_RELU LOGICAL_NOT LOGISTIC LOG_SOFTMAX NEG RELU RELU6 RELU_0_TO_1 "
      "RELU_N1_TO_1 ROUND SIGN SIN SOFTMAX SQUARE TANH ZEROS_LIKE",
      lambda op, d, s: Case(op, [numbers(s, d)], {"SOFTMAX": {"beta": 1.0}, "LEAKY_RELU": {"alpha": 0.3}}.get(op, {}), results=[d]))
_each("LOG RSQRT SQRT", lambda op, d, s: Case(op, [numbers(s, d, low=1)], results=[d]))
_each("ADD SUB MUL MAXIMUM MINIMUM SQUARED_DIFFERENCE LOGICAL_AND LOGICAL_OR BITWISE_XOR",
      lambda op, d, s: Case(op, [numbers(s, d), numbers(s[-1:], d, 1)], fed=2, results=[d]))
_each("ATAN2 STABLEHLO_ADD STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_MINIMUM STABLEHLO_AND STABLEHLO_SHIFT_LEFT",
      lambda op, d, s: Case(op, [numbers(s, d, low=0), numbers(s, d, 1, low=0)], fed=2, results=[d]))
_each("DIV FLOOR_DIV FLOOR_MOD", lambda op, d, s: Case(op, [numbers(s, d), numbers(s[-1:], d, 1, low=1)], fed=2, results=[d]))
_each("POW RIGHT_SHIFT",
      lambda op, d, s: Case(op, [numbers(s, d, low=1), numbers(s[-1:], d, 1, low=0, high=3)], fed=2, results=[d]))
_each("EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL NOT_EQUAL",
      lambda op, d, s: Case(op, [numbers(s, d).round().astype(d), numbers(s[-1:], d, 1).round().astype(d)], fed=2, results=["bool"]))
_each("ADD_N", lambda op, d, s: Case(op, [numbers(s, d, k) for k in range(3)], fed=3, results=[d]))
_each("PRELU", lambda op, d, s: Case(op, [numbers(s, d), numbers((1,) * (len(s) - 2) + s[-1:] if len(s) > 1 else s, d, 1)], fed=2,
                                     results=[d]))
_each("SELECT", lambda op, d, s: Case(op, [numbers(s, "bool"), numbers(s, d, 1), numbers(s, d, 2)], fed=3, results=[d]))
_each("SELECT_V2", lambda op, d, s: Case(op, [numbers(s[-1:], "bool"), numbers(s, d, 1), numbers((1,) * len(s), d, 2)], fed=3, results=[d]))
_each("MEAN REDUCE_ALL REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD SUM",
      lambda op, d, s: Case(op, [numbers(s, d, low=-2, high=2), ints(-1)], {"keep_dims": len(s) % 2 == 0}, results=[d]))
_each("ARG_MAX ARG_MIN", lambda op, d, s: Case(op, [numbers(s, d), scalar(-1)], {"output_type": "INT32"}, results=["int32"]))
_each("CUMSUM", lambda op, d, s: Case(op, [numbers(s, d), scalar(-1)], results=[d]))
_each("TOPK_V2", lambda op, d, s: Case(op, [numbers(s, d, high=100), scalar(2)], results=[d, "int32"]))
_each("CONCATENATION", lambda op, d, s: Case(op, [numbers(s, d), numbers(s, d, 1)], {"axis": -1}, fed=2, results=[d]))
_each("PACK", lambda op, d, s: Case(op, [numbers(s, d), numbers(s, d, 1)], {"axis": len(s) // 2, "values_count": 2}, fed=2, results=[d]))
_each("UNPACK", lambda op, d, s: Case(op, [numbers(s, d)], {"axis": 0, "num": s[0]}, results=[d] * s[0]))
_each("SPLIT", lambda op, d, s: Case(op, [scalar(0), numbers(s, d)], {"num_splits": s[0]}, fed=[1], results=[d] * s[0]))
_each("SPLIT_V", lambda op, d, s: Case(op, [numbers(s, d), ints(1, -1), scalar(-1)], {"num_splits": 2}, results=[d] * 2))
_each("RESHAPE", lambda op, d, s: Case(op, [numbers(s, d), ints(-1, s[0])], {"new_shape": [-1, s[0]]}, results=[d]))
_each("SQUEEZE", lambda op, d, s: Case(op, [numbers((1, *s)[:6], d)], {"squeeze_dims": [0]}, results=[d]))
_each("EXPAND_DIMS", lambda op, d, s: Case(op, [numbers(s, d), scalar(1)], results=[d]))
_each("SHAPE", lambda op, d, s: Case(op, [numbers(s, d)], {"out_type": "INT64"}, results=["int64"]))
_each("RANK", lambda op, d, s: Case(op, [numbers(s, d)], results=["int32"]))
_each("TRANSPOSE", lambda op, d, s: Case(op, [numbers(s, d), ints(*range(len(s))[::-1])], results=[d]))
_each("SLICE", lambda op, d, s: Case(op, [numbers(s, d), ints(*(e > 1 for e in s)), ints(*(-1 for _ in s))], results=[d]))
_each("STRIDED_SLICE", lambda op, d, s: Case(op, [numbers(s, d), ints(*(0 for _ in s)), ints(*s), ints(*(2 for _ in s))], results=[d]))
_each("TILE", lambda op, d, s: Case(op, [numbers(s, d), ints(*(1 + k % 2 for k in range(len(s))))], results=[d]))
_each("REVERSE_V2", lambda op, d, s: Case(op, [numbers(s, d), ints(len(s) - 1)], results=[d]))
_each("BROADCAST_TO", lambda op, d, s: Case(op, [numbers((1, *s[1:]), d), ints(*((4,) if len(s) == 1 else s))], results=[d], version=2))
_each("PAD", lambda op, d, s: Case(op, [numbers(s, d), _pads(s)], results=[d]))
_each("PADV2", lambda op, d, s: Case(op, [numbers(s, d), _pads(s), np.array(3, d)], results=[d]))
_each("MIRROR_PAD", lambda op, d, s: Case(op, [numbers(s, d), _pads(s, s)], {"mode": "SYMMETRIC"}, results=[d]))
_each("FILL", lambda op, d, s: Case(op, [ints(*s), np.array(1, d)], fed=[1], results=[d]))
_each("GATHER", lambda op, d, s: Case(op, [numbers(s, d), _places(4, s[0])], {"axis": 0}, fed=2, results=[d]))
_each("GATHER_ND", lambda op, d, s: Case(op, [numbers(s, d), _places(4, s[0])[:, None]], fed=2, results=[d]))
_each("SCATTER_ND", lambda op, d, s: Case(op, [ints(2, 0)[:, None], numbers((2, *s[1:]), d), ints(4, *s[1:])], fed=2, results=[d]))
_each("ONE_HOT", lambda op, d, s: Case(op, [numbers(s, "int32", 0, 0, 3), scalar(4), np.array(1, d), np.array(0, d)], {"axis": -1},
                                       results=[d]))
_each("REVERSE_SEQUENCE", lambda op, d, s: Case(op, [numbers(s, d), numbers(s[:1], "int32", 1, 1, s[1] if len(s) > 1 else 1)],
                                                {"seq_dim": 1, "batch_dim": 0}, fed=2, results=[d]))
_each("MATRIX_DIAG", lambda op, d, s: Case(op, [numbers(s, d)], results=[d]))
_each("MATRIX_SET_DIAG", lambda op, d, s: Case(op, [numbers((*s, s[-1]), d), numbers(s, d, 1)], fed=2, results=[d]))
_each("SEGMENT_SUM", lambda op, d, s: Case(op, [numbers(s, d), ints(*sorted(k // 2 for k in range(s[0])))], results=[d]))
_each("UNSORTED_SEGMENT_SUM UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_MIN",
      lambda op, d, s: Case(op, [numbers(s, d, low=-2, high=2), _places(s[0], 3), scalar(3)], fed=2, results=[d]))
_each("EMBEDDING_LOOKUP", lambda op, d, s: Case(op, [_places(4, s[0]), numbers(s, d)], fed=2, results=[d]))
_each("DYNAMIC_UPDATE_SLICE", lambda op, d, s: Case(op, [numbers(s, d), numbers([(e + 1) // 2 for e in s], d, 1), ints(*(1 for _ in s))],
                                                    fed=3, results=[d]))
_each("BITCAST", lambda op, d, s: Case(op, [numbers(s, d, low=0)], results=[{"float32": "int32", "int32": "float32"}.get(d, d)]))
_each("SPACE_TO_DEPTH", lambda op, d, s: Case(op, [numbers((*s[:-3], 2 * s[-3], 2 * s[-2], s[-1]), d)], {"block_size": 2}, results=[d]))
_each("DEPTH_TO_SPACE", lambda op, d, s: Case(op, [numbers((*s[:-1], 4 * s[-1]), d)], {"block_size": 2}, results=[d]))
_each("SPACE_TO_BATCH_ND", lambda op, d, s: Case(op, [numbers((s[0], *(2 * e for e in s[1:-1]), s[-1]), d), ints(*(2 for _ in s[1:-1])),
                                                      np.zeros((len(s) - 2, 2), np.int32)], results=[d]))
_each("BATCH_TO_SPACE_ND", lambda op, d, s: Case(op, [numbers((s[0] * 2 ** max(len(s) - 2, 0), *s[1:]), d), ints(*(2 for _ in s[1:-1])),
                                                      np.zeros((len(s) - 2, 2), np.int32)], results=[d]))
_each("RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR", lambda op, d, s: Case(op, [numbers(s, d, high=100), ints(6, 8)], results=[d]))
_each("MAX_POOL_2D AVERAGE_POOL_2D L2_POOL_2D",
      lambda op, d, s: Case(op, [numbers(s, d, low=0)], {"padding": "SAME", "stride_h": 1, "stride_w": 2, "filter_height": 2,
                                                         "filter_width": 2}, results=[d]))
_each("BATCH_MATMUL", lambda op, d, s: Case(op, [numbers(s, d), numbers((*s[:-2], s[-1], 3), d, 1)], fed=2, results=[d]))
_each("WHERE", lambda op, d, s: Case(op, [numbers(s, d, low=-1, high=1).round().astype(d)], results=["int64"]))
_each("UNIQUE", lambda op, d, s: Case(op, [numbers(s, d).round().astype(d)], {"idx_out_type": "INT32"}, results=[d, "int32"]))


def _pads(shape: Sequence[int], least: Sequence[int] = ()) -> np.ndarray:
    """Paddings; for a mirror no larger than what it shows."""
    return np.array([(min(k % 2, e), min((k + 1) % 3, e)) for k, e in enumerate(least or [9] * len(shape), 1)], np.int32)


_REAL, _WHOLE, _NARROW, _ALL = ("float32 float16 float64", "int64 int32", "int16 int8 uint8",
                                "float32 float16 float64 int64 int32 int16 int8 uint8 uint16 uint32 bool")
TYPES = {
    "float32": "CEIL ELU EXP HARD_SWISH L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LOG LOG_SOFTMAX PRELU RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 "
               "RSQRT SQRT SQUARE BATCH_MATMUL AVERAGE_POOL_2D",
    "float32 float16": "COS FLOOR GELU LOGISTIC ROUND SIN SOFTMAX TANH",
    "float32 int32": "ADD_N POW SEGMENT_SUM SQUARED_DIFFERENCE UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_MIN UNSORTED_SEGMENT_PROD "
                     "UNSORTED_SEGMENT_SUM DIV",
    "float32 int32 int16": "ABS",
    "float32 int16 int8 uint8": "MAX_POOL_2D RESIZE_BILINEAR",
    "float32 int64 int32": "CUMSUM SUB ZEROS_LIKE MEAN REDUCE_PROD SUM",
    "float32 float16 int64 int32": "ADD NEG",
    "float32 float16 int64 int32 uint32": "MUL",
    "float32 float16 int64 int32 int16": "GREATER GREATER_EQUAL LESS LESS_EQUAL",
    "float32 float16 int64 int32 int16 bool": "EQUAL",
    "float32 float16 int64 int32 bool": "NOT_EQUAL",  # of int16 LiteRT compares the real numbers of a grid that is not there
    "float32 float64 int32": "SIGN",
    _REAL: "ATAN2",
    "float32 int32 int16 int8": "FLOOR_DIV",
    f"float32 {_WHOLE} int16 int8": "FLOOR_MOD",
    f"float32 {_WHOLE} {_NARROW}": "REDUCE_MAX REDUCE_MIN SPLIT SPLIT_V TOPK_V2 UNIQUE",
    f"float32 float16 {_WHOLE} {_NARROW}": "MAXIMUM MINIMUM",
    f"float32 {_WHOLE} {_NARROW} bool": "SLICE",
    f"float32 float16 {_WHOLE} {_NARROW} bool": "GATHER GATHER_ND PAD PADV2 REVERSE_V2",
    f"float32 float16 {_WHOLE} {_NARROW} uint32 bool": "CONCATENATION",
    f"float32 float16 int32 {_NARROW} bool": "UNPACK",
    f"float32 float16 int32 {_NARROW} uint16 uint32 bool": "RESIZE_NEAREST_NEIGHBOR",
    f"float32 {_WHOLE} int16 uint8": "REVERSE_SEQUENCE",
    f"float32 {_WHOLE} {_NARROW} uint32": "MATRIX_DIAG MATRIX_SET_DIAG PACK",
    f"float32 {_WHOLE} int8 uint8": "DEPTH_TO_SPACE SPACE_TO_DEPTH",
    f"float32 {_WHOLE} int8 uint8 bool": "ONE_HOT SCATTER_ND",
    f"float32 {_WHOLE} int8 uint8 uint32 bool": "WHERE",
    "float32 int32 int8 uint8 bool": "ARG_MAX ARG_MIN",
    f"int32 {_NARROW} uint16 uint32": "BITWISE_XOR RIGHT_SHIFT",
    "int32 int16 int8": "STABLEHLO_SHIFT_LEFT",
    f"{_WHOLE} {_NARROW} uint16 uint32 bool": "STABLEHLO_AND",
    "bool": "LOGICAL_AND LOGICAL_NOT LOGICAL_OR REDUCE_ALL REDUCE_ANY",
    _ALL: "BATCH_TO_SPACE_ND BITCAST BROADCAST_TO DYNAMIC_UPDATE_SLICE EMBEDDING_LOOKUP EXPAND_DIMS FILL MIRROR_PAD RANK RESHAPE SELECT "
          "SELECT_V2 SHAPE SPACE_TO_BATCH_ND SQUEEZE STABLEHLO_ADD STABLEHLO_MAXIMUM STABLEHLO_MINIMUM STABLEHLO_MULTIPLY STRIDED_SLICE "
          "TILE TRANSPOSE",
}  # fmt: skip
"""The element types that LiteRT takes, quantised ones left out, and the operators of which it takes them."""
LEAST_TO_MOST = {
    **dict.fromkeys(("PAD", "PADV2", "SLICE", "UNPACK"), (1, 5)), "REVERSE_SEQUENCE": (2, 6), "EMBEDDING_LOOKUP": (2, 6),
    **dict.fromkeys(("DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "MAX_POOL_2D", "AVERAGE_POOL_2D",
                     "L2_POOL_2D"), (4, 4)),
    **dict.fromkeys(("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"), (3, 4)), "BATCH_MATMUL": (2, 5), "UNIQUE": (1, 1),
    **dict.fromkeys(("PACK", "EXPAND_DIMS", "MATRIX_DIAG", "MATRIX_SET_DIAG", "ONE_HOT"), (1, 5)),
}  # fmt: skip
"""The ranks that LiteRT takes, or that have a result of at most 6; 1 to 6 of all others."""


@family
def types() -> Cases:
    """Float32 in every rank, of the other types every third."""
    for dtypes, ops in TYPES.items():
        for op, (k, dtype) in product(ops.split(), enumerate(dtypes.split())):
            least, most = LEAST_TO_MOST.get(op, (1, 6))
            shapes = [s for s in RANKS if least <= len(s) <= most]
            for shape in shapes if dtype == dtypes.split()[0] else shapes[k % min(3, len(shapes)) :: 3]:
                yield MAKERS[op](dtype, shape)
