"""A kernel candidate: a template, its parameters, what it reads, its grid, and what it must move and compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .ir import Graph, Node, TensorType
from .layout import Layout
from .targets import Target

Index = tuple[str, ...]
Gather = Callable[[Index], tuple[Index, str | None]]
"""From the C expressions of a result's coordinates to those of the operand's, and a condition under which they are inside."""
TILE = ("M", "GX", "GY", "PX", "TX", "TY", "OB", "BLOCK", "SPLIT", "RUN", "ROWS", "COLUMNS", "LANES", "WG", "STAGED", "SUBGROUP")
"""Parameters in which the candidates of a launch differ."""
UNUSUAL = ("STAGED", "SUBGROUP")
"""Those of which only is told that they are not 0."""


@dataclass(frozen=True)
class View:
    """A value as a kernel sees it: what it is, how it is stored, and where its elements lie."""

    value: str
    type: TensorType
    storage: np.dtype[Any]
    layout: Layout

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    @property
    def nbytes(self) -> int:
        return self.type.size * self.storage.itemsize

    def vectors(self, lanes: int) -> bool:
        """Whether the last axis can be loaded `lanes` elements at a time without reading past an end."""
        if self.layout.axis is not None:
            return self.layout.axis == self.type.rank - 1 and self.layout.lanes == lanes
        return self.layout.strides[-1] == 1 and self.shape[-1] % lanes == 0


@dataclass(frozen=True)
class Pack:
    """Weights in the order in which a kernel reads them, made when the kernel has been chosen."""

    make: Callable[[], np.ndarray] = field(compare=False)


@dataclass(frozen=True)
class Scratch:
    """Memory of the arena that a kernel uses while it runs."""

    elements: int


@dataclass(frozen=True)
class Read:
    """An operand of a template: the name it has there, and the value, packed weights or memory bound to it.

    Attributes:
        image: of weights that are only loaded by vectors of four, whether the kernel reads them as an image.
    """

    name: str
    source: View | Pack | Scratch
    storage: np.dtype[Any]
    image: bool = False


@dataclass(frozen=True)
class Kernel:
    """One way to compute a node on a target.

    Attributes:
        template: name of the file in `templates/`, without its extension.
        params: values of the template's #define block, in that order.
        reads: the template's own operands, in the order of its arguments; those of the epilogue and the result follow.
        grid: work-items along each dimension; group: the work-group, or None to leave it to the driver.
        lanes: width of the vectors that reach the epilogue, along the last axis of the result.
        flops: arithmetic operations; nbytes: bytes of activations, weights and results that it has to move at least.
        cost: predicted time in microseconds.
        gather: of a movement of data, from the coordinates of the result to those of the operand; fill: what lies outside.
        groups: neighbouring axes of the result that the kernel walks as one; () where it walks the buffer as it is.
        place: from the (n, y, x, channel) that a template gives to its epilogue to the coordinates of the result, where
            these are not the same.
        channelwise: whether a block of channels of the result needs only that block of the first operand.
    """

    template: str
    params: Mapping[str, Any]
    reads: tuple[Read, ...]
    grid: tuple[int, ...]
    group: tuple[int, ...] | None = None
    lanes: int = 1
    flops: int = 0
    nbytes: int = 0
    cost: float = 0.0
    gather: Gather | None = field(default=None, compare=False)
    fill: float = 0.0
    groups: tuple[tuple[int, ...], ...] | None = None
    place: Callable[[Index], Index] | None = field(default=None, compare=False)
    channelwise: bool = False

    @property
    def scratch(self) -> int:
        """Bytes of the arena that the kernel uses while it runs."""
        return sum(r.source.elements * r.storage.itemsize for r in self.reads if isinstance(r.source, Scratch))

    def variant(self) -> str:
        """A short name that tells this candidate from the others of its launch: template and tile."""
        tile = [f"{k.lower()}{v}" for k, v in self.params.items() if k in TILE and isinstance(v, int) and (v or k not in UNUSUAL)]
        return " ".join([self.template, *tile])


@dataclass(frozen=True)
class Site:
    """What an op knows when it names its kernels: the node, the target, and how its operands and results are stored.

    Attributes:
        single: the values whose buffers stay in float32 where the precision is half.
    """

    graph: Graph
    node: Node
    target: Target
    precision: str
    single: frozenset[str] = frozenset()

    @property
    def op(self) -> Any:
        return self.node.op

    def storage(self, name: str) -> np.dtype[Any]:
        """How the elements of a value are stored: half precision is for what neither the user nor the body of a loop sees, and a constant
        goes with the result."""
        dtype = self.graph.type(name).dtype
        if self._halves(self.node.output if self.graph.constant(name) is not None else name) and dtype == np.float32:
            return dtype if self._external(name) else np.dtype(np.float16)
        return dtype

    def _halves(self, name: str) -> bool:
        """Whether the buffer of a value may be of half precision."""
        root = (self.graph.value(name).home if name else None) or name
        return self.precision == "f16" and root not in self.single

    def _external(self, name: str) -> bool:
        value = self.graph.value(name)
        root = value.home or name
        return root in self.graph.inputs or self.graph.is_output(root) or self._shared(root)

    def _shared(self, root: str) -> bool:
        """Whether the body of a loop reads or writes a buffer."""
        producer = self.graph.producer(root)
        return (producer is not None and producer.op.driven) or any(node.op.driven for node in self.graph.consumers(root))

    def view(self, name: str) -> View:
        value = self.graph.value(name)
        layout = value.layout or Layout.linear(value.type.shape)
        return View(name, value.type, self.storage(name), layout)

    def input(self, index: int) -> View:
        return self.view(self.node.inputs[index])

    def constant(self, index: int) -> np.ndarray | None:
        return self.graph.constant(self.node.inputs[index]) if index < len(self.node.inputs) else None

    @property
    def output(self) -> View:
        return self.view(self.node.output)

    def read(self, name: str, index: int) -> Read:
        """The operand `index` of the node under the template's name for it."""
        view = self.input(index)
        if self.constant(index) is not None:
            array, layout = self.constant(index), view.layout
            assert array is not None
            return Read(name, Pack(lambda: layout.pack(array)), view.storage)
        return Read(name, view, view.storage)

    def pack(self, name: str, make: Callable[[], np.ndarray], *, vectors: bool = False) -> Read:
        """Weights for the template: of float64 in that, else in half precision where that is the storage, or in float32.

        Args:
            vectors: they are only loaded by whole vectors, which a target may have as pixels.
        """
        narrow = np.dtype(np.float16 if self._halves(self.node.output) else np.float32)
        double = self.graph.type(self.node.inputs[0]).dtype == np.float64
        return Read(name, Pack(make), np.dtype(np.float64) if double else narrow, vectors and self.target.images and not double)

    def moved(self, weights: int = 0) -> int:
        """Bytes of the operands, `weights` elements and the results, each counted once."""
        views = {v: self.view(v) for v in self.node.operands if self.graph.constant(v) is None}
        itemsize = 2 if self._halves(self.node.output) else 4
        return sum(v.nbytes for v in views.values()) + sum(self.view(v).nbytes for v in self.node.outputs) + weights * itemsize
