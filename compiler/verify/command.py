"""`planish verify`: a plan held against its model."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from planish.runtime import devices
from planish.runtime.cli import Reader, feeds, read_array
from planish.runtime.devices import describe
from planish.runtime.errors import one_line
from planish.runtime.plan import Plan
from planish.runtime.stepping import Stepper

from .. import arguments, keep
from ..errors import DifferenceError, OptionError
from ..progress import Shown, progress
from . import references, tables
from .deviation import Deviation, deviation
from .layers import Layers, compare
from .pair import Pair, matched, pair
from .search import Search

TOLERANCE = {"f32": 1e-4, "f16": 1e-2}
"""Parts of an output's largest magnitude, by precision."""


def add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help=".tflite or .onnx file")
    parser.add_argument("plan", type=Path, help="folder of a plan of it")
    parser.add_argument("--reference", choices=references.NAMES, default="auto",
                        help="what the outputs are held against (default: auto, the runtime of the model's format where it is installed, "
                        "else numpy)")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE",
                        help="an array (.npy) or a picture, repeatable; an input that is not given gets seeded noise")
    parser.add_argument("--input-value", action="append", default=[], type=arguments.value, metavar="NAME=1,2|FILE",
                        help="what was given with --input-value when the plan was compiled; repeatable")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    parser.add_argument("--device", help="gpu, cpu, part of a name, or platform:device (default: the best)")
    parser.add_argument("--tolerance", type=_tolerance, metavar="T",
                        help="how large the largest error of an output may be, as a part of the output's largest magnitude (default: "
                        f"{', '.join(f'{t:g} for {p}' for p, t in TOLERANCE.items())})")
    parser.add_argument("--layers", action="store_true", help="look at what every launch leaves, and name the first that errs")
    parser.add_argument("--keep-f32", type=Path, metavar="FILE",
                        help="of a plan of half precision, find the launches that have to stay in float32, and write their nodes to a file "
                        "for planish compile --keep-f32")


@dataclass
class Run:
    """A plan that was run, and what was expected.

    Attributes:
        feed: what the graph as imported is given.
    """

    pair: Pair
    session: Stepper
    inputs: dict[str, np.ndarray]
    expected: dict[str, np.ndarray]
    reference: str
    tolerance: float

    def deviations(self) -> dict[str, Deviation]:
        outputs = self.session.run(self.inputs)
        return {name: deviation(array, self.expected[name]) for name, array in outputs.items()}


def verify_plan(options: argparse.Namespace, *, read: Reader = read_array) -> None:
    """Runs a plan and its model's reference, and shows how far the outputs are from each other.

    Raises:
        DifferenceError: too far.
    """
    with progress(options.model.name) as show:
        show("load")
        plan = Plan.read(options.plan)
        both = pair(options.model, options.plan, plan, arguments.once("--input-value", options.input_value))
        if options.keep_f32 and both.precision != "f16":
            raise OptionError(f"--keep-f32 is for plans of half precision, and {options.plan} is of {both.precision}: leave it out")
        name = references.choose(options.reference, both.data)
        tolerance = TOLERANCE[both.precision] if options.tolerance is None else options.tolerance
        session = Stepper(plan, devices.find(options.device))
        with session:
            inputs, made_up = feeds(session, options.input, read, options.seed)
            show(name)
            run = Run(both, session, inputs, references.outputs(name, options.model, both.graph, both.feed(inputs)), name, tolerance)
            show("run")
            found = run.deviations()
            layers = _layers(run, show) if options.layers else None
            kept = _kept(run, options.keep_f32, show) if options.keep_f32 else []
    console = tables.console()
    print(describe(session.device))
    if made_up:
        print(f"noise of seed {options.seed} as input: {', '.join(map(one_line, made_up))}")
    if layers:
        console.print(tables.layers(layers, tolerance))
    console.print(tables.outputs(found, tolerance))
    if layers:
        _tell(console, run, layers)
    for line in kept:
        print(line)
    _verdict(options, run, found, bool(kept))


def _layers(run: Run, show: Shown) -> Layers:
    graph = run.pair.laid_out()
    matches = matched(run.pair.plan, run.pair.schedule(graph))
    return compare(run.session, graph, matches, run.inputs, run.inputs, lambda done: show("launches", done))


def _kept(run: Run, path: Path, show: Shown) -> list[str]:
    """Finds the launches that have to stay in float32, and writes the file; what is told of it."""
    search = Search(run.pair, run.pair.laid_out(), run.session.device, run.inputs, run.inputs, run.expected, run.tolerance,
                    lambda what: show(f"search: {what}"))
    found = search.find()
    keep.write(path, found.names)
    launches = [f"  {', '.join(map(one_line, nodes))}" for nodes in found.kept]
    return [f"launches that stay in float32: {len(found.kept)}; then the outputs deviate by {found.worst.relative:.2e} "
            f"({found.trials} plans tried)",
            *launches, one_line(f"wrote {path}: planish compile --precision f16 --keep-f32 {path}")]


def _tell(console: Console, run: Run, layers: Layers) -> None:
    """Where the error comes from."""
    passed = [name for name, array in layers.outputs.items() if not deviation(array, run.expected[name]).within(run.tolerance)]
    jump = layers.jump(run.tolerance)
    if passed:
        told = f"by numpy, the graph behind the passes differs from {run.reference}, too, at '{one_line(passed[0])}': a rule errs"
    elif jump:
        told = (f"the error jumps at launch {jump.launch}, {one_line(jump.variant)}, by {jump.own.relative:.2g} of the largest magnitude; "
                f"nodes: {one_line(tables.nodes(jump))}")
    else:
        most = max(layers.layers, key=lambda layer: layer.own.relative, default=None)
        told = "no launch errs by more than the tolerance by itself"
        if most:
            told += f"; launch {most.launch} errs most, by {most.own.relative:.2g}; nodes: {one_line(tables.nodes(most))}"
    print(told)


def _verdict(options: argparse.Namespace, run: Run, found: Mapping[str, Deviation], kept: bool) -> None:
    """One line, printed or raised."""
    name, worst = max(found.items(), key=lambda item: item[1].relative, default=("", Deviation(0.0, 0.0)))
    if worst.within(run.tolerance):
        print(one_line(f"{options.plan} gives what {run.reference} makes of {options.model}: within {run.tolerance:g}"))
        return
    hint = "" if options.layers or kept else "; --layers names the launch"
    if run.pair.precision == "f16":
        hint += f"; compile it with --keep-f32 {options.keep_f32}" if kept else "; --keep-f32 FILE finds what has to stay in float32"
    raise DifferenceError(f"{options.plan} does not give what {run.reference} makes of {options.model}: '{name}' deviates by "
                          f"{worst.relative:.2g} of its largest magnitude, more than {run.tolerance:g}{hint}")


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < np.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a tolerance; 0 or more would be accepted")
    return value
