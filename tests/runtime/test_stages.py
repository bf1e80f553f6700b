"""Kernels of several launches: which launches become one, and on which devices."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from planish.runtime import DeviceError
from planish.runtime.plan import Kernel
from planish.runtime.stages import Stage, check, joined


class Ranges:
    """In the place of `Stages`."""

    def __init__(self, name: str):
        self.name = name

    def bound(self, first: int, end: int) -> tuple[str, int, int]:
        return self.name, first, end


def test_stages_that_follow_one_another_are_one_launch() -> None:
    a, b, other = Ranges("a"), Ranges("b"), ("kernel", (1,), None)
    steps: list[Any] = [Stage(a, 0), Stage(a, 1), other, Stage(a, 2), Stage(b, 3), Stage(b, 4), Stage(b, 6)]  # type: ignore[arg-type]
    assert joined(steps) == [("a", 0, 2), other, ("a", 2, 3), ("b", 3, 5), ("b", 6, 7)]
    assert joined([]) == []


@pytest.mark.parametrize("version", ["OpenCL 1.2 (Oct 1 2024)", "OpenCL 2.1 AMD"])
def test_old_drivers_are_refused(version: str) -> None:
    device: Any = SimpleNamespace(version=version, name="Old CPU ")
    with pytest.raises(DeviceError, match=r"^Old CPU has OpenCL \d\.\d; m, a kernel of several launches, needs 3\.0: .*--no-megakernel$"):
        check(device, Kernel("m", "", 3))


def test_new_drivers_are_taken() -> None:
    device: Any = SimpleNamespace(version="OpenCL 3.0 PoCL 5.0", name="CPU")
    check(device, Kernel("m", "", 3))
