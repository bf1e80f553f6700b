"""The graph: what it holds, the rules it keeps, and how it is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from planish.compiler.errors import GraphError
from planish.compiler.ir import Graph, Node, Step, TensorType, Value, evaluate
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.movement import Concat, Reshape
from tests.graphs import Build

F32 = np.dtype(np.float32)
ADD, NEG, RELU = (Elementwise(fn) for fn in ("add", "neg", "relu"))


def diamond() -> Build:
    """v0 = neg x; v1 = relu v0; v2 = v0 + v1; outputs v2 and v0."""
    b = Build()
    v0 = b(NEG, b.input(2, 3))
    b.returns(b(ADD, v0, b(RELU, v0)), v0)
    return b


def names(nodes: list[Node]) -> list[str]:
    return [n.name for n in nodes]


def test_types() -> None:
    t = TensorType((2, 3, 4), np.dtype(np.float16))
    assert (t.rank, t.size, t.nbytes, str(t)) == (3, 24, 48, "float16[2,3,4]")
    assert TensorType((), F32).size == 1 and TensorType((2, 0), F32).nbytes == 0
    assert TensorType.of(np.zeros((1, 2), np.int8)) == TensorType((1, 2), np.dtype(np.int8))


def test_reading() -> None:
    g = diamond().graph
    assert names(g.nodes()) == ["n0", "n1", "n2"] and len(g) == 3
    assert names(g.consumers("v0")) == ["n1", "n2"] and g.consumers("v2") == []
    producer = g.producer("v0")
    assert producer is not None and producer.name == "n0" and g.producer("x0") is None
    assert g.is_output("v0") and g.is_output("v2") and not g.is_output("v1")
    assert [v.name for v in g.values()] == ["x0", "v0", "v1", "v2"]
    assert g.constant("v0") is None and g.constant("") is None


def test_operands_count_once() -> None:
    step = Step(ADD, (0, "e"))
    node = Node("n", Conv2D(), ("x", "", "x"), ("y",), (step, Step(ADD, (1, "x")), Step(ADD, ("f", "e"))))
    assert node.operands == ("x", "e", "f")


def test_order_is_by_position_then_by_name() -> None:
    g = Graph()
    x = g.add_input("x", TensorType((1,), F32))
    for name, position in (("late", 9), ("b", 1), ("a", 1), ("first", 0)):
        g.add_node(Node(name, NEG, (x,), (f"y_{name}",), position=position))
    g.add_node(Node("early but behind", NEG, ("y_late",), ("z",), position=0))
    assert names(g.nodes()) == ["first", "a", "b", "late", "early but behind"]
    assert names(g.consumers("x")) == ["first", "a", "b", "late"]


def test_order_does_not_depend_on_insertion() -> None:
    def build(order: list[int]) -> list[str]:
        g = Graph()
        g.add_input("x", TensorType((1,), F32))
        for k in order:
            g.add_node(Node(f"n{k}", NEG, ("x",), (f"y{k}",), position=k % 2))
        return names(g.nodes())

    assert build([0, 1, 2, 3]) == build([3, 1, 0, 2]) == ["n0", "n2", "n1", "n3"]


def test_names_are_fresh() -> None:
    g = diamond().graph
    assert g.fresh("new") == "new"
    assert g.fresh("v0") == "v0.1"
    assert [g.add_constant(np.zeros(1), "v0") for _ in range(3)] == ["v0.2", "v0.3", "v0.4"]
    assert g.fresh("n1") == "n1.1"


def test_emit_takes_the_place_of_its_model() -> None:
    g = diamond().graph
    value = g.emit(RELU, "v1", like=g.node("n1"))
    node = g.producer(value)
    assert node is not None and (node.position, node.sources, node.name, value) == (1, ("n1",), "n1:elementwise", "v1.1")
    assert g.emit(RELU, "v1", like=g.node("n1"), hint="wanted") == "wanted"


def test_adding_infers_types_and_writes_the_journal() -> None:
    g = diamond().graph
    g.journal.clear()
    g.add_node(Node("c", Concat(1), ("v0", "v1"), ("w",)))
    assert g.type("w") == TensorType((2, 6), F32) and g.journal == ["c"]


@pytest.mark.parametrize(("node", "error"), [
    (Node("n", NEG, ("nothing",), ("y",)), "node 'n' reads 'nothing', which does not exist"),
    (Node("n", NEG, ("x0",), ("y",), (Step(ADD, (0, "nothing")),)), "node 'n' reads 'nothing', which does not exist"),
    (Node("n", Reshape((7,)), ("x0",), ("y",)), "node 'n' (Reshape): float32[2,3] does not have the elements of shape (7,)"),
    (Node("n", ADD, ("x0",), ("y",)), "node 'n' (Elementwise): add takes 2 operands, not 1"),
])  # fmt: skip
def test_adding_what_does_not_fit(node: Node, error: str) -> None:
    with pytest.raises(GraphError) as caught:
        diamond().graph.add_node(node)
    assert str(caught.value) == error


def test_uses_are_replaced_everywhere() -> None:
    b = diamond()
    g = b.graph
    fused = replace(g.node("n2"), inputs=("v1", "v1"), epilogue=(Step(ADD, ("v0", 0)), Step(RELU, (1,))))
    g.replace_node(g.node("n2"), fused)
    g.replace_uses("v0", "x0")
    assert g.node("n1").inputs == ("x0",) and g.node("n2").inputs == ("v1", "v1") and g.node("n2").epilogue[0].args == ("x0", 0)
    assert g.outputs == {"y0": "v2", "y1": "x0"} and g.consumers("v0") == []
    g.verify()


def test_sweep_removes_what_no_output_needs_and_keeps_inputs() -> None:
    b = diamond()
    unused = b.input(5)
    b(RELU, b(NEG, b.constant(2)))
    g = b.graph
    del g.outputs["y0"]
    assert sorted(names(g.sweep())) == ["n1", "n2", "n3", "n4"]
    assert [v.name for v in g.values()] == ["x0", "v0", unused] and names(g.nodes()) == ["n0"]
    assert g.sweep() == []
    g.verify()


def test_a_copy_is_independent() -> None:
    g = diamond().graph
    other = g.copy()
    other.replace_uses("v0", "x0")
    other.sweep()
    other.outputs["more"] = "x0"
    assert names(g.nodes()) == ["n0", "n1", "n2"] and list(g.outputs) == ["y0", "y1"] and g.node("n1").inputs == ("v0",)
    g.verify()
    other.verify()


# -- rules


def unknown_output(g: Graph) -> None:
    g.outputs["y9"] = "nothing"


def no_source(g: Graph) -> None:
    g.remove_node("n0")


def input_is_computed(g: Graph) -> None:
    g.inputs.append("v1")


def computed_twice(g: Graph) -> None:
    g.add_node(Node("again", NEG, ("x0",), ("v1",)))


def constant_is_computed(g: Graph) -> None:
    g.add_value(replace(g.value("v1"), data=np.zeros((2, 3), np.float32)))


def wrong_type(g: Graph) -> None:
    g.add_value(Value("v2", TensorType((3, 2), F32)))


def cycle(g: Graph) -> None:
    g.replace_node(g.node("n0"), replace(g.node("n0"), op=ADD, inputs=("x0", "v1")))


@pytest.mark.parametrize(("spoil", "error"), [
    (unknown_output, "output 'nothing' does not exist"),
    (no_source, "value 'v0' has 0 sources; it needs one: a node, an input or a constant"),
    (input_is_computed, "value 'v1' has 2 sources; it needs one: a node, an input or a constant"),
    (computed_twice, "value 'v1' has 2 sources; it needs one: a node, an input or a constant"),
    (constant_is_computed, "value 'v1' has 2 sources; it needs one: a node, an input or a constant"),
    (wrong_type, "node 'n2': 'v2' is recorded as float32[3,2], but the op gives float32[2,3]"),
    (cycle, "test: the graph has a cycle"),
])  # fmt: skip
def test_verify(spoil: Callable[[Graph], None], error: str) -> None:
    g = diamond().graph
    g.verify()
    spoil(g)
    with pytest.raises(GraphError) as caught:
        g.verify()
    assert str(caught.value) == error


def test_evaluate_runs_epilogues_in_order() -> None:
    b = diamond()
    g = b.graph
    steps = (Step(Elementwise("mul"), (0, "v1")), Step(Elementwise("sub"), ("x0", 1)), Step(ADD, (2, 0)))
    g.replace_node(g.node("n2"), replace(g.node("n2"), epilogue=steps))
    x = b.feed["x0"]
    v0, v1 = -x, np.maximum(-x, 0)
    values = evaluate(g, b.feed)
    np.testing.assert_allclose(values["v2"], (x - (v0 + v1) * v1) + (v0 + v1), rtol=1e-6)
    assert set(values) == {"x0", "v0", "v1", "v2"}
