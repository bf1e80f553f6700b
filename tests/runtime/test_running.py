"""Runs that go on while the caller does something else: their order, their results, their end."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pyopencl as cl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.runtime import DeviceError, InputError, Run, Session
from planish.runtime.plan import Argument, Kernel, Launch, Plan, State, Tensor
from tests.runtime.plans import SHAPE, expected, hosted, linear, looped

pytestmark = pytest.mark.device

A, B = np.arange(6, dtype=np.float32).reshape(SHAPE), np.full(SHAPE, 0.5, np.float32)
SUM = "__kernel void sum(__global const float *x, __global float *s, __global float *y) { int i = get_global_id(0); y[i] = s[i] += x[i]; }"


def summing(n: int = 6) -> Plan:
    """y = the sum of all x since the beginning."""
    x, s, y = (Argument(kind, 0, 0, 4 * n) for kind in ("input", "state", "output"))
    return Plan((Tensor("x", (n,), "float32"),), (Tensor("y", (n,), "float32"),), (Kernel("sum", SUM),),
                (Launch(0, (n,), None, (x, s, y)),), 0, 1, states=(State("s", 4 * n),))  # fmt: skip


def right(a: np.ndarray, outputs: dict[str, np.ndarray]) -> None:
    for name, array in expected(a, B).items():
        np.testing.assert_array_equal(outputs[name], array)


def test_runs_overlap_and_each_has_its_results(device: cl.Device) -> None:
    with Session(linear(), device) as session:
        runs = [session.run_async([A + k, B]) for k in range(20)]
        right(A, runs[0].result())
        for k, run in reversed(list(enumerate(runs))):
            right(A + k, run.result())
            assert run.done() and run.result() is run.result()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["run", "async", "wait", "reset", "shared"]), st.integers(0, 9)), max_size=12))
def test_states_follow_the_order_of_the_calls(device: cl.Device, calls: list[tuple[str, int]]) -> None:
    total, runs = 0, []
    with Session(summing(), device) as session:
        for call, number in calls:
            x = np.full(6, number, np.float32)
            if call == "reset":
                session.reset()
                total = 0
            elif call == "wait":
                for run, _ in runs:
                    run.wait()
            elif call == "async":
                total += number
                runs.append((session.run_async([x]), total))
            else:
                total += number
                for run, _ in runs:
                    run.wait()  # before the shared array is written to
                if call == "shared":
                    session.input("x")[...] = x
                    x = session.input("x")
                np.testing.assert_array_equal(session.run([x])["y"], np.full(6, total))
        for run, value in runs:
            np.testing.assert_array_equal(run.result()["y"], np.full(6, value))


def test_a_run_behind_others_waits_for_them(device: cl.Device) -> None:
    """`run` writes to memory that kernels of the runs before may still read."""
    n = 1 << 16
    with Session(summing(n), device) as session:
        for _ in range(5):
            runs = [session.run_async([np.ones(n, np.float32)]) for _ in range(3)]
            session.run([np.zeros(n, np.float32)])
            assert all(run.done() for run in runs)
        np.testing.assert_array_equal(session.run([np.zeros(n, np.float32)])["y"], np.full(n, 15))


def test_threads_and_sessions_at_once(device: cl.Device) -> None:
    failed: list[BaseException] = []
    sessions = [Session(linear(), device) for _ in range(2)]

    def work(k: int) -> None:
        try:
            for i in range(10):
                runs = [session.run_async([A + k + i, B]) for session in sessions]
                for run in runs:
                    right(A + k + i, run.result())
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_what_is_dropped_still_ends_well(device: cl.Device) -> None:
    session = Session(linear(), device)
    run = session.run_async([A, B])
    session.run_async([A + 1, B])  # dropped at once
    later = session.run_async([A + 2, B])
    session.close()
    right(A, run.result())
    del session
    gc.collect()
    right(A + 2, later.result())


def test_steps_on_the_host_and_loops_are_waited_for(device: cl.Device) -> None:
    a = np.array([[0, 1, 0], [3, 0, 1]], np.float32)
    with Session(hosted(), device) as session:
        runs = [session.run_async([x]) for x in (a, a[::-1])]
        for x, run in zip((a, a[::-1]), runs):
            np.testing.assert_array_equal(run.result()["found"], np.stack(np.nonzero(x)))
    with Session(looped(), device) as session:
        runs = [session.run_async([np.full(SHAPE, n, np.float32)]) for n in (1, 20)]
        assert [len(run.result()["rows"]) for run in runs] == [5, 1]


def test_refused_as_run_does(device: cl.Device) -> None:
    with Session(linear(), device) as session:
        with pytest.raises(InputError, match=r"^input 'b' is missing; "):
            session.run_async({"a": A})
        assert isinstance(session.run_async([A, B]), Run)
    with pytest.raises(DeviceError, match=r"^the session is closed"):
        session.run_async([A, B])
