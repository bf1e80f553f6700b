"""What a network has to compute and to move, without a device: parameters, multiplications and additions, bytes, arithmetic intensity."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from planish.runtime.errors import one_line

from . import driver, passes, targets
from .arguments import add_input_arguments, add_precision_argument, inputs
from .ir import Graph
from .lower import Launch, Schedule, lower
from .passes.rewrite import describe
from .report import standard_output

ANY = replace(targets.named("generic"), winograd=False)
"""A target of which the figures tell nothing: every product is counted as the definition has it."""
PRODUCTS = ("matmul", "recurrent", "lstm_integer")
"""Kernels, beside the convolutions, whose arithmetic is products that are added."""


@dataclass(frozen=True)
class Layer:
    """A node of the graph as it runs, with the element-wise ones that it took in.

    Attributes:
        name: of the nodes of the file that it stands for; op: with the steps of its epilogue.
        type: of its result.
        parameters: elements of the constants that it reads; what two layers share counts for both.
        macs: multiplications whose products are added; flops: all operations, two for each of these.
        nbytes: of activations, weights and results, that have to be moved at least, each once; biases and the like left out.
    """

    name: str
    op: str
    type: str
    parameters: int
    macs: int
    flops: int
    nbytes: int

    @property
    def intensity(self) -> float | None:
        """FLOP for each byte."""
        return self.flops / self.nbytes if self.nbytes else None


def layers(graph: Graph, precision: str = "f32") -> list[Layer]:
    """The layers of a graph as it was imported, in the order in which they run; those of a loop's body once.

    Args:
        precision: "f32", or "f16": what intermediates and weights are stored in.
    """
    return list(_layers(lower(passes.run(graph, ANY), ANY, precision)))


def _layers(schedule: Schedule) -> Iterable[Layer]:
    for step in schedule.walk():
        if not isinstance(step, Launch):
            continue
        site, kernel = step.site, step.kernel
        constants = [data.size for value in site.node.operands if (data := site.graph.constant(value)) is not None]
        product = kernel.template.startswith("conv_") or kernel.template in PRODUCTS
        op = " + ".join(describe(o).removeprefix("Elementwise.") for o in (site.op, *(s.op for s in site.node.epilogue)))
        yield Layer(", ".join(site.node.sources) or site.node.name, op, str(site.output.type),
                    sum(constants), kernel.flops // 2 if product else 0, kernel.flops, kernel.nbytes)


def total(found: Iterable[Layer]) -> Layer:
    """All layers as one."""
    found = list(found)
    parameters, macs, flops, nbytes = (sum(getattr(layer, name) for layer in found) for name in ("parameters", "macs", "flops", "nbytes"))
    return Layer("in all", "", "", parameters, macs, flops, nbytes)


def facts(layer: Layer) -> dict[str, Any]:
    """As JSON has it."""
    return {**asdict(layer), "intensity": layer.intensity}


def add_analyze_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help=".tflite or .onnx file")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_precision_argument(parser)
    add_input_arguments(parser)


def analyze(options: argparse.Namespace) -> None:
    """Prints the layers of a model, and their sums."""
    imported: list[Graph] = []
    driver.compile_model(options.model, ANY, precision=options.precision, **inputs(options), stop_after="import",
                         watch=lambda stage, result: imported.append(result) if isinstance(result, Graph) else None)
    found = layers(imported[0], options.precision)
    if options.json:
        print(json.dumps({"model": options.model.name, "precision": options.precision, "layers": list(map(facts, found)),
                          "total": facts(total(found))}))  # fmt: skip
        return
    standard_output().print(table(found))


def table(found: list[Layer]) -> Table:
    """For people: a line for each layer, and one for all."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
    whole = total(found)
    shown.add_column("layer", "in all", ratio=2, overflow="fold")
    shown.add_column("op", ratio=1, overflow="fold")
    shown.add_column("result", no_wrap=True)
    for head, name in (("parameters", "parameters"), ("MACs", "macs"), ("bytes", "nbytes")):
        shown.add_column(head, f"{getattr(whole, name):,}", justify="right", no_wrap=True)
    shown.add_column("FLOP/B", _intensity(whole), justify="right", no_wrap=True)
    for layer in found:
        shown.add_row(Text(one_line(layer.name)), Text(layer.op), Text(layer.type), f"{layer.parameters:,}", f"{layer.macs:,}",
                      f"{layer.nbytes:,}", _intensity(layer))
    return shown


def _intensity(layer: Layer) -> str:
    return "–" if layer.intensity is None else f"{layer.intensity:.2f}"
