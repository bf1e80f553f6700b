"""What LiteRT's documentation shows, classifying a picture, in a script of which only the import has been changed.

    python examples/litert_script.py --model mobilenet_v2.tflite --image cat.png --labels labels.txt

Without arguments it enlarges the bundled picture by the bundled network, and checks that it comes nearer to the truth than bicubic does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from planish.runtime import Interpreter  # in place of: from ai_edge_litert.interpreter import Interpreter

BUNDLED = Path(__file__).resolve().parent / "upscaler"


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    bundled = options.model is None
    model, picture = options.model or str(BUNDLED / "upscaler.tflite"), options.image or str(BUNDLED / "picture.png")
    mean, std = (0.0, 255.0) if bundled else (options.mean, options.std)

    interpreter = Interpreter(model_path=model, num_threads=options.num_threads)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    interpreter.set_tensor(source["index"], to_input(picture, source, mean, std))
    start = perf_counter()
    interpreter.invoke()
    elapsed = 1e3 * (perf_counter() - start)
    values = to_reals(interpreter.get_tensor(result["index"]), result)

    if bundled:
        check_upscaled(values)
    else:
        labels = Path(options.labels).read_text(encoding="utf-8").splitlines() if options.labels else []
        scores = values.reshape(-1)
        for k in scores.argsort(kind="stable")[::-1][: options.top]:
            print(f"{scores[k]:9.6f}  {labels[k] if k < len(labels) else k}")
    print(f"{elapsed:.2f} ms")


def to_input(picture: str, detail: dict[str, Any], mean: float, std: float) -> np.ndarray:
    """A picture in the shape, the type and the quantisation of an input [1,H,W,3]."""
    _, height, width, _ = detail["shape"]
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB").resize((width, height)), np.float32)[None]
    reals = (pixels - np.float32(mean)) / np.float32(std)
    scale, zero_point = detail["quantization"]
    if not scale:
        return reals.astype(detail["dtype"])
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.rint(reals / scale) + zero_point, limits.min, limits.max).astype(detail["dtype"])


def to_reals(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """What an output stands for."""
    scale, zero_point = detail["quantization"]
    return (values.astype(np.float32) - zero_point) * scale if scale else values


def check_upscaled(values: np.ndarray) -> None:
    """Says how near the enlarged picture comes to the truth.

    Raises:
        AssertionError: no nearer than by bicubic enlargement.
    """
    with Image.open(BUNDLED / "picture_truth.png") as image, Image.open(BUNDLED / "picture.png") as small:
        truth = np.asarray(image.convert("RGB"), np.float64)
        bicubic = np.asarray(small.convert("RGB").resize(image.size, Image.Resampling.BICUBIC), np.float64)
    upscaled = np.rint(values[0].astype(np.float64).clip(0, 1) * 255)
    found, simple = (10 * np.log10(255**2 / np.mean(np.square(each - truth))) for each in (upscaled, bicubic))
    print(f"{found:.2f} dB, bicubic {simple:.2f} dB")
    assert found > simple + 2, "the network enlarges better than bicubic"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Classifies a picture; enlarges the bundled one by the bundled network.")
    parser.add_argument("-m", "--model", help="the .tflite model (default: the bundled upscaler)")
    parser.add_argument("-i", "--image", help="the picture (default: the bundled one)")
    parser.add_argument("-l", "--labels", help="a file with a label on each line")
    parser.add_argument("--mean", type=float, default=127.5, help="what is taken from each pixel (default: 127.5)")
    parser.add_argument("--std", type=float, default=127.5, help="what it is divided by (default: 127.5)")
    parser.add_argument("--top", type=int, default=5, metavar="N", help="labels to print (default: 5)")
    parser.add_argument("--num_threads", type=int, help="threads at most")
    return parser


if __name__ == "__main__":
    main()
