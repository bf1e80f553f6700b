"""Mutations of TFLite models in place: numbers of the schema's tables set to others, wherever the file has them."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tflite

from tests.fuzz.octets import HOSTILE, number

WIDTHS = {1: "<b", 2: "<h", 4: "<i", 8: "<q"}
OPTIONS = 8
"""Fields of an operator's options that are tried."""


@dataclass(frozen=True)
class Place:
    """Where a number lies, or a text.

    Attributes:
        kind: what it says.
        width: its bytes.
    """

    kind: str
    start: int
    width: int


def mutate(r: random.Random, data: bytes) -> bytes:
    """Another model, by a few numbers that are others."""
    changed = bytearray(data)
    by_kind: dict[str, list[Place]] = {}
    for place in places(data):
        by_kind.setdefault(place.kind, []).append(place)
    for _ in range(r.choice((1, 1, 2, 4, 8))):
        place = r.choice(by_kind[r.choice(sorted(by_kind))])
        changed[place.start : place.start + place.width] = _content(r, place, data)
    return bytes(changed)


def _content(r: random.Random, place: Place, data: bytes) -> bytes:
    if place.kind == "name":
        return r.choice(HOSTILE).encode()[: place.width].ljust(place.width, b"\xff" if r.random() < 0.1 else b" ")
    if place.kind == "buffer" and r.random() < 0.3:
        return r.randbytes(place.width)
    bits = 8 * place.width
    value = r.choice((number(r, bits), r.randrange(-2, 12), r.randrange(128), data[place.start] + r.choice((1, -1))))
    half = 1 << (bits - 1)
    return struct.pack(WIDTHS[place.width], (value + half) % (2 * half) - half)


def places(data: bytes) -> Iterator[Place]:
    """All numbers of a valid file that decide something."""
    model = tflite.Model.GetRootAs(data, 0)
    for k in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(k)
        yield from _scalars("code", code, (1, 4, 4, 4), (0, 2, 3))
    for k in range(model.BuffersLength()):
        buffer = model.Buffers(k)
        width = 4 if buffer.DataLength() % 4 == 0 else 1
        yield from _vector("buffer", buffer, 0, width, buffer.DataLength() // width)
    for k in range(model.SubgraphsLength()):
        yield from _subgraph(model.Subgraphs(k))


def _subgraph(graph: Any) -> Iterator[Place]:
    yield from _vector("operand", graph, 1, 4)
    yield from _vector("operand", graph, 2, 4)
    for k in range(graph.TensorsLength()):
        tensor = graph.Tensors(k)
        yield from _vector("shape", tensor, 0, 4)
        yield from _vector("length", tensor, 0, 4, 0, header=True)
        yield from _scalars("type", tensor, (4, 1, 4, 4, 4, 1), (1, 5))
        yield from _scalars("buffer number", tensor, (4, 1, 4), (2,))
        yield from _text(tensor, 3)
        quantization = tensor.Quantization()
        if quantization is not None:
            yield from _vector("quantization", quantization, 2, 4)
            yield from _vector("quantization", quantization, 3, 8)
            yield from _vector("length", quantization, 2, 4, 0, header=True)
        sparsity = tensor.Sparsity()
        if sparsity is not None:
            yield from _vector("sparsity", sparsity, 0, 4)
            yield from _vector("sparsity", sparsity, 1, 4)
            for d in range(sparsity.DimMetadataLength()):
                yield from _scalars("sparsity", sparsity.DimMetadata(d), (1, 4), (0, 1))
    for k in range(graph.OperatorsLength()):
        operator = graph.Operators(k)
        yield from _scalars("operator", operator, (4,), (0,))
        yield from _vector("operand", operator, 1, 4)
        yield from _vector("operand", operator, 2, 4)
        yield from _scalars("options", operator, (4, 4, 4, 1), (3,))
        options = operator.BuiltinOptions() or operator.BuiltinOptions2()
        if options is not None:
            table = tflite.Operator()
            table.Init(options.Bytes, options.Pos)
            yield from _scalars("option", table, (4,) * OPTIONS, range(OPTIONS))


def _scalars(kind: str, table: Any, widths: tuple[int, ...], fields: Any) -> Iterator[Place]:
    for field in fields:
        offset = table._tab.Offset(4 + 2 * field)
        start = table._tab.Pos + offset
        if offset and start + widths[field] <= len(table._tab.Bytes):
            yield Place(kind, start, widths[field])


def _vector(kind: str, table: Any, field: int, width: int, count: int | None = None, *, header: bool = False) -> Iterator[Place]:
    """The elements of a vector, or its length."""
    offset = table._tab.Offset(4 + 2 * field)
    if offset:
        start = table._tab.Vector(offset)
        if header:
            yield Place(kind, start - 4, 4)
        for k in range(min(table._tab.VectorLen(offset) if count is None else count, 64)):
            yield Place(kind, start + k * width, width)


def _text(table: Any, field: int) -> Iterator[Place]:
    offset = table._tab.Offset(4 + 2 * field)
    if offset:
        yield Place("name", table._tab.Vector(offset), table._tab.VectorLen(offset))
