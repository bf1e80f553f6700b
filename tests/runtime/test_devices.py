"""`find` on made-up machines, and what the loader is told about drivers; no kernel is built here."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyopencl as cl
import pytest

from planish.runtime import devices, drivers
from planish.runtime.errors import DeviceError

CPU, GPU = cl.device_type.CPU, cl.device_type.GPU
GIB = 2**30


def platform(name: str, *listed: SimpleNamespace, vendor: str = "", version: str = "OpenCL 3.0") -> SimpleNamespace:
    made = SimpleNamespace(name=name, vendor=vendor, version=version, get_devices=lambda: list(listed))
    for device in listed:
        device.platform = made
    return made


def device(name: str, type: int, **facts: Any) -> SimpleNamespace:
    usual = {"vendor": "", "global_mem_size": 8 * GIB, "host_unified_memory": type == CPU, "max_compute_units": 4}
    usual |= {"available": True, "compiler_available": True, "driver_version": "1.0"}
    return SimpleNamespace(name=name, type=type, **(usual | facts))


def workstation() -> list[SimpleNamespace]:
    return [
        platform("Oclgrind", device("Oclgrind Simulator", CPU | GPU)),
        platform(
            "Portable Computing Language",
            device("pthread-Intel Xeon", CPU),
            vendor="The pocl project",
            version="PoCL 3.1",
        ),
        platform("Intel(R) OpenCL", device("Intel Xeon", CPU), vendor="Intel(R) Corporation"),
        platform("Intel(R) OpenCL Graphics", device("UHD 770", GPU, host_unified_memory=True), vendor="Intel(R)"),
        platform(
            "NVIDIA CUDA",
            device("GeForce", GPU),
            device("H200", GPU, global_mem_size=139 * GIB),
            vendor="NVIDIA Corporation",
        ),
    ]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """The platforms that `find` sees: to be filled by the test."""
    platforms: list[SimpleNamespace] = []
    monkeypatch.setattr(drivers, "platforms", lambda: tuple(platforms))
    for name in ("PLANISH_DEVICE", *drivers.FIXED_BY_USER):
        monkeypatch.delenv(name, raising=False)
    return platforms


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        (None, "H200"),
        ("gpu", "H200"),
        ("GPU", "H200"),
        ("cpu", "Intel Xeon"),
        ("4:0", "GeForce"),
        ("geforce", "GeForce"),
        ("nvidia", "H200"),
        ("pocl", "pthread-Intel Xeon"),
        ("portable", "pthread-Intel Xeon"),
        ("pthread", "pthread-Intel Xeon"),
        ("intel", "UHD 770"),
        ("xeon", "Intel Xeon"),
        ("oclgrind", "Oclgrind Simulator"),
    ],
)
def test_find(machine: list[SimpleNamespace], selector: str | None, name: str) -> None:
    machine += workstation()
    assert devices.find(selector).name == name


def test_stand_ins_come_last(machine: list[SimpleNamespace]) -> None:
    machine += [
        platform("Oclgrind", device("Oclgrind Simulator", CPU | GPU)),
        platform("Portable Computing Language", device("old", CPU), version="OpenCL 3.0 PoCL 3.0-rc2  Linux"),
        platform("Portable Computing Language", device("new", CPU), version="OpenCL 3.0 PoCL 10.0  Linux"),
    ]
    assert devices.devices()[0].name == "new"


def test_devices_out_of_order_are_passed_over(machine: list[SimpleNamespace]) -> None:
    def broken() -> list[SimpleNamespace]:
        raise cl.RuntimeError("clGetDeviceIDs failed: OUT_OF_HOST_MEMORY")

    machine += [
        SimpleNamespace(name="broken", get_devices=broken),
        platform(
            "A", device("switched off", GPU, available=False), device("no compiler", GPU, compiler_available=False)
        ),
        platform("B", device("works", CPU)),
    ]
    assert [device.name for device in devices.devices()] == ["works"]
    assert devices.listing() == "2:0  B: works (CPU, 4 compute units, 8 GiB, driver 1.0)"


def test_environment_names_the_default(machine: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch) -> None:
    machine += workstation()
    monkeypatch.setenv("PLANISH_DEVICE", "pocl")
    assert devices.find().name == "pthread-Intel Xeon"
    assert devices.find("nvidia").name == "H200"
    monkeypatch.setenv("PLANISH_DEVICE", "mali")
    with pytest.raises(DeviceError, match=r"^PLANISH_DEVICE=mali: no OpenCL .* 'mali'; present: 4:1 NVIDIA"):
        devices.find()


@pytest.mark.parametrize("selector", ["mali", "9:9", "accelerator"])
def test_unknown_device(machine: list[SimpleNamespace], selector: str) -> None:
    machine += workstation()
    with pytest.raises(
        DeviceError, match=rf"'{selector}'; present: 4:1 NVIDIA CUDA: H200 \(GPU, .*; 4:0 .*; 2:0 Intel"
    ):
        devices.find(selector)


@pytest.mark.parametrize("selector", [None, "gpu"])
def test_no_device(machine: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch, selector: str | None) -> None:
    assert devices.devices() == []
    with pytest.raises(DeviceError, match=r"pip install 'planish\[cpu\]'.*pocl-opencl-icd$"):
        devices.find(selector)
    with pytest.raises(DeviceError, match=r"pip install 'planish\[cpu\]'"):
        devices.listing()
    monkeypatch.setenv("OCL_ICD_VENDORS", "none.icd")
    with pytest.raises(DeviceError, match=r"\(OCL_ICD_VENDORS=none\.icd is set"):
        devices.find(selector)


@pytest.fixture
def vendors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A system's vendors folder, an environment with a packaged driver, and a loader that returns what it reads."""

    def get_platforms() -> list[str]:
        folder = os.environ.get("OCL_ICD_VENDORS") or tmp_path
        return sorted(line for entry in Path(folder).glob("*.icd") for line in entry.read_text().splitlines())

    monkeypatch.setattr(cl, "get_platforms", get_platforms)
    monkeypatch.setattr(drivers, "SYSTEM_VENDORS", (tmp_path, tmp_path / "absent"))
    monkeypatch.setattr(drivers, "packaged", lambda: Path("/env/lib/libintelocl.so"))
    for name in drivers.FIXED_BY_USER:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def read_by_loader() -> tuple[Any, ...]:
    return drivers._platforms.__wrapped__()  # beside the cache, which holds this process's real platforms


def test_packaged_driver_joins_the_systems(vendors: Path) -> None:
    (vendors / "gpu.icd").write_text("libgpu.so.1\n")
    (vendors / "same.icd").write_text("/env/lib/libintelocl.so")
    (vendors / "empty.icd").write_text("")
    (vendors / "dangling.icd").symlink_to("nowhere")
    before = dict(os.environ)
    assert read_by_loader() == ("/env/lib/libintelocl.so", "libgpu.so.1")
    assert dict(os.environ) == before


@pytest.mark.parametrize("name", drivers.FIXED_BY_USER)
def test_users_choice_of_drivers_stands(vendors: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (vendors / "gpu.icd").write_text("libgpu.so.1\n")
    monkeypatch.setenv(name, str(vendors))
    assert read_by_loader() == ("libgpu.so.1",)


def test_packaged_driver_is_found_where_pip_put_it() -> None:
    library = drivers.packaged()
    if library is None:
        pytest.skip("planish[cpu] is not installed")
    assert library.name.startswith("libintelocl.so")
    if not drivers.fixed_by_user():
        assert any("Intel" in device.platform.name for device in devices.devices())


def test_a_driver_that_is_gone(machine: list[SimpleNamespace]) -> None:
    """Its devices are passed over, and an error of one that a session has needs nothing of it."""

    class Gone:
        def __getattr__(self, name: str) -> Any:
            raise cl.Error("clGetDeviceInfo failed: DEVICE_NOT_AVAILABLE")

    gone: Any = Gone()
    machine += [SimpleNamespace(name="Lost", get_devices=lambda: [gone]), platform("Here", device("Xeon", CPU))]
    assert [found.name for found in devices.devices()] == ["Xeon"]
    with pytest.raises(DeviceError, match=r"^the device cannot run the plan: clFinish failed"), devices.refusals(gone):
        raise cl.Error("clFinish failed: DEVICE_NOT_AVAILABLE")
