"""Every value gets a layout and a home: where its elements lie, and in whose buffer.

Images between image ops lie in blocked channels; what the user sees, and what other ops want, lies strided. Concatenations and
slices, reshapes, and transposes in front of an output, become placement: the producer writes where the reader will look.
Where that cannot be, a copy is inserted.
"""

from __future__ import annotations

from dataclasses import replace

from ..ir import Graph, Node
from ..layout import Layout
from ..ops.elementwise import Cast, Elementwise
from ..ops.host_copy import HostCopy
from ..ops.loop import Loop
from ..ops.movement import Concat, Copy, Pad, Reshape, Slice, Transpose
from ..targets import Target
from .rewrite import Event, describe

LAST = 1 << 62
"""The position of nodes that run behind all others."""


def lay_out(graph: Graph, target: Target) -> list[Event]:
    """Sets `Value.layout` and `Value.home` of every value that is not constant."""
    events: list[Event] = []
    _separate_outputs(graph)
    _choose(graph, target.lanes)
    _place_states(graph)
    for node in reversed(graph.nodes()):
        if isinstance(node.op, Concat):
            events += _place_parts(graph, node)
        elif isinstance(node.op, Loop):
            events += _place_carried(graph, node)
        elif isinstance(node.op, Reshape | Transpose):
            events += _write_through(graph, node)
    copies: dict[tuple[str, Layout], str] = {}
    for node in graph.nodes():
        if isinstance(node.op, Reshape | Slice):
            events += _view(graph, node)
        events += _supply(graph, node, target.lanes, copies)
    _protect_states(graph)
    return events


def view_layout(graph: Graph, node: Node) -> Layout | None:
    """The layout under which a reshape or a slice sees its operand's own buffer; None where there is none."""
    source = graph.value(node.inputs[0])
    layout, shape = source.layout, source.type.shape
    if layout is None or source.data is not None or node.epilogue:
        return None
    match node.op:
        case Reshape(shape=new):
            return Layout.linear(new).shifted(layout.offset) if layout.row_major(shape) else None
        case Slice(begin=begin, shape=new, step=step):
            if min(step, default=1) < 1 or 0 in new:
                return None
            offset = layout.offset
            for d, b in enumerate(begin):
                if d != layout.axis:
                    offset += b * layout.strides[d]
                    continue
                whole = (b + new[d]) % layout.lanes == 0 or b + new[d] == shape[d]
                if step[d] != 1 or b % layout.lanes or not whole:
                    return None
                offset += b // layout.lanes * layout.strides[d]
            strides = tuple(s * (1 if d == layout.axis else k) for d, (s, k) in enumerate(zip(layout.strides, step)))
            return replace(layout, strides=strides, offset=offset)
    return None


def is_view(graph: Graph, node: Node) -> bool:
    """Whether a node needs no launch, because its result already lies where it should."""
    if isinstance(node.op, Concat):
        return True
    if node.epilogue:
        return False
    source, result = (graph.value(v) for v in (node.inputs[0], node.output))
    if (source.home or source.name) != (result.home or result.name):
        return False
    assert source.layout is not None and result.layout is not None
    seen: Layout | None = None
    if isinstance(node.op, Transpose):
        seen = _transposed(source.layout, node.op.perm) if source.layout.axis is None else None
    elif isinstance(node.op, Reshape | Slice):
        seen = view_layout(graph, node)
    return seen is not None and seen.matches(result.layout, result.type.shape)


def _separate_outputs(graph: Graph) -> None:
    """Each output of the model is a value of its own that a node computes."""
    seen: set[str] = set()
    updates = {state.output: name for name, state in graph.states.items()}
    for name, value in list(graph.outputs.items()):
        if name in updates:
            if value != updates[name] and not _replaces(graph, value, updates[name]):
                node = Node(graph.fresh(f"{name}:node"), Copy(), (value,), (graph.fresh(name),), position=LAST)
                graph.outputs[name] = graph.add_node(node).output
            continue
        if value in seen or graph.producer(value) is None:
            copy = HostCopy() if graph.type(value).open else Copy()
            like = graph.producer(value) or Node(name, copy, (value,), (name,))
            graph.outputs[name] = graph.emit(copy, value, like=like, hint=name)
        seen.add(graph.outputs[name])


def _replaces(graph: Graph, value: str, state: str) -> bool:
    """Whether a value may be written over a state: all that reads the state as it was comes before, and nothing else places the value."""
    producer = graph.producer(value)
    if producer is None or producer.op.host or producer.op.driven or producer.op.view or isinstance(producer.op, Concat | Transpose):
        return False
    if list(graph.outputs.values()).count(value) > 1:
        return False
    before = graph.ancestors(producer.operands)
    read = [state]
    while read:
        name = read.pop()
        if graph.is_output(name):
            return False
        for reader in graph.consumers(name):
            if before.isdisjoint(reader.outputs):
                return False
            if reader.op.view:
                read += reader.outputs
    return True


def _place_states(graph: Graph) -> None:
    """States are written where they lie, behind everything that reads them as they were."""
    for name, state in graph.states.items():
        value = graph.outputs[state.output]
        if value != name:
            _set(graph, value, Layout.linear(graph.type(name).shape), name)


def _protect_states(graph: Graph) -> None:
    """What a state takes from another, or from itself, is read before any is written."""
    for name, state in graph.states.items():
        value = graph.outputs[state.output]
        node = graph.producer(value)
        if value == name or node is None or node.position != LAST:
            continue
        source = graph.value(node.inputs[0])
        if (source.home or source.name) in graph.states:
            copy = graph.emit(Copy(), source.name, like=replace(node, position=0), hint=source.name)
            _set(graph, copy, Layout.linear(source.type.shape))
            graph.replace_node(node, replace(node, inputs=(copy,)))


def _choose(graph: Graph, lanes: int) -> None:
    """Blocked or strided, for every value by itself."""
    for name in graph.inputs:
        _set(graph, name, Layout.linear(graph.type(name).shape))
    for node in graph.nodes():
        for name in node.outputs:
            shape = graph.type(name).shape
            inner = len(shape) == 4 and not graph.is_output(name)
            blocked = inner and (_wants_blocks(graph, node, lanes) or _wanted_in_blocks(graph, node, lanes))
            if blocked and _only_reshaped(graph, name) and not Layout.blocked(shape, lanes).row_major(shape):
                blocked = False
            _set(graph, name, Layout.blocked(shape, lanes) if blocked else Layout.linear(shape))


def _wants_blocks(graph: Graph, node: Node, lanes: int) -> bool:
    if node.op.layout == "image":
        return True
    if node.op.layout != "any":
        return False
    computed = [graph.value(v) for v in node.inputs if v and graph.constant(v) is None]
    if isinstance(node.op, Concat) and node.op.axis == 3:
        sizes = [graph.type(v).shape[3] for v in node.inputs]
        if any(sum(sizes[:k]) % lanes for k in range(1, len(sizes))):
            return False
    return any(v.layout is not None and v.layout.axis == 3 for v in computed)


def _wanted_in_blocks(graph: Graph, node: Node, lanes: int) -> bool:
    """Whether a kernel that can store in any layout serves only readers that would need a copy of a strided result."""
    if not isinstance(node.op, Elementwise | Cast | Copy | Pad | Transpose):
        return False
    result = graph.type(node.output)
    readers = graph.consumers(node.output)
    plain = Layout.linear(result.shape)
    return bool(readers) and result.shape[3] % lanes != 0 and all(
        r.op.layout == "image" and r.inputs[0] == node.output and not r.op.takes_strided(result, plain) for r in readers)


def _only_reshaped(graph: Graph, name: str) -> bool:
    readers = graph.consumers(name)
    return bool(readers) and all(isinstance(c.op, Reshape | Transpose) and name in c.inputs for c in readers)


def _set(graph: Graph, name: str, layout: Layout, home: str | None = None) -> None:
    graph.add_value(replace(graph.value(name), layout=layout, home=home))


def _placeable(graph: Graph, name: str) -> bool:
    """Whether a value may be written into another's buffer: it is computed, and nobody has placed it."""
    value = graph.value(name)
    producer = graph.producer(name)
    if producer is None or producer.op.host or producer.op.driven or value.home is not None or graph.is_output(name):
        return False
    return not (isinstance(producer.op, Slice) and view_layout(graph, producer) is not None)


def _place_parts(graph: Graph, node: Node) -> list[Event]:
    """The operands of a concatenation are written into its result."""
    events = []
    whole = graph.value(node.output)
    layout, axis = whole.layout, node.op.axis
    assert layout is not None
    root = whole.home or whole.name
    start = 0
    inputs: dict[str, None] = {}
    for k, name in enumerate(node.inputs):
        extent = graph.type(name).shape[axis]
        step = start // layout.lanes if axis == layout.axis else start
        place = layout.shifted(step * layout.strides[axis])
        start += extent
        if name in inputs or not _placeable(graph, name):
            copy = graph.emit(Copy(), name, like=node)
            events.append(Event("place", node.name, "Concat", False, f"operand {k}, '{name}', is copied: it has a place of its own"))
            name = copy
        else:
            events.append(Event("place", node.name, "Concat", True, f"operand {k}, '{name}', is written in its place"))
        inputs[name] = None
        _set(graph, name, place, root)
    if tuple(inputs) != node.inputs:
        graph.replace_node(node, replace(node, inputs=tuple(inputs)))
    return events


def _place_carried(graph: Graph, node: Node) -> list[Event]:
    """What a loop carries begins in the buffer of the result, in which the runs change it."""
    events, inputs = [], list(node.inputs)
    for k, name in enumerate(inputs[: node.op.carried]):
        result = graph.value(node.outputs[k])
        if not name:
            continue
        producer = graph.producer(name)
        alone = [c.name for c in graph.consumers(name)] == [node.name] and inputs.count(name) == 1
        if producer is None or isinstance(producer.op, Concat) or not alone or not _placeable(graph, name):
            inputs[k] = name = graph.emit(Copy(), name, like=node)
            events.append(Event("place", node.name, "Loop", False, f"operand {k} is copied: its runs change it"))
        assert result.layout is not None
        _set(graph, name, result.layout, result.name)
    if tuple(inputs) != node.inputs:
        graph.replace_node(node, replace(node, inputs=tuple(inputs)))
    return events


def _write_through(graph: Graph, node: Node) -> list[Event]:
    """The operand of a reshape (or of a transpose) that only it reads is written where the result lies."""
    value, result = graph.value(node.inputs[0]), graph.value(node.output)
    if node.epilogue or not _placeable(graph, value.name) or len(graph.consumers(value.name)) != 1:
        return []
    producer = graph.producer(value.name)
    layout = result.layout
    assert layout is not None and producer is not None
    if isinstance(node.op, Reshape):
        placed = result.home is not None or graph.is_output(result.name)
        if not placed or not layout.row_major(result.type.shape) or producer.op.view:
            return []
        place = Layout.linear(value.type.shape).shifted(layout.offset)
    else:
        if layout.axis is not None or producer.op.layout not in ("image", "any") or producer.op.view:
            return []
        place = _transposed(layout, _inverse(node.op.perm))
    _set(graph, value.name, place, result.home or result.name)
    return [Event("place", node.name, describe(node.op), True, f"'{value.name}' is written where the result lies")]


def _view(graph: Graph, node: Node) -> list[Event]:
    """The result of a reshape or a slice is the operand, seen differently."""
    result = graph.value(node.output)
    if result.home is not None or graph.is_output(result.name):
        return []
    layout = view_layout(graph, node)
    if layout is None:
        return []
    source = graph.value(node.inputs[0])
    _set(graph, result.name, layout, source.home or source.name)
    return [Event("place", node.name, describe(node.op), True, f"'{result.name}' is a view of '{source.name}'")]


def _supply(graph: Graph, node: Node, lanes: int, copies: dict[tuple[str, Layout], str]) -> list[Event]:
    """Puts a copy in front of an op that cannot read an operand as it lies, or takes the one made for another reader.

    The host reads all its operands row-major, a loop those that it does not carry from buffers of their own; of other ops the first one
    matters.
    """
    events = []
    every = node.op.host or node.op.driven
    for index in range(node.op.carried if node.op.driven else 0, len(node.inputs) if every else min(len(node.inputs), 1)):
        events += _supply_operand(graph, graph.node(node.name), index, lanes, copies)
    return events


def _supply_operand(graph: Graph, node: Node, index: int, lanes: int, copies: dict[tuple[str, Layout], str]) -> list[Event]:
    name = node.inputs[index]
    if not name:
        return []
    value = graph.value(name)
    layout = value.layout
    if layout is None or value.data is not None or value.type.open:
        return []
    wants = node.op.layout
    shape = value.type.shape
    if wants == "image":
        vectors = layout.axis == 3 if layout.axis is not None else layout.strides[-1] == 1 and shape[-1] % lanes == 0
        if vectors or (layout.axis is None and node.op.takes_strided(value.type, layout)):
            return []
        wanted = Layout.blocked(shape, lanes)
    elif (
        (wants == "linear" and layout.axis is not None)
        or (node.op.host and not layout.row_major(shape))
        or (node.op.driven and (value.home is not None or layout != Layout.linear(shape)))
    ):
        wanted = Layout.linear(shape)
    else:
        return []
    copy = copies.get((name, wanted))
    if copy is None:
        producer = graph.producer(name)
        copy = copies[name, wanted] = graph.emit(Copy(), name, like=replace(producer or node, sources=()), hint=name)
        _set(graph, copy, wanted)
    graph.replace_node(node, replace(node, inputs=(*node.inputs[:index], copy, *node.inputs[index + 1 :])))
    op = describe(node.op)
    return [Event("place", node.name, op, False, f"'{name}' is copied to {wanted}: {op} cannot read {layout}")]


def _transposed(layout: Layout, perm: tuple[int, ...]) -> Layout:
    """Where the elements lie under permuted axes, of a strided layout."""
    return Layout(tuple(layout.strides[d] for d in perm), layout.offset)


def _inverse(perm: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(perm.index(d) for d in range(len(perm)))
