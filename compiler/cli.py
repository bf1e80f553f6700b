"""The command line: arguments -> calls."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.text import Text

from planish.runtime import cache, devices
from planish.runtime.bench import add_bench_arguments, add_devices_arguments, bench_plan, list_devices
from planish.runtime.cli import Parser, add_run_arguments, guarded, run_plan
from planish.runtime.plan import check_free
from planish.runtime.profiler import add_profile_arguments, profile_plan

from . import driver, keep, operators, passes, pictures, report, tune, tuning_database
from .analyze import add_analyze_arguments, analyze
from .arguments import add_input_arguments, add_kernel_arguments, add_target_arguments, inputs, target_of
from .errors import OptionError
from .inspect import add_inspect_arguments, inspect
from .progress import ERRORS, Shown
from .progress import progress as showing
from .tune import Tuning
from .verify import add_verify_arguments, verify_plan


def main(given: Sequence[str] | None = None) -> int:
    """The command `planish`; returns the exit status: 0, or 1 after one `error:` line."""

    def call() -> None:
        options = _parser().parse_args(given)
        options.call(options)

    return guarded(call, show=lambda line: ERRORS.print(Text(line, style="red")))


def compile_main() -> int:
    """The command `compile`: `planish compile`."""
    return main(["compile", *sys.argv[1:]])


@dataclass(frozen=True)
class Command:
    """One of the commands.

    Attributes:
        help: its line in the list of commands; description: the head of its own help.
        add: its arguments to a parser; call: what it does.
    """

    name: str
    help: str
    description: str
    add: Callable[[Parser], None]
    call: Callable[[argparse.Namespace], None]


def _commands() -> tuple[Command, ...]:
    return (
        Command("compile", "model file -> plan", "Compiles a model file to a plan.", _add_compile_arguments, _compile),
        Command("run", "run a plan on arrays or pictures",
                "Runs a plan on arrays (.npy) or pictures; outputs that are pictures are written as such too.",
                add_run_arguments, partial(run_plan, read=pictures.read, write=pictures.write)),
        Command("bench", "time a plan",
                "Times a plan: latency, throughput, and each launch beside the limits of the device, which are measured the first time.",
                add_bench_arguments, partial(bench_plan, read=pictures.read)),
        Command("profile", "tell where the time of a run goes",
                "Times every launch by the device's clock, beside the device's limits: by itself, by layer, or by kernel; as a trace, too.",
                add_profile_arguments, partial(profile_plan, read=pictures.read)),
        Command("inspect", "open a model or a plan: graphs, launches, memory, roofline",
                "Opens a model or a plan as an HTML page: its graphs, launches and their sources, rules, memory, and how near each launch "
                "is to the limits of the device.",
                add_inspect_arguments, inspect),
        Command("analyze", "count a model's parameters, arithmetic and bytes",
                "Counts, for each layer of a model and in all, parameters, multiplications and additions, bytes to move, and operations a "
                "byte. Needs no device.",
                add_analyze_arguments, analyze),
        Command("devices", "list the OpenCL devices", "Lists the OpenCL devices, the best first.", add_devices_arguments, list_devices),
        Command("verify", "hold a plan against its model",
                "Runs a plan and a reference on the same inputs, and says how far the outputs are from each other; with status 1 where "
                "that is too far.",
                add_verify_arguments, partial(verify_plan, read=pictures.read)),
        Command("tuning", "show or merge files of measurements", "Shows what files of measurements hold, or merges them.",
                _add_tuning_arguments, _tuning),
        Command("ops", "list the operators that models may have",
                "Lists the operators of both formats that are accepted: their versions, and whether they run in kernels, on the host, or "
                "as the operators by which the standard defines them.",
                _add_ops_arguments, _ops),
    )


def _parser() -> Parser:
    parser = Parser("planish", description="Compiles neural networks (.tflite, .onnx) to OpenCL kernels and a plan.")
    parser.add_argument("--version", action="version", version=f"planish {version('planish')}")
    added = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _commands():
        own = added.add_parser(command.name, help=command.help, description=command.description)
        own.set_defaults(call=command.call)
        command.add(own)
    return parser


def _add_compile_arguments(parser: Parser) -> None:
    parser.add_argument("model", type=Path, help=".tflite or .onnx file")
    parser.add_argument("-o", "--output", type=Path, metavar="PLAN", help="folder of the plan (default: the model's name with .plan)")
    add_target_arguments(parser)
    parser.add_argument("--keep-f32", type=keep.nodes, default=[], metavar="FILE|NODE,…",
                        help="with f16, nodes whose weights and results stay in float32: their names, or the file that planish verify "
                        "--keep-f32 writes")
    add_input_arguments(parser)
    parser.add_argument("--tune", choices=tune.EFFORTS, metavar="EFFORT",
                        help="measure kernels on the device and take the fastest: fast, those that should be the best; full, all; "
                        "what is measured is kept, and not measured again")
    parser.add_argument("--tuning", type=Path, metavar="FILE",
                        help="the file of measurements; without --tune, it is used and nothing is measured (default, of --tune: "
                        "in the user's cache folder)")
    parser.add_argument("--tune-seconds", type=float, metavar="S",
                        help=f"how long --tune may measure (default: {', '.join(f'{s:g} for {e}' for e, s in tune.SECONDS.items())})")
    parser.add_argument("--no-host", action="store_true", help="refuse what would run on the host instead of the device")
    add_kernel_arguments(parser)
    parser.add_argument("--check", action="store_true", help="write no plan; say what would run where")
    parser.add_argument("--dump-ir", type=Path, metavar="DIR", help="write the graph after every pass")
    parser.add_argument("--stop-after", choices=("import", *passes.NAMES), metavar="PASS",
                        help=f"write no plan; stop after import, {', '.join(passes.NAMES)}")
    parser.add_argument("--explain", action="store_true", help="say which rule fired or declined, where and why")
    parser.add_argument("--force", action="store_true", help="replace the output folder even if it is not a plan")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the time of every stage, and every launch")


def _add_tuning_arguments(parser: Parser) -> None:
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE", help="as --tuning of planish compile (default: that of --tune)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write all of them as one; it may be one of them")


def _add_ops_arguments(parser: Parser) -> None:
    parser.add_argument("name", nargs="?", default="", help="tell all of the operators of this name, which may have * and ? in it")


def _compile(options: argparse.Namespace) -> None:
    model = options.model
    output = options.output or model.parent / f"{model.stem}.plan"
    writes = not options.stop_after and not options.check
    if writes:
        if model.resolve().is_relative_to(output.resolve()):
            raise OptionError(f"{output} is the model, or holds it; choose another folder for the plan")
        check_free(output, force=options.force)
    given, target = inputs(options), target_of(options)
    with showing(model.name) as progress:
        tuning = _tuning_of(options, progress)
        plan, result = driver.compile_model(model, target, precision=options.precision, keep_f32=options.keep_f32, **given,
                                            host=not options.no_host, tuning=tuning, dump_ir=options.dump_ir,
                                            stop_after=options.stop_after, progress=progress)
        if plan and writes:
            progress("write")
            plan.write(output, force=options.force)
    console = Console(highlight=False, soft_wrap=True)
    if options.explain:
        report.explain(console, result)
    if options.verbose:
        report.details(console, result, plan)
    if options.check:
        report.places(console, result, plan)
    report.summary(console, result, plan, output if writes else None, target)


def _tuning_of(options: argparse.Namespace, progress: Shown) -> Tuning | None:
    """How to tune; None where nothing of it is asked for."""
    if not options.tune and options.tune_seconds is not None:
        raise OptionError("--tune-seconds is for --tune: add --tune fast or --tune full, or leave it out")
    if not options.tune and not options.tuning:
        return None
    if options.target != "auto":
        asked = f"--tune {options.tune} measures on" if options.tune else "--tuning looks up"
        raise OptionError(f"{asked} a device, and --target {options.target} looks at none: leave it out; --device chooses one")
    return Tuning(devices.find(options.device), options.tune, options.tuning, options.tune_seconds,
                  watch=lambda done, what: progress("tune", done, what))


def _tuning(options: argparse.Namespace) -> None:
    """Shows or merges databases."""
    folder = cache.folder()
    files = options.files or ([folder / tune.FILE] if folder else [])
    for file in files:
        if not file.exists():
            raise OptionError(f"no tuning database {file}; planish compile --tune fast measures one")
    merged = tuning_database.merged(*map(tuning_database.read, files))
    if options.output:
        tuning_database.write(options.output, merged)
    for device, entries in sorted(merged.items()):
        print(f"{len(entries):>5} launches  {device}")


def _ops(options: argparse.Namespace) -> None:
    print(operators.listing(options.name))


if __name__ == "__main__":
    sys.exit(main())
