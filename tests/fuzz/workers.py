"""Cases in processes of their own, bounded in memory and time, so that none of them takes the others along."""

from __future__ import annotations

import faulthandler
import multiprocessing
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TextIO

from tests.fuzz.case import Outcome, draw, run
from tests.fuzz.seeds import Seed

SECONDS = 10
"""Of a processor that a case may take."""
STUCK = 120.0
"""Seconds by the clock after which a case is taken to be waiting for something."""
MEMORY = 1 << 30
"""Bytes that a case may ask for."""
CASES = 500
"""After which a worker makes place for a new one."""


@dataclass
class _Worker:
    """A process, the case that it is at, and until when."""

    process: multiprocessing.process.BaseProcess
    connection: Connection
    log: TextIO
    number: int = -1
    deadline: float = 0.0
    done: int = 0


def outcomes(seeds: Sequence[Seed], base: int, numbers: Iterable[int], jobs: int) -> Iterator[Outcome]:
    """What each case ends in, as they end; a worker that dies is replaced, and the case that it was at named."""
    left = iter(numbers)
    with tempfile.TemporaryDirectory(prefix="planish-fuzz-") as logs:
        crew = [_started(seeds, base, Path(logs)) for _ in range(jobs)]
        try:
            for worker in list(crew):
                if not _give(worker, left):
                    _stop(worker, crew)
            while crew:
                ready = wait([w.connection for w in crew], timeout=1.0)
                for worker in list(crew):
                    if worker.connection in ready:
                        outcome = _received(worker) or _death(seeds, base, worker)
                    elif time.monotonic() > worker.deadline:
                        worker.process.kill()
                        outcome = Outcome(worker.number, *_told(seeds, base, worker.number), "stuck", _last(worker.log))
                    else:
                        continue
                    yield outcome
                    if outcome.fault or worker.done >= CASES:
                        _stop(worker, crew)
                        worker = _started(seeds, base, Path(logs))
                        crew.append(worker)
                    if not _give(worker, left):
                        _stop(worker, crew)
        finally:
            for worker in list(crew):
                _stop(worker, crew)


def _started(seeds: Sequence[Seed], base: int, logs: Path) -> _Worker:
    context = multiprocessing.get_context("fork")  # so that seeds and imports are there
    ours, theirs = context.Pipe()
    log = tempfile.NamedTemporaryFile("w+", dir=logs, delete=False)  # noqa: SIM115 -- it lives as long as the worker
    process = context.Process(target=_work, args=(theirs, seeds, base, log), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours, log)


def _give(worker: _Worker, left: Iterator[int]) -> bool:
    """Gives a worker its next case; False where there is none."""
    number = next(left, None)
    if number is None:
        return False
    worker.number, worker.deadline = number, time.monotonic() + STUCK
    worker.done += 1
    worker.connection.send(number)
    return True


def _received(worker: _Worker) -> Outcome | None:
    """What a worker says; None where it is dead."""
    try:
        return worker.connection.recv()
    except (EOFError, ConnectionError):
        return None


def _death(seeds: Sequence[Seed], base: int, worker: _Worker) -> Outcome:
    worker.process.join()
    code = worker.process.exitcode or 0
    status = "slow" if code == -signal.SIGXCPU else "crash"
    what = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return Outcome(worker.number, *_told(seeds, base, worker.number), status, f"{what} {_last(worker.log)}")


def _told(seeds: Sequence[Seed], base: int, number: int) -> tuple[str, str]:
    seed, _ = draw(seeds, base, number)
    return seed.name, seed.kind


def _last(log: TextIO) -> str:
    """The innermost lines of planish, from what faulthandler wrote when a worker died."""
    log.seek(0)
    lines = [line.split('"')[1:] for line in log if line.startswith("  File ")]
    own = [f"{Path(file).name}:{rest.split()[2].rstrip(',')}" for file, rest in lines if "/compiler/" in file or "/runtime/" in file]
    return f"({' < '.join(own[:3])})"


def _stop(worker: _Worker, crew: list[_Worker]) -> None:
    crew.remove(worker)
    with suppress(ConnectionError):
        worker.connection.close()
    worker.process.join(5)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
    worker.log.close()


def _work(connection: Connection, seeds: Sequence[Seed], base: int, log: TextIO) -> None:
    """Runs the cases that come, until none do."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _address_space() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    faulthandler.enable(log)
    faulthandler.register(signal.SIGXCPU, log, all_threads=False, chain=True)
    while True:
        try:
            number = connection.recv()
        except (EOFError, ConnectionError):
            sys.exit(0)
        used = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + SECONDS + 1, resource.RLIM_INFINITY))
        connection.send(run(seeds, base, number))


def _address_space() -> int:
    """Bytes that this process has mapped."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 1 << 20
    return pages * resource.getpagesize()
