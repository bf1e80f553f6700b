"""Schedule -> Schedule: launches that follow one another on large images are computed band by band of rows, so that what one leaves
for the next is still in a cache when it is read.

Every band of the last result is computed with all that it needs of the images before it, rows that its neighbour needs too
included. Of an image between two launches only the rows of one band exist at a time: each worker keeps them in the same rows of
the buffer, whichever band it computes, by kernels that know nothing of it: they are given pointers that are moved by whole rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from .kernel import Kernel
from .lower import Chain, Launch, LoopStep, Rows, Schedule, Step
from .megakernel import joins
from .targets import Target

MOST = 3
"""Launches of a chain."""
BANDS = (4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64)
"""How many bands an image may have."""
FAR = 150
"""GB/s of which an image that does not stay in the caches deprives the launches that write and read it."""


@dataclass(frozen=True)
class Tiling:
    """How the tiles of a kernel cover the rows of an image.

    Attributes:
        height, width: of the result; rows, columns: of a tile. `flat`: tiles are `columns` pixels, regardless of rows.
        stride, pad, reach: of a window over rows of the operand, which are `inputs`.
    """

    height: int
    width: int
    rows: int
    columns: int
    flat: bool = False
    stride: int = 1
    pad: int = 0
    reach: int = 1
    inputs: int = 0

    @property
    def across(self) -> int:
        """Tiles side by side."""
        return ceil(self.width / self.columns)

    @property
    def count(self) -> int:
        """Tiles of an image."""
        return ceil(self.height * self.width / self.columns) if self.flat else ceil(self.height / self.rows) * self.across

    def tiles(self, rows: Rows) -> Rows:
        """The tiles that store some rows."""
        first, end = rows
        if self.flat:
            return first * self.width // self.columns, ceil(end * self.width / self.columns)
        return first // self.rows * self.across, ceil(end / self.rows) * self.across

    def stored(self, tiles: Rows) -> Rows:
        """The rows of which tiles store something."""
        first, end = tiles
        if self.flat:
            return first * self.columns // self.width, ceil(min(end * self.columns, self.height * self.width) / self.width)
        return first // self.across * self.rows, min(ceil(end / self.across) * self.rows, self.height)

    def needed(self, tiles: Rows) -> Rows:
        """The rows of the operand that tiles read; the last ones are shifted back to end at the edge."""
        first, end = self.stored(tiles)
        if self.flat:
            first = min(first, max(self.height * self.width - self.columns, 0) // self.width)
        else:
            first = min(first, max(self.height - self.rows, 0))
        return max(first * self.stride - self.pad, 0), min((end - 1) * self.stride - self.pad + self.reach, self.inputs)


def tiling(launch: Launch) -> Tiling:
    """How the kernel of a launch covers its result, which is an image."""
    kernel = launch.kernel
    p, (_, height, width, _) = kernel.params, launch.site.output.shape
    if kernel.template == "conv_pointwise":
        return Tiling(height, width, 1, p["PX"], flat=True, inputs=height)
    return Tiling(height, width, p.get("TY", 1), p["TX"], False, p["STRIDE_Y"], p["PAD_TOP"], (p["KY"] - 1) * p["DILATION_Y"] + 1, p["IH"])


def banded(schedule: Schedule, target: Target) -> Schedule:
    """The schedule with chains wherever they should save time; without changes where launches are not joined in one kernel."""
    if not target.megakernel:
        return schedule
    steps: list[Step] = []
    at = 0
    while at < len(schedule.launches):
        found = max(_chains(schedule, at, target), key=lambda c: c[0], default=None)
        if found:
            steps.append(found[1])
            at += len(found[1].launches)
            continue
        step = schedule.launches[at]
        steps.append(replace(step, body=banded(step.body, target)) if isinstance(step, LoopStep) else step)
        at += 1
    return Schedule(schedule.graph, tuple(steps))


def _chains(schedule: Schedule, at: int, target: Target) -> Iterator[tuple[float, Chain]]:
    """Chains that begin with a launch, and the microseconds that they should save."""
    for count in range(2, MOST + 1):
        launches = schedule.launches[at : at + count]
        if len(launches) < count or not _linked(schedule, launches[-2], launches[-1]):
            return
        for bands in BANDS:
            chain = _chain(launches, bands)  # type: ignore[arg-type]  # linked ones are launches
            if chain and chain.workers >= target.units and len(chain.bands) * chain.images >= 2 * target.units:
                gain = _gain(chain, target)
                if gain > 0:
                    yield gain, chain


def _linked(schedule: Schedule, one: object, other: object) -> bool:
    """Whether a launch reads the image that the one before it stores, and nobody else does."""
    if not (isinstance(one, Launch) and isinstance(other, Launch) and all(map(_has_tiles, (one, other)))):
        return False
    graph, value = schedule.graph, one.site.node.output
    alone = graph.value(value).home in (None, value) and not graph.is_output(value)
    readers = [v for v in other.site.node.operands if v == value]
    return alone and other.site.node.inputs[0] == value and len(readers) == 1 and list(graph.consumers(value)) == [other.site.node]


def _has_tiles(launch: Launch) -> bool:
    kernel = launch.kernel
    known = kernel.template in ("conv_pointwise", "conv_depthwise", "conv_direct", "conv_first", "pool")
    image = launch.site.output.type.rank == 4 and launch.site.output.layout.axis == 3 and launch.site.input(0).type.rank == 4
    return known and image and joins(kernel) and not kernel.params.get("COLUMN")


def _chain(launches: tuple[Launch, ...], count: int) -> Chain | None:
    """The chain of some bands; None where an image has too few rows for them."""
    tilings = [tiling(launch) for launch in launches]
    last = tilings[-1]
    groups = last.count if last.flat else last.count // last.across
    if groups < count:
        return None
    bands = []
    for band in range(count):
        part = [(groups * band // count, groups * (band + 1) // count)]
        if not last.flat:
            part = [(part[0][0] * last.across, part[0][1] * last.across)]
        for producer, consumer in zip(tilings[-2::-1], tilings[:0:-1]):
            part.insert(0, producer.tiles(consumer.needed(part[0])))
        bands.append(tuple(part))
    kept = [max(end - first for first, end in (t.stored(band[k]) for band in bands)) for k, t in enumerate(tilings[:-1])]
    single = tuple(replace(launch, candidates=(_single(launch),), choice=0) for launch in launches)
    firsts = tuple(tuple(t.stored(band[k])[0] for k, t in enumerate(tilings[:-1])) for band in bands)
    return Chain(single, tuple(bands), firsts, tuple(kept), min(t.height // rows for t, rows in zip(tilings, kept)))


def _single(launch: Launch) -> Kernel:
    """The kernel of a launch with one tile an item; what is small enough for bands needs no weights ahead of time."""
    kernel = launch.kernel
    params = {**kernel.params, **{name: value for name, value in (("RUN", 1), ("AHEAD", 0)) if name in kernel.params}}
    return replace(kernel, params=params, grid=(tiling(launch).count, *kernel.grid[1:]), group=(1, 1, 1))


def _gain(chain: Chain, target: Target) -> float:
    """Microseconds saved, negative for lost ones: images that need not come from afar, less rows that are computed twice."""
    kept, lost, saved = 0.0, 0.0, 0.0
    for k, launch in enumerate(chain.launches):
        computed = sum(end - first for first, end in (band[k] for band in chain.bands))
        lost += launch.kernel.cost * (computed / tiling(launch).count - 1)
        weights = launch.kernel.nbytes - launch.site.moved()
        kept += weights
        if k < len(chain.rows):
            view = launch.site.output
            nbytes = view.layout.span(view.shape) * view.storage.itemsize
            kept += nbytes / chain.images * chain.rows[k] / view.shape[1]
            saved += 2 * nbytes / FAR / 1e3 if nbytes / chain.images > target.cache * target.units else 0
    return saved - lost if kept <= target.cache else -1.0

