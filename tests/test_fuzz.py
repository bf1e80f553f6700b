"""A sample of the fuzzer's cases; `make fuzz` runs all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs limits of processes, and fork")


@LINUX
@pytest.mark.slow
def test_a_sample() -> None:
    """Of 400 cases none ends in a fault; the table says what they end in."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz", "--cases", "400", "--seed", "1", "--jobs", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()[1:]}
    assert int(rows["all"][-1]) == 400
    assert {"plan", "ModelError", "PlanError", "UnsupportedError"} <= rows.keys()
