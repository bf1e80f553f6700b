"""States: what a model keeps from one run to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from planish.compiler import passes
from planish.compiler.driver import compile_graph
from planish.compiler.errors import GraphError
from planish.compiler.ir import Graph, TensorType, evaluate
from planish.compiler.lower import lower
from planish.compiler.ops.movement import Concat, Copy, Reshape, Slice
from planish.compiler.ops.reduce import Reduce
from planish.compiler.ops.softmax import Softmax
from planish.compiler.targets import named
from planish.compiler.text import dump
from planish.runtime import PlanError, Session, load
from planish.runtime.devices import find
from planish.runtime.plan import Argument, Plan
from tests.graphs import Build
from tests.harness import assert_close, floats

Make = Callable[[Build, str, str, str], tuple[str, str, str]]
"""From the input and the states a and b to the output and what a and b become."""
ONES = np.full((2, 3), 1.5, np.float32)


def graph_of(make: Make) -> Graph:
    b = Build()
    x = b.input(2, 3)
    first, second = b.graph.add_state("a", np.zeros((2, 3), np.float32)), b.graph.add_state("b", ONES)
    y, *updates = make(b, x, first, second)
    for state, value in zip((first, second), updates):
        b.graph.set_state(state, value)
    b.graph.outputs["y"] = y
    b.graph.verify()
    return b.graph


def runs(graph: Graph, feeds: list[np.ndarray]) -> list[np.ndarray]:
    """The output of each of several runs, by the references."""
    kept = {name: state.initial for name, state in graph.states.items()}
    results = []
    for x in feeds:
        values = evaluate(graph, {graph.external_inputs[0]: x, **kept})
        kept = {name: values[graph.outputs[state.output]] for name, state in graph.states.items()}
        results.append(values[next(iter(graph.external_outputs.values()))])
    return results


def row(b: Build, value: str, index: int) -> str:
    return b(Slice((index, 0), (1, 3), (1, 1)), value)


CASES: dict[str, Make] = {
    "sum": lambda b, x, s, t: (b("add", s, t), b("add", s, x), t),
    "as before": lambda b, x, s, t: (b("mul", s, t), x, b("add", t, x)),
    "exchanged": lambda b, x, s, t: (b("add", x, b("sub", s, t)), t, b("add", s, x)),
    "swapped": lambda b, x, s, t: (b("add", x, b("sub", s, t)), t, s),
    "a view of another": lambda b, x, s, t: (b("add", x, s), b(Reshape((2, 3)), b(Reshape((3, 2)), t)), b("add", x, t)),
    "shifted": lambda b, x, s, t: (b("add", x, s), b(Concat(0), row(b, s, 1), row(b, x, 0)), s),
    "an output too": lambda b, x, s, t: ((y := b("add", b("add", s, x), t)), y, y),
    "over what only others read": lambda b, x, s, t: ((y := b("add", b(Reduce("sum", (1,), True), s), x)), b("exp", b(Softmax(1), y)), x),
    "after a view of it": lambda b, x, s, t: (x, b(Softmax(0), b("add", b(Reduce("sum", (0, 1)), b(Reshape((3, 2)), s)), t)), t),
    "unread": lambda b, x, s, t: (b("neg", x), x, t),
}


@pytest.mark.device
@pytest.mark.parametrize("target", ["cpu", "generic"])
@pytest.mark.parametrize("case", CASES)
def test_runs_and_reset(case: str, target: str, tmp_path: Path) -> None:
    graph, feeds = graph_of(CASES[case]), [floats((2, 3), seed=k)[0] for k in range(4)]
    expected = runs(graph, feeds)
    compile_graph(graph, named(target)).write(tmp_path / "plan")
    with load(tmp_path / "plan", find()) as session:
        assert len(session.inputs) == len(session.outputs) == 1
        for _ in range(2):
            for x, y in zip(feeds, expected):
                (result,) = session.run([x]).values()
                assert_close(result, y, what=case)
            session.reset()
        session.profile([feeds[0]], repeat=2)
        assert_close(next(iter(session.run([feeds[0]]).values())), expected[0], what="after a profile")


@pytest.mark.parametrize(("case", "copies"), [
    ("sum", 1), ("over what only others read", 1), ("after a view of it", 1), ("unread", 1), ("as before", 2), ("swapped", 4),
])  # fmt: skip
def test_what_may_be_written_in_place_is_not_copied(case: str, copies: int) -> None:
    """An input is copied, and what is computed from the state itself."""
    launches = lower(passes.run(graph_of(CASES[case]), named("cpu")), named("cpu")).launches
    assert sum(isinstance(launch.site.op, Copy) for launch in launches) == copies


@pytest.mark.device
def test_half_precision() -> None:
    """A state has the type that the model gives it."""
    graph, feeds = graph_of(CASES["sum"]), [floats((2, 3), seed=k)[0] for k in range(3)]
    session = Session(compile_graph(graph, named("cpu"), precision="f16"), find())
    for x, y in zip(feeds, runs(graph, feeds)):
        assert_close(next(iter(session.run([x]).values())), y, "f16")


def test_plan_and_dump() -> None:
    graph = graph_of(CASES["as before"])
    plan: Plan = compile_graph(graph, named("cpu"))
    assert [(s.name, s.nbytes, s.initial is None) for s in plan.states] == [("a", 24, True), ("b", 24, False)]
    initial = plan.states[1].initial
    assert initial is not None and bytes(plan.weights[initial.offset :][:24]) == ONES.tobytes()
    assert "\nstate  a: float32[2,3]\n" in dump(graph) and "\noutput a:next = " in dump(graph)


@pytest.mark.parametrize("initial", [
    Argument("arena", 0, 0, 24), Argument("weights", 0, 1 << 20, 24), Argument("weights", 0, 0, 23),
], ids=str)  # fmt: skip
def test_initial_contents_lie_in_the_weights(initial: Argument) -> None:
    plan = compile_graph(graph_of(CASES["sum"]), named("cpu"))
    with pytest.raises(PlanError, match="state 'b' has no such contents"):
        replace(plan, states=(plan.states[0], replace(plan.states[1], initial=initial)))


def test_states_keep_their_types() -> None:
    graph = Graph()
    x = graph.add_input("x", TensorType((3,), np.dtype(np.float32)))
    graph.set_state(graph.add_state("s", np.zeros(2, np.float32)), x)
    with pytest.raises(GraphError, match=r"state 's' of float32\[2\] becomes float32\[3\]"):
        graph.verify()


def test_outputs_of_the_model_keep_their_names() -> None:
    graph = Graph()
    graph.outputs["s:next"] = graph.add_input("x", TensorType((3,), np.dtype(np.float32)))
    graph.set_state(graph.add_state("s", np.zeros(3, np.float32)), "x")
    assert graph.external_outputs == {"s:next": "x"}
