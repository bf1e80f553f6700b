"""Runs all of ONNX's conformance suite on the device, shows a table, and holds what was declined against the list in this folder.

    python -m tests.conformance [--update] [--jobs 2] [--only PATTERN] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.conformance.onnx_suite import KINDS, Outcome, cases, run

DECLINED = Path(__file__).with_name("declined.txt")
"""Each case that is not passed, with the reason."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--update", action="store_true", help="rewrite the list of what was declined")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (2)")
    parser.add_argument("--only", type=re.compile, default="", metavar="PATTERN", help="cases whose names hold the pattern")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every outcome")
    options = parser.parse_args()
    names = [name for name in cases() if re.search(options.only, name)]
    console = Console()
    with ProcessPoolExecutor(options.jobs) as pool, Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        outcomes = list(progress.track(pool.map(run, names, chunksize=4), total=len(names), description="onnx.backend.test"))
    show(console, outcomes)
    if options.json:
        options.json.write_text(json.dumps([asdict(o) for o in outcomes], indent=1), encoding="utf-8")
    now = {o.name: f"{o.status}: {o.reason}" if o.status == "failed" else o.reason for o in outcomes if o.status != "passed"}
    if options.update:
        DECLINED.write_text("".join(f"{name}: {reason}\n" for name, reason in sorted(now.items())), encoding="utf-8")
        return 0
    listed = set(listing()) & set(names)
    for name in sorted(now.keys() - listed):
        console.print(f"not passed, and not listed: {name}: {now[name]}", style="red", markup=False, soft_wrap=True)
    for name in sorted(listed - now.keys()):
        console.print(f"listed, but passed: {name}", style="yellow", markup=False)
    return 0 if listed == now.keys() else 1


def listing() -> dict[str, str]:
    """What is listed as not passed, with the reasons."""
    lines = DECLINED.read_text(encoding="utf-8").splitlines() if DECLINED.exists() else []
    return dict(line.split(": ", 1) for line in lines)


def show(console: Console, outcomes: list[Outcome]) -> None:
    """A table of kinds, and one of the operators with cases that did not pass."""
    ops = {o.op for o in outcomes if o.op and o.status != "passed"}
    for title, keys, of in (("kind", [*KINDS, ""], lambda o: (o.kind, "")), ("operator", sorted(ops), lambda o: (o.op,))):
        table = Table(title, "cases", "passed", "failed", "declined", box=None, header_style="bold")
        for key in keys:
            counts = Counter(o.status for o in outcomes if key in of(o))
            total = sum(counts.values())
            if total:
                table.add_row(key or "all", str(total), *(str(counts[s]) for s in ("passed", "failed", "declined")))
        console.print(table)


if __name__ == "__main__":
    sys.exit(main())
