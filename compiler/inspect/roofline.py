"""The roofline: how fast a launch could be, for what it computes and moves, on a device that reaches its limits.

Follows Williams, Waterman and Patterson, Roofline: An Insightful Visual Performance Model for Multicore Architectures, 2009.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..targets import Target

Bound = Literal["arithmetic", "memory"]


@dataclass(frozen=True)
class Roof:
    """The limits of a device.

    Attributes:
        gflops: of its arithmetic in float32.
        bandwidth: (bytes, GB/s) of kernels that go through so many bytes; the smallest first.
        source: where the figures come from, for people; measured: whether they were measured.
    """

    gflops: float
    bandwidth: tuple[tuple[int, float], ...]
    source: str
    measured: bool

    @staticmethod
    def guessed(target: Target) -> Roof:
        """What the compiler takes a target for."""
        return Roof(target.gflops, ((1 << 30, target.bandwidth),), f"the compiler's guess for target {target.name}", False)

    def reach(self, nbytes: int) -> float:
        """GB/s of a launch that moves so many bytes: those of a kernel that goes through no less."""
        return next((rate for size, rate in self.bandwidth if size >= nbytes), self.bandwidth[-1][1])


@dataclass(frozen=True)
class Point:
    """A launch under a roof.

    Attributes:
        flops: arithmetic operations; nbytes: of activations, weights and results, that it has to move at least.
        arithmetic, memory: microseconds that each of them takes at the limit.
        microseconds: as measured; None where it was not.
    """

    flops: int
    nbytes: int
    arithmetic: float
    memory: float
    microseconds: float | None

    @staticmethod
    def under(roof: Roof, flops: int, nbytes: int, microseconds: float | None = None) -> Point:
        return Point(flops, nbytes, flops / roof.gflops / 1e3, nbytes / roof.reach(nbytes) / 1e3, microseconds)

    @property
    def intensity(self) -> float | None:
        """FLOP for each byte; None of a launch that moves none."""
        return self.flops / self.nbytes if self.nbytes else None

    @property
    def bound(self) -> Bound:
        """What takes longer at the limit."""
        return "arithmetic" if self.arithmetic > self.memory else "memory"

    @property
    def least(self) -> float:
        """Microseconds at the limit."""
        return max(self.arithmetic, self.memory)

    @property
    def share(self) -> float | None:
        """Which part of the limit was reached: above 1 where fewer products give the result, or operands were in a nearer cache."""
        return self.least / self.microseconds if self.microseconds else None

    @property
    def gain(self) -> float | None:
        """Microseconds that would be saved if it reached the limit; none of a launch that is beyond."""
        return None if self.microseconds is None else max(self.microseconds - self.least, 0.0)

    def facts(self) -> Iterator[tuple[str, object]]:
        """What is told of it, by name."""
        for name in ("flops", "nbytes", "intensity", "bound", "least", "microseconds", "share", "gain"):
            yield name, getattr(self, name)
