"""The plan of what is given: of a plan's folder, or of a model's file, which is compiled when it is first met.

Compiled plans are kept in the folder of `planish.runtime.cache`, and as little trusted as all there: one that is damaged is compiled
again, and a folder that cannot be written is left alone. It is here alone that the runtime asks for the compiler, and only then.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import pyopencl as cl

from . import cache
from .devices import identity
from .errors import InputError, PlanError
from .plan import VERSION, Plan

Model: TypeAlias = "str | os.PathLike[str] | bytes"
"""A plan's folder, a model's file, or the content of one."""
OPTIONS = ("precision", "input_shapes", "input_values", "dims", "batch", "host")
"""Of `planish.compiler.compile_model`, that may be given beside a model."""
ELSEWHERE = b"\n\x08location"
"""In an ONNX file whose weights lie in further files, the key that says where."""


def plan_of(model: Model, device: cl.Device, options: Mapping[str, Any], *, recorded_shapes: bool = False) -> Plan:
    """Reads a plan; or compiles a model for a device, unless that has been done before.

    Args:
        options: of the compilation, those of OPTIONS.
        recorded_shapes: as of `planish.compiler.compile_model`.

    Raises:
        PlanError: there is no such file, the plan cannot be read, or there is no compiler.
        CompileError: the model or an option is not accepted.
        InputError: no such option, or one beside a plan.
    """
    unknown = next((name for name in options if name not in OPTIONS), None)
    if unknown:
        raise InputError(f"no option '{unknown}'; {', '.join(OPTIONS)} are accepted")
    folder = folder_of(model)
    if folder:
        if options:
            raise InputError(f"{folder} is a plan, for which '{next(iter(options))}' comes too late; it is an option beside a model's file")
        return Plan.read(folder)
    path, content = _content(model)
    options = {**options, "recorded_shapes": recorded_shapes and "batch" not in options}
    entry = _entry(content, device, options)
    if entry:
        with suppress(PlanError):
            return Plan.read(entry)
    plan = _compiled(path, content, device, options)
    if entry:
        with suppress(PlanError):
            plan.write(entry, force=True)
            return Plan.read(entry)  # its weights lie where kernels read them in place
    return plan


def folder_of(model: Model) -> Path | None:
    """The plan's folder that is given; None where a model is."""
    return Path(model) if not isinstance(model, bytes) and Path(model).is_dir() else None


def _content(model: Model) -> tuple[Path, bytes]:
    """What a model's file is called, and its bytes."""
    if isinstance(model, bytes):
        return Path("model"), model
    try:
        return Path(model), Path(model).read_bytes()
    except OSError as error:
        raise PlanError(f"{model}: {error.strerror or error}; a plan's folder or a model's file would be accepted") from None


def _entry(content: bytes, device: cl.Device, options: Mapping[str, Any]) -> Path | None:
    """Where the plan is kept; None where nothing can be, or more than the content decides."""
    folder = cache.folder()
    if folder is None or ELSEWHERE in content:
        return None
    wanted = json.dumps(options, sort_keys=True, default=_told)
    key = "\0".join((_toolchain(), *identity(device), str(device.max_compute_units), wanted)).encode()
    return folder / "plans" / hashlib.sha256(key + hashlib.sha256(content).digest()).hexdigest()


def _told(value: Any) -> Any:
    """An option that JSON lacks: an array with its type, anything else as Python shows it."""
    return [str(value.dtype), value.tolist()] if hasattr(value, "dtype") else repr(value)


@lru_cache
def _toolchain() -> str:
    """What decides how a model is compiled: the format's version, and the compiler's files."""
    found = [f"format {VERSION}"]
    for package in ("planish.compiler", "planish.templates"):
        spec = find_spec(package)
        for folder in map(Path, (spec and spec.submodule_search_locations) or ()):
            files = sorted(p for p in folder.rglob("*") if p.suffix in (".py", ".j2", ".cl", ".json"))
            found += [f"{p.relative_to(folder)} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files]
    return "\n".join(found)


def _compiled(path: Path, content: bytes, device: cl.Device, options: Mapping[str, Any]) -> Plan:
    try:
        from planish.compiler import compile_model, targets
    except ImportError as error:
        raise PlanError(f"{path} is a model, and there is no compiler to make a plan of it: {error}; "
                        "a plan would be accepted, as `planish compile` makes one where the compiler is installed") from None
    plan, _ = compile_model(path, targets.of_present(device), content=content, **options)
    assert plan is not None, "nothing stops before the end"
    return plan
