"""How long a kernel should take: the model that ranks candidates where nothing was measured."""

from __future__ import annotations

from math import ceil

from .targets import Target


def tile_cost(target: Target, tile: tuple[int, int], *, items: int, work: float, nbytes: int, weights: int = 0,
              columns: int = 0) -> float:
    """Microseconds of a product in tiles: arithmetic or traffic, whichever takes longer, and a part of the other.

    A GPU with fewer work-items than hide what they wait for is idle for the rest.

    Args:
        tile: single numbers of one operand, and vectors of the other, that a work-item multiplies with each other.
        items: work-items; work: arithmetic operations, what is computed beyond the edges included; nbytes: traffic.
        weights: bytes of constants among it, which come from afar and are waited for: on a CPU those of the first tile of channels that a
            unit computes, for the others are fetched ahead; columns: tiles of channels, 0 if that is not so.
    """
    idle = ceil(items / target.units) * target.units / items if target.kind == "cpu" else max(target.units * target.items / items, 1)
    waited = min(0.6 + 2 * target.units / columns, 1.5) if columns and target.kind == "cpu" else 1
    arithmetic, traffic = work * idle / (target.gflops * tile_share(tile)), (nbytes - weights) / target.bandwidth
    return target.launch + (max(arithmetic, traffic) + 0.3 * min(arithmetic, traffic) + waited * weights / target.bandwidth) / 1e3


def tile_share(tile: tuple[int, int]) -> float:
    """The share of the arithmetic limit that a product in tiles reaches.

    Along the sum, a tile of a numbers and b vectors reads a + b operands for a * b multiplications and additions of vectors, and
    fewer than 8 independent sums cannot hide how long one takes. The constants fit measurements of every tile of MobileNet v2
    on a CPU with vectors of 16.
    """
    numbers, vectors = tile
    return min(numbers * vectors / 8, 1) / (1 + 0.6 / numbers + 0.85 / vectors)
