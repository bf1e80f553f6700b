"""The table of element-wise functions, casts, broadcasting and chains of steps, on the device against numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from planish.compiler import driver, memory
from planish.compiler.errors import GraphError
from planish.compiler.ir import Arg, Graph, Node, Step, TensorType, evaluate
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
GRIDS = ("quantize", "fake_quantize")
PARAMS: dict[str, Sequence[tuple[float, ...]]] = {
    "clip": [(-1.5, 2.0), (0.0, 6.0), (-np.inf, 1.0)], "leaky_relu": [(0.01,), (-0.5,)], "thresholded_relu": [(1.0,), (-0.5,)],
    "elu": [(1.0,), (0.3,)], "celu": [(1.0,), (0.4,), (-2.0,)], "selu": [(1.6732632, 1.050701)], "hard_sigmoid": [(0.2, 0.5), (1 / 6, 0.5)],
    "shrink": [(0.5, 0.0), (1.0, 0.25)], "affine": [(-0.5, 2.0)], "scaled_tanh": [(1.7, 0.6)],
    **dict.fromkeys(GRIDS, ((0.5, 3.0, -128.0, 127.0),)), "dequantize": [(0.5, 3.0)],
    "quantize_even": [(0.5, -131.0, 124.0)], "quantize_nudged": [(0.5, -131.0, 124.0, 3.0, 1e-3)],
}  # fmt: skip
OPERANDS = {"where": ("condition", "x", "y"), "shift_left": ("x", "shift"), "shift_right": ("x", "shift"), "sin": ("angle",),
            "cos": ("angle",), "tan": ("angle",), **dict.fromkeys((*GRIDS, "quantize_even", "quantize_nudged"), ("finite",)),
            **dict.fromkeys(("rescale", "rescale_away"), ("part", "y", "right"))}  # fmt: skip
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 6.0, 100.0, -100.0, 1e4, -1e4, 3e38, -3e38, 1e-30,
           np.inf, -np.inf, np.nan)  # fmt: skip
BLOCKED = Pool2D("max", (1, 1))
"""An op in front that changes nothing and leaves its result in blocked channels."""


def rows(dtype: str) -> list[Elementwise]:
    """Every row of the table that takes a type of element, with its parameters."""
    kind, width = np.dtype(dtype).kind, np.dtype(dtype).itemsize
    params = PARAMS if kind == "f" else {"clip": [(1, 5)]}
    takes = [fn for fn, row in TABLE.items() if kind in row.kinds and row.width in (0, width)]
    return [Elementwise(fn, p) for fn in takes for p in params.get(fn, [()])]


def numbers(dtype: str) -> np.ndarray:
    """Where functions turn, the ends of the type, and others between."""
    rng, kind = np.random.default_rng(0), np.dtype(dtype).kind
    if kind == "b":
        return np.array([False, True])
    if kind == "f":
        known = [*SPECIAL, *([1e300, -1e300, 1e-300, 1 + 1e-12, 1e160, -1e160] if dtype == "float64" else [])]
        return np.concatenate([known, rng.uniform(-6, 6, 48 - len(known))]).astype(dtype)
    info = np.iinfo(dtype)
    known = [info.min, info.min + 1, info.max - 1, info.max, 0, 1, 2, 3, 7, 100, *([-1, -2, -3, -7, -100] if kind == "i" else [])]
    return np.concatenate([np.array(known, dtype), rng.integers(info.min, info.max, 5, dtype, endpoint=True)])


def check_rows(ops: Sequence[Elementwise], x: np.ndarray, y: np.ndarray) -> None:
    """Every op over the same operands of rank 1, in one kernel: part k of the result is that of op k."""
    bits = 8 * x.itemsize
    feed = {"number": np.repeat(np.arange(len(ops), dtype=np.int32), x.size)}
    operands = {"x": x, "y": y, "condition": x > y}
    if x.dtype.kind in "iu":
        operands["shift"] = np.where(np.arange(y.size) % 2, y % y.dtype.type(bits), y)
        operands |= {"part": x // 16, "right": y % 31}
    elif x.dtype.kind == "f":
        operands["angle"] = np.clip(x, -1e4, 1e4)  # PoCL's sine of a small number is wrong beside one beyond 1e38 in a vector
        operands["finite"] = np.nan_to_num(operands["angle"])
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
        names = OPERANDS.get(op.fn, ("x", "y"))
        value = step(op, *names[: op.row.arity])
        if op.row.result == "bool" and x.dtype != np.bool_:
            value = step(Cast(x.dtype), value)
        chosen = step(Elementwise("equal"), "number", graph.add_constant(np.array(k, np.int32)))
        total = step(Elementwise("where"), chosen, value, total)
    graph.add_node(Node("rows", Elementwise("identity"), ("x",), ("z",), tuple(steps)))
    graph.outputs["z"] = "z"
    graph.verify()
    assert check_graph(graph, feed, targets=[CPU, GPU], candidates=1, what=f"{[op.fn for op in ops]} of {x.dtype}") == 2


@KERNELS
@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("part", range(3))
def test_functions_of_floats(part: int, dtype: str) -> None:
    ops = [op for op in rows(dtype) if op.row.arity == 1]
    x = numbers(dtype)
    check_rows(ops[part::3], x, x)


@KERNELS
@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
def test_functions_of_two_floats(dtype: str) -> None:
    x = numbers(dtype)[:34]
    check_rows([op for op in rows(dtype) if op.row.arity > 1], np.repeat(x, x.size), np.tile(x, x.size))


@KERNELS
@pytest.mark.parametrize("dtype", [d for d in DTYPES if np.dtype(d).kind != "f"])
def test_functions_of_integers_and_truth_values(dtype: str) -> None:
    x = numbers(dtype)
    check_rows(rows(dtype), np.repeat(x, x.size), np.tile(x, x.size))


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
        assert check(Case(Elementwise("add"), [x, x], epilogue=steps, extra=extra), targets=[CPU, GPU], candidates=1) == 2


Shapes = tuple[tuple[int, ...], ...]
BROADCASTS: list[Shapes] = [
    # x, y, z: of x * y + z
    ((), (), ()),
    ((5,), (), (1,)),
    ((1,), (67,), (67,)),
    ((), (3, 5), (5,)),
    ((3, 1), (1, 17), (3, 17)),
    ((2, 3, 1), (3, 5), ()),
    ((4, 1, 16), (1, 6, 16), (1, 1, 16)),
    ((2, 3, 4), (2, 1, 1), (1, 3, 1)),
    ((2, 1, 40), (2, 3, 1), (1, 1, 1)),
    ((1, 5, 7, 3), (3,), (1, 5, 7, 1)),
    ((3, 5, 7, 17), (17,), (3, 1, 1, 17)),
    ((3, 4, 1, 5), (1, 4, 6, 1), (1, 1, 6, 1)),
    ((2, 3, 1, 4, 5), (3, 2, 1, 1), (5,)),
    ((2, 1, 3, 1, 4, 3), (1, 2, 1, 3, 1, 3), (4, 1)),
    ((2, 2, 3, 2, 2, 18), (18,), (2, 1, 2, 1, 1)),
]
IMAGES: list[Shapes] = [
    ((3, 5, 7, 17), (1, 1, 1, 17), (3, 1, 1, 17)),
    ((1, 4, 6, 5), (1, 4, 6, 5), (1, 4, 6, 1)),
    ((3, 4, 5, 33), (3, 4, 5, 1), (1, 1, 1, 1)),
    ((3, 4, 1, 3), (1, 4, 6, 1), (1, 1, 6, 3)),
    ((1, 4, 4, 1), (1, 1, 1, 20), (1, 4, 1, 20)),
    ((2, 5, 6, 1), (1, 5, 6, 1), (2, 1, 1, 1)),
    ((3, 1, 1, 16), (3, 4, 7, 16), (1, 4, 1, 16)),
]


def product(shapes: Shapes, constant: str = "", blocked: str = "") -> tuple[Graph, dict[str, np.ndarray]]:
    """-(x * y + z): operands come as they are, from blocked channels, or are constant."""
    graph, feed, names = Graph(), {}, []
    for name, array in zip("xyz", floats(*shapes)):
        if name in constant:
            names.append(graph.add_constant(array, name))
            continue
        feed[name] = array
        names.append(graph.add_input(name, TensorType.of(array)))
        if name in blocked:
            names[-1] = graph.add_node(Node(f"block {name}", BLOCKED, (name,), (f"blocked {name}",))).output
    graph.add_node(Node("product", Elementwise("mul"), (names[0], names[1]), ("p",)))
    graph.add_node(Node("sum", Elementwise("add"), ("p", names[2]), ("s",)))
    graph.add_node(Node("neg", Elementwise("neg"), ("s",), ("out",)))
    graph.outputs["out"] = "out"
    graph.verify()
    return graph, feed


@KERNELS
@pytest.mark.parametrize("shapes", BROADCASTS, ids=str)
@pytest.mark.parametrize("constant", ["", "yz"])
def test_broadcasting(shapes: Shapes, constant: str) -> None:
    graph, feed = product(shapes, constant)
    assert check_graph(graph, feed, targets=[CPU, GPU], candidates=1) == 2


@KERNELS
@pytest.mark.parametrize("shapes", IMAGES, ids=str)
@pytest.mark.parametrize(("constant", "blocked"), [("", "x"), ("", "xy"), ("z", "y"), ("", "xz")])
def test_blocked_and_strided_operands_mixed(shapes: Shapes, constant: str, blocked: str) -> None:
    graph, feed = product(shapes, constant, blocked)
    assert check_graph(graph, feed, targets=[CPU, GPU], candidates=1) == 2


@KERNELS
@pytest.mark.parametrize(("shapes", "blocked"), [*[(s, "") for s in (*BROADCASTS[3::4], *IMAGES[:2])], *[(s, "x") for s in IMAGES[:4]]])
def test_half_precision(shapes: Shapes, blocked: str) -> None:
    graph, feed = product(shapes, "z", blocked)
    assert check_graph(graph, feed, targets=[CPU, GPU], precision="f16", candidates=1) == 2


@KERNELS
@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_chains_of_steps(seed: int, blocked: bool) -> None:
    """A random program in one epilogue: its steps take earlier results, constants and values that broadcast."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(e) for e in (rng.integers(1, 4), rng.integers(1, 6), rng.integers(1, 6), rng.choice([1, 3, 5, 17, 32])))
    extra = []
    for k in range(6):
        kept = rng.integers(0, 2, 4)
        own = tuple(e if keep else 1 for e, keep in zip(shape, kept))[rng.integers(0, 4) :]
        extra.append((f"v{k}", rng.uniform(0.5, 2, own).astype(np.float32), bool(rng.integers(2))))
    steps: list[Step] = []
    for k in range(12):
        op = [Elementwise(fn) for fn in ("add", "sub", "mul", "maximum", "tanh", "relu", "sigmoid")][rng.integers(7)]
        args = [int(rng.integers(max(0, k - 3), k + 1)), f"v{rng.integers(6)}" if rng.integers(2) else int(rng.integers(0, k + 1))]
        steps.append(Step(op, tuple(args[: op.row.arity])))
    used = {a for s in steps for a in s.args}
    case = Case(Elementwise("tanh"), floats(shape, seed=seed), epilogue=tuple(steps), extra=tuple(e for e in extra if e[0] in used),
                before=(BLOCKED,) if blocked else ())
    assert check(case, targets=[CPU, GPU], candidates=1) == 2


@KERNELS
def test_integers_in_padded_lanes_do_not_trap() -> None:
    """Blocked integers whose padded lanes are zero, divided by each other."""
    x = np.arange(1, 64, dtype=np.int32).reshape(1, 3, 3, 7)
    graph = Graph()
    graph.add_input("x", TensorType.of(x))
    graph.add_node(Node("block", BLOCKED, ("x",), ("b",)))
    for k, fn in enumerate(("div", "floor_div", "floor_mod", "fmod")):
        graph.add_node(Node(fn, Elementwise(fn), ("b", "b" if k < 2 else "x"), (f"y{k}",)))
        graph.add_node(Node(f"{fn} again", Elementwise("neg"), (f"y{k}",), (f"out{k}",)))
        graph.outputs[f"out{k}"] = f"out{k}"
    graph.verify()
    assert check_graph(graph, {"x": x}, targets=[CPU, GPU], candidates=1) == 2


PADDED = [
    # op on blocked x [1,2,3,C], its other operands
    (Elementwise("exp"), 5, ()),
    (Elementwise("add"), 5, (np.float32(3),)),
    (Elementwise("sub"), 17, (np.arange(6, dtype=np.float32).reshape(1, 2, 3, 1) - 3,)),
    (Elementwise("minimum"), 17, (np.full((1, 1, 1, 1), -4, np.float32),)),
    (Elementwise("add"), 1, (np.ones((1, 2, 3, 1), np.float32),)),
    (Elementwise("mul"), 5, (np.arange(5, dtype=np.float32),)),
    (Elementwise("add"), 5, (np.ones((1, 2, 3, 5), np.float32),)),
    (Elementwise("reciprocal"), 3, ()),
    (Elementwise("add"), 5, (np.int64(3),)),
    (Elementwise("less"), 7, (np.uint8(9),)),
    (Cast(np.dtype(np.int64)), 5, ()),
    (Slice((0, 0, 0, 0), (1, 2, 3, 17), (1, 1, 1, 1)), 32, ()),
    (Pad(((0, 0), (1, 1), (0, 0), (0, 0)), "constant", 2.0), 5, ()),
    (Pad(((0, 0), (0, 0), (1, 1), (-1, 2))), 17, ()),
    (BLOCKED, 17, ()),
]


@KERNELS
@pytest.mark.parametrize(("op", "channels", "others"), PADDED, ids=str)
@pytest.mark.parametrize("fed", [False, True])
def test_padded_lanes_are_zero(op: Any, channels: int, others: tuple[np.ndarray, ...], fed: bool) -> None:
    """In the buffer of a blocked result, what no element names is zero."""
    x = (floats((1, 2, 3, channels))[0] + 7).astype(np.asarray(others[0]).dtype if others else np.float32)
    graph, feed = Graph(), {"x": x}
    graph.add_input("x", TensorType.of(x))
    graph.add_node(Node("block", BLOCKED, ("x",), ("b",)))
    names = ["b"]
    for k, array in enumerate(map(np.asarray, others)):
        if fed:
            feed[f"o{k}"] = array
        names.append(graph.add_input(f"o{k}", TensorType.of(array)) if fed else graph.add_constant(array))
    graph.add_node(Node("op", op, tuple(names), ("y",)))
    graph.add_node(Node("out", Elementwise("identity"), ("y",), ("out",)))
    graph.outputs["out"] = "out"
    lay_out(graph, CPU)
    layout, type = graph.value("y").layout, graph.type("y")
    assert layout is not None and layout.axis == 3
    schedule = lower(graph, CPU)
    arena = memory.assign(schedule, CPU.alignment)
    with Session(driver.emit(schedule, arena, CPU), find()) as session:
        session.run(feed)
        buffer = np.empty(arena.nbytes, np.uint8)
        whole = session._open().buffers["arena"][0]
        copy = cl.Buffer(session.queue.context, cl.mem_flags.READ_WRITE, whole.size)
        cl.enqueue_copy(session.queue, copy, whole)
        cl.enqueue_copy(session.queue, buffer, copy)
    lanes = buffer[arena.offsets["y"] :].view(type.dtype)[: layout.span(type.shape)]
    expected = evaluate(graph, feed)["y"]
    np.testing.assert_allclose(lanes, layout.pack(expected), rtol=1e-5)


@pytest.mark.parametrize(
    ("op", "dtypes", "message"),
    [
        (Elementwise("add"), ("int32", "float32"), "operands of one type"),
        (Elementwise("exp"), ("int32",), "exp of int32; floats would be accepted"),
        (Elementwise("logical_and"), ("float32", "float32"), "truth values would be accepted"),
        (Elementwise("where"), ("bool", "int8", "int16"), "operands of one type"),
        (Elementwise("add"), ("int32",), "takes 2 operands"),
    ],
)
def test_what_it_refuses(op: Elementwise, dtypes: tuple[str, ...], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        op.infer(*(TensorType((2,), np.dtype(d)) for d in dtypes))


def test_what_does_not_broadcast() -> None:
    with pytest.raises(GraphError, match="do not broadcast"):
        Elementwise("add").infer(TensorType((2,), np.dtype(np.float32)), TensorType((3,), np.dtype(np.float32)))


@pytest.mark.parametrize(
    ("number", "dtype", "text"),
    [
        (0.1, "float32", "0.1f"), (-2.0, "float32", "(-2.0f)"), (1e-20, "float32", "1e-20f"), (np.inf, "float32", "INFINITY"),
        (-np.inf, "float32", "(-INFINITY)"), (np.nan, "float32", "NAN"), (1e300, "float32", "INFINITY"), (1e300, "float64", "1e+300"),
        (-0.1, "float64", "(-0.1)"), (True, "bool", "1"),
        (-5, "int8", "-5"), (-(1 << 63), "int64", "LONG_MIN"), ((1 << 64) - 1, "uint64", "18446744073709551615ul"),
    ],
)  # fmt: skip
def test_literals(number: float, dtype: str, text: str) -> None:
    written = literal(number, np.dtype(dtype))
    if dtype == "float32" and abs(number) < 1e38:
        assert np.float32(written.strip("()f")) == np.float32(number)
    else:
        assert written == text


@KERNELS
@pytest.mark.parametrize("target", [CPU, GPU], ids=lambda t: t.name)
def test_sigmoids_everywhere(target: Any) -> None:
    """At the ends of the numbers too; in line on a CPU, and by exp elsewhere."""
    ends = [0.0, -0.0, 87.0, -87.0, 88.8, -88.8, 104.0, -104.0, 1e6, -1e6, np.inf, np.nan]
    x = np.concatenate([np.linspace(-100, 100, 4099), ends]).astype(np.float32)[None]
    assert check(Case(Elementwise("sigmoid"), [x], framed=False), targets=[target]) >= 1
    assert check(Case(Elementwise("silu"), [x], framed=False), targets=[target]) >= 1
