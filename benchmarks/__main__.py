"""planish beside other runtimes, in one run: `python -m benchmarks --help`, and README.md for how to read it."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks import comparison, growth, plot, tables
from benchmarks.engines import ENGINES, Job
from benchmarks.layers import Network
from benchmarks.networks import NETWORKS, to_onnx, to_tflite
from benchmarks.rounds import measure

RESULTS = Path(__file__).parent / "results"
GROWTH_ENGINES = ["planish", "litert", "onnxruntime"]  # all points of an engine live at once


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, with engines and networks that exist; exits with 2 otherwise."""

    def names(text: str) -> list[str]:
        return [name.strip() for name in text.split(",") if name.strip()]

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--networks", type=names, default=list(NETWORKS), metavar="A,B", help=f"of {', '.join(NETWORKS)} (default: all)")
    parser.add_argument(
        "--engines", type=names, metavar="A,B", help=f"the first is compared with the rest; of {', '.join(ENGINES)} (default: all)"
    )
    parser.add_argument("--rounds", type=int, default=20, help="turns of each engine (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=10, help="timed runs a turn, after 2 untimed (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of each engine (default: %(default)s)")
    parser.add_argument("--device", help="OpenCL device, as `planish compile --device` takes it")
    parser.add_argument("--growth", metavar="NETWORK", help="instead: how the time of one network grows with batch and size")
    parser.add_argument("--out", default="latest", help="a name in benchmarks/results, or a path, without an ending (default: %(default)s)")
    chosen = parser.parse_args(argv)
    chosen.engines = chosen.engines or (GROWTH_ENGINES if chosen.growth else list(ENGINES))
    for kind, wanted, known in (
        ("engine", chosen.engines, ENGINES),
        ("network", [*chosen.networks, *([chosen.growth] if chosen.growth else [])], NETWORKS),
    ):
        if unknown := set(wanted) - set(known):
            parser.error(f"unknown {kind} {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if chosen.rounds < 1 or chosen.runs < 1 or chosen.threads < 1:
        parser.error("--rounds, --runs and --threads are at least 1")
    return chosen


def jobs(net: Network, folder: Path, chosen: argparse.Namespace) -> list[Job]:
    """Writes the network's files and its input, seeded, to a new folder; a job for each engine."""
    folder.mkdir()
    tflite, onnx, x = folder / f"{net.name}.tflite", folder / f"{net.name}.onnx", folder / "input.npy"
    tflite.write_bytes(to_tflite(net))
    onnx.write_bytes(to_onnx(net).SerializeToString())
    np.save(x, np.random.default_rng(0).uniform(-1, 1, net.input_shape).astype(np.float32))
    return [Job(engine, tflite, onnx, x, chosen.threads, chosen.device) for engine in chosen.engines]


def compare(chosen: argparse.Namespace, folder: Path, kept: dict[str, Any], console: Console, out: Path) -> list[str]:
    """Every network in turn, kept as soon as it is measured; what is wrong."""
    wrong = []
    kept["networks"] = {}
    for name in chosen.networks:
        net = NETWORKS[name]()
        measured, failures = measure({job.engine: job for job in jobs(net, folder / name, chosen)}, chosen.rounds, chosen.runs)
        found = kept["networks"][name] = comparison.of_network(net.flops / 1e9, measured, failures)
        console.print(tables.of_network(name, found))
        wrong += [f"{name}: {why}" for why in comparison.mistakes(found)]
        write(out, ".json", json.dumps(kept, indent=1) + "\n")
    write(out, ".md", tables.markdown(kept))
    try:
        plot.ratios(kept, out.with_name(f"{out.name}.svg"))
    except ModuleNotFoundError as error:
        wrong.append(f"no plot: {error.name} is not installed")
    return wrong


def grow(chosen: argparse.Namespace, folder: Path, kept: dict[str, Any], console: Console, out: Path) -> list[str]:
    """All batches and sizes of one network in one run; what is wrong."""
    nets = growth.points(chosen.growth)
    todo = {growth.label(job.engine, net): job for net in nets for job in jobs(net, folder / growth.describe(net), chosen)}
    measured, failures = measure(todo, chosen.rounds, chosen.runs)
    kept["growth"] = growth.record(chosen.growth, nets, chosen.engines, measured, failures)
    console.print(growth.table(kept["growth"], chosen.engines))
    write(out, ".json", json.dumps(kept, indent=1) + "\n")
    return [f"{label} failed: {why}" for label, why in failures.items() if label.startswith("planish")]


def write(out: Path, ending: str, text: str) -> None:
    """`out` with `ending` after its name."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_name(out.name + ending).write_text(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs, prints and writes the comparison; 1 if planish failed on a network, or differs from the others."""
    chosen = arguments(argv)
    console = Console()
    console.width = max(console.width, 120)
    out = RESULTS / chosen.out if Path(chosen.out).name == chosen.out else Path(chosen.out)
    settings = {name: getattr(chosen, name) for name in ("engines", "rounds", "runs", "threads", "device")}
    kept: dict[str, Any] = {"machine": comparison.machine(), "settings": settings}
    with tempfile.TemporaryDirectory() as name:
        wrong = (grow if chosen.growth else compare)(chosen, Path(name), kept, console, out)
    for why in wrong:
        console.print(f"[red]{why}[/red]", highlight=False)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
