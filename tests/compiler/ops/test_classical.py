"""Classical machine learning, optimisers and n-grams: every operator against ONNX Runtime or the standard's cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from tests.harness import floats
from tests.oracles import evaluated, onnx_model, onnx_node, ort, same, standard_case, standard_cases, write

(X,) = floats((7, 3))
INT = np.array([[1, 2, 3], [4, 5, 1], [7, 2, 9]], np.int64)
HOLES = np.where(X > 0.8, np.float32(np.nan), X)


def model(folder: Path, op: str, arrays: list[np.ndarray], outputs: int, **attributes: Any) -> Path:
    """One node of another domain, "domain::Operator"."""
    domain, _, name = op.partition("::")
    feeds = {f"x{k}": (a.dtype, a.shape) for k, a in enumerate(arrays)}
    names = [f"y{k}" for k in range(outputs)]
    made = onnx_model([helper.make_node(name, [*feeds], names, domain=domain, **attributes)], feeds, names)
    made.opset_import.append(helper.make_opsetid(domain, 4))
    for output in made.graph.output:
        output.ClearField("type")
    return write(folder, made)


LINEAR = {"coefficients": X.ravel()[:6].tolist(), "intercepts": [0.5, -0.25]}
CASES: list[tuple[str, list[np.ndarray], dict[str, Any]]] = [
    ("ai.onnx.ml::ArrayFeatureExtractor", [X, np.array([2, 0, 2])], {}),
    ("ai.onnx.ml::ArrayFeatureExtractor", [X[0], np.array([[1]])], {}),
    ("ai.onnx.ml::Binarizer", [X], {"threshold": 0.25}),
    ("ai.onnx.ml::Scaler", [X], {"offset": [0.5, 1.0, -1.0], "scale": [2.0, 3.0, 0.5]}),
    ("ai.onnx.ml::Scaler", [INT], {"offset": [2.0], "scale": [0.5]}), ("ai.onnx.ml::Normalizer", [X], {"norm": "L1"}),
    ("ai.onnx.ml::Normalizer", [X], {"norm": "L2"}),
    ("ai.onnx.ml::Imputer", [HOLES], {"imputed_value_floats": [1.0, 2.0, 3.0], "replaced_value_float": float("nan")}),
    ("ai.onnx.ml::Imputer", [INT], {"imputed_value_int64s": [8], "replaced_value_int64": 2}),
    ("ai.onnx.ml::LabelEncoder", [INT], {"keys_int64s": [1, 2, 7], "values_floats": [0.5, 1.5, -2.0], "default_float": 9.0}),
    ("ai.onnx.ml::LabelEncoder", [INT], {"keys_int64s": [1, 2], "values_int64s": [-5, 1 << 40]}),
    ("ai.onnx.ml::LabelEncoder", [HOLES], {"keys_floats": [float("nan"), float(X[0, 0])], "values_int64s": [3, 4], "default_int64": 5}),
    ("ai.onnx.ml::OneHotEncoder", [INT[0]], {"cats_int64s": [3, 1, 5], "zeros": 1}),
    ("ai.onnx.ml::FeatureVectorizer", [X[:3], X[3:6]], {"inputdimensions": [3, 3]}),
    ("ai.onnx.ml::FeatureVectorizer", [X], {"inputdimensions": [3]}),
    *(("ai.onnx.ml::LinearRegressor", [X], LINEAR | {"targets": 2, "post_transform": post})
      for post in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO")),
    *(("ai.onnx.ml::LinearClassifier", [X], LINEAR | {"classlabels_ints": [5, 2], "post_transform": post})
      for post in ("NONE", "SOFTMAX", "LOGISTIC")),
    ("ai.onnx.ml::LinearClassifier", [X],
     {"coefficients": [1.0, -2.0, 0.5], "intercepts": [0.1], "classlabels_ints": [0, 1], "post_transform": "LOGISTIC"}),
]  # fmt: skip


@pytest.mark.parametrize(("op", "arrays", "attributes"), CASES, ids=[f"{op}-{k}" for k, (op, *_) in enumerate(CASES)])
def test_onnx_runtime(tmp_path: Path, op: str, arrays: list[np.ndarray], attributes: dict[str, Any]) -> None:
    path = model(tmp_path, op, arrays, 2 if op.endswith("Classifier") else 1, **attributes)
    same(evaluated(path, arrays), ort(path, arrays))


def test_rows_by_their_largest_magnitude(tmp_path: Path) -> None:
    """ONNX Runtime divides by the largest number, which the standard's reference does not."""
    (y,) = evaluated(model(tmp_path, "ai.onnx.ml::Normalizer", [X], 1, norm="MAX"), [X])
    np.testing.assert_allclose(y, X / np.abs(X).max(1, keepdims=True), rtol=1e-6)


OPERATORS = {
    "tfidfvectorizer": "TfIdfVectorizer", "adam": "ai.onnx.preview.training::Adam", "adagrad": "ai.onnx.preview.training::Adagrad",
    "momentum": "ai.onnx.preview.training::Momentum", "ai_onnx_ml.binarizer": "ai.onnx.ml::Binarizer",
    "ai_onnx_ml.array_feature_extractor": "ai.onnx.ml::ArrayFeatureExtractor",
}  # fmt: skip
STANDARD = standard_cases(list(OPERATORS), [op.split("::")[-1] for op in OPERATORS.values()])


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in STANDARD])
def test_standard(tmp_path: Path, case: Any) -> None:
    path, arrays, expected = standard_case(tmp_path, case, len(case.data_sets[0][0]))
    same(evaluated(path, arrays), expected)


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize(("shape", "skip", "lengths"), [((12,), 0, (1, 2)), ((3, 9), 2, (1, 3)), ((2, 9), 3, (2, 3)), ((2, 2), 5, (3, 3))])
def test_tfidf(tmp_path: Path, shape: tuple[int, ...], skip: int, lengths: tuple[int, int], mode: str) -> None:
    x = np.random.default_rng(0).integers(0, 4, shape)
    path = onnx_node(
        tmp_path, "TfIdfVectorizer", [x], mode=mode, min_gram_length=lengths[0], max_gram_length=lengths[1], max_skip_count=skip,
        pool_int64s=[2, 3, 0, 1, 2, 3, 3, 3, 0, 1, 2, 3, 1, 1], ngram_counts=[0, 2, 8], ngram_indexes=[6, 1, 0, 3, 4, 5, 2],
        weights=[0.5, 2.0, 3.0, 1.5, 2.5, 1.0, 4.0],
    )  # fmt: skip
    same(evaluated(path, [x]), ort(path, [x]))


@pytest.mark.parametrize(("op", "x", "attributes", "reason"), [
    ("ai.onnx.ml::LabelEncoder", INT, {"keys_int64s": [1], "values_strings": ["a"]}, "values that are text"),
    ("ai.onnx.ml::OneHotEncoder", INT, {"cats_strings": ["a"]}, "categories that are text"),
    ("ai.onnx.ml::LinearClassifier", X, LINEAR | {"classlabels_strings": ["a", "b"]}, "labels that are text"),
    ("ai.onnx.ml::LinearRegressor", X, LINEAR | {"targets": 2, "post_transform": "PROBIT"}, "transform PROBIT"),
])  # fmt: skip
def test_refused(tmp_path: Path, op: str, x: np.ndarray, attributes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        load(model(tmp_path, op, [x], 2 if op.endswith("Classifier") else 1, **attributes))
