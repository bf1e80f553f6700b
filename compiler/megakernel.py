"""Launches joined in one kernel, which a CPU enters once: between two of them there is no driver, only a counter."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from planish.runtime.plan import Argument, Kernel

from .kernel import Kernel as Candidate
from .render import Source, environment

TEMPLATE = "megakernel"
LINE = 16
"""Ints of a cache line."""
MOST_BUFFERS = 100
"""Arguments that a kernel may have, of which every device takes 1024 bytes."""
FUNCTION = re.compile(r"^static .*?(\w+)\(", re.MULTILINE)
MACRO = re.compile(r"^#define (\w+)", re.MULTILINE)


def joins(kernel: Candidate) -> bool:
    """Whether a launch may be a stage: its work-items need nothing of each other."""
    return kernel.group is None or math.prod(kernel.group) == 1


@dataclass(frozen=True)
class _Function:
    """A kernel as a function of a larger file.

    Attributes:
        own: helpers that it defines, which get its name before theirs; macros: which end behind it.
    """

    name: str
    text: str
    own: tuple[str, ...]
    macros: tuple[str, ...]


@dataclass(frozen=True)
class _Walk:
    """How items are counted: along `width` first. index: the three coordinates of one, in C."""

    function: str
    operands: int
    width: int
    index: tuple[str, str, str]


@dataclass(frozen=True)
class _Stage:
    walk: int
    items: int
    after: int
    arguments: tuple[str, ...]
    variant: str


@dataclass
class Megakernel:
    """Stages as they come, and in the end the kernel.

    Args:
        lanes: of the vectors that it computes with.
        buffers: how many inputs, outputs and states the plan has.
    """

    lanes: int
    buffers: dict[str, int]
    _functions: dict[str, _Function] = field(default_factory=dict)
    _walks: dict[_Walk, int] = field(default_factory=dict)
    _stages: list[_Stage] = field(default_factory=list)
    _order: _Order = field(default_factory=lambda: _Order())

    def add(self, source: Source, kernel: Candidate, arguments: Sequence[Argument]) -> int:
        """Adds a launch behind all others.

        Returns:
            The number of its stage.
        """
        if source.name not in self._functions:
            own, macros = (tuple(dict.fromkeys(found.findall(source.text))) for found in (FUNCTION, MACRO))
            own = tuple(name for name in own if name != source.name)
            self._functions[source.name] = _Function(source.name, source.text, own, (*macros, *own))
        walk = _walk(source.name, kernel, arguments)
        number = self._walks.setdefault(walk, len(self._walks))
        written = [a for a, stores in zip(arguments, source.stores) if stores]
        after = self._order.add(len(self._stages), arguments, written)
        self._stages.append(_Stage(number, math.prod(kernel.grid), after, tuple(map(_pointer, arguments)), kernel.variant()))
        return len(self._stages) - 1

    def kernel(self) -> Kernel:
        """The kernel of all stages."""
        names = ["arena", "weights", *(f"{kind}{k}" for kind, count in self.buffers.items() for k in range(count))]
        text = environment().get_template(f"{TEMPLATE}.cl.j2").render(
            name="KERNEL_NAME", functions=self._functions.values(), walks=list(self._walks), stages=self._stages,
            LINE=LINE, LANES=self.lanes, buffers=names, parameters=[f"__global uchar *{name}" for name in names])
        name = f"megakernel_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        return Kernel(name, text.replace("KERNEL_NAME", name), len(self._stages))


def _pointer(argument: Argument) -> str:
    index = argument.index if argument.buffer in ("input", "output", "state") else ""
    return f"{argument.buffer}{index} + {argument.offset}"


def _walk(function: str, kernel: Candidate, arguments: Sequence[Argument]) -> _Walk:
    """How the items of a launch are counted.

    A worker's items are neighbours. Those of a tiled kernel (tiles, blocks of channels, images) should share what is larger: the
    activations, where the blocks come first, or the weights of a block of channels.
    """
    width, height, _ = (*kernel.grid, 1, 1)[:3]
    weights = sum(a.nbytes for a in arguments if a.buffer == "weights")
    tiled = kernel.group is not None
    if tiled and sum(a.nbytes for a in arguments) - weights > weights:
        return _Walk(function, len(arguments), height, (f"row % {width}", f"item - row * {height}", f"row / {width}"))
    return _Walk(function, len(arguments), width, (f"item - row * {width}", f"row % {height}", f"row / {height}"))


class _Order:
    """Which stages have to be done before one may begin: those that write what it reads or writes, or read what it writes."""

    GRAIN = 512

    def __init__(self) -> None:
        self._touched: dict[tuple[str, int], np.ndarray] = {}

    def add(self, stage: int, arguments: Sequence[Argument], written: Sequence[Argument]) -> int:
        """Notes what a stage touches.

        Returns:
            The number of stages, counted from the first, that have to be done.
        """
        after = 0
        changing = [a for a in arguments if a.buffer not in ("weights", "input")]
        for a in changing:
            reads, writes = self._grains(a)
            after = max(after, int(writes.max(initial=0)), int(reads.max(initial=0)) if a in written else 0)
        for a in changing:
            self._grains(a)[int(a in written)] = stage + 1
        return after

    def _grains(self, argument: Argument) -> np.ndarray:
        """Of each grain of an argument, 1 + the last stage that read it, and 1 + the last that wrote it."""
        start, end = argument.offset // self.GRAIN, -(-(argument.offset + argument.nbytes) // self.GRAIN)
        touched = self._touched.get((argument.buffer, argument.index), np.zeros((2, 0), np.int32))
        if touched.shape[1] < end:
            touched = np.pad(touched, ((0, 0), (0, 2 * end - touched.shape[1])))
            self._touched[argument.buffer, argument.index] = touched
        return touched[:, start:end]
