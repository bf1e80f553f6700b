"""Oclgrind finds what is wrong with a kernel, and nothing where nothing is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel_check import ROOT, library

KERNELS = '''
from dataclasses import replace
import numpy as np
import pytest
from planish.runtime import Session
from planish.runtime.devices import find
from planish.runtime.plan import Kernel
from tests.runtime.plans import ADD, SCALE, SHAPE, linear

@pytest.mark.device
@pytest.mark.parametrize(("old", "new"), [
    ("", ""),
    ("x[get_global_id(0)]", "x[get_global_id(0) + 1]"),
    ("w[0]", "w[1]"),
    ("y[get_global_id(0)] =", "if (get_global_id(0) != 3) y[get_global_id(0)] ="),
    ("y[get_global_id(0)] =", "y[0] = get_global_id(0); y[get_global_id(0)] ="),
], ids=["right", "beyond an input", "beyond its weights", "unwritten", "race"])
def test_kernel(old, new):
    a, b = np.ones(SHAPE, np.float32), np.ones(SHAPE, np.float32)
    plan = replace(linear(), kernels=(Kernel("scale", SCALE.replace(old, new, 1)), Kernel("add", ADD)))
    with Session(plan, find()) as session:
        session.run([a, b])
'''


@pytest.mark.skipif(library() is None, reason="Oclgrind is not installed")
def test_each_kind_of_fault_is_found(tmp_path: Path) -> None:
    path = tmp_path / "test_faults.py"
    path.write_text(KERNELS)
    command = [sys.executable, "-m", "tests.kernel_check", "-q", "-p", "no:cacheprovider", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "4 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    for said in ("Invalid read of size 4", "Uninitialized value", "data race"):
        assert said in done.stdout
