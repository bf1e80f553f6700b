"""`planish inspect`: a model or a plan, opened."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from planish.runtime import devices, limits
from planish.runtime.cli import feeds
from planish.runtime.errors import DeviceError
from planish.runtime.plan import Plan
from planish.runtime.profile import Timing
from planish.runtime.session import Session

from .. import driver, pictures, targets
from ..arguments import add_input_arguments, add_kernel_arguments, add_target_arguments, inputs, target_of
from ..errors import OptionError
from ..report import standard_output
from ..targets import Target
from . import listing, page
from .document import Course, document
from .roofline import Roof


def add_inspect_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="MODEL|PLAN", help=".tflite or .onnx file, or folder of a plan")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="write the page there (default: the name of the model or plan with .html, beside it)")
    parser.add_argument("--text", action="store_true", help="print it as text; a page only with -o")
    parser.add_argument("--json", action="store_true", help="print one JSON document; a page only with -o")
    parser.add_argument("--static", action="store_true", help="measure nothing, even where a device is present")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE",
                        help="an array (.npy) or picture to measure with, repeatable; an input that is not given gets seeded noise")
    parser.add_argument("--force", action="store_true", help="replace the output file even if it is not such a page")
    add_target_arguments(parser)
    add_input_arguments(parser)
    add_kernel_arguments(parser)


def inspect(options: argparse.Namespace) -> None:
    """Compiles, or reads, measures, and writes or prints what is to be seen."""
    if options.text and options.json:
        raise OptionError("--text and --json both print; leave out one of them")
    output = options.output or (None if options.text or options.json else options.path.parent / f"{options.path.stem}.html")
    if output:
        _check_free(output, options)
    course = None
    if options.path.is_dir():
        plan = _read(options)
        target = targets.TARGETS.get(str(plan.provenance.get("target")), targets.named("generic"))
    else:
        course, target = Course(), target_of(options)
        made, course.report = driver.compile_model(options.path, target, precision=options.precision, **inputs(options), watch=course.watch)
        assert made, "a plan of all stages"
        plan = made
    roof, device, timings = _measured(plan, target, options)
    found = document(plan, roof, device=device, timings=timings, course=course)
    if options.text:
        listing.show(standard_output(), found)
    if options.json:
        print(json.dumps(found))
    if output:
        _write(output, page.render(found))
        if not options.json:
            print(f"wrote {output}")


def _read(options: argparse.Namespace) -> Plan:
    """The plan of a folder, for which nothing is left to choose."""
    given = [name for name in ("input_shape", "dim", "batch", "input_value", "no_winograd", "no_megakernel") if getattr(options, name)]
    given += [name for name, default in (("target", "auto"), ("precision", "f32")) if getattr(options, name) != default]
    if given:
        option = given[0].replace("_", "-")
        raise OptionError(f"--{option} is for a model, and {options.path} is a folder: a plan is compiled already; leave it out")
    return Plan.read(options.path)


def _measured(plan: Plan, target: Target, options: argparse.Namespace) -> tuple[Roof, str | None, Sequence[Timing]]:
    """The limits, the device and the time of each launch; where nothing is measured, what the compiler guesses of the target."""
    guessed = Roof.guessed(target)
    if options.static or options.target != "auto":
        if options.input:
            raise OptionError("--input is for measuring, and nothing is measured: leave it, or --static and --target, out")
        return guessed, None, ()
    try:
        device = devices.find(options.device)
    except DeviceError:
        if options.device or devices.numbered():
            raise
        return guessed, None, ()
    most = limits.of(device)
    with Session(plan, device) as session:
        arrays, _ = feeds(session, options.input, pictures.read)
        timings = session.profile(arrays)
    measured = Roof(most.gflops, most.bandwidth, "measured in float32, as by planish devices --measure", True)
    return measured, devices.describe(device), timings


def _check_free(output: Path, options: argparse.Namespace) -> None:
    """Checks that the page may be written: there is nothing, or such a page.

    Raises:
        OptionError: something else is there.
    """
    if output.is_dir() or output.resolve().is_relative_to(options.path.resolve()):
        raise OptionError(f"{output} is a folder, or belongs to what is inspected; choose another file for the page")
    if not output.parent.is_dir():
        raise OptionError(f"cannot write {output}: {output.parent} is not a folder")
    if options.force or not output.exists():
        return
    with output.open("rb") as file:
        if page.GENERATOR.encode() not in file.read(4096):
            raise OptionError(f"{output} exists and is not a page of planish inspect; choose another file, or replace it with --force")


def _write(output: Path, text: str) -> None:
    """Writes a file: whole, or not at all."""
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=output.parent, prefix=f".{output.name[:80]}", delete=False) as file:
            file.write(text)
        fresh = Path(file.name)
        umask = os.umask(0)
        os.umask(umask)
        fresh.chmod(0o666 & ~umask)
        fresh.replace(output)
    except OSError as error:
        raise OptionError(f"cannot write {output}: {error.strerror or error}") from None
