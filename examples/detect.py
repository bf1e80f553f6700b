"""Detect what a model knows, faces for instance, and leave the picture with boxes drawn: detect.png.

    python examples/detect.py
    python examples/detect.py yunet.onnx photo.jpg --expect 1
    python examples/detect.py blazeface.tflite photo.jpg --range=-1..1 --order rgb
    python examples/detect.py ssd_mobilenet.tflite photo.jpg --labels labels.txt

To find faces a model of faces has to be given: the bundled one finds circles, squares and triangles. Without a picture it looks at
40 synthetic scenes that it has never seen: the status is 1 if it finds less than 95 % of the shapes, or if less than 95 % of what it
finds is right.

Known are the outputs of YuNet, which the bundled model has, too, of BlazeFace, and of TFLite's detection post-processing (SSD).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import numpy as np
from common import COLOURS, boxed, ending, labels, loaded, parsed, parser, say, sides, tag, to_input
from PIL import Image, ImageDraw
from shapes.scenes import HELD_OUT, LABELS, scene

from planish.runtime.errors import InputError

Boxes = tuple[np.ndarray, np.ndarray, np.ndarray]  # [N, 4]: left, top, right, bottom in pixels of the input; scores; classes


def detect() -> dict[str, bool]:
    parse = parser(__doc__.partition("\n")[0], "shapes/detector.onnx", expect="how many have to be found in the first picture")
    parse.add_argument("--score", type=float, default=0.5, help="the least to be drawn")
    parse.set_defaults(range=(0.0, 255.0), order="bgr")
    options = parsed(parse)
    session = loaded(options.model, options, batch=1)
    name = labels(options.labels, LABELS if options.bundled else ("",))
    scenes = [scene(HELD_OUT + k) for k in range(0 if options.files else 40)]
    pictures = [s.picture for s in scenes] or [Image.open(file).convert("RGB") for file in options.files]
    width, height, *_ = sides(session.inputs[0])
    found = []
    for picture in pictures:
        fitted, scale = boxed(picture, session.inputs[0])
        boxes, scores, classes = decoded(session.run([to_input(fitted, session.inputs[0], options)]), width, height)
        kept = strongest(boxes, scores, options.score)
        found.append((boxes[kept] / scale, scores[kept], classes[kept]))
    for box, score, kind in zip(*found[0]):
        say("found", f"{name(int(kind))} {score:.1%} at {', '.join(f'{edge:.0f}' for edge in box)}".strip())
    drawn(pictures[0], found[0], name).save(options.output / "detect.png")
    say("pictures", str(options.output / "detect.png"))
    if scenes:
        hits = sum(matches(boxes, kinds, s.shapes) for (boxes, _, kinds), s in zip(found, scenes))
        recall, precision = hits / sum(len(s.shapes) for s in scenes), hits / sum(len(boxes) for boxes, *_ in found)
        say("accuracy", f"{recall:.1%} of the shapes found, {precision:.1%} of what is found is right")
        return {"less than 95 % of the shapes found": recall >= 0.95, "less than 95 % of the found are right": precision >= 0.95}
    return {f"{len(found[0][0])} found instead of {count}": len(found[0][0]) == int(count) for count in options.expect}


def decoded(outputs: dict[str, np.ndarray], width: int, height: int) -> Boxes:
    """All boxes that a model proposes."""
    shapes = {name: array.shape for name, array in outputs.items()}
    if "cls_8" in outputs:
        return joined([yunet(*(outputs[f"{what}_{s}"][0] for what in ("cls", "obj", "bbox")), int(s), width)
                       for s in (name[4:] for name in outputs if re.fullmatch(r"cls_\d+", name))])  # fmt: skip
    if len(outputs) == 4:  # boxes as shares of the sides, classes, scores, how many of them count
        boxes, classes, scores, count = (array.reshape(-1, 4) if k == 0 else array.ravel() for k, array in enumerate(outputs.values()))
        count = int(count[0])
        return boxes[:count, [1, 0, 3, 2]] * (width, height, width, height), scores[:count], classes[:count]
    if len(outputs) == 2 and sorted(shape[-1] for shape in shapes.values()) == [1, 16]:
        boxes, scores = sorted((array[0] for array in outputs.values()), key=lambda array: -array.shape[-1])
        return blazeface(boxes, scores[:, 0], width, height)
    raise InputError(f"the model's outputs are {shapes}; those of YuNet, BlazeFace and TFLite's detection post-processing are accepted")


def yunet(cls: np.ndarray, obj: np.ndarray, bbox: np.ndarray, stride: int, width: int) -> Boxes:
    """A proposal for each cell of a grid: its centre, in cells, from the cell on, and the logarithms of its sides."""
    cells = np.arange(len(bbox))
    centre = bbox[:, :2] + np.stack([cells % (width // stride), cells // (width // stride)], 1)
    half = np.exp(bbox[:, 2:]) / 2
    return np.concatenate([centre - half, centre + half], 1) * stride, np.sqrt(cls.max(1) * obj[:, 0]), cls.argmax(1)


def blazeface(values: np.ndarray, scores: np.ndarray, width: int, height: int) -> Boxes:
    """A proposal for each anchor, two in a cell of stride 8, six of 16, or one of stride 4: its centre, from the anchor on, and sides."""
    grids = [(4, 1)] if len(values) == width * height // 16 else [(8, 2), (16, 6)]
    anchors = [((x + 0.5) * s, (y + 0.5) * s) for s, n in grids for y in range(height // s) for x in range(width // s) for _ in range(n)]
    centre, half = values[:, :2] + anchors, values[:, 2:4] / 2
    return np.concatenate([centre - half, centre + half], 1), 1 / (1 + np.exp(-scores.clip(-80, 80))), np.zeros(len(values))


def joined(parts: list[Boxes]) -> Boxes:
    boxes, scores, classes = (np.concatenate(arrays) for arrays in zip(*parts))
    return boxes, scores, classes


def strongest(boxes: np.ndarray, scores: np.ndarray, least: float, overlap: float = 0.3) -> list[int]:
    """Of boxes that overlap, the one with the highest score (non-maximum suppression)."""
    kept: list[int] = []
    for k in np.argsort(-scores):
        if scores[k] >= least and (not kept or iou(boxes[k], boxes[kept]).max() < overlap):
            kept.append(int(k))
    return kept


def iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box and each of the others."""
    shared = np.prod((np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])).clip(0), 1)
    return shared / (np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], 1) - shared)


def matches(boxes: np.ndarray, kinds: np.ndarray, shapes: list[tuple[int, np.ndarray]]) -> int:
    """How many shapes have a box of their kind with an intersection over union of a half or more."""
    return sum(bool(len(boxes) and np.any((iou(box, boxes) >= 0.5) & (kinds == kind))) for kind, box in shapes)


def drawn(picture: Image.Image, found: Boxes, name: Callable[[int], str]) -> Image.Image:
    page = picture.copy()
    draw, line = ImageDraw.Draw(page), max(2, min(picture.size) // 200)
    for box, score, kind in zip(*found):
        colour = COLOURS[int(kind) % len(COLOURS)]
        draw.rectangle(tuple(box), outline=colour, width=line)
        tag(page, (box[0], max(0, box[1] - 15)), f"{name(int(kind))} {score:.0%}".strip(), colour)
    return page


if __name__ == "__main__":
    sys.exit(ending(detect))
