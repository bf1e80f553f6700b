"""The source text of each launch: of a kernel of its own all of it, of a stage the functions that compute it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from planish.runtime.plan import Kernel, Launch

from ..kernel import TILE

FUNCTION = re.compile(r"^// ---- (\w+)\n(.*?)(?=^#undef|^#pragma OPENCL FP_CONTRACT ON$)", re.MULTILINE | re.DOTALL)
WALK = re.compile(r"^static __attribute__\(\(noinline\)\) void (items\d+|chain\d+)\(.*?^}$", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"^ +(\w+)\(", re.MULTILINE)
STAGE = re.compile(r"^    case (\d+): (items\d+|chain\d+)\(", re.MULTILINE)
DEFINE = re.compile(r"^#define (\w+) (\S+)(?:  // (.*))?$", re.MULTILINE)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a kernel's tile, as its source defines it; meaning: the comment there."""

    name: str
    value: str
    meaning: str


class Sources:
    """The texts of a plan's kernels, in parts.

    Attributes:
        texts: by the name of a kernel, or of a function that computes a stage.
    """

    def __init__(self, kernels: tuple[Kernel, ...]):
        self._kernels = kernels
        self._stages = [_stages(kernel) if kernel.stages else {} for kernel in kernels]
        self.texts = {name: text for kernel in kernels for name, text in _parts(kernel).items()}

    def of(self, launch: Launch) -> tuple[str, ...]:
        """The names of the texts that compute a launch: several, where it is several launches, band by band."""
        whole = (self._kernels[launch.kernel].name,)
        return whole if launch.stage is None else self._stages[launch.kernel].get(launch.stage, whole)

    def tile(self, name: str) -> list[Parameter]:
        """The parameters in which the candidates of a launch differ."""
        return [Parameter(*found) for found in DEFINE.findall(self.texts[name]) if found[0] in TILE]


def _parts(kernel: Kernel) -> dict[str, str]:
    """The functions of a kernel of several launches that are named in it, and what is left, the way through the stages."""
    if not kernel.stages:
        return {kernel.name: kernel.source}
    functions = {name: f"{text.rstrip()}\n" for name, text in FUNCTION.findall(kernel.source)}
    return {**functions, kernel.name: _skeleton(kernel.source)} if functions else {kernel.name: kernel.source}


def _skeleton(source: str) -> str:
    """A kernel of several launches without their functions, which are told by name."""
    return re.sub(r"^// ---- (\w+)\n.*?^#pragma OPENCL FP_CONTRACT ON$", r"// ---- \1: …", source, flags=re.MULTILINE | re.DOTALL)


def _stages(kernel: Kernel) -> dict[int, tuple[str, ...]]:
    """The functions that compute each stage."""
    functions = {name for name, _ in FUNCTION.findall(kernel.source)}
    calls = {found[1]: CALL.findall(found[0]) for found in WALK.finditer(kernel.source)}

    def reached(walk: str) -> tuple[str, ...]:
        called = (reached(name) if name in calls else (name,) for name in calls.get(walk, ()) if name != walk)
        return tuple(dict.fromkeys(name for names in called for name in names if name in functions))

    return {int(stage): names for stage, walk in STAGE.findall(kernel.source) if (names := reached(walk))}
