"""planish beside other runtimes, in one run: `python -m benchmarks.bench --help`, and README.md for how to read it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.engines import ENGINES, Array, EngineError, Job, Turn, Worker

RESULTS = Path(__file__).parent / "results"
WARM_UP = 2
PAUSE = 0.05  # seconds before a turn, for the previous engine's threads to stop spinning


@dataclass(frozen=True)
class Measured:
    """One engine on one network: a turn per round."""

    engine: str
    facts: dict[str, str | float]
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


def measure(jobs: Sequence[Job], rounds: int, runs: int) -> tuple[list[Measured], dict[str, str]]:
    """Lets the engines take turns, A B C A B C ..., and says which could not and why."""
    workers: dict[str, Worker] = {}
    turns: dict[str, list[Turn]] = {job.engine: [] for job in jobs}
    failures = {}
    for job in jobs:
        try:
            workers[job.engine] = Worker(job)
        except EngineError as error:
            failures[job.engine] = str(error)
    for _ in range(rounds):
        for engine, worker in list(workers.items()):
            time.sleep(PAUSE)
            try:
                turns[engine].append(worker.turn(WARM_UP, runs))
            except EngineError as error:
                failures[engine] = str(error)
                workers.pop(engine).close()
    for worker in workers.values():
        worker.close()
    return [Measured(e, worker.facts, worker.output, turns[e]) for e, worker in workers.items()], failures


def difference(output: Array, reference: Array) -> float:
    """The largest absolute difference, relative to the reference's largest magnitude."""
    return float(np.abs(output.ravel() - reference.ravel()).max() / np.abs(reference).max())


def report(network: str, gflop: float, measured: Sequence[Measured]) -> tuple[Table, dict[str, Any]]:
    """The network's table, and the same for the JSON file. The first engine is the subject, other runtimes its peers.

    The ratio is to the peer that is fastest by median, taken round by round; the first peer is the outputs' reference.
    """
    subject, *others = measured
    peers = [m for m in others if not m.engine.startswith("planish")]
    reference = peers[0] if peers else subject
    table = Table(title=f"{network}  ({gflop:.2f} GFLOP)", title_justify="left", caption_justify="left")
    for column in ("engine", "median ms", "min ms", "GFLOP/s", f"difference to {reference.engine}", "load s"):
        table.add_column(column, justify="left" if column == "engine" else "right")
    engines: dict[str, dict[str, Any]] = {}
    for m in measured:
        middle, least = median(m.milliseconds), min(m.milliseconds)
        off = difference(m.output, reference.output)
        row = [f"{middle:.2f}", f"{least:.2f}", f"{gflop / middle * 1e3:.0f}", f"{off:.1e}", f"{m.facts['load_s']:.3f}"]
        table.add_row(m.engine, *row)
        idle = 1e3 * median(turn.idle_cpu for turn in m.turns)
        engines[m.engine] = {"median_ms": middle, "min_ms": least, "difference": off, **m.facts}
        engines[m.engine] |= {"idle_cpu_ms": idle, "round_medians_ms": [round(x, 4) for x in m.rounds]}
    found: dict[str, Any] = {"gflop": gflop, "reference": reference.engine, "engines": engines}
    if peers:
        peer = min(peers, key=lambda peer: median(peer.milliseconds))
        ratios = [a / b for a, b in zip(subject.rounds, peer.rounds, strict=True)]
        low, middle, high = np.quantile(ratios, [0.1, 0.5, 0.9]).tolist()
        of_minima = min(subject.milliseconds) / min(peer.milliseconds)
        table.caption = f"{subject.engine} takes {middle:.3f} of the time of {peer.engine}, the fastest peer "
        table.caption += f"(80 % of rounds: {low:.3f} to {high:.3f}; by the minima: {of_minima:.3f})"
        if "compile_s" in subject.facts:
            table.caption += f"\ncompiled in {subject.facts['compile_s']:.1f} s for {subject.facts['device']}"
        found["ratio"] = {"subject": subject.engine, "peer": peer.engine, "median": middle, "p10": low, "p90": high}
        found["ratio"]["of_minima"] = of_minima
    return table, found


def machine() -> dict[str, Any]:
    """What the numbers depend on, without names of the host or paths. OpenCL devices are among an engine's facts."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    system = f"{platform.system()} {platform.machine()}"
    return {
        "processor": names[0] if names else platform.processor(),
        "processors": os.cpu_count(),
        "system": system,
        "python": platform.python_version(),
    }


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, with engines that exist; exits with 2 otherwise."""

    def names(text: str) -> list[str]:
        return [name.strip() for name in text.split(",") if name.strip()]

    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument("--networks", type=names, default=["mobilenet_v1", "mobilenet_v2"], metavar="A,B")
    parser.add_argument(
        "--engines",
        type=names,
        default=["planish", "litert", "onnxruntime"],
        metavar="A,B",
        help=f"the first is compared with the rest; of {', '.join(ENGINES)}",
    )
    parser.add_argument("--rounds", type=int, default=20, help="turns of each engine (default: %(default)s)")
    parser.add_argument(
        "--runs", type=int, default=10, help="timed runs a turn, after 2 untimed (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=2, help="of each engine (default: %(default)s)")
    parser.add_argument("--device", help="OpenCL device of planish, as `planish compile --device` takes it")
    parser.add_argument("--json", metavar="OUT", help="a name for benchmarks/results/OUT.json, or a path")
    chosen = parser.parse_args(argv)
    if unknown := set(chosen.engines) - set(ENGINES):
        parser.error(f"unknown engine {', '.join(sorted(unknown))}; there are {', '.join(ENGINES)}")
    return chosen


def main(argv: Sequence[str] | None = None) -> int:
    """Runs and prints the comparison; 1 if an engine failed on a network."""
    chosen = arguments(argv)
    # Not at the top: the workers import this module too, and are to load nothing but their engine.
    from benchmarks.networks import NETWORKS, to_onnx, to_tflite

    if unknown := set(chosen.networks) - set(NETWORKS):
        print(f"error: unknown network {', '.join(sorted(unknown))}; there are {', '.join(NETWORKS)}", file=sys.stderr)
        return 1
    console = Console()
    settings = {name: getattr(chosen, name) for name in ("rounds", "runs", "threads", "device")}
    results: dict[str, Any] = {"machine": machine(), "settings": settings, "networks": {}}
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for network in chosen.networks:
            net = NETWORKS[network]()
            tflite, onnx, x = folder / f"{network}.tflite", folder / f"{network}.onnx", folder / f"{network}.npy"
            tflite.write_bytes(to_tflite(net))
            onnx.write_bytes(to_onnx(net).SerializeToString())
            np.save(x, np.random.default_rng(0).uniform(-1, 1, net.input_shape).astype(np.float32))
            jobs = [Job(engine, tflite, onnx, x, chosen.threads, chosen.device) for engine in chosen.engines]
            measured, failures = measure(jobs, chosen.rounds, chosen.runs)
            for engine, why in failures.items():
                console.print(f"[red]{engine} failed on {network}:[/red]", why, highlight=False)
            failed |= bool(failures)
            if measured:
                table, results["networks"][network] = report(network, net.flops / 1e9, measured)
                console.print(table)
    if chosen.json:
        bare = Path(chosen.json).name == chosen.json and not chosen.json.endswith(".json")
        out = RESULTS / f"{chosen.json}.json" if bare else Path(chosen.json)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(results, indent=1) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
