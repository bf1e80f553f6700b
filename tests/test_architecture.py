"""The arrows between modules: the compiler's point one way, and the runtime stands alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("compiler", "runtime")

ORDER = (
    "errors", "targets", "cost", "layout", "ir", "kernel", "access", "indexing", "mapping", "ops", "text", "frontend", "passes",
    "lower", "render", "memory", "megakernel", "bands", "emit", "launches", "tuning_database", "measure", "survey", "tune", "driver",
    "onnx_backend", "report", "operators", "pictures", "arguments", "keep", "progress", "analyze", "inspect", "verify", "__init__",
    "cli", "__main__",
)  # fmt: skip
"""Units of the compiler, a file or a folder each: every one imports itself and those before it."""

SHARED = {"plan", "errors", "devices", "needs", "host"}
"""Modules of the runtime that all of the compiler may use."""

RUNS_PLANS = {"measure", "tune", "driver", "onnx_backend", "pictures", "progress", "inspect", "verify", "cli"}
"""Units of the compiler that may use the rest of it."""

ASKS_COMPILER = "models.py"
"""The module of the runtime that imports the compiler, when it is given a model; within a function, so that the rest does without."""


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """The absolute dotted name of each import in a file, lazy ones and those of names included."""
    package = ("planish", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            yield from ((*base, alias.name) for alias in node.names)


def unit(parts: tuple[str, ...]) -> str:
    """The unit of the compiler that a dotted name below `planish.compiler` belongs to."""
    head = parts[0] if parts else "__init__"
    inside = (ROOT / "compiler" / head).is_dir() or (ROOT / "compiler" / f"{head}.py").exists()
    return head if inside else "__init__"


@pytest.mark.parametrize("path", modules("compiler"), ids=lambda path: str(path.relative_to(ROOT)))
def test_compiler_arrows_point_one_way(path: Path) -> None:
    here = unit((path.relative_to(ROOT / "compiler").parts[0].removesuffix(".py"),))
    assert here in ORDER, f"give compiler/{here} its place in ORDER"
    for name in imported(path):
        dotted = ".".join(name)
        if name[:2] == ("planish", "compiler"):
            assert ORDER.index(unit(name[2:])) <= ORDER.index(here), f"{here} must not import {dotted}"
        elif name[:2] == ("planish", "runtime"):
            assert here in RUNS_PLANS or not SHARED.isdisjoint(name[2:3]), f"{here} must not import {dotted}"
        assert name[0] not in SOURCES, f"import planish.{dotted}"
        assert name[0] != "networkx" or here == "ir", "networkx stays in ir.py"


@pytest.mark.parametrize("path", modules("runtime"), ids=lambda path: str(path.relative_to(ROOT)))
def test_runtime_stands_alone(path: Path) -> None:
    allowed = {"numpy", "pyopencl"} | sys.stdlib_module_names
    for name in imported(path):
        asks = path.name == ASKS_COMPILER and name[:2] == ("planish", "compiler")
        assert asks or name[0] in allowed or name[:2] == ("planish", "runtime"), ".".join(name)


def test_runtime_is_imported_without_the_compiler() -> None:
    """Nor anything else that only the compiler needs."""
    names = [f"planish.runtime.{path.stem}" for path in modules("runtime") if not path.stem.startswith("__")]
    wanted = f"import sys, {', '.join(names)}; print(*{{name.split('.')[0] for name in sys.modules}}, 'planish.compiler' in sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", wanted], capture_output=True, text=True, check=True, cwd=ROOT.parent).stdout.split()
    assert loaded[-1] == "False"
    assert {"flatbuffers", "jinja2", "ml_dtypes", "networkx", "onnx", "PIL", "rich", "tflite"}.isdisjoint(loaded)
