"""Einstein's summation, by diagonals, sums, transposes and matrix products."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod

from ..errors import Unsupported
from .elementwise import Elementwise
from .importing import OnnxNode, SourceNode, onnx_op
from .matmul import MatMul
from .movement import Broadcast, Reshape, Slice, Transpose
from .reduce import reduced

Label = str | int
"""Of an axis: a letter, or, within an ellipsis, the number of axes from there to its end, negative."""


@dataclass(frozen=True)
class _Term:
    """A value, and a label for each of its axes."""

    value: str
    labels: tuple[Label, ...]


@onnx_op("Einsum")
def onnx_einsum(n: OnnxNode) -> str:
    given, _, wanted = str(n.attr("equation")).replace(" ", "").partition("->")
    texts = given.split(",")
    if len(texts) != len(n):
        raise Unsupported(f"an equation of {len(texts)} terms for {len(n)} operands")
    terms = [_Term(v, _labels(text, len(n.shape(v)))) for text, v in zip(texts, n.inputs)]
    counts = Counter(label for t in terms for label in t.labels)
    around = tuple(sorted(label for label in counts if isinstance(label, int)))
    if "->" in n.attr("equation"):
        result = _labels(wanted, len(wanted.replace("...", "")) + len(around))
    else:
        result = (*around, *sorted(label for label, count in counts.items() if isinstance(label, str) and count == 1))
    if len(set(result)) < len(result) or not counts.keys() >= set(result):
        raise Unsupported(f"the result of '{n.attr('equation')}' does not name axes of the operands, each once")
    terms = [_diagonal(n, t) for t in terms]
    extents = {label: max(n.shape(t.value)[t.labels.index(label)] for t in terms if label in t.labels) for label in counts}
    terms = [_narrow(n, t, extents) for t in terms]
    total = terms[0]
    for k, term in enumerate(terms[1:], 2):
        total = _product(n, total, term, {*result, *(label for t in terms[k:] for label in t.labels)})
    total = _summed(n, total, set(result))
    y = _transposed(n, total, [label for label in result if label in total.labels])
    shape = tuple(extents[label] for label in result)
    y = n.emit(Reshape(tuple(extents[label] if label in total.labels else 1 for label in result)), y)
    return n.emit(Broadcast(shape), y) if n.shape(y) != shape else y


def _labels(text: str, rank: int) -> tuple[Label, ...]:
    """The labels of a term: its letters, and what an ellipsis stands for."""
    first, ellipsis, last = text.partition("...")
    inside = rank - len(first) - len(last)
    if inside < 0 or (inside and not ellipsis) or (not (first + last).isalpha() and first + last):
        raise Unsupported(f"the term '{text}' for a tensor of rank {rank}")
    return (*first, *range(-inside, 0), *last)


def _diagonal(n: SourceNode, term: _Term) -> _Term:
    """A term in which no label stands twice."""
    repeated = next((label for label, count in Counter(term.labels).items() if count > 1), None)
    if repeated is None:
        return term
    first, second = [d for d, label in enumerate(term.labels) if label == repeated][:2]
    shape = n.shape(term.value)
    extent = shape[first]
    if shape[second] != extent:
        raise Unsupported(f"axes {first} and {second} of {n.type(term.value)}, both '{repeated}', are of unlike extent")
    rest = [d for d in range(len(shape)) if d not in (first, second)]
    outer = tuple(shape[d] for d in rest)
    square = n.emit(Reshape((*outer, extent * extent)), n.emit(Transpose((*rest, first, second)), term.value))
    steps = (*[1] * len(outer), extent + 1)
    value = n.emit(Slice((0,) * len(steps), (*outer, extent), steps), square)
    return _diagonal(n, _Term(value, (*(term.labels[d] for d in rest), repeated)))


def _narrow(n: SourceNode, term: _Term, extents: dict[Label, int]) -> _Term:
    """A term without the axes that would be broadcast."""
    shape = n.shape(term.value)
    wrong = [label for label, e in zip(term.labels, shape) if e not in (1, extents[label])]
    if wrong:
        raise Unsupported(f"axis '{wrong[0]}' has extent {extents[wrong[0]]} in one operand and another in {n.type(term.value)}")
    kept = [d for d, label in enumerate(term.labels) if shape[d] == extents[label]]
    if len(kept) == len(shape):
        return term
    return _Term(n.emit(Reshape(tuple(shape[d] for d in kept)), term.value), tuple(term.labels[d] for d in kept))


def _summed(n: SourceNode, term: _Term, wanted: set[Label]) -> _Term:
    """A term summed over the labels that nobody wants."""
    axes = [d for d, label in enumerate(term.labels) if label not in wanted]
    if not axes:
        return term
    return _Term(reduced(n, "sum", term.value, axes, False), tuple(label for label in term.labels if label in wanted))


def _product(n: SourceNode, a: _Term, b: _Term, wanted: set[Label]) -> _Term:
    """The product of two terms, summed over the labels of both that nobody else wants."""
    a, b = _summed(n, a, wanted | set(b.labels)), _summed(n, b, wanted | set(a.labels))
    both = [label for label in a.labels if label in b.labels]
    batch, inner = [label for label in both if label in wanted], [label for label in both if label not in wanted]
    rows, columns = [label for label in a.labels if label not in both], [label for label in b.labels if label not in both]
    extents = dict(zip(a.labels, n.shape(a.value))) | dict(zip(b.labels, n.shape(b.value)))
    labels = (*batch, *rows, *columns)
    outer, m, k, c = (tuple(extents[label] for label in group) for group in (batch, rows, inner, columns))
    left, right = _transposed(n, a, [*batch, *rows, *inner]), _transposed(n, b, [*batch, *inner, *columns])
    if not inner:
        left = n.emit(Reshape((*outer, *m, *[1] * len(c))), left)
        right = n.emit(Reshape((*outer, *[1] * len(m), *c)), right)
        return _Term(n.emit(Elementwise("mul"), left, right), labels)
    left = n.emit(Reshape((prod(outer), prod(m), prod(k))), left)
    right = n.emit(Reshape((prod(outer), prod(k), prod(c))), right)
    return _Term(n.emit(Reshape((*outer, *m, *c)), n.emit(MatMul(), left, right)), labels)


def _transposed(n: SourceNode, term: _Term, labels: list[Label]) -> str:
    return n.emit(Transpose(tuple(term.labels.index(label) for label in labels)), term.value)
