"""Compile the bundled 2x upscaler, run it on the bundled picture, check the numbers and leave pictures to look at.

    python examples/demo.py [--format tflite|onnx] [--device gpu|cpu|NAME|0:1] [--repeat N] [-o FOLDER]

Ends with status 1 if the result is farther from the numpy reference than TOLERANCE, or no better than bicubic enlargement.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
from PIL import Image, ImageDraw
from rich.console import Console
from rich.text import Text

from planish.compiler import compile_model, frontend, targets
from planish.compiler.ir import evaluate
from planish.runtime import PlanishError, load
from planish.runtime.devices import describe

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "examples" / "upscaler"
TOLERANCE = 1e-5  # of values from 0 to 1; a step of an 8-bit picture is 400 times as much
DETAIL = (172, 164, 236, 228)  # what comparison.png shows enlarged: left, top, right, bottom
ZOOM = 4


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.repeat < 1:
        parser.error("--repeat takes a number from 1 on")
    try:
        return demo(options)
    except PlanishError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def demo(options: argparse.Namespace) -> int:
    """Compiles, runs, compares, draws; returns the exit status."""
    model = MODELS / f"upscaler.{options.format}"
    folder: Path = options.output
    plan, report = compile_model(model, targets.resolve("auto", options.device))
    assert plan is not None
    plan.write(folder / "upscaler.plan")
    say("model", f"{model.relative_to(ROOT)}: {report.nodes} nodes -> {report.launches} kernel launches, "
                 f"{report.weights / 1e6:.2f} MB of weights, compiled in {sum(report.seconds.values()):.2f} s")

    start = perf_counter()
    session = load(folder / "upscaler.plan", options.device)
    loaded = perf_counter() - start
    small, truth = (Image.open(MODELS / name).convert("RGB") for name in ("picture.png", "picture_truth.png"))
    image = to_input(small, channels_last=options.format == "tflite")
    times = []
    for _ in range(options.repeat + 1):
        start = perf_counter()
        (result,) = session.run([image]).values()
        times.append(1e3 * (perf_counter() - start))
    times = times[1:]
    say("device", describe(session.device))
    say("time", f"load {loaded:.2f} s; run {np.median(times):.2f} ms, median of {len(times)}, least {min(times):.2f} ms")

    graph = frontend.load(model)
    (output,) = graph.outputs.values()
    error = float(np.abs(result - evaluate(graph, {graph.inputs[0]: image})[output]).max())
    say("error", f"at most {error:.1e} from the numpy reference, of values from 0 to 1; {TOLERANCE:.0e} is allowed")

    upscaled = to_picture(result, channels_last=options.format == "tflite")
    bicubic = small.resize(truth.size, Image.Resampling.BICUBIC)
    gain = psnr(upscaled, truth) - psnr(bicubic, truth)
    say("PSNR", f"{psnr(upscaled, truth):.2f} dB, bicubic {psnr(bicubic, truth):.2f} dB: {gain:+.2f} dB")

    upscaled.save(folder / "upscaled.png")
    comparison({"bicubic": bicubic, "planish": upscaled, "truth": truth}).save(folder / "comparison.png")
    say("pictures", f"{folder / 'upscaled.png'}, {folder / 'comparison.png'}")
    right = {"too far from the reference": error <= TOLERANCE, "no better than bicubic": gain > 0}
    wrong = [what for what, holds in right.items() if not holds]
    say("result", f"WRONG: {' and '.join(wrong)}" if wrong else "right", "bold red" if wrong else "bold green")
    return 1 if wrong else 0


def to_input(picture: Image.Image, *, channels_last: bool) -> np.ndarray:
    """[1,H,W,3], or [1,3,H,W], of values from 0 to 1."""
    pixels = np.asarray(picture, np.float32)[None] / np.float32(255)
    return pixels if channels_last else np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def to_picture(values: np.ndarray, *, channels_last: bool) -> Image.Image:
    """The picture of [1,H,W,3], or [1,3,H,W], rounded to 8 bits."""
    pixels = values[0] if channels_last else values[0].transpose(1, 2, 0)
    return Image.fromarray(np.rint(pixels.clip(0, 1) * 255).astype(np.uint8))


def psnr(picture: Image.Image, truth: Image.Image) -> float:
    """Peak signal-to-noise ratio over RGB in dB."""
    difference = np.asarray(picture, np.float64) - np.asarray(truth, np.float64)
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


def comparison(pictures: dict[str, Image.Image]) -> Image.Image:
    """The pictures side by side, each with its name above it and a detail of it, enlarged pixel by pixel, below."""
    gap, line = 8, 16
    side = ZOOM * (DETAIL[2] - DETAIL[0])
    sheet = Image.new("RGB", (len(pictures) * (side + gap) + gap, line + 2 * (side + gap) + gap), "white")
    draw = ImageDraw.Draw(sheet)
    for k, (name, picture) in enumerate(pictures.items()):
        left = gap + k * (side + gap)
        draw.text((left, 4), name, "black")
        framed = picture.copy()
        ImageDraw.Draw(framed).rectangle(DETAIL, outline="white")
        sheet.paste(framed.resize((side, side), Image.Resampling.NEAREST), (left, line + gap))
        detail = picture.crop(DETAIL).resize((side, side), Image.Resampling.NEAREST)
        sheet.paste(detail, (left, line + side + 2 * gap))
    return sheet


def say(what: str, text: str, style: str = "") -> None:
    """A line: what it is about, in bold on a terminal, and the text."""
    CONSOLE.print(Text.assemble((f"{what:10}", "bold"), (text, style)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Compiles and runs the bundled 2x upscaler.")
    parser.add_argument("--format", choices=("tflite", "onnx"), default="tflite", help="which of the two model files (default: tflite)")
    parser.add_argument("--device", help="gpu, cpu, part of a name, or platform:device (default: the best)")
    parser.add_argument("--repeat", type=int, default=20, metavar="N", help="runs to time after the first (default: 20)")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/demo"), metavar="FOLDER",
                        help="where the plan and the pictures go (default: build/demo)")
    return parser


CONSOLE = Console(highlight=False, soft_wrap=True)

if __name__ == "__main__":
    sys.exit(main())
