"""Take the noise out of a voice frame by frame, with a network that keeps its state on the device: denoised.wav, stream.png.

    python examples/stream.py
    python examples/stream.py dtln_1.onnx speech.wav --noise 5

Each frame's spectrum goes in, and a mask from 0 to 1 for it comes out, or the spectrum to put in its place. What a network
remembers it keeps itself, as the bundled one does (`Session.reset` makes it forget), or gives as outputs that it takes as inputs:
those stay in OpenCL buffers.

Without a file it hears 8 synthesised voices in noise that it has never heard, and the status is 1 if it gains less than 4 dB.
"""

from __future__ import annotations

import sys
from time import perf_counter

import numpy as np
import pyopencl as cl
from common import ending, loaded, parsed, parser, read_wav, say, spectrogram, write_wav
from PIL import Image
from sounds.sounds import HELD_OUT, RATE, noisy

from planish.runtime import Session
from planish.runtime.errors import InputError


def stream() -> dict[str, bool]:
    options = parser(__doc__.partition("\n")[0], "sounds/denoiser.tflite", pictures=False)
    options.add_argument("--noise", type=float, metavar="DB", help="add white noise, this much weaker than the file's sound")
    options = parsed(options)
    with loaded(options.model, options) as session:
        denoiser = Denoiser(session)
        if options.files:
            clean = read_wav(options.files[0], RATE)
            level = 0 if options.noise is None else clean.std() * 10 ** (-options.noise / 20)
            pairs = [(clean, (clean + level * np.random.default_rng(0).normal(size=clean.shape)).astype(np.float32))]
        else:
            pairs = [noisy(HELD_OUT + k, 3) for k in range(8)]
        start = perf_counter()
        results = [denoiser(noise) for _, noise in pairs]
        seconds = perf_counter() - start
        again, onward = denoiser(pairs[0][1]), denoiser(pairs[0][1], forget=False)
    speed = sum(len(noise) for _, noise in pairs) / RATE / seconds
    say("time", f"{speed:.0f} times as fast as the sound, {1e3 * denoiser.hop / RATE:.0f} ms a frame")
    write_wav(options.output / "noisy.wav", pairs[0][1], RATE)
    write_wav(options.output / "denoised.wav", results[0], RATE)
    strips = [spectrogram(sound) for sound in (pairs[0][1], results[0])]
    page = Image.new("L", (strips[0].width, 2 * strips[0].height + 4), 255)
    for k, strip in enumerate(strips):
        page.paste(strip, (0, k * (strip.height + 4)))
    page.save(options.output / "stream.png")
    say("pictures", str(options.output / "stream.png"))
    rights = {"forgetting does not start anew": np.array_equal(again, results[0]), "nothing remembered": not np.array_equal(again, onward)}
    if options.files and options.noise is None:
        return rights
    gain = float(np.mean([snr(result, clean) - snr(noise, clean) for result, (clean, noise) in zip(results, pairs)]))
    say("accuracy", f"{gain:+.2f} dB of signal to noise, {np.mean([snr(noise, clean) for clean, noise in pairs]):.2f} dB before")
    least = 0 if options.files else 4
    return rights | {f"less than {least} dB gained": gain > least}


class Denoiser:
    """A session whose first input and output are of spectra; those that follow are states, kept in buffers from run to run."""

    def __init__(self, session: Session):
        self.session, self.spectrum, self.result = session, session.inputs[0], session.outputs[0]
        self.complex = self.spectrum.shape[-1] == 2
        bins = int(np.prod(self.spectrum.shape)) // (2 if self.complex else 1)
        if np.dtype(self.spectrum.dtype) != np.float32 or bins % 64 != 1 or self.spectrum.shape != self.result.shape:
            raise InputError(f"the model's first input is {self.spectrum}, its first output {self.result}; float32 spectra are accepted")
        self.size = 2 * (bins - 1)
        self.hop = self.size // (2 if self.complex else 4)
        self.window = np.sqrt(np.hanning(self.size + 1)[:-1])
        self.states = {i.name: cl.Buffer(session.queue.context, cl.mem_flags.READ_WRITE, i.nbytes) for i in session.inputs[1:]}
        self.outputs = dict(zip((o.name for o in session.outputs[1:]), self.states.values()))
        self.forget()

    def forget(self) -> None:
        self.session.reset()
        for state in self.states.values():
            cl.enqueue_fill_buffer(self.session.queue, state, np.float32(0), 0, state.size)

    def __call__(self, samples: np.ndarray, forget: bool = True) -> np.ndarray:
        """The samples without noise: overlapping frames, each transformed, sent through the network, transformed back, and added up."""
        if forget:
            self.forget()
        padded = np.pad(samples, (self.size - self.hop, self.size))
        result = np.zeros(len(padded))
        for start in range(0, len(padded) - self.size + 1, self.hop):
            frame = slice(start, start + self.size)
            result[frame] += np.fft.irfft(self.step(np.fft.rfft(self.window * padded[frame]))) * self.window
        scale = self.hop / np.square(self.window).sum()
        return (scale * result[self.size - self.hop :][: len(samples)]).astype(np.float32)

    def step(self, spectrum: np.ndarray) -> np.ndarray:
        """One frame."""
        given = np.stack([spectrum.real, spectrum.imag], -1) if self.complex else np.abs(spectrum)
        given = given.astype(np.float32).reshape(self.spectrum.shape)
        found = self.session.run({self.spectrum.name: given, **self.states}, self.outputs)[self.result.name]
        return found.reshape(-1, 2) @ (1, 1j) if self.complex else found.reshape(-1) * spectrum


def snr(sound: np.ndarray, clean: np.ndarray) -> float:
    """Signal to noise in dB."""
    return float(10 * np.log10(np.square(clean).sum() / np.square(sound - clean).sum()))


if __name__ == "__main__":
    sys.exit(ending(stream))
