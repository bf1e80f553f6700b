"""The passes in order, and what a large graph costs."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import numpy as np
import pytest

from planish.compiler import memory, passes
from planish.compiler.errors import GraphError
from planish.compiler.ir import Graph, Node, TensorType
from planish.compiler.lower import lower
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.movement import Concat, Reshape, Transpose
from planish.compiler.ops.softmax import Softmax
from planish.compiler.passes.rewrite import Event
from planish.compiler.targets import Target, named
from tests.graphs import Build, assert_equal_meaning, by_chance, ops

CPU = named("cpu")


def small() -> Build:
    b = Build()
    b.returns(b("relu", b("identity", b(Conv2D(), b.input(1, 4, 4, 8), b.constant(8, 1, 1, 8)))))
    return b


def test_the_graph_given_stays_as_it_is() -> None:
    b = small()
    after = passes.run(b.graph, CPU)
    assert ops(b.graph) == ["Conv2D", "identity", "relu"] and ops(after) == ["Copy", "Conv2D + relu"]
    assert all(v.layout is None for v in b.graph.values())


def test_watching() -> None:
    seen: list[tuple[int, str, list[str], int]] = []
    passes.run(small().graph, CPU, watch=lambda number, name, graph, events: seen.append((number, name, ops(graph), len(events))))
    assert [(number, name) for number, name, _, _ in seen] == list(enumerate(passes.NAMES, 1))
    assert seen[0][2:] == (["Conv2D", "identity", "relu"], 0) and seen[1][2:] == (["Conv2D", "relu"], 1)


def test_stopping() -> None:
    assert ops(passes.run(small().graph, CPU, stop_after="prune")) == ["Conv2D", "relu"]


def test_a_pass_that_breaks_the_graph_is_named() -> None:
    def spoil(graph: Graph, target: Target) -> list[Event]:
        graph.remove_node("n0")
        return []

    with pytest.raises(GraphError, match="after pass spoil: value 'v0' has 0 sources"):
        passes.run(small().graph, CPU, pipeline=(*passes.PIPELINE[:2], passes.Pass("spoil", spoil)))


@pytest.mark.parametrize("seed", range(120))
def test_meaning_stays_after_every_pass(seed: int) -> None:
    b = by_chance(seed, 10)
    passes.run(b.graph, CPU, watch=lambda number, name, graph, events: assert_equal_meaning(b.graph, graph, b.feed))


@pytest.mark.parametrize("seed", range(0, 120, 6))
def test_a_second_run_finds_nothing_more(seed: int) -> None:
    graph = passes.run(by_chance(seed, 10).graph, CPU, stop_after="weights")
    events: list[Event] = []
    passes.run(graph, CPU, stop_after="weights", watch=lambda number, name, after, found: events.extend(e for e in found if e.fired))
    assert events == []


# -- cost

Make = Callable[[int, str, str], "tuple[Elementwise | Conv2D | Transpose | Reshape | Softmax, tuple[str, ...]]"]
F32 = np.dtype(np.float32)
W, B, S, FULL, HUB = "w", "b", "s", "full", "x"
GRAPHS: dict[str, Make] = {
    # from a node's number, the value before it and the one four before: its op and operands
    "activations": lambda k, x, y: (Elementwise(("tanh", "sigmoid")[k % 2]), (x,)),
    "no-ops": lambda k, x, y: (Elementwise("identity"), (x,)),
    "residual convolutions": lambda k, x, y: ((Conv2D(), (x, W)), (Elementwise("add"), (x, B)), (Elementwise("relu"), (x,)),
                                              (Elementwise("add"), (x, y)))[k % 4],
    "normalisations": lambda k, x, y: ((Conv2D(), (x, W)), (Elementwise("sub"), (x, B)), (Elementwise("div"), (x, S)),
                                       (Elementwise("add"), (x, B)))[k % 4],
    "scales that cannot be folded": lambda k, x, y: (Conv2D(), (x, W)) if k == 0 else (Elementwise(("mul", "add")[k % 2]), (x, FULL)),
    "transposes": lambda k, x, y: (Transpose((0, 2, 1, 3)), (x,)) if k % 5 == 0 else (Elementwise("tanh"), (x,)),
    "reshapes": lambda k, x, y: (Reshape(((1, 4, 4, 8), (1, 2, 8, 8))[k // 3 % 2]), (x,)) if k % 3 == 0 else (Elementwise("tanh"), (x,)),
    "one value read by all": lambda k, x, y: (Elementwise("tanh"), (HUB,)),
    "a ladder": lambda k, x, y: (Elementwise("tanh"), (HUB,)) if k % 2 == 0 else (Elementwise("add"), (x, y)),
    "plain readers of an image": lambda k, x, y: (Conv2D(), (x, W)) if k == 0 else (Softmax(3), ("v0",)),
}


def large(make: Make, count: int) -> Graph:
    g = Graph()
    g.add_input(HUB, TensorType((1, 4, 4, 8), F32))
    for name, shape in ((W, (8, 1, 1, 8)), (B, (8,)), (S, (8,)), (FULL, (1, 4, 4, 8))):
        g.add_constant(np.ones(shape, np.float32), name)
    for k in range(count):
        op, operands = make(k, f"v{k - 1}" if k else HUB, f"v{k - 4}" if k >= 4 else HUB)
        g.add_node(Node(f"n{k}", op, operands, (f"v{k}",), position=k))
    unread = [f"v{k}" for k in range(count) if not g.consumers(f"v{k}")]
    g.outputs["y"] = g.emit(Concat(3), *unread, like=g.node(f"n{count - 1}")) if len(unread) > 1 else unread[0]
    return g


def seconds(make: Make, count: int) -> float:
    """Of the processor: the passes, and the arena of what they leave."""
    graph = large(make, count)
    start = process_time()
    laid_out = passes.run(graph, CPU)
    passed = process_time() - start
    schedule = lower(laid_out, CPU)
    start = process_time()
    memory.assign(schedule, 512)
    return passed + process_time() - start


@pytest.mark.slow
@pytest.mark.parametrize("kind", GRAPHS)
def test_cost_grows_with_the_graph(kind: str) -> None:
    """Eight times the nodes take about eight times as long; 64 times would be quadratic."""
    assert seconds(GRAPHS[kind], 4000) < 24 * max(seconds(GRAPHS[kind], 500), 0.05)
