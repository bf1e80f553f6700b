"""The table of element-wise functions, casts, broadcasting and chains of steps, on the device against numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from planish.compiler import driver, memory
from planish.compiler.errors import GraphError
from planish.compiler.ir import Arg, Graph, Node, Step, TensorType
from planish.compiler.lower import lower
from planish.compiler.ops.elementwise import TABLE, Cast, Elementwise, literal
from planish.compiler.ops.movement import Pad, Slice
from planish.compiler.ops.pool import Pool2D
from planish.compiler.passes.lay_out import lay_out
from planish.runtime import Session
from planish.runtime.devices import find
from tests.harness import CPU, GPU, Case, check, check_graph, floats

KERNELS = pytest.mark.device
DTYPES = ("float32", "float16", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
PARAMS: dict[str, Sequence[tuple[float, ...]]] = {
    "clip": [(-1.5, 2.0), (0.0, 6.0), (-np.inf, 1.0)], "leaky_relu": [(0.01,), (-0.5,)], "thresholded_relu": [(1.0,), (-0.5,)],
    "elu": [(1.0,), (0.3,)], "celu": [(1.0,), (0.4,), (-2.0,)], "selu": [(1.6732632, 1.050701)], "hard_sigmoid": [(0.2, 0.5), (1 / 6, 0.5)],
    "shrink": [(0.5, 0.0), (1.0, 0.25)],
}  # fmt: skip
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 6.0, 100.0, -100.0, 1e4, -1e4, 3e38, -3e38, 1e-30, np.inf, -np.inf, np.nan)
BLOCKED = Pool2D("max", (1, 1))
"""An op in front that changes nothing and leaves its result in blocked channels."""


def rows(kind: str) -> list[Elementwise]:
    """Every row of the table that takes a kind of element, with its parameters."""
    params = PARAMS if kind == "f" else {"clip": [(1, 5)]}
    return [Elementwise(fn, p) for fn, row in TABLE.items() if kind in row.kinds for p in params.get(fn, [()])]


def numbers(dtype: str) -> np.ndarray:
    """Where functions turn, the ends of the type, and others between."""
    rng, kind = np.random.default_rng(0), np.dtype(dtype).kind
    if kind == "b":
        return np.array([False, True])
    if kind == "f":
        return np.concatenate([np.array(SPECIAL), rng.uniform(-6, 6, 27)]).astype(np.float32)
    info = np.iinfo(dtype)
    known = [info.min, info.min + 1, info.max - 1, info.max, 0, 1, 2, 3, 7, 100, *([-1, -2, -3, -7, -100] if kind == "i" else [])]
    return np.concatenate([np.array(known, dtype), rng.integers(info.min, info.max, 5, dtype, endpoint=True)])


def check_rows(ops: Sequence[Elementwise], x: np.ndarray, y: np.ndarray) -> None:
    """Every op over the same operands of rank 1, in one kernel: part k of the result is that of op k."""
    bits = 8 * x.itemsize
    feed = {"number": np.repeat(np.arange(len(ops), dtype=np.int32), x.size)}
    operands = {"x": x, "y": y, "condition": x > y, "shift": (y.astype(np.int64) % bits).astype(x.dtype) if x.dtype.kind in "iu" else y}
    feed |= {name: np.tile(array, len(ops)) for name, array in operands.items()}
    graph = Graph()
    for name, array in feed.items():
        graph.add_input(name, TensorType.of(array))
    steps: list[Step] = []

    def step(op: Any, *args: Arg) -> int:
        steps.append(Step(op, args))
        return len(steps)

    total = 0
    for k, op in enumerate(ops):
        names = {"where": ("condition", "x", "y"), "shift_left": ("x", "shift"), "shift_right": ("x", "shift")}.get(op.fn, ("x", "y"))
        value = step(op, *names[: op.row.arity])
        if op.row.result == "bool" and x.dtype != np.bool_:
            value = step(Cast(x.dtype), value)
        chosen = step(Elementwise("equal"), "number", graph.add_constant(np.array(k, np.int32)))
        total = step(Elementwise("where"), chosen, value, total)
    graph.add_node(Node("rows", Elementwise("identity"), ("x",), ("z",), tuple(steps)))
    graph.outputs["z"] = "z"
    graph.verify()
    assert check_graph(graph, feed, targets=[CPU, GPU], what=f"{[op.fn for op in ops]} of {x.dtype}") == 2


@KERNELS
@pytest.mark.parametrize("part", range(3))
def test_functions_of_floats(part: int) -> None:
    ops = [op for op in rows("f") if op.row.arity == 1]
    x = numbers("float32")
    check_rows(ops[part::3], x, x)


@KERNELS
def test_functions_of_two_floats() -> None:
    x = numbers("float32")[:34]
    check_rows([op for op in rows("f") if op.row.arity > 1], np.repeat(x, x.size), np.tile(x, x.size))


@KERNELS
@pytest.mark.parametrize("dtype", [d for d in DTYPES if np.dtype(d).kind != "f"])
def test_functions_of_integers_and_truth_values(dtype: str) -> None:
    x = numbers(dtype)
    check_rows(rows(np.dtype(dtype).kind), np.repeat(x, x.size), np.tile(x, x.size))


@KERNELS
@pytest.mark.parametrize("source", DTYPES)
def test_casts(source: str) -> None:
    """To every type, of what both hold: stored, and on the way to another step."""
    x = np.array([0, 1, 2, 3, 100, 127, 1.75, 0.25, *([-1, -2.5, -100, -128] if np.dtype(source).kind in "if" else [])] * 3).astype(source)
    graph = Graph()
    graph.add_input("x", TensorType.of(x))
    for name in DTYPES:
        dtype = np.dtype(name)
        value = graph.add_node(Node(name, Cast(dtype), ("x",), (name,))).output
        if np.dtype(source).kind not in "if" or dtype.kind != "u":
            graph.outputs[name] = value
        back = Node(f"{name}:back", Elementwise("abs" if np.dtype(source).kind in "if" else "identity"), ("x",), (f"{name}:wide",),
                    (Step(Cast(dtype), (0,)), Step(Cast(np.dtype(np.float32)), (1,))))
        graph.outputs[f"{name}:wide"] = graph.add_node(back).output
    graph.sweep()
    assert check_graph(graph, {"x": x}, targets=[CPU]) == 1


@KERNELS
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "int64"])
def test_steps_wrap_as_their_type_does(dtype: str) -> None:
    x = numbers(dtype)
    steps = (Step(Elementwise("mul"), (0, 0)), Step(Elementwise("add"), (1, "three")), Step(Elementwise("div"), (2, "three")))
    extra = (("three", np.array(3, dtype), True),)
    with np.errstate(over="ignore"):
        assert check(Case(Elementwise("add"), [x, x], epilogue=steps, extra=extra), targets=[CPU, GPU]) == 2
