"""The plan: what the compiler writes and the runtime executes. docs/plan.md specifies its files.

    plan.json      format, version, provenance, inputs, outputs, kernels, launches (some of them steps on the host)
    kernels/*.cl   OpenCL C, one file per distinct kernel
    weights.bin    one blob; each array starts at a multiple of `alignment`

Everything is resolved: grids, arguments, offsets. The order of `launches` is the order of execution; each may rely on all
before it. Every file's SHA-256 stands in plan.json, and plan.json's own in its last line, so that any altered byte shows.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from . import host
from .errors import PlanError
from .folders import replacing

FORMAT = "planish-plan"
VERSION = 3
"""The newest that is read. A plan is written as the oldest that has what it needs: loops 3, steps on the host and states 2, else 1."""
ITEMSIZE = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
            "float16": 2, "float32": 4, "float64": 8}  # fmt: skip
"""The element types of inputs and outputs, by numpy's names, and their bytes."""

SEAL = len(' "sha256": "') + 64 + len('"\n}\n')
"""Bytes at the end of plan.json that hold the hash of those before them."""


@dataclass(frozen=True)
class Tensor:
    """An input or an output: row-major, in a buffer of its own. dtype is numpy's name of it.

    An output that the host computes may have dimensions, -1, that depend on data; it has no buffer then.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def open(self) -> bool:
        """Whether its shape depends on data."""
        return -1 in self.shape

    @property
    def nbytes(self) -> int:
        """Of its buffer."""
        return 0 if self.open else math.prod(self.shape) * ITEMSIZE[self.dtype]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}{list(self.shape)}"


@dataclass(frozen=True)
class Argument:
    """What is bound to one argument of a kernel.

    Attributes:
        buffer: "arena", "weights", "input", "output" or "state".
        index: which input, output or state; 0 for the others.
        offset: bytes from its start; nbytes: the kernel touches no more.
    """

    buffer: str
    index: int
    offset: int
    nbytes: int


@dataclass(frozen=True)
class State:
    """A buffer whose contents stay from one run to the next.

    Attributes:
        initial: its bytes in the weights before the first run; None for zeros.
    """

    name: str
    nbytes: int
    initial: Argument | None = None


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
class Operand:
    """An operand or a result of a step on the host.

    Attributes:
        place: where it lies: row-major bytes of a buffer, whose offset may be any. Where the shape depends on data,
            ("output", index, 0, 0), or ("host", index, 0, 0), the index-th array that the host keeps during a run.
        shape: -1 for a dimension that depends on data.
        dtype: what the function sees; storage: what the bytes are.
    """

    place: Argument
    shape: tuple[int, ...]
    dtype: str
    storage: str

    @property
    def open(self) -> bool:
        """Whether its shape depends on data."""
        return -1 in self.shape


@dataclass(frozen=True)
class HostStep:
    """A function of `planish.runtime.host` in the place of a launch.

    Attributes:
        host: its name.
        attributes: by name, as JSON has them.
        inputs: None for an absent operand.
        nodes: the nodes of the source model that it stands for.
        reason: why it does not run on the device, for people.
    """

    host: str
    attributes: dict[str, Any]
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand, ...]
    nodes: tuple[str, ...] = ()
    reason: str = ""

    @property
    def what(self) -> str:
        """What it computes, for people: the name of the function, or of what an `array` does."""
        return str(self.attributes.get("fn", self.host))


@dataclass(frozen=True)
class Row:
    """What each run of a loop leaves.

    Attributes:
        place: its row-major bytes.
        stacked: all of them, along a new axis in front, as the host keeps them behind the loop.
    """

    place: Argument
    stacked: Operand


@dataclass(frozen=True)
class Loop:
    """Steps that run while a condition holds: the host looks before each run.

    Attributes:
        condition: a byte, which the body changes; it runs where that is not 0.
        most: runs that there are at most; None where nothing is known to bound them, and there are no rows.
        nodes: the nodes of the source model that it stands for, those of its body left out.
        reason: why the host drives it, for people.
    """

    condition: Argument
    most: int | None
    body: tuple[Step, ...]
    rows: tuple[Row, ...] = ()
    nodes: tuple[str, ...] = ()
    reason: str = ""

    @property
    def what(self) -> str:
        """What it is, for people."""
        return "branch" if self.most == 1 else "loop"


Step: TypeAlias = "Launch | HostStep | Loop"
NESTING = 32
"""Loops that may lie within one another."""


@dataclass(frozen=True)
class Plan:
    """A compiled model. Whoever has one may rely on it: every index, offset and extent has been checked.

    Attributes:
        arena: bytes of the buffer that all intermediates share.
        alignment: bytes of which every argument's offset is a multiple.
        weights: the blob that `weights.bin` holds; of a plan that was read, a view of the file.
        states: what stays from one run to the next.
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

    def __post_init__(self) -> None:
        for tensors, least in ((self.inputs, 0), (self.outputs, -1)):
            for tensor in tensors:
                _require(tensor.dtype in ITEMSIZE and min(tensor.shape, default=1) >= least, f"'{tensor}' is no tensor")
            _require(len({t.name for t in tensors}) == len(tensors), "two inputs or outputs have one name")
        for kernel in self.kernels:
            named = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", kernel.name) is not None
            _require(named, f"kernel name {kernel.name!r} is not an identifier")
        _require(len({k.name for k in self.kernels}) == len(self.kernels), "two kernels have one name")
        _require(self.arena >= 0 and self.alignment >= 1, f"arena {self.arena}, alignment {self.alignment}")
        sizes = {"arena": [self.arena], "weights": [len(self.weights)],
                 "input": [t.nbytes for t in self.inputs], "output": [t.nbytes for t in self.outputs],
                 "state": [s.nbytes for s in self.states]}
        for state in self.states:
            a = state.initial
            known = a is None or (a.buffer == "weights" and a.offset >= 0 and a.offset + a.nbytes <= len(self.weights))
            _require(state.nbytes >= 0 and known and (a is None or a.nbytes == state.nbytes), f"state '{state.name}' has no such contents")
        kept: dict[tuple[str, int], Operand] = {}
        self._check_steps((), self.launches, sizes, kept)
        for index, tensor in enumerate(self.outputs):
            made = kept.get(("output", index))
            fits = not tensor.open or (made is not None and (made.shape, made.dtype) == (tensor.shape, tensor.dtype))
            _require(fits, f"no step on the host makes '{tensor}'")

    def _check_steps(self, loops: tuple[int, ...], steps: tuple[Step, ...], sizes: dict[str, list[int]],
                     kept: dict[tuple[str, int], Operand]) -> None:
        """Checks the steps within loops, by their numbers, and adds to `kept` what they leave on the host."""
        for number, step in enumerate(steps):
            path = (*loops, number)
            where = ", ".join(f"launch {k}" for k in path)
            match step:
                case Launch():
                    self._check(where, step, sizes)
                case HostStep():
                    self._check_host(where, step, sizes, kept)
                case Loop():
                    self._check_loop(where, path, step, sizes, kept)

    def _check_loop(self, where: str, path: tuple[int, ...], loop: Loop, sizes: dict[str, list[int]],
                    kept: dict[tuple[str, int], Operand]) -> None:
        """Checks a loop; of what the host keeps only the rows outlive it, for the body may never run."""
        place, most = loop.condition, loop.most
        _require(len(path) <= NESTING, f"{where}: more than {NESTING} loops within one another")
        _require(place.buffer in ("arena", "output") and place.nbytes == 1, f"{where}: no byte of {place.buffer} is its condition")
        self._check_place(f"{where}, condition", place, sizes)
        _require(most is None or most >= 1, f"{where}: {most} runs")
        self._check_steps(path, loop.body, sizes, dict(kept))
        for k, row in enumerate(loop.rows):
            what, stacked = f"{where}, row {k}", row.stacked
            self._check_place(what, row.place, sizes)
            self._check_operand(what, stacked)
            shape = stacked.shape[1:]
            sound = stacked.open and stacked.shape[0] == -1 and min(shape, default=0) >= 0 and stacked.dtype == stacked.storage
            _require(sound and most is not None, f"{what}: {stacked.dtype}{list(stacked.shape)} of {most} runs")
            needed = math.prod(shape) * ITEMSIZE[stacked.storage]
            _require(row.place.nbytes == needed, f"{what}: {row.place.nbytes} bytes for {needed}")
            kept[self._kept(what, stacked)] = stacked

    def _check_place(self, what: str, place: Argument, sizes: dict[str, list[int]]) -> None:
        count = sizes.get(place.buffer, [])
        inside = 0 <= place.index < len(count) and 0 <= place.offset <= place.offset + place.nbytes <= count[place.index]
        _require(inside, f"{what}: bytes {place.offset} + {place.nbytes} lie outside of {place.buffer} {place.index}")

    def _check_operand(self, what: str, operand: Operand) -> None:
        sound = {operand.dtype, operand.storage} <= ITEMSIZE.keys() and min(operand.shape, default=1) >= -1
        _require(sound, f"{what}: no tensor {operand.dtype}{list(operand.shape)}")

    def _kept(self, what: str, operand: Operand) -> tuple[str, int]:
        """Which of the host's arrays an operand of open shape is."""
        place = operand.place
        there = (place.buffer == "host" and place.index >= 0) or (place.buffer == "output" and 0 <= place.index < len(self.outputs))
        _require(there and (place.offset, place.nbytes) == (0, 0), f"{what}: an open shape in {place.buffer} {place.index}")
        return place.buffer, place.index

    def _check(self, where: str, launch: Launch, sizes: dict[str, list[int]]) -> None:
        _require(0 <= launch.kernel < len(self.kernels), f"{where}: no kernel {launch.kernel}")
        grid, group = launch.grid, launch.group
        _require(1 <= len(grid) <= 3 and min(grid) >= 1, f"{where}: grid {grid}")
        fits = group is None or (len(group) == len(grid) and min(group) >= 1 and not any(n % k for n, k in zip(grid, group)))
        _require(fits, f"{where}: work-groups {group} do not tile grid {grid}")
        for k, a in enumerate(launch.arguments):
            there = 0 <= a.index < len(sizes.get(a.buffer, ()))
            _require(there, f"{where}, argument {k}: there is no {a.buffer} {a.index}")
            inside = a.offset >= 0 and a.nbytes >= 0 and a.offset + a.nbytes <= max(sizes[a.buffer][a.index], 1)
            _require(inside, f"{where}, argument {k}: bytes {a.offset} + {a.nbytes} lie outside of {a.buffer} {a.index}")
            _require(a.offset % self.alignment == 0, f"{where}, argument {k}: offset {a.offset} is not aligned to {self.alignment}")

    def _check_host(self, where: str, step: HostStep, sizes: dict[str, list[int]], kept: dict[tuple[str, int], Operand]) -> None:
        """Checks a step on the host, and adds to `kept` what it leaves there."""
        wrong = host.refusal(step.host, [o is not None for o in step.inputs], len(step.outputs), step.attributes)
        _require(wrong is None, f"{where}: {wrong}")
        for k, operand in enumerate((*step.inputs, *step.outputs)):
            if operand is None:
                continue
            result = k >= len(step.inputs)
            what = f"{where}, result {k - len(step.inputs)}" if result else f"{where}, operand {k}"
            self._check_operand(what, operand)
            place = operand.place
            writable = ("arena", "output", "host") if result else ("arena", "output", "input", "weights", "host")
            _require(place.buffer in writable and place.index >= 0, f"{what}: {place.buffer} {place.index} is not for it")
            if operand.open:
                key = self._kept(what, operand)
                if result:
                    kept[key] = operand
                made = kept.get(key)
                made_so = made is not None and (made.shape, made.dtype) == (operand.shape, operand.dtype)
                _require(made_so, f"{what}: no step before makes {place.buffer} {place.index} so")
                continue
            self._check_place(what, place, sizes)
            needed = math.prod(operand.shape) * ITEMSIZE[operand.storage]
            _require(place.nbytes == needed, f"{what}: {place.nbytes} bytes for {needed}")

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
        return 3 if self.loops else 2 if self.host_steps or self.states else 1

    def write(self, folder: str | Path, *, force: bool = False) -> None:
        """Writes the plan as a folder: whole, or not at all. A plan that is there is replaced.

        Args:
            force: also replaces a folder that is not a plan, or holds more than one.

        Raises:
            PlanError: something that is not a plan is in the way, or the folder cannot be written.
        """
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
        content = {
            "format": FORMAT, "version": self.version, "provenance": self.provenance,
            "inputs": [asdict(t) for t in self.inputs], "outputs": [asdict(t) for t in self.outputs],
            **({"states": [_state_document(s) for s in self.states]} if self.states else {}),
            "arena": self.arena, "alignment": self.alignment,
            "weights": {"bytes": len(self.weights), "sha256": _sha256(self.weights)},
            "kernels": [{"name": k.name, "sha256": _sha256(k.source.encode())} for k in self.kernels],
            "launches": [_launch_document(launch) for launch in self.launches],
        }
        head = "{\n" + "".join(f" {json.dumps(key)}: {_lines(value)},\n" for key, value in content.items())
        return _sealed(head.encode())

    @staticmethod
    def read(folder: str | Path) -> Plan:
        """Reads a plan and checks every hash in it.

        Raises:
            PlanError: it is missing, incomplete, altered, or of a newer version.
        """
        folder = Path(folder)
        path = folder / "plan.json"
        document = _document(folder)
        try:
            names = [str(k["name"]) for k in document["kernels"]]
            files = [_file(folder / "kernels" / f"{Path(n).name}.cl", k["sha256"]) for n, k in zip(names, document["kernels"])]
            return Plan(
                inputs=tuple(_tensor(t) for t in document["inputs"]),
                outputs=tuple(_tensor(t) for t in document["outputs"]),
                kernels=tuple(Kernel(n, bytes(f).decode()) for n, f in zip(names, files)),
                launches=tuple(_launch(launch) for launch in document["launches"]),
                arena=int(document["arena"]), alignment=int(document["alignment"]),
                weights=_file(folder / "weights.bin", document["weights"]["sha256"]),
                provenance=dict(document["provenance"]),
                states=tuple(_state(s) for s in document.get("states", ())),
            )
        except _Contradiction as error:
            raise PlanError(f"{path} contradicts itself: {error}; compile the model again") from None
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise PlanError(f"{path} lacks or garbles {error}; compile the model again") from None


class _Contradiction(PlanError):
    """Parts of a plan do not fit together."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise _Contradiction(message)


def _walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        if isinstance(step, Loop):
            yield from _walk(step.body)


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


def _document(folder: Path) -> dict[str, Any]:
    path = folder / "plan.json"
    if folder.is_file():
        raise PlanError(f"{folder} is a file, and a plan is a folder; `planish compile` makes one of a model")
    if not folder.is_dir():
        raise PlanError(f"no plan at {folder}: there is no such folder; `planish compile MODEL -o {folder}` makes one")
    try:
        data = path.read_bytes()
        document = json.loads(data)
    except OSError as error:
        raise PlanError(f"{folder} is not a plan, or an incomplete one: plan.json: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise PlanError(f"{path} is damaged: it is not JSON; compile the model again") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise PlanError(f"{path} is not a plan of this project (format {FORMAT})")
    version = document.get("version")
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise PlanError(f"{path} has version {version!r}; this runtime reads up to {VERSION}: update planish, or compile the model again")
    if data != _sealed(data[:-SEAL]):
        raise PlanError(f"{path} has been altered: its hash does not match; compile the model again")
    return document


def _sealed(head: bytes) -> bytes:
    return head + f' "sha256": "{_sha256(head)}"\n}}\n'.encode()


def _file(path: Path, sha256: str) -> memoryview:
    """The bytes of a file, mapped into memory."""
    try:
        with path.open("rb") as file:
            try:
                data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            except (OSError, ValueError):  # it is empty, or on a file system that maps nothing
                data = memoryview(file.read())
    except OSError as error:
        raise PlanError(f"the plan is incomplete: {path}: {error.strerror}; compile the model again") from None
    if _sha256(data) != sha256:
        raise PlanError(f"{path} has been altered: its hash does not match; compile the model again")
    return data


def _sha256(data: bytes | bytearray | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def _lines(value: Any) -> str:
    """JSON; of a list of objects, each on a line of its own."""
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"  {json.dumps(v)}" for v in value) + "\n ]"
    return json.dumps(value)


def _tensor(document: dict[str, Any]) -> Tensor:
    return Tensor(str(document["name"]), tuple(int(e) for e in document["shape"]), str(document["dtype"]))


def _state_document(state: State) -> dict[str, Any]:
    initial = None if state.initial is None else [state.initial.offset, state.initial.nbytes]
    return {"name": state.name, "nbytes": state.nbytes, "initial": initial}


def _state(document: dict[str, Any]) -> State:
    initial = document["initial"]
    start = None if initial is None else Argument("weights", 0, *map(int, initial))
    return State(str(document["name"]), int(document["nbytes"]), start)


def _launch_document(launch: Step) -> dict[str, Any]:
    if isinstance(launch, Loop):
        return {
            "condition": _place(launch.condition), "most": launch.most, "body": [_launch_document(step) for step in launch.body],
            "rows": [{"place": _place(row.place), "stacked": _operand_document(row.stacked)} for row in launch.rows],
            "nodes": launch.nodes, "reason": launch.reason,
        }
    document = asdict(launch)
    if isinstance(launch, HostStep):
        document["inputs"] = [None if o is None else _operand_document(o) for o in launch.inputs]
        document["outputs"] = [_operand_document(o) for o in launch.outputs]
    else:
        document["arguments"] = [_place(a) for a in launch.arguments]
    return document


def _operand_document(operand: Operand) -> dict[str, Any]:
    return {**asdict(operand), "place": _place(operand.place)}


def _place(argument: Argument) -> list[Any]:
    return [argument.buffer, argument.index, argument.offset, argument.nbytes]


def _launch(document: dict[str, Any]) -> Step:
    if "body" in document:
        most = document["most"]
        return Loop(
            condition=_argument(document["condition"]), most=None if most is None else int(most),
            body=tuple(_launch(step) for step in document["body"]),
            rows=tuple(Row(_argument(row["place"]), _operand(row["stacked"])) for row in document["rows"]),
            nodes=tuple(str(n) for n in document["nodes"]), reason=str(document["reason"]),
        )
    if "host" in document:
        return HostStep(
            host=str(document["host"]), attributes=dict(document["attributes"]),
            inputs=tuple(None if o is None else _operand(o) for o in document["inputs"]),
            outputs=tuple(_operand(o) for o in document["outputs"]),
            nodes=tuple(str(n) for n in document["nodes"]), reason=str(document["reason"]),
        )
    group = document["group"]
    return Launch(
        kernel=int(document["kernel"]), grid=_integers(document["grid"]), group=None if group is None else _integers(group),
        arguments=tuple(_argument(place) for place in document["arguments"]),
        nodes=tuple(str(n) for n in document["nodes"]), flops=int(document["flops"]), nbytes=int(document["nbytes"]),
        variant=str(document["variant"]),
    )


def _operand(document: dict[str, Any]) -> Operand:
    return Operand(_argument(document["place"]), _integers(document["shape"]), str(document["dtype"]), str(document["storage"]))


def _argument(place: list[Any]) -> Argument:
    buffer, index, offset, nbytes = place
    return Argument(str(buffer), int(index), int(offset), int(nbytes))


def _integers(values: list[Any]) -> tuple[int, ...]:
    return tuple(int(v) for v in values)
