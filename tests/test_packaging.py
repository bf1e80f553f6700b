"""The wheel, as it is installed elsewhere: nothing missing, and a runtime that needs numpy and pyopencl alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("compiler", "runtime", "templates")

BUILD = "import sys, setuptools.build_meta as backend; print(backend.build_wheel(sys.argv[1]))"

RUN_RUNTIME = """
import pathlib, runpy, sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"flatbuffers", "jinja2", "networkx", "onnx", "PIL", "pygments", "rich", "tflite"}:
            raise ImportError(f"the runtime imports {name}")

sys.meta_path.insert(0, Forbidden())
site = sys.argv[1]
sys.path.insert(0, site)
import planish.runtime
assert pathlib.Path(planish.runtime.__file__).is_relative_to(site), planish.runtime.__file__
sys.argv[1:] = ["--help"]
runpy.run_module("planish.runtime", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel of this checkout is unpacked; setuptools works on a copy, for it writes beside."""
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip("building needs setuptools 77 or newer")
    checkout = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-c", BUILD, wheels], cwd=checkout, check=True, capture_output=True)
    (wheel,) = wheels.glob("planish-*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    return site


def test_wheel_holds_every_file(site: Path) -> None:
    def files(root: Path) -> set[str]:
        found = (path.relative_to(root) for folder in SOURCES for path in (root / folder).rglob("*") if path.is_file())
        return {path.as_posix() for path in found if "__pycache__" not in path.parts}

    assert files(site / "planish") == files(ROOT)


def test_runtime_runs_without_the_compilers_dependencies(site: Path) -> None:
    done = subprocess.run([sys.executable, "-c", RUN_RUNTIME, site], cwd=site, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()
