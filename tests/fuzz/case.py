"""One case: a valid file, mutated, and what compiling or reading it ends in."""

from __future__ import annotations

import random
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planish.compiler import compile_model
from planish.runtime.errors import PlanishError, one_line
from planish.runtime.plan import Plan
from tests.fuzz import flatbuffer, folders, octets, protobufs
from tests.fuzz.seeds import Seed

WEIGHTS = {"tflite": 4, "onnx": 4, "plan": 2}
"""How often each kind of file is drawn."""
FAULTS = ("traceback", "memory", "slow", "stuck", "crash", "accepted", "leaked", "executed", "unclear")
"""What no case may end in; anything else is a plan or the class of an error."""
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pickle.find_class", "socket.connect")
"""Events of Python's audit that no file may bring about."""


@dataclass(frozen=True)
class Outcome:
    """What a case ended in.

    Attributes:
        number: of the case; name: of its seed.
        status: "plan", the class of an error, or one of `FAULTS`; text: more of it.
    """

    number: int
    name: str
    kind: str
    status: str
    text: str = ""

    @property
    def fault(self) -> bool:
        return self.status in FAULTS


class Executed(BaseException):
    """Something was started, or written where it should not be."""


def draw(seeds: Sequence[Seed], base: int, number: int) -> tuple[Seed, random.Random]:
    """The valid file of a case, and where its mutations are drawn from."""
    r = random.Random(f"{base}:{number}")
    kinds = [kind for kind in WEIGHTS if any(seed.kind == kind for seed in seeds)]
    kind = r.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
    return r.choice([seed for seed in seeds if seed.kind == kind]), r


def mutated(seed: Seed, r: random.Random) -> tuple[dict[str, bytes], bool]:
    """The files of a case, and whether they have to be refused."""
    if seed.kind == "plan":
        return folders.mutate(r, seed.files)
    data = seed.files["model"]
    change = octets.mutate if r.random() < 0.3 else flatbuffer.mutate if seed.kind == "tflite" else protobufs.mutate
    return {"model": change(r, data)}, False


def run(seeds: Sequence[Seed], base: int, number: int) -> Outcome:
    """Draws a case and runs it in a folder of its own, by rights without leaving it."""
    seed, r = draw(seeds, base, number)
    files, damaged = mutated(seed, r)
    with tempfile.TemporaryDirectory(prefix="planish-fuzz-") as folder:
        status, text = attempt(seed.kind, files, Path(folder), damaged=damaged)
    return Outcome(number, seed.name, seed.kind, status, text)


def attempt(kind: str, files: Mapping[str, bytes], folder: Path, *, damaged: bool = False) -> tuple[str, str]:
    """What reading files of a kind ends in, and more of it.

    Args:
        damaged: they may not be accepted.
    """
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    try:
        with audited(folder):
            plan = Plan.read(folder) if kind == "plan" else compile_model(folder / "model", "cpu")[0]
            assert plan is not None
            if kind != "plan":
                plan.write(folder / "plan")
                Plan.read(folder / "plan")
    except PlanishError as error:
        shown = one_line(str(error)).replace(str(folder), "…")
        return ("unclear", f"{type(error).__name__} says nothing") if len(shown) < 10 else (type(error).__name__, shown)
    except Executed as error:
        return "executed", str(error)
    except MemoryError as error:
        return "memory", f"{error} {_where(error)}"
    except Exception as error:  # which is what is looked for
        return "traceback", f"{type(error).__name__}: {one_line(str(error))[:200]} {_where(error)}"
    if damaged:
        return "accepted", "altered bytes do not show"
    if kind != "plan" and any(octets.MARK in kernel.source for kernel in plan.kernels):
        return "leaked", "a name of the model is in a kernel"
    return "plan", ""


def _where(error: BaseException) -> str:
    """The innermost lines of planish that an exception came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f"{Path(f.filename).name}:{f.lineno}" for f in frames if "/compiler/" in f.filename or "/runtime/" in f.filename]
    return f"({' < '.join(own[:-4:-1])})"


class audited:
    """Within, an audit of what Python does: nothing may be started, and nothing written outside of a folder."""

    _folder: Path | None = None
    _hooked = False

    def __init__(self, folder: Path):
        self.folder = folder

    def __enter__(self) -> None:
        audited._folder = self.folder.resolve()
        if not audited._hooked:
            sys.addaudithook(_watch)  # for good: there is no taking it back
            audited._hooked = True

    def __exit__(self, *_: object) -> None:
        audited._folder = None


def _watch(event: str, arguments: Sequence[Any]) -> None:
    folder = audited._folder
    if folder is None:
        return
    if event in FORBIDDEN:
        raise Executed(f"{event} {arguments!r}"[:300])
    name, mode, *_ = (*arguments, None, None)
    if event == "open" and isinstance(name, str) and isinstance(mode, str) and not {"w", "a", "x", "+"}.isdisjoint(mode):
        path = Path(name)
        if not path.resolve().is_relative_to(folder) and "__pycache__" not in path.parts:
            raise Executed(f"writes {path}")
