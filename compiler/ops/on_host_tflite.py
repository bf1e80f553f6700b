"""Importers of TFLite operators for operands whose shapes depend on data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import Unsupported
from .importing import QuantizedNode, TfliteNode
from .on_host import OPEN, OnHost
from .op import normal_axis

ELEMENTWISE = {
    "ABS": "abs", "ADD": "add", "DIV": "div", "EQUAL": "equal", "EXP": "exp", "GREATER": "greater", "GREATER_EQUAL": "greater_equal",
    "LESS": "less", "LESS_EQUAL": "less_equal", "LOG": "log", "LOGICAL_NOT": "not", "MAXIMUM": "max", "MINIMUM": "min", "MUL": "mul",
    "NEG": "neg", "NOT_EQUAL": "not_equal", "SELECT_V2": "where", "SQRT": "sqrt", "SUB": "sub",
}  # fmt: skip
REDUCTIONS = {"REDUCE_MAX": "reduce_max", "REDUCE_MIN": "reduce_min", "SUM": "sum"}


def _elementwise(n: TfliteNode) -> str:
    if isinstance(n, QuantizedNode):
        raise Unsupported("quantised numbers whose shape depends on data; others would be accepted")
    if getattr(n.options, "fused_activation_function", "NONE") != "NONE":
        raise Unsupported(f"fused activation {n.options.fused_activation_function} where shapes depend on data; none would be accepted")
    return n.emit(OnHost(ELEMENTWISE[n.op]), *n.inputs)


def _reduce(n: TfliteNode) -> str:
    axes = (normal_axis(a, n.type(0).rank) for a in n.integers(1, "axes"))
    return n.emit(OnHost(REDUCTIONS[n.op], (int(n.options.keep_dims), *axes)), n.input(0))


def _cast(n: TfliteNode) -> str:
    return n.emit(OnHost("cast", (n.results[0].dtype.name,)), n.input(0))


def _concatenation(n: TfliteNode) -> str:
    return n.emit(OnHost("concat", (n.options.axis,)), *n.inputs)


def _gather(n: TfliteNode) -> str:
    if n.options.batch_dims:
        raise Unsupported("batch_dims where shapes depend on data; 0 would be accepted")
    return n.emit(OnHost("gather", (n.options.axis,)), *n.inputs)


def _gather_nd(n: TfliteNode) -> str:
    return n.emit(OnHost("gather_nd"), *n.inputs)


def _reshape(n: TfliteNode) -> str:
    return n.emit(OnHost("reshape", n.integers(1, "shape") if n.input(1) else tuple(n.options.new_shape)), n.input(0))


def _slice(n: TfliteNode) -> str:
    """Of each axis from a place on, or so many from there."""
    parts = enumerate(zip(n.integers(1, "begin"), n.integers(2, "size"), strict=True))
    most = np.iinfo(np.int64).max
    return n.emit(OnHost("slice", tuple(e for d, (b, s) in parts for e in (d, b, most if s == -1 else b + s, 1))), n.input(0))


def _expand_dims(n: TfliteNode) -> str:
    rank = n.type(0).rank + 1
    return n.emit(OnHost("insert_axes", tuple(normal_axis(a, rank) for a in n.integers(1, "axis"))), n.input(0))


def _squeeze(n: TfliteNode) -> str:
    axes = tuple(normal_axis(a, n.type(0).rank) for a in n.options.squeeze_dims)
    if not axes:
        raise Unsupported("no axes where shapes depend on data; a list of them would be accepted")
    return n.emit(OnHost("squeeze", axes), n.input(0))


def _transpose(n: TfliteNode) -> str:
    return n.emit(OnHost("transpose", n.integers(1, "perm")), n.input(0))


def _shape(n: TfliteNode) -> str:
    return n.emit(OnHost("cast", (n.results[0].dtype.name,)), n.emit(OnHost("shape"), n.input(0)))


TFLITE_OPEN: dict[str, Callable[[TfliteNode], str]] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise), **dict.fromkeys(REDUCTIONS, _reduce), "CAST": _cast, "CONCATENATION": _concatenation,
    "EXPAND_DIMS": _expand_dims, "GATHER": _gather, "GATHER_ND": _gather_nd, "RESHAPE": _reshape, "SHAPE": _shape, "SLICE": _slice,
    "SQUEEZE": _squeeze, "TRANSPOSE": _transpose,
}  # fmt: skip
OPEN.update(TFLITE_OPEN)
