"""Between which boundaries an element lies."""

from __future__ import annotations

import numpy as np

from .elementwise import Cast, Elementwise
from .importing import TfliteNode, tflite_op
from .movement import Reshape
from .reduce import Reduce


@tflite_op("BUCKETIZE")
def tflite_bucketize(n: TfliteNode) -> str:
    """How many of the boundaries, which ascend, are not above the element."""
    x, shape = n.input(0), n.shape(0)
    if n.type(x).dtype != np.float32:
        x = n.emit(Cast(np.dtype(np.float32)), x)
    x = n.emit(Reshape((*shape, 1)), x)
    above = n.emit(Elementwise("less"), x, n.add_constant(np.array(n.options.boundaries, np.float32)))
    passed = n.emit(Cast(np.dtype(np.int32)), n.emit(Elementwise("logical_not"), above))
    return n.emit(Reduce("sum", (len(shape),)), passed)
