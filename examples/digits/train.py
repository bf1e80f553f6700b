"""Train the bundled classifier of handwritten digits, and write digits.onnx and the held-out pictures, digits.png.

    pip install torch onnxscript scikit-learn numpy pillow onnx onnxruntime
    python examples/digits/train.py [--steps N] [--seed 0] [-o FOLDER]

The 1,797 digits of 8 x 8 pixels come with scikit-learn. The last 35 of each are held out: row by row, they are digits.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

HELD_OUT = 35  # of each digit
SIDE = 8
BATCH = 64
LEARNING_RATE = 5e-3
TOLERANCE = 1e-4  # largest difference allowed between torch and the exported file


def build() -> nn.Sequential:
    """[N, 1, 8, 8] from 0 to 1, ink being 1, to logits."""
    return nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
        nn.Conv2d(24, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 48, 3, padding=1), nn.BatchNorm2d(48), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(4 * 48, 10),
    )  # fmt: skip


def train(model: nn.Sequential, images: torch.Tensor, digits: torch.Tensor, *, steps: int, seed: int) -> None:
    """Cross entropy over digits moved by up to a pixel; Adam, its rate rising to LEARNING_RATE and falling to zero."""
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for step in range(1, steps + 1):
        chosen = torch.from_numpy(rng.integers(0, len(digits), BATCH))
        y, x = rng.integers(0, 3, 2)
        moved = F.pad(images[chosen], (1, 1, 1, 1))[..., y : y + SIDE, x : x + SIDE]
        optimizer.zero_grad()
        value = F.cross_entropy(model(moved), digits[chosen])
        value.backward()
        optimizer.step()
        rate.step()
        if step % 200 == 0 or step == steps:
            print(f"step {step:4d}/{steps}  loss {value.item():.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and export the classifier of digits.")
    parser.add_argument("--steps", type=int, default=1500, help=f"of {BATCH} digits each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and order (default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    data = load_digits()
    pixels = np.rint(data.images * (255 / 16)).astype(np.uint8)
    held_out = np.stack([np.flatnonzero(data.target == digit)[-HELD_OUT:] for digit in range(10)])
    rest = np.setdiff1d(np.arange(len(pixels)), held_out)
    images = torch.from_numpy(pixels[:, None].astype(np.float32) / 255)
    model = build()
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters; {len(rest)} digits to learn from, {held_out.size} held out")
    train(model, images[rest], torch.from_numpy(data.target[rest]), steps=args.steps, seed=args.seed)

    args.output.mkdir(parents=True, exist_ok=True)
    sheet = pixels[held_out].transpose(0, 2, 1, 3).reshape(10 * SIDE, HELD_OUT * SIDE)
    Image.fromarray(sheet).save(args.output / "digits.png", optimize=True)
    path = args.output / "digits.onnx"
    torch.onnx.export(model.eval(), (images[:1],), path, input_names=["image"], output_names=["scores"], opset_version=18, dynamo=True,
                      external_data=False, verbose=False)  # fmt: skip
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    asked = images[held_out.ravel()]
    found = np.concatenate([session.run(None, {"image": image[None].numpy()})[0] for image in asked])
    with torch.no_grad():
        difference = float(np.abs(found - model(asked).numpy()).max())
    right = np.mean(found.argmax(1) == data.target[held_out.ravel()])
    print(f"{path.name}: {path.stat().st_size:,} bytes, differs from torch by at most {difference:.1e}; {right:.1%} right")
    if not difference < TOLERANCE:  # so that NaN fails too
        raise ValueError(f"{path.name}: differs from torch by {difference:.1e}; less than {TOLERANCE:.0e} is accepted")


if __name__ == "__main__":
    main()
