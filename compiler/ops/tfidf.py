"""How often runs of given integers stand in rows of integers."""

from __future__ import annotations

import numpy as np

from ..errors import Unsupported
from .elementwise import Cast, Elementwise
from .importing import OnnxNode, onnx_op
from .matmul import MatMul
from .movement import Reshape
from .reduce import Reduce
from .reshaping import cut

FLOAT = np.dtype(np.float32)


@onnx_op("TfIdfVectorizer")
def onnx_tfidf(n: OnnxNode) -> str:
    """[C] or [N,C] -> the number of n-grams at their columns, or their weights (IDF), or both multiplied.

    `ngram_counts` says where in the pool the n-grams of each length begin; of the elements of one, up to `max_skip_count` may
    be left out between neighbours, the same number everywhere.
    """
    if n.attr("pool_int64s") is None:
        raise Unsupported("n-grams of text; pool_int64s would be accepted")
    pool, starts = np.asarray(n.attr("pool_int64s"), np.int64), [int(k) for k in n.attr("ngram_counts")]
    columns, mode = [int(k) for k in n.attr("ngram_indexes")], n.attr("mode")
    weights = np.asarray(n.attr("weights") or [1.0] * len(columns), np.float32)
    shape = n.shape(0)
    width = max(columns) + 1
    x = n.emit(Reshape((int(np.prod(shape[:-1], dtype=np.int64)), shape[-1], 1)), n.input(0))
    x = x if n.type(x).dtype == np.int64 else n.emit(Cast(np.dtype(np.int64)), x)
    totals, placed = [], 0
    for size, (start, end) in enumerate(zip(starts, [*starts[1:], len(pool)]), 1):
        grams = pool[start:end].reshape(-1, size)
        place = columns[placed : placed + len(grams)]
        placed += len(grams)
        if not n.attr("min_gram_length") <= size <= n.attr("max_gram_length") or not len(grams):
            continue
        selection = np.zeros(n.checked((len(grams), width), np.float32), np.float32)
        selection[np.arange(len(grams)), place] = 1
        totals += [n.emit(MatMul(), counts, n.add_constant(selection))
                   for skip in range(n.attr("max_skip_count") + 1 if size > 1 else 1) if (counts := _counts(n, x, grams, skip + 1))]
    by_column = np.zeros(n.checked((width,)), np.float32)
    by_column[columns] = weights
    if not totals:
        return n.add_constant(np.zeros(n.checked((*shape[:-1], width), np.float32), np.float32))
    y = totals[0]
    for total in totals[1:]:
        y = n.emit(Elementwise("add"), y, total)
    y = n.emit(Reshape((*shape[:-1], width)), y)
    if mode == "IDF":
        y = n.emit(Cast(FLOAT), n.emit(Elementwise("greater"), y, n.scalar(0, y)))
    return y if mode == "TF" else n.emit(Elementwise("mul"), y, n.add_constant(by_column))


def _counts(n: OnnxNode, x: str, grams: np.ndarray, step: int) -> str:
    """[N,C,1] and n-grams [K,size] -> [N,K]: how often each stands in a row with its elements `step` apart; "" where none fits."""
    size = grams.shape[1]
    room = n.shape(x)[1] - (size - 1) * step
    if room <= 0:
        return ""
    found = ""
    for k in range(size):
        element = cut(n, x, {1: (k * step, room, 1)})
        same = n.emit(Elementwise("equal"), element, n.add_constant(grams[:, k]))
        found = n.emit(Elementwise("logical_and"), found, same) if found else same
    return n.emit(Reduce("sum", (1,)), n.emit(Cast(FLOAT), found))
