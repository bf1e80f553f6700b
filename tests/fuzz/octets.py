"""Mutations that know no format, and the values that all of them like best."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

HOSTILE = (
    "", " ", ".", "../../etc/passwd", "/dev/zero", "nul\0byte", "\x1b]0;owned\x07\x1b[2J\x1b[31m", "line\nbreak\r\n", "%s%n{0}{{7*7}}",
    '*/ } __kernel void FUZZMARK(__global int *p) { while (1) p[0]++; } /*', '"\\\n#include "/etc/passwd" FUZZMARK', "\u202egnp.exe",
    "__import__('os').system('true')", "[red]FUZZMARK[/red]", "ä漢🙂", "A" * 70_000,
)  # fmt: skip
"""Names: paths, kernel source, markup, escapes of terminals."""
MARK = "FUZZMARK"
"""What no kernel may hold: it occurs in names only."""
NUMBERS = (0, 1, -1, 2, 3, 7, 127, 128, 255, 256, -128, 1 << 15, 1 << 16, 1 << 20, 1 << 24, 1 << 28, (1 << 31) - 1, 1 << 31, -(1 << 31),
           (1 << 32) - 1, 1 << 32, 1 << 40, (1 << 62), (1 << 63) - 1, -(1 << 63))  # fmt: skip


def number(r: random.Random, bits: int = 64) -> int:
    """A number that overflows something, or nearly; of so many bits, signed."""
    value = r.choice(NUMBERS) + r.choice((0, 0, 0, 1, -1)) if r.random() < 0.8 else r.randrange(-10, 100)
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def flip(r: random.Random, data: bytearray) -> None:
    for _ in range(r.choice((1, 1, 2, 8, 64))):
        data[r.randrange(len(data))] ^= 1 << r.randrange(8)


def overwrite(r: random.Random, data: bytearray) -> None:
    start = r.randrange(len(data))
    data[start : start + r.choice((1, 4, 16))] = r.choice((b"\0", b"\xff", r.randbytes(1))) * r.choice((1, 4, 16))


def forge(r: random.Random, data: bytearray) -> None:
    """Another 32-bit number, as offsets and lengths are."""
    start = r.randrange(max(len(data) // 4, 1)) * 4
    value = r.choice((number(r, 32), len(data), len(data) - start, start, -start)) & 0xFFFFFFFF
    data[start : start + 4] = struct.pack("<I", value)


def truncate(r: random.Random, data: bytearray) -> None:
    del data[r.randrange(len(data)) :]


def _block(r: random.Random, data: bytearray) -> slice:
    start = r.randrange(len(data))
    return slice(start, start + r.choice((1, 4, 16, 256, 4096)))


def remove(r: random.Random, data: bytearray) -> None:
    del data[_block(r, data)]


def duplicate(r: random.Random, data: bytearray) -> None:
    block = _block(r, data)
    data[block.start : block.start] = data[block] * r.choice((1, 1, 1, 100))


def swap(r: random.Random, data: bytearray) -> None:
    one, other = _block(r, data), _block(r, data)
    data[one], data[other] = data[other], data[one]


def insert(r: random.Random, data: bytearray) -> None:
    start = r.randrange(len(data))
    data[start:start] = r.choice((r.randbytes(r.choice((1, 8, 64))), r.choice(HOSTILE).encode(), b"\x0a" * 5000, b"[" * 5000))


MUTATIONS: tuple[Callable[[random.Random, bytearray], None], ...] = (
    flip, flip, overwrite, forge, forge, truncate, remove, duplicate, swap, insert,
)


def mutate(r: random.Random, data: bytes) -> bytes:
    """Other bytes, by one mutation or a few."""
    changed = bytearray(data)
    for _ in range(r.choice((1, 1, 2, 4))):
        if changed:
            r.choice(MUTATIONS)(r, changed)
    return bytes(changed)
