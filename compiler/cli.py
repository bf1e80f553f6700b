"""The command line: arguments -> calls."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from planish.runtime import PlanError, PlanishError, devices
from planish.runtime.cli import add_run_arguments, run_plan

from . import driver, passes, pictures, report, targets

ERRORS = Console(stderr=True, highlight=False, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `planish`; returns the exit status: 0, or 1 after one `error:` line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "call"):
        parser.print_help()
        return 2
    try:
        options.call(options)
    except PlanishError as error:
        ERRORS.print(f"error: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        ERRORS.print("error: interrupted", style="red")
        return 130
    return 0


def compile_main() -> int:
    """The command `compile`: `planish compile`."""
    return main(["compile", *sys.argv[1:]])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("planish", description="Compiles neural networks (.tflite, .onnx) to OpenCL kernels and a plan.")
    parser.add_argument("--version", action="version", version=f"planish {version('planish')}")
    commands = parser.add_subparsers(title="commands", metavar="")

    compiler = commands.add_parser("compile", help="model file -> plan", description="Compiles a model file to a plan.")
    compiler.set_defaults(call=_compile)
    compiler.add_argument("model", type=Path, help=".tflite or .onnx file")
    compiler.add_argument("-o", "--output", type=Path, metavar="PLAN", help="folder of the plan (default: the model's name with .plan)")
    compiler.add_argument("--target", choices=targets.NAMES, default="auto", help="kind of device to compile for (default: the device present)")
    compiler.add_argument("--device", help="gpu, cpu, part of a name, or platform:device, for --target auto")
    compiler.add_argument("--precision", choices=driver.PRECISIONS, default="f32", help="f16 stores intermediates and weights in half precision")
    compiler.add_argument("--input-shape", action="append", default=[], type=_shape, metavar="NAME=1,224,224,3", help="shape of an input; may be repeated")
    compiler.add_argument("--dump-ir", type=Path, metavar="DIR", help="write the graph after every pass")
    compiler.add_argument("--stop-after", choices=("import", *passes.NAMES), metavar="PASS", help=f"stop after import, {', '.join(passes.NAMES)}")
    compiler.add_argument("--explain", action="store_true", help="say which rule fired or declined, where and why")
    compiler.add_argument("--force", action="store_true", help="replace the output folder even if it is not a plan")
    compiler.add_argument("-v", "--verbose", action="store_true", help="time of every stage, every launch")

    runner = commands.add_parser("run", help="run a plan on arrays or pictures", description="Runs a plan on arrays (.npy) or pictures; outputs that are pictures are saved as such too.")
    runner.set_defaults(call=lambda options: run_plan(options, read=pictures.read, write=pictures.write))
    add_run_arguments(runner)

    lister = commands.add_parser("devices", help="list the OpenCL devices", description="Lists the OpenCL devices, the best first.")
    lister.set_defaults(call=lambda options: print(devices.listing()))
    return parser


def _compile(options: argparse.Namespace) -> None:
    output = options.output or options.model.with_suffix(".plan")
    if not options.stop_after and output.exists() and not options.force:
        _refuse_foreign(output)
    target = targets.resolve(options.target, options.device)
    console = Console(highlight=False, soft_wrap=True)
    with _progress(options.model.name) as progress:
        plan, result = driver.compile_model(
            options.model, target, precision=options.precision, input_shapes=dict(options.input_shape),
            dump_ir=options.dump_ir, stop_after=options.stop_after, progress=progress,
        )
        if plan:
            progress("write")
            plan.write(output, force=options.force)
    if options.explain:
        report.explain(console, result)
    report.summary(console, result, plan, output, target, verbose=options.verbose)


def _refuse_foreign(output: Path) -> None:
    from planish.runtime.plan import is_plan

    if not is_plan(output) and (not output.is_dir() or any(output.iterdir())):
        raise PlanError(f"{output} exists and is not a plan; choose another folder, or replace it with --force")


@contextmanager
def _progress(name: str) -> Iterator[driver.Progress]:
    """A spinner with the stage at hand, on a terminal; nothing elsewhere."""
    if not ERRORS.is_terminal:
        yield lambda stage: None
        return
    with ERRORS.status(f"{name}: starting") as status:
        yield lambda stage: status.update(f"{name}: {stage}")


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, equals, extents = text.rpartition("=")
    try:
        shape = tuple(int(e) for e in extents.split(",")) if extents else ()
    except ValueError:
        shape = (-1,)
    if not equals or not name or any(e < 0 for e in shape):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=1,224,224,3")
    return name, shape


if __name__ == "__main__":
    sys.exit(main())
