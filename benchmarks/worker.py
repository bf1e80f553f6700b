"""Engines in processes of their own."""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.engines import ENGINES, Array, EngineError, Facts, Job, Loaded

LONGEST = 1.0  # seconds of a turn after which no further run begins

CACHES = {"PLANISH_CACHE": "planish", "POCL_CACHE_DIR": "pocl", "CACHEDB": "tinygrad.db"}
"""Environment variables that say where planish, PoCL and tinygrad keep compiled kernels."""


@dataclass(frozen=True)
class Turn:
    """Seconds of each timed run, and the processor seconds that the worker used between its turns."""

    seconds: list[float]
    idle_cpu: float


class Worker:
    """A process that holds one loaded engine. Between turns it is blocked on its pipe. Raises EngineError.

    `output` is the first run's, images NHWC; `start_s` the seconds from the start of the process to its arrival here;
    `facts` what the engine told of itself, and the process's peak resident memory until then.
    """

    def __init__(self, job: Job) -> None:
        start = time.perf_counter()
        self._job = job
        self._process, self._pipe = _spawn(_serve, job)
        self.output: Array = self._receive()
        self.start_s = time.perf_counter() - start
        self.facts: Facts = self._receive()

    def turn(self, warm_up: int, runs: int) -> Turn:
        """`warm_up` untimed runs, then up to `runs` timed ones. Raises EngineError."""
        self._pipe.send((warm_up, runs))
        turn: Turn = self._receive()
        return turn

    def close(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.join(10)
        self._process.kill()

    def _receive(self) -> Any:
        return _receive(self._process, self._pipe, self._job)


def convert(job: Job) -> Facts:
    """Lets the engine make its own form of the model, in a process of its own; how long that takes. Raises EngineError."""
    process, pipe = _spawn(_convert, job)
    facts: Facts = _receive(process, pipe, job)
    process.join()
    return facts


def _spawn(target: Callable[[Connection, Job], None], job: Job) -> tuple[Any, Any]:
    """A fresh interpreter, so that its time and memory are the engine's own: nothing of this process is in it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, job), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _receive(process: Any, pipe: Any, job: Job) -> Any:
    try:
        answer = pipe.recv()
    except (EOFError, ConnectionError):
        process.join()
        said = job.converted(".log").read_text(errors="replace").splitlines()[-1:]
        raise EngineError(f"the process ended with exit code {process.exitcode} {said}") from None
    if isinstance(answer, EngineError):
        process.join()
        raise answer
    return answer


def _convert(pipe: Connection, job: Job) -> None:
    def convert() -> None:
        start = time.perf_counter()
        facts = ENGINES[job.engine].convert(job)
        pipe.send({"convert_s": time.perf_counter() - start, **facts})

    _answer(pipe, job, convert)


def _serve(pipe: Connection, job: Job) -> None:
    """The worker's life: load, run once, then a turn per request until the pipe is closed."""

    def serve() -> None:
        start = time.perf_counter()
        loaded = ENGINES[job.engine].load(job)
        ready = time.perf_counter()
        pipe.send(_first_output(loaded))
        facts = {"version": version(ENGINES[job.engine].package), **loaded.facts, "load_s": ready - start}
        pipe.send(facts | peak_memory())
        while True:
            start = time.process_time()
            try:
                warm_up, runs = pipe.recv()
            except EOFError:
                return
            idle_cpu = time.process_time() - start
            for _ in range(warm_up):
                loaded.run()
            pipe.send(Turn(_times(loaded.run, runs), idle_cpu))

    _answer(pipe, job, serve)


def _answer(pipe: Connection, job: Job, work: Callable[[], None]) -> None:
    """Works, with the environment of a worker, and sends what fails."""
    _settle(job)
    try:
        work()
    except EngineError as error:
        pipe.send(error)
    except ModuleNotFoundError as error:
        pipe.send(EngineError(f"not installed: {error.name}"))
    except Exception:
        pipe.send(EngineError(traceback.format_exc(limit=-1).strip()))


def _settle(job: Job) -> None:
    """`threads` processors only, which also holds OpenCL's drivers of processors to them; kernels cached beside the
    model, so that the first start finds none; what the engine prints in a file."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job.threads])
    caches = job.converted("-caches")
    (caches / CACHES["POCL_CACHE_DIR"]).mkdir(parents=True, exist_ok=True)
    os.environ.update({name: str(caches / file) for name, file in CACHES.items()})
    with job.converted(".log").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)


def _first_output(loaded: Loaded) -> Array:
    output = loaded.run()
    images = loaded.channels_first and output.ndim == 4
    return (output.transpose(0, 2, 3, 1) if images else output).copy()


def peak_memory() -> Facts:
    """MB, of this process, where the system has /proc: getrusage also counts the process that spawned it."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peak = next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM")), None)
    return {} if peak is None else {"peak_mb": peak}


def _times(run: Callable[[], Array], runs: int) -> list[float]:
    """Seconds of each of `runs` runs, or of as many as begin within `LONGEST`."""
    start = time.perf_counter()
    ends = [start]
    while len(ends) <= runs and ends[-1] - start < LONGEST:
        run()
        ends.append(time.perf_counter())
    return [after - before for before, after in pairwise(ends)]
