"""What a session does when something gives out; that many of them, one after another or at once, do not get in each other's way."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from planish.compiler.driver import compile_graph
from planish.compiler.ops.conv import Conv2D
from planish.compiler.ops.pool import Pool2D
from planish.compiler.targets import of_present
from planish.runtime import DeviceError, Session
from planish.runtime.binding import allocate
from planish.runtime.plan import Kernel, Plan
from tests.graphs import Build
from tests.runtime.plans import SHAPE, expected, linear

pytestmark = pytest.mark.device

A, B = np.arange(6, dtype=np.float32).reshape(SHAPE), np.full(SHAPE, 0.5, np.float32)
LONGEST = 300
"""Seconds that threads may take: a deadlock takes longer."""


def assert_right(session: Session, a: np.ndarray = A) -> None:
    found = session.run([a, B])
    for name, array in expected(a, B).items():
        np.testing.assert_array_equal(found[name], array)


def branched(device: cl.Device, seed: int = 0) -> tuple[Plan, list[np.ndarray]]:
    """The plan of two branches of convolutions and pooling for a device, of one kernel where it takes such; and what to feed it."""
    b = Build()
    b.rng = np.random.default_rng(seed)
    x = b(Conv2D(pads=((1, 1), (1, 1))), b.input(1, 13, 11, 5), b.constant(33, 3, 3, 5))
    left = b(Conv2D(), b("relu", x), b.constant(16, 1, 1, 33))
    right = b(Pool2D("max", (3, 3), (1, 1), ((1, 1), (1, 1))), b(Conv2D(pads=((1, 1), (1, 1))), x, b.constant(16, 3, 3, 33)))
    return compile_graph(b.returns(b("add", left, right), x), of_present(device)), list(b.feed.values())


def at_once(work: Callable[[int], None], count: int) -> None:
    """Threads that begin together, and have to end."""
    failed: list[BaseException] = []
    gate = threading.Barrier(count)

    def guarded(k: int) -> None:
        try:
            gate.wait(LONGEST)
            work(k)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(k,), daemon=True) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST)
    assert not any(thread.is_alive() for thread in threads), "threads wait for each other"
    assert failed == []


# -- what gives out


def test_too_little_memory_in_all(device: cl.Device) -> None:
    class Small:
        global_mem_size = 2000

        def __getattr__(self, name: str) -> Any:
            return getattr(device, name)

    small: Any = Small()
    with pytest.raises(DeviceError, match=r"has 0 MB of memory; the plan takes 3 MB$"):
        allocate(cl.Context([device]), small, replace(linear(), arena=3 * 10**6))


@pytest.mark.parametrize(("error", "message"), [
    (cl.MemoryError("clEnqueueNDRangeKernel failed: MEM_OBJECT_ALLOCATION_FAILURE"), "ALLOCATION_FAILURE: it has too little memory"),
    (cl.RuntimeError("clFinish failed: DEVICE_NOT_AVAILABLE"), "cannot run the plan: clFinish failed: DEVICE_NOT_AVAILABLE$"),
])  # fmt: skip
@pytest.mark.parametrize("call", ["run", "run_async"])
def test_a_device_that_fails_closes_the_session_and_no_other(
        device: cl.Device, error: cl.Error, message: str, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(kept: object) -> None:
        raise error

    with Session(linear(), device) as session, Session(linear(), device) as other:
        assert_right(session)
        monkeypatch.setattr(session, "_sequel", fail)
        with pytest.raises(DeviceError, match=message):
            getattr(session, call)([A, B])
        with pytest.raises(DeviceError, match=r"^the session is closed; load the plan again$"):
            session.run([A, B])
        assert_right(other)
    with Session(linear(), device) as session:
        assert_right(session)


def test_memory_that_the_host_lacks(device: cl.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError("9000 MB: Cannot allocate memory")

    monkeypatch.setattr("planish.runtime.session.allocate", fail)
    with pytest.raises(DeviceError, match=r"this machine has too little memory for it \(9000 MB: Cannot allocate memory\)$"):
        Session(linear(), device)


def test_a_kernel_that_cannot_be_built_harms_no_other_session(device: cl.Device) -> None:
    plan = linear()
    broken = replace(plan, kernels=(plan.kernels[0], Kernel("add", plan.kernels[1].source.replace("+", "plus"))))
    with Session(plan, device) as session:
        for _ in range(2):
            with pytest.raises(DeviceError, match="the driver cannot build kernel add: "):
                Session(broken, device)
        assert_right(session)
    with Session(plan, device) as session:
        assert_right(session)


# -- many


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells how much memory a process has")
@pytest.mark.parametrize("count", [pytest.param(200, id="hundreds"), pytest.param(1000, id="a thousand", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["launches", "branched"])
def test_sessions_leave_nothing_behind(device: cl.Device, kind: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first, which fill caches, each may leave 4 kB at most: a tenth of what it allocates at the least. What the process
    has moves by some MB by itself; what leaks grows all the time, so the least growth of three counts."""
    monkeypatch.setenv("PLANISH_CACHE", str(tmp_path))
    plan, inputs = branched(device) if kind == "branched" else (linear(), [A, B])
    part = count // 4

    def opened(times: int) -> None:
        for _ in range(times):
            with Session(plan, device) as session:
                session.run(inputs)
        gc.collect()

    opened(part)
    threads, grown = threading.active_count(), []
    for _ in range(3):
        before = resident()
        opened(part)
        grown.append(resident() - before)
    assert min(grown) < 4096 * part, grown
    assert threading.active_count() == threads


def test_eight_threads_on_one_session(device: cl.Device) -> None:
    plan, inputs = branched(device)
    with Session(plan, device) as session, Session(plan, device) as alone:
        fed = [[(1 + k) * x for x in inputs] for k in range(8)]
        right = [alone.run(each) for each in fed]

        def work(k: int) -> None:
            for turn in range(20):
                found = session.run(fed[k]) if turn % 2 else session.run_async(fed[k]).result()
                for name, array in right[k].items():
                    np.testing.assert_array_equal(found[name], array)

        at_once(work, 8)


def test_eight_sessions_on_one_device(device: cl.Device) -> None:
    """Of plans that differ, opened and run at once: kernels of several launches, whose workers wait for each other, among each other."""
    plans = [branched(device, seed) for seed in range(8)]
    right = []
    for plan, inputs in plans:
        with Session(plan, device) as session:
            right.append(session.run(inputs))

    def work(k: int) -> None:
        plan, inputs = plans[k]
        for _ in range(2):
            with Session(plan, device) as session:
                for _ in range(20):
                    for name, array in session.run(inputs).items():
                        np.testing.assert_array_equal(array, right[k][name])

    at_once(work, 8)


def test_the_first_sessions_of_all_share_a_context(device: cl.Device) -> None:
    """Buffers of one may be given to the other, whichever thread is first."""
    from planish.runtime import devices

    devices._made.cache_clear()
    contexts: list[cl.Context] = []
    at_once(lambda k: contexts.append(devices.context(device)), 8)
    assert len(contexts) == 8 and len(set(contexts)) == 1
