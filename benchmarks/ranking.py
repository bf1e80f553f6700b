"""How well the cost model ranks the candidates of launches, beside measurements: `python -m benchmarks.ranking --help`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.__main__ import RESULTS, write
from benchmarks.comparison import Record, machine
from benchmarks.networks import NETWORKS, to_tflite
from planish.compiler import frontend, launches, passes, targets, tune, tuning_database
from planish.compiler.lower import lower
from planish.compiler.tune import Tuning
from planish.runtime.devices import describe, find
from planish.runtime.errors import PlanishError

FEWEST = 3
"""Candidates of which a rank correlation says something."""
GUESSES = (1, 2, 4, 8, 16)
"""How many first guesses are looked at."""


def correlation(costs: Sequence[float], times: Sequence[float]) -> float:
    """Spearman's: 1 where both rank alike, 0 where they have nothing to do with each other; 0 where one of them ranks nothing."""
    a, b = _ranks(costs), _ranks(times)
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm else 0.0


def _ranks(numbers: Sequence[float]) -> np.ndarray:
    """Of each number, counted from 0; equal ones share the middle of theirs."""
    _, inverse, counts = np.unique(np.asarray(numbers, np.float64), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return ((ends - counts + ends - 1) / 2)[inverse]


def measured(path: Path, device: Any, seconds: float, console: Console) -> tuple[list[Record], int]:
    """The distinct launches of a model that could be measured in time, each with the predicted and the measured microseconds of all its
    candidates, the first guess first; and how many there are."""
    target = targets.of_present(device)
    schedule = lower(passes.run(frontend.load(path), target), target)
    file = path.with_suffix(".tuning.json")
    with console.status(path.stem) as status:
        watch = Tuning(device, "full", file, seconds, watch=lambda done, what: status.update(f"{path.stem}: {100 * done:.0f} %, {what}"))
        tune.tune(schedule, target, watch)
    entries = tuning_database.read(file).get(tuning_database.device_key(device), {})
    found = []
    every = launches.distinct(schedule)
    for key, each in every.items():
        if key not in entries:
            continue
        rows = []
        for name, kernel in zip(each.names, each.launch.candidates, strict=True):
            time = entries[key].microseconds.get(name)
            if time is not None:
                rows.append({"name": kernel.variant(), "template": kernel.template, "cost": round(kernel.cost, 2), "microseconds": time})
        found.append({"launch": entries[key].what, "count": len(each.numbers), "candidates": rows})
    return found, len(every)


def of_network(launches: Sequence[Record], distinct: int) -> Record:
    """What is said of a network: how well launches are ranked, what the first guess loses, and what a few guesses would lose.

    Args:
        launches: those that were measured, of so many `distinct` ones.
    """
    candidates = [c for launch in launches for c in launch["candidates"]]
    return {
        "launches": len(launches),
        "distinct": distinct,
        "candidates": len(candidates),
        "within": _within([launch["candidates"] for launch in launches]),
        "loss": {str(k): _loss(launches, k) for k in GUESSES},
        "templates": {name: _of_template(name, launches) for name in sorted({c["template"] for c in candidates})},
        "measured": list(launches),
    }


def _of_template(name: str, launches: Sequence[Record]) -> Record:
    rows = [[c for c in launch["candidates"] if c["template"] == name] for launch in launches]
    every = [c for row in rows for c in row]
    return {
        "launches": sum(map(bool, rows)),
        "candidates": len(every),
        "within": _within(rows),
        "across": correlation([c["cost"] for c in every], [c["microseconds"] for c in every]),
    }


def _within(rows: Sequence[Sequence[Record]]) -> float | None:
    """The rank correlation among candidates of one launch, a row each: the mean of those that have enough, None where none has."""
    enough = [row for row in rows if len(row) >= FEWEST]
    found = [correlation([c["cost"] for c in row], [c["microseconds"] for c in row]) for row in enough]
    return float(np.mean(found)) if found else None


def _loss(launches: Iterable[Record], first: int) -> float:
    """How much longer all launches take with the best of the `first` guesses than with the best of all: 0.1 for a tenth."""
    best = guessed = 0.0
    for launch in launches:
        times = [c["microseconds"] for c in launch["candidates"]]
        best += launch["count"] * min(times)
        guessed += launch["count"] * min(times[:first])
    return guessed / best - 1 if best else 0.0


def markdown(kept: Mapping[str, Any]) -> str:
    """The tables of all networks."""
    guesses = [f"best of {k}" if k > 1 else "first" for k in GUESSES]
    rows = []
    for name, found in kept["networks"].items():
        losses = [f"{100 * loss:.1f} %" for loss in found["loss"].values()]
        rows.append([name, f"{found['launches']} of {found['distinct']}", str(found["candidates"]), _shown(found["within"]), *losses])
    lines = [
        "How well the cost model ranks the candidates of a launch: Spearman's correlation of predicted and measured times, the mean of all",
        "distinct launches; and how much longer all launches together take with the best of the first guesses than with the best of all.",
        "",
        kept["device"],
        "",
        *_table(["network", "launches", "candidates", "correlation", *guesses], rows, 1),
        "",
        "By template: among the candidates of one launch, and among those of all launches.",
        "",
        *_table(
            ["network", "template", "launches", "candidates", "in a launch", "of all launches"],
            [
                [name, f"`{template}`", str(row["launches"]), str(row["candidates"]), _shown(row["within"]), _shown(row["across"])]
                for name, found in kept["networks"].items()
                for template, row in found["templates"].items()
            ],
            2,
        ),
    ]
    return "\n".join(lines) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Lines of a table whose columns are right-aligned but for the first `left`."""
    rule = ["---"] * left + ["--:"] * (len(head) - left)
    return [f"| {' | '.join(line)} |" for line in (head, rule, *rows)]


def _shown(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, prints and writes; 1 if a network could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking", description=__doc__)
    known = ", ".join(NETWORKS)
    parser.add_argument("--networks", default="mobilenet_v2,resnet50", metavar="A,B", help=f"of {known} (default: %(default)s)")
    parser.add_argument("--device", help="as of planish compile")
    parser.add_argument("--seconds", type=float, default=600.0, help="for the measurements of each network (default: %(default)s)")
    parser.add_argument("--out", default="ranking", help="a name in benchmarks/results, or a path, without an ending")
    chosen = parser.parse_args(argv)
    names = [name.strip() for name in chosen.networks.split(",") if name.strip()]
    if unknown := set(names) - set(NETWORKS):
        parser.error(f"unknown network {', '.join(sorted(unknown))}; there are {known}")
    console = Console()
    try:
        device = find(chosen.device)
        kept: dict[str, Any] = {"machine": machine(), "device": describe(device), "seconds": chosen.seconds, "networks": {}}
        out = RESULTS / chosen.out if Path(chosen.out).name == chosen.out else Path(chosen.out)
        with tempfile.TemporaryDirectory() as folder:
            for name in names:
                path = Path(folder, f"{name}.tflite")
                path.write_bytes(to_tflite(NETWORKS[name]()))
                kept["networks"][name] = of_network(*measured(path, device, chosen.seconds, console))
                write(out, ".json", json.dumps(kept, indent=1) + "\n")
                write(out, ".md", markdown(kept))
    except PlanishError as error:
        console.print(f"error: {error}", style="red", highlight=False)
        return 1
    console.print(markdown(kept), highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
