"""`planish profile`: launches grouped, whose times are those of all; and traces."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from planish.compiler.cli import main
from planish.runtime import Session, breakdown, limits
from planish.runtime.profile import Timing
from planish.runtime.profiler import trace
from tests.runtime.plans import SHAPE, hosted, linear
from tests.runtime.test_limits import KNOWN

A, B = np.arange(6, dtype=np.float32).reshape(SHAPE), np.full(SHAPE, 0.5, np.float32)
TIMINGS = [
    Timing(0, "k1", "conv_direct ty1 tx12", ("head",), 10.0, 10**6, 400_000),
    Timing(1, "m", "12 bands of conv_pointwise px14 ob2 + conv_depthwise ty2", ("wide", "deep"), 30.0, 3 * 10**6, 0),
    Timing(2, "k2", "conv_direct ty2 tx4", ("tail",), 5.0, 10**6, 0),
    Timing(3, "m2", "map", (), 4.0, 0, 1000),
    Timing(4, "map_3", "map", ("tail",), 1.0, 0, 1000),
    Timing(5, "nonzero", "host", ("where",), 50.0, 0, 0),
]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["profile", *arguments]) == 0
    return capsys.readouterr().out


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(limits, "of", lambda device, fresh=False: KNOWN)
    linear().write("plan")
    hosted().write("steps")
    return tmp_path


@pytest.mark.parametrize("by", breakdown.BY)
def test_groups_hold_every_launch_once(by: str) -> None:
    found = breakdown.groups(TIMINGS, KNOWN, by)
    assert sorted(launch for group in found for launch in group.launches) == list(range(len(TIMINGS)))
    for name in ("microseconds", "flops", "nbytes"):
        assert sum(getattr(group, name) for group in found) == sum(getattr(t, name) for t in TIMINGS)
    assert sum(group.share for group in found) == pytest.approx(1)
    assert by == "launch" or [g.microseconds for g in found] == sorted((g.microseconds for g in found), reverse=True)


def test_layers_and_kernels() -> None:
    layers = {g.name: g.launches for g in breakdown.groups(TIMINGS, KNOWN, "layer")}
    assert layers == {"where": (5,), "wide, deep": (1,), "head": (0,), "tail": (2, 4), "(copies of the compiler's)": (3,)}
    kernels = {g.name: g for g in breakdown.groups(TIMINGS, KNOWN, "kernel")}
    assert {name: g.launches for name, g in kernels.items()} == {
        "host nonzero": (5,), "bands of conv_pointwise + conv_depthwise": (1,), "conv_direct": (0, 2), "map": (3, 4)}  # fmt: skip
    direct = kernels["conv_direct"]
    assert direct.gflops == pytest.approx(2e6 / 15e3)
    assert direct.arithmetic == pytest.approx(direct.gflops / KNOWN.gflops)
    assert direct.bandwidth == pytest.approx(400_000 / 15e3 / 80)


def test_table() -> None:
    limit, head, *lines, total = breakdown.table(breakdown.groups(TIMINGS, KNOWN, "kernel"), KNOWN, "kernel").splitlines()
    assert limit.startswith("limits: 200 GFLOP/s")
    assert (head.split()[0], head.split()[-1]) == ("n", "kernel")
    assert [line.split()[0] for line in lines] == ["1", "1", "2", "2"]
    assert total.split() == ["100.0", "in", "6", "launches"]


def complete(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [event for event in document["traceEvents"] if event["ph"] == "X"]


def test_trace_of_spans() -> None:
    events = complete(json.loads(json.dumps(trace([(0.0, TIMINGS[0]), (12.5, TIMINGS[5])], "device"))))
    assert [(e["name"], e["ts"], e["dur"], e["tid"]) for e in events] == [("head", 0.0, 10.0, 0), ("where", 12.5, 50.0, 1)]
    assert events[0]["args"] == {"launch": 0, "kernel": "k1", "variant": "conv_direct ty1 tx12", "nodes": ["head"], "flops": 10**6,
                                 "nbytes": 400_000}  # fmt: skip


@pytest.mark.device
@pytest.mark.parametrize(("name", "launches"), [("plan", 3), ("steps", 5)])
def test_a_traced_run(folder: Path, capsys: pytest.CaptureFixture[str], name: str, launches: int) -> None:
    """An event for each launch, one behind the other."""
    assert "traced in run.json" in run(capsys, name, "--trace", "run.json", "--repeat", "2")
    events = complete(json.loads(Path("run.json").read_text()))
    assert [e["args"]["launch"] for e in events] == list(range(launches))
    assert events[0]["ts"] == 0
    assert all(a["ts"] + a["dur"] <= b["ts"] + 0.01 for a, b in pairwise(events))
    assert {e["tid"] for e in events} == ({0, 1} if name == "steps" else {0})


@pytest.mark.device
@pytest.mark.parametrize("by", breakdown.BY)
def test_json(folder: Path, capsys: pytest.CaptureFixture[str], by: str) -> None:
    found = json.loads(run(capsys, "plan", "--by", by, "--json", "--repeat", "3"))
    assert list(found) == ["device", "by", "microseconds", "limits", "groups", "launches"]
    assert sum(g["microseconds"] for g in found["groups"]) == pytest.approx(found["microseconds"])
    assert len(found["groups"]) == (2 if by == "kernel" else 3) and len(found["launches"]) == 3


@pytest.mark.device
def test_tracing_leaves_the_session_as_it_was(device: cl.Device) -> None:
    with Session(linear(), device) as session:
        before = session.run([A, B])
        spans = session.trace([A, B])
        after = session.run([A, B])
    assert [timing.nodes for _, timing in spans] == [("double",), ("triple",), ("sum", "bias")]
    assert all(begin >= 0 and timing.microseconds >= 0 for begin, timing in spans)
    np.testing.assert_equal(after, before)


@pytest.mark.device
def test_without_the_compiler(tmp_path: Path) -> None:
    linear().write(tmp_path / "plan")
    code = ("import runpy, sys; sys.modules['planish.compiler'] = None; sys.modules['rich'] = None; "
            "sys.argv = ['runtime', 'profile', 'plan', '--by', 'kernel', '--repeat', '1']; runpy.run_module('planish.runtime')")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("in 3 launches")


@pytest.mark.parametrize(("arguments", "message"), [
    (["nowhere"], "no plan at nowhere"),
    (["plan", "--by", "colour"], "argument --by: invalid choice: 'colour'"),
    (["plan", "--repeat", "0"], "0 runs are none to time"),
])  # fmt: skip
def test_refusals(folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["profile", *arguments]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.device
def test_a_trace_that_cannot_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "plan", "--repeat", "1", "--trace", "no/such/folder.json"]) == 1
    assert "--trace no/such/folder.json" in capsys.readouterr().err
