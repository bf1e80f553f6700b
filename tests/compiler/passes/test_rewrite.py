"""The rewrite engine: when rules are called, what is reported, and how it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planish.compiler.errors import GraphError
from planish.compiler.ir import Graph, Node, Step
from planish.compiler.ops.elementwise import Elementwise
from planish.compiler.ops.movement import Reshape
from planish.compiler.passes.rewrite import Declined, Fired, Outcome, bypass, describe, joined, rewrite, rule, substitute
from tests.graphs import Build, ops, said


def chain(*names: str) -> Graph:
    b = Build()
    x = b.input(2, 3)
    for name in names:
        x = b(name, x)
    return b.returns(x)


@rule(Elementwise)
def cancel_negations(graph: Graph, node: Node) -> Outcome:
    before = graph.producer(node.inputs[0])
    if node.op.fn != "neg" or before is None:
        return None
    if before.op.fn != "neg":
        return Declined(f"before it comes {before.op.fn}")
    bypass(graph, node, before.inputs[0])
    return Fired("cancelled")


@rule(Elementwise)
def prune_identity(graph: Graph, node: Node) -> Outcome:
    if node.op.fn != "identity":
        return None
    bypass(graph, node, node.inputs[0])
    return Fired("pruned")


def test_a_change_brings_the_neighbours_back() -> None:
    """neg(identity(identity(neg x))): the negations meet only after both identities are gone."""
    graph = chain("relu", "neg", "identity", "identity", "neg", "tanh")
    events = rewrite(graph, [cancel_negations, prune_identity])
    assert ops(graph) == ["relu", "tanh"]
    assert said(events) == ["prune_identity: pruned", "prune_identity: pruned", "cancel_negations: cancelled"]


def test_a_refusal_is_reported_once_with_its_last_reason() -> None:
    graph = chain("relu", "identity", "neg", "tanh")
    events = rewrite(graph, [cancel_negations, prune_identity])
    assert said(events) == ["prune_identity: pruned", "not cancel_negations: before it comes relu"]
    assert (events[1].node, events[1].op, events[1].fired) == ("n2", "Elementwise.neg", False)


def test_a_refusal_at_a_node_that_goes_is_forgotten() -> None:
    @rule(Elementwise)
    def drop(graph: Graph, node: Node) -> Outcome:
        if node.op.fn != "tanh":
            return Declined("it is no tanh")
        bypass(graph, node, graph.inputs[0])
        return Fired("dropped")

    graph = chain("relu", "neg", "tanh")
    assert said(rewrite(graph, [drop])) == ["drop: dropped"]
    assert len(graph) == 0


def test_rules_are_tried_in_order_and_only_on_their_ops() -> None:
    seen: list[tuple[str, str]] = []

    @rule(Reshape)
    def first(graph: Graph, node: Node) -> Outcome:
        seen.append(("first", node.name))

    @rule(Elementwise, Reshape)
    def second(graph: Graph, node: Node) -> Outcome:
        seen.append(("second", node.name))

    b = Build()
    graph = b.returns(b(Reshape((6,)), b("neg", b.input(2, 3))))
    assert rewrite(graph, [first, second]) == []
    assert seen == [("second", "n0"), ("first", "n1"), ("second", "n1")]


def test_rules_that_undo_one_another_are_an_error() -> None:
    @rule(Elementwise)
    def turn(graph: Graph, node: Node) -> Outcome:
        substitute(graph, node, Elementwise("neg" if node.op.fn == "abs" else "abs"), *node.inputs)
        return Fired("turned")

    with pytest.raises(GraphError, match=r"rule turn goes on for ever at node 'n0.*'"):
        rewrite(chain("abs"), [turn])


def test_rules_come_before_fusion() -> None:
    graph = chain("abs", "neg")
    node = graph.node("n1")
    graph.replace_node(node, replace(node, epilogue=(Step(Elementwise("relu"), (0,)),)))
    with pytest.raises(GraphError, match="'n1' has an epilogue"):
        rewrite(graph, [prune_identity])


def test_what_nothing_needs_is_swept() -> None:
    b = Build()
    x = b.input(2, 3)
    b("relu", x)
    graph = b.returns(b("neg", x))
    rewrite(graph, [])
    assert ops(graph) == ["neg"] and not graph.has_value("v0")


def test_substitute_keeps_readers_and_the_sources() -> None:
    graph = chain("relu", "neg", "tanh")
    node = graph.node("n1")
    substitute(graph, node, Elementwise("abs"), node.inputs[0])
    assert ops(graph) == ["relu", "abs", "tanh"]
    assert graph.nodes()[1].sources == ("n1",)
    graph.verify()


def test_names() -> None:
    assert describe(Elementwise("relu")) == "Elementwise.relu" and describe(Reshape((1,))) == "Reshape"
    graph = chain("relu", "neg")
    assert joined(*graph.nodes(), graph.node("n0")) == ("n0", "n1")
