"""Compiles and reads files that were valid before they were mutated, and shows what that ends in: plans and errors, or faults.

    python -m tests.fuzz [--cases 20000] [--seed 0] [--jobs 2] [--first 0] [--only PATTERN] [--show CASE]
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a case is one thread, whose time is bounded

from tests.fuzz.case import FAULTS, Outcome, draw, mutated
from tests.fuzz.seeds import Seed, seeds
from tests.fuzz.workers import outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=20_000, metavar="N", help="how many (20000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="what the cases are drawn from (0)")
    parser.add_argument("--jobs", type=int, default=2, metavar="J", help="processes (2)")
    parser.add_argument("--first", type=int, default=0, metavar="K", help="the number of the first case (0)")
    parser.add_argument("--only", type=re.compile, default="", metavar="PATTERN", help="files whose names hold the pattern")
    parser.add_argument("--show", type=Path, metavar="DIR", help="run no case, and write the files of the first one there")
    options = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    valid = [seed for seed in seeds() if re.search(options.only, seed.name)]
    if options.show:
        show(valid, options.seed, options.first, options.show)
        return 0
    numbers = range(options.first, options.first + options.cases)
    ended: list[Outcome] = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        runs = outcomes(valid, options.seed, numbers, options.jobs)
        try:
            for outcome in progress.track(runs, total=options.cases, description="fuzz"):
                ended.append(outcome)
                if outcome.fault:
                    progress.console.print(f"[red]case {outcome.number}[/] of {outcome.name}: {outcome.status}: {escape(outcome.text)}")
        except KeyboardInterrupt:
            console.print("interrupted")
    console.print(table(ended))
    return 1 if len(ended) < options.cases or any(outcome.fault for outcome in ended) else 0


def show(valid: Sequence[Seed], base: int, number: int, folder: Path) -> None:
    """Writes the files of a case."""
    seed, r = draw(valid, base, number)
    for name, data in mutated(seed, r)[0].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def table(ended: Sequence[Outcome]) -> Table:
    """What cases ended in, by the kind of their files."""
    shown = Table("ended in", *(kinds := ("tflite", "onnx", "plan")), "all", box=None, header_style="bold")
    counts = Counter((o.status, o.kind) for o in ended)
    statuses = Counter(o.status for o in ended)
    for status in (*(s for s, _ in statuses.most_common() if s not in FAULTS), *FAULTS):
        cells = [str(counts[status, kind]) for kind in kinds]
        shown.add_row(status, *cells, str(statuses[status]), style="red" if status in FAULTS and statuses[status] else "")
    shown.add_row("all", *(str(sum(o.kind == kind for o in ended)) for kind in kinds), str(len(ended)))
    return shown


if __name__ == "__main__":
    sys.exit(main())
