"""The plan: what the compiler writes and the runtime executes.

    plan.json      format, version, provenance, inputs, outputs, kernels, launches
    kernels/*.cl   OpenCL C, one file per distinct kernel
    weights.bin    one blob; each array starts at a multiple of `alignment`

Everything is resolved: grids, arguments, offsets. The order of `launches` is the order of execution; each may rely on all
before it. Every file's SHA-256 stands in plan.json, and plan.json's own in its last field, so that any altered byte shows.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .errors import PlanError

FORMAT = "planish-plan"
VERSION = 1


@dataclass(frozen=True)
class Tensor:
    """An input or an output: row-major, in a buffer of its own. dtype is numpy's name of it."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Argument:
    """What is bound to one argument of a kernel.

    Attributes:
        buffer: "arena", "weights", "input" or "output".
        index: which input or output; 0 for the others.
        offset: bytes from its start; nbytes: the kernel touches no more.
    """

    buffer: str
    index: int
    offset: int
    nbytes: int


@dataclass(frozen=True)
class Kernel:
    """A kernel: the name of its function, which is that of its file without extension, and its text."""

    name: str
    source: str


@dataclass(frozen=True)
class Launch:
    """One launch.

    Attributes:
        kernel: index into the plan's kernels.
        grid: global work size; group: local work size, or None to leave it to the driver.
        nodes: the nodes of the source model that it stands for.
        flops: arithmetic operations; nbytes: bytes of operands and results.
        variant: template and tile, for people.
    """

    kernel: int
    grid: tuple[int, ...]
    group: tuple[int, ...] | None
    arguments: tuple[Argument, ...]
    nodes: tuple[str, ...] = ()
    flops: int = 0
    nbytes: int = 0
    variant: str = ""


@dataclass(frozen=True)
class Plan:
    """A compiled model.

    Attributes:
        arena: bytes of the buffer that all intermediates share.
        weights: the blob that `weights.bin` holds.
        provenance: compiler, source (name and SHA-256), target, precision: told to people, not used.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    kernels: tuple[Kernel, ...]
    launches: tuple[Launch, ...]
    arena: int
    alignment: int
    weights: bytes | bytearray | memoryview = field(repr=False, default=b"")
    provenance: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path, *, force: bool = False) -> None:
        """Writes the plan as a folder: whole, or not at all. A plan that is there is replaced.

        Args:
            force: also replaces a folder that is not a plan.

        Raises:
            PlanError: something that is not a plan is in the way, or the folder cannot be written.
        """
        folder = Path(folder)
        if folder.exists() and not force and not is_plan(folder) and (not folder.is_dir() or any(folder.iterdir())):
            raise PlanError(f"{folder} exists and is not a plan; choose another folder, or replace it with --force")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        except OSError as error:
            raise PlanError(f"cannot write {folder}: {error.strerror}") from None
        try:
            self._fill(fresh)
            os.chmod(fresh, 0o755)
            _swap(fresh, folder)
        except OSError as error:
            raise PlanError(f"cannot write {folder}: {error.strerror}") from None
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _fill(self, folder: Path) -> None:
        (folder / "kernels").mkdir()
        for kernel in self.kernels:
            (folder / "kernels" / f"{kernel.name}.cl").write_bytes(kernel.source.encode())
        (folder / "weights.bin").write_bytes(self.weights)
        (folder / "plan.json").write_text(json.dumps(self.document(), indent=1) + "\n", encoding="utf-8")

    def document(self) -> dict[str, Any]:
        """What plan.json holds."""
        content: dict[str, Any] = {
            "format": FORMAT, "version": VERSION, "provenance": self.provenance,
            "inputs": [asdict(t) for t in self.inputs], "outputs": [asdict(t) for t in self.outputs],
            "arena": self.arena, "alignment": self.alignment,
            "weights": {"bytes": len(self.weights), "sha256": _sha256(self.weights)},
            "kernels": [{"name": k.name, "sha256": _sha256(k.source.encode())} for k in self.kernels],
            "launches": [_launch_document(launch) for launch in self.launches],
        }
        return {**content, "sha256": _sha256(json.dumps(content, sort_keys=True).encode())}

    @staticmethod
    def read(folder: Path) -> Plan:
        """Reads a plan and checks every hash in it.

        Raises:
            PlanError: it is missing, incomplete, altered, or of a newer version.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise PlanError(f"no plan at {folder}: it is not a folder; `planish compile MODEL -o {folder}` makes one")
        document = _document(folder)
        try:
            weights = _file(folder / "weights.bin", document["weights"]["sha256"])
            kernels = []
            for k in document["kernels"]:
                name = k["name"]
                if not name.isidentifier():
                    raise PlanError(f"{folder}: kernel name {name!r} is not an identifier; compile the model again")
                kernels.append(Kernel(name, _file(folder / "kernels" / f"{name}.cl", k["sha256"]).decode()))
            return Plan(
                inputs=tuple(_tensor(t) for t in document["inputs"]),
                outputs=tuple(_tensor(t) for t in document["outputs"]),
                kernels=tuple(kernels), launches=tuple(_launch(launch) for launch in document["launches"]),
                arena=int(document["arena"]), alignment=int(document["alignment"]), weights=weights,
                provenance=document["provenance"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PlanError(f"{folder}/plan.json lacks or garbles {error}; compile the model again") from None

    def digest(self) -> str:
        """SHA-256 of plan.json's content: the identity of the plan."""
        return str(self.document()["sha256"])


def is_plan(folder: Path) -> bool:
    """Whether a folder holds a plan, in whatever state."""
    try:
        return bool(json.loads((folder / "plan.json").read_text(encoding="utf-8"))["format"] == FORMAT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _swap(fresh: Path, folder: Path) -> None:
    """Puts a finished folder in the place of another; at every moment the name holds one of them, or nothing."""
    if not folder.exists():
        os.rename(fresh, folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    os.rename(folder, old / "plan")
    try:
        os.rename(fresh, folder)
    except OSError:
        os.rename(old / "plan", folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _document(folder: Path) -> dict[str, Any]:
    path = folder / "plan.json"
    try:
        document = json.loads(path.read_bytes())
    except OSError:
        raise PlanError(f"{folder} is not a plan: it has no plan.json") from None
    except ValueError:
        raise PlanError(f"{path} is damaged: it is not JSON; compile the model again") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise PlanError(f"{path} is not a plan of this project (format {FORMAT})")
    version = document.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise PlanError(f"{path} has version {version}; this runtime reads up to {VERSION}: update planish, or compile the model again")
    content = {k: v for k, v in document.items() if k != "sha256"}
    if document.get("sha256") != _sha256(json.dumps(content, sort_keys=True).encode()):
        raise PlanError(f"{path} has been altered: its hash does not match; compile the model again")
    return document


def _file(path: Path, sha256: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError:
        raise PlanError(f"the plan is incomplete: {path} is missing; compile the model again") from None
    if _sha256(data) != sha256:
        raise PlanError(f"{path} has been altered: its hash does not match; compile the model again")
    return data


def _sha256(data: bytes | bytearray | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def _tensor(document: dict[str, Any]) -> Tensor:
    return Tensor(str(document["name"]), tuple(int(e) for e in document["shape"]), str(document["dtype"]))


def _launch_document(launch: Launch) -> dict[str, Any]:
    document = asdict(launch)
    document["arguments"] = [[a.buffer, a.index, a.offset, a.nbytes] for a in launch.arguments]
    return document


def _launch(document: dict[str, Any]) -> Launch:
    group = document["group"]
    return Launch(
        kernel=int(document["kernel"]), grid=tuple(document["grid"]), group=None if group is None else tuple(group),
        arguments=tuple(Argument(str(b), int(i), int(o), int(n)) for b, i, o, n in document["arguments"]),
        nodes=tuple(document["nodes"]), flops=int(document["flops"]), nbytes=int(document["nbytes"]), variant=document["variant"],
    )
