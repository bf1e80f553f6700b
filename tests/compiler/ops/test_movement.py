"""Every movement of data on the device, from and to every layout and type of element, against numpy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from planish.compiler.errors import GraphError
from planish.compiler.ir import Graph, Node, Step, TensorType
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.gather import Gather
from planish.compiler.ops.movement import Broadcast, Concat, Copy, DepthToSpace, Pad, Reshape, Shuffle, Slice, SpaceToDepth, Tile, Transpose
from planish.compiler.ops.pool import Pool2D
from planish.compiler.targets import Target
from tests.harness import CPU, GPU, check_graph

KERNELS = pytest.mark.device
BLOCKED = Pool2D("max", (1, 1))
"""An op in front that changes nothing and leaves its result in blocked channels."""


def data(shape: Sequence[int], dtype: str = "float32", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if np.dtype(dtype).kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def check_moves(ops: Sequence[Any], x: np.ndarray, *, blocked: bool = False, framed: bool = False, epilogue: bool = False,
                index: np.ndarray | None = None, precision: str = "f32", targets: Sequence[Target] = (CPU, GPU)) -> None:
    """Every op on x, in one graph.

    Args:
        precision: "f16" also lets x come from a buffer of halves.
        blocked: x comes in blocked channels; framed: results go through another op; epilogue: steps behind every op.
        index: the other operand of a Gather, fed.
    """
    graph, feed = Graph(), {"x": x}
    value = graph.add_input("x", TensorType.of(x))
    if precision == "f16":
        value = graph.add_node(Node("half", Elementwise("abs"), (value,), ("halves",))).output
    if blocked:
        value = graph.add_node(Node("block", BLOCKED, (value,), ("blocked",))).output
    if index is not None:
        feed["index"] = index
        graph.add_input("index", TensorType.of(index))
    for k, op in enumerate(ops):
        inputs = (value, "index") if isinstance(op, Gather) else (value,)
        shape = op.infer(*(graph.type(v) for v in inputs))[0].shape
        steps: tuple[Step, ...] = ()
        if epilogue:
            scale, shift = data(shape[-1:], seed=k), data((*shape[:1], *[1] * (len(shape) - 1)), seed=k + 1)
            feed[f"shift{k}"] = shift
            graph.add_input(f"shift{k}", TensorType.of(shift))
            steps = (Step(Elementwise("mul"), (0, graph.add_constant(scale))), Step(Elementwise("add"), (1, f"shift{k}")),
                     Step(Elementwise("maximum"), (0, 2)))
        name = graph.add_node(Node(f"op{k}", op, inputs, (f"y{k}",), steps)).output
        if framed:
            name = graph.add_node(Node(f"frame{k}", Elementwise("neg"), (name,), (f"z{k}",))).output
        graph.outputs[f"out{k}"] = name
    graph.verify()
    assert check_graph(graph, feed, targets=targets, candidates=1, precision=precision, what=f"{x.dtype}{x.shape}") == len(targets)


IMAGE = [
    Copy(),
    Slice((0, 1, 0, 0), (3, 2, 6, 20), (1, 2, 1, 1)),
    Slice((2, 3, 5, 19), (3, 4, 3, 10), (-1, -1, -2, -2)),
    Slice((1, 0, 2, 3), (1, 4, 4, 16), (1, 1, 1, 1)),
    Slice((0, 0, 0, 4), (3, 4, 6, 8), (1, 1, 1, 1)),
    Slice((0, 0, 0, 0), (3, 4, 6, 17), (1, 1, 1, 1)),
    Pad(((0, 0), (1, 2), (0, 3), (0, 0))),
    Pad(((1, 0), (0, 0), (2, 0), (3, 5)), "constant", 2.5),
    Pad(((0, 0), (2, 1), (3, 5), (0, 0)), "reflect"),
    Pad(((0, 1), (4, 3), (2, 0), (5, 20)), "symmetric"),
    Pad(((2, 0), (0, 3), (1, 1), (0, 4)), "edge"),
    Pad(((0, 0), (3, 4), (2, 1), (1, 0)), "wrap"),
    Pad(((0, 0), (-1, 2), (3, -2), (-4, 1))),
    Shuffle(3, 4),
    Shuffle(3, 10),
    Shuffle(1, 2),
    Tile((1, 2, 1, 3)),
    Tile((2, 1, 3, 1)),
    Broadcast((2, 3, 4, 6, 20)),
    Reshape((3, 24, 20)),
    Reshape((2, 3, 5, 6, 8)),
    DepthToSpace(2),
    DepthToSpace(2, columns_last=True),
    SpaceToDepth(2),
    Transpose((0, 2, 1, 3)),
    Transpose((3, 0, 1, 2)),
]
RAGGED = [
    Copy(),
    Slice((0, 1, 1, 1), (1, 4, 2, 16), (1, 1, 2, 1)),
    Pad(((0, 0), (1, 1), (2, 0), (0, 0)), "constant", -1.0),
    Pad(((0, 0), (1, 0), (0, 2), (2, 1)), "reflect"),
    Tile((2, 1, 2, 2)),
    Reshape((17, 6, 5)),
    SpaceToDepth(1),
    DepthToSpace(1),
    Transpose((0, 3, 1, 2)),
]


@KERNELS
@pytest.mark.parametrize(("blocked", "framed"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize(("ops", "shape"), [(IMAGE, (3, 4, 6, 20)), (RAGGED, (1, 5, 6, 17))], ids=["image", "ragged"])
def test_images(ops: Sequence[Any], shape: tuple[int, ...], blocked: bool, framed: bool) -> None:
    check_moves(ops, data(shape), blocked=blocked, framed=framed)


@KERNELS
@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize(("ops", "shape"), [(IMAGE, (3, 4, 6, 20)), (RAGGED, (1, 5, 6, 17))], ids=["image", "ragged"])
def test_steps_behind(ops: Sequence[Any], shape: tuple[int, ...], blocked: bool) -> None:
    check_moves(ops[blocked::2], data(shape), blocked=blocked, framed=blocked, epilogue=True)


@KERNELS
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint16", "float16", "int32", "int64", "uint64", "float64"])
def test_every_width(dtype: str) -> None:
    ops = [Pad(((0, 0), (1, 0), (0, 1), (2, 0)), "constant", 1), *(IMAGE[k] for k in (2, 6, 8, 13, 15, 17, 20, 22))]
    check_moves(ops, data((3, 4, 6, 20), dtype))
    check_moves(ops[:3], data((3, 4, 6, 20), dtype), blocked=dtype != "bool")


@KERNELS
@pytest.mark.parametrize("blocked", [False, True])
def test_half_precision(blocked: bool) -> None:
    x = data((3, 4, 6, 20)).astype(np.float16).astype(np.float32)
    check_moves(IMAGE[blocked::3], x, blocked=blocked, framed=True, precision="f16")


@KERNELS
@pytest.mark.parametrize(("rank", "blocked"), [(1, False), (2, False), (3, False), (4, False), (4, True)])
def test_every_permutation(rank: int, blocked: bool) -> None:
    ops = [Transpose(p) for p in permutations(range(rank))]
    check_moves(ops, data((3, 4, 5, 16)[-rank:]), blocked=blocked, targets=(GPU if blocked else CPU,))


MANY = [
    ((), [Broadcast((3, 17)), Reshape((1, 1)), Copy()]),
    ((7,), [Slice((6,), (4,), (-2,)), Tile((3,)), Pad(((2, 1),), "edge"), Broadcast((2, 3, 7)), Reshape((7, 1))]),
    ((6, 64), [Transpose((1, 0)), Slice((1, 3), (5, 40), (1, 1)), Pad(((1, 0), (0, 64)), "wrap"), Reshape((64, 6)), Tile((2, 1))]),
    ((2, 3, 1, 4, 5), [Transpose((4, 0, 3, 1, 2)), Transpose((1, 0, 2, 3, 4)), Pad(((0, 0), (1, 1), (0, 1), (0, 0), (2, 2))),
                       Slice((1, 2, 0, 0, 4), (1, 3, 1, 2, 5), (1, -1, 1, 2, -1)), Broadcast((2, 3, 6, 4, 5)), Reshape((5, 4, 6))]),
    ((2, 3, 2, 2, 3, 16), [Transpose((5, 4, 3, 2, 1, 0)), Transpose((0, 1, 4, 2, 3, 5)), Tile((1, 2, 1, 2, 1, 1)),
                           Pad(((0, 0), (1, 0), (0, 0), (0, 1), (0, 0), (0, 0)), "symmetric"), Reshape((6, 4, 48))]),
]  # fmt: skip


@KERNELS
@pytest.mark.parametrize(("shape", "ops"), MANY, ids=[f"rank {len(s)}" for s, _ in MANY])
@pytest.mark.parametrize("epilogue", [False, True])
def test_every_rank(shape: tuple[int, ...], ops: Sequence[Any], epilogue: bool) -> None:
    check_moves(ops, data(shape), epilogue=epilogue and bool(shape))


@KERNELS
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int64"])
@pytest.mark.parametrize(
    ("shape", "axis", "batch", "index"),
    [
        ((5, 16), 0, 0, np.array([4, 0, -1, 2, 2])),
        ((5, 17), 0, 0, np.array([[1, -5], [0, 3]], np.int32)),
        ((4, 6), 1, 0, np.array(3, np.uint8)),
        ((4, 7), 1, 0, np.array([[6, 0, 1, -2, 5]])),
        ((2, 3, 4, 8), 2, 0, np.array([3, 3, 0], np.int16)),
        ((3, 5, 8), 1, 1, np.array([[4, 0], [1, -1], [2, 2]])),
        ((2, 3, 4, 5), 3, 2, np.array([[[1], [2], [3]], [[-1], [0], [4]]], np.int32)),
        ((9,), 0, 0, np.array(-9)),
    ],
    ids=str,
)
def test_gather(shape: tuple[int, ...], axis: int, batch: int, index: np.ndarray, dtype: str) -> None:
    op = Gather(axis, batch)
    check_moves([op], data(shape, dtype), index=index)
    if dtype == "float32" and len(shape) > 1:
        check_moves([op], data(shape), index=index, epilogue=True)


@KERNELS
def test_gather_from_blocks_and_out_of_range() -> None:
    x = data((1, 4, 6, 17))
    check_moves([Gather(0), Gather(1), Gather(3)], x, index=np.array([0, -1]), blocked=True, framed=True)
    graph = Graph()
    graph.add_input("i", TensorType((2,), np.dtype(np.int64)))
    graph.add_node(Node("op", Gather(0), (graph.add_constant(data((5, 4))), "i"), ("y",)))
    graph.outputs["y"] = "y"
    assert check_graph(graph, {"i": np.array([-5, 4])}, targets=[CPU]) == 1


CONCATS = [
    # axis, shapes of the parts
    (3, [(2, 3, 4, 16), (2, 3, 4, 32), (2, 3, 4, 5)]),
    (3, [(2, 3, 4, 3), (2, 3, 4, 17), (2, 3, 4, 1)]),
    (3, [(3, 2, 2, 1)] * 5),
    (0, [(1, 3, 4, 5), (2, 3, 4, 5)]),
    (1, [(2, 3, 4, 17), (2, 1, 4, 17)]),
    (2, [(1, 3, 4, 8), (1, 3, 1, 8), (1, 3, 2, 8)]),
]


@KERNELS
@pytest.mark.parametrize(("axis", "shapes"), CONCATS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_concat(axis: int, shapes: list[tuple[int, ...]], dtype: str) -> None:
    """Parts in blocks, as they are fed, constant, and once more; the whole goes on, and out."""
    graph, feed, parts = Graph(), {}, []
    for k, shape in enumerate(shapes):
        feed[f"x{k}"] = data(shape, dtype, k)
        parts.append(graph.add_input(f"x{k}", TensorType.of(feed[f"x{k}"])))
        if k != 1:
            parts[-1] = graph.add_node(Node(f"block{k}", BLOCKED, (f"x{k}",), (f"b{k}",))).output
    parts += [graph.add_constant(data(shapes[0], dtype, 9)), parts[0]]
    for k, inputs in enumerate((parts, parts[:2], parts[1:3])):
        graph.add_node(Node(f"op{k}", Concat(axis), tuple(inputs), (f"y{k}",)))
        graph.add_node(Node(f"on{k}", Elementwise("neg"), (f"y{k}",), (f"z{k}",)))
        graph.outputs |= {f"z{k}": f"z{k}", f"y{k}": f"y{k}"} if k < 2 else {f"z{k}": f"z{k}"}
    graph.verify()
    assert check_graph(graph, feed, targets=(CPU, GPU), candidates=1) == 2


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (Transpose((0, 0)), [(2, 3)], "does not permute"),
        (Reshape((4,)), [(2, 3)], "does not have the elements"),
        (Slice((0, 2), (2, 2), (1, 1)), [(2, 3)], "lies outside"),
        (Concat(0), [(2, 3), (2, 4)], "does not continue"),
        (Pad(((3, 0),), "reflect"), [(3,)], "cannot be padded"),
        (Pad(((-3, 2),), "symmetric"), [(4,)], "cannot be padded"),
        (Pad(((-2, -2),)), [(3,)], "cannot be padded"),
        (Pad(((0, 0),)), [(3, 3)], "padding of 1 axes"),
        (Tile((2,)), [(3, 3)], "1 repeats"),
        (Broadcast((3, 4)), [(3, 1, 1)], "does not broadcast"),
        (DepthToSpace(2), [(1, 2, 2, 6)], "no channels"),
        (SpaceToDepth(2), [(1, 3, 2, 6)], "does not divide"),
        (Gather(0, 1), [(3, 4), (3,)], "does not pick"),
    ],
)
def test_what_they_refuse(op: Any, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        op.infer(*(TensorType(s, np.dtype(np.int32)) for s in shapes))
