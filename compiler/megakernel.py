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
from .lower import Chain
from .render import Source, environment

TEMPLATE = "megakernel"
LINE = 16
"""Ints of a cache line."""
MOST_WORKERS = 1 << 30
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
    """A launch: the function that computes items of it, which stages are done before, its arguments in C, how many workers may share it."""

    function: str
    items: int
    after: int
    arguments: tuple[str, ...]
    variant: str
    workers: int = MOST_WORKERS


@dataclass(frozen=True)
class _Part:
    """A launch of a chain: the walk that computes its items, how many an image has, and its arguments, moved by rows, in C."""

    walk: int
    items: int
    pointers: tuple[str, ...]


@dataclass(frozen=True)
class _Chain:
    """Launches that are computed band by band: a row of `bands` has the items of each launch, then the first row of each image between."""

    bands: tuple[tuple[int, ...], ...]
    parts: tuple[_Part, ...]
    operands: int


@dataclass
class Megakernel:
    """Stages as they come, and in the end the kernel.

    Args:
        lanes: of the vectors that it computes with; units: compute units, of which each is a worker.
        buffers: how many inputs, outputs and states the plan has.
    """

    lanes: int
    units: int
    buffers: dict[str, int]
    _functions: dict[str, _Function] = field(default_factory=dict)
    _walks: dict[_Walk, int] = field(default_factory=dict)
    _stages: list[_Stage] = field(default_factory=list)
    _chains: list[_Chain] = field(default_factory=list)
    _order: _Order = field(default_factory=lambda: _Order())
    _sharing: _Sharing = field(init=False)

    def __post_init__(self) -> None:
        self._sharing = _Sharing(self.units)

    def add(self, source: Source, kernel: Candidate, arguments: Sequence[Argument], *, apart: bool) -> int:
        """Adds a launch behind all others.

        Args:
            apart: whether all that read its result take the channels one by one.

        Returns:
            The number of its stage.
        """
        self._define(source)
        written = [a for a, stores in zip(arguments, source.stores) if stores]
        after = self._order.add(len(self._stages), arguments, written)
        share = _by_blocks if self._sharing.add(kernel, arguments, written, apart) else _by_tiles
        walk = share(source.name, kernel, len(arguments))
        function = f"items{self._walk(walk)}(item, last"
        self._stages.append(_Stage(function, math.prod(kernel.grid), after, tuple(map(_pointer, arguments)), kernel.variant()))
        return len(self._stages) - 1

    def add_chain(self, sources: Sequence[Source], chain: Chain, arguments: Sequence[Sequence[Argument]]) -> int:
        """Adds launches that are computed band by band, as one stage behind all others.

        Returns:
            The number of the stage.
        """
        parts, blocks, at = [], [], 0
        for k, (source, launch, own) in enumerate(zip(sources, chain.launches, arguments)):
            self._define(source)
            tiles, columns, _ = launch.kernel.grid
            blocks.append(columns)
            pointers = [f"a{at + n}" for n in range(len(own))]
            for place, image in ((0, k - 1), (-1, k)):
                if 0 <= image < len(chain.rows):
                    pointers[place] = self._moved(pointers[place], chain, image)
            parts.append(_Part(self._walk(_by_blocks(source.name, launch.kernel, len(own))), tiles * columns, tuple(pointers)))
            at += len(own)
        bands = tuple((*(tile * n for tiles, n in zip(band, blocks) for tile in tiles), *firsts)
                      for band, firsts in zip(chain.bands, chain.firsts))
        flat = [a for own in arguments for a in own]
        written = [a for source, own in zip(sources, arguments) for a, stores in zip(own, source.stores) if stores]
        after = self._order.add(len(self._stages), flat, written)
        self._sharing.note(written, by_pixels=True)
        self._chains.append(_Chain(bands, tuple(parts), at))
        function = f"chain{len(self._chains) - 1}(item, last, worker"
        items = len(bands) * chain.images
        self._stages.append(_Stage(function, items, after, tuple(map(_pointer, flat)), chain_variant(chain), chain.workers))
        return len(self._stages) - 1

    @staticmethod
    def _moved(pointer: str, chain: Chain, image: int) -> str:
        """The place of an image's first row, where the first row of the band lies among those of the worker."""
        view = chain.launches[image].site.output
        row = 2 * len(chain.launches) + image
        nbytes = view.layout.strides[1] * view.storage.itemsize
        return f"(__global uchar *){pointer} + (long)(worker * {chain.rows[image]} - band[{row}]) * {nbytes}"

    def _define(self, source: Source) -> None:
        if source.name not in self._functions:
            own, macros = (tuple(dict.fromkeys(found.findall(source.text))) for found in (FUNCTION, MACRO))
            own = tuple(name for name in own if name != source.name)
            self._functions[source.name] = _Function(source.name, source.text, own, (*macros, *own))

    def _walk(self, walk: _Walk) -> int:
        return self._walks.setdefault(walk, len(self._walks))

    def kernel(self) -> Kernel:
        """The kernel of all stages."""
        names = ["arena", "weights", *(f"{kind}{k}" for kind, count in self.buffers.items() for k in range(count))]
        text = environment().get_template(f"{TEMPLATE}.cl.j2").render(
            name="KERNEL_NAME", functions=self._functions.values(), walks=list(self._walks), stages=self._stages, chains=self._chains,
            LINE=LINE, LANES=self.lanes, buffers=names, parameters=[f"__global uchar *{name}" for name in names])
        name = f"megakernel_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        return Kernel(name, text.replace("KERNEL_NAME", name), len(self._stages))


def _pointer(argument: Argument) -> str:
    index = argument.index if argument.buffer in ("input", "output", "state") else ""
    return f"{argument.buffer}{index} + {argument.offset}"


def _by_tiles(function: str, kernel: Candidate, operands: int) -> _Walk:
    """Tiles first, then blocks of channels, then images."""
    width, height, _ = (*kernel.grid, 1, 1)[:3]
    return _Walk(function, operands, width, (f"item - row * {width}", f"row % {height}", f"row / {height}"))


def _by_blocks(function: str, kernel: Candidate, operands: int) -> _Walk:
    """Blocks of channels first, then tiles, then images."""
    width, height, _ = (*kernel.grid, 1, 1)[:3]
    return _Walk(function, operands, height, (f"row % {width}", f"item - row * {height}", f"row / {width}"))


def chain_variant(chain: Chain) -> str:
    """What is told of a chain: how many bands, and the kernels."""
    return f"{len(chain.bands)} bands of {' + '.join(launch.kernel.variant() for launch in chain.launches)}"


def chained(variant: str) -> list[str]:
    """The kernels of which a launch tells: those of a chain, or its one."""
    return re.sub(r"^\d+ bands of ", "", variant).split(" + ")


class _Sharing:
    """How workers share a stage: each computes all channels of some pixels, or all pixels of some channels.

    What another worker has stored, or stores nearby, costs a worker several times what its own costs. So what takes channels one by one
    is shared as its operand was; and that by channels, if there are enough, for then nothing but the operand's own operand has to
    move. Of the rest each worker has its part of what is larger: the activations, or the weights.
    """

    ENOUGH = 2
    """Tiles of channels for each worker: with fewer, one of them may have much more to do."""

    def __init__(self, units: int) -> None:
        self._units = units
        self._by_pixels: dict[tuple[str, int, int], bool] = {}

    def add(self, kernel: Candidate, arguments: Sequence[Argument], written: Sequence[Argument], apart: bool) -> bool:
        """Notes what a stage stores.

        Returns:
            Whether its workers share the pixels.
        """
        by_pixels = self._decided(kernel, arguments, apart)
        self.note(written, by_pixels=by_pixels)
        return by_pixels

    def _decided(self, kernel: Candidate, arguments: Sequence[Argument], apart: bool) -> bool:
        if kernel.group is None:
            return False
        if kernel.channelwise and self._place(arguments[0]) in self._by_pixels:
            return self._by_pixels[self._place(arguments[0])]
        if apart and (*kernel.grid, 1)[1] >= self.ENOUGH * self._units:
            return False
        weights = sum(a.nbytes for a in arguments if a.buffer == "weights")
        return sum(a.nbytes for a in arguments) - weights > weights

    def note(self, written: Sequence[Argument], *, by_pixels: bool) -> None:
        self._by_pixels.update((self._place(argument), by_pixels) for argument in written)

    @staticmethod
    def _place(argument: Argument) -> tuple[str, int, int]:
        return argument.buffer, argument.index, argument.offset


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
