"""Where the time of a run goes: launches by themselves, or those of a layer or of a template together, beside the device's limits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .limits import Limits
from .profile import Timing

BY = ("launch", "layer", "kernel")
TILE = re.compile(r" [a-z]+\d+\b")
"""A parameter in which the kernels of a template differ, in a variant."""
WIDTH = 90


@dataclass(frozen=True)
class Group:
    """Launches, and what they make of the device.

    Attributes:
        name: what they have in common; launches: their numbers in the plan.
        share: of the time of all launches.
        flops, nbytes: as of `Timing`, of all of them.
        gflops, gbs: arithmetic, in 10^9 operations a second, and GB/s.
        arithmetic, bandwidth: the shares of the device's limits that these are, as of `Limits.shares`.
    """

    name: str
    launches: tuple[int, ...]
    microseconds: float
    share: float
    flops: int
    nbytes: int
    gflops: float
    gbs: float
    arithmetic: float
    bandwidth: float


def groups(timings: Sequence[Timing], most: Limits, by: str = "launch") -> list[Group]:
    """Every launch in one group: in the plan's order where each is a group of its own, else the group that takes longest first.

    Args:
        by: "launch"; "layer", those that stand for the same nodes of the model; or "kernel", those of one template.
    """
    total = sum(t.microseconds for t in timings)
    found: dict[object, list[Timing]] = {}
    for t in timings:
        found.setdefault(t.launch if by == "launch" else _name(t, by), []).append(t)
    made = [_group(_name(members[0], by), members, most, total) for members in found.values()]
    return made if by == "launch" else sorted(made, key=lambda g: -g.microseconds)


def _name(timing: Timing, by: str) -> str:
    nodes = ", ".join(timing.nodes)
    if by == "layer":
        return nodes or "(copies of the compiler's)"
    what = f"{timing.variant} {timing.kernel}" if timing.variant in ("host", "loop", "branch") else timing.variant or timing.kernel
    if by == "kernel":
        return TILE.sub("", re.sub(r"^\d+ ", "", what))
    return f"{what}  {nodes}".rstrip()


def _group(name: str, members: Sequence[Timing], most: Limits, total: float) -> Group:
    microseconds, flops, nbytes = (sum(m) for m in zip(*((t.microseconds, t.flops, t.nbytes) for t in members)))
    shares = [(t.microseconds, *most.shares(t)) for t in members]
    arithmetic, bandwidth = (sum(s[0] * s[k] for s in shares) / max(microseconds, 1e-9) for k in (1, 2))
    per = max(microseconds, 1e-3) * 1e3
    return Group(name, tuple(t.launch for t in members), microseconds, microseconds / max(total, 1e-9), int(flops), int(nbytes),
                 flops / per, nbytes / per, arithmetic, bandwidth)


def table(found: Sequence[Group], most: Limits, by: str = "launch") -> str:
    """Text: the limits, a line for each group, and the sum; `#` is the number of a launch, `n` how many launches a group has."""
    single = by == "launch"
    lines = [f"limits: {most.gflops:.0f} GFLOP/s; " + ", ".join(f"{rate:.0f} GB/s in {nbytes >> 20} MB" for nbytes, rate in most.bandwidth),
             f"{'#' if single else 'n':>4}  {'µs':>9}  {'%':>5}  {'GFLOP/s':>8}  {'of it':>5}  {'GB/s':>7}  {'of it':>5}  "
             f"{'kernel' if single else by}"]
    for g in found:
        name = g.name if len(g.name) <= WIDTH else f"{g.name[: WIDTH - 3]}..."
        lines.append(f"{g.launches[0] if single else len(g.launches):>4}  {g.microseconds:>9.1f}  {100 * g.share:>5.1f}  {g.gflops:>8.1f}  "
                     f"{g.arithmetic:>5.0%}  {g.gbs:>7.1f}  {g.bandwidth:>5.0%}  {name}")
    return "\n".join([*lines, f"{'':>4}  {sum(g.microseconds for g in found):>9.1f}  in {sum(len(g.launches) for g in found)} launches"])
