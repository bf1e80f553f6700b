"""What is measured when: the launches that should take the longest first, portion by portion, within a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from time import monotonic

import pyopencl as cl

from .launches import Alike, chosen
from .lower import Launch, Schedule
from .measure import Samples, measure
from .targets import Target
from .tuning_database import Entry

PORTION = 64
"""Candidates that are measured together, at most."""
PORTION_BYTES = 512e6
"""And what their operands may take together, of which the weights are held once for each order in which kernels read them. It is less on
a device whose buffers are smaller."""
MARGIN = 0.02
"""How much faster than the first guess another candidate has to be to be taken: less may be chance."""

Watch = Callable[[float, str], None]
"""Called with the share of the work that is done, and what goes on."""


def survey(schedule: Schedule, target: Target, device: cl.Device, launches: Mapping[str, Alike], limit: int | None, seconds: float,
           watch: Watch) -> Iterator[dict[str, Entry]]:
    """Entries of launches, portion by portion. What was measured is chosen in all later runs.

    Args:
        schedule: chooses what is known of all other launches.
        target: that of the device.
        limit: candidates of a launch, the best guesses first; None for all.
        seconds: no portion begins that could not be built in them.

    Raises:
        DeviceError: the device cannot run the model.
    """
    most = min(device.max_mem_alloc_size, 8 * device.image_max_buffer_size) if target.images else device.max_mem_alloc_size
    nbytes = min(PORTION_BYTES, most - sum(s.kernel.nbytes for s in schedule.walk() if isinstance(s, Launch)))
    todo = sorted(launches, key=lambda key: -launches[key].cost)
    tries = {key: range(len(each.names[:limit])) for key, each in launches.items()}
    time = _Time(seconds, sum(map(len, tries.values())))
    programs: dict[str, cl.Program] = {}
    kernels, built = time.left, 0

    def progress() -> None:
        nonlocal built
        built += 1
        time.built()
        watch(min(built / max(kernels, 1), 1), f"{len(launches) - len(todo)} of {len(launches)} launches, {time.remaining:.0f} s left")

    while todo and time.allows(len(tries[todo[0]])):
        portion = _portion(todo, launches, limit, time.size(), nbytes)
        share = sum(launches[key].cost for key in portion) / max(sum(launches[key].cost for key in todo), 1e-9)
        time.begin(sum(len(tries[key]) for key in portion))
        samples = measure(schedule, target, device, {launches[key].numbers[0]: tries[key] for key in portion}, partial(time.until, share),
                          programs, progress)
        found = {key: entry(launches[key], samples[launches[key].numbers[0]]) for key in portion if launches[key].numbers[0] in samples}
        schedule = chosen(schedule, {number: launches[key].names.index(each.chosen) for key, each in found.items()
                                     for number in launches[key].numbers})
        todo = todo[len(portion) :]
        yield found


def entry(launch: Alike, samples: Samples) -> Entry:
    """What a database keeps of measurements: names, and the best, or the first guess where none is clearly better."""
    best = min(samples.times, key=samples.time)
    if 0 in samples.times and not samples.faster(best, 0, MARGIN):
        best = 0
    times = {launch.names[c]: round(samples.time(c), 2) for c in samples.times}
    return Entry(str(launch), launch.names[best], len(samples.times[best]), {**times, **{launch.names[c]: None for c in samples.refused}})


def _portion(todo: Sequence[str], launches: Mapping[str, Alike], limit: int | None, size: int, most: float) -> list[str]:
    """The first of `todo`, as many as are measured together: of so many candidates, and of so many bytes at most, but one at least."""
    portion: list[str] = []
    candidates, nbytes = 0, 0
    for key in todo:
        kernels = launches[key].launch.candidates[:limit]
        candidates, nbytes = candidates + len(kernels), nbytes + sum(k.nbytes for k in kernels)
        if portion and (candidates > size or nbytes > most):
            break
        portion.append(key)
    return portion


class _Time:
    """How long measuring may take, and what building took so far.

    Attributes:
        left: candidates that are still to be built.
    """

    def __init__(self, seconds: float, left: int):
        self.left = left
        self._end = monotonic() + seconds
        self._built, self._building, self._since = 0, 0.0, 0.0

    @property
    def remaining(self) -> float:
        """Seconds."""
        return max(self._end - monotonic(), 0.0)

    def begin(self, candidates: int) -> None:
        """A portion is about to be built."""
        self.left -= candidates
        self._since = monotonic()

    def built(self) -> None:
        """One more kernel of the portion is ready."""
        self._built += 1
        self._building, self._since = self._building + monotonic() - self._since, monotonic()

    def until(self, share: float) -> float:
        """When a portion that should have this share of what is left has to be measured, so that the rest can be built."""
        return monotonic() + share * max(self.remaining - self.left * self._each, 0.0)

    def size(self) -> int:
        """Candidates of the next portion, at most: those built in a quarter of the time."""
        return min(int(self.remaining / 4 / self._each), PORTION) if self._each else PORTION // 4

    def allows(self, candidates: int) -> bool:
        """Whether so many can be built."""
        return self.remaining > candidates * self._each

    @property
    def _each(self) -> float:
        return self._building / self._built if self._built else 0.0
