"""Ensembles of decision trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GraphError, Unsupported
from ..ir import TensorType
from .classical import labelled, transformed
from .elementwise import Cast, Elementwise
from .gather import gather
from .importing import OnnxNode, onnx_op
from .op import Op
from .reduce import Kind, Reduce

if TYPE_CHECKING:
    from ..kernel import Kernel, Site

MODES = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")
"""Of a test, by number: how the feature compares with the split."""
COMPARE = (np.less_equal, np.less, np.greater_equal, np.greater, np.equal, np.not_equal)
MISSING = 8
"""Added to the mode of a test that NaN passes."""
MEMBER = 6


@dataclass(frozen=True)
class TreeLeaves(Op):
    """y[n,t] = the leaf at which row n of x[N,F] arrives in tree t.

    Operands: x; features[K], splits[K] and modes[K] of the tests; next[K,2], whither a test that fails and one that passes leads:
    to another test, or, as ~leaf, to a leaf; roots[T], likewise.
    """

    def infer(self, *types: TensorType | None) -> tuple[TensorType, ...]:
        x, features, splits, modes, following, roots = types
        assert x and features and splits and modes and following and roots
        if x.rank != 2 or x.dtype.kind != "f" or splits.dtype != x.dtype:
            raise GraphError(f"{x} holds no rows of floats to be compared with {splits}")
        if any(t.shape != features.shape for t in (splits, modes)) or following.shape != (*features.shape, 2):
            raise GraphError("a tree's tests need a feature, a split, a mode and two ways on each")
        return (TensorType((x.shape[0], roots.shape[0]), np.dtype(np.int32)),)

    def reference(self, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, features, splits, modes, following, roots = (np.asarray(a) for a in arrays)
        place = np.broadcast_to(roots, (len(x), len(roots))).copy()
        while (active := place >= 0).any():
            row, test = np.nonzero(active)[0], place[active]
            value, mode = x[row, features[test]], modes[test]
            passed = np.select([mode % MISSING == k for k in range(len(MODES))], [f(value, splits[test]) for f in COMPARE])
            passed |= np.isnan(value) & (mode >= MISSING)
            place[active] = following[test, passed.astype(int)]
        return (~place.astype(np.int32),)

    def kernels(self, site: Site) -> Sequence[Kernel]:
        from ..access import compute_type
        from ..kernel import Kernel

        (rows, trees), target = site.output.shape, site.target
        names = ("x", "features", "splits", "modes", "next", "roots")
        tests = int(np.log2(max(site.input(1).shape[0] // max(trees, 1), 1))) + 1
        flops = 4 * rows * trees * tests
        cost = target.launch + max(flops * 1e-3 / target.units, site.moved() / target.bandwidth / 1e3)
        params = {"T": compute_type(site.input(0).storage), "MISSING": MISSING}
        reads = tuple(site.read(name, k) for k, name in enumerate(names))
        return [Kernel("tree_leaves", params, reads, (trees, rows), flops=flops, nbytes=site.moved(), cost=cost)]


@dataclass
class _Forest:
    """Tests and leaves, as they are gathered.

    Attributes:
        leaves: of each, what it adds to which targets.
    """

    features: list[int] = field(default_factory=list)
    splits: list[float] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)
    following: list[list[int]] = field(default_factory=list)
    leaves: list[list[tuple[int, float]]] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)

    def test(self, feature: int, split: float, mode: int) -> int:
        self.features.append(feature)
        self.splits.append(split)
        self.modes.append(mode)
        self.following.append([0, 0])
        return len(self.features) - 1

    def leaf(self, votes: list[tuple[int, float]]) -> int:
        self.leaves.append(votes)
        return ~(len(self.leaves) - 1)

    def votes(self, n: OnnxNode, targets: int, aggregate: str) -> str:
        """The votes of all trees for each target, [N,targets], put together."""
        x = n.input(0)
        dtype = np.dtype(np.float64 if n.type(x).dtype == np.float64 else np.float32)
        x = x if n.type(x).dtype == dtype else n.emit(Cast(dtype), x)
        kinds: dict[str, Kind] = {"SUM": "sum", "AVERAGE": "mean", "MIN": "min", "MAX": "max"}
        if aggregate not in kinds:
            raise Unsupported(f"aggregate function {aggregate}; one of {', '.join(kinds)} would be accepted")
        table = np.full(n.checked((len(self.leaves), targets), np.float32), {"MIN": np.inf, "MAX": -np.inf}.get(aggregate, 0), np.float32)
        for k, votes in enumerate(self.leaves):
            for target, weight in votes:
                table[k, target] = weight + (table[k, target] if np.isfinite(table[k, target]) else 0)
        integers = [np.asarray(v, np.int32) for v in (self.features, self.modes, np.reshape(self.following, (-1, 2)), self.roots)]
        features, modes, following, roots = (n.add_constant(v) for v in integers)
        splits = n.add_constant(np.asarray(self.splits, dtype))
        leaves = n.emit(TreeLeaves(), x, features, splits, modes, following, roots)
        return n.emit(Reduce(kinds[aggregate], (1,)), gather(n, n.add_constant(table), leaves, 0))


@onnx_op("ai.onnx.ml::TreeEnsemble")
def onnx_tree_ensemble(n: OnnxNode) -> str:
    """Tests and leaves in tables of their own; a test for membership becomes one for each member."""
    forest = _Forest()
    forest.leaves = [[(int(t), float(w))] for t, w in zip(n.attr("leaf_targetids"), n.attr("leaf_weights"), strict=True)]
    modes, splits = n.attr("nodes_modes"), n.attr("nodes_splits")
    missing = n.attr("nodes_missing_value_tracks_true") or [0] * len(modes)
    members = _members(n.attr("membership_values"))
    tests: list[list[int]] = []
    for feature, split, mode, tracks in zip(n.attr("nodes_featureids"), splits, modes, missing, strict=True):
        values = next(members) if mode == MEMBER else [float(split)]
        kind = (MODES.index("EQ") if mode == MEMBER else int(mode)) + (MISSING if tracks else 0)
        tests.append([forest.test(int(feature), v, kind) for v in values])
    ways = ((k, n.attr(f"nodes_{way}nodeids"), n.attr(f"nodes_{way}leafs")) for k, way in enumerate(("false", "true")))
    for k, nodes, leafs in ways:
        for chain, node, leaf in zip(tests, nodes, leafs, strict=True):
            for step, test in enumerate(chain):
                last = k == 1 or step == len(chain) - 1
                forest.following[test][k] = (~int(node) if leaf else tests[node][0]) if last else chain[step + 1]
    forest.roots = [tests[root][0] for root in n.attr("tree_roots")]
    aggregate = ("AVERAGE", "SUM", "MIN", "MAX")[n.attr("aggregate_function", 1)]
    y = forest.votes(n, n.attr("n_targets"), aggregate)
    y = transformed(n, y, ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")[n.attr("post_transform", 0)])
    return y if n.type(y).dtype == n.type(0).dtype else n.emit(Cast(n.type(0).dtype), y)


def _members(values: np.ndarray | None) -> Any:
    """The sets of a list in which NaN ends each."""
    found: list[float] = []
    for value in [] if values is None else values.tolist():
        if np.isnan(value):
            yield found
            found = []
        else:
            found.append(value)
    if found:
        yield found


def _older(n: OnnxNode, kind: str) -> _Forest:
    """The forest of the older operators: nodes by tree and number, leaves among them, `kind`_* the votes of leaves."""
    forest = _Forest()
    votes: dict[tuple[int, int], list[tuple[int, float]]] = {}
    voters = zip(n.attr(f"{kind}_treeids"), n.attr(f"{kind}_nodeids"), strict=True)
    for name, target, weight in zip(voters, n.attr(f"{kind}_ids"), _numbers(n, f"{kind}_weights"), strict=True):
        votes.setdefault(name, []).append((int(target), float(weight)))
    names = list(zip(n.attr("nodes_treeids"), n.attr("nodes_nodeids"), strict=True))
    missing = n.attr("nodes_missing_value_tracks_true") or [0] * len(names)
    places: dict[Any, int] = {}
    columns = (n.attr("nodes_featureids"), _numbers(n, "nodes_values"), n.attr("nodes_modes"), missing)
    for name, feature, split, mode, tracks in zip(names, *columns, strict=True):
        if mode == "LEAF":
            places[name] = forest.leaf(votes.get(name, []))
        else:
            kind_of_test = MODES.index(mode.removeprefix("BRANCH_")) + (MISSING if tracks else 0)
            places[name] = forest.test(int(feature), float(split), kind_of_test)
    for name, no, yes in zip(names, n.attr("nodes_falsenodeids"), n.attr("nodes_truenodeids"), strict=True):
        if places[name] >= 0:
            forest.following[places[name]] = [places[name[0], no], places[name[0], yes]]
    first: dict[int, int] = {}
    for name in names:
        first.setdefault(name[0], places[name])
    forest.roots = [first[tree] for tree in sorted(first)]
    return forest


def _numbers(n: OnnxNode, name: str) -> Sequence[float]:
    """Floats, which may be given as a tensor of doubles."""
    given = n.attr(name)
    tensor = n.attr(f"{name}_as_tensor")
    return given if given is not None else [] if tensor is None else tensor.tolist()


def _based(n: OnnxNode, y: str) -> str:
    base = _numbers(n, "base_values")
    return n.emit(Elementwise("add"), y, n.add_constant(np.asarray(base, np.float32))) if len(base) else y


@onnx_op("ai.onnx.ml::TreeEnsembleRegressor")
def onnx_tree_regressor(n: OnnxNode) -> str:
    y = _older(n, "target").votes(n, n.attr("n_targets", 1), n.attr("aggregate_function", "SUM"))
    return transformed(n, _based(n, y), n.attr("post_transform", "NONE"))


@onnx_op("ai.onnx.ml::TreeEnsembleClassifier")
def onnx_tree_classifier(n: OnnxNode) -> tuple[str, str]:
    """Where all votes are for one of two classes, the other has 1 - v, or -v if some are negative; LOGISTIC applies to -v and v."""
    classes = n.attr("classlabels_int64s")
    if classes is None:
        raise Unsupported("labels that are text; classlabels_int64s would be accepted")
    ids, post = set(n.attr("class_ids")), n.attr("post_transform", "NONE")
    binary = len(ids) == 1 and len(classes) == 2
    forest = _older(n, "class")
    if binary:
        forest.leaves = [[(0, w) for _, w in votes] for votes in forest.leaves]
    elif len(classes) == 1 or len(ids) == 1:
        raise Unsupported(f"{len(classes)} classes with votes for {len(ids)}; votes for all, or for one of two, would be accepted")
    y = _based(n, forest.votes(n, 1 if binary else len(classes), "SUM"))
    if not binary:
        return labelled(n, y, classes, post)
    label, scores = labelled(n, y, classes, "NONE", complement=min(_numbers(n, "class_weights")) >= 0)
    return label, labelled(n, y, classes, "LOGISTIC")[1] if post == "LOGISTIC" else scores
