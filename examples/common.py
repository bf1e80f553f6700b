"""What the examples share: their options, a model made ready to run, pictures as inputs, labels, and how they end."""

from __future__ import annotations

import argparse
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps
from rich.console import Console
from rich.text import Text

from planish.compiler import compile_model, targets
from planish.runtime import PlanishError, Session, load
from planish.runtime.devices import describe
from planish.runtime.errors import InputError
from planish.runtime.plan import Tensor

ROOT = Path(__file__).resolve().parent
COLOURS = ((230, 60, 60), (60, 190, 90), (70, 120, 245), (240, 190, 40), (200, 80, 220), (60, 210, 220), (250, 130, 40), (150, 160, 170))


def parser(what: str, model: str, *, expect: str = "", pictures: bool = True) -> argparse.ArgumentParser:
    """The options that all examples have: a model, `model` if none is given, and what to do with it."""
    options = argparse.ArgumentParser(description=what, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    options.add_argument("model", nargs="?", type=Path, default=ROOT / model, help="a .tflite or .onnx file")
    options.add_argument("files", nargs="*", type=Path, help="what to look at or listen to; what is bundled, if nothing is given")
    if expect:
        options.add_argument("--labels", type=Path, help="the names of the classes, one a line")
        options.add_argument("--expect", action="append", default=[], metavar="TEXT", help=f"{expect}; else the status is 1")
    options.add_argument("--device", help="gpu, cpu, part of a name, or platform:device; the best if none is given")
    options.add_argument("-o", "--output", type=Path, default=Path("build/examples"), metavar="FOLDER", help="where all files go")
    if pictures:
        options.add_argument("--range", default="0..1", type=span, help="what the model has for black..white, if its input is of floats")
        options.add_argument("--order", choices=("rgb", "bgr"), default="rgb", help="of the model's channels")
    return options


def parsed(options: argparse.ArgumentParser) -> argparse.Namespace:
    """What was given; `bundled` is whether the model is one of those here."""
    given = options.parse_args()
    given.bundled = ROOT in given.model.resolve().parents
    if not given.bundled and not given.files:
        options.error(f"{given.model}: give files, too: what is known of the bundled ones does not hold for other models")
    return given


def span(text: str) -> tuple[float, float]:
    """The two numbers of `-1..1`."""
    low, _, high = text.partition("..")
    return float(low), float(high)


def ending(example: Callable[[], dict[str, bool]]) -> int:
    """Calls an example, which says of what may be wrong whether it is right; returns the exit status."""
    try:
        rights = example()
    except (PlanishError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    wrong = [what for what, right in rights.items() if not right]
    say("result", f"WRONG: {' and '.join(wrong)}" if wrong else "right", "bold red" if wrong else "bold green")
    return 1 if wrong else 0


def say(what: str, text: str, style: str = "") -> None:
    """A line: what it is about, in bold on a terminal, and the text."""
    CONSOLE.print(Text.assemble((f"{what:10}", "bold"), (text, style)))


def planned(model: Path, options: argparse.Namespace, batch: int | None = None) -> Path:
    """Compiles a model for the device; the folder of its plan."""
    plan, report = compile_model(model, targets.resolve("auto", options.device), batch=batch)
    assert plan is not None
    folder: Path = options.output / f"{model.stem}.plan"
    plan.write(folder)
    say("model", f"{model.name}: {report.nodes} nodes -> {report.launches} kernel launches, {report.weights / 1e6:.2f} MB of weights")
    return folder


def loaded(model: Path, options: argparse.Namespace, batch: int | None = None) -> Session:
    """Compiles a model, and makes it ready to run."""
    session = load(planned(model, options, batch), options.device)
    say("device", describe(session.device))
    return session


def labels(path: Path | None, names: tuple[str, ...] = ()) -> Callable[[int], str]:
    """The name of a class by its number: of the file's lines, else of `names`, else the number."""
    if path:
        names = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return lambda k: names[k] if k < len(names) else f"class {k}"


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Shares of 1: what is stored as integers scaled, logits through softmax."""
    flat = scores.reshape(-1).astype(np.float64)
    if scores.dtype.kind in "iu":
        flat = (flat - np.iinfo(scores.dtype).min) / (2 ** (8 * scores.dtype.itemsize) - 1)
    elif flat.min() < 0 or flat.max() > 1:
        flat = np.exp(flat - flat.max())
        flat /= flat.sum()
    return flat


def sides(tensor: Tensor) -> tuple[int, int, int, bool]:
    """Width, height, channels of the pictures that an input takes, and whether the channels come last."""
    if len(tensor.shape) == 4 and tensor.shape[0] == 1:
        _, a, b, c = tensor.shape
        if c in (1, 3):
            return b, a, c, True
        if a in (1, 3):
            return c, b, a, False
    raise InputError(f"the model's input is {tensor}; one picture is accepted, [1, height, width, 3 or 1] or [1, 3 or 1, height, width]")


def boxed(picture: Image.Image, tensor: Tensor) -> tuple[Image.Image, float]:
    """The picture scaled to fit into an input, to the left and above, and the scale."""
    width, height, *_ = sides(tensor)
    scale = min(width / picture.width, height / picture.height)
    canvas = Image.new("RGB", (width, height))
    canvas.paste(picture.convert("RGB").resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BILINEAR))
    return canvas, scale


def to_input(picture: Image.Image, tensor: Tensor, options: argparse.Namespace) -> np.ndarray:
    """The picture, its middle scaled and cut to the input's sides, as the input's array."""
    width, height, channels, last = sides(tensor)
    mode = "L" if channels == 1 else "RGB"
    pixels = np.asarray(ImageOps.fit(picture.convert(mode), (width, height), Image.Resampling.BILINEAR)).reshape(1, height, width, channels)
    if options.order == "bgr":
        pixels = pixels[..., ::-1]
    if np.dtype(tensor.dtype).kind == "f":
        low, high = options.range
        values = low + pixels * ((high - low) / 255)
    else:
        values = pixels + float(np.iinfo(tensor.dtype).min)  # so that 0 is the darkest
    return np.ascontiguousarray(values if last else values.transpose(0, 3, 1, 2), tensor.dtype)


def tag(picture: Image.Image, at: tuple[float, float], text: str, colour: tuple[int, int, int]) -> None:
    """Writes a text, black on the colour, to the right of and below a place."""
    draw, text = ImageDraw.Draw(picture), text.encode("ascii", "replace").decode()
    left, top, right, bottom = draw.textbbox((at[0] + 3, at[1] + 2), text)
    draw.rectangle((left - 3, top - 2, right + 3, bottom + 2), colour)
    draw.text((at[0] + 3, at[1] + 2), text, "black")


def read_wav(path: Path, rate: int) -> np.ndarray:
    """The samples of a .wav file from -1 to 1, its channels averaged.

    Raises:
        InputError: it is no such file of 16 bits a sample and `rate` samples a second.
    """
    try:
        with wave.open(str(path)) as file:
            width, channels, found = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise InputError(f"{path}: no .wav file of PCM samples: {error}") from None
    if (width, found) != (2, rate):
        raise InputError(f"{path}: {8 * width} bits a sample, {found} samples a second; 16 bits and {rate} are accepted")
    return np.frombuffer(data, "<i2").reshape(-1, channels).mean(1, dtype=np.float32) / np.float32(32768)


def write_wav(path: Path, samples: np.ndarray, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())


def spectrogram(samples: np.ndarray, height: int = 129, hop: int = 128) -> Image.Image:
    """A picture of which frequencies there are when: low ones below, 70 dB from black to white."""
    size = 2 * (height - 1)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, size // 2), size)[::hop] * np.hanning(size)
    levels = 20 * np.log10(np.abs(np.fft.rfft(frames)).T[::-1] + 1e-9)
    return Image.fromarray((255 * (1 + (levels - 20) / 70).clip(0, 1)).astype(np.uint8))


CONSOLE = Console(highlight=False, soft_wrap=True)
