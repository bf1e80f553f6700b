"""Tables of results: one of a network for the terminal, one of all for a Markdown file."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from benchmarks.comparison import WRONG, Record, geometric_mean, remarks


def of_network(network: str, found: Record) -> Table:
    """An engine a row; one that could not run says why."""
    table = Table(title=f"{network}  ({found['gflop']:.2f} GFLOP)", title_justify="left", caption_justify="left")
    columns = ("engine", "median ms", "min ms", "GFLOP/s", "ratio", "difference", "first start s", "start s", "peak MB")
    for column in columns:
        table.add_column(column, justify="left" if column == "engine" else "right")
    for label, e in found["engines"].items():
        if "failed" not in e:
            memory = f"{e['peak_mb']:.0f}" if "peak_mb" in e else ""
            difference = f"{e['difference']:.1e}" + (" !" if e["difference"] > WRONG else "")
            cells = [f"{e['median_ms']:.2f}", f"{e['min_ms']:.2f}", f"{found['gflop'] / e['median_ms'] * 1e3:.0f}"]
            cells += [f"{found['ratios'][label]['median']:.3f}" if label in found["ratios"] else "", difference]
            table.add_row(label, *cells, f"{e['first_start_s']:.2f}", f"{e['start_s']:.2f}", memory)
    lines = [_sentence(found, name) for name in (found.get("fastest"), found.get("fastest_opencl")) if name]
    lines += [f"{label} {said}" for label, said in remarks(found).items()]
    table.caption = "\n".join(lines)
    return table


def _sentence(found: Record, other: str) -> str:
    r = found["ratios"][other]
    text = f"{found['subject']} takes {r['median']:.3f} of the time of {other} (80 % of rounds: {r['p10']:.3f} to {r['p90']:.3f}; "
    return text + f"by the minima: {r['of_minima']:.3f})"


def markdown(results: Record) -> str:
    """Networks in rows, engines in columns: minimum and median, milliseconds; then starts and memory; then remarks."""
    networks, engines = results["networks"], results["settings"]["engines"]
    rows = []
    for network, found in networks.items():
        cells = [_times(found["engines"].get(engine, {})) for engine in engines]
        ratios = [_ratio(found, key) for key in ("fastest", "fastest_opencl")]
        rows.append([network, *cells, *ratios])
    means = [geometric_mean(results, key) for key in ("fastest", "fastest_opencl")]
    rows.append(["geometric mean", *[""] * len(engines), *("" if mean is None else f"{mean:.2f}" for mean in means)])
    head = ["network", *engines, "ratio to the fastest", "ratio to the fastest of OpenCL"]
    text = "Milliseconds, minimum / median.\n\n" + _markdown(head, rows)
    starts = [[n, *(_start(found["engines"].get(engine, {})) for engine in engines)] for n, found in networks.items()]
    text += "\nProcess start to first result, seconds: first (no kernels cached) / again; peak memory, MB.\n\n"
    text += _markdown(["network", *engines], starts)
    said = [f"- {network}: {label} {text}\n" for network, found in networks.items() for label, text in remarks(found).items()]
    return text + "\n" * bool(said) + "".join(said)


def _times(e: Record) -> str:
    return f"{e['min_ms']:.2f} / {e['median_ms']:.2f}" if "min_ms" in e else "–"


def _start(e: Record) -> str:
    memory = f"; {e['peak_mb']:.0f}" if "peak_mb" in e else ""
    return f"{e['first_start_s']:.2f} / {e['start_s']:.2f}{memory}" if "start_s" in e else "–"


def _ratio(found: Record, key: str) -> str:
    other = found.get(key)
    return f"{found['ratios'][other]['median']:.2f} ({other})" if other else "–"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
