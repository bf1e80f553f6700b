"""Runs graphs on the device and holds them against the numpy reference: the oracle of every kernel test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from planish.compiler import driver, memory
from planish.compiler.frontend import load
from planish.compiler.ir import Graph, Node, Step, TensorType, evaluate
from planish.compiler.lower import Launch, Schedule, lower
from planish.compiler.passes.lay_out import lay_out
from planish.compiler.targets import Target, named
from planish.runtime import Session
from planish.runtime.devices import find
from planish.runtime.stages import offered

CPU, CPU8, GPU = named("cpu"), Target("cpu8", "cpu", 8, 2, 16, 100, 20, 2), named("generic")
TARGETS = (CPU, CPU8, GPU)


@dataclass(frozen=True)
class Case:
    """One op with operands, as a graph of its own.

    Attributes:
        inputs: arrays that the graph is fed; constants: operands that it holds. Both by position.
        epilogue: steps behind the op; a string operand names an entry of `extra`.
        framed: the op is wrapped so that its first operand comes from, and its result goes to, a device buffer in whatever layout
            the compiler prefers; otherwise it reads and writes what the user sees.
        before: ops that the first operand goes through on its way, such as those that the layout pass turns into views.
    """

    op: Any
    operands: Sequence[np.ndarray]
    constants: frozenset[int] = frozenset()
    epilogue: tuple[Step, ...] = ()
    extra: tuple[tuple[str, np.ndarray, bool], ...] = ()
    framed: bool = True
    before: tuple[Any, ...] = ()


def floats(*shapes: tuple[int, ...], seed: int = 0) -> list[np.ndarray]:
    """Arrays of normally distributed float32."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(s).astype(np.float32) for s in shapes]


def graph_of(case: Case) -> tuple[Graph, dict[str, np.ndarray]]:
    """The graph of a case, and what to feed it."""
    from planish.compiler.ops.elementwise import Elementwise

    graph, feed = Graph("case"), {}
    names = []
    for k, array in enumerate(case.operands):
        if k in case.constants:
            names.append(graph.add_constant(array, f"c{k}"))
            continue
        name = graph.add_input(f"x{k}", TensorType.of(array))
        feed[name] = array
        if case.framed and array.dtype.kind == "f" and k == 0:
            name = _framed(graph, name, Elementwise("neg"), f"framed{k}")
            feed[f"x{k}"] = -array
        for step, op in enumerate(case.before if k == 0 else ()):
            name = _framed(graph, name, op, f"before{step}", 1 + step)
        names.append(name)
    for name, array, constant in case.extra:
        if constant:
            assert graph.add_constant(array, name) == name
        else:
            feed[graph.add_input(name, TensorType.of(array))] = array
    count = len(case.op.infer(*(graph.type(v) for v in names)))
    outputs = tuple(f"y{k}" for k in range(count))
    graph.add_node(Node("op", case.op, tuple(names), outputs, case.epilogue, position=10, sources=("op",)))
    for k, name in enumerate(outputs):
        if case.framed and graph.type(name).dtype.kind == "f":
            name = _framed(graph, name, Elementwise("neg"), f"out{k}", 20)
        graph.outputs[f"out{k}"] = name
    graph.verify()
    return graph, feed


def _framed(graph: Graph, value: str, op: Any, name: str, position: int = 0) -> str:
    graph.add_node(Node(f"{name}:node", op, (value,), (name,), position=position, sources=(name,)))
    return name


def schedules(graph: Graph, target: Target, precision: str = "f32") -> Iterator[tuple[str, Schedule]]:
    """A laid-out graph's schedule, once with every candidate of every launch (the others at their first)."""
    graph = graph.copy()
    lay_out(graph, target)
    graph.verify()
    schedule = lower(graph, target, precision)
    launches = [(k, launch) for k, launch in enumerate(schedule.launches) if isinstance(launch, Launch)]
    for _, launch in launches:
        costs = [k.cost for k in launch.candidates]
        assert np.isfinite(costs).all() and costs[0] > 0 and costs == sorted(costs), f"not the cheapest first: {costs}"
    yield "first", schedule
    for k, launch in launches:
        for choice in range(1, len(launch.candidates)):
            chosen = (*schedule.launches[:k], launch.choose(choice), *schedule.launches[k + 1 :])
            yield launch.candidates[choice].variant(), Schedule(schedule.graph, chosen)


def execute(schedule: Schedule, target: Target, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Runs a schedule on the device of this process; as one kernel where the target wants that and the driver is not too old."""
    device = find()
    target = replace(target, megakernel=target.megakernel and offered(device))
    plan = driver.emit(schedule, memory.assign(schedule, target.alignment), target)
    return Session(plan, device).run({t.name: feed[t.name] for t in plan.inputs})


def check(case: Case, **options: Any) -> int:
    """Holds every candidate of a case, on every target, against the reference; returns how many were run. Options as `check_graph`'s."""
    return check_graph(*graph_of(case), what=str(case.op), **options)


def check_file(path: Path, arrays: Sequence[np.ndarray], **options: Any) -> int:
    """Holds the kernels of a model in a file against the references of its ops; returns how many were run. Options as `check_graph`'s."""
    graph = load(path)
    feed = dict(zip(graph.inputs, arrays, strict=True))
    return check_graph(graph, feed, **{"targets": [CPU], "candidates": 1, "what": path.stem, **options})


def check_graph(graph: Graph, feed: dict[str, np.ndarray], *, targets: Sequence[Target] = TARGETS, precision: str = "f32",
                reduction: int = 1, candidates: int | None = None, template: str = "", what: str = "") -> int:
    """Holds every candidate of every launch of a graph, on every target, against the reference; returns how many were run.

    Args:
        template: of the candidates to run, "" for every one.
        reduction: length of the sums in the op; long ones widen the tolerance by their square root.
        candidates: how many to run at most, spread over all; None for all.
        what: is tested, for the message.
    """
    values = evaluate(graph, feed)
    expected = {name: values[value] for name, value in graph.outputs.items()}
    double = {v.dtype.itemsize for v in values.values() if v.dtype.kind == "f"} == {8}
    ran = 0
    for target in targets:
        found = [f for f in schedules(graph, target, precision) if not template or any(_is(step, template) for step in f[1].launches)]
        if candidates and len(found) > candidates:
            found = [found[i] for i in np.linspace(0, len(found) - 1, candidates).astype(int)]
        for variant, schedule in found:
            actual = execute(schedule, target, feed)
            for name, reference in expected.items():
                assert_close(actual[name], reference, "f64" if double else precision, reduction, f"{what} [{target.name}, {variant}]")
            ran += 1
    return ran


def _is(step: object, template: str) -> bool:
    return isinstance(step, Launch) and step.kernel.template == template


def assert_close(actual: np.ndarray, expected: np.ndarray, precision: str = "f32", reduction: int = 1, what: str = "") -> None:
    """|a - b| <= 1e-5 + 1e-4 |b| (f32), 2.5e-3 + 1e-3 |b| (f16 storage), 1e-13 + 1e-12 |b| (where all floats are float64), times the
    root of a long reduction's length / 64."""
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape} for {expected.shape}"
    assert actual.dtype == expected.dtype, f"{what}: dtype {actual.dtype} for {expected.dtype}"
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(actual, expected, err_msg=what)
        return
    absolute, relative = {"f32": (1e-5, 1e-4), "f16": (2.5e-3, 1e-3), "f64": (1e-13, 1e-12)}[precision]
    wider = max(1.0, np.sqrt(reduction / 64))
    np.testing.assert_allclose(actual, expected, rtol=relative * wider, atol=absolute * wider, err_msg=what)
