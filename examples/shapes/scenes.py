"""Scenes of circles, squares and triangles on uneven ground: what the bundled segmenter and detector learned from, and are scored on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

LABELS = ("circle", "square", "triangle")
SIDE = 256
HELD_OUT = 10**6  # scenes from this seed on are never trained on


class Scene(NamedTuple):
    """A picture; the class of each pixel, 0 the ground, then `LABELS`; of each shape its place in `LABELS` and left, top, right, bottom."""

    picture: Image.Image
    mask: np.ndarray
    shapes: list[tuple[int, np.ndarray]]


def scene(seed: int) -> Scene:
    """That of a seed: four to nine shapes that do not touch, up to 72 pixels across, in any colour that differs from the ground's."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(20, 236, 3)
    pixels = Image.fromarray(_uneven(rng, ground))
    mask = Image.new("L", pixels.size)
    shapes: list[tuple[int, np.ndarray]] = []
    count = rng.integers(4, 10)
    for _ in range(100):
        kind, radius, turn = int(rng.integers(3)), rng.uniform(16, 36), rng.uniform(0, 2 * np.pi)
        corners = 60 if kind == 0 else (4, 3)[kind - 1]
        angles = turn + 2 * np.pi * np.arange(corners) / corners
        outline = rng.uniform(radius + 2, SIDE - radius - 2, 2) + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
        box = np.concatenate([outline.min(0), outline.max(0)])
        if len(shapes) == count or any(_touch(box, other) for _, other in shapes):
            continue
        colour = rng.integers(0, 256, 3)
        while np.abs(colour - ground).sum() < 150:
            colour = rng.integers(0, 256, 3)
        points = [tuple(p) for p in outline]
        filled = Image.new("L", pixels.size)
        ImageDraw.Draw(filled).polygon(points, fill=255)
        pixels.paste(tuple(int(c) for c in colour), mask=filled)
        ImageDraw.Draw(mask).polygon(points, fill=kind + 1)
        shapes.append((kind, box))
    noisy = np.asarray(pixels) + rng.normal(0, rng.uniform(0, 12), (SIDE, SIDE, 3))
    return Scene(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), np.asarray(mask), shapes)


def _uneven(rng: np.random.Generator, colour: np.ndarray) -> np.ndarray:
    """A field of a colour that grows lighter towards some side, with blotches."""
    ramp = np.linspace(-1, 1, SIDE)
    light = rng.uniform(-25, 25) * ramp[:, None] + rng.uniform(-25, 25) * ramp
    blotches = Image.fromarray(rng.normal(0, 10, (8, 8)).astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return (colour + (light + np.asarray(blotches))[..., None]).clip(0, 255).astype(np.uint8)


def _touch(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.all(a[:2] < b[2:] + 4) and np.all(b[:2] < a[2:] + 4))
