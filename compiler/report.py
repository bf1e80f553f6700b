"""What a compilation tells a person: the summary, the rules, the stages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from planish.runtime.plan import Plan

from .driver import Report
from .targets import Target


def summary(console: Console, report: Report, plan: Plan | None, output: Path, target: Target, *, verbose: bool = False) -> None:
    """Nodes before and after, what was fused and pruned, sizes, seconds."""
    if verbose:
        _stages(console, report)
        if plan:
            _launches(console, plan)
    total = sum(report.seconds.values())
    if plan is None:
        console.print(f"{report.nodes} nodes imported; stopped after {_last(report)} ({total:.2f} s); no plan written", markup=False)
        return
    fired = Counter(name for name, e in report.events if e.fired)
    table = Table.grid(padding=(0, 2))
    rows = (
        ("nodes", f"{report.nodes} -> {report.launches} launches of {report.kernels} kernels"),
        ("rewrites", ", ".join(f"{count} {name}" for name, count in _counts(fired)) or "none"),
        ("weights", f"{report.weights / 1e6:.2f} MB"),
        ("arena", f"{report.arena / 1e6:.2f} MB ({_over(report)})"),
        ("target", f"{target.name}, {target.lanes} channels a block, {plan.provenance['precision']}"),
        ("plan", f"{output} in {total:.2f} s"),
    )
    for name, row in rows:
        table.add_row(Text(name, style="bold"), Text(row))
    console.print(table)


def explain(console: Console, report: Report) -> None:
    """A line for each rule that fired or declined: pass, rule, node, what and why."""
    for name, event in report.events:
        mark, style = ("+", "green") if event.fired else ("-", "yellow")
        console.print(Text(f"{mark} {name}/{event.rule}  {event.op} '{event.node}': {event.text}", style=style))


def _counts(fired: Counter[str]) -> list[tuple[str, int]]:
    words = {"fold": "folded", "prune": "pruned", "transpose": "transposes moved", "simplify": "simplified", "weights": "moved into weights",
             "fuse": "fused", "layout": "placed"}
    return [(words.get(name, name), fired[name]) for name in words if fired[name]]


def _over(report: Report) -> str:
    if not report.arena_bound:
        return "nothing to hold"
    return f"{100 * (report.arena / report.arena_bound - 1):.0f} % over the lower bound"


def _last(report: Report) -> str:
    return list(report.seconds)[-1] if report.seconds else "import"


def _stages(console: Console, report: Report) -> None:
    for stage, seconds in report.seconds.items():
        console.print(f"{stage:10} {seconds * 1e3:9.1f} ms", markup=False)


def _launches(console: Console, plan: Plan) -> None:
    table = Table("#", "kernel", "grid", "MFLOP", "MB", "nodes", box=None, header_style="bold")
    for k, launch in enumerate(plan.launches):
        nodes = ", ".join(launch.nodes)
        table.add_row(str(k), launch.variant, "x".join(map(str, launch.grid)), f"{launch.flops / 1e6:.2f}", f"{launch.nbytes / 1e6:.2f}",
                      Text(nodes if len(nodes) < 60 else nodes[:57] + "..."))
    console.print(table)
