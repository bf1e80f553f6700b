"""How far long work is, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from planish.runtime.errors import one_line

ERRORS = Console(stderr=True, highlight=False, soft_wrap=True)


class Shown(Protocol):
    """Shows how far the work is."""

    def __call__(self, stage: str, done: float | None = None, what: str = "") -> None:
        """Args:
        done: share of the stage's work; what: goes on in it.
        """


@contextmanager
def progress(name: str) -> Iterator[Shown]:
    """A spinner with the stage at hand, and a bar where its share is known, on a terminal; nothing elsewhere."""
    if not ERRORS.is_terminal:
        yield lambda stage, done=None, what="": None
        return
    shown = one_line(name)
    with ERRORS.status(Text(shown)) as status:

        def show(stage: str, done: float | None = None, what: str = "") -> None:
            line = Text(f"{shown}: {stage}")
            if done is None:
                status.update(line)
                return
            grid = Table.grid(padding=(0, 1))
            grid.add_row(line, ProgressBar(completed=100 * done, width=30), Text(what))
            status.update(grid)

        yield show
