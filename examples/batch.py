"""Classify many files by a pool of processes, each with a session of its own, and leave a table: batch.csv.

    python examples/batch.py
    python examples/batch.py mobilenet.tflite photos/*.jpg --labels labels.txt --range=-1..1 --jobs 4

The model is compiled once; the processes load its plan. Without files the bundled digits are written as 350 files, and the
status is 1 if fewer than 97 % are right.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter

from common import ROOT, ending, labels, parsed, parser, planned, probabilities, say, to_input
from PIL import Image

from planish.runtime import Session, load

session: Session  # of this process
options: argparse.Namespace


def batch() -> dict[str, bool]:
    expect = "what the best label of each file has to contain, in their order"
    options = parser(__doc__.partition("\n")[0], "digits/digits.onnx", expect=expect)
    options.add_argument("--jobs", type=int, default=2, help="how many processes")
    options = parsed(options)
    plan = planned(options.model, options, batch=1)
    files = options.files or digits(options.output / "digits")
    name = labels(options.labels) if options.files else str
    start = perf_counter()
    # `spawn`, for a process that has used OpenCL must not be forked
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn"), begin, (plan, options)) as pool:
        found = list(pool.map(classify, files, chunksize=max(1, len(files) // (4 * options.jobs))))
    say("time", f"{len(files)} files, {options.jobs} processes: {perf_counter() - start:.2f} s, their start included")
    with (options.output / "batch.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "label", "share", "process"])
        rows.writerows([path, name(best), f"{share:.4f}", process] for path, (best, share, process) in zip(files, found))
    say("table", str(options.output / "batch.csv"))
    if options.files:
        return {f"{text}: not in '{name(best)}'": text in name(best) for text, (best, _, _) in zip(options.expect, found)}
    right = sum(path.name.startswith(f"{best}_") for path, (best, *_) in zip(files, found)) / len(files)
    say("accuracy", f"{right:.1%} of {len(files)} held-out digits")
    return {"fewer than 97 % right": right >= 0.97}


def begin(plan: Path, given: argparse.Namespace) -> None:
    """A process of the pool begins: it loads the plan once, for all files that it will be given."""
    global session, options
    session, options = load(plan, given.device), given


def classify(file: Path) -> tuple[int, float, int]:
    """In a process of the pool: the best class, its share, and which process."""
    (scores,) = session.run([to_input(Image.open(file), session.inputs[0], options)]).values()
    shares = probabilities(scores)
    return int(shares.argmax()), float(shares.max()), multiprocessing.current_process().pid or 0


def digits(folder: Path) -> list[Path]:
    """The bundled digits as files; a file's name begins with the digit."""
    folder.mkdir(parents=True, exist_ok=True)
    sheet, files = Image.open(ROOT / "digits" / "digits.png"), []
    for y in range(0, sheet.height, 8):
        for x in range(0, sheet.width, 8):
            files.append(folder / f"{y // 8}_{x // 8:02}.png")
            sheet.crop((x, y, x + 8, y + 8)).save(files[-1])
    return files


if __name__ == "__main__":
    sys.exit(ending(batch))
