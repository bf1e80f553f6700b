"""Enlarge pictures of any size tile by tile, and leave them beside what bicubic enlargement gives: upscale.png.

    python examples/upscale.py
    python examples/upscale.py super_resolution.onnx photo.jpg --shrink

Models of colours and of luma alone are known. `--shrink` shrinks a picture before, so that the truth is known: the status is 1 if the
network is no better than bicubic enlargement. So it is for the bundled picture, whose truth is there.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from common import ROOT, ending, loaded, parsed, parser, say, sides, to_input
from PIL import Image

from planish.runtime import Session

BICUBIC = Image.Resampling.BICUBIC
MARGIN = 8  # pixels of a tile that its neighbours show


def upscale() -> dict[str, bool]:
    options = parser(__doc__.partition("\n")[0], "upscaler/upscaler.tflite")
    options.add_argument("--shrink", action="store_true", help="shrink the picture first, and compare with it")
    options = parsed(options)
    session = loaded(options.model, options, batch=1)
    width, _, channels, _ = sides(session.inputs[0])
    scale = sides(session.outputs[0])[0] // width
    names = options.files or [ROOT / "upscaler" / name for name in ("picture.png", "picture_truth.png")]
    picture, truth = Image.open(names[0]).convert("RGB"), None
    if options.shrink:
        truth = picture.crop((0, 0, *(side // scale * scale for side in picture.size)))
        picture = truth.resize((truth.width // scale, truth.height // scale), BICUBIC)
    elif not options.files:
        truth = Image.open(names[1]).convert("RGB")

    enlarged = picture.resize((picture.width * scale, picture.height * scale), BICUBIC)
    page = Image.new("RGB", (2 * enlarged.width, enlarged.height))
    page.paste(enlarged)
    upscaled = tiled(session, picture, scale, options) if channels == 3 else luma(session, picture, scale, options)
    page.paste(upscaled, (enlarged.width, 0))
    page.save(options.output / "upscale.png")
    say("picture", f"{picture.width} x {picture.height} -> {upscaled.width} x {upscaled.height}: {options.output / 'upscale.png'}")
    if truth is None:
        return {"a picture without contrast": np.ptp(np.asarray(upscaled)) > 0}
    gain = psnr(upscaled, truth) - psnr(enlarged, truth)
    say("PSNR", f"{psnr(upscaled, truth):.2f} dB, bicubic {psnr(enlarged, truth):.2f} dB: {gain:+.2f} dB")
    return {"no better than bicubic": gain > 0}


def tiled(session: Session, picture: Image.Image, scale: int, options: argparse.Namespace) -> Image.Image:
    """The picture, enlarged tile by tile; of each the middle is kept, up to the picture's edges."""
    width, height, _, last = sides(session.inputs[0])
    canvas = Image.new(picture.mode, (picture.width * scale, picture.height * scale))
    for top, above, below in places(picture.height, height):
        for left, before, behind in places(picture.width, width):
            tile = to_input(picture.crop((left, top, left + width, top + height)), session.inputs[0], options)
            (values,) = session.run([tile]).values()
            low, high = options.range
            values = ((values[0] if last else values[0].transpose(1, 2, 0)) - low) * (255 / (high - low))
            pixels = Image.fromarray(np.rint(values.clip(0, 255)).astype(np.uint8).squeeze())
            kept = tuple(scale * edge for edge in (before - left, above - top, behind - left, below - top))
            canvas.paste(pixels.crop(kept), (scale * before, scale * above))
    return canvas


def places(extent: int, tile: int) -> list[tuple[int, int, int]]:
    """Where tiles begin along a side, and from where to where each is kept."""
    starts = list(range(0, max(1, extent - 2 * MARGIN), tile - 2 * MARGIN))
    starts = [max(0, min(start, extent - tile)) for start in starts]
    edges = [0, *(start + MARGIN for start in starts[1:]), extent]
    return list(zip(starts, edges, edges[1:]))


def luma(session: Session, picture: Image.Image, scale: int, options: argparse.Namespace) -> Image.Image:
    """The luma by the network, the colours bicubic."""
    y, *colours = picture.convert("YCbCr").split()
    y = tiled(session, y, scale, options)
    return Image.merge("YCbCr", [y, *(c.resize(y.size, BICUBIC) for c in colours)]).convert("RGB")


def psnr(picture: Image.Image, truth: Image.Image) -> float:
    """Peak signal-to-noise ratio over RGB in dB."""
    difference = np.asarray(picture, np.float64) - np.asarray(truth, np.float64)
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


if __name__ == "__main__":
    sys.exit(ending(upscale))
