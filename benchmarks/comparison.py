"""What is kept of a run: plain dictionaries, as in the JSON files, which tables and plots are made of."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines import OPENCL, OURS, Array
from benchmarks.rounds import Measured

Record = dict[str, Any]

WRONG = 1e-3
"""A difference above this is a mistake, or the price of a coarse algorithm, not rounding."""
WRONG_HALF = 5e-2
"""The same of half precision, behind the exponents of a softmax."""
HALF = ("planish_f16",)
"""The engines that compute with it."""


def machine() -> Record:
    """What the numbers depend on, without names of the host or paths. OpenCL devices are among an engine's facts."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "processors": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def of_network(gflop: float, measured: Mapping[str, Measured], failures: Mapping[str, str]) -> Record:
    """The first engine of `measured` is the subject: `ratios` are its time over each other's, round by round.

    A difference is the largest absolute one to the element-wise median of all outputs, relative to that one's largest magnitude.
    """
    engines: Record = {}
    found: Record = {"gflop": gflop, "engines": engines}
    if measured:
        agreed = consensus([m.output for m in measured.values()])
        for label, m in measured.items():
            engines[label] = {"difference": difference(m.output, agreed), **m.record()}
        subject, *others = measured
        found["subject"] = subject
        found["ratios"] = {other: ratio(measured[subject], measured[other]) for other in others}
        found["fastest"] = fastest(found, [other for other in others if other not in OURS + OPENCL])
        found["fastest_opencl"] = fastest(found, [other for other in others if other in OPENCL])
    return found | {"engines": engines | {label: {"failed": why} for label, why in failures.items()}}


def consensus(outputs: Sequence[Array]) -> Array:
    """The element-wise median of those that have the first one's shape and numbers alone."""
    fitting = [output for output in outputs if output.shape == outputs[0].shape and np.isfinite(output).all()]
    return np.asarray(np.median(fitting, axis=0)) if fitting else outputs[0]


def difference(output: Array, agreed: Array) -> float:
    """Infinite where the shapes differ, or where a number is none."""
    if output.shape != agreed.shape or not np.isfinite(output).all():
        return float("inf")
    return float(np.abs(output - agreed).max() / np.abs(agreed).max())


def ratio(subject: Measured, other: Measured) -> dict[str, float]:
    """Of the medians of each round: their median, and the range of 80 % of them; and that of the minima."""
    ratios = [a / b for a, b in zip(subject.rounds, other.rounds, strict=True)]
    low, middle, high = np.quantile(ratios, [0.1, 0.5, 0.9]).tolist()
    return {"median": middle, "p10": low, "p90": high, "of_minima": subject.min_ms / other.min_ms}


def fastest(found: Record, labels: Sequence[str]) -> str | None:
    """By median, of those that ran."""
    return min(labels, key=lambda label: float(found["engines"][label]["median_ms"]), default=None)


def remarks(found: Record) -> dict[str, str]:
    """Of engines that did not run, or whose output differs: what there is to say of them."""
    said = {}
    for label, e in found["engines"].items():
        if "failed" in e:
            said[label] = f"did not run: {' '.join(e['failed'].split())}"
        elif e["difference"] > (WRONG_HALF if label in HALF else WRONG):
            said[label] = f"differs by {e['difference']:.1e}"
    return said


def mistakes(found: Record) -> list[str]:
    """What makes a run fail: the remarks on planish. What others cannot run, or not exactly, is told but no failure."""
    return [f"{label} {said}" for label, said in remarks(found).items() if label in OURS]


def geometric_mean(results: Record, fastest: str = "fastest") -> float | None:
    """Of the first engine's ratios to the fastest peer, over the networks where both ran; None where there is none."""
    wanted = results["settings"]["engines"][0]
    networks = [n for n in results["networks"].values() if n.get(fastest) and n["subject"] == wanted]
    ratios = [n["ratios"][n[fastest]]["median"] for n in networks]
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else None
