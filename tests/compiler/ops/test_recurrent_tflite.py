"""Recurrent operators of TFLite, variables and control flow: several runs against LiteRT, by the references and on the device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.compiler import compile_model
from planish.compiler.errors import UnsupportedError
from planish.compiler.frontend import load
from planish.compiler.ir import evaluate
from planish.runtime import Session
from planish.runtime.devices import find
from tests.harness import floats
from tests.oracles import litert_runs, same, write
from tests.tflite_writer import Subgraph, TfliteWriter

B, T, N, U, P = 2, 3, 5, 6, 4
"""Sequences, steps, inputs, units, outputs of a projection."""


def runs(path: Path, feeds: Sequence[Sequence[np.ndarray]]) -> list[list[np.ndarray]]:
    """The same by the references."""
    graph = load(path)
    kept, results = {name: state.initial for name, state in graph.states.items()}, []
    for arrays in feeds:
        values = evaluate(graph, dict(zip(graph.external_inputs, arrays, strict=True)) | kept)
        kept = {name: values[graph.outputs[state.output]] for name, state in graph.states.items()}
        results.append([values[v] for v in graph.external_outputs.values()])
    return results


def agree(folder: Path, m: TfliteWriter, *shapes: tuple[int, ...]) -> Path:
    """Holds four runs of a model against LiteRT."""
    path = write(folder, m)
    feeds = [floats(*shapes, seed=k) for k in range(4)]
    for actual, expected in zip(runs(path, feeds), litert_runs(path, feeds)):
        same(actual, expected, 2e-5)
    return path


def lstm(m: TfliteWriter, *, coupled: bool = False, peepholes: bool = False, projection: bool = False, norm: bool = False,
         seed: int = 0) -> tuple[list[int], int, int]:
    """Operands 1 to 17 of an LSTM and its layer normalisation, as far as there is one, and the outputs of a step."""
    s = P if projection else U
    rng = np.random.default_rng(seed)

    def made(*shape: int, there: bool = True) -> int:
        return m.constant((0.4 * rng.standard_normal(shape)).astype(np.float32)) if there else -1

    own = not coupled
    tensors = [made(U, N, there=own), *(made(U, N) for _ in range(3)), made(U, s, there=own), *(made(U, s) for _ in range(3))]
    tensors += [made(U, there=peepholes and own), made(U, there=peepholes), made(U, there=peepholes)]
    tensors += [made(U, there=own), *(made(U) for _ in range(3)), made(P, U, there=projection), made(P, there=projection)]
    return tensors, [made(U, there=norm and own), *(made(U, there=norm) for _ in range(3))], s


FORMS: list[tuple[dict[str, bool], dict[str, Any]]] = [
    ({}, {"time_major": True}), ({}, {"time_major": False, "cell_clip": 0.2}), ({"coupled": True}, {"time_major": True}),
    ({"peepholes": True}, {"time_major": True}), ({"projection": True}, {"time_major": False, "proj_clip": 0.1}),
    ({"coupled": True, "peepholes": True, "projection": True}, {"time_major": True}), ({"norm": True}, {"time_major": False}),
    ({"norm": True, "coupled": True, "projection": True}, {"time_major": True}),
]  # fmt: skip


def sequence_lstm(form: dict[str, bool], options: dict[str, Any]) -> tuple[TfliteWriter, tuple[int, ...]]:
    m = TfliteWriter()
    major = options["time_major"]
    shape = (T, B, N) if major else (B, T, N)
    x = m.input("x", shape, "float32")
    tensors, norms, s = lstm(m, **form)
    states = [m.variable((B, s), "float32"), m.variable((B, U), "float32")]
    options = {"fused_activation_function": "TANH", "cell_clip": 0.0, "proj_clip": 0.0, **options}
    m.output(m.op("UNIDIRECTIONAL_SEQUENCE_LSTM", [x, *tensors, *states, *norms], options, shape=(*shape[:2], s), dtype="float32"))
    return m, shape


@pytest.mark.parametrize(("form", "options"), FORMS, ids=str)
def test_sequence_lstm(tmp_path: Path, form: dict[str, bool], options: dict[str, Any]) -> None:
    m, shape = sequence_lstm(form, options)
    agree(tmp_path, m, shape)


@pytest.mark.parametrize("form", [FORMS[0][0], FORMS[5][0], FORMS[6][0]], ids=str)
def test_lstm(tmp_path: Path, form: dict[str, bool]) -> None:
    m = TfliteWriter()
    x = m.input("x", (B, N), "float32")
    tensors, norms, s = lstm(m, **form)
    states = [m.variable((B, s), "float32"), m.variable((B, U), "float32")]
    options = {"fused_activation_function": "TANH", "kernel_type": "FULL"}
    m.output(m.op("LSTM", [x, *tensors, *states, *norms], options, shape=(B, s), dtype="float32"))
    agree(tmp_path, m, (B, N))


@pytest.mark.parametrize("kept", [False, True])
def test_basic_lstm(tmp_path: Path, kept: bool) -> None:
    """The state is fed, or kept."""
    m = TfliteWriter()
    x, h, c = m.input("x", (B, N), "float32"), *(m.variable((B, U), "float32") if kept else m.input(k, (B, U), "float32") for k in "hc")
    w, b = floats((4 * U, N + U), (4 * U,))
    specs = [((B, U), "float32"), ((B, U), "float32"), ((B, N + U), "float32"), ((B, 4 * U), "float32")]
    options = {"kernel_type": "BASIC", "fused_activation_function": "TANH"}
    results = m.op("LSTM", [x, h, m.constant(w), m.constant(b), c], options, outputs=specs)
    for y in results:
        m.output(y)
    agree(tmp_path, m, (B, N), *[(B, U)] * (0 if kept else 2))


@pytest.mark.parametrize("merged", [True, False])
@pytest.mark.parametrize("second", ["none", "weighted", "parallel"])
@pytest.mark.parametrize("op", ["BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN"])
def test_bidirectional(tmp_path: Path, op: str, second: str, merged: bool) -> None:
    m = TfliteWriter()
    x = m.input("x", (T, B, N), "float32")
    inputs = [(T, B, N)]
    more = -1
    if second != "none":
        more = m.input("more", (T, B, N), "float32")
        inputs.append((T, B, N))
    count = 8 if op.endswith("LSTM") else 2
    weights = [m.constant(w) if second == "weighted" else -1 for w in floats(*[(U, N)] * count, seed=9)]
    options: dict[str, Any] = {"fused_activation_function": "TANH", "merge_outputs": merged, "time_major": True}
    if op.endswith("LSTM"):
        (forward, _, _), (backward, _, _) = lstm(m), lstm(m, seed=1)
        operands = [x, *forward, *backward, *(m.variable((B, U), "float32") for _ in range(4)), more, *weights]
    else:
        layers = [[*map(m.constant, floats((U, N), (U, U), (U,), seed=k)), m.variable((B, U), "float32")] for k in (1, 2)]
        operands = [x, *layers[0], *layers[1], more, *weights]
    specs = [((T, B, 2 * U), "float32")] if merged else [((T, B, U), "float32")] * 2
    for y in m.op(op, operands, options, outputs=specs):
        m.output(y)
    agree(tmp_path, m, *inputs)


@pytest.mark.parametrize(("op", "shape"), [
    ("RNN", (B, N)), ("UNIDIRECTIONAL_SEQUENCE_RNN", (B, T, N)), ("UNIDIRECTIONAL_SEQUENCE_RNN", (T, B, N)),
])  # fmt: skip
def test_rnn(tmp_path: Path, op: str, shape: tuple[int, ...]) -> None:
    m = TfliteWriter()
    w, r, b = floats((U, N), (U, U), (U,))
    operands = [m.input("x", shape, "float32"), m.constant(w), m.constant(r), m.constant(b), m.variable((B, U), "float32")]
    options = {"fused_activation_function": "RELU"} | ({} if op == "RNN" else {"time_major": shape[0] == T})
    m.output(m.op(op, operands, options, shape=(*shape[:-1], U), dtype="float32"))
    agree(tmp_path, m, shape)


@pytest.mark.parametrize(("rank", "biased"), [(1, True), (2, False)])
def test_svdf(tmp_path: Path, rank: int, biased: bool) -> None:
    m = TfliteWriter()
    features, times, bias = floats((U * rank, N), (U * rank, 4), (U,))
    operands = [m.input("x", (B, N), "float32"), m.constant(features), m.constant(times), m.constant(bias) if biased else -1,
                m.variable((B, 4 * U * rank), "float32")]
    m.output(m.op("SVDF", operands, {"rank": rank, "fused_activation_function": "RELU"}, shape=(B, U), dtype="float32"))
    agree(tmp_path, m, (B, N))


def handle(g: Subgraph) -> int:
    return g.op("VAR_HANDLE", [], {"shared_name": "v", "container": ""}, shape=(), dtype="resource")


@pytest.mark.parametrize("signature", [None, (-1,)])
def test_a_variable_that_nothing_is_assigned_to(tmp_path: Path, signature: tuple[int, ...] | None) -> None:
    m = TfliteWriter()
    read = m.op("READ_VARIABLE", [handle(m)], outputs=[((3,), "float32", None, signature)])
    m.output(m.op("ADD", [m.input("x", (3,), "float32"), *read], shape=(3,), dtype="float32"))
    path = write(tmp_path, m)
    if signature is None:
        assert load(path).states
        return
    with pytest.raises(UnsupportedError, match=r"READ_VARIABLE .* the file leaves extents open"):
        load(path)


def variables() -> TfliteWriter:
    """y = -v, v = v + x, z = -v; v is 1, 2, 3 before the first run."""
    m = TfliteWriter()
    once = m.subgraph("once")
    once.op("ASSIGN_VARIABLE", [handle(once), once.constant(np.array([1, 2, 3], np.float32))], {}, outputs=())
    m.op("CALL_ONCE", [], {"init_subgraph_index": once.index}, outputs=())
    x = m.input("x", (3,), "float32")
    v = handle(m)
    before = m.op("READ_VARIABLE", [v], shape=(3,), dtype="float32")
    m.op("ASSIGN_VARIABLE", [v, m.op("ADD", [before, x], shape=(3,), dtype="float32")], {}, outputs=())
    after = m.op("READ_VARIABLE", [v], shape=(3,), dtype="float32")
    m.output(m.op("NEG", [before], shape=(3,), dtype="float32"))
    m.output(m.op("NEG", [after], shape=(3,), dtype="float32"))
    return m


def test_variables(tmp_path: Path) -> None:
    agree(tmp_path, variables(), (3,))


def branches(*, assign: bool = False) -> TfliteWriter:
    """if sum(x) > 0: x * 2, else -x; with `assign` the first branch also gives a variable that is an output another value."""
    m = TfliteWriter()
    x = m.input("x", (3,), "float32")
    total = m.op("SUM", [x, m.constant(np.array([0], np.int32))], {"keep_dims": False}, shape=(), dtype="float32")
    positive = m.op("GREATER", [total, m.constant(np.float32(0))], shape=(), dtype="bool")
    yes, no = m.subgraph("yes"), m.subgraph("no")
    a, b = yes.input("a", (3,), "float32"), no.input("b", (3,), "float32")
    twice = yes.op("MUL", [a, yes.constant(np.float32(2))], shape=(3,), dtype="float32")
    yes.output(twice)
    no.output(no.op("NEG", [b], shape=(3,), dtype="float32"))
    handles = [handle(g) for g in ((m, yes) if assign else ())]
    if assign:
        once = m.subgraph("once")
        once.op("ASSIGN_VARIABLE", [handle(once), once.constant(np.zeros(3, np.float32))], {}, outputs=())
        m.op("CALL_ONCE", [], {"init_subgraph_index": once.index}, outputs=())
        yes.op("ASSIGN_VARIABLE", [handles[1], twice], {}, outputs=())
    m.output(m.op("IF", [positive, x], {"then_subgraph_index": yes.index, "else_subgraph_index": no.index}, shape=(3,), dtype="float32"))
    if assign:
        m.output(m.op("READ_VARIABLE", [handles[0]], shape=(3,), dtype="float32"))
    return m


@pytest.mark.parametrize("assign", [False, True])
def test_if(tmp_path: Path, assign: bool) -> None:
    agree(tmp_path, branches(assign=assign), (3,))


def loop(times: int) -> TfliteWriter:
    """x * 1.5 ^ times, by a loop that counts."""
    m = TfliteWriter()
    x, zero = m.input("x", (3,), "float32"), m.constant(np.int32(0))
    cond, body = m.subgraph("cond"), m.subgraph("body")
    k, _ = cond.input("k", (), "int32"), cond.input("a", (3,), "float32")
    cond.output(cond.op("LESS", [k, cond.constant(np.int32(times))], shape=(), dtype="bool"))
    i, c = body.input("i", (), "int32"), body.input("c", (3,), "float32")
    body.output(body.op("ADD", [i, body.constant(np.int32(1))], shape=(), dtype="int32"))
    body.output(body.op("MUL", [c, body.constant(np.float32(1.5))], shape=(3,), dtype="float32"))
    options = {"cond_subgraph_index": cond.index, "body_subgraph_index": body.index}
    m.output(m.op("WHILE", [zero, x], options, outputs=[((), "int32"), ((3,), "float32")])[1])
    return m


@pytest.mark.parametrize("times", [0, 1, 4])
def test_while(tmp_path: Path, times: int) -> None:
    m = loop(times)
    path, feeds = write(tmp_path, m), [floats((3,))]
    same([y for run in runs(path, feeds) for y in run], [feeds[0][0] * np.float32(1.5**times)])
    if times:
        same(runs(path, feeds)[0], litert_runs(path, feeds)[0])


@pytest.mark.device
@pytest.mark.parametrize("make", [
    lambda: sequence_lstm(*FORMS[5])[0], variables, lambda: branches(assign=True),
], ids=["lstm", "variables", "if"])  # fmt: skip
def test_on_the_device(tmp_path: Path, make: Any) -> None:
    path = write(tmp_path, make())
    plan, _ = compile_model(path)
    assert plan is not None and plan.states
    with Session(plan, find()) as session:
        feeds = [floats(*(t.shape for t in session.inputs), seed=k) for k in range(4)]
        expected = litert_runs(path, feeds)
        for _ in range(2):
            for arrays, outputs in zip(feeds, expected):
                same(list(session.run(arrays).values()), outputs, 2e-5)
            session.reset()
