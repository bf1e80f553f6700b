"""What the page draws, in pixels: the roofline, the map of the memory, the graphs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .graphs import Box, Picture

WIDTH = 1080.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 24.0, 16.0, 40.0


@dataclass(frozen=True)
class Scale:
    """From numbers to pixels."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (math.log10(v) for v in (self.low, self.high, value)) if self.logarithmic else (self.low, self.high, value)
        return self.start + (value - low) / ((high - low) or 1) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Powers of ten, and where there are few of them 2 and 5 times those; or some five round numbers."""
        if self.logarithmic:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1, 2, 5) if len(decades) < 4 else (1,)
            return [t for d in decades for s in steps if self.low <= (t := s * 10.0**d) <= self.high * 1.0001]
        span = (self.high - self.low) or 1
        unit = 10 ** math.floor(math.log10(span / 5))
        step = next(unit * s for s in (1, 2, 5, 10) if span / (unit * s) <= 6)
        return [step * k for k in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]


def roofline(found: Mapping[str, Any], height: float = 400) -> dict[str, Any]:
    """Performance against intensity, both logarithmic: the roofs, and a dot for each launch that computes something.

    A dot is where the launch was measured, or, where it was not, where the roof would let it be; its area is its share of the time.
    """
    limits = found["limits"]
    shown = [each for each in found["launches"] if each["flops"] and each["nbytes"]]
    peak, rates = limits["gflops"], limits["bandwidth"]
    spots = [(each["intensity"], each["flops"] / max(each["microseconds"] or each["least"], 1e-6) / 1e3) for each in shown]
    xs = [x for x, _ in spots] or [1.0]
    ridges = [peak / rate for _, rate in rates]
    x = Scale(min(*xs, min(ridges)) / 2, max(*xs, max(ridges)) * 4, LEFT, WIDTH - RIGHT, True)
    low = min([y for _, y in spots] + [peak / 10]) / 1.6
    y = Scale(low, max([y for _, y in spots] + [peak]) * 1.6, height - BOTTOM, TOP, True)
    roofs = []
    for nbytes, rate in rates:
        begin = max(x.low, low / rate)
        at = min(peak / rate, x.high)
        roofs.append({"x0": x(begin), "y0": y(begin * rate), "x1": x(at), "y1": y(at * rate), "rate": rate, "nbytes": nbytes,
                      "slope": math.degrees(math.atan2(y(at * rate) - y(begin * rate), x(at) - x(begin)))})
    most = max((each["microseconds"] or each["least"] for each in shown), default=1) or 1
    dots = [{"x": x(i), "y": y(p), "r": 4 + 12 * math.sqrt((each["microseconds"] or each["least"]) / most), "launch": each, "gflops": p}
            for each, (i, p) in sorted(zip(shown, spots), key=lambda both: -(both[0]["microseconds"] or both[0]["least"]))]
    return {"width": WIDTH, "height": height, "left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "bottom": height - BOTTOM,
            "xticks": [(t, x(t)) for t in x.ticks()], "yticks": [(t, y(t)) for t in y.ticks()], "peak": y(peak), "gflops": peak,
            "ridge": x(min(ridges)), "roofs": roofs, "dots": dots, "unshown": len(found["launches"]) - len(shown)}  # fmt: skip


def memory(found: Mapping[str, Any], height: float = 360) -> dict[str, Any]:
    """Offsets in the arena against steps: a rectangle for each block, and the outline of what is kept at a time."""
    memory = found["memory"]
    steps = max(len(memory["live"]), 1)
    x = Scale(0, steps, LEFT, WIDTH - RIGHT)
    y = Scale(0, max(memory["arena"], 1), height - BOTTOM, TOP)
    blocks = [{**b, "x": x(b["first"]), "y": y(b["offset"] + b["nbytes"]), "width": x(b["last"] + 1) - x(b["first"]),
               "height": y(b["offset"]) - y(b["offset"] + b["nbytes"]), "tone": k % 6} for k, b in enumerate(memory["blocks"])]
    live = " ".join(f"{x(k):.1f},{y(n):.1f} {x(k + 1):.1f},{y(n):.1f}" for k, n in enumerate(memory["live"]))
    ticks = [t for t in Scale(0, steps, 0, 1).ticks() if t == int(t) and t < steps]
    binary = Scale(0, memory["arena"] / 1e6, 0, 1)
    return {"width": WIDTH, "height": height, "left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "bottom": height - BOTTOM, "blocks": blocks,
            "live": live, "xticks": [(int(t), x(t + 0.5)) for t in ticks], "yticks": [(t, y(t * 1e6)) for t in binary.ticks()]}  # fmt: skip


def graph(found: Mapping[str, Any], launches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The boxes and edges of a graph of the document, where they are to be drawn."""
    boxes = [Box(n["kind"], n["op"], n["type"], n["name"], tuple(n["sources"]), n["steps"], n["detail"]) for n in found["nodes"]]
    edges = found["edges"]
    drawn = Picture(boxes, [(e["from"], e["to"], e["value"]) for e in edges]).drawing()
    known = {launch["number"]: launch for launch in launches}
    whole = sum(_weight(launch) for launch in launches) or 1
    nodes = []
    for node, box, (x, y) in zip(found["nodes"], boxes, drawn.places):
        width, height = box.size
        runs = [known[number] for number in node["launches"] if number in known]
        nodes.append({"x": x - width / 2, "y": y - height / 2, "width": width, "height": height, "lines": box.lines, "node": node,
                      "share": sum(map(_weight, runs)) / whole, "bound": _bound(runs)})
    paths = [(_curve(route), e["value"]) for route, e in zip(drawn.routes, edges)]
    return {"width": drawn.width + 40, "height": drawn.height + 40, "nodes": nodes, "paths": paths}


def _weight(launch: Mapping[str, Any]) -> float:
    return launch["microseconds"] or launch["least"] or 0


def _bound(runs: Sequence[Mapping[str, Any]]) -> str:
    """How a node is coloured: by what bounds its launch, by where it runs, or as one that needs none."""
    heaviest = max(runs, key=_weight, default=None)
    return "nowhere" if heaviest is None else heaviest["bound"] or heaviest["where"]


def _curve(points: Sequence[tuple[float, float]]) -> str:
    """A path that leaves and enters every point vertically."""
    return "".join(_pieces(points))


def _pieces(points: Sequence[tuple[float, float]]) -> Iterator[str]:
    yield f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        straight = abs(x0 - x1) < 0.05
        yield f"V{y1:.1f}" if straight else f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
