"""What a compilation tells a person: the summary, the rules, the stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.text import Text

from planish.runtime.errors import one_line
from planish.runtime.plan import HostStep, Launch, Loop, Plan, Step

from .driver import Report
from .passes import fold, prune
from .targets import Target
from .tune import Tuned

DEEDS = {"fold": "folded", "prune": "pruned", "transpose": "transposed", "simplify": "simplified", "weights": "into weights",
         "fuse": "fused", "layout": "placed"}  # fmt: skip
"""What rules of a pass did to the nodes they fired at."""

ANYWHERE = {r.name: "folded" for r in fold.RULES} | {r.name: "pruned" for r in prune.RULES}
"""The same of rules that clean up after others, in several passes."""


def standard_output() -> Console:
    """Of a terminal its width, and of anything else enough for tables."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)


def summary(console: Console, report: Report, plan: Plan | None, output: Path | None, target: Target) -> None:
    """Nodes before and after, what was fused and pruned, what runs on the host and why, sizes, seconds.

    Args:
        output: where the plan was written; None where it was not.
    """
    total = sum(report.seconds.values())
    rows = [("nodes", f"{report.nodes} -> {report.nodes_after}")]
    rows += [(deed, ", ".join(f"{count} {op}" for op, count in ops.most_common())) for deed, ops in _fired(report).items()]
    if report.tuned:
        rows.append(("tuned", _tuned(report.tuned)))
    if plan is None:
        rows.append(("stopped", f"after {report.stage}, {total:.2f} s; no plan written"))
    else:
        rows[0] = ("nodes", f"{report.nodes} -> {report.nodes_after}, in {report.launches} launches of {report.kernels} kernels")
        hosted: dict[str, list[HostStep]] = {}
        for step in plan.host_steps:
            hosted.setdefault(step.reason, []).append(step)
        rows += [("on host", f"{_distinct(s.what for s in steps)} for {_distinct(n for s in steps for n in s.nodes)}: {reason}")
                 for reason, steps in hosted.items()]
        rows += [("driven", f"{_distinct(n for loop in plan.loops if loop.reason == reason for n in loop.nodes)}, by the host: {reason}")
                 for reason in dict.fromkeys(loop.reason for loop in plan.loops)]
        if winograd := _winograd(plan):
            rows.append(("winograd", winograd))
        rows += [
            ("weights", f"{report.weights / 1e6:.2f} MB"),
            ("arena", f"{report.arena / 1e6:.2f} MB ({_over(report)})"),
            ("target", f"{target.name}, {target.lanes} channels a block, {plan.provenance['precision']}"),
            ("plan", f"{output}, {total:.2f} s" if output else f"not written, {total:.2f} s"),
        ]
    width = max(len(name) for name, _ in rows)
    for name, row in rows:
        console.print(Text.assemble((name.ljust(width), "bold"), "  ", one_line(row)))


def explain(console: Console, report: Report) -> None:
    """Under each pass a line for each rule that fired (+) or declined (-): the rule, the node, what it did or why not.

    A rule that declines again for the same reason, in a later pass, is not repeated.
    """
    told: set[tuple[str, str, str]] = set()
    for name, events in groupby(report.events, key=lambda e: e[0]):
        fresh = []
        for _, e in events:
            if e.fired or (e.rule, e.node, e.text) not in told:
                fresh.append(e)
                told.add((e.rule, e.node, e.text))
        if not fresh:
            continue
        console.print(Text(name, style="bold"))
        lines = _columns([("+" if e.fired else "-", e.rule, f"{_plain(e.op)} '{e.node}'", e.text) for e in fresh])
        for e, line in zip(fresh, lines):
            console.print(Text(f"  {line}", style="green" if e.fired else "yellow"))


def places(console: Console, report: Report, plan: Plan | None) -> None:
    """Where every node of the model runs: by which kernel on the device, or on the host and why, or nowhere, for it needs no launch."""
    if plan is None:
        return
    rows = [("where", "what", "nodes")]
    rows += [(_where(step), _what(step), ", ".join(step.nodes)) for step in plan.steps]
    running = {node for step in plan.steps for node in step.nodes}
    free = [node for node in report.sources if node not in running]
    rows += [("nowhere", "placed, folded or pruned", ", ".join(free))] if free else []
    head, *lines = _columns(rows)
    console.print(Text(head, style="bold"))
    for line in lines:
        console.print(Text(line))


def _winograd(plan: Plan) -> str:
    """How many convolutions have fewer products by Winograd's minimal filtering, and what they pay."""
    used = Counter(step.variant.split()[1] for step in plan.steps if isinstance(step, Launch) and step.variant.startswith("conv_winograd"))
    forms = [f"{count} in F({m}x{m}, 3x3), {fewer:g} times fewer products" for m, fewer in ((4, 4), (2, 2.25)) if (count := used[f"m{m}"])]
    return f"of the convolutions {', '.join(forms)}; rounding is some 4e-6 of the largest result (--no-winograd)" if forms else ""


def _distinct(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _where(step: Step) -> str:
    return "host" if isinstance(step, HostStep) else "driven" if isinstance(step, Loop) else "device"


def _what(step: Step) -> str:
    return step.variant if isinstance(step, Launch) else f"{step.what}: {step.reason}"


def details(console: Console, report: Report, plan: Plan | None) -> None:
    """The time of every stage, and every launch."""
    stages = [(stage, f"{seconds * 1e3:.1f} ms") for stage, seconds in report.seconds.items()]
    for line in _columns(stages, right={1}):
        console.print(Text(line))
    if plan is None:
        return
    rows = [("#", "kernel", "grid", "MFLOP", "MB", "nodes")]
    for k, launch in enumerate(plan.steps):
        if not isinstance(launch, Launch):
            what = (launch.what, _where(launch), "", "")
        else:
            what = (launch.variant, "x".join(map(str, launch.grid)), f"{launch.flops / 1e6:.2f}", f"{launch.nbytes / 1e6:.2f}")
        rows.append((str(k), *what, ", ".join(launch.nodes)))
    head, *lines = _columns(rows, right={0, 3, 4})
    console.print(Text(head, style="bold"))
    for line in lines:
        console.print(Text(line))


def _fired(report: Report) -> dict[str, Counter[str]]:
    """Deed -> how many nodes of each op, in the order of the passes."""
    counts: dict[str, Counter[str]] = {deed: Counter() for deed in DEEDS.values()}
    for name, event in report.events:
        if event.fired and name != "tune":
            counts.setdefault(ANYWHERE.get(event.rule) or DEEDS.get(name, name), Counter())[_plain(event.op)] += 1
    return {deed: ops for deed, ops in counts.items() if ops}


def _tuned(tuned: Tuned) -> str:
    """How many launches were measured, now or before, and what they gain."""
    parts = [f"{count} distinct launches {what}" for count, what in ((tuned.measured, "measured"), (tuned.found, "looked up")) if count]
    if tuned.choices:
        changed = sum(c.chosen != c.guess for c in tuned.choices)
        saved = sum(c.guessed - c.microseconds for c in tuned.choices)
        parts.append(f"{changed} of {len(tuned.choices)} launches changed, {saved:.0f} us or {100 * tuned.gain:.1f} % of them less")
    if tuned.unknown:
        why = ", for the time was up: compile again to go on" if tuned.measured else ""
        parts.append(f"{len(tuned.unknown)} launches not measured{why}")
    return "; ".join([*parts, *([tuned.note] if tuned.note else [])]) or "nothing to choose"


def _plain(op: str) -> str:
    return op.removeprefix("Elementwise.")


def _over(report: Report) -> str:
    if not report.arena_bound:
        return "nothing to hold"
    return f"{100 * (report.arena / report.arena_bound - 1):.0f} % over the lower bound"


def _columns(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """A line for each row; the cells of all but the last column are padded, those of `right` on the left."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))] if rows else []
    cells = ([c.rjust(w) if k in right else c.ljust(w) for k, (c, w) in enumerate(zip(row, widths))] for row in rows)
    return ["  ".join(row).rstrip() for row in cells]
