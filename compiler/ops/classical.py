"""Classical machine learning: features picked, scaled, encoded; linear models."""

from __future__ import annotations

from math import prod

import numpy as np

from ..errors import Unsupported
from .elementwise import Cast, Elementwise
from .gather import gather
from .importing import OnnxNode, onnx_op
from .matmul import MatMul
from .movement import Concat, Reshape
from .reduce import Reduce, reduced
from .softmax import Softmax
from .top import Top

DOMAIN = "ai.onnx.ml"
FLOAT = np.dtype(np.float32)


def transformed(n: OnnxNode, y: str, post: str) -> str:
    """Scores [N,C] after the transform that a model asks for."""
    if post == "NONE":
        return y
    if post == "LOGISTIC":
        return n.emit(Elementwise("sigmoid"), y)
    if post == "SOFTMAX":
        return n.emit(Softmax(1), y)
    if post != "SOFTMAX_ZERO":
        raise Unsupported(f"transform {post}; NONE, LOGISTIC, SOFTMAX and SOFTMAX_ZERO would be accepted")
    top = n.emit(Reduce("max", (1,), True), y)
    zero = n.emit(Elementwise("less_equal"), n.emit(Elementwise("abs"), y), n.scalar(1e-7, y))
    scale = n.emit(Elementwise("exp"), n.emit(Elementwise("neg"), top))
    power = n.emit(Elementwise("exp"), n.emit(Elementwise("sub"), y, top))
    power = n.emit(Elementwise("where"), zero, n.emit(Elementwise("mul"), y, scale), power)
    return n.emit(Elementwise("div"), power, n.emit(Reduce("sum", (1,), True), power))


def labelled(n: OnnxNode, y: str, classes: list[int], post: str, *, complement: bool = False) -> tuple[str, str]:
    """The label of the best class and the scores, transformed; a single column v becomes two, -v, or the complement 1 - v, before v."""
    if n.shape(y)[1] == 1 and len(classes) == 2:
        other = n.emit(Elementwise("sub"), n.scalar(1, y), y) if complement else n.emit(Elementwise("neg"), y)
        y = n.emit(Concat(1), other, y)
    if n.shape(y)[1] != len(classes):
        raise Unsupported(f"{len(classes)} labels for scores {n.type(y)}")
    y = transformed(n, y, post)
    best = n.emit(Reshape((n.shape(y)[0],)), n.emit(Top(1), y))
    return gather(n, n.add_constant(np.asarray(classes, np.int64)), best, 0), y


def _float(n: OnnxNode, x: str) -> str:
    return x if n.type(x).dtype == FLOAT else n.emit(Cast(FLOAT), x)


@onnx_op(f"{DOMAIN}::ArrayFeatureExtractor")
def onnx_array_feature_extractor(n: OnnxNode) -> str:
    """Elements of the last axis; of a vector as a row."""
    x, index = n.input(0), n.emit(Reshape((n.type(1).size,)), n.input(1))
    rows = x if len(n.shape(x)) > 1 else n.emit(Reshape((1, *n.shape(x))), x)
    return gather(n, rows, index, -1)


@onnx_op(f"{DOMAIN}::Binarizer")
def onnx_binarizer(n: OnnxNode) -> str:
    x = n.input(0)
    return n.emit(Cast(n.type(x).dtype), n.emit(Elementwise("greater"), x, n.scalar(float(n.attr("threshold", 0.0)), x)))


@onnx_op(f"{DOMAIN}::Scaler")
def onnx_scaler(n: OnnxNode) -> str:
    """(x - offset) * scale, of each feature its own or one for all."""
    offset, scale = (n.add_constant(np.asarray(n.attr(name), np.float32)) for name in ("offset", "scale"))
    return n.emit(Elementwise("mul"), n.emit(Elementwise("sub"), _float(n, n.input(0)), offset), scale)


@onnx_op(f"{DOMAIN}::Normalizer")
def onnx_normalizer(n: OnnxNode) -> str:
    """Rows divided by their norm; MAX is the largest magnitude, and rows of zeros stay."""
    x, norm = _float(n, n.input(0)), n.attr("norm", "MAX")
    size = n.emit(Elementwise("square" if norm == "L2" else "abs"), x)
    size = reduced(n, "max" if norm == "MAX" else "sum", size, [-1], True)
    size = n.emit(Elementwise("sqrt"), size) if norm == "L2" else size
    return n.emit(Elementwise("div"), x, n.emit(Elementwise("maximum"), size, n.scalar(1e-30, size)))


@onnx_op(f"{DOMAIN}::Imputer")
def onnx_imputer(n: OnnxNode) -> str:
    """What counts as missing, a number or NaN, replaced: by one number, or one of each feature."""
    x = n.input(0)
    kind = "int64s" if n.type(x).dtype.kind in "iu" else "floats"
    missing = n.attr(f"replaced_value_{kind[:-1]}", 0)
    known = n.add_constant(np.asarray(n.attr(f"imputed_value_{kind}"), n.type(x).dtype))
    absent = n.emit(Elementwise("not_equal"), x, x) if np.isnan(missing) else n.emit(Elementwise("equal"), x, n.scalar(missing, x))
    return n.emit(Elementwise("where"), absent, known, x)


@onnx_op(f"{DOMAIN}::LabelEncoder")
def onnx_label_encoder(n: OnnxNode) -> str:
    """Numbers to numbers: each key's value, or the default; of equal keys the first counts, and NaN is a key as others are."""
    keys, values = (_labels(n, name) for name in ("keys", "values"))
    default = n.attr("default_tensor")
    if default is None:
        default = n.attr("default_float", -0.0) if values.dtype.kind == "f" else n.attr("default_int64", -1)
    x = n.emit(Reshape((*n.shape(0), 1)), n.input(0))
    _, first = np.unique(keys, return_index=True)
    keys, values = keys[np.sort(first)].astype(n.type(x).dtype), values[np.sort(first)]
    same = n.emit(Elementwise("equal"), x, n.add_constant(keys))
    if keys.dtype.kind == "f" and np.isnan(keys).any():
        missing = n.emit(Elementwise("logical_and"), n.emit(Elementwise("not_equal"), x, x), n.add_constant(np.isnan(keys)))
        same = n.emit(Elementwise("logical_or"), same, missing)
    found = n.emit(Elementwise("where"), same, n.add_constant(values), n.add_constant(np.zeros((), values.dtype)))
    known = reduced(n, "max", same, [-1], False)
    fallback = n.add_constant(np.asarray(default, values.dtype).reshape(()))
    return n.emit(Elementwise("where"), known, reduced(n, "sum", found, [-1], False), fallback)


def _labels(n: OnnxNode, side: str) -> np.ndarray:
    if n.attr(f"{side}_tensor") is not None and n.attr(f"{side}_tensor").dtype.kind in "fiu":
        return np.asarray(n.attr(f"{side}_tensor")).ravel()
    for kind, dtype in (("int64s", np.int64), ("floats", np.float32)):
        if n.attr(f"{side}_{kind}") is not None:
            return np.asarray(n.attr(f"{side}_{kind}"), dtype)
    raise Unsupported(f"{side} that are text; numbers would be accepted")


@onnx_op(f"{DOMAIN}::OneHotEncoder")
def onnx_one_hot_encoder(n: OnnxNode) -> str:
    """A last axis is added, along which the element's category is 1, all others 0."""
    if n.attr("cats_int64s") is None or not n.attr("zeros", 1):
        raise Unsupported("categories that are text, or must be known; cats_int64s with zeros=1 would be accepted")
    x = n.emit(Cast(np.dtype(np.int64)), n.emit(Reshape((*n.shape(0), 1)), n.input(0)))
    return n.emit(Cast(FLOAT), n.emit(Elementwise("equal"), x, n.add_constant(np.asarray(n.attr("cats_int64s"), np.int64))))


@onnx_op(f"{DOMAIN}::FeatureVectorizer")
def onnx_feature_vectorizer(n: OnnxNode) -> str:
    """The features of all operands side by side, [N,…]."""
    parts = [_float(n, n.emit(Reshape((n.shape(v)[0], prod(n.shape(v)[1:]))), v)) for v in n.inputs]
    return n.emit(Concat(1), *parts) if len(parts) > 1 else parts[0]


def _linear(n: OnnxNode, rows: int) -> str:
    """x [N,F] times the coefficients [rows,F], plus the intercepts."""
    x = _float(n, n.input(0))
    weights = np.asarray(n.attr("coefficients"), np.float32).reshape(rows, -1).T
    y = n.emit(MatMul(), x, n.add_constant(np.ascontiguousarray(weights)))
    intercepts = n.attr("intercepts")
    return n.emit(Elementwise("add"), y, n.add_constant(np.asarray(intercepts, np.float32))) if intercepts else y


@onnx_op(f"{DOMAIN}::LinearRegressor")
def onnx_linear_regressor(n: OnnxNode) -> str:
    return transformed(n, _linear(n, n.attr("targets", 1)), n.attr("post_transform", "NONE"))


@onnx_op(f"{DOMAIN}::LinearClassifier")
def onnx_linear_classifier(n: OnnxNode) -> tuple[str, str]:
    classes = n.attr("classlabels_ints")
    if classes is None:
        raise Unsupported("labels that are text; classlabels_ints would be accepted")
    rows = len(n.attr("coefficients")) // n.shape(0)[-1]
    return labelled(n, _linear(n, rows), classes, n.attr("post_transform", "NONE"))
