"""The plan as a folder: round trips, damage of every kind, and writers that are killed. No device is needed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planish.runtime import host
from planish.runtime import plan as plan_format
from planish.runtime.errors import PlanError
from planish.runtime.plan import Argument, Kernel, Launch, Plan, Signature, Tensor
from tests.runtime.plans import hosted, linear

ROOT = Path(__file__).resolve().parents[2]
FILES = ("plan.json", "weights.bin", "kernels/scale.cl", "kernels/add.cl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    linear().write(tmp_path / "plan")
    return tmp_path / "plan"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes plan.json and seals it again, as docs/plan.md says: its last line holds the hash of all lines before."""
    path = folder / "plan.json"
    document = json.loads(path.read_bytes())
    del document["sha256"]
    change(document)
    head = json.dumps(document)[:-1].encode() + b",\n"
    path.write_bytes(head + b' "sha256": "%s"\n}\n' % hashlib.sha256(head).hexdigest().encode())


def refusal(folder: Path) -> str:
    with pytest.raises(PlanError) as caught:
        Plan.read(folder)
    return str(caught.value)


# -- whole plans


def test_what_is_written_is_read(folder: Path) -> None:
    assert Plan.read(folder) == linear()
    assert Plan.read(str(folder)) == linear()
    assert set(contents(folder)) == set(FILES)


def test_a_plan_without_weights_or_launches(tmp_path: Path) -> None:
    plan = Plan((), (), (), (), 0, 1)
    plan.write(tmp_path / "plan")
    assert Plan.read(tmp_path / "plan") == plan


def test_names_of_every_kind_survive(tmp_path: Path) -> None:
    names = ('a"\\b\n\x1b', "ä → 漢", "", "../../x", "\udcff")
    plan = Plan(tuple(Tensor(n, (1,), "int64") for n in names), (), (), (), 0, 1)
    plan.write(tmp_path / "plan")
    assert Plan.read(tmp_path / "plan") == plan


def test_writing_again_gives_the_same_bytes(folder: Path) -> None:
    before = contents(folder)
    linear().write(folder)
    assert contents(folder) == before
    Plan.read(folder).write(folder)  # its weights are a view of the file that is replaced
    assert contents(folder) == before


def test_a_plan_that_is_open_survives_being_replaced(folder: Path) -> None:
    plan = Plan.read(folder)
    replace(linear(), weights=b"\1" * 1024).write(folder)
    assert plan == linear()
    assert Plan.read(folder).weights == b"\1" * 1024


def test_kernels_that_are_gone_leave_no_files(folder: Path) -> None:
    plan = linear()
    replace(plan, kernels=plan.kernels[:1], launches=plan.launches[:1]).write(folder)
    assert set(contents(folder)) == set(FILES[:3])


# -- damage


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_missing(folder: Path, file: str) -> None:
    (folder / file).unlink()
    line = refusal(folder)
    assert "incomplete" in line
    assert Path(file).name in line
    assert "No such file" in line


@pytest.mark.parametrize("file", FILES)
def test_every_altered_byte_shows(folder: Path, file: str) -> None:
    """Of plan.json every one."""
    path = folder / file
    data = path.read_bytes()
    for k in range(0, len(data), 1 if file == "plan.json" else max(len(data) // 500, 1)):
        for bit in (1, 128):
            path.write_bytes(data[:k] + bytes([data[k] ^ bit]) + data[k + 1 :])
            assert str(folder) in refusal(folder)
    path.write_bytes(data)
    assert Plan.read(folder) == linear()


@pytest.mark.parametrize("file", FILES)
def test_every_truncation_shows(folder: Path, file: str) -> None:
    path = folder / file
    data = path.read_bytes()
    for length in {*range(0, len(data), max(len(data) // 200, 1)), len(data) - 1}:
        path.write_bytes(data[:length])
        assert file in refusal(folder)
    path.write_bytes(data + b"\n")
    assert file in refusal(folder)


def test_what_is_altered_is_named(folder: Path) -> None:
    with (folder / "weights.bin").open("r+b") as file:
        file.write(b"\7")
    assert refusal(folder) == f"{folder}/weights.bin has been altered: its hash does not match; compile the model again"


@pytest.mark.parametrize("version", [plan_format.VERSION + 1, 0, -1, "1", None, 1.5])
def test_other_versions(folder: Path, version: object) -> None:
    rewrite(folder, lambda d: d.update(version=version))
    assert refusal(folder) == (
        f"{folder}/plan.json has version {version!r}; this runtime reads up to {plan_format.VERSION}: "
        "update planish, or compile the model again"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "no plan at {}: there is no such folder; `planish compile MODEL -o {}` makes one"),
        (lambda folder: folder.write_text("x"), "{} is a file, and a plan is a folder; `planish compile` makes one of a model"),
        (lambda folder: folder.mkdir(), "{} is not a plan, or an incomplete one: plan.json: No such file or directory"),
        (lambda folder: (folder / "plan.json").mkdir(parents=True), "{} is not a plan, or an incomplete one: plan.json: Is a directory"),
    ],
    ids=["nothing", "file", "empty folder", "folder for plan.json"],
)
def test_no_plan(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    make(tmp_path / "x")
    assert refusal(tmp_path / "x") == message.format(tmp_path / "x", tmp_path / "x")


@pytest.mark.parametrize("text", ["", "{", "[1]", '"planish-plan"', "{}", '{"format": "other"}', "[" * 100_000, "\udcff"])
def test_a_document_of_another_kind(folder: Path, text: str) -> None:
    (folder / "plan.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert refusal(folder).startswith(f"{folder}/plan.json is ")


def nested(steps: list[Any], depth: int) -> list[Any]:
    """Steps within so many loops."""
    for _ in range(depth):
        steps = [{"condition": ["arena", 0, 0, 1], "most": 1, "body": steps, "rows": [], "nodes": [], "reason": ""}]
    return steps


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_ordinary_file_is_not_waited_for(folder: Path, file: str, kind: str) -> None:
    (folder / file).unlink()
    if kind == "pipe":
        os.mkfifo(folder / file)
    else:
        (folder / file).symlink_to("/dev/zero")
    assert refusal(folder) == f"{folder / file} is no ordinary file, and all files of a plan are; compile the model again"


SEALED: dict[str, Callable[[dict[str, Any]], object]] = {
    "no inputs": lambda d: d.pop("inputs"),
    "inputs of another type": lambda d: d.update(inputs=3),
    "a dtype of text": lambda d: d["inputs"][0].update(dtype="object"),
    "a shape below nothing": lambda d: d["outputs"][0].update(shape=[2, -3]),
    "a shape of text": lambda d: d["outputs"][0].update(shape="ab"),
    "one name twice": lambda d: d["inputs"][0].update(name="b"),
    "a kernel of another folder": lambda d: d["kernels"][0].update(name="../kernels/scale"),
    "a kernel without hash": lambda d: d["kernels"][0].pop("sha256"),
    "one kernel twice": lambda d: d["kernels"].append(d["kernels"][0]),
    "a launch of no kernel": lambda d: d["launches"][0].update(kernel=2),
    "a launch of a kernel below": lambda d: d["launches"][0].update(kernel=-1),
    "a grid of nothing": lambda d: d["launches"][0].update(grid=[0]),
    "a grid of four sides": lambda d: d["launches"][0].update(grid=[1, 1, 1, 6]),
    "a grid of no sides": lambda d: d["launches"][0].update(grid=[]),
    "groups that do not tile": lambda d: d["launches"][1].update(group=[4]),
    "groups of other sides": lambda d: d["launches"][1].update(group=[1, 1]),
    "groups of nothing": lambda d: d["launches"][1].update(group=[0]),
    "an argument of no buffer": lambda d: d["launches"][0]["arguments"][0].__setitem__(0, "heap"),
    "an argument of no input": lambda d: d["launches"][0]["arguments"][0].__setitem__(1, 2),
    "an argument of an input below": lambda d: d["launches"][0]["arguments"][0].__setitem__(1, -1),
    "an argument that begins before": lambda d: d["launches"][0]["arguments"][2].__setitem__(2, -512),
    "an argument that ends behind": lambda d: d["launches"][0]["arguments"][2].__setitem__(3, 513),
    "an argument below nothing": lambda d: d["launches"][0]["arguments"][2].__setitem__(3, -1),
    "an argument out of line": lambda d: d["launches"][0]["arguments"][2].__setitem__(2, 256),
    "an argument of five parts": lambda d: d["launches"][0]["arguments"][0].append(1),
    "an arena below nothing": lambda d: d.update(arena=-1),
    "an arena of text": lambda d: d.update(arena="big"),
    "an alignment of nothing": lambda d: d.update(alignment=0),
    "weights without hash": lambda d: d.update(weights={}),
    "provenance of another type": lambda d: d.update(provenance=3),
    "records of another type": lambda d: d["inputs"][0].update(recorded=3),
    "a recorded shape of another rank": lambda d: d["inputs"][0].update(recorded={"shape": [-1, 2, 3]}),
    "a scale without its zero point": lambda d: d["inputs"][0].update(recorded={"scale": [0.5]}),
    "a scale of text": lambda d: d["inputs"][0].update(recorded={"scale": ["x"], "zero_point": [0]}),
    "signatures of another type": lambda d: d.update(signatures=[3]),
    "a signature of no input": lambda d: d.update(signatures=[{"name": "serve", "inputs": {"x": "c"}, "outputs": {}}]),
    "an arena without end": lambda d: d.update(arena=float("inf")),
    "an arena that cannot be counted": lambda d: d.update(arena=1 << 63),
    "an arena of no number": lambda d: d.update(arena=float("nan")),
    "a shape that cannot be counted": lambda d: d["outputs"][0].update(shape=[1 << 32, 1 << 32]),
    "a shape of too many axes": lambda d: d["outputs"][0].update(shape=[1] * 33),
    "a shape of long numbers": lambda d: d["outputs"][0].update(shape=[10**4000] * 30),
    "a grid that cannot be counted": lambda d: d["launches"][0].update(grid=[1 << 32, 1 << 32]),
    "more stages than launches": lambda d: d["kernels"][0].update(stages=4),
    "weights of other bytes": lambda d: d["weights"].update(bytes=1 << 60),
    "loops without end": lambda d: d.update(launches=nested(d["launches"], 33)),
    "loops that Python cannot follow": lambda d: d.update(launches=nested(d["launches"], 400)),
}


@pytest.mark.parametrize("change", SEALED.values(), ids=list(SEALED))
def test_contradictions_under_a_right_seal(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    rewrite(folder, lambda d: None)
    assert Plan.read(folder) == linear()
    rewrite(folder, change)
    assert refusal(folder).startswith(f"{folder}/")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernels": (Kernel("a b", ""),)}, "kernel name 'a b' is not an identifier"),
        ({"arena": 512}, r"launch 0, argument 2: bytes 512 \+ 24 lie outside of arena 0"),
        ({"launches": (Launch(7, (1,), None, ()),)}, "launch 0: no kernel 7"),
        ({"launches": (Launch(0, (6,), (4,), ()),)}, r"launch 0: work-groups \(4,\) do not tile grid \(6,\)"),
        ({"launches": (Launch(0, (6,), None, (Argument("input", 2, 0, 4),)),)}, "argument 0: there is no input 2"),
        ({"inputs": (Tensor("a", (1,), "complex64"),)}, r"'a complex64\[1\]' is no tensor"),
        ({"signatures": (Signature("serve", {"x": "c"}, {}),)}, "signature 'serve' names no inputs or outputs of the plan"),
        ({"signatures": (Signature("serve", {"x": "a"}, {"y": "a"}),)}, "signature 'serve' names no inputs or outputs of the plan"),
    ],
)
def test_contradictions_are_refused_when_a_plan_is_made(change: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        replace(linear(), **change)


# -- steps on the host


def test_steps_on_the_host_are_written_and_read(tmp_path: Path) -> None:
    hosted().write(tmp_path / "plan")
    assert Plan.read(tmp_path / "plan") == hosted()
    assert [json.loads(p.document())["version"] for p in (hosted(), linear())] == [2, 1]
    assert str(hosted().outputs[0]) == "found int64[2, -1]"


HOSTED: dict[str, tuple[Callable[[list[Any]], object], str]] = {
    "an unknown function": (lambda s: s[1].update(host="system"), "launch 1: no host function 'system'; there are copy, "),
    "a function of a module": (lambda s: s[1].update(host="os.system"), "no host function 'os.system'"),
    "an attribute too many": (lambda s: s[1]["attributes"].update(x=1), "nonzero takes attributes (by_row: bool), not"),
    "an attribute too few": (lambda s: s[1].update(attributes={}), "nonzero takes attributes (by_row: bool), not {}"),
    "an attribute of another type": (lambda s: s[2]["attributes"].update(axis="0"), "unique takes attributes (axis: int | None, "),
    "attributes of another type": (lambda s: s[1].update(attributes=3), "garbles"),
    "an operand too many": (lambda s: s[1]["inputs"].append(s[1]["inputs"][0]), "nonzero takes 1 to 1 operands"),
    "an operand too few": (lambda s: s[1].update(inputs=[]), "nonzero takes 1 to 1 operands"),
    "an absent operand": (lambda s: s[1].update(inputs=[None]), "nonzero takes 1 to 1 operands"),
    "a result too few": (lambda s: s[2]["outputs"].pop(), "unique gives 4 results, not 3"),
    "a result in the weights": (lambda s: place(s[2]["outputs"][2], "weights"), "launch 2, result 2: weights 0 is not"),
    "a result in an input": (lambda s: place(s[2]["outputs"][2], "input"), "launch 2, result 2: input 0 is not"),
    "an operand of no buffer": (lambda s: place(s[1]["inputs"][0], "heap"), "launch 1, operand 0: heap 0 is not"),
    "an operand that begins before": (lambda s: place(s[1]["inputs"][0], "arena", 0, -24), "lie outside of arena 0"),
    "an operand that ends behind": (lambda s: place(s[1]["inputs"][0], "arena", 0, 1020), "lie outside of arena 0"),
    "an operand of no input": (lambda s: place(s[1]["inputs"][0], "input", 1), "lie outside of input 1"),
    "an operand of other bytes": (lambda s: s[1]["inputs"][0].update(shape=[2, 4]), "launch 1, operand 0: 24 bytes for 32"),
    "an operand of a dtype of text": (lambda s: s[1]["inputs"][0].update(dtype="object"), "no tensor object[2, 3]"),
    "an operand stored as text": (lambda s: s[1]["inputs"][0].update(storage="O"), "no tensor float32[2, 3]"),
    "an operand below nothing": (lambda s: s[1]["inputs"][0].update(shape=[2, -2]), "no tensor float32[2, -2]"),
    "an open shape on the device": (lambda s: s[1]["inputs"][0].update(shape=[2, -1]), "an open shape in arena 0"),
    "an operand that nobody made": (lambda s: place(s[3]["inputs"][0], "host", 7), "no step before makes host 7"),
    "an operand of another shape": (lambda s: s[3]["inputs"][0].update(shape=[-1, -1]), "no step before makes output 0 so"),
    "an operand made later": (lambda s: s.insert(1, s.pop(3)), "launch 1, operand 0: no step before makes output 0 so"),
    "an output that nobody makes": (lambda s: s.pop(), "no step on the host makes 'again int64[-1, 1]'"),
    "an output of another type": (lambda s: s[4]["outputs"][0].update(dtype="int32"), "no step on the host makes 'again"),
}


def place(operand: dict[str, Any], *parts: object) -> None:
    operand["place"][: len(parts)] = parts


@pytest.mark.parametrize(("change", "message"), HOSTED.values(), ids=list(HOSTED))
def test_steps_that_contradict(tmp_path: Path, change: Callable[[list[Any]], object], message: str) -> None:
    hosted().write(tmp_path / "plan")
    rewrite(tmp_path / "plan", lambda d: change(d["launches"]))
    assert message in refusal(tmp_path / "plan")


def test_every_attribute_has_a_type() -> None:
    assert {t for f in host.FUNCTIONS.values() for t in f.attributes.values()} == set(host.TYPES)


# -- writing


def test_what_is_no_plan_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "letter").write_text("dear")
    with pytest.raises(PlanError, match="exists and is not a plan"):
        linear().write(tmp_path / "precious")
    assert contents(tmp_path) == {"precious/letter": b"dear"}
    linear().write(tmp_path / "precious", force=True)
    assert Plan.read(tmp_path / "precious") == linear()


def test_writing_that_fails_leaves_what_was_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Plan, "document", full)
    with pytest.raises(PlanError, match=r"^cannot write .*plan: No space left on device$"):
        replace(linear(), weights=b"\1" * 1024).write(folder)
    assert Plan.read(folder) == linear()
    assert [p.name for p in folder.parent.iterdir()] == ["plan"]


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from planish.runtime import folders
from planish.runtime.errors import PlanError
from planish.runtime.plan import Plan
from tests.runtime.plans import linear

folder = Path(sys.argv[1])
if sys.argv[2] == "False":
    folders._exchange = lambda one, other: False
old, new = linear(), replace(linear(), weights=bytes(1024))
for k in range(200):
    old.write(folder)
    child = os.fork()
    if not child:
        steps = iter(range(k))
        def hook(event, arguments):
            touches = event.split(".")[0] in ("open", "os", "shutil", "ctypes") and event != "os.kill"
            if touches and next(steps, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        new.write(folder)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    try:
        found = Plan.read(folder)
    except PlanError as error:
        print(error)
        (kept,) = (Plan.read(p) for p in folder.parent.glob(".planish-*/old*"))
        assert kept == old and not folder.exists(), error
    else:
        assert found in (old, new), k
    if not status:
        assert found == new
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
print(k, "steps")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("exchange", [True, False])
def test_a_writer_may_be_killed_at_any_step(tmp_path: Path, exchange: bool) -> None:
    """There is the old plan or the new one; where folders cannot be exchanged, for one step neither, the old one beside it."""
    command = [sys.executable, "-W", "ignore", "-c", KILLED, tmp_path / "plan", str(exchange)]
    done = subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    *gone, steps = done.stdout.splitlines()
    assert int(steps.split()[0]) > 8
    assert len(gone) <= (0 if exchange and sys.platform == "linux" else 2), gone


def test_sizes() -> None:
    assert Tensor("x", (2, 3, 4), "float16").nbytes == 48
    assert Tensor("x", (), "int64").nbytes == 8
    assert Tensor("x", (3, 0), "bool").nbytes == 0
    assert str(Tensor("x", (2, 3), "int8")) == "x int8[2, 3]"
    assert {name: np.dtype(name).itemsize for name in plan_format.ITEMSIZE} == plan_format.ITEMSIZE
