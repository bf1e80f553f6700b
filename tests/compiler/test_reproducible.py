"""The same model, target and options give the same plan, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from pathlib import Path
from planish.compiler import driver
from tests.compiler.test_golden import UPSCALER, branched
from planish.compiler.targets import named

out = Path(sys.argv[1])
for target in ("cpu", "generic"):
    for name in ("upscaler.tflite", "upscaler.onnx"):
        plan, _ = driver.compile_model(UPSCALER / name, named(target), precision=sys.argv[2], dump_ir=out / f"{name}.{target}.dump")
        plan.write(out / f"{name}.{target}")
    driver.compile_graph(branched(), named(target), precision=sys.argv[2]).write(out / f"branched.{target}")
"""


@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_two_processes_with_other_hashes_give_the_same_bytes(tmp_path: Path, precision: str) -> None:
    found = []
    for seed in ("1", "2"):
        out = tmp_path / seed
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", SCRIPT, str(out), precision], check=True, env=environment, cwd=ROOT)
        found.append({str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()})
    first, second = found
    assert list(first) == list(second)
    assert len([name for name in first if name.endswith("plan.json")]) == 6
    assert [name for name in first if first[name] != second[name]] == []
