"""Layouts: where elements lie, and the buffers that hold them."""

from __future__ import annotations

import numpy as np
import pytest

from planish.compiler.layout import Layout

NHWC = (2, 3, 4, 17)
LAYOUTS = [
    (NHWC, Layout.linear(NHWC)),
    (NHWC, Layout.linear(NHWC).shifted(5)),
    (NHWC, Layout.blocked(NHWC, 4)),
    (NHWC, Layout.blocked(NHWC, 16).shifted(32)),
    (NHWC, Layout((204, 4, 1, 12))),  # NHWC, as NCHW has it
    ((2, 3, 4, 16), Layout((768, 256, 64, 16), 16, 3, 16)),  # part of a larger image
    ((3, 5, 16), Layout.blocked((3, 5, 16), 8)),
    ((5,), Layout.blocked((5,), 4)),
    ((7, 1, 9), Layout((18, 0, 2))),
    ((), Layout.linear(())),
    ((2, 0, 3, 4), Layout.blocked((2, 0, 3, 4), 4)),
]


@pytest.mark.parametrize(("shape", "layout"), LAYOUTS, ids=str)
def test_packing(shape: tuple[int, ...], layout: Layout) -> None:
    """Every element lies where its index says, zeros lie elsewhere, and the array comes back."""
    array = np.random.default_rng(0).random(shape).astype(np.float32)
    expected = np.zeros(layout.span(shape), np.float32)
    expected[layout.indices(shape)] = array
    buffer = layout.pack(array)
    np.testing.assert_array_equal(buffer, expected)
    back = layout.unpack(buffer, shape)
    np.testing.assert_array_equal(back, array)
    assert not np.shares_memory(back, buffer)


def test_indices() -> None:
    assert Layout.blocked((1, 2, 2, 3), 2).indices((1, 2, 2, 3)).tolist() == [[[[0, 1, 8], [2, 3, 10]], [[4, 5, 12], [6, 7, 14]]]]
    assert Layout((6, 1, 3), 4).indices((1, 2, 2)).tolist() == [[[4, 7], [5, 8]]]
