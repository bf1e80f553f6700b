"""Memory in large pages."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from planish.runtime import pages


@pytest.mark.parametrize("nbytes", [0, 1, 4097, pages.LARGE - 1, pages.LARGE, 3 * pages.LARGE + 5])
def test_zeros_that_are_aligned_and_writeable(nbytes: int) -> None:
    array = pages.allocate(nbytes)
    gc.collect()
    assert (array.dtype, array.size) == (np.uint8, max(nbytes, 1))
    assert array.ctypes.data % (pages.LARGE if nbytes >= pages.LARGE else 4096) == 0
    assert not array.any()
    array[:] = 7
    assert array.min() == 7


def test_more_than_there_is() -> None:
    with pytest.raises(MemoryError, match="MB: "):
        pages.allocate(1 << 60)
