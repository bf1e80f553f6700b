"""What the compiler knows of a device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .errors import OptionError

if TYPE_CHECKING:
    import pyopencl as cl


@dataclass(frozen=True)
class Target:
    """The properties of a device that choose kernels and layouts.

    Attributes:
        kind: "cpu" or "gpu".
        lanes: V, the channels that lie together, and the width of the vectors that kernels compute with.
        units: compute units that run at the same time.
        group: work-items of a work-group whose tiles lie in local memory, at most; 1 where there are none.
        near: how long products of operands in local memory take, over those of operands that a cache has. A guess.
        images: whether weights are read as images, which have a cache of their own.
        subgroup: work-items of a sub-group, of the size that kernels ask for, whose work-items broadcast to each other at next to no cost
            (cl_intel_required_subgroup_size); 0 where there are none.
        items: work-items that a compute unit has to hold to hide what each of them waits for; 1 on a CPU.
        registers: vector registers of V floats that a work-item can hold without spilling.
        gflops: float32 arithmetic limit of the device; bandwidth: of its memory, GB/s. Guesses that only rank candidates.
        launch: microseconds that a launch costs by itself.
        alignment: bytes to which a buffer within a buffer has to be aligned (CL_DEVICE_MEM_BASE_ADDR_ALIGN).
        megakernel: whether one kernel computes all launches that need no work-groups of several work-items, one after another: for
            devices that enter a kernel slowly, and compute each item by itself.
        cache: bytes that a compute unit has near by; 0 where nothing is to be gained by computing images in bands that fit.
        winograd: whether 3x3 convolutions may be computed by Winograd's minimal filtering, which rounds in another order.
    """

    name: str
    kind: str
    lanes: int
    units: int
    registers: int
    gflops: float
    bandwidth: float
    launch: float
    alignment: int = 512
    group: int = 1
    near: float = 1
    images: bool = False
    subgroup: int = 0
    items: int = 1
    megakernel: bool = False
    cache: int = 0
    winograd: bool = True


TARGETS = {
    t.name: t
    for t in (
        Target("cpu", "cpu", lanes=16, units=2, registers=32, gflops=400, bandwidth=20, launch=2, megakernel=True, cache=1 << 20),
        Target("generic", "gpu", lanes=4, units=8, registers=64, gflops=500, bandwidth=30, launch=5, group=64, near=0.9, items=64),
        Target("nvidia", "gpu", lanes=4, units=64, registers=128, gflops=10000, bandwidth=500, launch=4, group=256, near=0.7, items=256),
        Target("amd", "gpu", lanes=4, units=32, registers=128, gflops=8000, bandwidth=400, launch=5, group=256, near=0.7, items=256),
        Target("intel", "gpu", lanes=4, units=24, registers=64, gflops=1000, bandwidth=50, launch=5, group=64, near=1.0, items=64,
               subgroup=16),
        Target("adreno", "gpu", lanes=4, units=4, registers=64, gflops=1000, bandwidth=40, launch=20, group=64, near=1.1, items=128,
               images=True),
        Target("mali", "gpu", lanes=4, units=10, registers=64, gflops=800, bandwidth=40, launch=20, group=64, near=1.5, items=64),
        Target("apple", "gpu", lanes=4, units=16, registers=128, gflops=4000, bandwidth=200, launch=5, group=256, near=0.8, items=128),
    )
}
PIXELS = 1 << 24
"""Of four numbers, that an image has to be able to have where weights are to be one: 256 MB of float32."""
NAMES = ("auto", "gpu", *TARGETS)
"""What `--target` accepts; `gpu` is `generic`."""

_VENDORS = {"nvidia": "nvidia", "advanced micro": "amd", "amd": "amd", "qualcomm": "adreno", "adreno": "adreno",
            "arm": "mali", "mali": "mali", "apple": "apple", "intel": "intel"}


def named(name: str) -> Target:
    """The target of a name.

    Raises:
        OptionError: there is none; lists the names.
    """
    name = "generic" if name == "gpu" else name
    if name not in TARGETS:
        raise OptionError(f"no target '{name}'; one of {', '.join(NAMES)}")
    return TARGETS[name]


def of_device(*, vendor: str, is_cpu: bool, units: int, width: int, alignment: int, version: int = 3, group: int = 256) -> Target:
    """The target that fits a device, by its vendor, compute units, preferred float vector width, version of OpenCL, and the work-items
    of its largest work-group."""
    if is_cpu:
        lanes = 16 if width >= 16 else 8 if width >= 8 else 4
        base = TARGETS["cpu"]
        return replace(base, lanes=lanes, units=units, registers=32 if lanes == 16 else 16, megakernel=version >= 3,
                       gflops=base.gflops * units / base.units * lanes / 16, alignment=max(alignment, base.alignment))
    found = next((target for key, target in _VENDORS.items() if key in vendor.lower()), "generic")
    return replace(TARGETS[found], units=units, alignment=max(alignment, TARGETS[found].alignment), group=min(group, TARGETS[found].group))


def resolve(name: str, device: str | None) -> Target:
    """The target of `--target` and `--device`: by name, or with "auto" that of the device.

    Raises:
        OptionError: no such target, or a device beside one.
        DeviceError: "auto", and there is no such device, or none at all.
    """
    if name != "auto":
        if device:
            raise OptionError(f"--device {device} is for --target auto; --target {name} looks at no device: leave out one of them")
        return named(name)
    from planish.runtime import devices
    from planish.runtime.errors import DeviceError

    try:
        found = devices.find(device)
    except DeviceError as error:
        raise DeviceError(f"{error}; to compile for a device that is not here, name a --target: {', '.join(NAMES[1:])}") from None
    return of_present(found)


def of_present(device: cl.Device) -> Target:
    """The target that fits a device of this machine."""
    import pyopencl as cl

    from planish.runtime.needs import subgroups

    found = of_device(vendor=f"{device.vendor} {device.platform.name}", is_cpu=bool(device.type & cl.device_type.CPU),
                      units=device.max_compute_units, width=device.native_vector_width_float or device.preferred_vector_width_float,
                      alignment=device.mem_base_addr_align // 8, version=int(device.version.split()[1][0]),
                      group=device.max_work_group_size)
    images = found.images and device.image_support and device.image_max_buffer_size >= PIXELS
    return replace(found, images=bool(images), subgroup=found.subgroup if subgroups(device) else 0)
