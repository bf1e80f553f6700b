"""Running a plan from the command line: `python -m planish.runtime PLAN`, and `planish run`."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import NoReturn

import numpy as np

from . import profile
from .devices import describe
from .errors import InputError, PlanishError, one_line
from .plan import Tensor
from .session import Session, load

Reader = Callable[[Path, Tensor], np.ndarray]
Writer = Callable[[Path, np.ndarray], list[Path]]


class Parser(argparse.ArgumentParser):
    """Refuses what it cannot parse with an `InputError`, so that every error looks alike and ends with status 1."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} ({self.prog} --help says what is accepted)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a plan; returns the exit status: 0, or 1 after one `error:` line."""
    parser = Parser("python -m planish.runtime", description="Runs a plan; with `profile` before it, tells where the time goes.")
    add_run_arguments(parser)
    return guarded(lambda: run_plan(parser.parse_args(arguments)))


def guarded(call: Callable[[], None], show: Callable[[str], None] = lambda line: print(line, file=sys.stderr)) -> int:
    """Calls; an error becomes one `error:` line, given to `show`, and status 1; an interruption, 130.

    Faults of the program itself (an `AssertionError`, say) keep their traceback. From here on standard output takes every
    character: those that its encoding lacks are escaped.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        call()
        sys.stdout.flush()
        return 0
    except PlanishError as error:
        message = str(error)
    except KeyboardInterrupt:
        show("error: interrupted")
        return 130
    except MemoryError:
        message = "out of memory"
    except OSError as error:
        _give_up_output()
        if isinstance(error, BrokenPipeError):  # whoever reads the output has seen enough
            return 1
        message = f"{error.filename or 'output'}: {error.strerror or error}"
    show(f"error: {one_line(message)}")
    return 1


def _give_up_output() -> None:
    """Where standard output takes no more, the rest goes nowhere, so that Python does not complain at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", type=Path, help="folder of the plan")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE",
                        help="an array (.npy), repeatable; an input that is not given gets seeded noise")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="write each output as NAME.npy")
    parser.add_argument("--device", help="gpu, cpu, part of a name, or platform:device (default: the best)")
    parser.add_argument("--repeat", type=count, default=10, metavar="N", help="runs to time after the first (default: 10)")
    parser.add_argument("--profile", action="store_true", help="show the time of every launch")


def read_array(path: Path, tensor: Tensor) -> np.ndarray:
    """The array of an .npy file.

    Raises:
        InputError: it is none, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except OSError as error:
        raise InputError(f"input '{tensor.name}': {path}: {error.strerror or error}") from None
    except (ValueError, EOFError, SyntaxError, MemoryError):
        raise InputError(f"input '{tensor.name}': {path} is not a whole array (.npy)") from None


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
    with progress(f"loading {options.plan}"):
        session = load(options.plan, options.device)
    loaded = perf_counter() - start
    with session:
        inputs, made_up = feeds(session, options.input, read)
        times = []
        with progress(f"running {options.plan}"):
            outputs = session.run(inputs)
            for _ in range(options.repeat):
                start = perf_counter()
                outputs = session.run(inputs)
                times.append((perf_counter() - start) * 1e3)
        print(describe(session.device))
        timing = f"; {np.median(times):.3f} ms a run (median of {len(times)}, least {min(times):.3f})" if times else ""
        print(f"loaded in {loaded:.3f} s{timing}")
        if options.profile:
            print(profile.table(session.profile(inputs)))
    if made_up:
        print(f"noise as input: {', '.join(map(one_line, made_up))}")
    for name, array in outputs.items():
        numbers = array.size and array.dtype.kind in "fiu"
        with np.errstate(all="ignore"):  # of infinities there is no mean
            span = f" from {array.min():.6g} to {array.max():.6g}, mean {array.mean(dtype=np.float64):.6g}" if numbers else ""
        print(f"{one_line(name)}: {array.dtype}{list(array.shape)}{span}")
    if options.output:
        _write(options.output, outputs, write)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Shows what goes on for as long as it does: on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield
        return
    print(f"{one_line(text)[:70]} ...", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def feeds(session: Session, given: Sequence[str], read: Reader, seed: int = 0) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays of all inputs, and the names of those that are noise: the same for the same seed."""
    tensors = {t.name: t for t in session.inputs}
    accepted = ", ".join(map(str, tensors.values())) or "none"
    files: dict[str, Path] = {}
    for text in given:
        name = next((n for n in sorted(tensors, key=len, reverse=True) if text.startswith(f"{n}=")), None)
        file = text if name is None else text[len(name) + 1 :]
        if name is None and len(tensors) == 1 and ("=" not in text or Path(text).is_file()):
            name = next(iter(tensors))
        if name is None:
            wrong = f"no input '{text.partition('=')[0]}'" if "=" in text else f"--input {text}: give it as NAME=FILE"
            raise InputError(f"{wrong}; the inputs are: {accepted}")
        if name in files:
            raise InputError(f"input '{name}' is given twice: {files[name]}, {file}")
        if not Path(file).is_file():
            raise InputError(f"input '{name}': no such file: {file}")
        files[name] = Path(file)
    rng = np.random.default_rng(seed)
    arrays = {name: read(files[name], t) if name in files else t.noise(rng) for name, t in tensors.items()}
    return arrays, [name for name in tensors if name not in files]


def _write(folder: Path, outputs: dict[str, np.ndarray], write: Writer) -> None:
    taken: set[str] = set()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in outputs.items():
            for file in write(folder / _file_name(name, taken), array):
                print(f"wrote {file}")
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror or error}") from None


def _file_name(name: str, taken: set[str]) -> str:
    """A name that every file system takes and that no other output has."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in name).lstrip(".")[:80] or "output"
    unique, count = plain, 0
    while unique.lower() in taken:
        count += 1
        unique = f"{plain}.{count}"
    taken.add(unique.lower())
    return unique


def count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs")
    return int(text)
