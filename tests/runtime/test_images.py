"""Weights that kernels read as images."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from planish.runtime.devices import context
from planish.runtime.errors import DeviceError, PlanError
from planish.runtime.images import Images
from planish.runtime.plan import Argument, Kernel, Launch, Plan, Tensor
from planish.runtime.session import Session

ADD = """__kernel void add(__global const float *x, __read_only image1d_buffer_t w, const int w_begin, __global float *y)
{
    const int i = get_global_id(0);
    vstore4(vload4(i, x) + read_imagef(w, w_begin + i), i, y);
}
"""
WEIGHTS = np.arange(8, dtype=np.float32) / 8


def plan(numbers: str = "float32", *, before: int = 512, **changes: Any) -> Plan:
    """y = x + weights, both of 8; the weights lie behind others, and what follows them is no whole pixel."""
    stored = WEIGHTS.astype(numbers)
    blob = np.full(before, 255, np.uint8).tobytes() + stored.tobytes() + bytes(3)
    weights = Argument("weights", 0, before, stored.nbytes, numbers)
    launch = Launch(0, (2,), None, (Argument("input", 0, 0, 32), weights, Argument("output", 0, 0, 32)))
    whole = Plan(inputs=(Tensor("x", (8,), "float32"),), outputs=(Tensor("y", (8,), "float32"),), kernels=(Kernel("add", ADD),),
                 launches=(launch,), arena=0, alignment=512, weights=blob)
    return replace(whole, **changes)


@pytest.mark.device
@pytest.mark.parametrize("numbers", ["float32", "float16"])
def test_pixels_of_weights(device: cl.Device, numbers: str) -> None:
    x = np.linspace(-1, 1, 8, dtype=np.float32)
    with Session(plan(numbers), device) as session:
        np.testing.assert_array_equal(session.run([x])["y"], x + WEIGHTS)


def test_images_are_written_and_read(tmp_path: Path) -> None:
    plan().write(tmp_path / "plan")
    assert Plan.read(tmp_path / "plan") == plan()
    document = json.loads(plan().document())
    assert document["version"] == 5
    assert [len(a) for a in document["launches"][0]["arguments"]] == [4, 5, 4]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (Argument("weights", 0, 512, 32, "int8"), "launch 0, argument 1: weights of int8 as an image"),
        (Argument("input", 0, 0, 32, "float32"), "launch 0, argument 1: input of float32 as an image"),
        (Argument("weights", 0, 512, 20, "float32"), r"launch 0, argument 1: bytes 512 \+ 20 are no pixels of four float32"),
    ],
)
def test_what_is_no_image(changed: Argument, message: str) -> None:
    (launch,) = plan().launches
    assert isinstance(launch, Launch)
    x, _, y = launch.arguments
    with pytest.raises(PlanError, match=message):
        plan(launches=(replace(launch, arguments=(x, changed, y)),))


@pytest.mark.device
def test_a_device_without_such_images(device: cl.Device) -> None:
    buffer = cl.Buffer(context(device), cl.mem_flags.READ_ONLY, 16 * 34)
    other: Any = SimpleNamespace(name="Other ", image_max_buffer_size=33)
    message = "^Other has images of up to 33 pixels; the plan's weights have 34: compile the model with another --target, as generic$"
    with pytest.raises(DeviceError, match=message):
        Images(context(device), other, buffer).of("float32")
