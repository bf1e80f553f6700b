"""plan.json: the records of a plan as JSON, sealed by a hash in the last line. docs/plan.md specifies it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import PlanError
from .records import NOTHING, Argument, HostStep, Kernel, Launch, Loop, Operand, Recorded, Row, Signature, State, Step, Tensor

if TYPE_CHECKING:
    from .plan import Plan

FORMAT = "planish-plan"
VERSION = 5
"""The newest that is read. A plan is written as the oldest that has what it needs: images 5, kernels with stages 4, loops 3, steps on the
host and states 2, else 1."""
SEAL = len(' "sha256": "') + 64 + len('"\n}\n')
"""Bytes at the end of plan.json that hold the hash of those before them."""


def encoded(plan: Plan) -> bytes:
    """What plan.json holds."""
    content = {
        "format": FORMAT, "version": plan.version, "provenance": plan.provenance,
        "inputs": [_tensor_json(t) for t in plan.inputs], "outputs": [_tensor_json(t) for t in plan.outputs],
        **({"signatures": [asdict(s) for s in plan.signatures]} if plan.signatures else {}),
        **({"states": [_state_json(s) for s in plan.states]} if plan.states else {}),
        "arena": plan.arena, "alignment": plan.alignment,
        "weights": {"bytes": len(plan.weights), "sha256": sha256(plan.weights)},
        "kernels": [_kernel_json(k) for k in plan.kernels],
        "launches": [_step_json(launch) for launch in plan.launches],
    }
    head = "{\n" + "".join(f" {json.dumps(key)}: {_lines(value)},\n" for key, value in content.items())
    return _sealed(head.encode())


def read(folder: Path) -> dict[str, Any]:
    """The contents of plan.json.

    Raises:
        PlanError: it is missing, altered, or of a newer version.
    """
    path = folder / "plan.json"
    if folder.is_file():
        raise PlanError(f"{folder} is a file, and a plan is a folder; `planish compile` makes one of a model")
    if not folder.is_dir():
        raise PlanError(f"no plan at {folder}: there is no such folder; `planish compile MODEL -o {folder}` makes one")
    try:
        check_ordinary(path)
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


def check_ordinary(path: Path) -> None:
    """Refuses what never ends, or waits for someone to write: devices, pipes and their like in the place of a plan's file.

    Raises:
        PlanError: the path is one of these.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise PlanError(f"{path} is no ordinary file, and all files of a plan are; compile the model again")


def _sealed(head: bytes) -> bytes:
    return head + f' "sha256": "{sha256(head)}"\n}}\n'.encode()


def sha256(data: bytes | bytearray | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def _lines(value: Any) -> str:
    """JSON; of a list of objects, each on a line of its own."""
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"  {json.dumps(v)}" for v in value) + "\n ]"
    return json.dumps(value)


def _tensor_json(tensor: Tensor) -> dict[str, Any]:
    document = {"name": tensor.name, "shape": tensor.shape, "dtype": tensor.dtype}
    said = {f.name: value for f in fields(Recorded) if (value := getattr(tensor.recorded, f.name)) != f.default}
    return {**document, "recorded": said} if said else document


def tensor_of(document: dict[str, Any]) -> Tensor:
    said = document.get("recorded")
    recorded = NOTHING if said is None else Recorded(
        index=None if said.get("index") is None else int(said["index"]),
        name=None if said.get("name") is None else str(said["name"]),
        shape=None if said.get("shape") is None else _integers(said["shape"]),
        scale=tuple(float(s) for s in said.get("scale", ())), zero_point=_integers(said.get("zero_point", ())),
        axis=int(said.get("axis", 0)), element=str(said.get("element", "")),
    )  # fmt: skip
    return Tensor(str(document["name"]), _integers(document["shape"]), str(document["dtype"]), recorded)


def signature_of(document: dict[str, Any]) -> Signature:
    inputs, outputs = ({str(name): str(of) for name, of in document[key].items()} for key in ("inputs", "outputs"))
    return Signature(str(document["name"]), inputs, outputs)


def _kernel_json(kernel: Kernel) -> dict[str, Any]:
    return {"name": kernel.name, "sha256": sha256(kernel.source.encode()), **({"stages": kernel.stages} if kernel.stages else {})}


def _state_json(state: State) -> dict[str, Any]:
    initial = None if state.initial is None else [state.initial.offset, state.initial.nbytes]
    return {"name": state.name, "nbytes": state.nbytes, "initial": initial}


def state_of(document: dict[str, Any]) -> State:
    initial = document["initial"]
    start = None if initial is None else _argument(["weights", 0, *initial])
    return State(str(document["name"]), int(document["nbytes"]), start)


def _step_json(launch: Step) -> dict[str, Any]:
    if isinstance(launch, Loop):
        return {
            "condition": _place(launch.condition), "most": launch.most, "body": [_step_json(step) for step in launch.body],
            "rows": [{"place": _place(row.place), "stacked": _operand_json(row.stacked)} for row in launch.rows],
            "nodes": launch.nodes, "reason": launch.reason,
        }
    document = asdict(launch)
    if isinstance(launch, HostStep):
        document["inputs"] = [None if o is None else _operand_json(o) for o in launch.inputs]
        document["outputs"] = [_operand_json(o) for o in launch.outputs]
    else:
        document["arguments"] = [_place(a) for a in launch.arguments]
        if launch.stage is None:
            del document["stage"]
    return document


def _operand_json(operand: Operand) -> dict[str, Any]:
    return {**asdict(operand), "place": _place(operand.place)}


def _place(argument: Argument) -> list[Any]:
    place = [argument.buffer, argument.index, argument.offset, argument.nbytes]
    return [*place, argument.image] if argument.image else place


def step_of(document: dict[str, Any]) -> Step:
    if "body" in document:
        most = document["most"]
        return Loop(
            condition=_argument(document["condition"]), most=None if most is None else int(most),
            body=tuple(step_of(s) for s in document["body"]),
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
    group, stage = document["group"], document.get("stage")
    return Launch(
        kernel=int(document["kernel"]), grid=_integers(document["grid"]), group=None if group is None else _integers(group),
        arguments=tuple(_argument(place) for place in document["arguments"]),
        nodes=tuple(str(n) for n in document["nodes"]), flops=int(document["flops"]), nbytes=int(document["nbytes"]),
        variant=str(document["variant"]), stage=None if stage is None else int(stage),
    )


def _operand(document: dict[str, Any]) -> Operand:
    return Operand(_argument(document["place"]), _integers(document["shape"]), str(document["dtype"]), str(document["storage"]))


def _argument(place: list[Any]) -> Argument:
    buffer, index, offset, nbytes, *image = place
    return Argument(str(buffer), int(index), int(offset), int(nbytes), *map(str, image))


def _integers(values: list[Any]) -> tuple[int, ...]:
    return tuple(int(v) for v in values)
