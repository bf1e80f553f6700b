"""Plans that hold a launch in several ways: one of each runs, and is timed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyopencl as cl
import pytest

from planish.runtime import DeviceError
from planish.runtime.plan import Kernel, State
from planish.runtime.trials import TURNS, Trials
from tests.runtime.plans import ADD, SHAPE, expected, linear, looped

A, B = np.arange(6, dtype=np.float32).reshape(SHAPE), np.full(SHAPE, 0.5, np.float32)
pytestmark = pytest.mark.device


def test_what_is_chosen_runs_and_is_timed(device: cl.Device) -> None:
    """The sum is there a second time, by a kernel that computes something else, and a third time, by one that cannot be built."""
    plan = linear()
    other = Kernel("subtract", ADD.replace("add", "subtract").replace("+", "-"))
    broken = Kernel("broken", ADD.replace("add", "broken").replace("+", "no"))
    launches = (*plan.launches, *(replace(plan.launches[2], kernel=k) for k in (2, 3)))
    programs: dict[str, cl.Program] = {}
    built: list[None] = []
    trials = Trials(replace(plan, kernels=(*plan.kernels, other, broken), launches=launches), device, programs, lambda: built.append(None))
    assert list(trials.refused) == [4] and "cannot build kernel broken" in trials.refused[4]
    assert len(built) == 4 and sorted(programs) == ["add", "scale", "subtract"]
    assert trials.time([A, B], {0, 1, 2}).keys() == {0, 1, 2}
    np.testing.assert_array_equal(trials.run([A, B])["total"], expected(A, B)["total"])
    times = trials.time([A, B], {0, 1, 3, 4})
    assert times.keys() == {0, 1, 3} and all(0 <= t < 1e6 for t in times.values())
    np.testing.assert_array_equal(trials.run([A, B])["total"], 2 * A - B)
    trials.close()
    Trials(plan, device, programs, lambda: built.append(None)).close()
    assert len(built) == 4
    with pytest.raises(DeviceError, match="closed"):
        trials.time([A, B], {0})


def test_loops(device: cl.Device) -> None:
    """The steps of a body count behind their loop; it runs a few times, whatever its bound."""
    trials = Trials(looped(), device, {})
    assert trials.time([np.ones(SHAPE, np.float32)], range(9)).keys() == {0, 2}
    assert trials.run([np.ones(SHAPE, np.float32)])["rows"].shape == (TURNS, *SHAPE)


def test_states_begin_anew(device: cl.Device) -> None:
    """Each run of which launches are timed does what the first would."""
    plan = linear()
    state = replace(plan.launches[2].arguments[2], buffer="state")
    sums = replace(plan.launches[2], arguments=(plan.launches[2].arguments[0], state, state))
    shown = replace(sums, arguments=(state, plan.launches[2].arguments[1], plan.launches[2].arguments[2]))
    trials = Trials(replace(plan, launches=(*plan.launches[:2], sums, shown), states=(State("s", 24),)), device, {})
    for _ in range(3):
        trials.time([A, B], range(4))
    np.testing.assert_array_equal(trials.run([A, B])["total"], 4 * A + B)
