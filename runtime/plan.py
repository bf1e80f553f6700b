"""The plan: what the compiler writes and the runtime executes. docs/plan.md specifies its files.

    plan.json      format, version, provenance, inputs, outputs, kernels, launches (some of them steps on the host)
    kernels/*.cl   OpenCL C, one file per distinct kernel
    weights.bin    one blob; each array starts at a multiple of `alignment`

Everything is resolved: grids, arguments, offsets. The order of `launches` is the order of execution; each may rely on all
before it. Every file's SHA-256 stands in plan.json, and plan.json's own in its last line, so that any altered byte shows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from . import pages, plan_json
from .checks import NESTING, Contradiction, check
from .errors import PlanError
from .plan_json import FORMAT, VERSION
from .records import ITEMSIZE, Argument, HostStep, Kernel, Launch, Loop, Operand, Recorded, Row, Signature, State, Step, Tensor

__all__ = [
    "FORMAT", "ITEMSIZE", "NESTING", "VERSION", "Argument", "HostStep", "Kernel", "Launch", "Loop", "Operand", "Plan", "Recorded", "Row",
    "Signature", "State", "Step", "Tensor", "check_free", "is_plan",
]  # fmt: skip

Data = TypeVar("Data", bytes, memoryview)


@dataclass(frozen=True)
class Plan:
    """A compiled model. Whoever has one may rely on it: every index, offset and extent has been checked.

    Attributes:
        arena: bytes of the buffer that all intermediates share.
        alignment: bytes of which every argument's offset is a multiple.
        weights: the blob that `weights.bin` holds; of a plan that was read, in large pages.
        states: what stays from one run to the next.
        signatures: what the model's file calls its inputs and outputs.
        provenance: compiler, source (name and SHA-256), target, precision: told to people, not used.

    Raises:
        PlanError: the parts contradict each other.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    kernels: tuple[Kernel, ...]
    launches: tuple[Step, ...]
    arena: int
    alignment: int
    weights: bytes | bytearray | memoryview = field(repr=False, default=b"")
    provenance: dict[str, Any] = field(default_factory=dict)
    states: tuple[State, ...] = ()
    signatures: tuple[Signature, ...] = ()

    def __post_init__(self) -> None:
        check(self)

    @property
    def steps(self) -> tuple[Step, ...]:
        """All that runs, behind each loop the steps of its body."""
        return tuple(_walk(self.launches))

    @property
    def host_steps(self) -> tuple[HostStep, ...]:
        """What runs on the host."""
        return tuple(step for step in self.steps if isinstance(step, HostStep))

    @property
    def loops(self) -> tuple[Loop, ...]:
        """What the host drives."""
        return tuple(step for step in self.steps if isinstance(step, Loop))

    @property
    def version(self) -> int:
        """The oldest version of the format that has what the plan needs."""
        if any(a.image for step in self.steps if isinstance(step, Launch) for a in step.arguments):
            return 5
        return 4 if any(k.stages for k in self.kernels) else 3 if self.loops else 2 if self.host_steps or self.states else 1

    def write(self, folder: str | Path, *, force: bool = False) -> None:
        """Writes the plan as a folder: whole, or not at all. A plan that is there is replaced.

        Args:
            force: also replaces a folder that is not a plan, or holds more than one.

        Raises:
            PlanError: something that is not a plan is in the way, or the folder cannot be written.
        """
        from .folders import replacing  # what only writing needs a runtime does not wait for

        folder = Path(folder)
        check_free(folder, force=force)
        try:
            with replacing(folder) as fresh:
                (fresh / "kernels").mkdir()
                for kernel in self.kernels:
                    (fresh / "kernels" / f"{kernel.name}.cl").write_bytes(kernel.source.encode())
                (fresh / "weights.bin").write_bytes(self.weights)
                (fresh / "plan.json").write_bytes(self.document())
        except OSError as error:
            raise PlanError(f"cannot write {folder}: {error.strerror or error}") from None

    def document(self) -> bytes:
        """What plan.json holds."""
        return plan_json.encoded(self)

    @staticmethod
    def read(folder: str | Path) -> Plan:
        """Reads a plan and checks every hash in it.

        Raises:
            PlanError: it is missing, incomplete, altered, or of a newer version.
        """
        folder = Path(folder)
        path = folder / "plan.json"
        content = plan_json.read(folder)
        try:
            names = [str(k["name"]) for k in content["kernels"]]
            files = [_file(folder / "kernels" / f"{Path(n).name}.cl", k["sha256"]) for n, k in zip(names, content["kernels"])]
            return Plan(
                inputs=tuple(plan_json.tensor_of(t) for t in content["inputs"]),
                outputs=tuple(plan_json.tensor_of(t) for t in content["outputs"]),
                kernels=tuple(Kernel(n, f.decode(), int(k.get("stages", 0))) for n, f, k in zip(names, files, content["kernels"])),
                launches=tuple(plan_json.step_of(s) for s in content["launches"]),
                arena=int(content["arena"]), alignment=int(content["alignment"]),
                weights=_weights(folder / "weights.bin", int(content["weights"]["bytes"]), content["weights"]["sha256"]),
                provenance=dict(content["provenance"]),
                states=tuple(plan_json.state_of(s) for s in content.get("states", ())),
                signatures=tuple(plan_json.signature_of(s) for s in content.get("signatures", ())),
            )
        except Contradiction as error:
            raise PlanError(f"{path} contradicts itself: {error}; compile the model again") from None
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise PlanError(f"{path} lacks or garbles {error}; compile the model again") from None


def _walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    left = [*reversed(steps)]
    while left:
        step = left.pop()
        yield step
        if isinstance(step, Loop):
            left += reversed(step.body)


def is_plan(folder: Path) -> bool:
    """Whether a folder holds a plan, in whatever state."""
    try:
        return bool(json.loads((folder / "plan.json").read_bytes())["format"] == FORMAT)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return False


def check_free(folder: Path, *, force: bool = False) -> None:
    """Checks that a plan may be written to a folder: there is nothing, an empty folder, or a plan and nothing beside it.

    Args:
        force: anything may be there.

    Raises:
        PlanError: something else is there, or the folder holds the current one or the user's home, or lies in a file.
    """
    folder = Path(folder)
    try:
        home = os.path.expanduser("~")  # noqa: PTH111 -- gives "~" where there is none, while Path.home raises
        if any(Path(kept).resolve().is_relative_to(folder.resolve()) for kept in (".", home)):
            raise PlanError(f"{folder} holds the current folder or your home; choose another folder")
        above = next(p for p in folder.resolve().parents if p.exists())
        if not above.is_dir():
            raise PlanError(f"cannot write {folder}: {above} is not a folder")
        if force or not folder.exists():
            return
        if not folder.is_dir() or (any(folder.iterdir()) and not is_plan(folder)):
            raise PlanError(f"{folder} exists and is not a plan; choose another folder, or replace it with --force")
        foreign = [p for p in folder.iterdir() if p.name not in ("plan.json", "weights.bin", "kernels")]
        foreign += [p for p in folder.glob("kernels/*") if p.suffix != ".cl"]
    except OSError as error:
        raise PlanError(f"cannot write {folder}: {error.strerror or error}") from None
    if foreign:
        found = min(foreign).relative_to(folder)
        raise PlanError(f"{folder} is a plan, but {found} in it is not of one; move it, or replace everything with --force")


def _file(path: Path, sha256: str) -> bytes:
    """The bytes of a file."""
    try:
        plan_json.check_ordinary(path)
        return _unaltered(path, path.read_bytes(), sha256)
    except OSError as error:
        raise _incomplete(path, error) from None


def _weights(path: Path, nbytes: int, sha256: str) -> memoryview:
    """The bytes of a file, as many as there have to be, in memory from which a CPU's kernels read them."""
    try:
        plan_json.check_ordinary(path)
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != nbytes:
                raise PlanError(f"{path} has been altered: it has {size} bytes in place of {nbytes}; compile the model again")
            data = pages.allocate(size).data
            count = file.readinto(data)
    except OSError as error:
        raise _incomplete(path, error) from None
    return _unaltered(path, data[:count], sha256)


def _unaltered(path: Path, data: Data, sha256: str) -> Data:
    if plan_json.sha256(data) != sha256:
        raise PlanError(f"{path} has been altered: its hash does not match; compile the model again")
    return data


def _incomplete(path: Path, error: OSError) -> PlanError:
    return PlanError(f"the plan is incomplete: {path}: {error.strerror}; compile the model again")
