"""Loops that the host drives: ONNX and TFLite models whose course data decide, against the formats' own runtimes, on the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from planish.compiler import compile_model
from planish.compiler.errors import GraphError, ModelError, UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import Graph, TensorType
from planish.compiler.ops import control, driven
from planish.compiler.ops.loop import Loop
from planish.compiler.text import dump
from planish.runtime import Session
from planish.runtime.devices import find
from planish.runtime.plan import Plan
from tests.compiler.ops.test_control import model
from tests.harness import floats
from tests.oracles import evaluated, litert_runs, ort, same, write
from tests.tflite_writer import Quantization, Subgraph, TensorSpec, TfliteWriter

Arrays = Sequence[np.ndarray]


def on_device(folder: Path, path: Path, feeds: Sequence[Arrays], precision: str = "f32") -> list[list[np.ndarray]]:
    """The outputs of several runs, by a plan that was written and read."""
    plan, _ = compile_model(path, precision=precision)
    assert plan is not None and plan.loops
    plan.write(folder / "plan")
    with Session(Plan.read(folder / "plan"), find()) as session:
        return [list(session.run(list(arrays)).values()) for arrays in feeds]


def loop(body: str, inputs: str = "float[2, 3] x, bool c", constants: str = "int64 m = {9}", operands: str = "(m, c, x)", *,
         before: str = "", results: str = "y", after: str = "", outputs: str = "float[?, ?] y") -> str:
    """A graph in which a loop stands between nodes before and after."""
    constants = f" <{constants}>" if constants else ""
    return f"g ({inputs}) => ({outputs}){constants} {{ {before} {results} = Loop {operands} <body = body {body}> {after} }}"


def branches(yes: str, no: str) -> str:
    """Of positive x the one, else the other: values a and e of x, of d = -x, and of constants."""
    return f"""g (float[2, 3] x) => (float[?, ?] y, float[?, ?] z) <float none = {{0.0}}, float most = {{50.0}}, bool c = {{1}}> {{
        s = ReduceSum <keepdims = 0>(x) p = Greater(s, none) d = Neg(x)
        y, z = If (p) <then_branch = yes () => (float[?, ?] a, float[?, ?] e) {{ {yes} }},
                       else_branch = no () => (float[?, ?] a, float[?, ?] e) {{ {no} }}>
    }}"""


BELOW = """(int64 i, bool go, float[2, 3] a) => (bool on, float[2, 3] b) <float most = {20.0}> {
    b = Add(a, a) s = ReduceSum <keepdims = 0>(b) on = Less(s, most)
}"""
COUNT = """(int64 i, bool go, float[2, 3] a) => (bool on, float[2, 3] b) {
    on = Identity(go) f = Cast <to = 1>(i) p = Mul(a, f) b = Add(p, x)
}"""
ROWS = """(int64 i, bool go, float[2, 3] a) => (bool on, float[2, 3] b, float[2, 3] r, int64 k) <float most = {20.0}> {
    b = Add(a, a) r = Neg(b) k = Identity(i) s = ReduceSum <keepdims = 0>(b) on = Less(s, most)
}"""
STACKED = {"results": "y, rows, counts", "after": "first = Slice(rows, z, o)",
           "outputs": "float[?, ?] y, float[?, ?, ?] rows, int64[?] counts, float[?, ?, ?] first"}
SEVERAL = """(int64 i, bool go, float[2, 3] a, float[2, 3] b, float[2, 3] c0, float[2, 3] d, float[2, 3] e)
    => (bool on, float[2, 3] a1, float[2, 3] b1, float[2, 3] c1, float[2, 3] d1, float[2, 3] e1) <float one = {1.0}, float most = {20.0}> {
    a1 = Add(b, c0) b1 = Identity(a) c1 = Identity(c0) d1 = Identity(e) e1 = Mul(u, a)
    s = ReduceMax <keepdims = 0>(a1) t = Add(s, one) on = Less(t, most)
}"""
PARTS = """(int64 i, bool go, float[4, 3] a) => (bool on, float[4, 3] b) <float most = {20.0}> {
    b = Add(a, a) s = ReduceSum <keepdims = 0>(b) on = Less(s, most)
}"""
OUTER = """(int64 i, bool go, float[2, 3] a, float t) => (bool keep, float[2, 3] b, float u) {
    b, w = Loop (inner, go, a, t) <body = inner (int64 j, bool on, float[2, 3] d, float v) => (bool still, float[2, 3] e, float q) {
        k = Add(i, j) f = Cast <to = 1>(k) g = Mul(a, f) e = Add(d, g) s = ReduceSum <keepdims = 0>(e) q = Add(v, s) still = Less(s, most)
    }>
    u = Neg(w) keep = Less(u, most)
}"""
ENDLESS = """a = Loop (, c, x) <body = body (int64 i, bool go, float[2, 3] v) => (bool on, float[2, 3] w) {
    w = Add(v, v) t = ReduceSum <keepdims = 0>(w) on = Less(t, most)
}> e = Identity(d)"""
"""Ends for positive x."""
OTHER = ENDLESS.replace("(, c, x)", "(, c, d)").replace("e = Identity(d)", "e = Exp(d)")
WITHIN = """(int64 i, bool go, float[2, 3] a) => (bool on, float[2, 3] b) <float five = {5.0}, float most = {20.0}> {
    s = ReduceSum <keepdims = 0>(a) p = Less(s, five) on = Less(s, most)
    b = If (p) <then_branch = yes () => (float[?, ?] v) { v = Add(a, a) }, else_branch = no () => (float[?, ?] v) { v = Add(a, x) }>
}"""
HOSTED = """(int64 i, bool go, int64[5] a) => (bool on, int64[5] b) <int64 zero = {0}, int64 one = {1}> {
    u = Unique(a) f = Gather(u, zero) on = Greater(f, one) b = Sub(a, one)
}"""
ROTATED = """(int64 i, bool go, float[1, 5, 6, 6] a) => (bool on, float[1, 5, 6, 6] b) <float most = {3.0}> {
    k = Conv <pads = [1, 1, 1, 1]>(a, w) r = Relu(k) b = Add(r, q) s = ReduceMax <keepdims = 0>(b) on = Less(s, most)
}"""
WEIGHTS = f"float[5, 5, 3, 3] w = {{{', '.join(f'{v / 4:.6f}' for v in floats((5, 5, 3, 3))[0].ravel())}}}"
NUMBERS = np.array([3, 1, 4, 2, 5])
(X,), (IMAGE,), (H,) = floats((2, 3)), floats((1, 5, 6, 6)), floats((3, 2))
ONES = np.ones((2, 3), np.float32)
TRUE, FALSE = np.array(True), np.array(False)

CASES: dict[str, tuple[str, list[list[np.ndarray]]]] = {
    "a condition and a trip count": (
        loop(BELOW, "float[2, 3] x, int64 m, bool c", ""),
        [[x, np.array(m), c] for x, m, c in ((ONES, 9, TRUE), (ONES, 1, TRUE), (ONES, 0, TRUE), (ONES, 9, FALSE), (-ONES, 5, TRUE))]),
    "a trip count": (loop(COUNT, "float[2, 3] x, int64 m", "", "(m, , x)"), [[X, np.array(m)] for m in (0, 1, 4)]),
    "a condition, constant at first": (loop(BELOW, "float[2, 3] x", "bool c = {1}", "(, c, x)"), [[ONES], [ONES * 100]]),
    "scan outputs": (loop(ROWS, constants="int64 m = {30}, int64[1] z = {0}, int64[1] o = {1}", **STACKED),
                     [[ONES, TRUE], [ONES / 100, TRUE], [ONES, FALSE]]),
    "scan outputs of every run": (
        loop(ROWS, constants="int64 m = {4}, int64[1] z = {0}, int64[1] o = {1}", **STACKED), [[ONES / 100, TRUE]]),
    "values exchanged, kept and of one beginning": (
        loop(SEVERAL, "float[2, 3] x, float[3, 2] h, bool c", operands="(m, c, v, v, x, w, w)", results="p, q, r, s, t",
             before="v = Abs(x) w = Neg(v) u = Transpose(h)", outputs=", ".join(f"float[?, ?] {v}" for v in "pqrstu")),
        [[X, H, TRUE], [X * 9, H, TRUE], [X, H, FALSE]]),
    "a part of a concatenation that others read": (
        loop(PARTS, "float[2, 3] x, bool c", "int64 m = {9}, int64[1] f = {12}", "(m, c, w)", results="l",
             before="p = Exp(x) k = Neg(x) w = Concat <axis = 0>(p, k)", outputs="float[?, ?] y, float[?] z, float[?, ?] l",
             after="t = ReduceSum <keepdims = 0>(l) y = Mul(p, t) n = Reshape(l, f) z = Concat <axis = 0>(n, n)"),
        [[ONES, TRUE], [ONES, FALSE]]),
    "blocks of channels": (
        loop(ROTATED, "float[1, 5, 6, 6] x, bool c", f"int64 m = {{6}}, {WEIGHTS}", before="q = Conv <pads = [1, 1, 1, 1]>(x, w)",
             outputs="float[?, ?, ?, ?] y"), [[IMAGE, TRUE]]),
    "nested": (
        loop(OUTER, "float[2, 3] x, int64 m", "float most = {200.0}, float none = {0.0}, bool c = {1}, int64 inner = {3}",
             "(m, c, x, none)", results="y, z", outputs="float[?, ?] y, float z"),
        [[ONES * k, np.array(m)] for m in (0, 1, 4) for k in np.float32([1, 30])]),
    "one within that ends only where it runs": (
        loop(BELOW.replace("b = Add(a, a)", ENDLESS.replace("a = Loop", "d = Loop").replace("e = Identity(d)", "b = Add(a, d)"))),
        [[ONES, TRUE], [-ONES, FALSE]]),
    "of as many runs as there are": (loop(BELOW, constants="int64 m = {9223372036854775807}"), [[ONES, TRUE]]),
    "in a branch": (branches(ENDLESS, "a = Relu(d) e = Exp(d)"), [[ONES], [-ONES]]),
    "in the other branch": (branches("a = Relu(d) e = Exp(d)", OTHER), [[ONES], [-ONES]]),
    "in both branches": (branches(ENDLESS, OTHER), [[ONES], [-ONES]]),
    "a branch within": (loop(WITHIN), [[ONES / 3, TRUE], [ONES, TRUE]]),
    "a step on the host within": (loop(HOSTED, "int64[5] x, bool c", outputs="int64[?] y"), [[NUMBERS + 4, TRUE], [NUMBERS, FALSE]]),
}


@pytest.mark.device
@pytest.mark.parametrize("case", CASES)
def test_onnx(tmp_path: Path, case: str) -> None:
    """References, ONNX Runtime and the device give the same."""
    text, feeds = CASES[case]
    path = model(tmp_path, text)
    expected = [ort(path, arrays) for arrays in feeds]
    for arrays, outputs, found in zip(feeds, expected, on_device(tmp_path, path, feeds), strict=True):
        same(evaluated(path, arrays), outputs)
        same(found, outputs)


@pytest.mark.device
@pytest.mark.parametrize("name", ["MOST_RUNS", "MOST_NODES"])
def test_long_loops_of_constant_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """They are driven, rather than imported again and again; a condition that constants decide ends one, too."""
    monkeypatch.setattr(control if name == "MOST_RUNS" else driven, name, 8)
    ended = COUNT.replace("{", "<int64 most = {15}> {", 1).replace("Identity(go)", "Less(i, most)")
    for text in (loop(COUNT, "float[2, 3] x", "int64 m = {20}", "(m, , x)"), loop(ended, "float[2, 3] x", "", "(, , x)")):
        path = model(tmp_path, text)
        same(on_device(tmp_path, path, [[X / 9]])[0], ort(path, [X / 9]))


@pytest.mark.device
def test_half_precision(tmp_path: Path) -> None:
    """What a loop shares with its surroundings is stored as it is, what lies within in half."""
    path = model(tmp_path, loop(BELOW, operands="(m, c, e)", before="e = Exp(x)", results="l", after="y = Sqrt(l)"))
    same(on_device(tmp_path, path, [[X, TRUE]], "f16")[0], ort(path, [X, TRUE]), 1e-2)


def test_weights_are_stored_once(tmp_path: Path) -> None:
    """Though the body and what stands before it read them."""
    plan, _ = compile_model(model(tmp_path, CASES["blocks of channels"][0]), "generic")
    assert plan is not None and len(plan.weights) < 2 * 4 * 9 * 8 * 8


def test_invariants_are_computed_once(tmp_path: Path) -> None:
    """In front of the loop; what a run hands on is no part of it."""
    body = """(int64 i, bool go, float[2, 3] a, float[2, 3] k) => (bool on, float[2, 3] b, float[2, 3] l) <float most = {20.0}> {
        e = Exp(x) f = Exp(k) l = Identity(k) h = Add(a, e) b = Add(h, f) s = ReduceSum <keepdims = 0>(b) on = Less(s, most) }"""
    graph = load(model(tmp_path, loop(body, operands="(m, c, x, x)", results="y, z", outputs="float[?, ?] y, float[?, ?] z")))
    (node,) = (n for n in graph.nodes() if n.op.driven)
    assert isinstance(node.op, Loop) and node.op.carried == 2 and node.op.most == 9
    inside = [getattr(n.op, "fn", "") for n in node.op.body.nodes()]
    assert inside.count("exp") == 0 and inside.count("add") == 2
    text = dump(graph)
    assert f"{node.name} = Loop(most=9) " in text and "\n    state  " in text and "\n    output " in text


def test_host(tmp_path: Path) -> None:
    """A loop is no step on the host, and is told; scan outputs whose length depends on data are gathered there."""
    plan, report = compile_model(model(tmp_path, CASES["nested"][0]), "generic", host=False)
    assert plan is not None and report.host == 0 and len(plan.loops) == 2
    assert ("drive", "is driven by the host: its condition is computed at run time") in {(e.rule, e.text) for _, e in report.events}
    with pytest.raises(UnsupportedError, match=r"the host gathers its scan outputs: .* without --no-host it would be accepted"):
        compile_model(model(tmp_path, CASES["scan outputs"][0]), "generic", host=False)


def handle(g: Subgraph, name: str) -> int:
    return g.op("VAR_HANDLE", [], {"shared_name": name, "container": ""}, shape=(), dtype="resource")


def tflite_loop(*, variable: bool = False, nested: bool = False, first: bool = False) -> TfliteWriter:
    """While sum(a) < limit: k + 1, a * 1.5 + w; `first`: the flag that the body sets decides, and is constant before."""
    m = TfliteWriter()
    x, limit = m.input("x", (3,), "float32"), m.input("limit", (), "float32")
    cond, body = m.subgraph("cond"), m.subgraph("body")
    zero, flag = m.constant(np.int32(0)), m.constant(np.bool_(True))
    types = [((), "int32"), ((3,), "float32"), ((), "float32"), ((), "bool")]

    def less(g: Subgraph, a: int, bound: int) -> int:
        total = g.op("SUM", [a, g.constant(np.array([0], np.int32))], {"keep_dims": False}, shape=(), dtype="float32")
        return g.op("LESS", [total, bound], shape=(), dtype="bool")

    def inputs(g: Subgraph) -> list[int]:
        return [g.input(name, shape, dtype) for name, (shape, dtype) in zip("kalf", types)]

    _, a, bound, going = inputs(cond)
    cond.output(going if first else less(cond, a, bound))
    k, a, bound, going = inputs(body)
    if variable:  # v is known before the loop, w is met in it
        once = m.subgraph("once")
        once.op("ASSIGN_VARIABLE", [handle(once, "v"), once.constant(np.array([1, 2, 3], np.float32))], {}, outputs=())
        m.op("CALL_ONCE", [], {"init_subgraph_index": once.index}, outputs=())
        v, w = handle(body, "v"), handle(body, "w")
        a = body.op("ADD", [a, body.op("READ_VARIABLE", [v], shape=(3,), dtype="float32")], shape=(3,), dtype="float32")
        body.op("ASSIGN_VARIABLE", [w, body.op("MUL", [a, body.constant(np.float32(0.25))], shape=(3,), dtype="float32")], {}, outputs=())
        body.op("ASSIGN_VARIABLE", [v, body.op("READ_VARIABLE", [w], shape=(3,), dtype="float32")], {}, outputs=())
    if nested:
        test, step = m.subgraph("test"), m.subgraph("step")
        _, b, inner, _ = inputs(test)
        test.output(less(test, b, inner))
        j, b, inner, f = inputs(step)
        step.output(step.op("ADD", [j, step.constant(np.int32(1))], shape=(), dtype="int32"))
        step.output(step.op("ADD", [b, step.constant(np.array([1, 2, 3], np.float32))], shape=(3,), dtype="float32"))
        step.output(inner)
        step.output(f)
        options = {"cond_subgraph_index": test.index, "body_subgraph_index": step.index}
        half = body.op("MUL", [bound, body.constant(np.float32(0.5))], shape=(), dtype="float32")
        k, a, _, going = body.op("WHILE", [k, a, half, going], options, outputs=types)
    after = body.op("MUL", [a, body.constant(np.float32(1.5))], shape=(3,), dtype="float32")
    body.output(body.op("ADD", [k, body.constant(np.int32(1))], shape=(), dtype="int32"))
    body.output(after)
    body.output(bound)
    body.output(less(body, after, bound) if first else going)
    options = {"cond_subgraph_index": cond.index, "body_subgraph_index": body.index}
    count, y, _, _ = m.op("WHILE", [zero, x, limit, flag], options, outputs=types)
    m.output(count)
    m.output(y)
    return m


FEEDS = [[ONES[0], np.float32(10)], [ONES[0] * 4, np.float32(100)], [ONES[0], np.float32(1)], [ONES[0], np.float32(30)]]


@pytest.mark.device
@pytest.mark.parametrize("make", [
    tflite_loop, lambda: tflite_loop(first=True), lambda: tflite_loop(nested=True), lambda: tflite_loop(variable=True),
    lambda: tflite_loop(variable=True, nested=True, first=True),
], ids=["while", "flag", "nested", "variable", "all"])  # fmt: skip
def test_tflite(tmp_path: Path, make: Callable[[], TfliteWriter]) -> None:
    path = write(tmp_path, make())
    feeds = [[np.asarray(a) for a in arrays] for arrays in FEEDS]
    expected = litert_runs(path, feeds)
    plan, _ = compile_model(path)
    assert plan is not None and plan.loops
    plan.write(tmp_path / "plan")
    with Session(Plan.read(tmp_path / "plan"), find()) as session:
        for _ in range(2):
            for arrays, outputs in zip(feeds, expected):
                same(list(session.run(arrays).values()), outputs)
            session.reset()
        assert len(session.profile(feeds[0], 1)) == len(plan.launches)


@pytest.mark.parametrize(("text", "reason"), [
    (loop(BELOW.replace("on = Less(s, most)", "on = Identity(go)"), constants="", operands="(, c, x)"), "nothing ends it"),
    (loop(BELOW.replace("b = Add(a, a)", "b = Concat <axis = 0>(a, a)")),
     r"a run turns float32\[2,3\] into float32\[4,3\]; values that keep their type would be accepted"),
    (loop(ROWS, "float[2, 3] x, int64 m, bool c", "int64[1] z = {0}, int64[1] o = {1}", **STACKED),
     "nothing bounds the length of its scan outputs; a constant trip count would be accepted"),
    (loop(ROWS, constants="int64 m = {9223372036854775807}, int64[1] z = {0}, int64[1] o = {1}", **STACKED),
     "its scan outputs may have 55340232221128654842 elements; up to 2147483647 would be accepted"),
    (loop(HOSTED.replace("Gather(u, zero)", "Gather(n, i)"), "int64[5] x, bool c", before="n = Unique(x)", outputs="int64[?] y"),
     r"the shape of 'n.*' \(int64\[<=5\]\) depends on data; fixed ones would be accepted there"),
])  # fmt: skip
def test_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        load(model(tmp_path, text))


@pytest.mark.parametrize(("operands", "most", "reason"), [
    ((), 1, "0 operands for 1 inputs"), (("x",), 1, "'go' of bool.* cannot be float32"), (("c",), 0, "at most 0 runs"),
    (("",), 1, "cannot be None"),
])  # fmt: skip
def test_loops_that_contradict_themselves(operands: tuple[str, ...], most: int, reason: str) -> None:
    body = Graph()
    body.add_state("go", np.zeros((), bool))
    types = {"c": TensorType((), np.dtype(bool)), "x": TensorType((2,), np.dtype(np.float32)), "": None}
    with pytest.raises(GraphError, match=reason):
        Loop(body, most).infer(*(types[name] for name in operands))


@pytest.mark.parametrize("cycle", ["cond", "body"])
def test_subgraphs_that_call_themselves(tmp_path: Path, cycle: str) -> None:
    m = TfliteWriter()
    x = m.input("x", (), "float32")
    cond, body = m.subgraph("cond"), m.subgraph("body")
    options = {"cond_subgraph_index": cond.index, "body_subgraph_index": body.index}
    a, b = cond.input("a", (), "float32"), body.input("b", (), "float32")
    if cycle == "cond":
        a = cond.op("WHILE", [a], options, shape=(), dtype="float32")
    else:
        b = body.op("WHILE", [b], options, shape=(), dtype="float32")
    cond.output(cond.op("LESS", [a, cond.constant(np.float32(2))], shape=(), dtype="bool"))
    body.output(b)
    m.output(m.op("WHILE", [x], options, shape=(), dtype="float32"))
    with pytest.raises(ModelError, match=r"calls subgraph [12], which calls it"):
        load(write(tmp_path, m))


def tflite_branch() -> TfliteWriter:
    """if sum(x) > 0: x doubled while its sum is below 50, which a variable then holds; else -x. And the variable."""
    m = TfliteWriter()
    x = m.input("x", (3,), "float32")
    once, yes, no, cond, body = (m.subgraph(name) for name in ("once", "yes", "no", "cond", "body"))

    def compared(g: Subgraph, op: str, value: int, bound: float) -> int:
        total = g.op("SUM", [value, g.constant(np.array([0], np.int32))], {"keep_dims": False}, shape=(), dtype="float32")
        return g.op(op, [total, g.constant(np.float32(bound))], shape=(), dtype="bool")

    once.op("ASSIGN_VARIABLE", [handle(once, "v"), once.constant(np.array([1, 2, 3], np.float32))], {}, outputs=())
    m.op("CALL_ONCE", [], {"init_subgraph_index": once.index}, outputs=())
    cond.output(compared(cond, "LESS", cond.input("a", (3,), "float32"), 50))
    b = body.input("b", (3,), "float32")
    body.output(body.op("ADD", [b, b], shape=(3,), dtype="float32"))
    y = yes.op("WHILE", [yes.input("y", (3,), "float32")], {"cond_subgraph_index": cond.index, "body_subgraph_index": body.index},
               shape=(3,), dtype="float32")
    yes.op("ASSIGN_VARIABLE", [handle(yes, "v"), y], {}, outputs=())
    yes.output(y)
    no.output(no.op("NEG", [no.input("n", (3,), "float32")], shape=(3,), dtype="float32"))
    options = {"then_subgraph_index": yes.index, "else_subgraph_index": no.index}
    m.output(m.op("IF", [compared(m, "GREATER", x, 0), x], options, shape=(3,), dtype="float32"))
    m.output(m.op("READ_VARIABLE", [handle(m, "v")], shape=(3,), dtype="float32"))
    return m


@pytest.mark.device
def test_tflite_branch(tmp_path: Path) -> None:
    """The loop of a branch runs, and assigns, only where its condition says so: else this one would never end."""
    path = write(tmp_path, tflite_branch())
    feeds = [[-ONES[0]], [ONES[0]], [-ONES[0]], [ONES[0] * 3]]
    for outputs, expected in zip(on_device(tmp_path, path, feeds), litert_runs(path, feeds), strict=True):
        same(outputs, expected)


@pytest.mark.device
def test_quantized(tmp_path: Path) -> None:
    """What a loop carries stays on its grid."""
    m, grid = TfliteWriter(), Quantization([0.25], [3])
    x = m.input("x", (4,), "int8", grid)
    cond, body = m.subgraph("cond"), m.subgraph("body")
    real = cond.op("DEQUANTIZE", [cond.input("a", (4,), "int8", grid)], shape=(4,), dtype="float32")
    total = cond.op("SUM", [real, cond.constant(np.array([0], np.int32))], {"keep_dims": False}, shape=(), dtype="float32")
    cond.output(cond.op("LESS", [total, cond.constant(np.float32(40))], shape=(), dtype="bool"))
    b = body.input("b", (4,), "int8", grid)
    body.output(*body.op("ADD", [b, b], {}, outputs=[TensorSpec((4,), "int8", grid)]))
    options = {"cond_subgraph_index": cond.index, "body_subgraph_index": body.index}
    m.output(*m.op("WHILE", [x], options, outputs=[TensorSpec((4,), "int8", grid)]))
    path, feeds = write(tmp_path, m), [[np.array(x, np.int8)] for x in ([5, 6, 7, 9], [40, 60, 7, 9], [-9, 30, 20, 4])]
    for outputs, expected in zip(on_device(tmp_path, path, feeds), litert_runs(path, feeds), strict=True):
        same(outputs, expected, 0)
