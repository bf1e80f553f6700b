"""A picture of the ratios."""

from __future__ import annotations

from pathlib import Path

from benchmarks.comparison import Record


def ratios(results: Record, file: Path) -> None:
    """Writes what `file` ends in: a row for each network, a dot for each engine with the range of 80 % of the rounds.

    Left of 1 the subject is the faster one. Nothing is written where there are no ratios. Raises ModuleNotFoundError without matplotlib.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    networks = {name: found for name, found in results["networks"].items() if found.get("ratios")}
    engines = [engine for engine in results["settings"]["engines"] if any(engine in n["ratios"] for n in networks.values())]
    if not engines:
        return
    figure = Figure(figsize=(9, 1.5 + 0.5 * len(networks)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, engine in enumerate(engines):
        shift = (place + 0.5) / len(engines) - 0.5
        points = [(row + 0.7 * shift, n["ratios"][engine]) for row, n in enumerate(networks.values()) if engine in n["ratios"]]
        ys, found = zip(*points)
        middles = [r["median"] for r in found]
        spread = [[r["median"] - r["p10"] for r in found], [r["p90"] - r["median"] for r in found]]
        axes.errorbar(middles, ys, xerr=spread, fmt="o", markersize=4, linewidth=1, label=engine)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    ticks = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_yticks(range(len(networks)), list(networks))
    axes.set_ylim(len(networks) - 0.5, -0.5)
    axes.grid(axis="x", linewidth=0.3)
    subject = next((n["subject"] for n in networks.values()), "")
    axes.set_xlabel(f"time of {subject} / time of the engine (below 1: {subject} is faster)")
    figure.legend(loc="outside right upper")
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "planish"}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
