"""Train the bundled segmenter and detector, one trunk with two heads, score them, and write segmenter.onnx and detector.onnx.

    pip install torch onnxscript numpy pillow onnx onnxruntime
    python examples/shapes/train.py [--steps N] [--seed 0] [-o FOLDER]

All pictures are made by scenes.py. Both files take `image` [1, 3, 256, 256]: the segmenter RGB from 0 to 1, the detector
BGR from 0 to 255, as YuNet does, whose outputs it has, too: of each stride `cls`, `obj`, and `bbox`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from scenes import HELD_OUT, LABELS, SIDE, Scene, scene
from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (8, 16)
LARGE = 48  # shapes from this size on, in pixels, are found at the larger stride
BATCH = 12
POOL = 700  # scenes; each is seen mirrored and turned, too
LEARNING_RATE = 8e-3
TOLERANCE = 1e-3  # largest difference allowed between torch and the exported files


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class Trunk(nn.Module):
    """Features at strides 4, 8 and 16, of 24 channels each; what the larger strides know goes down to the smaller ones."""

    def __init__(self) -> None:
        super().__init__()
        self.four = nn.Sequential(conv(3, 12, 2), conv(12, 20, 2), conv(20, 20))
        self.eight = nn.Sequential(conv(20, 32, 2), conv(32, 32))
        self.sixteen = nn.Sequential(conv(32, 40, 2), conv(40, 40))
        self.level = nn.ModuleList([nn.Conv2d(c, 24, 1) for c in (20, 32, 40)])

    def forward(self, x: Tensor) -> list[Tensor]:
        four = self.four(x)
        eight = self.eight(four)
        c = self.level[2](self.sixteen(eight))
        b = self.level[1](eight) + F.interpolate(c, scale_factor=2, mode="nearest")
        a = self.level[0](four) + F.interpolate(b, scale_factor=2, mode="nearest")
        return [a, b, c]


class Segmenter(nn.Module):
    """RGB from 0 to 1 to a logit of each class of each pixel."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk, self.head = trunk, nn.Sequential(conv(24, 24), nn.Conv2d(24, 1 + len(LABELS), 1))

    def forward(self, image: Tensor) -> Tensor:
        return F.interpolate(self.head(self.trunk(image)[0]), scale_factor=4, mode="bilinear", align_corners=False)


class Detector(nn.Module):
    """BGR from 0 to 255 to what YuNet gives: of each stride the classes' probabilities, that of an object, and boxes in cells."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk, self.mix, self.head = trunk, nn.Conv2d(24, 24, 3, 1, 1, bias=False), nn.Conv2d(24, len(LABELS) + 5, 1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(24, affine=False) for _ in STRIDES])  # the strides' features differ in scale
        self.gain, self.shift = nn.Parameter(torch.ones(24, 1, 1)), nn.Parameter(torch.zeros(24, 1, 1))

    def logits(self, features: list[Tensor]) -> list[Tensor]:
        """[N, cells, classes + 1 + 4] of each stride."""
        mixed = [F.relu(self.gain * norm(self.mix(f)) + self.shift) for norm, f in zip(self.norms, features[1:], strict=True)]
        return [self.head(m).flatten(2).transpose(1, 2) for m in mixed]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        found = self.logits(self.trunk(image.flip(1) / 255))
        n = len(LABELS)
        return (*(f[..., :n].sigmoid() for f in found), *(f[..., n : n + 1].sigmoid() for f in found), *(f[..., n + 1 :] for f in found))


NAMES = [f"{what}_{stride}" for what in ("cls", "obj", "bbox") for stride in STRIDES]


def targets(shapes: list[tuple[int, np.ndarray]]) -> list[np.ndarray]:
    """Of each stride [cells, class + 1 or 0, then the box as the head gives it]: the cells next to a shape's centre find it."""
    made = []
    for stride in STRIDES:
        side = SIDE // stride
        cells = np.zeros((side, side, 5), np.float32)
        for kind, (left, top, right, bottom) in shapes:
            width, height = right - left, bottom - top
            if (max(width, height) >= LARGE) != (stride == STRIDES[-1]):
                continue
            x, y = (left + right) / 2 / stride, (top + bottom) / 2 / stride
            for row in {int(y), round(y)} & {*range(side)}:
                for column in {int(x), round(x)} & {*range(side)}:
                    cells[row, column] = kind + 1, x - column, y - row, np.log(width / stride), np.log(height / stride)
        made.append(cells.reshape(-1, 5))
    return made


def turned(sample: Scene, turn: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The scene mirrored (turn & 1), and with x and y exchanged (turn & 2): pixels from 0 to 1, mask, targets."""
    pixels, mask = np.asarray(sample.picture, np.float32).transpose(2, 0, 1) / 255, sample.mask.astype(np.int64)
    boxes = [(kind, box) for kind, box in sample.shapes]
    if turn & 1:
        pixels, mask = pixels[..., ::-1], mask[:, ::-1]
        boxes = [(kind, np.array([SIDE - b[2], b[1], SIDE - b[0], b[3]])) for kind, b in boxes]
    if turn & 2:
        pixels, mask, boxes = pixels.transpose(0, 2, 1), mask.T, [(kind, b[[1, 0, 3, 2]]) for kind, b in boxes]
    return pixels, mask, targets(boxes)


def loss(segmenter: Segmenter, detector: Detector, images: Tensor, masks: Tensor, wanted: list[Tensor]) -> Tensor:
    """Cross entropy of pixels, of objects and of classes, and the absolute error of boxes."""
    features = segmenter.trunk(images)
    logits = F.interpolate(segmenter.head(features[0]), scale_factor=4, mode="bilinear", align_corners=False)
    total = 2 * F.cross_entropy(logits, masks, torch.tensor([0.4, 1, 1, 1]))
    n = len(LABELS)
    found, aim = torch.cat(detector.logits(features), 1), torch.cat(wanted, 1)
    here = aim[..., 0] > 0
    total = total + 20 * F.binary_cross_entropy_with_logits(found[..., n], here.float())
    classes = F.one_hot(aim[here][:, 0].long() - 1, n).float()
    total = total + 2 * F.binary_cross_entropy_with_logits(found[here][:, :n], classes)
    return total + F.l1_loss(found[here][:, n + 1 :], aim[here][:, 1:])


def train(segmenter: Segmenter, detector: Detector, *, steps: int, seed: int) -> None:
    """Adam, its rate rising to LEARNING_RATE and falling to zero."""
    rng = np.random.default_rng(seed)
    pool = [scene(k) for k in range(POOL)]
    parameters = {*segmenter.parameters(), *detector.parameters()}
    optimizer = torch.optim.Adam(list(dict.fromkeys([*segmenter.parameters(), *detector.parameters()])), LEARNING_RATE)
    assert len(parameters) == len(optimizer.param_groups[0]["params"])
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    start, losses = time.perf_counter(), []
    for step in range(1, steps + 1):
        batch = [turned(pool[rng.integers(POOL)], int(rng.integers(4))) for _ in range(BATCH)]
        images, masks = (torch.from_numpy(np.stack([b[k] for b in batch])) for k in (0, 1))
        wanted = [torch.from_numpy(np.stack([b[2][k] for b in batch])) for k in range(len(STRIDES))]
        optimizer.zero_grad()
        value = loss(segmenter, detector, images, masks, wanted)
        value.backward()
        optimizer.step()
        rate.step()
        losses.append(value.item())
        if step % 25 == 0 or step == steps:
            print(f"step {step:4d}/{steps}  loss {np.mean(losses[-25:]):.3f}  {time.perf_counter() - start:4.0f} s", flush=True)


def export(model: nn.Module, scale: float, names: list[str], path: Path) -> None:
    """Writes the file, and raises unless ONNX Runtime computes from it what torch does."""
    image = scale * torch.from_numpy(np.asarray(scene(HELD_OUT).picture, np.float32).transpose(2, 0, 1)[None] / 255)
    torch.onnx.export(model, (image,), path, input_names=["image"], output_names=names, opset_version=18, dynamo=True,
                      external_data=False, verbose=False)  # fmt: skip
    with torch.no_grad():
        expected = model(image)
    found = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(names, {"image": image.numpy()})
    pairs = zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True)
    difference = max(float(np.abs(f - e.numpy()).max()) for f, e in pairs)
    print(f"{path.name}: {path.stat().st_size:,} bytes, differs from torch by at most {difference:.1e}")
    if not difference < TOLERANCE:  # so that NaN fails too
        raise ValueError(f"{path.name}: differs from torch by {difference:.1e}; less than {TOLERANCE:.0e} is accepted")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and export the segmenter and the detector.")
    parser.add_argument("--steps", type=int, default=400, help=f"of {BATCH} scenes each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and order (default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    trunk = Trunk()
    segmenter, detector = Segmenter(trunk), Detector(trunk)
    nn.init.constant_(detector.head.bias, -3.0)  # most cells find nothing
    for what, model in (("segmenter", segmenter), ("detector", detector)):
        print(f"{what}: {sum(p.numel() for p in model.parameters()):,} parameters")
    train(segmenter, detector, steps=args.steps, seed=args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    export(segmenter.eval(), 1, ["classes"], args.output / "segmenter.onnx")
    export(detector.eval(), 255, NAMES, args.output / "detector.onnx")


if __name__ == "__main__":
    main()
