"""Control flow of ONNX: the cases of the standard, and every form against ONNX Runtime and on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, parser

from planish.compiler import compile_model
from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import evaluate
from planish.runtime import Session
from planish.runtime.devices import find
from tests.harness import floats
from tests.oracles import evaluated, ort, same, standard_case, standard_cases, write


def model(folder: Path, text: str, opset: int = 18) -> Path:
    """A graph in ONNX's text form as a file."""
    graph = parser.parse_graph(text)
    return write(folder, helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8))


def agree(path: Path, arrays: Sequence[np.ndarray], *, constant: Mapping[str, np.ndarray] | None = None) -> None:
    """References and ONNX Runtime give the same; `constant` inputs, the last ones, are compiled in."""
    held = dict(constant or {})
    graph = load(path, input_values=held)
    values = evaluate(graph, dict(zip(graph.inputs, arrays, strict=True)))
    same([values[v] for v in graph.outputs.values()], ort(path, [*arrays, *held.values()]))


IF = """g (float[2, 3] x, bool c) => (float[?, ?] y, float[?, ?] z) {
    d = Neg(x)
    y, z = If (c) <
        then_branch = yes () => (float[?, ?] a, float[?, ?] b) <float w = {2.0}> { a = Mul(x, w) b = Identity(d) },
        else_branch = no () => (float[?, ?] a, float[?, ?] b) { a = Relu(d) b = Exp(x) }
    >
}"""


@pytest.mark.parametrize("condition", [True, False])
def test_if(tmp_path: Path, condition: bool) -> None:
    (x,), c = floats((2, 3)), np.array(condition)
    path = model(tmp_path, IF)
    agree(path, [x, c])
    agree(path, [x], constant={"c": c})
    assert len(load(path, input_values={"c": c})) < len(load(path))


SCAN = """g (float[2, 3] s, float[4, 5, 3] u, float[3, 5] v) => (float[?, ?] last, float[?, ?, ?] p, float[?, ?] q) {{
    last, p, q = Scan <num_scan_inputs = 2, body = body (float[2, 3] h, float[4, 3] a, float[3] b)
        => (float[2, 3] n, float[2, 3] e, float[3] f) <float half = {{0.5}}> {{
            m = ReduceMean <keepdims = 0>(a, axes)
            k = Mul(h, half) t = Add(k, b) n = Add(t, m) e = Neg(n) f = Mul(b, m)
    }}, scan_input_axes = [1, {axis}], {options}> (s, u, v)
}}"""


@pytest.mark.parametrize(("axis", "options"), [
    (1, ""), (-1, "scan_input_directions = [1, 0]"),
    (1, "scan_input_directions = [0, 1], scan_output_axes = [1, -1], scan_output_directions = [1, 0]"),
], ids=str)  # fmt: skip
def test_scan(tmp_path: Path, axis: int, options: str) -> None:
    options = options or "scan_output_axes = [0, 0]"
    text = SCAN.format(axis=axis, options=options).replace("ReduceMean <keepdims = 0>(a, axes)", "ReduceMean <keepdims = 0, axes = [0]>(a)")
    agree(model(tmp_path, text, 17), floats((2, 3), (4, 5, 3), (3, 5)))


@pytest.mark.parametrize("lengths", [None, [3, 1]], ids=str)
def test_scan_of_a_batch(tmp_path: Path, lengths: list[int] | None) -> None:
    """Opset 8, whose lengths ONNX Runtime takes as an input."""
    text = """g (float[2, 4] s, float[2, 3, 4] u, int64[2] lens) => (float[?, ?] last, float[?, ?, ?] p) {
        last, p = Scan <num_scan_inputs = 1, directions = [DIRECTION], body = body (float[4] h, float[4] a) => (float[4] n, float[4] e) {
            n = Add(h, a) e = Identity(n)
        }> (LENS, s, u)
    }"""
    if lengths is None:
        text = text.replace(", int64[2] lens", "").replace("(LENS,", "(,")
        agree(model(tmp_path, text.replace("DIRECTION", "1"), 8), floats((2, 4), (2, 3, 4)))
    else:
        agree(model(tmp_path, text.replace("LENS", "lens").replace("DIRECTION", "0"), 8), floats((2, 4), (2, 3, 4)),
              constant={"lens": np.asarray(lengths)})


LOOP = """g (float[2, 3] x, int64 m, bool c) => (float[?, ?] y, float[?, ?, ?] rows) {
    y, rows = Loop (m, c, x) <body = body (int64 i, bool go, float[2, 3] a) => (bool on, float[2, 3] b, float[2, 3] r) <int64 most = {3}> {
        f = Cast <to = 1>(i) s = Mul(a, f) b = Add(s, x) r = Neg(b) on = Less(i, most)
    }>
}"""


@pytest.mark.parametrize(("trips", "going"), [(3, True), (9, True), (2, False), (0, True)])
def test_loop(tmp_path: Path, trips: int, going: bool) -> None:
    """By trip count, ended by a condition that the counter decides, and without a run."""
    constant = {"m": np.array(trips), "c": np.array(going)}
    agree(model(tmp_path, LOOP), floats((2, 3)), constant=constant)


WHILE = """g (float[2, 3] x, bool c) => (float[?, ?] y, float z) <int64 m = {5}> {
    total = ReduceSum <keepdims = 0>(x)
    y, z = Loop (m, c, x, total) <body = body (int64 i, bool go, float[2, 3] a, float t)
        => (bool on, float[2, 3] b, float u) <float most = {20.0}> {
        b = Add(a, a) w = Abs(t) u = Add(w, w) on = Less(u, most)
    }>
}"""


@pytest.mark.parametrize("scale", [0.1, 1, 100])
@pytest.mark.parametrize("going", [True, False])
def test_loop_with_a_computed_condition(tmp_path: Path, scale: float, going: bool) -> None:
    (x,) = floats((2, 3))
    agree(model(tmp_path, WHILE), [x * np.float32(scale), np.array(going)])
    agree(model(tmp_path, WHILE), [x * np.float32(scale)], constant={"c": np.array(going)})


NESTED = """g (float[2, 3] x) => (float[?, ?] y) <int64 m = {2}, bool c = {1}> {
    y = Loop (m, c, x) <body = outer (int64 i, bool go, float[2, 3] a) => (bool keep, float[2, 3] b) {
        keep = Identity(go)
        b = Loop (m, c, a) <body = inner (int64 j, bool on, float[2, 3] d) => (bool still, float[2, 3] e) {
            still = Identity(on) k = Add(i, j) f = Cast <to = 1>(k) g = Mul(a, f) e = Add(d, g)
        }>
    }>
}"""


def test_nested(tmp_path: Path) -> None:
    """An inner body sees the counter and the values of the outer one."""
    agree(model(tmp_path, NESTED), floats((2, 3)))


@pytest.mark.parametrize("case", standard_cases(["scan", "linear_attention"], ["Scan", "LinearAttention"]), ids=lambda c: c.name)
def test_standard(tmp_path: Path, case: Any) -> None:
    path, inputs, outputs = standard_case(tmp_path, case, len(case.data_sets[0][0]))
    same(evaluated(path, inputs), outputs, 1e-5 if outputs[0].dtype == np.float32 else 1e-3)


@pytest.mark.device
def test_on_the_device(tmp_path: Path) -> None:
    (x,) = floats((2, 3))
    for op, text, arrays in (("If", IF, [x, np.array(False)]), ("Loop", WHILE, [x, np.array(True)]), ("Loop", NESTED, [x])):
        path = model(tmp_path, text)
        assert f" {op} (" in text
        plan, _ = compile_model(path)
        assert plan is not None
        same(list(Session(plan, find()).run(arrays).values()), ort(path, arrays))


def test_long_scans_import_in_linear_time(tmp_path: Path) -> None:
    text = SCAN.format(axis=1, options="scan_output_axes = [0, 0]").replace("(a, axes)", "(a)")
    text = text.replace("5", "1500").replace("0.1500", "0.5")
    graph = load(model(tmp_path, text, 17))
    assert len(graph) > 1500 * 5


@pytest.mark.parametrize(("text", "reason"), [
    (IF.replace("a = Relu(d)", "a = Concat<axis=0>(d, d)"), "its branches give .* and .*; a constant one, or results of one type"),
    (LOOP, "nothing bounds the length of its scan outputs; a constant trip count would be accepted"),
    (LOOP.replace("int64 m, ", "").replace("(m, c, x)", "(, c, x)"), "nothing bounds the length of its scan outputs"),
    (IF.replace("b = Exp(x)", "b = Nope(x)"), "Nope"),
])  # fmt: skip
def test_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        load(model(tmp_path, text))
