"""Sessions: what they take, what they give, and what they say otherwise."""

from __future__ import annotations

import gc
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from planish.runtime import DeviceError, InputError, PlanError, Session, Tensor, given, load
from planish.runtime.binding import allocate
from planish.runtime.plan import Argument, Kernel, Launch, Plan
from tests.runtime.plans import SHAPE, expected, hosted, linear

pytestmark = pytest.mark.device

A, B = np.arange(6, dtype=np.float32).reshape(SHAPE), np.full(SHAPE, 0.5, np.float32)


@pytest.fixture(scope="module")
def session(device: cl.Device) -> Session:
    return Session(linear(), device)


def assert_right(outputs: dict[str, np.ndarray], a: np.ndarray = A, b: np.ndarray = B) -> None:
    right = expected(a, b)
    assert list(outputs) == list(right)
    for name, array in right.items():
        np.testing.assert_array_equal(outputs[name], array)
        assert outputs[name].dtype == np.float32


def test_a_folder_is_loaded(tmp_path: Path, device: cl.Device) -> None:
    linear().write(tmp_path / "plan")
    with load(str(tmp_path / "plan"), device) as session:
        assert session.device == device
        assert session.inputs == (Tensor("a", SHAPE, "float32"), Tensor("b", SHAPE, "float32"))
        assert [(t.name, t.shape, t.dtype) for t in session.outputs] == [("total", SHAPE, "float32"), ("thrice", SHAPE, "float32")]
        assert_right(session.run([A, B]))


def test_a_plan_in_use_may_be_replaced_or_removed(tmp_path: Path, device: cl.Device) -> None:
    linear().write(tmp_path / "plan")
    with load(tmp_path / "plan", device) as session:
        replace(linear(), weights=bytes(1024)).write(tmp_path / "plan")
        assert_right(session.run([A, B]))
        shutil.rmtree(tmp_path / "plan")
        gc.collect()
        assert_right(session.run([A, B]))


@pytest.mark.parametrize("shift", range(4))
def test_weights_may_lie_anywhere(device: cl.Device, shift: int) -> None:
    weights = linear().weights
    with Session(replace(linear(), weights=memoryview(bytes(shift) + weights)[shift:]), device) as session:
        assert_right(session.run([A, B]))


@pytest.mark.parametrize(
    "inputs",
    [
        {"a": A, "b": B},
        {"b": B, "a": A},
        [A, B],
        (A, B),
        {"a": A.T.copy().T, "b": np.broadcast_to(np.float32(0.5), SHAPE)},
        [np.repeat(A, 2, axis=1)[:, ::2], np.concatenate([B, B])[1::2]],
        [np.ma.masked_array(A), B],
    ],
    ids=["dict", "dict in another order", "list", "tuple", "strided and broadcast", "sliced", "a subclass"],
)
def test_inputs_are_taken(session: Session, inputs: Any) -> None:
    assert_right(session.run(inputs))


def test_inputs_stay_as_they_were_and_outputs_are_new_arrays(session: Session) -> None:
    a = A.copy()
    a.setflags(write=False)
    first = session.run([a, B])
    kept = {name: array.copy() for name, array in first.items()}
    assert_right(session.run([a + 1, B]), A + 1)
    for name, array in first.items():
        np.testing.assert_array_equal(array, kept[name])
        array[:] = 7  # they may be written to
    assert_right(session.run([a, B]))


ACCEPTED = r"the inputs are: a float32\[2, 3\], b float32\[2, 3\]"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"a": A, "b": B, "c": A}, f"^no input 'c'; {ACCEPTED}"),
        ({"a": A}, f"^input 'b' is missing; {ACCEPTED}"),
        ({}, f"^input 'a' is missing; {ACCEPTED}"),
        ([A], r"^1 inputs given; there are 2: a float32"),
        ([A, B, A], r"^3 inputs given; there are 2: "),
        (A, r"^inputs given as ndarray; a dict by name or a list in this order is accepted: a float32"),
        ("ab", r"^inputs given as str; "),
        (None, r"^inputs given as NoneType; "),
        ([A.T, B], r"^input 'a' has shape \[3, 2\]; \[2, 3\] is accepted$"),
        ([A[None], B], r"^input 'a' has shape \[1, 2, 3\]; "),
        ([A, B.astype(np.float64)], r"^input 'b' has dtype float64; float32 is accepted$"),
        ([A, B.astype(np.int32)], r"^input 'b' has dtype int32; "),
        ([A, B.astype(object)], r"^input 'b' has dtype object; "),
        ([A, [[1, 2], [3]]], r"^input 'b' is no array: "),
        ([A, None], r"^input 'b' has shape \[\]; "),
    ],
)
def test_inputs_are_refused(session: Session, inputs: Any, message: str) -> None:
    for call in (session.run, session.profile):
        with pytest.raises(InputError, match=message) as caught:
            call(inputs)
        assert "\n" not in str(caught.value)
    assert_right(session.run([A, B]))


class Exchanged:
    """An array of another library: nothing but DLPack's two methods."""

    def __init__(self, array: np.ndarray):
        self.array, self.exported = array, 0

    def __dlpack__(self, **options: Any) -> Any:
        self.exported += 1
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


def test_arrays_of_other_libraries(session: Session) -> None:
    a, b = Exchanged(A.copy()), Exchanged(B.astype(np.float64))
    (taken,) = given.inputs(session.inputs[:1], [a], session.queue.context)
    assert isinstance(taken, np.ndarray) and np.shares_memory(taken, a.array) and a.exported == 1
    outputs = session.run([a, B])
    assert_right(outputs)
    np.testing.assert_array_equal(np.from_dlpack(outputs["total"]), outputs["total"])
    with pytest.raises(InputError, match="input 'b' has dtype float64; float32 is accepted"):
        session.run([A, b])


def test_foreign_byte_order_is_swapped_or_refused(session: Session) -> None:
    """numpy calls >f4 and <f4 different dtypes; taking one for the other would be silently wrong."""
    with pytest.raises(InputError, match="input 'a' has dtype >f4"):
        session.run([A.astype(">f4"), B])


# -- several at once


def test_sessions_of_one_plan_do_not_meet(device: cl.Device) -> None:
    sessions = [Session(linear(), device) for _ in range(3)]
    for k, session in enumerate(sessions):
        assert_right(session.run([A + k, B]), A + k)
    sessions[0].close()
    assert_right(sessions[1].run([A, B]))


def test_threads_take_turns(session: Session) -> None:
    failed: list[BaseException] = []

    def work(k: int) -> None:
        try:
            for i in range(20):
                assert_right(session.run([A + k, B - i]), A + k, B - i)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_closed_session_says_so(device: cl.Device) -> None:
    session = Session(linear(), device)
    with session as same:
        assert same is session
        assert_right(session.run([A, B]))
    for call in (session.run, session.profile):
        with pytest.raises(DeviceError, match=r"^the session is closed; load the plan again$"):
            call([A, B])
    session.close()


def test_a_device_without_double_precision_refuses_it(device: cl.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = linear()
    wide = replace(plan, kernels=tuple(replace(k, source=k.source.replace("float", "double")) for k in plan.kernels))
    monkeypatch.setattr(cl.Device, "double_fp_config", 0)
    Session(plan, device).close()
    with pytest.raises(DeviceError, match=r"has no double precision \(cl_khr_fp64\), which the plan's float64 values need$"):
        Session(wide, device)


def test_an_error_closes_the_context(device: cl.Device) -> None:
    def fail() -> None:
        with Session(linear(), device) as session:
            opened.append(session)
            session.run([A])

    opened: list[Session] = []
    with pytest.raises(InputError):
        fail()
    with pytest.raises(DeviceError, match="closed"):
        opened[0].run([A, B])


# -- plans of other kinds


COPY = """__kernel void copy(__global const {0} *restrict x, __global {0} *restrict y)
{{
    y[get_global_id(0)] = x[get_global_id(0)];
}}
"""


def copying(dtype: str, shape: tuple[int, ...]) -> Plan:
    """y = x, whatever its bytes."""
    tensor = Tensor("x", shape, dtype)
    launches = (Launch(0, (tensor.nbytes,), None, (Argument("input", 0, 0, tensor.nbytes), Argument("output", 0, 0, tensor.nbytes))),)
    return Plan((tensor,), (replace(tensor, name="y"),), (Kernel("copy", COPY.format("uchar")),), launches if tensor.nbytes else (), 0, 1)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float64"])
def test_every_element_type(device: cl.Device, dtype: str) -> None:
    x = np.array([0, 1, 1, 0, 1]).astype(dtype)
    with Session(copying(dtype, (5,)), device) as session:
        y = session.run({"x": x})["y"]
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, x)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2)])
def test_scalars_and_nothing(device: cl.Device, shape: tuple[int, ...]) -> None:
    x = np.full(shape, 5, np.int32)
    with Session(copying("int32", shape), device) as session:
        y = session.run([x])["y"]
        assert session.profile([x]) is not None
    assert y.shape == shape
    np.testing.assert_array_equal(y, x)


def test_a_scalar_may_be_a_number_of_numpy(device: cl.Device) -> None:
    with Session(copying("float64", ()), device) as session:
        assert session.run([np.float64(2.5)])["y"] == 2.5
        assert session.run([2.5])["y"] == 2.5


def test_a_plan_without_inputs(device: cl.Device) -> None:
    plan = linear()
    fill = Kernel("fill", "__kernel void fill(__global float *y) { y[get_global_id(0)] = get_global_id(0); }")
    launch = Launch(0, (6,), None, (Argument("output", 0, 0, 24),))
    with Session(replace(plan, inputs=(), outputs=plan.outputs[:1], kernels=(fill,), launches=(launch,)), device) as session:
        for nothing in ({}, [], ()):
            np.testing.assert_array_equal(session.run(nothing)["total"], np.arange(6, dtype=np.float32).reshape(SHAPE))
        with pytest.raises(InputError, match=r"^no input 'x'; the inputs are: none$"):
            session.run({"x": A})


# -- devices that cannot


def limited(device: cl.Device, **facts: Any) -> Any:
    """A device that says other things of itself."""

    class Limited:
        def __getattr__(self, name: str) -> Any:
            return facts[name] if name in facts else getattr(device, name)

    return Limited()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: replace(p, arena=10**9), "holds buffers up to 1 MB; of the plan, intermediates would take 1000 MB"),
        (lambda p: replace(p, weights=bytes(2 * 10**6)), "holds buffers up to 1 MB; of the plan, weights would take 2 MB"),
        (lambda p: replace(p, inputs=(Tensor("a", (10**6,), "float32"), p.inputs[1])), r"a float32\[1000000\] would take 4 MB"),
    ],
    ids=["arena", "weights", "input"],
)
def test_plans_that_are_too_big(device: cl.Device, change: Callable[[Plan], Plan], message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        allocate(cl.Context([device]), limited(device, max_mem_alloc_size=10**6), change(linear()))


def test_work_groups_that_are_too_big(device: cl.Device) -> None:
    plan = linear()
    most = device.max_work_item_sizes[0]
    tensor = Tensor("a", (2 * most,), "float32")
    launch = replace(plan.launches[1], grid=(2 * most,), group=(2 * most,))
    with pytest.raises(DeviceError, match=r"takes work-groups up to \d+ here; scale needs \(\d+,\): compile the model for this device"):
        Session(replace(plan, inputs=(tensor, tensor.__class__("b", SHAPE, "float32")), launches=(launch,)), device)


def test_alignment_of_another_device(device: cl.Device) -> None:
    if device.mem_base_addr_align <= 64:
        pytest.skip("the device takes every offset")
    plan = linear()
    first, *rest = plan.launches
    shifted = replace(first, arguments=(*first.arguments[:2], Argument("arena", 0, 8, 24)))
    message = "wants buffers aligned to [0-9]+ bytes; the plan has 8: compile the model for this device"
    with pytest.raises(DeviceError, match=message):
        Session(replace(plan, alignment=8, launches=(shifted, *rest)), device)


def test_a_launch_that_does_not_fit_its_kernel(device: cl.Device) -> None:
    plan = linear()
    launch = replace(plan.launches[0], arguments=plan.launches[0].arguments[:2])
    with pytest.raises(PlanError, match=r"^kernel scale takes 3 arguments; its launch has 2$"):
        Session(replace(plan, launches=(launch,)), device)


def test_a_kernel_of_another_name(device: cl.Device) -> None:
    plan = linear()
    kernels = (replace(plan.kernels[0], source=plan.kernels[0].source.replace("scale", "shrink")), plan.kernels[1])
    with pytest.raises(DeviceError, match=r"cannot run the plan: .*KERNEL_NAME"):
        Session(replace(plan, kernels=kernels), device)


def test_steps_on_the_host(device: cl.Device) -> None:
    a = np.array([[0, 1, 0], [3, 0, 1]], np.float32)
    with Session(hosted(), device) as session:
        for x in (a, np.zeros_like(a), a[::-1]):
            outputs = session.run([x])
            found = np.stack(np.nonzero(x))
            np.testing.assert_array_equal(outputs["found"], found)
            np.testing.assert_array_equal(outputs["row"], found[1:])
            np.testing.assert_array_equal(outputs["again"], np.flatnonzero(x)[:, None])
            assert all(outputs[t.name].dtype == t.dtype for t in session.outputs)
        timings = session.profile([a], repeat=2)
    assert [(t.kernel, t.variant, t.nodes) for t in timings[:3]] == [
        ("scale", "scale", ("double",)), ("nonzero", "host", ("find",)), ("unique", "host", ("distinct",))]
    assert all(0 < t.microseconds < 1e6 for t in timings[1:])


@pytest.mark.parametrize(("change", "message"), [
    ({"attributes": {"axis": 5}}, "host step compress for pick does not fit its operands: axis 5 is out of bounds"),
    ({"host": "copy", "attributes": {}, "inputs": hosted().launches[3].inputs[:1], "outputs": (
        replace(hosted().launches[3].outputs[0], shape=(-1,)),)}, r"host step copy gives int64\[2, 3\] where the plan says int64\[-1\]"),
])  # fmt: skip
def test_a_step_that_does_not_fit_its_operands(device: cl.Device, change: dict[str, Any], message: str) -> None:
    plan = hosted()
    launches = (*plan.launches[:3], replace(plan.launches[3], **change), plan.launches[4])
    outputs = (plan.outputs[0], replace(plan.outputs[1], shape=launches[3].outputs[0].shape), plan.outputs[2])
    with Session(replace(plan, launches=launches, outputs=outputs), device) as session, pytest.raises(PlanError, match=message):
        session.run([np.array([[0, 1, 0], [3, 0, 1]], np.float32)])
