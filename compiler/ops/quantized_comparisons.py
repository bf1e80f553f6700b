"""Comparisons of tensors of eight bits, number for number as LiteRT's integers make them."""

from __future__ import annotations

from .elementwise import Elementwise
from .fixed_point import AWAY, integer, integers, rescaled
from .importing import QuantizedNode, quantized_op

HEADROOM = 8
"""Bits behind the point of the real numbers that are compared; what differs by less is equal."""


@quantized_op("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL", bits=((8, 0),))
def tflite_comparison(n: QuantizedNode) -> str:
    raised = (n.emit(Elementwise("mul"), integers(n, v), integer(n, 1 << HEADROOM)) for v in n.inputs)
    reals = [rescaled(n, v, float(scale[0]), AWAY) for v, scale in zip(raised, n.scales)]
    return n.emit(Elementwise(n.op.lower()), *reals)
