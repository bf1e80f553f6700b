"""What kernels need that not every device has."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyopencl as cl

from . import stages
from .errors import DeviceError
from .plan import Kernel

SUBGROUPS = "cl_intel_required_subgroup_size"
"""The extension with which kernels ask for sub-groups of one size."""
IMAGE = "image1d_buffer_t"
"""The type of what kernels read weights as, where they read images."""
_DOUBLE = re.compile(r"\bdouble[0-9]*\b")
_SIZE = re.compile(r"\bintel_reqd_sub_group_size\((\d+)\)")


def check(device: cl.Device, kernels: Sequence[Kernel]) -> None:
    """Checks that a device can run kernels, as far as their texts tell.

    Raises:
        DeviceError: it lacks something; says what.
    """
    name = device.name.strip()
    if not device.double_fp_config and any(_DOUBLE.search(k.source) for k in kernels):
        raise DeviceError(f"{name} has no double precision (cl_khr_fp64), which the plan's float64 values need")
    if not device.image_support and any(IMAGE in k.source for k in kernels):
        raise DeviceError(f"{name} has no images, as which the plan's kernels read weights: compile the model for this device")
    sizes = {int(size) for k in kernels for size in _SIZE.findall(k.source)}
    if sizes and not subgroups(device):
        raise DeviceError(f"{name} has no sub-groups of {max(sizes)} work-items ({SUBGROUPS}), which the plan's kernels need: "
                          f"compile the model for this device")
    for kernel in kernels:
        if kernel.stages:
            stages.check(device, kernel)


def subgroups(device: cl.Device) -> bool:
    """Whether kernels may ask for sub-groups of a size."""
    return SUBGROUPS in device.extensions.split()
