"""How cost grows with the batch and with the size of the input, beside what the arithmetic says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from benchmarks.comparison import Record
from benchmarks.layers import Network
from benchmarks.networks import NETWORKS
from benchmarks.rounds import Measured

BATCHES = (1, 2, 4, 8)
SIZES = (128, 192, 256, 320, 384, 448, 512)


def points(network: str) -> list[Network]:
    """The network as it is known, the base; then in batches, then with other inputs."""
    base = NETWORKS[network]()
    known = base.input_shape[1]
    batches = [NETWORKS[network](batch=batch) for batch in BATCHES if batch != 1]
    return [base, *batches, *(NETWORKS[network](size=size) for size in SIZES if size != known)]


def label(engine: str, net: Network) -> str:
    """Of one engine on one point."""
    return f"{engine} {describe(net)}"


def describe(net: Network) -> str:
    """As in 2 x 224."""
    return f"{net.input_shape[0]} x {net.input_shape[1]}"


def record(
    network: str, nets: Sequence[Network], engines: Sequence[str], measured: Mapping[str, Measured], failures: Mapping[str, str]
) -> Record:
    """`of_proportional` is the time per GFLOP over that of the base, by the medians of each round."""
    found: Record = {"network": network, "points": []}
    base = nets[0]
    for net in nets:
        gflop = net.flops / 1e9
        point: Record = {"batch": net.input_shape[0], "size": net.input_shape[1], "gflop": gflop, "engines": {}}
        for engine in engines:
            here, start = measured.get(label(engine, net)), measured.get(label(engine, base))
            if here is None:
                point["engines"][engine] = {"failed": failures[label(engine, net)]}
                continue
            row = point["engines"][engine] = {"ms_per_image": here.median_ms / net.input_shape[0], **here.record()}
            if start is not None:
                rounds = sorted(a / b for a, b in zip(here.rounds, start.rounds, strict=True))
                row["of_proportional"] = rounds[len(rounds) // 2] * base.flops / net.flops
        found["points"].append(point)
    return found


def table(found: Record, engines: Sequence[str]) -> Table:
    """A row for each point."""
    result = Table(title=f"{found['network']}: ms per image, and the time over what the arithmetic says", title_justify="left")
    for column in ("batch", "size", "GFLOP per image", *engines):
        result.add_column(column, justify="right")
    for point in found["points"]:
        cells = [_cell(point["engines"][engine]) for engine in engines]
        result.add_row(str(point["batch"]), str(point["size"]), f"{point['gflop'] / point['batch']:.3f}", *cells)
    reasons = {f"{engine} did not run: {e['failed']}" for p in found["points"] for engine, e in p["engines"].items() if "failed" in e}
    result.caption = "\n".join(sorted(reasons))
    return result


def _cell(e: Record) -> str:
    if "failed" in e:
        return "–"
    return f"{e['ms_per_image']:.2f}" + (f"  {e['of_proportional']:.2f}" if "of_proportional" in e else "")
