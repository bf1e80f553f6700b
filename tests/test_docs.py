"""What the documentation says is so: its links lead somewhere, its code runs, its options are those of the parsers."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyopencl as cl
import pytest

from planish.compiler import cli, compile_model, passes, targets
from planish.runtime import Plan, cache, drivers, load
from tests.test_architecture import ORDER

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(page for pattern in ("*.md", "docs/*.md", "benchmarks/*.md", "examples/**/*.md") for page in ROOT.glob(pattern))
FENCE = re.compile(r"^```(\w*)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A block of code: its language, perhaps the file that it is of, its text."""
PATH = re.compile(r"`((?:compiler|runtime|templates|tests|docs|examples|benchmarks)/[a-z0-9_./]*\.(?:py|md|j2|json|txt|tflite|onnx|png))`")


def pages(*languages: str) -> list[Any]:
    """Those with a block of code in one of the languages."""
    found = [p for p in PAGES if any(True for language in languages for _ in blocks(p, language))]
    return [pytest.param(p, id=str(p.relative_to(ROOT))) for p in found]


def blocks(page: Path, language: str) -> Iterator[str]:
    """The texts of those in a language that are of no file."""
    return (text for found, file, text in FENCE.findall(page.read_text()) if found == language and not file)


def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings make, as GitHub does."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the examples where the repository's root has them."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    prose = FENCE.sub("", page.read_text())
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose):
        path, _, fragment = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not fragment or fragment in anchors(target), link
    made = {file for _, file, _ in FENCE.findall(page.read_text())}
    for path in PATH.findall(prose):
        assert (ROOT / path).exists() or path in made, path


def test_the_house_is_as_drawn() -> None:
    """docs/design.md lists the compiler's units in the order of their arrows, every module of the runtime, and every template."""
    page = (ROOT / "docs/design.md").read_text()
    drawn = [line.split()[0].removesuffix(".py").rstrip("/") for line in re.findall(r"^  (\w.*)$", page, re.MULTILINE)]
    units = [unit for unit in ORDER if (ROOT / f"compiler/{unit}.py").exists() or (ROOT / "compiler" / unit).is_dir()]
    assert drawn[: len(units) - 2] == [unit for unit in units if not unit.startswith("__")]
    house = page.partition("runtime/  ")[2].partition("```")[0]
    assert {*re.findall(r"\w+\.py", house)} == {p.name for p in ROOT.glob("runtime/*.py") if not p.name.startswith("__")}
    table = page.partition("| template |")[2].partition("\n\n")[0]
    named = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named == {p.name.removesuffix(".cl.j2") for p in ROOT.glob("templates/*.j2")}


@pytest.mark.device
@pytest.mark.parametrize("page", pages("python"))
def test_python_runs(page: Path, bench: Path) -> None:
    names: dict[str, Any] = {"__name__": page.stem}
    for code in blocks(page, "python"):
        exec(compile(code, page.name, "exec"), names)


@pytest.mark.device
def test_commands_of_the_readme_run(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for code in blocks(ROOT / "README.md", "sh") for line in code.splitlines() if line.startswith("planish ")]
    for line in lines:
        assert cli.main(shlex.split(line, comments=True)[1:]) == 0, capsys.readouterr().err
    assert len(lines) >= 2


@pytest.mark.device
def test_recipes(tmp_path: Path) -> None:
    """Done in a copy, the recipes of CONTRIBUTING.md pass their tests; what they add to the tests is really run."""
    for name in ("compiler", "runtime", "templates", "tests", "typings"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "golden"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    tests = []
    for language, name, text in FENCE.findall((ROOT / "CONTRIBUTING.md").read_text()):
        if not name:
            continue
        file = tmp_path / name
        if language == "diff":
            old, new = ("".join(line[1:] for line in text.splitlines(True) if line[0] == sign) for sign in "-+")
            assert file.read_text().count(old) == 1
            text = file.read_text().replace(old, new)
        elif file.exists():
            text = file.read_text().replace("\nRULES = (", f"\n{text}\n\nRULES = (")
        else:
            tests += [name] if name.startswith("tests/") else []
        file.write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "typings")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert re.search(r"^1[0-9] passed", done.stdout, re.MULTILINE), done.stdout


def options(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings} - {"-h", "--help"}


def test_every_option_is_documented() -> None:
    (commands,) = (a for a in cli._parser()._actions if isinstance(a, argparse._SubParsersAction))
    sections = dict(re.findall(r"^## planish (\w+)\n(.*?)(?=^## |\Z)", (ROOT / "docs/cli.md").read_text(), re.MULTILINE | re.DOTALL))
    assert set(sections) == set(commands.choices)
    for name, parser in commands.choices.items():
        rows = re.findall(r"^\| (`-.*?) \|", sections[name], re.MULTILINE)
        assert {option for row in rows for option in re.findall(r"(?<!\w)--?[a-z][a-z0-9-]*", row)} == options(parser), name
    words = set(re.findall(r"`([\w-]+)`", sections["compile"]))
    assert words >= {*targets.NAMES, "import", *passes.NAMES}


def test_every_variable_is_documented() -> None:
    page = (ROOT / "docs/cli.md").read_text()
    rows = set(re.findall(r"`([A-Z_]{4,})`", page.partition("## Environment")[2]))
    sources = "".join(p.read_text() for p in (*ROOT.glob("runtime/*.py"), *ROOT.glob("compiler/**/*.py")))
    read = set(re.findall(r"""environ(?:\.get\(|\[)["'](\w+)["']""", sources)) | set(drivers.FIXED_BY_USER)
    assert rows - {"NO_COLOR"} == read
    assert cache.folder.__doc__ and "PLANISH_CACHE" in cache.folder.__doc__


def keys(document: Any) -> Any:
    """The names of a document's fields, of the first entry of its lists."""
    if isinstance(document, dict):
        return {key: keys(value) for key, value in document.items()}
    return [keys(document[0])] if isinstance(document, list) and document and isinstance(document[0], dict) else None


@pytest.fixture(scope="module")
def plan() -> Plan:
    plan, _ = compile_model(ROOT / "examples/upscaler/upscaler.tflite", "cpu")
    assert plan is not None
    return plan


def test_fields_of_the_plan(plan: Plan) -> None:
    (example,) = blocks(ROOT / "docs/plan.md", "json")
    assert keys(json.loads(example)) == keys(json.loads(plan.document()))
    assert len(plan.document().splitlines(keepends=True)[-2]) + len("}\n") == 80


def test_arguments_of_a_launch_are_the_same_or_apart(plan: Plan) -> None:
    for launch in plan.launches:
        for a, b in combinations([a for a in launch.arguments if a.buffer in ("arena", "output")], 2):
            apart = (a.buffer, a.index) != (b.buffer, b.index) or a.offset + a.nbytes <= b.offset or b.offset + b.nbytes <= a.offset
            assert a == b or apart


@pytest.mark.device
def test_runtime_of_the_page_whatever_the_arena_holds(plan: Plan, bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buffers full of NaN change nothing: kernels read only what has been written in the same run."""
    names: dict[str, Any] = {}
    exec(next(blocks(ROOT / "docs/plan.md", "python")), names)
    plan.write(bench / "plan")
    image = np.random.default_rng(0).random(plan.inputs[0].shape, np.float32)
    with load(bench / "plan") as session:
        expected = session.run([image])
    make = cl.Buffer

    def poisoned(context: cl.Context, flags: int, nbytes: int) -> cl.Buffer:
        return make(context, flags | cl.mem_flags.COPY_HOST_PTR, hostbuf=np.full(nbytes, 0xFF, np.uint8))

    monkeypatch.setattr(cl, "Buffer", poisoned)
    actual = names["run"](bench / "plan", session.device, {"image": image})
    np.testing.assert_array_equal(actual["upscaled"], expected["upscaled"])
