"""The times of launches, and the table of them."""

from __future__ import annotations

import numpy as np
import pyopencl as cl
import pytest

from planish.runtime import Session
from planish.runtime.profile import Timing, table
from tests.runtime.plans import SHAPE, expected, linear

A, B = np.arange(6, dtype=np.float32).reshape(SHAPE), np.full(SHAPE, 0.5, np.float32)


@pytest.mark.device
def test_every_launch_is_timed(device: cl.Device) -> None:
    plan = linear()
    with Session(plan, device) as session:
        before = session.run([A, B])
        timings = session.profile({"a": A, "b": B}, repeat=3)
        after = session.run([A, B])
    assert [(t.launch, t.kernel, t.variant, t.nodes, t.flops, t.nbytes) for t in timings] == [
        (0, "scale", "scale", ("double",), 6, 48),
        (1, "scale", "scale", ("triple",), 6, 48),
        (2, "add", "add", ("sum", "bias"), 6, 72),
    ]
    assert all(0 <= t.microseconds < 1e6 for t in timings)
    for name, array in expected(A, B).items():
        np.testing.assert_array_equal(before[name], array)
        np.testing.assert_array_equal(after[name], array)


def test_table() -> None:
    timings = [
        Timing(0, "conv_1", "conv px4", ("head", "relu"), 75.0, 75_000_000, 1_500_000),
        Timing(1, "map_2", "map", (), 25.0, 0, 1_000_000),
    ]
    head, first, second, total = table(timings).splitlines()
    assert head.split() == ["#", "µs", "%", "GFLOP/s", "GB/s", "kernel"]
    assert first.split() == ["0", "75.0", "75.0", "1000.0", "20.0", "conv", "px4", "head,", "relu"]
    assert second.split() == ["1", "25.0", "25.0", "0.0", "40.0", "map"]
    assert total.split() == ["100.0", "in", "2", "launches"]
    assert table([]).splitlines()[-1].split() == ["0.0", "in", "0", "launches"]
    assert "..." in table([Timing(0, "k", "v", ("n" * 200,), 1.0, 1, 1)])
