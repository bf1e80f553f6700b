"""The operators of StableHLO that TFLite models hold, and what else TFLite has of its own."""

from __future__ import annotations

import numpy as np

from ..errors import Unsupported
from .elementwise import Cast, Elementwise
from .importing import TfliteNode, tflite_op
from .movement import Broadcast, Reshape
from .reduce import Reduce

NAMES = {"STABLEHLO_ABS": "abs", "STABLEHLO_ADD": "add", "STABLEHLO_COSINE": "cos", "STABLEHLO_DIVIDE": "div",
         "STABLEHLO_EXPONENTIAL": "exp",
         "STABLEHLO_FLOOR": "floor", "STABLEHLO_LOG": "log", "STABLEHLO_LOGISTIC": "sigmoid", "STABLEHLO_MAXIMUM": "maximum",
         "STABLEHLO_MINIMUM": "minimum", "STABLEHLO_MULTIPLY": "mul", "STABLEHLO_NEGATE": "neg", "STABLEHLO_POWER": "pow",
         "STABLEHLO_REMAINDER": "fmod", "STABLEHLO_RSQRT": "rsqrt", "STABLEHLO_SELECT": "where", "STABLEHLO_SUBTRACT": "sub",
         "STABLEHLO_TANH": "tanh"}  # fmt: skip
OF_TRUTH = {"add": "logical_or", "maximum": "logical_or", "minimum": "logical_and", "mul": "logical_and"}
LOGICAL = {"STABLEHLO_AND": "and", "STABLEHLO_OR": "or"}


@tflite_op(*NAMES)
def stablehlo_elementwise(n: TfliteNode) -> str:
    """Truth values are added and multiplied as 0 and 1 whose sums saturate."""
    fn = NAMES[n.op]
    return n.emit(Elementwise(OF_TRUTH.get(fn, fn) if n.type(0).dtype == np.bool_ else fn), *n.inputs)


@tflite_op(*LOGICAL)
def stablehlo_logical(n: TfliteNode) -> str:
    """Of truth values, or of the bits of integers."""
    kind = "logical" if n.type(0).dtype == np.bool_ else "bitwise"
    return n.emit(Elementwise(f"{kind}_{LOGICAL[n.op]}"), *n.inputs)


@tflite_op("STABLEHLO_SHIFT_LEFT")
def stablehlo_shift_left(n: TfliteNode) -> str:
    """Shifted by the width of the type or more, or by less than none, nothing is left."""
    x, by = n.input(0), n.input(1)
    bits, zero = n.scalar(8 * n.type(by).dtype.itemsize, by), n.scalar(0, by)
    fits = n.emit(Elementwise("logical_and"), n.emit(Elementwise("greater_equal"), by, zero), n.emit(Elementwise("less"), by, bits))
    shifted = n.emit(Elementwise("shift_left"), x, n.emit(Elementwise("where"), fits, by, zero))
    return n.emit(Elementwise("where"), fits, shifted, n.scalar(0, x))


@tflite_op("STABLEHLO_CBRT")
def stablehlo_cbrt(n: TfliteNode) -> str:
    """sign(x) |x|^(1/3)."""
    x = n.input(0)
    size = n.emit(Elementwise("abs"), x)
    return n.emit(Elementwise("mul"), n.emit(Elementwise("sign"), x), n.emit(Elementwise("pow"), size, n.scalar(1 / 3, size)))


@tflite_op("STABLEHLO_CLAMP")
def stablehlo_clamp(n: TfliteNode) -> str:
    """Operands: the least, x, the greatest."""
    return n.emit(Elementwise("minimum"), n.emit(Elementwise("maximum"), n.input(1), n.input(0)), n.input(2))


@tflite_op("STABLEHLO_BROADCAST_IN_DIM")
def stablehlo_broadcast(n: TfliteNode) -> str:
    """Axis d of the operand becomes axis dimensions[d] of the result, whose shape the file records."""
    dimensions = n.integers(1, "broadcast dimensions") if n.input(1) else n.options.broadcast_dimensions
    shape, given = n.results[0].shape, n.shape(0)
    if n.results[0].open:
        raise Unsupported("a result of which the file leaves extents open; a whole shape would be accepted")
    if list(dimensions) != sorted(set(dimensions)) or len(dimensions) != len(given):
        raise Unsupported(f"broadcast dimensions {tuple(dimensions)} of {n.type(0)}; one for each axis, in rising order, would be accepted")
    extents = dict(zip(dimensions, given))
    return n.emit(Broadcast(shape), n.emit(Reshape(tuple(extents.get(d, 1) for d in range(len(shape)))), n.input(0)))


@tflite_op("STABLEHLO_COMPOSITE")
def stablehlo_composite(n: TfliteNode) -> list[str]:
    """What a name stands for is another subgraph, imported in its place."""
    return n.inline(n.options.decomposition_subgraph_index, n.inputs)


@tflite_op("BUCKETIZE")
def tflite_bucketize(n: TfliteNode) -> str:
    """How many of the boundaries, which rise, are not above each element."""
    x, boundaries = n.input(0), np.asarray(n.options.boundaries, np.float32)
    bounds = n.add_constant((np.ceil(boundaries) if n.type(x).dtype.kind in "iu" else boundaries).astype(n.type(x).dtype))
    passed = n.emit(Elementwise("greater_equal"), n.emit(Reshape((*n.shape(x), 1)), x), bounds)
    return n.emit(Reduce("sum", (len(n.shape(x)),)), n.emit(Cast(np.dtype(np.int32)), passed))
