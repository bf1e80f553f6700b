"""Classify pictures, and leave a sheet of them with the best labels: classify.png.

    python examples/classify.py
    python examples/classify.py mobilenet.tflite photo.jpg --labels labels.txt --range=-1..1 --expect cat

With no pictures it is the bundled digits that are classified, 350 that the network has never seen: the status is 1 if fewer than
97 % are right.
"""

from __future__ import annotations

import sys

import numpy as np
from common import COLOURS, ROOT, ending, labels, loaded, parsed, parser, probabilities, say, to_input
from PIL import Image, ImageDraw, ImageOps

SIDE, GAP, BEST = 96, 8, 3


def classify() -> dict[str, bool]:
    expect = "what the best label of each picture has to contain, in their order"
    options = parsed(parser(__doc__.partition("\n")[0], "digits/digits.onnx", expect=expect))
    session, name = loaded(options.model, options, batch=1), labels(options.labels)
    truth = []
    if options.files:
        pictures = [Image.open(file) for file in options.files]
    else:
        pictures, truth = digits()
        name = str
    found = [probabilities(next(iter(session.run([to_input(p, session.inputs[0], options)]).values()))) for p in pictures]
    best = [[(name(k), scores[k]) for k in np.argsort(-scores)[:BEST]] for scores in found]
    for file, rows in zip(options.files, best):
        say("picture", f"{file.name}: {', '.join(f'{label} {share:.1%}' for label, share in rows)}")
    shown = range(len(pictures))
    if truth:
        right = [rows[0][0] == str(digit) for rows, digit in zip(best, truth)]
        say("accuracy", f"{np.mean(right):.1%} of {len(right)} held-out digits")
        shown = [k for k in shown if not right[k]][:8] + list(range(0, len(pictures), 44))  # what is wrong, and some more
    sheet([(pictures[k], best[k]) for k in shown]).save(options.output / "classify.png")
    say("pictures", str(options.output / "classify.png"))
    if truth:
        return {"fewer than 97 % right": np.mean(right) >= 0.97}
    return {f"{text}: not in '{rows[0][0]}'": text in rows[0][0] for text, rows in zip(options.expect, best)}


def digits() -> tuple[list[Image.Image], list[int]]:
    """The bundled pictures, a row of the sheet for each digit; which digits they are."""
    sheet = Image.open(ROOT / "digits" / "digits.png")
    tiles = [(x, y) for y in range(0, sheet.height, 8) for x in range(0, sheet.width, 8)]
    return [sheet.crop((x, y, x + 8, y + 8)) for x, y in tiles], [y // 8 for _, y in tiles]


def sheet(cards: list[tuple[Image.Image, list[tuple[str, float]]]], columns: int = 4) -> Image.Image:
    """The pictures, below each its best labels over bars as long as their shares."""
    columns, line = min(columns, len(cards)), 14
    width, height = 2 * SIDE + GAP, SIDE + 2 * GAP
    page = Image.new("RGB", (columns * width + GAP, -(-len(cards) // columns) * height), "white")
    draw = ImageDraw.Draw(page)
    for k, (picture, rows) in enumerate(cards):
        left, top = GAP + k % columns * width, GAP + k // columns * height
        method = Image.Resampling.NEAREST if picture.width < SIDE else Image.Resampling.BICUBIC
        page.paste(ImageOps.fit(picture.convert("RGB"), (SIDE, SIDE), method), (left, top))
        for row, (label, share) in enumerate(rows):
            x, y = left + SIDE + 4, top + 2 * row * (line + 1)
            draw.text((x, y), label[:16].encode("ascii", "replace").decode(), "black")
            draw.rectangle((x, y + line, x + (SIDE - 12) * share, y + line + 5), COLOURS[2])
    return page


if __name__ == "__main__":
    sys.exit(ending(classify))
