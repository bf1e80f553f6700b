"""Compilations that are killed, that meet, or that find no room: a whole plan is there, or none, and nothing beside it stays."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from planish.runtime.errors import PlanError
from planish.runtime.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "examples" / "upscaler" / "upscaler.tflite"
KILLS = 6
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs signals, and folders exchanged in one step")


def compiling(output: Path, *options: str, **given: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-m", "planish.compiler", "compile", MODEL, "-o", output, "--target", "cpu", *options]
    return subprocess.Popen([str(c) for c in command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **given)  # type: ignore[call-overload]


def compiled(output: Path, *options: str) -> Plan:
    process = compiling(output, *options)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return Plan.read(output)


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("exists", [True, False], ids=["over a plan", "where nothing is"])
def test_a_compilation_may_be_killed_at_any_moment(tmp_path: Path, exists: bool) -> None:
    """The plan there before, none if there was none, or all of the new one; the next compilation clears what is left."""
    r, output = random.Random(0), tmp_path / "plan"
    new = compiled(tmp_path / "new")
    old = compiled(tmp_path / "old", "--no-winograd")
    begun = time.monotonic()
    compiled(tmp_path / "old", "--no-winograd")
    whole = time.monotonic() - begun
    assert old != new
    for k in range(KILLS):
        if exists:
            old.write(output)
        process = compiling(output)
        # half of them die about when the folder is made, moments before the end
        time.sleep(whole * (r.uniform(0.0, 1.1) if k % 2 else r.uniform(0.8, 1.1)))
        process.kill()
        process.communicate()
        assert process.returncode in (0, -signal.SIGKILL)
        found = Plan.read(output) if exists or output.exists() else None
        assert found in (old if exists else None, new)
        if found is not None:
            new.write(output)
            output.rename(tmp_path / f"done{k}")
    compiled(output)
    assert not [name for name in left(tmp_path) if name.startswith(".")]


@pytest.mark.slow
def test_compilations_into_one_folder_meet(tmp_path: Path) -> None:
    variants = [(), ("--no-winograd",), ("--no-megakernel",)]
    plans = [compiled(tmp_path / f"{k}", *options) for k, options in enumerate(variants)]
    processes = [compiling(tmp_path / "plan", *options) for options in variants]
    assert [(p.communicate()[1], p.returncode) for p in processes] == [("", 0)] * len(variants)
    assert Plan.read(tmp_path / "plan") in plans
    assert left(tmp_path) == ["0", "1", "2", "plan"]


def test_a_full_disk_is_told_and_leaves_what_was_there(tmp_path: Path) -> None:
    """The weights of the network do not fit where files may have 100 kB."""
    before = compiled(tmp_path / "plan", "--no-winograd")
    for output, there in ((tmp_path / "plan", ["plan"]), (tmp_path / "new", ["plan"])):
        process = compiling(output, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
        _, errors = process.communicate()
        assert (errors, process.returncode) == (f"error: cannot write {output}: File too large\n", 1)
        assert left(tmp_path) == there
    assert Plan.read(tmp_path / "plan") == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is closed to root")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    process = compiling(tmp_path / "plan")
    _, errors = process.communicate()
    tmp_path.chmod(0o700)
    assert (errors, process.returncode) == (f"error: cannot write {tmp_path / 'plan'}: Permission denied\n", 1)


def test_every_altered_byte_of_a_compiled_plan_shows(tmp_path: Path) -> None:
    """A sample of each file; tests/runtime/test_plan.py takes every byte of a small plan."""
    folder = tmp_path / "plan"
    plan = compiled(folder, "--no-megakernel")
    r = random.Random(0)
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert len(files) == 2 + len(plan.kernels)
    hashes = {k["name"]: k["sha256"] for k in json.loads((folder / "plan.json").read_bytes())["kernels"]}
    assert len(set(hashes.values())) == len(plan.kernels)
    for path in files:
        data = path.read_bytes()
        for k in r.sample(range(len(data)), 200 if path.name == "plan.json" else 20):
            path.write_bytes(data[:k] + bytes([data[k] ^ 1 << r.randrange(8)]) + data[k + 1 :])
            with pytest.raises(PlanError, match=path.name):
                Plan.read(folder)
        path.write_bytes(data)
    assert Plan.read(folder) == plan
