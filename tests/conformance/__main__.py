"""Runs ONNX's conformance suite, or that of TFLite's operators, on the device, shows a table, and holds what did not pass against a list.

    python -m tests.conformance [onnx|tflite] [--update] [--jobs 2] [--only PATTERN] [--json FILE]
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

from tests.conformance import onnx_suite, tflite_suite
from tests.conformance.onnx_suite import KINDS, Outcome

SUITES = {"onnx": onnx_suite, "tflite": tflite_suite}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("suite", nargs="?", choices=SUITES, default="onnx")
    parser.add_argument("--update", action="store_true", help="rewrite the list of what was declined")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (2)")
    parser.add_argument("--only", type=re.compile, default="", metavar="PATTERN", help="cases whose names hold the pattern")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every outcome")
    options = parser.parse_args()
    suite = SUITES[options.suite]
    names = [name for name in suite.cases() if re.search(options.only, name)]
    console = Console()
    with ProcessPoolExecutor(options.jobs) as pool, Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        outcomes = list(progress.track(pool.map(suite.run, names, chunksize=4), total=len(names), description=options.suite))
    show(console, outcomes)
    if options.json:
        options.json.write_text(json.dumps([asdict(o) for o in outcomes], indent=1), encoding="utf-8")
    now = {o.name: f"{o.status}: {o.reason}" if o.status == "failed" else o.reason for o in outcomes if o.status != "passed"}
    if options.update:
        now |= {name: reason for name, reason in listing(options.suite).items() if name not in names}
        listing_of(options.suite).write_text("".join(f"{name}: {reason}\n" for name, reason in sorted(now.items())), encoding="utf-8")
        return 0
    listed = set(listing(options.suite)) & set(names)
    for name in sorted(now.keys() - listed):
        console.print(f"not passed, and not listed: {name}: {now[name]}", style="red", markup=False, soft_wrap=True)
    for name in sorted(listed - now.keys()):
        console.print(f"listed, but passed: {name}", style="yellow", markup=False)
    return 0 if listed == now.keys() else 1


def listing_of(suite: str) -> Path:
    """The file with each case of a suite that is not passed, and the reason."""
    return Path(__file__).with_name(f"{suite}.txt")


def listing(suite: str) -> dict[str, str]:
    """What is listed as not passed, with the reasons."""
    path = listing_of(suite)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return dict(line.split(": ", 1) for line in lines)


def show(console: Console, outcomes: list[Outcome]) -> None:
    """A table of kinds, and one of the operators with cases that did not pass."""
    ops = {o.op for o in outcomes if o.op and o.status != "passed"}
    for title, keys, of in (("kind", [*KINDS, "tflite", ""], lambda o: (o.kind, "")), ("operator", sorted(ops), lambda o: (o.op,))):
        table = Table(title, "cases", "passed", "failed", "declined", box=None, header_style="bold")
        for key in keys:
            counts = Counter(o.status for o in outcomes if key in of(o))
            total = sum(counts.values())
            if total:
                table.add_row(key or "all", str(total), *(str(counts[s]) for s in ("passed", "failed", "declined")))
        console.print(table)


if __name__ == "__main__":
    sys.exit(main())
