"""What lies where in the arena, from which launch to which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from planish.runtime.plan import Argument, HostStep, Launch, Plan, Step

from ..memory import Arena


@dataclass(frozen=True)
class Block:
    """Bytes of the arena that are kept for something.

    Attributes:
        name: of the value, or of the node whose kernel needs memory, that lies there; of a plan alone, "" for it does not tell.
        first, last: steps between which they are kept, both included.
    """

    name: str
    offset: int
    nbytes: int
    first: int
    last: int


def of_arena(arena: Arena, steps: int) -> list[Block]:
    """The blocks that the compiler has placed, by time; those of a loop's body are one."""
    blocks = [Block(name, offset, arena.sizes[name], arena.lives[name][0], min(arena.lives[name][1], steps - 1))
              for name, offset in arena.offsets.items() if arena.sizes[name]]
    return sorted(blocks, key=lambda b: (b.first, b.offset, b.name))


def of_plan(plan: Plan) -> list[Block]:
    """What a plan alone can tell: the ranges of bytes that steps touch, each from the first until others overlap it."""
    open_blocks: dict[tuple[int, int], Block] = {}
    found: list[Block] = []
    for time, step in enumerate(plan.launches):
        touched = {(a.offset, a.nbytes) for a in _arguments(step) if a.buffer == "arena" and a.nbytes}
        for key in touched:
            end = key[0] + key[1]
            over = [other for other in open_blocks if other != key and other not in touched and other[0] < end and key[0] < sum(other)]
            found += [open_blocks.pop(other) for other in over]
            begun = open_blocks.get(key)
            open_blocks[key] = Block("", *key, begun.first if begun else time, time)
    return sorted([*found, *open_blocks.values()], key=lambda b: (b.first, b.offset, b.nbytes))


def live(blocks: Sequence[Block], steps: int) -> list[int]:
    """The bytes that are kept while each step runs."""
    changes = np.zeros(steps + 1, np.int64)
    for block in blocks:
        changes[block.first] += block.nbytes
        changes[block.last + 1] -= block.nbytes
    return [int(nbytes) for nbytes in np.cumsum(changes)[:steps]]


def _arguments(step: Step) -> Iterator[Argument]:
    """What a step touches."""
    match step:
        case Launch():
            yield from step.arguments
        case HostStep():
            yield from (operand.place for operand in (*step.inputs, *step.outputs) if operand)
        case _:
            yield step.condition
            for inner in step.body:
                yield from _arguments(inner)
            for row in step.rows:
                yield from (row.place, row.stacked.place)
