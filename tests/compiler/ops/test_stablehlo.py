"""StableHLO's operators, against numpy; TFLite's own, against LiteRT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers

from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from tests.harness import floats
from tests.oracles import evaluated, litert, same, write
from tests.tflite_writer import TfliteWriter

A, B = floats((2, 3, 4), (2, 3, 4))
INT, BY = np.array([[5, -7, 1], [-(1 << 30), 0, 9]], np.int32), np.array([[2, 3, 31], [1, 33, -1]], np.int32)
TRUE, FALSE = A > 0, B > 0
CASES: list[tuple[str, list[np.ndarray], Callable[..., Any]]] = [
    ("STABLEHLO_ABS", [A], np.abs), ("STABLEHLO_ADD", [A, B], np.add), ("STABLEHLO_AND", [TRUE, FALSE], np.logical_and),
    ("STABLEHLO_AND", [INT, BY], np.bitwise_and), ("STABLEHLO_CBRT", [A], np.cbrt), ("STABLEHLO_CBRT", [np.float32([0, -8, 27])], np.cbrt),
    ("STABLEHLO_CLAMP", [np.float32(-0.5), A, np.float32(0.75)], lambda a, x, b: np.clip(x, a, b)),
    ("STABLEHLO_COSINE", [A], np.cos), ("STABLEHLO_DIVIDE", [A, B], np.divide), ("STABLEHLO_EXPONENTIAL", [A], np.exp),
    ("STABLEHLO_FLOOR", [A], np.floor), ("STABLEHLO_LOG", [abs(A)], np.log), ("STABLEHLO_LOGISTIC", [A], lambda x: 1 / (1 + np.exp(-x))),
    ("STABLEHLO_MAXIMUM", [A, B], np.maximum), ("STABLEHLO_MINIMUM", [A, B], np.minimum), ("STABLEHLO_MULTIPLY", [A, B], np.multiply),
    ("STABLEHLO_NEGATE", [A], np.negative), ("STABLEHLO_OR", [TRUE, FALSE], np.logical_or), ("STABLEHLO_OR", [INT, BY], np.bitwise_or),
    ("STABLEHLO_POWER", [abs(A), B], np.power), ("STABLEHLO_REMAINDER", [A, B], np.fmod), ("STABLEHLO_REMAINDER", [INT, abs(BY)], np.fmod),
    ("STABLEHLO_RSQRT", [abs(A)], lambda x: 1 / np.sqrt(x)), ("STABLEHLO_SELECT", [TRUE, A, B], np.where),
    ("STABLEHLO_SHIFT_LEFT", [INT, BY], lambda x, y: np.where((y >= 0) & (y < 32), x << np.clip(y, 0, 31), 0).astype(np.int32)),
    ("STABLEHLO_SUBTRACT", [A, B], np.subtract), ("STABLEHLO_TANH", [A], np.tanh),
    *((f"STABLEHLO_{name}", [TRUE, FALSE], fn) for name, fn in (("ADD", np.add), ("MULTIPLY", np.multiply), ("MAXIMUM", np.maximum),
                                                               ("MINIMUM", np.minimum))),
]  # fmt: skip


@pytest.mark.parametrize(("op", "arrays", "expected"), CASES, ids=[f"{op}-{k}" for k, (op, *_) in enumerate(CASES)])
def test_elementwise(tmp_path: Path, op: str, arrays: list[np.ndarray], expected: Callable[..., Any]) -> None:
    m = TfliteWriter()
    names = [m.input(f"x{k}", a.shape, a.dtype.name) for k, a in enumerate(arrays)]
    wanted = np.asarray(expected(*arrays))
    m.output(m.op(op, names, {}, shape=wanted.shape, dtype=wanted.dtype.name))
    same(evaluated(write(tmp_path, m), arrays), [wanted])


def broadcast(x: np.ndarray, dimensions: list[int], shape: tuple[int, ...], signature: tuple[int, ...] | None = None) -> TfliteWriter:
    m = TfliteWriter()
    names = [m.input("x", x.shape, "float32"), m.constant(np.array(dimensions, np.int64))]
    m.output(*m.op("STABLEHLO_BROADCAST_IN_DIM", names, {}, outputs=[(shape, "float32", None, signature)]))
    return m


def test_broadcast(tmp_path: Path) -> None:
    (x,) = floats((3, 1))
    path = write(tmp_path, broadcast(x, [1, 3], (2, 3, 5, 4)))
    same(evaluated(path, [x]), [np.broadcast_to(x[None, :, None], (2, 3, 5, 4))])
    with pytest.raises(UnsupportedError, match="in rising order"):
        load(write(tmp_path, broadcast(x, [3, 1], (2, 3, 5, 4))))
    with pytest.raises(UnsupportedError, match="the file leaves extents open; a whole shape would be accepted"):
        load(write(tmp_path, broadcast(x, [1, 3], (2, 3, 5, 4), (-1, 3, 5, 4))))


@pytest.mark.parametrize("x", [A, INT])
def test_bucketize(tmp_path: Path, x: np.ndarray) -> None:
    m = TfliteWriter()
    names = [m.input("x", x.shape, x.dtype.name)]
    m.output(m.op("BUCKETIZE", names, {"boundaries": [-1.0, 0.0, 0.5, 5.0]}, shape=x.shape, dtype="int32"))
    path = write(tmp_path, m)
    same(evaluated(path, [x]), litert(path, [x]))


def test_composite(tmp_path: Path) -> None:
    m = TfliteWriter()
    x = m.input("x", A.shape, "float32")
    inner = m.subgraph("twice")
    given = inner.input("a", A.shape, "float32")
    inner.output(inner.op("ADD", [given, given], {}, shape=A.shape, dtype="float32"))
    options = {"name": "my.twice", "decomposition_subgraph_index": inner.index, "composite_attributes": list(flexbuffers.Dumps({}))}
    composite = m.op("STABLEHLO_COMPOSITE", [x], options, shape=A.shape, dtype="float32")
    m.output(m.op("NEG", [composite], {}, shape=A.shape, dtype="float32"))
    path = write(tmp_path, m)
    same(evaluated(path, [A]), litert(path, [A]))
