"""The document as text, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from planish.runtime.errors import one_line

from .figures import amount, megabytes, percent, time

COLOURS = {"arithmetic": "blue", "memory": "yellow"}


def show(console: Console, found: Mapping[str, Any]) -> None:
    """What the page shows, without its pictures: sums, launches, what rules did to each, memory."""
    total, limits, memory = found["total"], found["limits"], found["memory"]
    measured = total["microseconds"] is not None
    sizes = [f" in {nbytes >> 20} MB" if limits["measured"] else "" for nbytes, _ in limits["bandwidth"]]
    rates = ", ".join(f"{amount(rate)} GB/s{size}" for (_, rate), size in zip(limits["bandwidth"], sizes))
    work = f"{amount(total['flops'])}FLOP, {megabytes(total['nbytes'])}, {amount(total['intensity'])} FLOP a byte"
    rows = [("device", found["device"] or "not measured"),
            ("limits", f"{limits['gflops']:.0f} GFLOP/s; {rates} ({limits['source']})"),
            ("in all", f"{work}; at the limits {time(total['least'])}")]
    if "nodes" in found:
        rows.insert(0, ("nodes", f"{found['nodes']['before']} -> {found['nodes']['after']}, in {total['launches']} launches"))
    if measured:
        share = total["least"] / max(total["microseconds"], 1e-9)
        rows.append(("measured", f"{time(total['microseconds'])}, {percent(share)} of the limits; at most {time(total['gain'])} to gain"))
    rows.append(("memory", f"{megabytes(total['weights'])} of weights; an arena of {megabytes(memory['arena'])}, of which "
                 f"{megabytes(memory['most'])} are kept at a time at the most"))
    for name, row in rows:
        console.print(Text.assemble((name.ljust(8), "bold"), "  ", one_line(row)))
    console.print(_launches(found, measured))
    if found.get("rules"):
        _rules(console, found)


def _launches(found: Mapping[str, Any], measured: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("#", "FLOP", "bytes", "FLOP/B"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("bound by", no_wrap=True)
    for head in ("limit", *(("measured", "of it", "gain") if measured else ())):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("kernel and nodes", ratio=1, overflow="fold")
    for each in found["launches"]:
        bound = each["bound"] or each["where"]
        figures = [time(each["microseconds"]), percent(each["share"]), time(each["gain"])] if measured else []
        told = Text.assemble((one_line(each["variant"]), "bold"), "  ", one_line(", ".join(each["nodes"])))
        table.add_row(each["number"], amount(each["flops"]), megabytes(each["nbytes"]), amount(each["intensity"]),
                      Text(bound, style=COLOURS.get(bound, "magenta")), time(each["least"]), *figures, told)
    return table


def _rules(console: Console, found: Mapping[str, Any]) -> None:
    """Under each launch what rules did to its nodes and where they declined."""
    for launch in found["launches"]:
        if not launch["rules"]:
            continue
        console.print(Text(f"{launch['number']}  {one_line(', '.join(launch['nodes']))}", style="bold"))
        for place in launch["rules"]:
            event = found["rules"][place]
            line = f"  {'+' if event['fired'] else '-'}  {event['pass']}  {event['rule']}  {event['op']} '{event['node']}'  {event['text']}"
            console.print(Text(one_line(line), style="green" if event["fired"] else "yellow"))
