"""The cache of built programs: used where it is whole, built again where it is anything else, and never an error."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyopencl as cl
import pytest

from planish.runtime import Session, cache, devices
from planish.runtime.errors import DeviceError
from tests.runtime.plans import ADD, SCALE, expected, linear

ROOT = Path(__file__).resolve().parents[2]
A, B = np.arange(6, dtype=np.float32).reshape(2, 3), np.full((2, 3), 0.5, np.float32)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the cache lies."""
    monkeypatch.setenv("PLANISH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are written to the cache: one for each program built from its source."""
    files: list[Path] = []
    write = cache._write

    def watched(path: Path, payload: bytes) -> None:
        files.append(path)
        write(path, payload)

    monkeypatch.setattr(cache, "_write", watched)
    return files


def assert_runs(device: cl.Device) -> None:
    with Session(linear(), device) as session:
        outputs = session.run([A, B])
    for name, array in expected(A, B).items():
        np.testing.assert_array_equal(outputs[name], array)


def sealed(payload: bytes) -> bytes:
    return cache.MAGIC + hashlib.sha256(payload).digest() + payload


# -- with a device


@pytest.mark.device
def test_a_program_is_built_once(folder: Path, written: list[Path], device: cl.Device) -> None:
    assert_runs(device)
    assert sorted(folder.iterdir()) == sorted(written)
    assert len(written) == 2
    assert_runs(device)
    assert len(written) == 2


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


DAMAGE: dict[str, Callable[[bytes, bytes], bytes]] = {
    "empty": lambda own, other: b"",
    "truncated": lambda own, other: own[: len(own) // 2],
    "without its end": lambda own, other: own[:-1],
    "flipped": lambda own, other: flipped(own),
    "of another format": lambda own, other: own.replace(cache.MAGIC, b"planish-binary-0\n"),
    "no binary at all": lambda own, other: sealed(b""),
    "text for a binary": lambda own, other: sealed(b"not a binary of any driver"),
    "the other kernel's": lambda own, other: other,
}


@pytest.mark.device
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_what_is_broken_is_built_again(
    folder: Path, written: list[Path], device: cl.Device, damage: Callable[[bytes, bytes], bytes]
) -> None:
    assert_runs(device)
    one, other = sorted(folder.iterdir())
    whole = one.read_bytes(), other.read_bytes()
    one.write_bytes(damage(*whole))
    other.write_bytes(damage(*whole[::-1]))
    written.clear()
    assert_runs(device)
    assert sorted(written) == [one, other]
    written.clear()
    assert_runs(device)
    assert written == []


@pytest.mark.device
@pytest.mark.parametrize("place", ["in a file", "below a device", "a folder for each file"])
def test_a_cache_that_cannot_be_written_is_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, written: list[Path], device: cl.Device, place: str
) -> None:
    if place == "in a file":
        folder.write_text("precious")
    elif place == "below a device":
        monkeypatch.setenv("PLANISH_CACHE", "/dev/null/cache")
    else:
        for source in (SCALE, ADD):
            (folder / f"{cache._key(device, source)}.bin").mkdir(parents=True)
    for _ in range(2):
        assert_runs(device)
    assert len(written) == 4
    if place == "in a file":
        assert folder.read_text() == "precious"
    elif place == "a folder for each file":
        assert all(p.is_dir() for p in folder.iterdir())


@pytest.mark.device
def test_without_a_home_nothing_is_cached(monkeypatch: pytest.MonkeyPatch, written: list[Path], device: cl.Device) -> None:
    monkeypatch.setattr(cache, "folder", lambda: None)
    assert_runs(device)
    assert written == []


@pytest.mark.device
def test_processes_fill_one_cache_at_once(folder: Path, written: list[Path], device: cl.Device) -> None:
    code = "from tests.runtime.test_cache import assert_runs; from planish.runtime.devices import find; assert_runs(find())"
    processes = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert len(list(folder.iterdir())) == 2
    assert_runs(device)
    assert written == []


@pytest.mark.device
def test_a_kernel_that_cannot_be_built_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: cl.Device
) -> None:
    """In one error with the end of the driver's log, and without the copy of the source that pyopencl leaves behind."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    plan = linear()
    broken = replace(plan.kernels[1], source=ADD.replace("b[get", "nowhere[get"))
    with pytest.raises(DeviceError, match=r"cannot build kernel add: .*nowhere") as caught:
        Session(replace(plan, kernels=(plan.kernels[0], broken)), device)
    assert len(str(caught.value)) < cache.LOG_END + 200
    assert "\n" not in str(caught.value)
    assert not list(scratch.glob("*.cl"))


# -- without


@dataclass(frozen=True)
class MadeUp:
    """As much of a device as decides whether a binary runs on it."""

    name: str = "Xeon"
    vendor: str = "Intel"
    version: str = "OpenCL 3.0"
    driver_version: str = "1.0"
    type: int = cl.device_type.GPU
    system: str = "3.1"

    @property
    def platform(self) -> SimpleNamespace:
        return SimpleNamespace(name="platform", version=self.system)


def test_keys_tell_sources_devices_and_drivers_apart() -> None:
    device = MadeUp()
    others = [replace(device, **{field: "other"}) for field in ("name", "vendor", "version", "driver_version", "system")]
    keys = [cache._key(d, SCALE) for d in (device, *others)] + [cache._key(device, ADD)]  # type: ignore[arg-type]
    assert len(set(keys)) == len(keys)
    assert cache._key(MadeUp(), SCALE) == keys[0]  # type: ignore[arg-type]


def test_keys_tell_the_instruction_sets_of_cpus_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = set()
    for flags in ("flags: avx2", "flags: avx2 avx512f"):
        monkeypatch.setattr(devices, "_processor", lambda flags=flags: flags)
        devices.identity.cache_clear()
        keys |= {cache._key(MadeUp(type=cl.device_type.CPU), SCALE), cache._key(MadeUp(), SCALE)}  # type: ignore[arg-type]
    devices.identity.cache_clear()
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("environment", "folder"),
    [({"PLANISH_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"), ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/planish"),
     ({"HOME": "/c"}, "/c/.cache/planish"), ({"PLANISH_CACHE": "", "HOME": "/c"}, "/c/.cache/planish")],
)  # fmt: skip
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders")
def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], folder: str) -> None:
    for name in ("PLANISH_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache.folder() == Path(folder)


FULL = """
import resource, sys
from pathlib import Path
from planish.runtime import cache

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for size in (100_000, 100):
    cache._write(Path(sys.argv[1], f"{size}.bin"), bytes(size))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of processes")
def test_a_full_disk_keeps_what_fits(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FULL, str(tmp_path / "cache")], cwd=ROOT, check=True)
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["100.bin"]
    assert cache._read(tmp_path / "cache" / "100.bin") == bytes(100)


def test_no_cache_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANISH_CACHE", "off")
    assert cache.folder() is None
