"""How long each launch of a plan takes, by the device's own clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pyopencl as cl

from .host_call import Kept
from .stages import Stage
from .steps import Call, Ready


@dataclass(frozen=True)
class Timing:
    """One launch, measured.

    Attributes:
        launch: its number in the plan; kernel: the name of its function; variant: template and tile; "host" of a step there, "loop" or
            "branch" of one that it drives, which is timed as a whole.
        nodes: the nodes of the source model that it stands for.
        microseconds: from start to end on the device, the least of all repeats; of what the host does, by its clock.
        flops: arithmetic operations; nbytes: bytes of operands and results.
    """

    launch: int
    kernel: str
    variant: str
    nodes: tuple[str, ...]
    microseconds: float
    flops: int
    nbytes: int


def measure(queue: cl.CommandQueue, launches: Sequence[Ready], repeat: int) -> list[float]:
    """Microseconds of each launch: the least of `repeat` runs, after one that is not counted.

    Args:
        queue: in order, with profiling enabled.
    """
    times = np.full((repeat, len(launches)), np.inf)
    alone = [each.alone if isinstance(each, Stage) else each for each in launches]
    for run in range(-1, repeat):
        kept: Kept = {}
        done = [cl.enqueue_nd_range_kernel(queue, *each) if isinstance(each, tuple) else _host(queue, each, kept) for each in alone]
        queue.finish()
        if run >= 0:
            times[run] = [d if isinstance(d, float) else (d.profile.end - d.profile.start) / 1e3 for d in done]
    return [float(t) for t in times.min(axis=0)]


def _host(queue: cl.CommandQueue, call: Call, kept: Kept) -> float:
    """Microseconds of what the host does, in the queue of the session."""
    queue.finish()
    start = perf_counter()
    call(kept)
    return (perf_counter() - start) * 1e6


def table(timings: Sequence[Timing]) -> str:
    """Text: a line for each launch, and the sum."""
    total = sum(t.microseconds for t in timings)
    lines = [f"{'#':>4}  {'µs':>9}  {'%':>5}  {'GFLOP/s':>8}  {'GB/s':>7}  kernel"]
    for t in timings:
        per = max(t.microseconds, 1e-3) * 1e3
        name = f"{t.variant}  {', '.join(t.nodes)}".rstrip()
        lines.append(f"{t.launch:>4}  {t.microseconds:>9.1f}  {100 * t.microseconds / max(total, 1e-9):>5.1f}  "
                     f"{t.flops / per:>8.1f}  {t.nbytes / per:>7.1f}  {name if len(name) <= 100 else name[:97] + '...'}")
    return "\n".join([*lines, f"{'':>4}  {total:>9.1f}  in {len(timings)} launches"])
