"""How the tiles of a convolution are handed to the compute units of a CPU."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planish.compiler.ops.conv_kernels import WORK_ITEMS, consecutive

PROPERTY = settings(max_examples=300, deadline=None, derandomize=True, database=None)
EXTENTS = st.integers(1, 5000) | st.integers(1, 20)


@PROPERTY
@given(EXTENTS, st.integers(1, 80), st.integers(1, 9), st.integers(1, 64))
def test_units_have_enough_to_share(tiles: int, columns: int, images: int, units: int) -> None:
    run = consecutive((tiles, columns, images), units)
    items = ceil(tiles / run) * columns * images
    assert 1 <= run <= tiles
    assert items >= min(units * WORK_ITEMS, tiles * columns * images) / 2


@pytest.mark.parametrize(("grid", "run"), [((33, 9, 1), 17), ((14, 36, 1), 7), ((4, 2, 1), 1), ((1, 20, 1), 1), ((320, 1, 1), 20)])
def test_two_units_have_half_of_the_pixels_each(grid: tuple[int, int, int], run: int) -> None:
    assert consecutive(grid, 2) == run
