"""The command line: what it prints and writes, and every error as one line that loses nothing."""

from __future__ import annotations

import os
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyopencl as cl
import pytest
from onnx import helper

from planish.compiler import passes, targets
from planish.compiler.cli import main
from planish.runtime import Plan
from tests.oracles import onnx_model, write
from tests.tflite_writer import TfliteWriter

ROOT = Path(__file__).resolve().parents[2]
UPSCALER = ROOT / "examples" / "upscaler" / "upscaler.onnx"
COMMAND = (sys.executable, "-m", "planish.compiler")

Capture = pytest.CaptureFixture[str]


def relu(shape: tuple[int, ...] = (1, 8, 8, 3), name: str = "x", op: str = "RELU", **given: Any) -> bytes:
    m = TfliteWriter()
    m.output(m.op(op, [m.input(name, shape, "float32", **given)], shape=shape, dtype="float32"))
    return m.finish()


def open_onnx(*dims: int | str | None) -> bytes:
    node = helper.make_node("Relu", ["image"], ["y"])
    return onnx_model([node], {"image": (np.float32, dims or ("batch", 3, None, 8))}, ["y"]).SerializeToString()


def strange_tflite() -> bytes:
    """Two operators of which nobody heard, and one that follows from them."""
    m = TfliteWriter()
    a = m.op("CUSTOM", [m.input("x", (2, 2), "float32")], shape=(2, 2), dtype="float32", custom_code="Mystery")
    b = m.op("RELU", [a], shape=(2, 2), dtype="float32")
    m.output(m.op("SKIP_GRAM", [b], shape=(2,), dtype="float32"))
    return m.finish()


def strange_onnx(op: str = "Enigma") -> bytes:
    nodes = [helper.make_node(op, ["x"], ["a"], "first"), helper.make_node("Reshape", ["x", "a"], ["y"], "second"),
             helper.make_node("Multinomial", ["x"], ["z"], "third")]  # fmt: skip
    return onnx_model(nodes, {"x": (np.float32, (2, 2))}, ["y", "z"]).SerializeToString()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refused(capsys: Capture, *arguments: object) -> str:
    """The one line with which the command line refuses its arguments, without the word in front."""
    assert main([str(a) for a in arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    assert err[:-1].isprintable()
    assert err.startswith("error: ")
    return err[len("error: ") : -1]


def says(line: str, *fragments: str) -> None:
    for fragment in fragments:
        assert fragment in line, line


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands run, and where a model and its plan lie."""
    monkeypatch.chdir(tmp_path)
    Path("model.tflite").write_bytes(relu())
    return tmp_path


@pytest.fixture
def plan(folder: Path, capsys: Capture) -> Path:
    assert main(["compile", "model.tflite", "--target", "cpu"]) == 0
    capsys.readouterr()
    return folder / "model.plan"


# -- compiling


def test_summary(capsys: Capture) -> None:
    assert main(["compile", str(UPSCALER), "-o", "up", "--target", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    rows = dict(line.split(maxsplit=1) for line in out.splitlines())
    plan = Plan.read("up")
    nodes = re.fullmatch(r"(\d+) -> (\d+), in (\d+) launches of (\d+) kernels", rows["nodes"])
    assert nodes
    before, after, launches, kernels = map(int, nodes.groups())
    assert before > after
    assert (launches, kernels) == (len(plan.launches), len(plan.kernels))
    assert re.search(r"\b\d+ add, \d+ relu\b", rows["fused"])
    assert rows["weights"] == f"{len(plan.weights) / 1e6:.2f} MB"
    assert rows["arena"].startswith(f"{plan.arena / 1e6:.2f} MB (")
    assert rows["target"] == "cpu, 16 channels a block, f32"
    assert re.fullmatch(r"up, \d+\.\d\d s", rows["plan"])


def test_what_was_pruned_is_told(capsys: Capture) -> None:
    nodes = [helper.make_node("Dropout", ["x"], ["a"]), helper.make_node("Identity", ["a"], ["b"]), helper.make_node("Relu", ["b"], ["y"])]
    model = write(Path(), onnx_model(nodes, {"x": (np.float32, (2, 3))}, ["y"]))
    assert main(["compile", str(model), "--target", "cpu"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^nodes +3 -> 1, in 1 launches", out)
    assert re.search(r"^pruned +2 \w+$", out, re.MULTILINE)


def test_a_plan_lies_beside_its_model_where_nothing_else_is_said(folder: Path, plan: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == ["model.plan", "model.tflite"]
    assert [t.shape for t in Plan.read(plan).inputs] == [(1, 8, 8, 3)]


def test_compiling_again_gives_the_same_bytes(plan: Path) -> None:
    before = contents(plan)
    assert main(["compile", "model.tflite", "--target", "cpu"]) == 0
    assert contents(plan) == before


@pytest.mark.parametrize("target", targets.NAMES[1:])
def test_a_named_target_asks_for_no_device(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> None:
        raise AssertionError("the platforms were asked for")

    monkeypatch.setattr("planish.runtime.drivers.platforms", asked)
    monkeypatch.setattr(cl, "get_platforms", asked)
    assert main(["compile", "model.tflite", "--target", target, "--precision", "f16"]) == 0
    provenance = Plan.read("model.plan").provenance
    assert (provenance["target"], provenance["precision"]) == ({"gpu": "generic"}.get(target, target), "f16")


def test_the_device_decides_where_no_target_is_named(device: cl.Device) -> None:
    assert main(["compile", "model.tflite", "--device", "cpu"]) == 0
    assert Plan.read("model.plan").provenance["target"] == "cpu"


def test_input_shapes(capsys: Capture) -> None:
    Path("open.onnx").write_bytes(open_onnx())
    assert main(["compile", "open.onnx", "--target", "cpu", "--input-shape", "image=2,3,5,8"]) == 0
    assert Plan.read("open.plan").inputs[0].shape == Plan.read("open.plan").outputs[0].shape == (2, 3, 5, 8)


def test_dims_and_batch(capsys: Capture) -> None:
    Path("open.onnx").write_bytes(open_onnx("n", 3, "t"))
    for options in (["--dim", "n=2", "--dim", "t=5"], ["--batch", "2", "--dim", "t=5"]):
        assert main(["compile", "open.onnx", "--target", "cpu", *options]) == 0
        assert Plan.read("open.plan").inputs[0].shape == (2, 3, 5)


def test_a_model_is_known_by_its_content(folder: Path) -> None:
    Path("model.bin").write_bytes(relu())
    assert main(["compile", "model.bin", "--target", "cpu", "-o", "deep/er/plan"]) == 0
    assert Plan.read("deep/er/plan").provenance["source"] == "model.bin"


def test_dumps_are_numbered(folder: Path, capsys: Capture) -> None:
    assert main(["compile", str(UPSCALER), "-o", "up", "--target", "cpu", "--dump-ir", "ir"]) == 0
    names = [f"{k:02}-{name}.txt" for k, name in enumerate(("import", *passes.NAMES))]
    assert sorted(p.name for p in Path("ir").iterdir()) == names
    assert "Conv2D" in Path("ir/00-import.txt").read_text()


@pytest.mark.parametrize("stage", ["import", *passes.NAMES])
def test_stopping_writes_no_plan(folder: Path, capsys: Capture, stage: str) -> None:
    assert main(["compile", str(UPSCALER), "-o", "up", "--target", "cpu", "--stop-after", stage, "--dump-ir", "ir"]) == 0
    assert not Path("up").exists()
    assert max(Path("ir").iterdir()).name.endswith(f"-{stage}.txt")
    assert re.search(rf"^stopped +after {stage}, \d+\.\d\d s; no plan written$", capsys.readouterr().out, re.MULTILINE)


def test_explain(capsys: Capture) -> None:
    """Passes, and below each what its rules did, and did not do, and why."""
    assert main(["compile", str(UPSCALER), "-o", "up", "--target", "cpu", "--explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    heads = [line for line in lines if line in passes.NAMES]
    assert heads == [name for name in passes.NAMES if name in heads]
    assert {"fuse", "layout"} < set(heads)
    fused = lines[lines.index("fuse") + 1 : lines.index("layout")]
    assert any(re.fullmatch(r"  \+  \w+ +relu '.+' +joined .+ \(Conv2D\)", line) for line in fused)
    assert any(re.fullmatch(r"  -  \w+ +\w+ '.+' +\S.+", line) for line in lines)


def test_verbose(capsys: Capture) -> None:
    assert main(["compile", str(UPSCALER), "-o", "up", "--target", "cpu", "-v"]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(k for k, line in enumerate(lines) if line.split() == ["#", "kernel", "grid", "MFLOP", "MB", "nodes"])
    assert [line.split()[0] for line in lines[:head]] == ["import", *passes.NAMES, "lower", "place", "render"]
    launches = Plan.read("up").launches
    for k, (line, launch) in enumerate(zip(lines[head + 1 :], launches)):
        assert line.split()[0] == str(k)
        says(line, launch.variant, ", ".join(launch.nodes))
    assert lines[head + 1 + len(launches)].startswith("nodes")


def test_names_of_a_model_cannot_steer_the_terminal(capsys: Capture) -> None:
    name = "a\x1b[31m\n[bold]:smile:\udcff"
    nodes = [helper.make_node("Identity", ["x"], ["a"], name[:-1]), helper.make_node("Relu", ["a"], ["y"])]
    model = Path(f"{name}.onnx")
    model.write_bytes(onnx_model(nodes, {"x": (np.float32, (2, 3))}, ["y"]).SerializeToString())
    assert main(["compile", str(model), "--target", "cpu", "--explain", "-v", "--dump-ir", "ir"]) == 0
    out = capsys.readouterr().out + Path("ir/00-import.txt").read_text(encoding="utf-8")
    assert r" 'a\x1b[31m [bold]:smile:' " in out
    assert "\x1b" not in out
    assert "\udcff" not in out


# -- the terminal


def on_terminal(*command: object) -> tuple[str, str]:
    """Standard output (a pipe) and standard error (a terminal) of a command that succeeds."""
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")} | {"TERM": "xterm"}
    with subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment) as process:
        os.close(theirs)
        shown = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                read = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not read:
                break
            shown += read
        out = process.stdout.read() if process.stdout else ""
        assert process.wait() == 0, shown
    os.close(ours)
    return out, shown.decode()


def test_progress_is_shown_on_a_terminal_only() -> None:
    out, err = on_terminal(*COMMAND, "compile", "model.tflite", "--target", "cpu")
    assert "model.tflite" in err
    assert out.startswith("nodes")
    done = subprocess.run([*COMMAND, "compile", "model.tflite", "--target", "cpu"], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.device
def test_progress_of_running(plan: Path) -> None:
    out, err = on_terminal(*COMMAND, "run", "model.plan")
    assert err == "loading model.plan ...\r\x1b[Krunning model.plan ...\r\x1b[K"
    assert "\x1b" not in out
    done = subprocess.run([*COMMAND, "run", "model.plan"], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize("to", ["/dev/full", "closed"])
def test_an_output_that_takes_nothing(to: str) -> None:
    if to == "closed":
        read, stdout = os.pipe()
        os.close(read)
    else:
        stdout = os.open(to, os.O_WRONLY)
    done = subprocess.run([*COMMAND, "compile", "model.tflite", "--target", "cpu", "-v"], stdout=stdout, stderr=subprocess.PIPE, text=True)
    os.close(stdout)
    assert done.returncode == 1
    assert done.stderr == ("" if to == "closed" else "error: output: No space left on device\n")
    assert Plan.read("model.plan").launches


# -- errors of compiling


def text(name: str, content: str | bytes) -> Path:
    path = Path(name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


Refusal = tuple[Callable[[], list[object]], tuple[str, ...]]

REFUSALS: dict[str, Refusal] = {
    "missing": (lambda: ["no.onnx"], ("no.onnx: no such file",)),
    "folder": (lambda: ["."], (".: is a directory", ".tflite or .onnx file would be accepted")),
    "nothing named": (lambda: [""], (".: is a directory",)),
    "in a file": (lambda: ["model.tflite/x"], ("model.tflite/x: cannot be read: Not a directory",)),
    "empty": (lambda: [text("e.onnx", b"")], ("e.onnx: the file is empty",)),
    "text": (lambda: [text("t.txt", "hello world, this is text")], ("t.txt: neither a TFLite flatbuffer nor an ONNX protobuf",)),
    "picture": (lambda: [ROOT / "examples/upscaler/picture.png"], ("picture.png: neither a TFLite flatbuffer nor an ONNX",)),
    "truncated tflite": (lambda: [text("t.tflite", relu()[:200])], ("t.tflite: ", "damaged")),
    "truncated onnx": (lambda: [text("t.onnx", UPSCALER.read_bytes()[:9000])], ("t.onnx: ", "damaged or truncated ONNX protobuf")),
    "operators of tflite": (
        lambda: [text("s.tflite", strange_tflite())],
        ("s.tflite: 2 nodes not supported: ", "Mystery 'mystery_0': no such operator is supported", "SKIP_GRAM 'skip_gram_2': no such",
         "(`planish ops` lists those that are)"),
    ),
    "operators of onnx": (
        lambda: [text("s.onnx", strange_onnx())],
        ("s.onnx: 2 nodes not supported: ", "Enigma 'first': no such operator is supported", "Multinomial 'third': no such operator",
         "(`planish ops` lists those that are)"),
    ),
    "operators with strange names": (
        lambda: [text("s.onnx", strange_onnx("\x1b[2J[red]\r\n:bug:"))], (r"\x1b[2J[red] :bug: 'first': no such operator",),
    ),
    "a file with a strange name": (lambda: ["a\n\x1b[31m\udcff[/red].onnx"], (r"a \x1b[31m\udcff[/red].onnx: no such file",)),
    "open dimension": (
        lambda: [text("o.onnx", open_onnx())],
        ("o.onnx: input 'image': the model leaves dimension 0 ('batch'), dimension 2 of [batch,3,?,8] open", "--input-shape image=1,3,1,8"),
    ),
    "open dimension of tflite": (
        lambda: [text("o.tflite", relu((1, 4), signature=(-1, 4)))], ("input 'x'", "dimension 0 of [?,4] open", "--batch 1"),
    ),
    "shape of no input": (lambda: ["model.tflite", "--input-shape", "z=1"], ("model.tflite: no input 'z'; the inputs are 'x'",)),
    "shape of another rank": (
        lambda: ["model.tflite", "--input-shape", "x=1,8"], ("input 'x': shape [1,8] does not fit [1,8,8,3]: it has 2 dimensions",),
    ),
    "shape that conflicts": (
        lambda: ["model.tflite", "--input-shape", "x=1,8,9,3"], ("shape [1,8,9,3] does not fit [1,8,8,3]: dimension 2 is 8",),
    ),
    "value of no input": (lambda: ["model.tflite", "--input-value", "z=1"], ("model.tflite: no input 'z'; the inputs are 'x'",)),
    "value of no form": (lambda: ["model.tflite", "--input-value", "x=a"], ("'x=a' is not NAME=1,2,3, NAME=0.5 or NAME=file.npy",)),
    "value of another shape": (lambda: ["model.tflite", "--input-value", "x=1,2"], ("input 'x': shape [2] does not fit [1,8,8,3]",)),
    "value and shape": (
        lambda: ["model.tflite", "--input-value", "x=1,2", "--input-shape", "x=1,8,8,3"], ("input 'x' has both a shape and a value",),
    ),
    "shape beyond all": (
        lambda: [text("o.onnx", open_onnx()), "--input-shape", "image=1,3,90000000000,8"], ("has more than 2147483647 elements",),
    ),
    "shape given twice": (
        lambda: ["model.tflite", "--input-shape", "x=1,8", "--input-shape", "x=2,8"], ("--input-shape gives 'x' twice: [1, 8], [2, 8]",),
    ),
    "shape of no form": (lambda: ["model.tflite", "--input-shape", "x=1,a"], ("'x=1,a' is not NAME=1,224,224,3",)),
    "dimension of no name": (lambda: ["model.tflite", "--dim", "n=2"], ("no open dimension 'n'; none has a name", "'x' [1,8,8,3]")),
    "dimension given twice": (lambda: ["model.tflite", "--dim", "n=2", "--dim", "n=3"], ("--dim gives 'n' twice: 2, 3",)),
    "dimension of no form": (lambda: ["model.tflite", "--dim", "n=2.5"], ("'n=2.5' is not NAME=8",)),
    "batch of a fixed model": (lambda: ["model.tflite", "--batch", "4"], ("fixes dimension 0 of every input", "'x' [1,8,8,3]", "exported")),
    "batch of no form": (lambda: ["model.tflite", "--batch", "a"], ("--batch: invalid int value: 'a'",)),
    "target": (lambda: ["model.tflite", "--target", "toaster"], ("--target: invalid choice: 'toaster'", "nvidia", "mali")),
    "target and device": (lambda: ["model.tflite", "--device", "pocl"], ("--device pocl is for --target auto", "leave out one")),
    "precision": (lambda: ["model.tflite", "--precision", "f8"], ("--precision: invalid choice: 'f8'", "f16")),
    "pass": (lambda: ["model.tflite", "--stop-after", "lunch"], ("--stop-after: invalid choice: 'lunch'", "import", "fuse")),
    "option": (lambda: ["model.tflite", "--fast"], ("unrecognized arguments: --fast", "planish --help says what is accepted")),
    "no model": (list, ("the following arguments are required: model (planish compile --help says what is accepted)",)),
    "dumps into a file": (lambda: ["model.tflite", "--dump-ir", "model.tflite"], ("cannot dump the graph to model.tflite: File exists",)),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_of_compiling(folder: Path, plan: Path, capsys: Capture, case: str) -> None:
    make, fragments = REFUSALS[case]
    arguments = make()
    before = contents(folder)
    given = ["--target", "cpu"] if "--target" not in arguments else []
    says(refused(capsys, "compile", *arguments, *given, "-o", plan), *fragments)
    assert contents(folder) == before
    assert sorted(p.name for p in folder.iterdir()) == sorted({Path(name).parts[0] for name in before})


def test_unknown_device(plan: Path, capsys: Capture) -> None:
    before = contents(plan)
    line = refused(capsys, "compile", "model.tflite", "--device", "toaster")
    assert re.match(r"no OpenCL device fits 'toaster'; present: \d+:\d+ ", line)
    says(line, "name a --target: gpu, cpu, generic, nvidia")
    assert contents(plan) == before


@pytest.mark.parametrize("command", ["", "polish", "--fast"])
def test_unknown_command(capsys: Capture, command: str) -> None:
    says(refused(capsys, *command.split()), "COMMAND", "planish --help says what is accepted")


# -- the output folder


def occupied(case: str) -> Path:
    out = Path("out")
    if case == "a file":
        out.write_text("precious")
    else:
        out.mkdir()
        (out / "precious.txt").write_text("precious")
    if case == "a plan and more":
        assert main(["compile", "model.tflite", "--target", "cpu", "-o", "plan"]) == 0
        shutil.copytree("plan", out, dirs_exist_ok=True)
    return out


@pytest.mark.parametrize(
    ("case", "message"),
    [("a file", "out exists and is not a plan; choose another folder, or replace it with --force"),
     ("a folder", "out exists and is not a plan; choose another folder, or replace it with --force"),
     ("a plan and more", "out is a plan, but precious.txt in it is not of one; move it, or replace everything with --force")],
)  # fmt: skip
def test_what_is_no_plan_is_replaced_by_force_only(folder: Path, capsys: Capture, case: str, message: str) -> None:
    out = occupied(case)
    capsys.readouterr()
    before = contents(folder)
    assert refused(capsys, "compile", "model.tflite", "--target", "cpu", "-o", out) == message
    assert contents(folder) == before
    assert main(["compile", "model.tflite", "--target", "cpu", "-o", str(out), "--force"]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["kernels", "plan.json", "weights.bin"]
    assert Plan.read(out).launches


@pytest.mark.parametrize(
    ("out", "message"),
    [(".", ". is the model, or holds it; choose another folder for the plan"), ("model.tflite", "model.tflite is the model, or"),
     ("empty/..", "or holds it"), ("~", "holds the current folder or your home"), ("model.tflite/plan", "model.tflite is not a folder")],
)  # fmt: skip
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_places_that_no_plan_may_take(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, out: str, message: str, force: list[str]
) -> None:
    Path("home").mkdir()
    Path("empty").mkdir()
    monkeypatch.setenv("HOME", str(folder / "home"))
    before = contents(folder)
    says(refused(capsys, "compile", "model.tflite", "--target", "cpu", "-o", Path(out).expanduser(), *force), message)
    assert contents(folder) == before
    assert sorted(p.name for p in folder.iterdir()) == ["empty", "home", "model.tflite"]


def test_an_empty_folder_and_a_link_are_filled(folder: Path) -> None:
    Path("empty").mkdir()
    Path("link").symlink_to("empty")
    assert main(["compile", "model.tflite", "--target", "cpu", "-o", "link"]) == 0
    assert Path("link").is_symlink()
    assert Plan.read("empty").launches


def test_a_disk_that_is_full(folder: Path, plan: Path) -> None:
    """The system refuses files beyond a size: what was there before stays, and nothing half-done is left."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    before = contents(folder)
    done = subprocess.run([*COMMAND, "compile", UPSCALER, "--target", "cpu", "-o", plan], capture_output=True, text=True, preexec_fn=limit)
    assert (done.returncode, done.stderr) == (1, f"error: cannot write {plan}: File too large\n")
    assert contents(folder) == before
    assert sorted(p.name for p in folder.iterdir()) == ["model.plan", "model.tflite"]


# -- no OpenCL


def without_drivers(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    vendors = folder / "vendors"
    vendors.mkdir(exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if k != "PLANISH_DEVICE"} | {"OCL_ICD_VENDORS": str(vendors)}
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("command", [("compile", "model.tflite"), ("run", "model.plan"), ("devices",)], ids=lambda c: c[0])
def test_no_driver_at_all(folder: Path, plan: Path, command: tuple[str, ...]) -> None:
    done = without_drivers(folder, *command)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    says(line, "error: no OpenCL device: install ", "pip install 'planish[cpu]'", "pocl-opencl-icd", "(OCL_ICD_VENDORS=")
    assert ("name a --target: gpu, cpu, " in line) == (command[0] == "compile")


def test_a_named_target_needs_no_driver(folder: Path) -> None:
    done = without_drivers(folder, "compile", "model.tflite", "--target", "nvidia")
    assert (done.returncode, done.stderr) == (0, "")
    assert Plan.read("model.plan").provenance["target"] == "nvidia"


# -- the other commands


def test_console_scripts() -> None:
    scripts = Path(sys.executable).parent
    version = subprocess.run([scripts / "planish", "--version"], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"planish \d+\.\d+\.\d+\n", version)
    subprocess.run([scripts / "compile", "model.tflite", "--target", "cpu"], capture_output=True, check=True)
    assert Plan.read("model.plan").launches


def test_devices_are_listed(capsys: Capture, device: cl.Device) -> None:
    assert main(["devices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(re.match(r"\d+:\d+  \S.*\((CPU|GPU|ACCELERATOR|CUSTOM), \d+ compute units, ", line) for line in lines)
    assert any(device.name.strip() in line for line in lines)


def nonzero() -> bytes:
    nodes = [helper.make_node("Relu", ["x"], ["a"], "first"), helper.make_node("Reshape", ["a", "s"], ["b"], "second"),
             helper.make_node("NonZero", ["b"], ["y"], "where")]  # fmt: skip
    model = onnx_model(nodes, {"x": (np.float32, (2, 3))}, ["y"], {"s": np.array([6])})
    return model.SerializeToString()


HOSTED = "how many elements are not zero depends on data"


def test_what_runs_on_the_host_is_named(capsys: Capture) -> None:
    Path("m.onnx").write_bytes(nonzero())
    assert main(["compile", "m.onnx", "--target", "cpu", "--explain"]) == 0
    out = capsys.readouterr().out
    assert f"\non host  nonzero for where: {HOSTED}\n" in out
    assert f"\nlower\n  -  host  NonZero 'where'  runs on the host: {HOSTED}\n" in out
    assert re.search(r"^nodes +\d+ -> \d+, in 1 launches of 1 kernels$", out, re.MULTILINE)
    assert main(["compile", "m.onnx", "--target", "cpu", "--verbose"]) == 0
    assert re.search(r"^1 +nonzero +host +where$", capsys.readouterr().out, re.MULTILINE)


def test_no_host(capsys: Capture) -> None:
    Path("m.onnx").write_bytes(nonzero())
    assert main(["compile", "m.onnx", "--target", "cpu", "--no-host"]) == 1
    assert capsys.readouterr().err == (
        f"error: m.onnx: 1 node not supported: NonZero 'where': runs on the host: {HOSTED}; without --no-host it would be accepted\n")
    assert not Path("m.plan").exists()


def test_check_writes_nothing(capsys: Capture) -> None:
    Path("m.onnx").write_bytes(nonzero())
    Path("m.plan").write_text("mine")
    assert main(["compile", "m.onnx", "--target", "cpu", "--check"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["where", "what", "nodes"]
    assert [re.split(r"  +", line) for line in lines[:3]] == [
        ["device", "map lanes2", "first"], ["host", f"nonzero: {HOSTED}", "where"], ["nowhere", "placed, folded or pruned", "second"]]
    assert re.match(r"plan +not written, ", lines[-1])
    assert Path("m.plan").read_text() == "mine"
    Path("s.onnx").write_bytes(strange_onnx())
    assert main(["compile", "s.onnx", "--target", "cpu", "--check"]) == 1
    assert "Enigma 'first': no such operator is supported" in capsys.readouterr().err


def test_operators_are_listed(capsys: Capture) -> None:
    assert main(["ops"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {tuple(re.split(r"  +", line)[:4]) for line in lines}
    assert {("tflite", "CONV_2D", "1 to 8", "kernel"), ("onnx", "Relu", "6, 13, 14", "kernel"), ("onnx", "NonZero", "9, 13", "host"),
            ("onnx", "HannWindow", "17", "function")} < rows
    assert main(["ops", "gathern?"]) == 0
    assert capsys.readouterr().out.startswith("onnx GatherND\n  versions: 11, 12, 13\n  dtypes: bf16 bool ")


@pytest.mark.parametrize("command", [[], ["compile"], ["run"], ["devices"], ["ops"]], ids=" ".join)
def test_help(capsys: Capture, command: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([*command, "--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {' '.join(['planish', *command])} ")
