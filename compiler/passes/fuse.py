"""Element-wise ops join the kernel that produces their operand, as steps of its epilogue.

From a producer P the pass collects the element-wise ops that read what P computes, in order, as long as they fit; it commits
each time only the newest result is still wanted outside. So chains fuse, and so does x * sigmoid(x), or a residual
addition at the end of either branch; no op is named after a combination. An operand from elsewhere cannot depend on P,
for such a dependence would be one more reader of P's result outside. Where element-wise ops compute it for that reader
alone, they join, too. A factor for each channel of what a dense convolution reads becomes an operand of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..ir import Graph, Node, Step
from ..ops.conv import Conv2D
from ..ops.elementwise import Cast, Elementwise
from ..ops.movement import Broadcast, Copy, DepthToSpace, Pad, Shuffle, Slice, SpaceToDepth, Tile, Transpose
from .rewrite import Event, describe, joined

REACH = 16
"""Ops that may be pending before the result is single again."""

STEPS = 64
"""Most steps of an epilogue."""

OPERANDS = 32
"""Most values that a fused node may read; each is an argument of its kernel, and OpenCL grants 128 at least."""

FEW = 8
"""Channels of an image that a convolution may read as the user has them: it multiplies more than these, before it adds."""

MOVES = (Broadcast, Copy, DepthToSpace, Pad, Shuffle, Slice, SpaceToDepth, Tile, Transpose)


@dataclass
class _Program:
    """What the epilogue would be.

    Attributes:
        results: which result each value is.
        wanted: of results, the readers outside, an output of the model counted as one; those that nobody wants are left out.
        operands: values from elsewhere.
    """

    steps: list[Step]
    results: dict[str, int]
    wanted: dict[str, int]
    operands: set[str]
    absorbed: dict[str, Node] = field(default_factory=dict)

    def absorb(self, graph: Graph, reader: Node) -> None:
        """Takes up a node: the steps are those of its op and of its epilogue."""
        self.steps.append(Step(reader.op, tuple(self.results.get(v, v) for v in reader.inputs)))
        first = len(self.steps)
        for step in reader.epilogue:
            self.steps.append(Step(step.op, tuple(first + a if isinstance(a, int) else self.results.get(a, a) for a in step.args)))
        for value in reader.operands:
            if value not in self.results:
                self.operands.add(value)
                continue
            self.wanted[value] -= 1
            if not self.wanted[value]:
                del self.wanted[value]
        self.results[reader.output] = len(self.steps)
        wanted = _wanted(graph, reader.output)
        if wanted:
            self.wanted[reader.output] = wanted
        self.absorbed[reader.name] = reader


def fuse(graph: Graph) -> list[Event]:
    """Runs the pass; every element-wise op that stays a kernel behind a producer is reported with the reason.

    Element-wise ops collect others only when those that would store more have had their turn.
    """
    events: list[Event] = []
    for name in [n.name for n in sorted(graph.nodes(), key=lambda n: isinstance(n.op, Elementwise | Cast))]:
        if graph.has_node(name):
            events += _grow(graph, graph.node(name))
    for node in [n for n in graph.nodes() if isinstance(n.op, Conv2D)]:
        events += _scale(graph, node)
    graph.sweep()
    return [e for e in events if e.fired or graph.has_node(e.node)]


def _grow(graph: Graph, node: Node) -> list[Event]:
    if len(node.outputs) != 1:
        return []
    if node.op.host:
        return _declined(graph, node, f"{describe(node.op)} runs on the host, so it has no kernel to join")
    if node.op.driven:
        return _declined(graph, node, f"{describe(node.op)} is driven by the host, so it has no kernel to join")
    if node.op.view:
        return _declined(graph, node, f"{describe(node.op)} computes nothing, so it has no kernel to join")
    given = len(node.epilogue)
    program = _Program(list(node.epilogue), {node.output: given}, {node.output: _wanted(graph, node.output)}, set(node.operands))
    shape = graph.type(node.output).shape
    committed, steps, why = 0, given, ""
    while len(program.absorbed) - committed < REACH:
        reader, why = _next(graph, program, shape)
        if reader is None:
            break
        for one in [*_sources(graph, program, reader, shape), reader]:
            program.absorb(graph, one)
        if list(program.wanted) == [reader.output]:
            committed, steps = len(program.absorbed), len(program.steps)
    pending = len(program.absorbed) > committed
    absorbed = list(program.absorbed.values())[:committed]
    if absorbed:
        node = _commit(graph, node, absorbed, program.steps[:steps])
    fused = [Event("fuse", n.name, describe(n.op), True, f"joined {node.name} ({describe(node.op)})") for n in absorbed]
    return fused + _declined(graph, node, f"'{node.output}' is also wanted elsewhere" if pending else why)


def _scale(graph: Graph, node: Node) -> list[Event]:
    """A dense convolution multiplies the channels of what it reads, where a node does nothing else: squeeze-and-excitation's last step."""
    product = graph.producer(node.inputs[0])
    if product is None or product.op != Elementwise("mul") or product.epilogue or _wanted(graph, product.output) > 1:
        return []
    x, scale = sorted(product.inputs, key=lambda v: graph.type(v).size, reverse=True)
    type = graph.type(product.output)
    if graph.type(x) != type or graph.type(scale).shape != (type.shape[0], 1, 1, type.shape[3]) or type.shape[1:3] == (1, 1):
        return []
    what = describe(product.op)
    if node.op.groups > 1 or type.shape[3] <= FEW or type.dtype != np.float32:
        why = f"it is of {type} in {node.op.groups} groups; more than {FEW} channels of float32 in one would be accepted"
        return [Event("scale", product.name, what, False, f"could not join what {node.name} reads: {why}")]
    graph.remove_node(product.name)
    graph.replace_node(node, replace(node, inputs=(x, node.inputs[1], scale), sources=joined(product, node)))
    return [Event("scale", product.name, what, True, f"joined what {node.name} reads")]


def _next(graph: Graph, program: _Program, shape: tuple[int, ...]) -> tuple[Node | None, str]:
    """The first element-wise reader of the program's results that can join, or why none can."""
    why = ""
    readers = {c.name: c for v in program.wanted for c in graph.consumers(v) if c.name not in program.absorbed}
    for reader in sorted(readers.values(), key=lambda n: (n.position, n.name)):
        if not isinstance(reader.op, Elementwise | Cast):
            continue
        if reader.epilogue:
            why = why or f"{reader.name} has an epilogue of its own"
        elif any(v in program.results and _wraps(graph, v) for v in reader.inputs):
            why = why or "narrow integers wrap round only where they are stored"
        elif graph.type(reader.output).shape != shape:
            why = why or f"{reader.name} broadcasts it to a larger shape"
        elif len(program.steps) >= STEPS:
            why = why or f"the epilogue has {STEPS} steps already"
        elif len(program.operands.union(reader.operands).difference(program.results)) > OPERANDS:
            why = why or f"the kernel would read more than {OPERANDS} values"
        else:
            return reader, ""
    return None, why


def _sources(graph: Graph, program: _Program, reader: Node, shape: tuple[int, ...]) -> list[Node]:
    """The element-wise nodes that compute a reader's other operands for it alone: they join before it, the first one first."""
    joining: list[Node] = []
    values = [v for v in reader.operands if v not in program.results]
    while values:
        source = graph.producer(value := values.pop())
        if source is None or not isinstance(source.op, Elementwise | Cast) or _wanted(graph, value) > 1 or _wraps(graph, value):
            continue
        steps = len(program.steps) + sum(1 + len(n.epilogue) for n in (*joining, source, reader))
        operands = program.operands.union(reader.operands, source.operands, *(n.operands for n in joining))
        if graph.type(value).shape == shape and steps <= STEPS and len(operands) <= OPERANDS and source.name not in program.absorbed:
            joining.insert(0, source)
            values += source.operands
    return joining


def _wraps(graph: Graph, value: str) -> bool:
    """Whether a value may differ in memory from what a kernel computes, which it does with 32 bits at least."""
    dtype, producer = graph.type(value).dtype, graph.producer(value)
    return dtype.kind in "iu" and dtype.itemsize < 4 and producer is not None and not isinstance(producer.op, MOVES)


def _wanted(graph: Graph, value: str) -> int:
    return len(graph.consumers(value)) + graph.is_output(value)


def _commit(graph: Graph, node: Node, absorbed: list[Node], steps: list[Step]) -> Node:
    for reader in absorbed:
        graph.remove_node(reader.name)
    return graph.replace_node(node, replace(node, outputs=absorbed[-1].outputs, epilogue=tuple(steps), sources=joined(node, *absorbed)))


def _declined(graph: Graph, node: Node, why: str) -> list[Event]:
    readers = [c for c in graph.consumers(node.output) if isinstance(c.op, Elementwise | Cast)]
    if not readers or not why:
        return []
    return [Event("fuse", readers[0].name, describe(readers[0].op), False, f"could not join {node.name}: {why}")]
