"""Cases of several operators: control flow, variables, composites, sparse weights, complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
from flatbuffers import flexbuffers

from tests.conformance.tflite_case import Cases, Program, family, ints, numbers
from tests.tflite_writer import Sparsity, Subgraph, TfliteWriter

Feed = list[np.ndarray]
SHAPE = (2, 3)


def _threshold(g: Subgraph, x: int, op: str, limit: float) -> int:
    """Whether the sum of a tensor compares so with a limit."""
    total = g.op("SUM", [x, g.constant(ints(0, 1))], {"keep_dims": False}, shape=(), dtype="float32")
    return g.op(op, [total, g.constant(np.float32(limit))], shape=(), dtype="bool")


def _branch(g: Subgraph, op: str, count: int) -> None:
    """x op x, x, … of one operand."""
    x = g.input("x", SHAPE, "float32")
    for _ in range(count):
        g.output(g.op(op, [x, x], {}, shape=SHAPE, dtype="float32"))


def branches(limit: float, results: int, constant: bool, m: TfliteWriter) -> Feed:
    """if sum(x) > limit: x + x, else x * x, or by a constant condition."""
    x = m.input("x", SHAPE, "float32")
    condition = m.constant(np.array(limit < 0)) if constant else _threshold(m, x, "GREATER", limit)
    yes, no = m.subgraph("yes"), m.subgraph("no")
    _branch(yes, "ADD", results)
    _branch(no, "MUL", results)
    options = {"then_subgraph_index": yes.index, "else_subgraph_index": no.index}
    m.output(*m.op("IF", [condition, x], options, outputs=[(SHAPE, "float32")] * results))
    return [numbers(SHAPE)]


def nested(m: TfliteWriter) -> Feed:
    """A branch that holds a branch."""
    x = m.input("x", SHAPE, "float32")
    outer, inner, no = m.subgraph("outer"), m.subgraph("inner"), m.subgraph("no")
    _branch(inner, "ADD", 1)
    _branch(no, "MUL", 1)
    y = outer.input("x", SHAPE, "float32")
    condition = _threshold(outer, y, "LESS", 3.0)
    options = {"then_subgraph_index": inner.index, "else_subgraph_index": no.index}
    outer.output(outer.op("IF", [condition, y], options, shape=SHAPE, dtype="float32"))
    options = {"then_subgraph_index": outer.index, "else_subgraph_index": no.index}
    m.output(m.op("IF", [_threshold(m, x, "GREATER", -100.0), x], options, shape=SHAPE, dtype="float32"))
    return [numbers(SHAPE)]


def loop(times: int, m: TfliteWriter) -> Feed:
    """1.5 ^ times * x, counted; and the count."""
    x, zero = m.input("x", SHAPE, "float32"), m.constant(np.int32(0))
    cond, body = m.subgraph("cond"), m.subgraph("body")
    k, _ = cond.input("k", (), "int32"), cond.input("a", SHAPE, "float32")
    cond.output(cond.op("LESS", [k, cond.constant(np.int32(times))], shape=(), dtype="bool"))
    i, c = body.input("i", (), "int32"), body.input("c", SHAPE, "float32")
    body.output(body.op("ADD", [i, body.constant(np.int32(1))], shape=(), dtype="int32"))
    body.output(body.op("MUL", [c, body.constant(np.float32(1.5))], shape=SHAPE, dtype="float32"))
    options = {"cond_subgraph_index": cond.index, "body_subgraph_index": body.index}
    m.output(*m.op("WHILE", [zero, x], options, outputs=[((), "int32"), (SHAPE, "float32")]))
    return [numbers(SHAPE)]


def driven(limit: float, m: TfliteWriter) -> Feed:
    """x * 1.5 + 0.5 as long as the sum of x, which is positive, is below a limit; and the count."""
    x, zero = m.input("x", SHAPE, "float32"), m.constant(np.int32(0))
    cond, body = m.subgraph("cond"), m.subgraph("body")
    _, a = cond.input("k", (), "int32"), cond.input("a", SHAPE, "float32")
    cond.output(_threshold(cond, a, "LESS", limit))
    i, c = body.input("i", (), "int32"), body.input("c", SHAPE, "float32")
    body.output(body.op("ADD", [i, body.constant(np.int32(1))], shape=(), dtype="int32"))
    grown = body.op("MUL", [c, body.constant(np.float32(1.5))], shape=SHAPE, dtype="float32")
    body.output(body.op("ADD", [grown, body.constant(np.float32(0.5))], shape=SHAPE, dtype="float32"))
    options = {"cond_subgraph_index": cond.index, "body_subgraph_index": body.index}
    m.output(*m.op("WHILE", [zero, x], options, outputs=[((), "int32"), (SHAPE, "float32")]))
    return [numbers(SHAPE, low=0)]


def _handle(g: Subgraph, name: str) -> int:
    return g.op("VAR_HANDLE", [], {"shared_name": name, "container": ""}, shape=(), dtype="resource")


def variables(dtype: str, names: tuple[str, ...], m: TfliteWriter) -> Feed:
    """y = v and v = v + x for each of some variables, which hold numbers before the first run."""
    once, x = m.subgraph("once"), m.input("x", SHAPE, dtype)
    for k, name in enumerate(names):
        once.op("ASSIGN_VARIABLE", [_handle(once, name), once.constant(numbers(SHAPE, dtype, 5 + k))], {}, outputs=())
    m.op("CALL_ONCE", [], {"init_subgraph_index": once.index}, outputs=())
    for name in names:
        handle = _handle(m, name)
        before = m.op("READ_VARIABLE", [handle], shape=SHAPE, dtype=dtype)
        total = m.op("ADD", [before, x], shape=SHAPE, dtype=dtype)
        m.op("ASSIGN_VARIABLE", [handle, total], {}, outputs=())
        m.output(m.op("MUL", [before, x], shape=SHAPE, dtype=dtype), total)
    return [numbers(SHAPE, dtype)]


def composite(name: str, m: TfliteWriter) -> Feed:
    """A composite operator, of which LiteRT runs the decomposition."""
    x = m.input("x", SHAPE, "float32")
    inner = m.subgraph("inner")
    _branch(inner, "ADD", 1)
    options = {"name": name, "decomposition_subgraph_index": inner.index, "composite_attributes": list(flexbuffers.Dumps({}))}
    m.output(m.op("STABLEHLO_COMPOSITE", [x], options, shape=SHAPE, dtype="float32"))
    return [numbers(SHAPE)]


def sparse(dtype: str, m: TfliteWriter) -> Feed:
    """A product with weights of which only every third row is stored."""
    dense = np.zeros((6, 8), dtype)
    dense[::3] = numbers((2, 8), dtype)
    sparsity = Sparsity([0, 1], [([0, 2], [0, 3]), 8])
    held = m.constant(dense[::3].ravel(), shape=dense.shape, sparsity=sparsity)
    w = m.op("DENSIFY", [held], shape=dense.shape, dtype=dtype)
    if dtype == "float16":
        w = m.op("DEQUANTIZE", [w], shape=dense.shape, dtype="float32")
    x = numbers((3, 8), "float32")
    y = m.input("x", x.shape, "float32")
    m.output(m.op("FULLY_CONNECTED", [y, w, -1], {}, shape=(3, 6), dtype="float32"))
    return [x]


def spectrum(op: str, length: tuple[int, int], shape: tuple[int, ...], m: TfliteWriter) -> Feed:
    """The transform of real rows, and of its complex numbers the magnitude or a part."""
    x = m.input("x", shape, "float32")
    spectral = (*shape[:-2], length[0], length[1] // 2 + 1)
    z = m.op("RFFT2D", [x, m.constant(ints(*length))], {}, shape=spectral, dtype="complex64")
    m.output(m.op(op, [z], {}, shape=spectral, dtype="float32"))
    return [numbers(shape)]


def program(op: str, build: Callable[[TfliteWriter], Feed], name: str = "", runs: int = 1) -> Program:
    return Program(op, build, name, runs)


@family
def control() -> Cases:
    for limit, results, constant in product((-100.0, 100.0, 1.0), (1, 2), (False, True)):
        yield program("IF", partial(branches, limit, results, constant), f"at {limit}, {results} results, constant {constant}")
    yield program("IF", nested, "nested")
    for times in (1, 2, 5, 17):
        yield program("WHILE", partial(loop, times), f"{times} times")
    for limit in (-100.0, 3.0, 1000.0):
        yield program("WHILE", partial(driven, limit), f"below {limit}")


@family
def states() -> Cases:
    for op in ("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"):
        for dtype, names in product(("float32", "int32", "int64"), (("v",), ("v", "w"))):
            yield program(op, partial(variables, dtype, names), f"{dtype} {names}", runs=4)


@family
def others() -> Cases:
    for name in ("my.twice", "odml.unknown"):
        yield program("STABLEHLO_COMPOSITE", partial(composite, name), name)
    for dtype in ("float32", "float16"):
        yield program("DENSIFY", partial(sparse, dtype), dtype)
    for op, length, shape in product(("COMPLEX_ABS", "REAL", "IMAG", "RFFT2D"), ((1, 8), (4, 16), (2, 32)), ((4, 16), (3, 2, 20))):
        if op != "RFFT2D":
            yield program(op, partial(spectrum, op, length, shape), f"{length} of {shape}")
        else:
            yield program(op, partial(spectrum, "REAL", length, shape), f"{length} of {shape}")
