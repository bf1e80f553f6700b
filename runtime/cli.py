"""Running a plan from the command line: `python -m planish.runtime PLAN`, and `planish run`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from .devices import describe
from .errors import InputError, PlanishError
from .plan import Tensor
from .session import Session, load

Reader = Callable[[Path, Tensor], np.ndarray]
Writer = Callable[[Path, np.ndarray], list[Path]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m planish.runtime", description="Runs a plan.")
    add_run_arguments(parser)
    try:
        run_plan(parser.parse_args(arguments))
    except PlanishError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", type=Path, help="folder of the plan")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE",
                        help="an array (.npy); inputs that are not given get seeded noise")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="write each output as NAME.npy")
    parser.add_argument("--device", help="gpu, cpu, part of a name, or platform:device (default: the best)")
    parser.add_argument("--repeat", type=int, default=10, metavar="N", help="runs to time after the first (default: 10)")


def read_array(path: Path, tensor: Tensor) -> np.ndarray:
    """The array of an .npy file."""
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError):
        raise InputError(f"input '{tensor.name}': {path} is not an array (.npy)") from None


def write_array(path: Path, array: np.ndarray) -> list[Path]:
    """Writes an output beside `path`, which has no extension; returns the files written."""
    file = path.with_name(path.name + ".npy")
    np.save(file, array)
    return [file]


def run_plan(options: argparse.Namespace, *, read: Reader = read_array, write: Writer = write_array) -> None:
    """Runs a plan, times it, and shows or writes the outputs.

    Args:
        read: makes the array of an input from a file.
        write: writes an output beside a path without extension.
    """
    start = perf_counter()
    session = load(options.plan, options.device)
    loaded = perf_counter() - start
    inputs = _inputs(session, options.input, read)
    outputs = session.run(inputs)
    times = []
    for _ in range(options.repeat):
        start = perf_counter()
        outputs = session.run(inputs)
        times.append((perf_counter() - start) * 1e3)
    print(f"{describe(session.device)}")
    timing = f"; {np.median(times):.3f} ms a run (median of {len(times)}, minimum {min(times):.3f})" if times else ""
    print(f"loaded in {loaded:.3f} s{timing}")
    for name, array in outputs.items():
        span = f", {array.min():.6g} … {array.max():.6g}, mean {array.mean():.6g}" if array.size and array.dtype.kind in "fiu" else ""
        print(f"{name}: {array.dtype}{list(array.shape)}{span}")
    if options.output:
        _write(options.output, outputs, write)


def _inputs(session: Session, given: Sequence[str], read: Reader) -> dict[str, np.ndarray]:
    tensors = {t.name: t for t in session.inputs}
    rng = np.random.default_rng(0)
    arrays = {name: _noise(rng, t) for name, t in tensors.items()}
    for text in given:
        name, equals, file = text.partition("=") if "=" in text else (next(iter(tensors), ""), "=", text)
        if name not in tensors:
            listed = ", ".join(f"{t.name} {t.dtype}{list(t.shape)}" for t in tensors.values())
            raise InputError(f"no input '{name}'; the inputs are: {listed}")
        if not Path(file).is_file():
            raise InputError(f"input '{name}': no such file: {file}")
        arrays[name] = read(Path(file), tensors[name])
    return arrays


def _noise(rng: np.random.Generator, tensor: Tensor) -> np.ndarray:
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return rng.random(tensor.shape).astype(dtype)
    return rng.integers(0, 2, tensor.shape).astype(dtype)


def _write(folder: Path, outputs: dict[str, np.ndarray], write: Writer) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in outputs.items():
            for file in write(folder / _file_name(name), array):
                print(f"wrote {file}")
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}") from None


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name).lstrip(".") or "output"
