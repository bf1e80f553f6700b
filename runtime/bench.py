"""How fast a plan runs, and which part of the device's limits each launch makes use of: `planish bench`, `planish devices`."""

from __future__ import annotations

import argparse
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from . import breakdown, devices, limits
from .cli import Reader, count, feeds, progress, read_array
from .devices import describe
from .running import Run
from .session import Session, load

PERCENTILES = {"min": 0, "p50": 50, "p90": 90, "p99": 99, "max": 100}
AHEAD = 2
"""Runs that are under way at once where throughput is measured."""


@dataclass(frozen=True)
class Latency:
    """How long runs took.

    Attributes:
        milliseconds: of a run from arrays to arrays, by the names of `PERCENTILES`.
        throughput: runs in a second, where the next one is enqueued while one goes on.
    """

    runs: int
    milliseconds: dict[str, float]
    throughput: float


def add_bench_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", type=Path, help="folder of the plan")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE",
                        help="an array (.npy), repeatable; an input that is not given gets seeded noise")
    parser.add_argument("--device", help="gpu, cpu, part of a name, or platform:device (default: the best)")
    parser.add_argument("--warmup", type=count, default=10, metavar="N", help="runs that are not timed (default: 10)")
    parser.add_argument("--runs", type=some, default=100, metavar="N", help="runs that are timed (default: 100)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def bench_plan(options: argparse.Namespace, *, read: Reader = read_array) -> None:
    """Loads a plan, times it, and shows the table of its launches; measures the device where its limits are not known yet."""
    start = perf_counter()
    with progress(f"loading {options.plan}"):
        session = load(options.plan, options.device)
    loaded = perf_counter() - start
    with session:
        inputs, _ = feeds(session, options.input, read)
        with progress(f"measuring {describe(session.device)}"):
            most = limits.of(session.device)
        with progress(f"running {options.plan}"):
            latency = measure(session, inputs, options.runs, options.warmup)
            timings = session.profile(inputs)
    if options.json:
        launches = [{**asdict(t), "arithmetic": a, "bandwidth": b} for t, (a, b) in ((t, most.shares(t)) for t in timings)]
        print(json.dumps({"device": describe(session.device), "loaded": loaded, **asdict(latency), "limits": asdict(most),
                          "launches": launches}))  # fmt: skip
        return
    print(describe(session.device))
    print(f"loaded in {loaded:.3f} s")
    print(f"{latency.runs} runs: " + ", ".join(f"{name} {ms:.3f}" for name, ms in latency.milliseconds.items()) + " ms")
    print(f"throughput {latency.throughput:.1f} runs a second")
    print(breakdown.table(breakdown.groups(timings, most), most))


def add_devices_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--measure", action="store_true", help="measure the limits of each: arithmetic, bandwidth, launches")
    parser.add_argument("--device", help="only this one: gpu, cpu, part of a name, or platform:device")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def list_devices(options: argparse.Namespace) -> None:
    """Lists the devices, the best first; measures them if wanted, and keeps that for `bench_plan`."""
    found = devices.numbered()
    if options.device:
        chosen = devices.find(options.device)
        found = {index: device for index, device in found.items() if device == chosen}
    documents = []
    for index, device in found.items():
        most = None
        if options.measure:
            with progress(f"measuring {describe(device)}"):
                most = limits.of(device, fresh=True)
        if options.json:
            documents.append({"index": index, **devices.facts(device), **({"limits": asdict(most)} if most else {})})
        else:
            print(f"{index}  {describe(device)}")
            if most:
                print(limits.text(most))
    if options.json:
        print(json.dumps(documents))


def measure(session: Session, inputs: Mapping[str, np.ndarray], runs: int, warmup: int) -> Latency:
    """Times runs, one after another and then with one enqueued ahead."""
    for _ in range(warmup):
        session.run(inputs)
    times = []
    for _ in range(runs):
        start = perf_counter()
        session.run(inputs)
        times.append((perf_counter() - start) * 1e3)
    under_way: deque[Run] = deque()
    start = perf_counter()
    for _ in range(runs):
        under_way.append(session.run_async(inputs))
        if len(under_way) == AHEAD:
            under_way.popleft().wait()
    for run in under_way:
        run.wait()
    throughput = runs / (perf_counter() - start)
    return Latency(runs, {name: float(np.percentile(times, at)) for name, at in PERCENTILES.items()}, throughput)


def some(text: str) -> int:
    number = count(text)
    if not number:
        raise argparse.ArgumentTypeError("0 runs are none to time")
    return number
