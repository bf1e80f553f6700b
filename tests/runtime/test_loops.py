"""Loops in plans: written and read, run, and refused where they contradict themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from planish.runtime import PlanError, Session
from planish.runtime.devices import find
from planish.runtime.plan import NESTING, Loop, Plan
from tests.runtime.plans import SHAPE, looped
from tests.runtime.test_plan import place, refusal, rewrite

A = np.arange(6, dtype=np.float32).reshape(SHAPE)


@pytest.fixture(scope="module")
def device() -> cl.Device:
    return find()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    looped().write(tmp_path / "plan")
    plan = Plan.read(tmp_path / "plan")
    assert plan == looped() and json.loads(plan.document())["version"] == 3
    assert [type(step).__name__ for step in plan.steps] == ["Launch", "Loop", "Launch", "HostStep", "HostStep", "HostStep"]
    assert len(plan.host_steps) == 3 and [loop.what for loop in plan.loops] == ["loop"]


@pytest.mark.device
@pytest.mark.parametrize("first", [1, 4, 10])
def test_runs(device: cl.Device, first: float) -> None:
    a = A + np.float32(first)
    runs = min(5, -(-10 // first))
    with Session(looped(), device) as session:
        for _ in range(2):
            outputs = session.run([a])
            np.testing.assert_array_equal(outputs["total"], a * np.float32(runs))
            np.testing.assert_array_equal(outputs["rows"], a * np.arange(1, runs + 1, dtype=np.float32)[:, None, None])
            assert outputs["found"].shape == (3, 6 * runs)
        timings = session.profile([a], repeat=2)
    assert [(t.kernel, t.variant, t.nodes) for t in timings[:2]] == [("begin", "begin", ("zeros",)), ("loop", "loop", ("while",))]


@pytest.mark.device
def test_no_run_and_no_row(device: cl.Device) -> None:
    plan = looped()
    kernels = (replace(plan.kernels[0], source=plan.kernels[0].source.replace("*go = 1", "*go = 0")), plan.kernels[1])
    with Session(replace(plan, kernels=kernels), device) as session:
        outputs = session.run([A])
    assert not outputs["total"].any() and outputs["rows"].shape == (0, *SHAPE) and outputs["rows"].dtype == np.float32


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a condition of more than a byte": (lambda loop: place(loop, "arena", 0, 512, 4), "launch 1: no byte of arena is its condition"),
    "a condition in an input": (lambda loop: place(loop, "input", 0, 0, 1), "launch 1: no byte of input is its condition"),
    "a condition outside": (lambda loop: place(loop, "arena", 0, 1024), "launch 1, condition: bytes 1024 + 1 lie outside of arena 0"),
    "a condition before": (lambda loop: place(loop, "arena", 0, -1), "lie outside of arena 0"),
    "a condition of no output": (lambda loop: place(loop, "output", 7, 0), "lie outside of output 7"),
    "no run": (lambda loop: loop.update(most=0), "launch 1: 0 runs"),
    "runs of another type": (lambda loop: loop.update(most="many"), "garbles"),
    "rows without a bound": (lambda loop: loop.update(most=None), "launch 1, row 0: float32[-1, 2, 3] of None runs"),
    "a launch of no kernel": (lambda loop: loop["body"][0].update(kernel=2), "launch 1, launch 0: no kernel 2"),
    "an argument outside": (lambda loop: loop["body"][0]["arguments"][1].__setitem__(2, 512), "lie outside of output 0"),
    "a step of no function": (lambda loop: loop["body"][1].update(host="system"), "launch 1, launch 1: no host function 'system'"),
    "no body": (lambda loop: loop.update(body=3), "garbles"),
    "a row outside": (lambda loop: place(loop["rows"][0], "output", 0, 512), "launch 1, row 0: bytes 512 + 24 lie outside of output 0"),
    "a row of other bytes": (lambda loop: place(loop["rows"][0], "output", 0, 0, 20), "launch 1, row 0: 20 bytes for 24"),
    "a row of a length": (lambda loop: loop["rows"][0]["stacked"].update(shape=[2, 2, 3]), "launch 1, row 0: float32[2, 2, 3] of 5 runs"),
    "a row of an open shape": (lambda loop: loop["rows"][0]["stacked"].update(shape=[-1, -1, 3]), "float32[-1, -1, 3] of 5 runs"),
    "a row of text": (lambda loop: loop["rows"][0]["stacked"].update(dtype="object", storage="object"), "no tensor object"),
    "a row stored otherwise": (lambda loop: loop["rows"][0]["stacked"].update(storage="float16"), "launch 1, row 0: float32"),
    "rows on the device": (lambda loop: place(loop["rows"][0]["stacked"], "arena"), "launch 1, row 0: an open shape in arena 1"),
    "rows in no output": (lambda loop: place(loop["rows"][0]["stacked"], "output", 3), "launch 1, row 0: an open shape in output 3"),
    "rows that nobody gathers": (lambda loop: loop.update(rows=[]), "launch 2, operand 0: no step before makes output 1 so"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=list(CHANGES))
def test_loops_that_contradict(tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    looped().write(tmp_path / "plan")

    def changed(document: dict[str, Any]) -> None:
        loop = document["launches"][1]
        loop["place"] = loop["condition"]  # by the name that operands and rows have for theirs
        change(loop)

    rewrite(tmp_path / "plan", changed)
    assert message in refusal(tmp_path / "plan")


def test_what_a_body_keeps_ends_with_the_run() -> None:
    """The body may never run: only rows outlive it."""
    plan = looped()
    loop, last = plan.launches[1], plan.launches[2]
    assert isinstance(loop, Loop)
    kept = loop.body[2]
    with pytest.raises(PlanError, match="launch 3, operand 0: no step before makes host 0 so"):
        replace(plan, launches=(*plan.launches[:2], last, kept))


def test_nesting(tmp_path: Path) -> None:
    plan = looped()
    inner = plan.launches[1]
    assert isinstance(inner, Loop)
    for _ in range(NESTING - 2):
        inner = replace(inner, body=(inner,), rows=())
    outer = replace(inner, body=(inner,), rows=looped().launches[1].rows)  # type: ignore[union-attr]
    replace(plan, launches=(plan.launches[0], outer, plan.launches[2])).write(tmp_path / "plan")
    assert len(Plan.read(tmp_path / "plan").loops) == NESTING
    with pytest.raises(PlanError, match=f"more than {NESTING} loops within one another"):
        replace(plan, launches=(plan.launches[0], replace(outer, body=(outer,)), plan.launches[2]))
    document = json.loads((tmp_path / "plan" / "plan.json").read_bytes())["launches"][1]

    def deep(whole: dict[str, Any]) -> None:
        for _ in range(300):
            whole["launches"][1] = {**document, "body": [whole["launches"][1]]}

    rewrite(tmp_path / "plan", deep)
    assert "loops within one another" in refusal(tmp_path / "plan")
