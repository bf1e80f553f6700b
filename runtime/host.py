"""What runs on the host: functions on numpy arrays, for results whose shapes depend on data, which no kernel can store.

The plan names them (docs/plan.md lists what each takes); the compiler's ops call them as their references. A function takes its
operands by position, None for an absent one, and its attributes by keyword; it returns all its results.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeVar

import numpy as np

Arrays = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Function:
    """A row of the table.

    Attributes:
        results: how many it returns.
        required, most: how many operands it takes at least and at most.
        attributes: what it needs, all of it: name -> type, a key of `TYPES`.
    """

    call: Callable[..., Arrays]
    results: int
    required: int
    most: int
    attributes: Mapping[str, str]


FUNCTIONS: dict[str, Function] = {}
TABLE = 1 << 10
"""Boxes up to which the overlaps of all with all are computed at once."""
MOST = 1 << 10
"""Operands of a function that takes any number."""
Params = list[int | str]
ARRAYS: Mapping[str, Callable[[list[np.ndarray], Params], np.ndarray]] = {
    "abs": lambda x, p: np.abs(x[0]),
    "add": lambda x, p: x[0] + x[1],
    "cast": lambda x, p: x[0].astype(str(p[0])),
    "concat": lambda x, p: np.concatenate(x, int(p[0])),
    "div": lambda x, p: x[0] / x[1] if x[0].dtype.kind == "f" else x[0] // x[1] + ((x[0] % x[1] != 0) & ((x[0] < 0) != (x[1] < 0))),
    "equal": lambda x, p: x[0] == x[1],
    "exp": lambda x, p: np.exp(x[0]),
    "gather": lambda x, p: np.take(x[0], x[1], int(p[0])),
    "gather_nd": lambda x, p: x[0][tuple(np.moveaxis(x[1], -1, 0))],
    "greater": lambda x, p: x[0] > x[1],
    "greater_equal": lambda x, p: x[0] >= x[1],
    "insert_axes": lambda x, p: np.expand_dims(x[0], tuple(map(int, p))),
    "less": lambda x, p: x[0] < x[1],
    "less_equal": lambda x, p: x[0] <= x[1],
    "log": lambda x, p: np.log(x[0]),
    "max": lambda x, p: reduce(np.maximum, x),
    "min": lambda x, p: reduce(np.minimum, x),
    "mul": lambda x, p: x[0] * x[1],
    "neg": lambda x, p: -x[0],
    "not": lambda x, p: np.logical_not(x[0]),
    "not_equal": lambda x, p: x[0] != x[1],
    "reduce_max": lambda x, p: x[0].max(tuple(map(int, p[1:])), keepdims=bool(p[0])),
    "reduce_min": lambda x, p: x[0].min(tuple(map(int, p[1:])), keepdims=bool(p[0])),
    "reshape": lambda x, p: x[0].reshape(tuple(map(int, p))),
    "shape": lambda x, p: np.array(x[0].shape, np.int64),
    "slice": lambda x, p: x[0][_ranges(x[0].ndim, p)],
    "sqrt": lambda x, p: np.sqrt(x[0]),
    "squeeze": lambda x, p: np.squeeze(x[0], tuple(map(int, p))),
    "sub": lambda x, p: x[0] - x[1],
    "sum": lambda x, p: x[0].sum(tuple(map(int, p[1:])), x[0].dtype, keepdims=bool(p[0])),
    "transpose": lambda x, p: x[0].transpose(tuple(map(int, p))),
    "where": lambda x, p: np.where(x[0], x[1], x[2]),
}
"""What `array` does, of operands and parameters."""
TYPES: Mapping[str, Callable[[Any], bool]] = {
    "Fn": lambda v: isinstance(v, str) and v in ARRAYS,
    "Params": lambda v: isinstance(v, list) and all(type(e) in (int, str) for e in v),
    "bool": lambda v: isinstance(v, bool),
    "int": lambda v: type(v) is int,
    "int | None": lambda v: v is None or type(v) is int,
    "float": lambda v: type(v) in (int, float),
    "list[float]": lambda v: isinstance(v, list) and all(type(e) in (int, float) for e in v),
}
"""Types of attributes, as functions annotate them, and what is of each."""
Fn = str
F = TypeVar("F", bound=Callable[..., Arrays])


def _function(results: int) -> Callable[[F], F]:
    """Enters a function in the table, under its name."""

    def enter(call: F) -> F:
        parameters = inspect.signature(call).parameters.values()
        positional = [p for p in parameters if p.kind is p.POSITIONAL_ONLY]
        required = sum(p.default is p.empty for p in positional)
        attributes = {p.name: str(p.annotation) for p in parameters if p.kind is p.KEYWORD_ONLY}
        most = MOST if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(positional)
        FUNCTIONS[call.__name__] = Function(call, results, required, most, attributes)
        return call

    return enter


def refusal(name: str, operands: list[bool], results: int, attributes: Mapping[str, Any]) -> str | None:
    """Why a step cannot be what it says; None where it can.

    Args:
        operands: of each, whether it is given.
    """
    function = FUNCTIONS.get(name)
    if function is None:
        return f"no host function {name!r}; there are {', '.join(FUNCTIONS)}"
    if not function.required <= len(operands) <= function.most or not all(operands[: function.required]):
        return f"{name} takes {function.required} to {function.most} operands"
    if results != function.results:
        return f"{name} gives {function.results} results, not {results}"
    fit = set(attributes) == set(function.attributes) and all(TYPES[t](attributes[a]) for a, t in function.attributes.items())
    if not fit:
        accepted = ", ".join(f"{a}: {t}" for a, t in function.attributes.items()) or "none"
        return f"{name} takes attributes ({accepted}), not {dict(attributes)}"
    return None


@_function(1)
def copy(x: np.ndarray, /) -> Arrays:
    """The operand."""
    return (x,)


@_function(1)
def array(x: np.ndarray, /, *others: np.ndarray, fn: Fn, params: Params) -> Arrays:
    """An ordinary function of arrays, one of `ARRAYS`, whose shapes depend on data.

    Its parameters are integers, or the name of an element type: what a cast makes; the axis of a concatenation or of a gather; axes
    to insert or to squeeze, or their permutation; a shape; of reductions whether axes stay, and the axes; of slices (axis, begin, end,
    step), one after another. Integers divide towards zero.
    """
    with np.errstate(all="ignore"):
        return (np.asarray(ARRAYS[fn]([x, *others], params)),)


def _ranges(rank: int, params: Params) -> tuple[slice, ...]:
    ranges = [slice(None)] * rank
    numbers = list(map(int, params))
    for axis, begin, end, step in zip(numbers[::4], numbers[1::4], numbers[2::4], numbers[3::4]):
        ranges[axis] = slice(begin, end, step)
    return tuple(ranges)


@_function(1)
def bfloat16_bits(x: np.ndarray, /) -> Arrays:
    """Float32 numbers rounded to bfloat16, to nearest, ties to even: its bits (uint16)."""
    bits = x.view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return (np.where(np.isnan(x), bits >> 16 | 0x40, rounded).astype(np.uint16),)


@_function(1)
def nonzero(x: np.ndarray, /, *, by_row: bool) -> Arrays:
    """The coordinates (int64) of the elements that are not zero, in row-major order: [n, rank] by row, else [rank, n], where a scalar
    counts as a vector of one."""
    return (np.argwhere(x).astype(np.int64) if by_row else np.stack(np.nonzero(np.atleast_1d(x))).astype(np.int64),)


@_function(4)
def unique(x: np.ndarray, /, *, axis: int | None, sorted: bool) -> Arrays:
    """The distinct elements of x, or the distinct slices along an axis; else in the order in which they first occur.

    Further results (int64): where each occurs first; which of them each element, or slice, of x is; how often each occurs.
    """
    y, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True, axis=axis)
    inverse = inverse.ravel()
    if not sorted:
        order = np.argsort(first)
        y = np.take(y, order, 0 if axis is None else axis)
        first, counts, inverse = first[order], counts[order], np.argsort(order)[inverse]
    return y, first.astype(np.int64), inverse.astype(np.int64), counts.astype(np.int64)


@_function(1)
def segment_sum(x: np.ndarray, ids: np.ndarray, /) -> Arrays:
    """The sums of the slices of x along its first axis that have the same number: as many as the largest number says, and one."""
    if ids.shape != x.shape[:1] or ids.min(initial=0) < 0:
        raise ValueError(f"numbers {ids.dtype}{list(ids.shape)} from {ids.min(initial=0)} on for {x.dtype}{list(x.shape)}")
    sums = np.zeros((int(ids.max(initial=-1)) + 1, *x.shape[1:]), x.dtype)
    np.add.at(sums, ids, x)
    return (sums,)


@_function(1)
def compress(x: np.ndarray, condition: np.ndarray, /, *, axis: int | None) -> Arrays:
    """The slices of x along an axis, or its elements, for which the condition, which may be shorter, holds."""
    return (np.compress(condition, x, axis),)


@_function(1)
def non_max_suppression(boxes: np.ndarray, scores: np.ndarray, limit: np.ndarray | None = None, overlap: np.ndarray | None = None,
                        threshold: np.ndarray | None = None, /, *, centered: bool) -> Arrays:
    """The (batch, class, box) of the boxes kept, int64 [n, 3]: of each batch and class the best first.

    Operands: boxes [batch, box, 4], of corners or, centered, of (x, y, width, height); scores [batch, class, box]; at most how many
    of a class are kept (none without it); the overlap above which the worse box goes (0); the score above which a box counts (any).
    """
    most = 0 if limit is None else int(limit.item())
    most_overlap = np.float32(0 if overlap is None else overlap.item())
    kept = [np.zeros((0, 3), np.int64)]
    for batch, of_classes in enumerate(scores):
        corners = _corners(boxes[batch]) if centered else boxes[batch]
        waiting = np.ones(of_classes.shape, bool) if threshold is None else of_classes > threshold.item()
        table = _overlaps(corners) if len(corners) <= TABLE and waiting.any() else None
        picked = []
        for _ in range(min(most, len(corners))):
            classes = np.flatnonzero(waiting.any(1))
            if not len(classes):
                break
            least = np.finfo(of_classes.dtype).min
            best = np.argmax(np.where(waiting[classes], np.maximum(of_classes[classes], least), -np.inf), 1)
            waiting[classes] &= (_overlaps(corners, best) if table is None else table[best]) <= most_overlap
            waiting[classes, best] = False
            picked.append(np.stack([np.full(len(classes), batch), classes, best], 1))
        if picked:
            together = np.concatenate(picked)
            kept.append(together[np.argsort(together[:, 1], kind="stable")])
    return (np.concatenate(kept).astype(np.int64),)


@_function(3)
def padded_non_max_suppression(boxes: np.ndarray, scores: np.ndarray, overlap: np.ndarray, threshold: np.ndarray,
                               sigma: np.ndarray | None = None, /, *, size: int) -> Arrays:
    """The boxes kept, the best first: their numbers (int32 [size]) and scores (float32 [size]), zeros behind, and how many (int32).

    Operands: boxes [box, 4], of corners; scores [box]; the overlap from which the worse box goes; the score above which a box counts;
    a sigma above 0 also lowers the scores of boxes that overlap (soft non-maximum suppression). Of equal scores the first box wins.
    """
    scale = -0.5 / float(sigma.item()) if sigma is not None and sigma.item() > 0 else 0.0
    limit, least = float(overlap.item()), float(threshold.item())
    current = scores.astype(np.float32).copy()
    compared = np.zeros(len(scores), np.int64)
    waiting = scores > least
    kept: list[int] = []
    while len(kept) < size and waiting.any():
        box = int(np.argmax(np.where(waiting, current, -np.inf)))
        before = current[box]
        suppressed = False
        shared = _overlaps(boxes, np.array([box]), np.array(kept[compared[box] :], np.int64))[0]
        for share in shared[::-1]:
            suppressed = bool(share >= limit)
            if suppressed:
                break
            if scale:
                current[box] *= np.exp(np.float32(scale * share * share))
            if current[box] <= least:
                break
        compared[box] = len(kept)
        if not suppressed and current[box] == before:
            kept.append(box)
        if suppressed or current[box] == before or current[box] <= least:
            waiting[box] = False
    indices, best = np.zeros(size, np.int32), np.zeros(size, np.float32)
    indices[: len(kept)], best[: len(kept)] = kept, current[kept]
    return indices, best, np.array(len(kept), np.int32)


@_function(4)
def detections(encodings: np.ndarray, scores: np.ndarray, anchors: np.ndarray, /, *, scales: list[float], classes: int, most: int,
               most_classes: int, most_of_class: int, regular: bool, threshold: float, overlap: float) -> Arrays:
    """The objects found, the best first: boxes [1, n, 4], classes [1, n], scores [1, n], zeros behind, and their number [1]; all float32.

    Operands: encodings [1, box, 4 or more], of (y, x, height, width) against the anchors [box, 4], divided by `scales`;
    scores [1, box, class], with a column for the background in front of those of the `classes`, or without.

    Attributes: `most` objects, of `most_classes` classes each, so n is their product; of the `regular` kind, every class is suppressed by
    itself, keeping `most_of_class`, and an object has one class; boxes with scores from `threshold` on count; they go above an `overlap`.
    """
    boxes = _decoded(encodings[0], anchors, np.array(scales, np.float32))
    of_classes = scores[0][:, scores.shape[2] - classes :]
    found: list[tuple[int, int]] = []
    if regular:
        for category in range(classes):
            found += [(box, category) for box in _detected(boxes, of_classes[:, category], most_of_class, threshold, overlap)]
        found = [found[k] for k in np.argsort([-of_classes[f] for f in found], kind="stable")[:most]]
        count = len(found)
    else:
        best = np.argsort(-of_classes, 1, kind="stable")[:, :most_classes]
        picked = _detected(boxes, of_classes.max(1), most, threshold, overlap)
        found = [(box, int(category)) for box in picked for category in best[box]]
        count = len(picked)
    size = most * most_classes
    results = np.zeros((size, 4), np.float32), np.zeros(size, np.float32), np.zeros(size, np.float32)
    for k, (box, category) in enumerate(found):
        results[0][k], results[1][k], results[2][k] = boxes[box], category, of_classes[box, category]
    return results[0][None], results[1][None], results[2][None], np.array([count], np.float32)


def _detected(boxes: np.ndarray, scores: np.ndarray, most: int, threshold: float, overlap: float) -> list[int]:
    eligible = np.flatnonzero(scores >= np.float32(threshold))
    return _suppressed(boxes, eligible[np.argsort(-scores[eligible], kind="stable")], most, overlap)


def _decoded(encodings: np.ndarray, anchors: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Corners (y, x, y, x) of the boxes that encodings say against anchors."""
    center = encodings[:, :2] / scales[:2] * anchors[:, 2:4] + anchors[:, :2]
    half = np.float32(0.5) * np.exp(encodings[:, 2:4] / scales[2:]) * anchors[:, 2:4]
    return np.concatenate([center - half, center + half], 1).astype(np.float32)


def _suppressed(boxes: np.ndarray, order: np.ndarray, most: int, overlap: float) -> list[int]:
    """Of the boxes in an order, at most so many of those that overlap with none kept before by more than `overlap`."""
    kept: list[int] = []
    while len(order) and len(kept) < most:
        kept.append(int(order[0]))
        order = order[1:][_overlaps(boxes[order], np.array([0]))[0, 1:] <= np.float32(overlap)]
    return kept


def _overlaps(boxes: np.ndarray, some: np.ndarray | None = None, others: np.ndarray | None = None) -> np.ndarray:
    """Intersection over union of some boxes (all) with others (all); 0 with those that have no area.

    A box has two opposite corners, in any order.
    """
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:4]), np.maximum(boxes[:, :2], boxes[:, 2:4])
    areas = (high - low).prod(1)
    rows = slice(None) if some is None else some
    columns = slice(None) if others is None else others
    height, width = (np.minimum.outer(high[rows, d], high[columns, d]) - np.maximum.outer(low[rows, d], low[columns, d]) for d in (0, 1))
    common = np.maximum(height, 0) * np.maximum(width, 0)
    area, of_others = areas[rows, None], areas[None, columns]
    shared = np.zeros_like(common)
    np.divide(common, area + of_others - common, out=shared, where=(area > 0) & (of_others > 0))
    return shared


def _corners(boxes: np.ndarray) -> np.ndarray:
    """Corners of boxes that are (x, y, width, height), of their centers."""
    half = boxes[:, 2:4] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], 1)
