"""`planish bench` and `planish devices`: what they print, for people and as JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyopencl as cl
import pytest

from planish.compiler.cli import main
from planish.runtime import Session, bench, breakdown, devices, limits
from planish.runtime.profile import Timing
from tests.runtime.plans import SHAPE, hosted, linear
from tests.runtime.test_limits import KNOWN


@pytest.fixture(autouse=True)
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    linear().write("plan")
    monkeypatch.setattr(limits, "of", lambda device, fresh=False: KNOWN)


@pytest.mark.device
def test_bench_for_people(capsys: pytest.CaptureFixture[str], device: cl.Device) -> None:
    np.save("a.npy", np.ones(SHAPE, np.float32))
    assert main(["bench", "plan", "--input", "a=a.npy", "--runs", "5", "--warmup", "1"]) == 0
    first, loaded, runs, throughput, known, head, *lines = capsys.readouterr().out.splitlines()
    assert first == devices.describe(device)
    assert re.fullmatch(r"loaded in \d+\.\d+ s", loaded)
    assert re.fullmatch(r"5 runs: min [\d.]+, p50 [\d.]+, p90 [\d.]+, p99 [\d.]+, max [\d.]+ ms", runs)
    assert re.fullmatch(r"throughput [\d.]+ runs a second", throughput)
    assert known == "limits: 200 GFLOP/s; 80 GB/s in 1 MB, 40 GB/s in 16 MB"
    assert head.split() == ["#", "µs", "%", "GFLOP/s", "of", "it", "GB/s", "of", "it", "kernel"]
    assert [line.split()[0] for line in lines[:3]] == ["0", "1", "2"]
    assert lines[-1].endswith("in 3 launches")


@pytest.mark.device
def test_bench_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    hosted().write("steps")
    for name, launches in (("plan", 3), ("steps", 5)):
        assert main(["bench", name, "--runs", "3", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert list(found) == ["device", "loaded", "runs", "milliseconds", "throughput", "limits", "launches"]
        assert list(found["milliseconds"]) == ["min", "p50", "p90", "p99", "max"]
        assert sorted(found["milliseconds"].values()) == list(found["milliseconds"].values())
        assert found["throughput"] > 0 and len(found["launches"]) == launches
        assert {"arithmetic", "bandwidth", "microseconds", "variant"} <= found["launches"][0].keys()


@pytest.mark.device
def test_measured_runs_are_counted(device: cl.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    with Session(linear(), device) as session:
        for name in ("run", "run_async"):
            real = getattr(session, name)
            monkeypatch.setattr(session, name, lambda given, real=real, name=name: calls.append(name) or real(given))
        found = bench.measure(session, {"a": np.zeros(SHAPE, np.float32), "b": np.ones(SHAPE, np.float32)}, 4, 2)
    assert calls == ["run"] * 6 + ["run_async"] * 4
    assert found.runs == 4


@pytest.mark.parametrize(("arguments", "message"), [
    (["plan", "--runs", "0"], "argument --runs: 0 runs are none to time"),
    (["plan", "--warmup", "x"], "argument --warmup: 'x' is not a number of runs"),
    (["nowhere"], "no plan at nowhere"),
])  # fmt: skip
def test_bench_refuses(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["bench", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_table() -> None:
    timings = [Timing(0, "k", "conv px4", ("head", "n" * 200), 10.0, 10**6, 400_000)]
    text = breakdown.table(breakdown.groups(timings, KNOWN), KNOWN)
    assert text.splitlines()[2].split()[:7] == ["0", "10.0", "100.0", "100.0", "50%", "40.0", "50%"]
    assert text.splitlines()[2].endswith("...")


@pytest.mark.device
def test_devices(capsys: pytest.CaptureFixture[str], device: cl.Device) -> None:
    index = next(index for index, each in devices.numbered().items() if each == device)
    assert main(["devices"]) == 0
    assert f"{index}  {devices.describe(device)}\n" in capsys.readouterr().out
    assert main(["devices", "--measure", "--device", index]) == 0
    assert capsys.readouterr().out == f"{index}  {devices.describe(device)}\n{limits.text(KNOWN)}\n"
    assert main(["devices", "--device", index, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found == {"index": index, **devices.facts(device)}
    assert main(["devices", "--device", index, "--json", "--measure"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["limits"]["gflops"] == KNOWN.gflops
    assert main(["devices", "--device", "no such"]) == 1
    assert "no OpenCL device fits 'no such'" in capsys.readouterr().err
