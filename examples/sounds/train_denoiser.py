"""Train the bundled streaming denoiser, and write denoiser.tflite, which keeps the LSTM's state from one frame to the next.

    pip install torch numpy flatbuffers tflite ai-edge-litert
    PYTHONPATH=. python examples/sounds/train_denoiser.py [--steps N] [--seed 0] [-o FOLDER]

All sounds are made by sounds.py. The file takes `magnitude` [1, 1, 129], the spectrum's of a frame of 256 samples, and gives
`mask` [1, 1, 129], from 0 to 1, to multiply it by: the form that DTLN's first half has, too.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from sounds import HELD_OUT, noisy
from torch import Tensor, nn

from tests.tflite_writer import TfliteWriter

BINS, HOP = 129, 64
UNITS = 64
FLOOR = 1e-2  # added to magnitudes before the logarithm
BATCH = 16
POOL = 150
FRAMES = 150  # of a training sequence
LEARNING_RATE = 4e-3
TOLERANCE = 1e-4  # largest difference allowed between torch and the exported file


class Denoiser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(BINS, UNITS, batch_first=True), nn.Linear(UNITS, BINS)

    def forward(self, magnitude: Tensor) -> Tensor:
        return self.head(self.lstm(torch.log(magnitude + FLOOR))[0]).sigmoid()


def magnitudes(sound: np.ndarray) -> np.ndarray:
    """[frames, BINS]: of frames of 256 samples, each 64 behind the one before, under the square root of Hann's window."""
    size = 2 * (BINS - 1)
    frames = np.lib.stride_tricks.sliding_window_view(sound, size)[::HOP]
    return np.abs(np.fft.rfft(frames * np.sqrt(np.hanning(size + 1)[:-1]))).astype(np.float32)


def train(model: Denoiser, *, steps: int, seed: int) -> None:
    """The squared error of the compressed spectrum; Adam, its rate rising to LEARNING_RATE and falling to zero."""
    rng = np.random.default_rng(seed)
    pool = [[magnitudes(s) for s in noisy(k, 3)] for k in range(POOL)]
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    start, losses = time.perf_counter(), []
    for step in range(1, steps + 1):
        cuts = []
        for k in rng.integers(0, POOL, BATCH):
            first, gain = int(rng.integers(len(pool[k][0]) - FRAMES)), 10 ** rng.uniform(-0.7, 0.7)
            cuts.append([gain * m[first : first + FRAMES] for m in pool[k]])
        clean, noise = (torch.from_numpy(np.stack([c[k] for c in cuts]).astype(np.float32)) for k in (0, 1))
        optimizer.zero_grad()
        value = torch.mean(((noise * model(noise) + 1e-4) ** 0.5 - (clean + 1e-4) ** 0.5) ** 2)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        losses.append(value.item())
        if step % 50 == 0 or step == steps:
            print(f"step {step:4d}/{steps}  loss {np.mean(losses[-50:]):.4f}  {time.perf_counter() - start:4.0f} s", flush=True)


def to_tflite(model: Denoiser) -> bytes:
    """The network for one frame; hidden and cell state are variable tensors."""
    w = {name: p.detach().numpy() for name, p in model.named_parameters()}
    m = TfliteWriter()
    x = m.input("magnitude", (1, 1, BINS), "float32")
    x = m.op("ADD", [x, m.constant(np.float32([FLOOR]))], {}, shape=(1, 1, BINS), dtype="float32")
    x = m.op("LOG", [x], shape=(1, 1, BINS), dtype="float32")
    gates = [np.split(w[f"lstm.{what}_l0"], 4) for what in ("weight_ih", "weight_hh")]  # input, forget, cell, output: TFLite's order, too
    bias = np.split(w["lstm.bias_ih_l0"] + w["lstm.bias_hh_l0"], 4)
    weights = [m.constant(a) for group in gates for a in group]
    biases = [m.constant(a) for a in bias]
    states = [m.variable((1, UNITS), "float32", name=name) for name in ("hidden", "cell")]
    operands = [x, *weights, None, None, None, *biases, None, None, *states, None, None, None, None]
    options = {"fused_activation_function": "TANH", "time_major": False}
    x = m.op("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, options, shape=(1, 1, UNITS), dtype="float32")
    head = [m.constant(w["head.weight"]), m.constant(w["head.bias"])]
    x = m.op("FULLY_CONNECTED", [x, *head], {"keep_num_dims": True}, shape=(1, 1, BINS), dtype="float32", version=5)
    x = m.op("LOGISTIC", [x], shape=(1, 1, BINS), dtype="float32")
    m.tensors[x] = m.tensors[x].__class__(m.tensors[x].spec._replace(name="mask"))
    m.output(x)
    return m.finish()


def check(model: Denoiser, path: Path) -> None:
    """Raises unless LiteRT, frame by frame, gives what torch gives of a whole held-out sound."""
    frames = magnitudes(noisy(HELD_OUT, 1)[1])
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for frame in frames:
        interpreter.set_tensor(source["index"], frame[None, None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(target["index"])[0, 0])
    with torch.no_grad():
        expected = model(torch.from_numpy(frames[None]))[0].numpy()
    difference = float(np.abs(np.stack(found) - expected).max())
    print(f"{path.name}: {path.stat().st_size:,} bytes, differs from torch by at most {difference:.1e}")
    if not difference < TOLERANCE:  # so that NaN fails too
        raise ValueError(f"{path.name}: differs from torch by {difference:.1e}; less than {TOLERANCE:.0e} is accepted")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and export the streaming denoiser.")
    parser.add_argument("--steps", type=int, default=600, help=f"of {BATCH} sequences each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and order (default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    model = Denoiser()
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    train(model, steps=args.steps, seed=args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / "denoiser.tflite"
    path.write_bytes(to_tflite(model))
    check(model, path)


if __name__ == "__main__":
    main()
