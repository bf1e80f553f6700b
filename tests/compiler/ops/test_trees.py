"""Ensembles of decision trees: the kernel against the reference, the operators against ONNX Runtime and the standard's cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import TensorType
from planish.compiler.ops.trees import MISSING, TreeLeaves
from tests.compiler.ops.test_classical import model
from tests.harness import CPU, GPU, Case, check
from tests.oracles import evaluated, ort, same, standard_case, standard_cases

RNG = np.random.default_rng(0)
MODES = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")
OPERATOR = "ai.onnx.ml::TreeEnsemble"
TREES = standard_cases(["ai_onnx_ml.tree_ensemble"], [OPERATOR.partition("::")[2]])
X = RNG.integers(-2, 3, (11, 4)).astype(np.float32) / 2
HOLES = np.where(RNG.random(X.shape) < 0.2, np.float32(np.nan), X)


@pytest.mark.device
@pytest.mark.parametrize("x", [X, HOLES, X[:1]], ids=["numbers", "missing", "one row"])
def test_kernel(x: np.ndarray) -> None:
    """Three trees of which the last is a leaf; the tests of every mode, half of them passed by NaN."""
    features, splits = RNG.integers(0, 4, 12).astype(np.int32), RNG.integers(-2, 3, 12).astype(np.float32) / 2
    modes = (np.arange(12) % 6 + MISSING * (np.arange(12) >= 6)).astype(np.int32)
    ahead = np.array([[min(2 * k + 1, 99), min(2 * k + 2, 99)] for k in range(12)])
    following = np.where(ahead < 12, ahead, ~np.arange(24).reshape(12, 2)).astype(np.int32)
    tables = [features, splits, modes, following, np.array([0, 5, ~30], np.int32)]
    assert check(Case(TreeLeaves(), [x, *tables], constants=frozenset({1, 2, 3, 4, 5}), framed=False), targets=[CPU, GPU]) == 2


def test_unfit() -> None:
    shapes = (((3, 4), "f4"), ((5,), "i4"), ((5,), "f4"), ((5,), "i4"), ((5, 2), "i4"), ((1,), "i4"))
    types = [TensorType(s, np.dtype(d)) for s, d in shapes]
    assert TreeLeaves().infer(*types) == (TensorType((3, 1), np.dtype(np.int32)),)
    with pytest.raises(GraphError, match="two ways on"):
        TreeLeaves().infer(*types[:4], types[1], types[5])
    with pytest.raises(GraphError, match="no rows of floats"):
        TreeLeaves().infer(types[1], *types[1:])


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in TREES])
def test_standard(tmp_path: Path, case: Any) -> None:
    path, arrays, expected = standard_case(tmp_path, case, 1)
    same(evaluated(path, arrays), expected)


def trees(prefix: str, targets: int, modes: tuple[str, ...] = MODES) -> dict[str, Any]:
    """Two full trees of seven nodes, with votes for each target at each leaf, and one that is a leaf."""
    nodes: dict[str, list[Any]] = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids",
                                                   "missing_value_tracks_true")}
    votes: dict[str, list[Any]] = {k: [] for k in ("treeids", "nodeids", "ids", "weights")}
    for tree, size in enumerate((7, 7, 1)):
        for k in range(size):
            leaf = 2 * k + 1 >= size
            row = (tree, k, k % 4, float(RNG.integers(-2, 3) / 2), "LEAF" if leaf else f"BRANCH_{modes[(3 * tree + k) % len(modes)]}",
                   0 if leaf else 2 * k + 1, 0 if leaf else 2 * k + 2, k % 2)
            for name, value in zip(nodes, row):
                nodes[name].append(value)
            for target in range(targets if leaf else 0):
                for name, value in zip(votes, (tree, k, target, float(RNG.normal()))):
                    votes[name].append(value)
    return {f"nodes_{k}": v for k, v in nodes.items()} | {f"{prefix}_{k}": v for k, v in votes.items()}


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
def test_regressor(tmp_path: Path, targets: int, aggregate: str) -> None:
    attributes = trees("target", targets) | {"n_targets": targets, "aggregate_function": aggregate, "base_values": [0.25] * targets}
    path = model(tmp_path, "ai.onnx.ml::TreeEnsembleRegressor", [X], 1, **attributes)
    same(evaluated(path, [X]), ort(path, [X]))


def test_missing_features(tmp_path: Path) -> None:
    path = model(tmp_path, "ai.onnx.ml::TreeEnsembleRegressor", [HOLES], 1, **trees("target", 2, ("LEQ",)), n_targets=2)
    same(evaluated(path, [HOLES]), ort(path, [HOLES]))


@pytest.mark.parametrize("post", ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("classes", [[4, 7, 2], [0, 1]])
def test_classifier(tmp_path: Path, classes: list[int], positive: bool, post: str) -> None:
    attributes = trees("class", 3 if len(classes) == 3 else 1) | {"classlabels_int64s": classes, "post_transform": post}
    if positive:
        attributes["class_weights"] = [abs(w) / 4 for w in attributes["class_weights"]]
    path = model(tmp_path, "ai.onnx.ml::TreeEnsembleClassifier", [X], 2, **attributes)
    same(evaluated(path, [X]), ort(path, [X]))


def test_refused(tmp_path: Path) -> None:
    path = model(tmp_path, "ai.onnx.ml::TreeEnsembleClassifier", [X], 2, **trees("class", 2), classlabels_strings=["a", "b"])
    with pytest.raises(UnsupportedError, match="labels that are text"):
        load(path)
