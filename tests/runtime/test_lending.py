"""Outputs that are given away: nobody writes to what a caller still holds, and nothing is copied."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pyopencl as cl
import pytest

from planish.compiler.driver import compile_graph
from planish.compiler.targets import named
from planish.runtime import Session
from planish.runtime.lending import KEPT, LEAST, Lender
from planish.runtime.plan import Plan
from planish.runtime.ports import shares_memory
from tests.graphs import Build

pytestmark = pytest.mark.device
SIDE = 300
"""Of an image whose bytes are more than LEAST."""


@pytest.fixture(scope="module")
def plan() -> Plan:
    """y0 = x0 + 1, which is large, and y1, its greatest element."""
    b = Build()
    b.returns(b("add", b.input(SIDE, SIDE), b.array(1.0)))
    assert SIDE * SIDE * 4 > LEAST
    return compile_graph(b.graph, named("cpu"))


@pytest.fixture
def session(plan: Plan, device: cl.Device) -> Session:
    if not shares_memory(device):
        pytest.skip("the device shares no memory with the host")
    return Session(plan, device)


def image(value: float) -> np.ndarray:
    return np.full((SIDE, SIDE), value, np.float32)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_is_held_stays(session: Session, asynchronous: bool) -> None:
    runs = [session.run_async([image(k)]).result()["y0"] if asynchronous else session.run([image(k)])["y0"] for k in range(6)]
    parts = [run[k:, 1:2].T for k, run in enumerate(runs)]
    del runs
    gc.collect()
    for k in range(20):
        session.run([image(100 + k)])
    for k, part in enumerate(parts):
        np.testing.assert_array_equal(part, k + 1)
    session.close()
    np.testing.assert_array_equal(parts[3], 4)


def test_memory_comes_back(session: Session) -> None:
    places = set()
    for k in range(20):
        result = session.run([image(k)])["y0"]
        places.add(result.ctypes.data)
    assert len(places) == 2, "one that the caller holds, one for the next run"


def test_runs_that_overlap(session: Session) -> None:
    runs = [session.run_async([image(k)]) for k in range(8)]
    for k, run in enumerate(runs):
        np.testing.assert_array_equal(run.result()["y0"], k + 1)


def test_outputs_that_are_wanted(session: Session) -> None:
    """Between runs whose outputs are lent, the session's own array and one of the caller's are filled."""
    own, given = session.output("y0"), image(0)
    for k in range(3):
        assert session.run([image(k)], {"y0": own})["y0"] is own
        lent = session.run([image(10 + k)])["y0"]
        assert session.run([image(20 + k)], {"y0": given})["y0"] is given
        assert session.run([lent], {"y0": lent})["y0"] is lent
        for array, value in ((lent, 12 + k), (given, 21 + k)):
            np.testing.assert_array_equal(array, value)
        assert session.profile([given], repeat=1)
        np.testing.assert_array_equal(lent, 12 + k)
    np.testing.assert_array_equal(session.run([image(5)], {"y0": own})["y0"], 6)


def test_kernels_of_their_own_copy(plan: Plan, device: cl.Device) -> None:
    b = Build()
    b.returns(b("add", b.input(SIDE, SIDE), b.array(1.0)))
    with Session(compile_graph(b.graph, replace(named("cpu"), megakernel=False)), device) as session:
        first, second = (session.run([image(k)])["y0"] for k in range(2))
        np.testing.assert_array_equal(second - first, 1)
        assert first.flags.owndata


def test_few_are_kept() -> None:
    made = []
    lender = Lender(lambda: (None, made.append(0) or np.zeros(3)))  # type: ignore[arg-type,return-value]
    held = [lender.lend()[1] for _ in range(5)]
    assert len(made) == 5
    held.clear()
    gc.collect()
    again = [lender.lend()[1] for _ in range(5)]
    assert len(made) == 10 - KEPT and len(again) == 5
