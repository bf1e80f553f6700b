"""What kernels need, of devices that lack it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from planish.runtime.errors import DeviceError
from planish.runtime.needs import SUBGROUPS, check
from planish.runtime.plan import Kernel

PLAIN = Kernel("plain", "__kernel void plain(__global float *y) {}")
DOUBLE = Kernel("wide", "__kernel void wide(__global double4 *y) {}")
SHARED = Kernel("shared", "__attribute__((intel_reqd_sub_group_size(16))) __kernel void shared(__global float *y) {}")


PICTURED = Kernel("pictured", "__kernel void pictured(__read_only image1d_buffer_t w, __global float *y) {}")


def device(**has: Any) -> Any:
    none = {"name": "Other ", "double_fp_config": 0, "image_support": 0, "extensions": "cl_khr_icd cl_khr_subgroups"}
    return SimpleNamespace(**{**none, **has})


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (DOUBLE, r"^Other has no double precision \(cl_khr_fp64\), which the plan's float64 values need$"),
        (PICTURED, "^Other has no images, as which the plan's kernels read weights: compile the model for this device$"),
        (SHARED, rf"^Other has no sub-groups of 16 work-items \({SUBGROUPS}\), which the plan's kernels need: compile the model for "),
    ],
)
def test_what_is_missing(kernel: Kernel, message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        check(device(), [PLAIN, kernel])


def test_what_is_there() -> None:
    check(device(), [PLAIN])
    check(device(double_fp_config=63, image_support=1, extensions=f"cl_khr_icd {SUBGROUPS}"), [PLAIN, DOUBLE, PICTURED, SHARED])
