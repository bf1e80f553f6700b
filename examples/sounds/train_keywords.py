"""Train the bundled classifier of sounds, and write keywords.onnx.

    pip install torch onnxscript numpy onnx onnxruntime
    python examples/sounds/train_keywords.py [--steps N] [--seed 0] [-o FOLDER]

All sounds are made by sounds.py; the file takes `samples` [1, 16000], a second at 16 kHz, and gives `scores` [1, 7].
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from sounds import HELD_OUT, LABELS, RATE, keyword
from torch import Tensor, nn
from torch.nn import functional as F

BANDS = 32
WINDOW, HOP = 512, 160
BATCH = 32
POOL = 4000
LEARNING_RATE = 3e-3
TOLERANCE = 1e-4  # largest difference allowed between torch and the exported file


class Keywords(nn.Module):
    """The energy of bands of frequencies, filters that are learned from cosines on, then convolutions over time."""

    def __init__(self) -> None:
        super().__init__()
        t = (torch.arange(WINDOW) - WINDOW / 2) / RATE
        centres = torch.logspace(np.log10(150), np.log10(7000), BANDS)[:, None]
        window = torch.hann_window(WINDOW) / WINDOW ** 0.5
        waves = torch.cat([torch.cos(2 * torch.pi * centres * t), torch.sin(2 * torch.pi * centres * t)])
        self.filters = nn.Parameter((window * waves)[:, None])
        self.layers = nn.Sequential(
            nn.Conv1d(BANDS, 32, 5, 2, 2), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Conv1d(32, 32, 5, 2, 2), nn.BatchNorm1d(32), nn.ReLU(),
            nn.Conv1d(32, 48, 5, 2, 2), nn.BatchNorm1d(48), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(96, len(LABELS))

    def forward(self, samples: Tensor) -> Tensor:
        waves = F.conv1d(samples[:, None], self.filters, stride=HOP)
        energy = torch.log(waves[:, :BANDS] ** 2 + waves[:, BANDS:] ** 2 + 1e-5)
        x = self.layers(energy)
        return self.head(torch.cat([x.amax(2), x.mean(2)], 1))


def train(model: Keywords, *, steps: int, seed: int) -> None:
    """Cross entropy; Adam, its rate rising to LEARNING_RATE and falling to zero."""
    rng = np.random.default_rng(seed)
    pool = [keyword(k) for k in range(POOL)]
    sounds, kinds = torch.from_numpy(np.stack([s for s, _ in pool])), torch.tensor([k for _, k in pool])
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    start, losses = time.perf_counter(), []
    for step in range(1, steps + 1):
        chosen = torch.from_numpy(rng.integers(0, POOL, BATCH))
        moved = torch.stack([torch.roll(s, int(rng.integers(-800, 801))) for s in sounds[chosen]])
        optimizer.zero_grad()
        value = F.cross_entropy(model(moved), kinds[chosen])
        value.backward()
        optimizer.step()
        rate.step()
        losses.append(value.item())
        if step % 100 == 0 or step == steps:
            print(f"step {step:4d}/{steps}  loss {np.mean(losses[-100:]):.4f}  {time.perf_counter() - start:4.0f} s", flush=True)


def export(model: Keywords, path: Path) -> None:
    """Writes the file, and raises unless ONNX Runtime computes from it what torch does; scores it on held-out sounds."""
    held_out = [keyword(HELD_OUT + k) for k in range(350)]
    torch.onnx.export(model, (torch.from_numpy(held_out[0][0][None]),), path, input_names=["samples"], output_names=["scores"],
                      opset_version=18, dynamo=True, external_data=False, verbose=False)  # fmt: skip
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = np.concatenate([session.run(None, {"samples": sound[None]})[0] for sound, _ in held_out])
    with torch.no_grad():
        expected = model(torch.from_numpy(np.stack([sound for sound, _ in held_out]))).numpy()
    difference = float(np.abs(found - expected).max())
    right = np.mean(found.argmax(1) == [kind for _, kind in held_out])
    print(f"{path.name}: {path.stat().st_size:,} bytes, differs from torch by at most {difference:.1e}; {right:.1%} right")
    if not difference < TOLERANCE:  # so that NaN fails too
        raise ValueError(f"{path.name}: differs from torch by {difference:.1e}; less than {TOLERANCE:.0e} is accepted")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and export the classifier of sounds.")
    parser.add_argument("--steps", type=int, default=700, help=f"of {BATCH} sounds each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and order (default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    model = Keywords()
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    train(model, steps=args.steps, seed=args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    export(model.eval(), args.output / "keywords.onnx")


if __name__ == "__main__":
    main()
