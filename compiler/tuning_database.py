"""What was measured of launches, in a file that can be read, shipped and merged.

    {"format": "planish tuning", "version": 1,
     "devices": {DEVICE: {LAUNCH: {"what": …, "chosen": CANDIDATE, "samples": 40, "microseconds": {CANDIDATE: 12.3, …}}}}}

DEVICE names driver and device, LAUNCH is a hash of the kernels of all its candidates, CANDIDATE a variant and a hash of its kernel:
what another compiler would emit otherwise has another name, and is measured again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyopencl as cl

from planish.runtime.devices import identity

from .errors import OptionError

FORMAT, VERSION = "planish tuning", 1


@dataclass(frozen=True)
class Entry:
    """What was measured of one launch on one device.

    Attributes:
        what: the launch, for people.
        chosen: the candidate to run.
        samples: how often that was measured.
        microseconds: candidate -> its time; None where the device did not take it.
    """

    what: str
    chosen: str
    samples: int
    microseconds: Mapping[str, float | None]

    def weight(self) -> tuple[Any, ...]:
        """Sorts entries of one launch: the last is the one to keep, because it knows most."""
        return len(self.microseconds), self.samples, json.dumps(asdict(self), sort_keys=True)


Entries = Mapping[str, Entry]
"""Of one device, by launch."""
Database = Mapping[str, Entries]
"""By device."""


def device_key(device: cl.Device) -> str:
    """The name of a device and its driver, for people and to tell it from all others."""
    digest = hashlib.sha256("\0".join(identity(device)).encode()).hexdigest()[:8]
    return (f"{device.platform.name.strip()}: {device.name.strip()}, {device.max_compute_units} compute units, "
            f"driver {device.driver_version.strip()} #{digest}")


def merged(*databases: Database) -> dict[str, dict[str, Entry]]:
    """All entries of all; of two of one launch the one that knows more, whatever the order."""
    found: dict[str, dict[str, Entry]] = {}
    for database in databases:
        for device, entries in database.items():
            mine = found.setdefault(device, {})
            for launch, entry in entries.items():
                mine[launch] = max(mine.get(launch, entry), entry, key=Entry.weight)
    return found


def read(path: Path) -> dict[str, dict[str, Entry]]:
    """The database in a file; none where there is no file.

    Raises:
        OptionError: the file is no database, or of a newer version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise KeyError("format")
        if document["version"] > VERSION:
            raise OptionError(f"{path}: a tuning database of version {document['version']}; up to {VERSION} is read: "
                              "update planish, or name another file")
        return {device: dict(_entries(entries)) for device, entries in document["devices"].items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise OptionError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
        raise OptionError(f"{path} is not a whole tuning database ({why}); remove it, or name another file") from None


def _entries(document: Mapping[str, Any]) -> Iterator[tuple[str, Entry]]:
    for launch, entry in document.items():
        times = {name: None if time is None else float(time) for name, time in entry["microseconds"].items()}
        if times[entry["chosen"]] is None:
            raise ValueError(f"launch {launch} chooses what the device does not take")
        yield launch, Entry(str(entry["what"]), entry["chosen"], int(entry["samples"]), times)


def add(path: Path, database: Database) -> None:
    """Merges a database into that of a file, which is written whole or not at all. What others add at the same time stays,
    but for the moment between reading and writing.

    Raises:
        OptionError: the file is no database, or cannot be written.
    """
    write(path, merged(read(path), database))


def write(path: Path, database: Database) -> None:
    """Writes a file whole or not at all: entries in order, each time in a line of its own, so that versions can be compared.

    Raises:
        OptionError: it cannot be written.
    """
    devices = {device: {launch: asdict(entry) for launch, entry in entries.items()} for device, entries in database.items()}
    text = json.dumps({"format": FORMAT, "version": VERSION, "devices": devices}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        scratch = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            scratch.chmod(0o666 & ~_umask())
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        raise OptionError(f"cannot write {path}: {error.strerror or error}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
