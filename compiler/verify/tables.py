"""What a comparison tells a person."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planish.runtime.errors import one_line

from .deviation import Deviation
from .layers import Layer, Layers

WIDE = 200
"""Columns where no terminal says how many it has."""


def console() -> Console:
    shown = Console(highlight=False)
    return shown if shown.is_terminal else Console(highlight=False, width=WIDE)


def outputs(found: Mapping[str, Deviation], tolerance: float) -> Table:
    """An output a line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("output", "max error", "largest", "relative", ""):
        table.add_column(name, justify="left" if name in ("output", "") else "right")
    for name, d in found.items():
        within = d.within(tolerance)
        verdict = Text(f"within {tolerance:g}" if within else f"beyond {tolerance:g}", style="green" if within else "red")
        table.add_row(Text(one_line(name)), f"{d.error:.3g}", f"{d.largest:.4g}", f"{d.relative:.2e}", verdict)
    return table


def layers(found: Layers, tolerance: float) -> Table:
    """A launch a line, the first that errs marked."""
    jump = found.jump(tolerance)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("#", "kernel", "error", "own"):
        table.add_column(name, justify="left" if name == "kernel" else "right", no_wrap=True)
    table.add_column("nodes", overflow="fold")
    table.add_column("value", overflow="ellipsis", no_wrap=True, max_width=40)
    for layer in found.layers:
        style = "bold red" if layer is jump else "red" if not layer.own.within(tolerance) else ""
        cells = (str(layer.launch), layer.variant, f"{layer.error.relative:.1e}", f"{layer.own.relative:.1e}", nodes(layer), layer.value)
        table.add_row(*(Text(one_line(cell)) for cell in cells), style=style)
    return table


def nodes(layer: Layer) -> str:
    return ", ".join(layer.nodes) or "(a copy of the compiler's)"
