"""Segment a picture, and leave it with every class in a colour of its own: segment.png.

    python examples/segment.py
    python examples/segment.py deeplab.tflite photo.jpg --labels labels.txt --range=-1..1 --expect dog

With no picture it is synthetic scenes of shapes that are segmented, 16 that the network has never seen. The status is 1 if the mean
intersection over union is below 0.9.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
from common import COLOURS, boxed, ending, labels, loaded, parsed, parser, say, tag, to_input
from PIL import Image
from shapes.scenes import HELD_OUT, LABELS, scene

from planish.runtime import Session


def segment() -> dict[str, bool]:
    options = parsed(parser(__doc__.partition("\n")[0], "shapes/segmenter.onnx", expect="a class that has to be in the picture"))
    session, name = loaded(options.model, options, batch=1), labels(options.labels, ("ground", *LABELS) if options.bundled else ())
    scenes = [scene(HELD_OUT + k) for k in range(0 if options.files else 16)]
    pictures = [s.picture for s in scenes] or [Image.open(file).convert("RGB") for file in options.files]
    masks = [mask_of(session, picture, options) for picture in pictures]
    classes, areas = np.unique(masks[0], return_counts=True)
    say("classes", ", ".join(f"{name(k)} {area:.1%}" for k, area in zip(classes, areas / masks[0].size)))
    side_by_side = Image.new("RGB", (2 * pictures[0].width, pictures[0].height))
    side_by_side.paste(pictures[0])
    side_by_side.paste(overlaid(pictures[0], masks[0], name), (pictures[0].width, 0))
    side_by_side.save(options.output / "segment.png")
    say("pictures", str(options.output / "segment.png"))
    if scenes:
        score = mean_iou(np.stack(masks), np.stack([s.mask for s in scenes]))
        right = np.mean([mask == s.mask for mask, s in zip(masks, scenes)])
        say("accuracy", f"{score:.3f} mean intersection over union, {right:.1%} of all pixels right")
        return {"mean intersection over union below 0.9": score >= 0.9}
    return {f"no {text} found": text in map(name, classes) for text in options.expect}


def mask_of(session: Session, picture: Image.Image, options: argparse.Namespace) -> np.ndarray:
    """The class of each pixel, from scores of each class, or from what the model itself has decided."""
    fitted, scale = boxed(picture, session.inputs[0])
    (scores,) = session.run([to_input(fitted, session.inputs[0], options)]).values()
    classes = scores.argmax(3 if scores.shape[1] > scores.shape[3] else 1)[0] if scores.ndim == 4 else scores[0]
    scale *= classes.shape[0] / fitted.height
    mask = Image.fromarray(classes.astype(np.uint8)).crop((0, 0, round(picture.width * scale), round(picture.height * scale)))
    return np.asarray(mask.resize(picture.size, Image.Resampling.NEAREST))


def overlaid(picture: Image.Image, mask: np.ndarray, name: Callable[[int], str]) -> Image.Image:
    """The picture with the colour of its class over each pixel of class 1 or more, and the classes' names."""
    result = np.asarray(picture, np.float32).copy()
    classes = [int(k) for k in np.unique(mask) if k]
    for k in classes:
        result[mask == k] = 0.4 * result[mask == k] + 0.6 * np.float32(COLOURS[(k - 1) % len(COLOURS)])
    page = Image.fromarray(result.astype(np.uint8))
    for row, k in enumerate(classes):
        tag(page, (4, 4 + 16 * row), name(k), COLOURS[(k - 1) % len(COLOURS)])
    return page


def mean_iou(found: np.ndarray, truth: np.ndarray) -> float:
    """Over the classes of the truth: pixels that both have, of those that either has."""
    return float(np.mean([np.sum((found == k) & (truth == k)) / np.sum((found == k) | (truth == k)) for k in np.unique(truth)]))


if __name__ == "__main__":
    sys.exit(ending(segment))
