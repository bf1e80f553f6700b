"""Spot keywords in a .wav file, and leave its spectrogram with what was heard when: keywords.png.

    python examples/keywords.py
    python examples/keywords.py yamnet.tflite speech.wav --labels labels.txt --expect Speech

The model takes samples at 16 kHz, as many as its input has, half of them new each time. The bundled one knows six synthesised
signals, no words: without a file it hears 350 that it has never heard, and the status is 1 if fewer than 95 % are right; keywords.wav
has the first eight.
"""

from __future__ import annotations

import sys

import numpy as np
from common import COLOURS, ending, labels, loaded, parsed, parser, probabilities, read_wav, say, spectrogram, tag, write_wav
from PIL import Image, ImageDraw
from sounds.sounds import HELD_OUT, LABELS, RATE, keyword

from planish.runtime import Session

SHOWN = 8


def keywords() -> dict[str, bool]:
    options = parsed(parser(__doc__.partition("\n")[0], "sounds/keywords.onnx", expect="what has to be heard", pictures=False))
    session, name = loaded(options.model, options), labels(options.labels, LABELS if options.bundled else ())
    size = int(np.prod(session.inputs[0].shape))
    rights = {}
    if options.files:
        samples, step = read_wav(options.files[0], RATE), size // 2
        samples = np.pad(samples, (0, max(0, size - len(samples))))
    else:
        heard, truth = zip(*(keyword(HELD_OUT + k) for k in range(350)))
        right = np.mean([listen(session, sound).argmax() == kind for sound, kind in zip(heard, truth)])
        say("accuracy", f"{right:.1%} of {len(truth)} held-out sounds")
        rights["fewer than 95 % right"] = right >= 0.95
        samples, step = np.concatenate(heard[:SHOWN]), size
        write_wav(options.output / "keywords.wav", samples, RATE)
    words = []
    for start in range(0, len(samples) - size + 1, step):
        shares = listen(session, samples[start : start + size])
        words.append((start, name(int(shares.argmax())), shares.max()))
        say(f"{start / RATE:.2f} s", f"{words[-1][1]} {shares.max():.1%}")
    timeline(samples, words).save(options.output / "keywords.png")
    say("pictures", str(options.output / "keywords.png"))
    return rights | {f"no {text} heard": text in (word for _, word, _ in words) for text in options.expect}


def listen(session: Session, samples: np.ndarray) -> np.ndarray:
    """The share of each class."""
    (tensor,) = session.inputs
    return probabilities(next(iter(session.run([samples.reshape(tensor.shape).astype(tensor.dtype)]).values())))


def timeline(samples: np.ndarray, words: list[tuple[int, str, float]]) -> Image.Image:
    """The spectrogram, above it each word at where it was heard."""
    picture = spectrogram(samples)
    page = Image.new("RGB", (picture.width, picture.height + 16), "white")
    page.paste(picture, (0, 16))
    draw, known = ImageDraw.Draw(page), list(dict.fromkeys(word for _, word, _ in words))
    for start, word, _ in words:
        x, colour = start // 128, COLOURS[known.index(word) % len(COLOURS)]
        draw.line((x, 0, x, page.height), colour)
        tag(page, (x, 0), word[:18], colour)
    return page


if __name__ == "__main__":
    sys.exit(ending(keywords))
