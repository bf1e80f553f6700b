"""A graph as it is drawn: boxes for its inputs, nodes and outputs, and what each stands for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from planish.runtime.errors import one_line

from ..ir import Graph, Node
from ..ops.movement import Transpose
from ..passes.rewrite import describe
from ..text import show
from .drawing import Drawing, draw

LETTER, LINE, MARGIN = 6.7, 15.0, 20.0
"""Pixels: of a letter, of a line of text, beside the text."""
MOST_LETTERS = 30


@dataclass(frozen=True)
class Box:
    """A vertex of the drawing.

    Attributes:
        kind: "node", "input" or "output".
        title: the op, or the name of an input or output; steps: of its epilogue; type: of what it gives.
        name: of the node; sources: the nodes of the file that it stands for.
        detail: all that is known of it, as graph dumps have it.
        computes: the ops that it stands for; moves: whether it does nothing but move data, so that it may well be gone without a trace.
    """

    kind: str
    title: str
    type: str
    name: str = ""
    sources: tuple[str, ...] = ()
    steps: str = ""
    detail: str = ""
    computes: tuple[str, ...] = ()
    moves: bool = False

    @property
    def lines(self) -> list[str]:
        """What is written in it."""
        return [_cut(line) for line in (self.title, self.steps, self.type) if line]

    @property
    def size(self) -> tuple[float, float]:
        return MARGIN + LETTER * max(map(len, self.lines)), 10 + LINE * len(self.lines)


@dataclass
class Picture:
    """The boxes of a graph, those of loops' bodies behind them, and the edges between: (from, to, the value)."""

    boxes: list[Box] = field(default_factory=list)
    edges: list[tuple[int, int, str]] = field(default_factory=list)

    @staticmethod
    def of(graph: Graph) -> Picture:
        picture = Picture()
        picture._add(graph, {})
        return picture

    def drawing(self) -> Drawing:
        return draw([box.size for box in self.boxes], [(start, end) for start, end, _ in self.edges])

    def nodes(self) -> Iterator[Box]:
        return (box for box in self.boxes if box.kind == "node")

    def _add(self, graph: Graph, outside: dict[str, int]) -> None:
        """Adds a graph; a body hangs on the box of its loop."""
        makers = dict(outside)
        for name in graph.inputs:
            if name not in makers:
                detail = "a state" if name in graph.states else ""
                makers[name] = self._box(Box("input", one_line(name), str(graph.type(name)), detail=detail))
        for node in graph.nodes():
            here = self._box(_box(graph, node))
            for value in node.operands:
                if value in makers:
                    self.edges.append((makers[value], here, f"{value}: {graph.type(value)}"))
            makers.update((value, here) for value in node.outputs if value)
            if node.op.driven:
                self._add(node.op.body, dict.fromkeys(node.op.body.inputs, here))
        for name, value in ({} if outside else graph.outputs).items():
            end = self._box(Box("output", one_line(name), str(graph.type(value))))
            if value in makers:
                self.edges.append((makers[value], end, f"{value}: {graph.type(value)}"))

    def _box(self, box: Box) -> int:
        self.boxes.append(box)
        return len(self.boxes) - 1


def _box(graph: Graph, node: Node) -> Box:
    steps = " ".join(f"+ {_plain(describe(step.op))}" for step in node.epilogue)
    constants = [f"{v}: {graph.type(v)}" for v in node.operands if graph.constant(v) is not None]
    detail = [show(node.op), *(f"+ {show(step.op)}" for step in node.epilogue), *(f"constant {c}" for c in constants)]
    computes = tuple(describe(op) for op in (node.op, *(step.op for step in node.epilogue)))
    return Box("node", _plain(describe(node.op)), ", ".join(str(graph.type(v)) for v in node.outputs if v), node.name, node.sources, steps,
               "\n".join(map(one_line, detail)), computes, node.op.view or isinstance(node.op, Transpose))


def _plain(op: str) -> str:
    return op.removeprefix("Elementwise.")


def _cut(line: str) -> str:
    return line if len(line) <= MOST_LETTERS else f"{line[: MOST_LETTERS - 1]}…"
