"""`python -m planish.runtime`: running a plan from the command line, where nothing but the runtime is installed too."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyopencl as cl
import pytest

from planish.runtime import PlanError, Tensor
from planish.runtime.cli import guarded, main
from planish.runtime.errors import one_line
from tests.runtime.plans import SHAPE, expected, linear

ROOT = Path(__file__).resolve().parents[2]
A, B = np.arange(6, dtype=np.float32).reshape(SHAPE), np.full(SHAPE, 0.5, np.float32)

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands run: beside a plan and its inputs."""
    monkeypatch.chdir(tmp_path)
    linear().write("plan")
    np.save("a.npy", A)
    np.save("b.npy", B)
    return tmp_path


HINT = "(python -m planish.runtime --help says what is accepted)"


def refused(capsys: Capture, *arguments: str) -> str:
    """The one line with which a command is refused, without the word in front."""
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.endswith("\n")
    assert err[:-1].isprintable()
    return err[len("error: ") : -1]


# -- running


@pytest.mark.device
def test_outputs_are_written(capsys: Capture, device: cl.Device) -> None:
    assert main(["plan", "--input", "a=a.npy", "--input", "b=b.npy", "-o", "deep/out", "--repeat", "3"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert device.name.strip() in lines[0]
    assert re.fullmatch(r"loaded in \d+\.\d{3} s; \d+\.\d{3} ms a run \(median of 3, least \d+\.\d{3}\)", lines[1])
    assert lines[2:] == [
        "total: float32[2, 3] from 0.5 to 10.5, mean 5.5", "thrice: float32[2, 3] from 0 to 15, mean 7.5",
        "wrote deep/out/total.npy", "wrote deep/out/thrice.npy",
    ]  # fmt: skip
    for name, array in expected(A, B).items():
        np.testing.assert_array_equal(np.load(f"deep/out/{name}.npy"), array)


@pytest.mark.device
def test_noise_stands_in_for_inputs_and_is_the_same_each_time(capsys: Capture) -> None:
    for out in ("one", "two"):
        assert main(["plan", "--input", "b=b.npy", "-o", out, "--repeat", "0"]) == 0
        assert "noise as input: a\n" in capsys.readouterr().out
    np.testing.assert_array_equal(np.load("one/total.npy"), np.load("two/total.npy"))
    assert np.ptp(np.load("one/thrice.npy")) > 0.1


@pytest.mark.device
def test_profile_is_shown(capsys: Capture) -> None:
    assert main(["plan", "--profile", "--repeat", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(k for k, line in enumerate(lines) if line.split()[:2] == ["#", "µs"])
    assert [line.split()[0] for line in lines[head + 1 : head + 4]] == ["0", "1", "2"]
    assert lines[head + 4].endswith("in 3 launches")


@pytest.mark.device
def test_an_only_input_needs_no_name() -> None:
    plan = linear()
    triple = plan.launches[1]
    triple = replace(triple, arguments=(*triple.arguments[:2], replace(triple.arguments[2], index=0)))
    replace(plan, inputs=plan.inputs[:1], outputs=plan.outputs[:1], launches=(triple,)).write("single")
    shutil.copy("a.npy", "x=y.npy")
    for given in ("a.npy", "a=a.npy", "x=y.npy"):
        assert main(["single", "--input", given, "-o", "out"]) == 0
        np.testing.assert_array_equal(np.load("out/total.npy"), 3 * A)


@pytest.mark.device
def test_names_of_a_model_become_files_and_text_that_do_no_harm(capsys: Capture) -> None:
    names = ("../../up\x1b[31m\n", "..?..?UP_[31m_", "", "." * 300, "ä=b")
    plan = linear()
    outputs = tuple(Tensor(name, SHAPE, "float32") for name in names)
    replace(plan, outputs=outputs, inputs=(Tensor("a=\x1b[2J", SHAPE, "float32"), *plan.inputs[1:])).write("wild")
    assert main(["wild", "--input", "a=\x1b[2J=a.npy", "-o", "out/in", "--repeat", "0"]) == 0
    out = capsys.readouterr().out
    assert all(line.isprintable() for line in out.splitlines())
    files = sorted(p.name for p in Path("out/in").iterdir())
    assert len(files) == len(names)
    assert [p.name for p in Path("out").iterdir()] == ["in"]
    assert max(map(len, files)) < 100


# -- refusals


@pytest.mark.device
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--input", "c=a.npy"], "no input 'c'; the inputs are: a float32[2, 3], b float32[2, 3]"),
        (["--input", "a.npy"], "--input a.npy: give it as NAME=FILE; the inputs are: a float32[2, 3], b float32[2, 3]"),
        (["--input", "a=a.npy", "--input", "a=b.npy"], "input 'a' is given twice: a.npy, b.npy"),
        (["--input", "a=no.npy"], "input 'a': no such file: no.npy"),
        (["--input", "a=plan"], "input 'a': no such file: plan"),
        (["--input", "a=no\n\x1b.npy"], r"input 'a': no such file: no \x1b.npy"),
        (["--input", "a=text.npy"], "input 'a': text.npy is not a whole array (.npy)"),
        (["--input", "a=cut.npy"], "input 'a': cut.npy is not a whole array (.npy)"),
        (["--input", "a=empty.npy"], "input 'a': empty.npy is not a whole array (.npy)"),
        (["--input", "a=objects.npy"], "input 'a': objects.npy is not a whole array (.npy)"),
        (["--input", "a=many.npz"], "input 'a': many.npz is not a whole array (.npy)"),
        (["--input", "a=turned.npy"], "input 'a' has shape [3, 2]; [2, 3] is accepted"),
        (["--input", "a=double.npy"], "input 'a' has dtype float64; float32 is accepted"),
    ],
)
def test_inputs_that_do_not_fit(folder: Path, capsys: Capture, arguments: list[str], line: str) -> None:
    Path("text.npy").write_text("no array")
    Path("empty.npy").touch()
    Path("cut.npy").write_bytes(Path("a.npy").read_bytes()[:-3])
    np.save("turned.npy", A.T)
    np.save("double.npy", A.astype(np.float64))
    np.save("objects.npy", np.array([{}, []], object), allow_pickle=True)
    np.savez("many.npz", a=A)
    assert refused(capsys, "plan", *arguments, "-o", "out") == line
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], f"the following arguments are required: plan {HINT}"),
        (["plan", "--fast"], f"unrecognized arguments: --fast {HINT}"),
        (["plan", "--repeat", "x"], f"argument --repeat: 'x' is not a number of runs {HINT}"),
        (["no"], "no plan at no: there is no such folder; `planish compile MODEL -o no` makes one"),
        (["a.npy"], "a.npy is a file, and a plan is a folder; `planish compile` makes one of a model"),
        (["."], ". is not a plan, or an incomplete one: plan.json: No such file or directory"),
    ],
)
def test_what_is_no_plan(capsys: Capture, arguments: list[str], line: str) -> None:
    assert refused(capsys, *arguments) == line


@pytest.mark.parametrize("file", ["plan.json", "weights.bin", "kernels/scale.cl"])
def test_damaged_plans(capsys: Capture, file: str) -> None:
    path = Path("plan", file)
    data = path.read_bytes()
    path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
    assert f"plan/{file} " in (line := refused(capsys, "plan"))
    assert line.endswith("; compile the model again")
    path.unlink()
    assert "incomplete" in refused(capsys, "plan")


def test_plans_of_the_future(capsys: Capture) -> None:
    path = Path("plan/plan.json")
    document = json.loads(path.read_bytes()) | {"version": 99}
    path.write_text(json.dumps(document))
    assert refused(capsys, "plan") == (
        "plan/plan.json has version 99; this runtime reads up to 5: update planish, or compile the model again"
    )


def test_unknown_device(capsys: Capture) -> None:
    assert re.match(r"no OpenCL device fits 'toaster'; present: \d+:\d+ ", refused(capsys, "plan", "--device", "toaster"))


@pytest.mark.device
@pytest.mark.parametrize("out", ["a.npy", "a.npy/out", "/dev/null/out"])
def test_outputs_that_cannot_be_written(folder: Path, capsys: Capture, out: str) -> None:
    assert main(["plan", "-o", out, "--repeat", "0"]) == 1
    err = capsys.readouterr().err
    assert re.fullmatch(rf"error: cannot write to {out}: (File exists|Not a directory)\n", err)
    np.testing.assert_array_equal(np.load("a.npy"), A)


def fail(error: BaseException) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "line", "status"),
    [
        (PlanError("a\nb\tc\x1b[31m\u2028d\udcff"), r"error: a b\tc\x1b[31m d\udcff", 1),
        (MemoryError(), "error: out of memory", 1),
        (OSError(28, "No space left on device", "out/x"), "error: out/x: No space left on device", 1),
        (OSError("odd"), "error: output: odd", 1),
        (KeyboardInterrupt(), "error: interrupted", 130),
    ],
)
def test_errors_are_one_line(error: BaseException, line: str, status: int) -> None:
    lines: list[str] = []
    assert guarded(fail(error), show=lines.append) == status
    assert lines == [line]


def test_faults_of_the_program_keep_their_traceback() -> None:
    with pytest.raises(AssertionError):
        guarded(fail(AssertionError()))


def test_one_line() -> None:
    assert one_line("plain ä 漢 'x'") == "plain ä 漢 'x'"
    assert one_line("a\r\nb\x85c\x00\x7f\u202e") == r"a b c\x00\x7f\u202e"


# -- alone


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """A folder with the runtime and nothing else of this project."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "runtime", site / "planish" / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    return site


@pytest.mark.device
def test_the_runtime_runs_alone(alone: Path) -> None:
    """Without the compiler, its templates, or anything that it depends on."""
    code = f"""
import runpy, sys
sys.path.insert(0, {str(alone)!r})
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in repr(f)]
for name in ("jinja2", "networkx", "onnx", "tflite", "flatbuffers", "PIL", "rich", "planish.compiler"):
    sys.modules[name] = None
import planish.runtime
assert planish.runtime.__file__.startswith({str(alone)!r}), planish.runtime.__file__
sys.argv[1:] = ["plan", "--input", "a=a.npy", "--input", "b=b.npy", "-o", "out"]
runpy.run_module("planish.runtime", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    for name, array in expected(A, B).items():
        np.testing.assert_array_equal(np.load(f"out/{name}.npy"), array)
