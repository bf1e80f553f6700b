"""Where the time of a plan's run goes, as a table, as JSON and as a trace: `planish profile`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import breakdown, limits
from .bench import some
from .cli import Reader, feeds, progress, read_array
from .devices import describe
from .errors import InputError, one_line
from .profile import Timing
from .session import load


def add_profile_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", type=Path, help="folder of the plan")
    parser.add_argument("--by", choices=breakdown.BY, default="launch",
                        help="what is told together: nothing; launches of the same layer, nodes of the model that run as one; or of the "
                        "same kernel template (default: launch)")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE",
                        help="an array (.npy), repeatable; an input that is not given gets seeded noise")
    parser.add_argument("--device", help="gpu, cpu, part of a name, or platform:device (default: the best)")
    parser.add_argument("--repeat", type=some, default=20, metavar="N", help="runs, of which each launch has its least time (default: 20)")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="write when each launch of a run began and ended, for Perfetto")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def profile_plan(options: argparse.Namespace, *, read: Reader = read_array) -> None:
    """Loads a plan, times its launches by the device's clock, and shows them; measures the device where its limits are not known yet."""
    with progress(f"loading {options.plan}"):
        session = load(options.plan, options.device)
    with session:
        inputs, _ = feeds(session, options.input, read)
        device = describe(session.device)
        with progress(f"measuring {device}"):
            most = limits.of(session.device)
        with progress(f"running {options.plan}"):
            timings = session.profile(inputs, options.repeat)
            if options.trace:
                _write(options.trace, trace(session.trace(inputs), device))
    found = breakdown.groups(timings, most, options.by)
    if options.json:
        print(json.dumps({"device": device, "by": options.by, "microseconds": sum(t.microseconds for t in timings), "limits": asdict(most),
                          "groups": [asdict(group) for group in found], "launches": [asdict(t) for t in timings]}))  # fmt: skip
        return
    print(device)
    print(one_line(f"traced in {options.trace}") + "\n" if options.trace else "", end="")
    print(breakdown.table(found, most, options.by))


def trace(spans: Sequence[tuple[float, Timing]], device: str) -> dict[str, Any]:
    """A run in the trace event format that chrome://tracing and Perfetto show: a complete event for each launch, in microseconds.

    Args:
        spans: as of `Session.trace`.
    """
    rows = {0: "device", 1: "host"}
    named = [{"name": "process_name", "ph": "M", "pid": 0, "args": {"name": device}},
             *({"name": "thread_name", "ph": "M", "pid": 0, "tid": row, "args": {"name": name}} for row, name in rows.items())]
    return {"displayTimeUnit": "ns", "traceEvents": [*named, *(_event(begin, timing) for begin, timing in spans)]}


def _event(begin: float, timing: Timing) -> dict[str, Any]:
    arguments = {"launch": timing.launch, "kernel": timing.kernel, "variant": timing.variant, "nodes": timing.nodes,
                 "flops": timing.flops, "nbytes": timing.nbytes}
    hosted = timing.variant in ("host", "loop", "branch")
    return {"name": ", ".join(timing.nodes) or timing.variant, "cat": "host" if hosted else "launch", "ph": "X", "pid": 0,
            "tid": int(hosted), "ts": round(begin, 3), "dur": round(timing.microseconds, 3), "args": arguments}


def _write(path: Path, document: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(document), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--trace {path}: {error.strerror or error}; a file that can be written would be accepted") from None
