"""Fixed-point functions against the real ones, on every number of 16 bits."""

from __future__ import annotations

import numpy as np
import pytest

from planish.compiler.ops import q15

EVERY = np.arange(-(1 << 15), 1 << 15)
UNIT = 2.0**-15


def test_sigmoid() -> None:
    y = q15.sigmoid(EVERY)
    np.testing.assert_allclose(y * UNIT, 1 / (1 + np.exp(-EVERY * 2.0**-12)), rtol=0, atol=2.1e-4)
    np.testing.assert_array_equal((y[1:] + y[:0:-1])[EVERY[1:] != 0], 32767)


@pytest.mark.parametrize("bits", range(q15.WIDEST + 1))
def test_tanh(bits: int) -> None:
    y = q15.tanh(EVERY, bits)
    np.testing.assert_allclose(y * UNIT, np.tanh(EVERY * 2.0 ** (bits - 15)), rtol=0, atol=4e-4)
    np.testing.assert_array_equal(y[1:], -y[:0:-1])


def test_inverse_root() -> None:
    x = np.unique(np.r_[1, np.geomspace(2, (1 << 31) - 1, 999).astype(np.int64)])
    multiplier, exponent = q15.inverse_root(x)
    assert np.all((multiplier > 0) & (multiplier < 1 << 31))
    np.testing.assert_allclose(multiplier * 2.0 ** (exponent - 31.0) * np.sqrt(x), 1, rtol=2e-6)


@pytest.mark.parametrize(("x", "shift", "expected"), [(5, 1, 3), (-5, 1, -3), (6, 2, 2), (-6, 2, -2), (-5, 2, -1), (7, 0, 7), (-7, 0, -7)])
def test_halves_go_away_from_zero(x: int, shift: int, expected: int) -> None:
    assert q15.halved(np.array(x), shift) == expected


@pytest.mark.parametrize(("x", "factor", "expected"), [
    (3, (1 << 30, 0), 2), (-3, (1 << 30, 0), -1), (100, (1 << 30, 3), 400), (1000, (1 << 30, -4), 31), (-40, (1 << 30, -3), -3),
])  # fmt: skip
def test_scaled(x: int, factor: tuple[int, int], expected: int) -> None:
    assert q15.scaled(np.array(x), *factor) == expected
