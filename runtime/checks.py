"""Whether the parts of a plan fit together."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from . import host
from .errors import PlanError
from .records import ITEMSIZE, Argument, HostStep, Launch, Loop, Operand, Step

if TYPE_CHECKING:
    from .plan import Plan

NESTING = 32
"""Loops that may lie within one another."""
RANK = 32
"""Axes of a tensor, which all versions of numpy can have."""
LARGEST = 2**63 - 1
"""Bytes or work-items that can be counted."""
PIXEL = {"float32": 16, "float16": 8}
"""Bytes of four numbers, by their type, that weights have as an image."""

Kept = dict[tuple[str, int], Operand]
"""What steps leave on the host, by buffer and index."""


class Contradiction(PlanError):
    """Parts of a plan do not fit together."""


def check(plan: Plan) -> None:
    """Checks every index, offset and extent.

    Raises:
        Contradiction: one does not fit.
    """
    for tensors, least in ((plan.inputs, 0), (plan.outputs, -1)):
        for tensor in tensors:
            _require(tensor.dtype in ITEMSIZE and _sound(tensor.shape, least), f"'{tensor}' is no tensor")
            said = tensor.recorded
            rank = len(tensor.shape if said.shape is None else said.shape)
            _require(len(said.scale) == len(said.zero_point) and rank == len(tensor.shape), f"'{tensor}' is recorded as another tensor")
        _require(len({t.name for t in tensors}) == len(tensors), "two inputs or outputs have one name")
    for signature in plan.signatures:
        sides = ((signature.inputs, plan.inputs), (signature.outputs, plan.outputs))
        _require(all({*names.values()} <= {t.name for t in tensors} for names, tensors in sides),
                 f"signature '{signature.name}' names no inputs or outputs of the plan")
    for kernel in plan.kernels:
        named = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", kernel.name) is not None
        _require(named, f"kernel name {kernel.name!r} is not an identifier")
        _require(0 <= kernel.stages <= len(plan.steps), f"kernel {kernel.name} has {kernel.stages} stages")
    _require(len({k.name for k in plan.kernels}) == len(plan.kernels), "two kernels have one name")
    _require(0 <= plan.arena <= LARGEST and plan.alignment >= 1, f"arena {plan.arena}, alignment {plan.alignment}")
    for state in plan.states:
        a = state.initial
        known = a is None or (a.buffer == "weights" and not a.image and a.offset >= 0 and a.offset + a.nbytes <= len(plan.weights))
        fits = 0 <= state.nbytes <= LARGEST and (a is None or a.nbytes == state.nbytes)
        _require(known and fits, f"state '{state.name}' has no such contents")
    kept: Kept = {}
    _Steps(plan).check((), plan.launches, kept)
    for index, tensor in enumerate(plan.outputs):
        made = kept.get(("output", index))
        fits = not tensor.open or (made is not None and (made.shape, made.dtype) == (tensor.shape, tensor.dtype))
        _require(fits, f"no step on the host makes '{tensor}'")


class _Steps:
    """The steps of a plan.

    Attributes:
        sizes: bytes of each buffer of a kind.
    """

    def __init__(self, plan: Plan):
        self.plan = plan
        self.sizes = {"arena": [plan.arena], "weights": [len(plan.weights)],
                      "input": [t.nbytes for t in plan.inputs], "output": [t.nbytes for t in plan.outputs],
                      "state": [s.nbytes for s in plan.states]}

    def check(self, loops: tuple[int, ...], steps: tuple[Step, ...], kept: Kept) -> None:
        """Checks the steps within loops, by their numbers, and adds to `kept` what they leave on the host."""
        for number, step in enumerate(steps):
            path = (*loops, number)
            where = ", ".join(f"launch {k}" for k in path)
            match step:
                case Launch():
                    self._check_launch(where, step)
                case HostStep():
                    self._check_host(where, step, kept)
                case Loop():
                    self._check_loop(where, path, step, kept)

    def _check_loop(self, where: str, path: tuple[int, ...], loop: Loop, kept: Kept) -> None:
        """Checks a loop; of what the host keeps only the rows outlive it, for the body may never run."""
        place, most = loop.condition, loop.most
        _require(len(path) <= NESTING, f"{where}: more than {NESTING} loops within one another")
        _require(place.buffer in ("arena", "output") and place.nbytes == 1, f"{where}: no byte of {place.buffer} is its condition")
        self._check_place(f"{where}, condition", place)
        _require(most is None or most >= 1, f"{where}: {most} runs")
        self.check(path, loop.body, dict(kept))
        for k, row in enumerate(loop.rows):
            what, stacked = f"{where}, row {k}", row.stacked
            self._check_place(what, row.place)
            self._check_operand(what, stacked)
            shape = stacked.shape[1:]
            sound = stacked.open and stacked.shape[0] == -1 and min(shape, default=0) >= 0 and stacked.dtype == stacked.storage
            _require(sound and most is not None, f"{what}: {stacked.dtype}{list(stacked.shape)} of {most} runs")
            needed = math.prod(shape) * ITEMSIZE[stacked.storage]
            _require(row.place.nbytes == needed, f"{what}: {row.place.nbytes} bytes for {needed}")
            kept[self._kept(what, stacked)] = stacked

    def _check_place(self, what: str, place: Argument) -> None:
        count = self.sizes.get(place.buffer, [])
        inside = 0 <= place.index < len(count) and 0 <= place.offset <= place.offset + place.nbytes <= count[place.index]
        _require(inside, f"{what}: bytes {place.offset} + {place.nbytes} lie outside of {place.buffer} {place.index}")
        _require(not place.image, f"{what}: {place.buffer} {place.index} as an image")

    def _check_operand(self, what: str, operand: Operand) -> None:
        sound = {operand.dtype, operand.storage} <= ITEMSIZE.keys() and _sound(operand.shape, -1)
        _require(sound, f"{what}: no tensor {operand.dtype}{list(operand.shape)}")

    def _kept(self, what: str, operand: Operand) -> tuple[str, int]:
        """Which of the host's arrays an operand of open shape is."""
        place = operand.place
        there = (place.buffer == "host" and place.index >= 0) or (place.buffer == "output" and 0 <= place.index < len(self.plan.outputs))
        _require(there and (place.offset, place.nbytes) == (0, 0), f"{what}: an open shape in {place.buffer} {place.index}")
        return place.buffer, place.index

    def _check_launch(self, where: str, launch: Launch) -> None:
        _require(0 <= launch.kernel < len(self.plan.kernels), f"{where}: no kernel {launch.kernel}")
        stages = self.plan.kernels[launch.kernel].stages
        staged = stages == 0 if launch.stage is None else 0 <= launch.stage < stages
        _require(staged, f"{where}: stage {launch.stage} of a kernel that has {stages}")
        grid, group = launch.grid, launch.group
        _require(1 <= len(grid) <= 3 and min(grid) >= 1 and math.prod(grid) <= LARGEST, f"{where}: grid {grid}")
        fits = group is None or (len(group) == len(grid) and min(group) >= 1 and not any(n % k for n, k in zip(grid, group)))
        _require(fits, f"{where}: work-groups {group} do not tile grid {grid}")
        for k, a in enumerate(launch.arguments):
            there = 0 <= a.index < len(self.sizes.get(a.buffer, ()))
            _require(there, f"{where}, argument {k}: there is no {a.buffer} {a.index}")
            inside = a.offset >= 0 and a.nbytes >= 0 and a.offset + a.nbytes <= max(self.sizes[a.buffer][a.index], 1)
            _require(inside, f"{where}, argument {k}: bytes {a.offset} + {a.nbytes} lie outside of {a.buffer} {a.index}")
            aligned = a.offset % self.plan.alignment == 0
            _require(aligned, f"{where}, argument {k}: offset {a.offset} is not aligned to {self.plan.alignment}")
            if a.image:
                _require(a.buffer == "weights" and a.image in PIXEL, f"{where}, argument {k}: {a.buffer} of {a.image} as an image")
                _require(launch.stage is None, f"{where}, argument {k}: an image for a stage")
                whole = a.offset % PIXEL[a.image] == 0 and a.nbytes % PIXEL[a.image] == 0
                _require(whole, f"{where}, argument {k}: bytes {a.offset} + {a.nbytes} are no pixels of four {a.image}")

    def _check_host(self, where: str, step: HostStep, kept: Kept) -> None:
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
            self._check_place(what, place)
            needed = math.prod(operand.shape) * ITEMSIZE[operand.storage]
            _require(place.nbytes == needed, f"{what}: {place.nbytes} bytes for {needed}")


def _sound(shape: tuple[int, ...], least: int) -> bool:
    """Whether numpy can have a tensor of a shape, with extents from `least` on, and its bytes be counted."""
    return len(shape) <= RANK and min(shape, default=1) >= least and math.prod(max(e, 1) for e in shape) <= LARGEST // 8


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise Contradiction(message)
