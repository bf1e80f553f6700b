"""How long each launch of a plan takes, by the device's own clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TypeAlias

import pyopencl as cl

from .command_buffer import Bound
from .host_call import Kept
from .stages import Stage
from .steps import Call, Ready

Span: TypeAlias = tuple[float, float]
"""Microseconds: from the beginning of the first launch of the run, and from start to end."""


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
    return [min(microseconds for _, microseconds in spans) for spans in zip(*record(queue, launches, repeat))]


def record(queue: cl.CommandQueue, launches: Sequence[Ready], repeat: int = 1) -> list[list[Span]]:
    """When each launch began, and how long it took, in each of `repeat` runs, after one that is not counted.

    Args:
        queue: as of `measure`.
    """
    alone = [each.alone if isinstance(each, Stage) else each for each in launches]
    return [_record(queue, alone) for _ in range(repeat + 1)][1:]


def _record(queue: cl.CommandQueue, alone: Sequence[Bound | Call]) -> list[Span]:
    """What the host does begins where what is before it ends: it waits for that."""
    kept: Kept = {}
    done = [cl.enqueue_nd_range_kernel(queue, *each) if isinstance(each, tuple) else _host(queue, each, kept) for each in alone]
    queue.finish()
    spans: list[Span] = []
    end, zero = 0.0, None
    for each in done:
        if isinstance(each, float):
            begin, microseconds = end, each
        else:
            zero = each.profile.start / 1e3 - end if zero is None else zero
            begin, microseconds = each.profile.start / 1e3 - zero, (each.profile.end - each.profile.start) / 1e3
        spans.append((begin, microseconds))
        end = begin + microseconds
    return spans


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
