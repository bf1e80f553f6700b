"""Schedule -> Schedule, with the candidates that are fastest on a device: those a database knows, or those measured now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyopencl as cl

from planish.runtime import cache

from . import tuning_database as database
from .errors import OptionError
from .launches import Alike, chosen, distinct
from .lower import Launch, Schedule
from .survey import Watch, survey
from .targets import Target
from .tuning_database import Entry

EFFORTS = {"fast": 8, "full": None}
"""How many candidates of a launch are measured, the best guesses first; None for all."""
SECONDS = {"fast": 60.0, "full": 600.0}
"""How long measuring may take."""
ENOUGH = 6
"""Samples of what was chosen: fewer, where the time was up, are a first impression; it is taken, and the next `--tune` measures again."""
FILE = "tuning.json"
"""The database in the user's cache folder."""


@dataclass(frozen=True)
class Tuning:
    """How to tune.

    Attributes:
        device: whose target is compiled for.
        effort: "fast" or "full": what is missing is measured; None: nothing is measured.
        file: the database; None for the one in the user's cache folder.
        seconds: how long measuring may take; None for `SECONDS` of the effort.
        watch: called with the share of the work that is done and what goes on.
    """

    device: cl.Device
    effort: str | None = None
    file: Path | None = None
    seconds: float | None = None
    watch: Watch = lambda done, what: None

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
    held = _held(file, tuning, tuned).get(device, {})
    entries = {key: held[key] for key, each in launches.items() if key in held and held[key].chosen in each.names}
    schedule = _by_entries(schedule, launches, entries)
    if tuning.effort:
        limit = EFFORTS[tuning.effort]
        missing = {key: each for key, each in launches.items() if not _settles(entries.get(key), each.names[:limit])}
        seconds = tuning.seconds or SECONDS[tuning.effort]
        for measured in survey(schedule, target, tuning.device, missing, limit, seconds, tuning.watch):
            entries |= measured
            tuned.measured += len(measured)
            if file:
                database.add(file, {device: measured})
    tuned.found = len(entries) - tuned.measured
    _tell(schedule, launches, entries, tuned)
    return _by_entries(schedule, launches, entries), tuned


def _default() -> Path | None:
    folder = cache.folder()
    return folder / FILE if folder else None


def _held(file: Path | None, tuning: Tuning, tuned: Tuned) -> dict[str, dict[str, Entry]]:
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


def _settles(entry: Entry | None, names: Sequence[str]) -> bool:
    """Whether an entry says enough of some candidates not to measure them again."""
    return entry is not None and entry.microseconds.keys() >= set(names) and entry.samples >= ENOUGH


def _by_entries(schedule: Schedule, launches: Mapping[str, Alike], entries: Mapping[str, Entry]) -> Schedule:
    """The schedule with the candidates that entries choose."""
    return chosen(schedule, {number: each.names.index(entries[key].chosen) for key, each in launches.items() if key in entries
                             for number in each.numbers})


def _tell(schedule: Schedule, launches: Mapping[str, Alike], entries: Mapping[str, Entry], tuned: Tuned) -> None:
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
