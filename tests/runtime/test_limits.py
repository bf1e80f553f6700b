"""The limits of a device: measured, kept, and what launches use of them."""

from __future__ import annotations

from pathlib import Path

import pyopencl as cl
import pytest

from planish.runtime import limits
from planish.runtime.limits import Limits
from planish.runtime.profile import Timing

KNOWN = Limits(gflops=200.0, half=None, bandwidth=((1 << 20, 80.0), (1 << 24, 40.0)), launch=2.0, roundtrip=9.0)


def timing(microseconds: float, flops: int, nbytes: int) -> Timing:
    return Timing(0, "k", "v", (), microseconds, flops, nbytes)


@pytest.mark.parametrize(("given", "expected"), [
    (timing(10, 10**6, 400_000), (0.5, 0.5)),
    (timing(100, 0, 2_000_000), (0.0, 0.5)),
    (timing(1000, 0, 40_000_000), (0.0, 1.0)),
    (timing(0, 10, 10), (0.0, 0.0)),
])  # fmt: skip
def test_shares(given: Timing, expected: tuple[float, float]) -> None:
    assert KNOWN.shares(given) == pytest.approx(expected)


def test_text() -> None:
    assert limits.text(KNOWN).splitlines() == [
        "     float32   200.0 GFLOP/s", "     1 MB      80.0 GB/s", "     16 MB     40.0 GB/s",
        "     a launch  2.00 µs, 9.00 where it is waited for"]  # fmt: skip


@pytest.mark.device
def test_measured_once(device: cl.Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANISH_CACHE", str(tmp_path))
    monkeypatch.setattr(limits, "FOOTPRINTS", (1, 4))
    monkeypatch.setattr(limits, "PRODUCTS", 1 << 12)
    monkeypatch.setattr(limits, "REPEATS", 3)
    found = limits.of(device)
    assert found.gflops > 0.1 and found.launch > 0 and found.roundtrip > 0
    assert [nbytes for nbytes, rate in found.bandwidth if rate > 0.1] == [1 << 20, 1 << 22]
    assert (found.half is not None) == ("cl_khr_fp16" in device.extensions.split())
    monkeypatch.setattr(limits, "_measured", lambda device: KNOWN)
    assert limits.of(device) == found
    assert limits.of(device, fresh=True) == KNOWN == limits.of(device)
    monkeypatch.setenv("PLANISH_CACHE", "off")
    assert limits.of(device) == KNOWN
