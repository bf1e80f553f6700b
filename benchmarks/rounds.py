"""Measures engines by turns: a round is one turn of each, A B C A B C ..."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.engines import Array, EngineError, Facts, Job
from benchmarks.worker import Turn, Worker, convert

WARM_UP = 2
PAUSE = 0.05  # seconds before a turn, for the previous engine's threads to stop spinning


@dataclass(frozen=True)
class Measured:
    """One job: a turn per round. `facts` also tells how long it took to start, first and again."""

    facts: Facts
    output: Array
    turns: list[Turn]

    @property
    def milliseconds(self) -> list[float]:
        """Of every timed run."""
        return [1e3 * seconds for turn in self.turns for seconds in turn.seconds]

    @property
    def rounds(self) -> list[float]:
        """The median of each round, milliseconds."""
        return [1e3 * median(turn.seconds) for turn in self.turns]

    @property
    def median_ms(self) -> float:
        """Of every timed run."""
        return median(self.milliseconds)

    @property
    def min_ms(self) -> float:
        """Of every timed run."""
        return min(self.milliseconds)

    def record(self) -> dict[str, Any]:
        """For the JSON file; without the output."""
        times = {"median_ms": self.median_ms, "min_ms": self.min_ms, **self.facts}
        idle = 1e3 * median(turn.idle_cpu for turn in self.turns)
        return times | {"idle_cpu_ms": idle, "round_medians_ms": [round(x, 4) for x in self.rounds]}


def measure(jobs: Mapping[str, Job], rounds: int, runs: int) -> tuple[dict[str, Measured], dict[str, str]]:
    """Converts, starts every engine twice, and lets them take turns; also which of `jobs` could not, and why."""
    workers: dict[str, Worker] = {}
    facts: dict[str, Facts] = {}
    turns: dict[str, list[Turn]] = {label: [] for label in jobs}
    failures = {}
    for label, job in jobs.items():
        try:
            converted = convert(job)
            first = Worker(job)
            first.close()
            workers[label] = Worker(job)
        except EngineError as error:
            failures[label] = str(error)
        else:
            starts: Facts = {"first_start_s": first.start_s, "start_s": workers[label].start_s}
            facts[label] = workers[label].facts | converted | starts
    for _ in range(rounds):
        for label, worker in list(workers.items()):
            time.sleep(PAUSE)
            try:
                turns[label].append(worker.turn(WARM_UP, runs))
            except EngineError as error:
                failures[label] = str(error)
                workers.pop(label).close()
    for worker in workers.values():
        worker.close()
    return {label: Measured(facts[label], worker.output, turns[label]) for label, worker in workers.items()}, failures
