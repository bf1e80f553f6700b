"""Memory that host and device share, buffers as inputs and outputs, arrays to be filled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from planish.runtime import DeviceError, InputError, Session, ports
from planish.runtime.ports import shares_memory
from tests.runtime.plans import SHAPE, expected, hosted, linear

pytestmark = pytest.mark.device

A, B = np.arange(6, dtype=np.float32).reshape(SHAPE), np.full(SHAPE, 0.5, np.float32)


@pytest.fixture(params=["as the device has it", "copied"])
def session(request: pytest.FixtureRequest, device: cl.Device, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session, also of a device with memory of its own."""
    if request.param == "copied":
        monkeypatch.setattr(ports, "shares_memory", lambda device: False)
    elif not shares_memory(device):
        pytest.skip("the device shares no memory with the host")
    return Session(linear(), device)


def buffer(session: Session, array: np.ndarray) -> cl.Buffer:
    return cl.Buffer(session.queue.context, cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR, hostbuf=array)


def contents(session: Session, where: cl.Buffer) -> np.ndarray:
    array = np.empty(SHAPE, np.float32)
    cl.enqueue_copy(session.queue, array, where)
    return array


@pytest.mark.parametrize("asynchronous", [False, True])
def test_arrays_of_the_session(session: Session, asynchronous: bool) -> None:
    a, b, total = session.input("a"), session.input("b"), session.output("total")
    assert (a.shape, a.dtype) == (SHAPE, np.float32) and session.input("a") is a
    for k in range(3):
        a[...], b[...] = A + k, B
        given: dict[str, Any] = {"a": a, "b": b}
        outputs = session.run_async(given, {"total": total}).result() if asynchronous else session.run(given, {"total": total})
        assert outputs["total"] is total
        for name, right in expected(A + k, B).items():
            np.testing.assert_array_equal(outputs[name], right)
    assert outputs["thrice"] is not session.output("thrice")
    np.testing.assert_array_equal(session.run([A, B])["total"], expected(A, B)["total"])


def test_an_array_of_another_input(session: Session) -> None:
    session.input("a")[...] = A
    np.testing.assert_array_equal(session.run([B, session.input("a")])["total"], 2 * B + A)
    other = session.output("thrice")
    if shares_memory(session.device) and ports.shares_memory is shares_memory:
        with pytest.raises(InputError, match=r"^output 'total' cannot go to the array of output 'thrice', which every run fills$"):
            session.run([A, B], {"total": other})


@pytest.mark.parametrize("asynchronous", [False, True])
def test_buffers(session: Session, asynchronous: bool) -> None:
    a, total = buffer(session, A), buffer(session, np.zeros(8, np.float32))
    call = (lambda *given: session.run_async(*given).result()) if asynchronous else session.run
    outputs = call({"a": a, "b": B}, {"total": total})
    assert list(outputs) == ["thrice"]
    np.testing.assert_array_equal(outputs["thrice"], 3 * A)
    np.testing.assert_array_equal(contents(session, total), 2 * A + B)
    outputs = call([total, B], {"total": total, "thrice": a})  # what one run gave, the next one takes
    assert outputs == {}
    np.testing.assert_array_equal(contents(session, total), 4 * A + 3 * B)
    np.testing.assert_array_equal(contents(session, a), 6 * A + 3 * B)
    assert len(session.profile([a, B], 1)) == 3


def test_arrays_to_be_filled(session: Session) -> None:
    whole = np.zeros((4, *SHAPE), np.float32)
    for k in range(4):
        session.run([A + k, B], {"thrice": whole[k]})
    np.testing.assert_array_equal(whole, np.stack([3 * (A + k) for k in range(4)]))


@pytest.mark.parametrize(("outputs", "message"), [
    ([A, B], r"^outputs given as list; a dict by name is accepted: total float32\[2, 3\], thrice float32\[2, 3\]$"),
    ({"sum": A}, r"^no output 'sum'; the outputs are: total float32"),
    ({"total": A.T}, r"^output 'total' has shape \[3, 2\]; \[2, 3\] is accepted$"),
    ({"total": A.astype(np.int32)}, r"^output 'total' has dtype int32; float32 is accepted$"),
    ({"total": np.zeros((2, 6), np.float32)[:, ::2]}, r"^output 'total' cannot go to an array that is strided or not to be written;"),
    ({"total": np.broadcast_to(np.float32(0), SHAPE)}, r"^output 'total' cannot go to an array that is strided"),
    ({"total": [0] * 6}, r"^output 'total' cannot go to list; a numpy array or a pyopencl.Buffer is accepted$"),
])  # fmt: skip
def test_outputs_are_refused(device: cl.Device, outputs: Any, message: str) -> None:
    with Session(linear(), device) as session:
        for call in (session.run, session.run_async):
            with pytest.raises(InputError, match=message):
                call([A, B], outputs)


def test_buffers_are_refused(device: cl.Device) -> None:
    with Session(linear(), device) as session:
        small = buffer(session, np.zeros(5, np.float32))
        context = cl.Context([device])
        foreign = cl.Buffer(context, cl.mem_flags.READ_WRITE, 24)
        with pytest.raises(InputError, match=r"^input 'a' is a buffer of 20 bytes; 24 or more are accepted$"):
            session.run([small, B])
        with pytest.raises(InputError, match=r"^output 'total' is a buffer of another context; one made with session.queue.context is"):
            session.run([A, B], {"total": foreign})


def test_names_are_refused(device: cl.Device) -> None:
    with Session(linear(), device) as session:
        with pytest.raises(InputError, match=r"^no input 'c'; the inputs are: a float32\[2, 3\], b float32\[2, 3\]$"):
            session.input("c")
        with pytest.raises(InputError, match=r"^no output 'a'; the outputs are: total"):
            session.output("a")
    for call in (session.input, session.output):
        with pytest.raises(DeviceError, match=r"^the session is closed"):
            call("a")
    with Session(hosted(), device) as session:
        with pytest.raises(InputError, match=r"^output 'found' has a shape that depends on data: there is no one array for it$"):
            session.output("found")
        with pytest.raises(InputError, match=r"^output 'found' has a shape that depends on data: every run gives a new array; leave"):
            session.run([A], {"found": A})


def test_shared_arrays_outlive_their_session(device: cl.Device) -> None:
    with Session(linear(), device) as session:
        a = session.input("a")
    a[...] = 7
    assert a.sum() == 42
