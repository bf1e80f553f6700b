"""Schedule -> Schedule, with the candidates that are fastest on a device: those a database knows, or those measured now.

Launches whose candidates have the same kernels are one, whatever model they are of and whatever they are called there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

import pyopencl as cl

from planish.runtime import cache

from . import tuning_database as database
from .errors import OptionError
from .lower import HostStep, Launch, LoopStep, Schedule
from .measure import Samples, measure
from .passes.rewrite import describe
from .render import source
from .targets import Target
from .tuning_database import Entry

EFFORTS = {"fast": 8, "full": None}
"""How many candidates of a launch are measured, the best guesses first; None for all."""
SECONDS = {"fast": 60.0, "full": 600.0}
"""How long measuring may take."""
FILE = "tuning.json"
"""The database in the user's cache folder."""
PORTION = 64
"""Candidates that are measured together, at most: what was measured is kept after each portion."""
PORTION_BYTES = 512e6
"""And what their operands may take together, of which the weights are held once for each order in which kernels read them."""
MARGIN = 0.02
"""How much faster than the first guess another candidate has to be to be taken: less may be chance."""


@dataclass(frozen=True)
class Tuning:
    """How to tune.

    Attributes:
        device: whose target is compiled for.
        effort: "fast" or "full": what is missing is measured; None: nothing is measured.
        file: the database; None for the one in the user's cache folder.
        seconds: how long measuring may take; None for what the effort takes at most.
        watch: called with the share of the work that is done and what goes on.
    """

    device: cl.Device
    effort: str | None = None
    file: Path | None = None
    seconds: float | None = None
    watch: Callable[[float, str], None] = lambda done, what: None

    def __post_init__(self) -> None:
        if self.effort not in (None, *EFFORTS):
            raise OptionError(f"no effort '{self.effort}' of tuning; one of {', '.join(EFFORTS)}")
        if self.seconds is not None and not self.seconds > 0:
            raise OptionError(f"{self.seconds:g} seconds to tune; more than 0 are accepted")
        if self.effort is None and self.file is not None and not self.file.exists():
            raise OptionError(f"no tuning database {self.file}; --tune {' or --tune '.join(EFFORTS)} measures one")


@dataclass(frozen=True)
class Choice:
    """A launch that was measured: the first guess and what was chosen, with their microseconds."""

    launch: Launch
    guess: str
    guessed: float
    chosen: str
    microseconds: float


@dataclass
class Tuned:
    """What came of it, for the summary and for `--explain`.

    Attributes:
        choices: launches with measurements, in order; unknown: those without, though they have several candidates.
        measured, found: distinct launches that were measured now, and those that the database had.
        note: what was wrong with the database in the cache folder, or "".
    """

    choices: list[Choice] = field(default_factory=list)
    unknown: list[Launch] = field(default_factory=list)
    measured: int = 0
    found: int = 0
    note: str = ""

    @property
    def gain(self) -> float:
        """By how much the time of all launches that were measured is less than that of the first guesses: 0.1 for a tenth."""
        before = sum(c.guessed for c in self.choices)
        return 1 - sum(c.microseconds for c in self.choices) / before if before else 0.0


@dataclass
class Distinct:
    """Launches of a schedule that have the same candidates.

    Attributes:
        names: of the candidates.
        numbers: of the launches, as `Schedule.walk` counts.
    """

    launch: Launch
    names: tuple[str, ...]
    numbers: list[int] = field(default_factory=list)

    @property
    def cost(self) -> float:
        """Predicted microseconds of all of them."""
        return self.launch.candidates[0].cost * len(self.numbers)

    def entry(self, samples: Samples) -> Entry:
        """What a database keeps of measurements: names, and the best, or the first guess where none is clearly better."""
        best = min(samples.times, key=samples.time)
        if 0 in samples.times and samples.time(0) * (1 - MARGIN) <= samples.time(best):
            best = 0
        times = {self.names[c]: round(samples.time(c), 2) for c in samples.times}
        site = self.launch.site
        what = f"{describe(site.op)} {', '.join(str(site.graph.type(v)) for v in site.node.inputs if v)} -> {site.output.type}"
        return Entry(what, self.names[best], len(samples.times[best]), {**times, **{self.names[c]: None for c in samples.refused}})


def distinct(schedule: Schedule) -> dict[str, Distinct]:
    """The launches that have a choice, by key: a hash of the kernels of all candidates, which are the same for the same key."""
    found: dict[str, Distinct] = {}
    for number, launch in enumerate(schedule.walk()):
        if not isinstance(launch, Launch) or len(launch.candidates) < 2:
            continue
        kernels = [(source(launch.site, k).text, k.grid, k.group) for k in launch.candidates]
        hashes = [hashlib.sha256(repr(kernel).encode()).hexdigest() for kernel in kernels]
        key = hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]
        names = tuple(f"{k.variant()} #{digest[:8]}" for k, digest in zip(launch.candidates, hashes))
        found.setdefault(key, Distinct(launch, names)).numbers.append(number)
    return found


def tune(schedule: Schedule, target: Target, tuning: Tuning) -> tuple[Schedule, Tuned]:
    """Chooses the candidate of every launch by what is known of the device, and measures what is not, as far as `tuning` asks for it.

    What was measured is kept, portion by portion, so that an interrupted tuning goes on where it was.

    Args:
        target: that of the device.

    Raises:
        OptionError: the database is damaged, or cannot be written.
        DeviceError: the device cannot run the model.
    """
    tuned, launches = Tuned(), distinct(schedule)
    file = tuning.file or _default()
    device = database.device_key(tuning.device)
    entries = _known(file, tuning, tuned).get(device, {})
    if tuning.effort:
        limit = EFFORTS[tuning.effort]
        missing = {key: d for key, d in launches.items() if not _covers(entries.get(key), d.names[:limit])}
        for measured in _measured(schedule, target, tuning, launches, missing, entries):
            entries |= measured
            tuned.measured += len(measured)
            if file:
                database.add(file, {device: measured})
    tuned.found = sum(key in entries for key in launches) - tuned.measured
    _tell(schedule, launches, entries, tuned)
    return _chosen(schedule, launches, entries), tuned


def _default() -> Path | None:
    folder = cache.folder()
    return folder / FILE if folder else None


def _known(file: Path | None, tuning: Tuning, tuned: Tuned) -> dict[str, dict[str, Entry]]:
    """What the file holds. One that the user named has to be whole; that in the cache folder is begun anew."""
    if file is None:
        return {}
    try:
        return database.read(file)
    except OptionError as error:
        if tuning.file:
            raise
        tuned.note = str(error)
        if tuning.effort:
            file.unlink(missing_ok=True)
        return {}


def _covers(entry: Entry | None, names: Sequence[str]) -> bool:
    return entry is not None and entry.microseconds.keys() >= set(names)


def _measured(schedule: Schedule, target: Target, tuning: Tuning, launches: Mapping[str, Distinct], missing: Mapping[str, Distinct],
              known: Mapping[str, Entry]) -> Iterator[dict[str, Entry]]:
    """Entries of the missing launches, portion by portion, those first that should take the longest.

    Each portion has the share of the time left that its launches should have of those left, and is so small that it takes no more
    than a quarter of it, going by how long candidates took before. What is known is chosen in all runs.
    """
    assert tuning.effort
    limit = EFFORTS[tuning.effort]
    start = monotonic()
    end = start + (tuning.seconds or SECONDS[tuning.effort])
    entries, todo = dict(known), sorted(missing, key=lambda key: -missing[key].cost)
    kernels, built, done, size = sum(len(missing[key].names[:limit]) for key in todo), 0, 0, PORTION // 4

    def watch() -> None:
        nonlocal built
        built += 1
        told = f"{len(launches) - len(todo)} of {len(launches)} launches, {max(end - monotonic(), 0):.0f} s left"
        tuning.watch(min(built / kernels, 1), told)

    while todo:
        portion = _portion(todo, missing, limit, size)
        share = sum(missing[key].cost for key in portion) / max(sum(missing[key].cost for key in todo), 1e-9)
        tries = {missing[key].numbers[0]: range(len(missing[key].names[:limit])) for key in portion}
        samples = measure(_chosen(schedule, launches, entries), target, tuning.device, tries,
                          monotonic() + share * (end - monotonic()), watch)
        found = {key: missing[key].entry(samples[missing[key].numbers[0]]) for key in portion if missing[key].numbers[0] in samples}
        entries |= found
        todo = todo[len(portion) :]
        yield found
        done += sum(map(len, tries.values()))
        each, left = (monotonic() - start) / done, end - monotonic()
        if left < each * len(missing[todo[0]].names[:limit] if todo else ()):
            return
        size = min(int(left / max(4 * each, 1e-9)), PORTION)


def _portion(todo: Sequence[str], launches: Mapping[str, Distinct], limit: int | None, size: int) -> list[str]:
    """The first of `todo`, as many as are measured together: of so many candidates, and of the bytes that may be, but one at least."""
    portion: list[str] = []
    candidates, nbytes = 0, 0
    for key in todo:
        kernels = launches[key].launch.candidates[:limit]
        candidates, nbytes = candidates + len(kernels), nbytes + sum(k.nbytes for k in kernels)
        if portion and (candidates > size or nbytes > PORTION_BYTES):
            break
        portion.append(key)
    return portion


def _tell(schedule: Schedule, launches: Mapping[str, Distinct], entries: Mapping[str, Entry], tuned: Tuned) -> None:
    """Fills in what is known of each launch, in the schedule's order."""
    keys = {number: key for key, each in launches.items() for number in each.numbers}
    for number, launch in enumerate(schedule.walk()):
        if number not in keys or not isinstance(launch, Launch):
            continue
        names, entry = launches[keys[number]].names, entries.get(keys[number])
        guessed = entry.microseconds.get(names[0]) if entry else None
        microseconds = entry.microseconds[entry.chosen] if entry else None
        if entry is None or microseconds is None:
            tuned.unknown.append(launch)
            continue
        tuned.choices.append(Choice(launch, names[0], microseconds if guessed is None else guessed, entry.chosen, microseconds))


def _chosen(schedule: Schedule, launches: Mapping[str, Distinct], entries: Mapping[str, Entry]) -> Schedule:
    """The schedule with the candidates that the entries choose."""
    choices = {number: each.names.index(entries[key].chosen) for key, each in launches.items()
               if key in entries and entries[key].chosen in each.names for number in each.numbers}
    return _choose(schedule, choices, iter(range(sum(1 for _ in schedule.walk()))))


def _choose(schedule: Schedule, choices: Mapping[int, int], numbers: Iterator[int]) -> Schedule:
    steps: list[Launch | HostStep | LoopStep] = []
    for step in schedule.launches:
        number = next(numbers)
        if isinstance(step, Launch):
            steps.append(step.choose(choices.get(number, step.choice)))
        elif isinstance(step, LoopStep):
            steps.append(replace(step, body=_choose(step.body, choices, numbers)))
        else:
            steps.append(step)
    return Schedule(schedule.graph, tuple(steps))
