"""The runtimes that are compared, each in a process of its own.

An engine is a function that loads a `Job` and returns a `Loaded`; a new one is such a function and a row of `ENGINES`.
Its imports are inside, so that no process loads a runtime that it does not run.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Facts = dict[str, str | float]


class EngineError(Exception):
    """An engine could not load or run a model; the message says why."""


@dataclass(frozen=True)
class Job:
    """A network in both formats, its input (NHWC, as .npy), and how to run it. `device` is for OpenCL engines."""

    engine: str
    tflite: Path
    onnx: Path
    x: Path
    threads: int
    device: str | None = None


@dataclass(frozen=True)
class Loaded:
    """`run` does what a user does for one inference: hand over the input, compute, take the output as a numpy array."""

    run: Callable[[], Array]
    facts: Facts = field(default_factory=dict)


def planish(job: Job) -> Loaded:
    """planish on the .tflite: the command line compiles it, the runtime loads the plan."""
    return _planish(job, job.tflite, np.load(job.x))


def planish_onnx(job: Job) -> Loaded:
    """planish on the .onnx."""
    return _planish(job, job.onnx, _nchw(job))


def _planish(job: Job, model: Path, x: Array) -> Loaded:
    from planish.runtime import load

    plan = model.with_name(f"{model.stem}-{job.engine}-plan")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [shutil.which("planish", path=path) or "planish", "compile", str(model), "-o", str(plan)]
    start = time.perf_counter()
    done = subprocess.run(command + (["--device", job.device] if job.device else []), capture_output=True, text=True)
    compiled = time.perf_counter()
    if done.returncode:
        raise EngineError(done.stderr.strip())
    load(plan, device=job.device)
    loaded = time.perf_counter()
    session = load(plan, device=job.device)
    again = time.perf_counter()
    name = session.inputs[0].name
    facts: Facts = {
        "version": version("planish"),
        "device": session.device.name.strip(),
        "driver": f"{session.device.platform.name.strip()} {session.device.driver_version}",
        "compile_s": compiled - start,
        "load_s": loaded - compiled,
        "load_again_s": again - loaded,
    }
    return Loaded(lambda: np.asarray(next(iter(session.run({name: x}).values()))), facts)


def litert(job: Job) -> Loaded:
    """LiteRT on the .tflite; its XNNPACK delegate is on by default."""
    from ai_edge_litert.interpreter import Interpreter

    x = np.load(job.x)
    start = time.perf_counter()
    interpreter = Interpreter(model_path=str(job.tflite), num_threads=job.threads)
    interpreter.allocate_tensors()
    loaded = time.perf_counter()
    into, out = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run() -> Array:
        interpreter.set_tensor(into, x)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(out))

    return Loaded(run, {"version": version("ai-edge-litert"), "load_s": loaded - start})


def onnxruntime(job: Job) -> Loaded:
    """ONNX Runtime on the .onnx, CPU provider, its default graph optimisation and spinning."""
    import onnxruntime as ort

    x = _nchw(job)
    options = ort.SessionOptions()
    options.intra_op_num_threads = job.threads
    start = time.perf_counter()
    session = ort.InferenceSession(str(job.onnx), options, providers=["CPUExecutionProvider"])
    loaded = time.perf_counter()
    name = session.get_inputs()[0].name
    facts: Facts = {"version": version("onnxruntime"), "load_s": loaded - start}
    return Loaded(lambda: np.asarray(session.run(None, {name: x})[0]), facts)


def _nchw(job: Job) -> Array:
    return np.ascontiguousarray(np.load(job.x).transpose(0, 3, 1, 2))


ENGINES: dict[str, Callable[[Job], Loaded]] = {
    "planish": planish,
    "planish_onnx": planish_onnx,
    "litert": litert,
    "onnxruntime": onnxruntime,
}


@dataclass(frozen=True)
class Turn:
    """Seconds of each timed run, and the processor seconds that the worker used between its turns."""

    seconds: list[float]
    idle_cpu: float


class Worker:
    """A process that holds one loaded engine. Between turns it is blocked on its pipe.

    `facts` is what the engine told of itself, `output` the first run's output. Raises EngineError.
    """

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, job), daemon=True)
        self._process.start()
        theirs.close()
        self.facts: Facts
        self.output: Array
        self.facts, self.output = self._receive()

    def turn(self, warm_up: int, runs: int) -> Turn:
        """Runs untimed, then timed. Raises EngineError."""
        self._pipe.send((warm_up, runs))
        turn: Turn = self._receive()
        return turn

    def close(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.join(10)
        self._process.kill()

    def _receive(self) -> Any:
        try:
            answer = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise EngineError(f"the process ended with exit code {self._process.exitcode}") from None
        if isinstance(answer, EngineError):
            self._process.join()
            raise answer
        return answer


def _serve(pipe: Connection, job: Job) -> None:
    """The worker's life: load, run once, then a turn per request until the pipe is closed.

    The process may use `threads` processors only, which also holds the OpenCL drivers of processors to them.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job.threads])
    try:
        loaded = ENGINES[job.engine](job)
        pipe.send((loaded.facts, loaded.run().copy()))
        while True:
            start = time.process_time()
            try:
                warm_up, runs = pipe.recv()
            except EOFError:
                return
            idle_cpu = time.process_time() - start
            for _ in range(warm_up):
                loaded.run()
            pipe.send(Turn([_seconds(loaded.run) for _ in range(runs)], idle_cpu))
    except EngineError as error:
        pipe.send(error)
    except Exception:
        pipe.send(EngineError(traceback.format_exc(limit=-1).strip()))


def _seconds(run: Callable[[], Array]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
