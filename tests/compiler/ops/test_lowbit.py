"""Numbers of few bits: on the device against ml_dtypes, casts against the standard's cases and its reference."""

from __future__ import annotations

import numpy as np
import pytest

from planish.compiler.errors import GraphError
from planish.compiler.ir import TensorType
from planish.compiler.ops.lowbit import E8M0, FORMATS, Decode, Encode, EncodeOnHost, stored_as
from tests.harness import CPU, GPU, Case, check

FLOATS = (*FORMATS, E8M0)


def every(element: str) -> np.ndarray:
    """All numbers of a type, as bits."""
    return np.arange(1 << (FORMATS[element].bits if element in FORMATS else 8), dtype=stored_as(element))


def edges(element: str) -> np.ndarray:
    """Each number of a type, the middle to the next, and the floats beside both; infinities and NaN."""
    (grid,) = Decode(element).reference(every(element))
    grid = np.unique(grid[np.isfinite(grid)])
    if grid.size > 1 << 12:
        grid = np.concatenate([grid[:40], grid[:: grid.size >> 8], grid[-40:]])
    ends = np.array([0, 1e-30, 3e38, np.inf], np.float32)
    middle = grid[1:] / 2 + grid[:-1] / 2
    with np.errstate(over="ignore"):
        points = np.concatenate([grid, middle, ends, grid[-1:] * np.float32([1.01, 1.06, 1.13, 1.25, 1.26, 1.9])])
        near = np.concatenate([points, np.nextafter(points, np.float32(np.inf)), np.nextafter(points, -np.float32(np.inf))])
    return np.concatenate([near[near >= 0] if element == E8M0 else np.concatenate([near, -near]), np.float32([np.nan])])


@pytest.mark.device
@pytest.mark.parametrize("element", FLOATS)
def test_decode(element: str) -> None:
    assert check(Case(Decode(element), [every(element)], framed=False), targets=[CPU, GPU]) == 2


@pytest.mark.device
@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize("element", FLOATS)
def test_encode(element: str, saturate: bool) -> None:
    """To the last bit, blocked and strided alike; denormal floats are left out, for a device may take them for zero."""
    x = edges(element)
    x = x[(x == 0) | ~(np.abs(x) < np.finfo(np.float32).tiny)]
    modes = ("up", "down", "nearest") if element == E8M0 else ("up",)
    for mode in modes:
        assert check(Case(Encode(element, saturate, mode), [x], framed=False), targets=[CPU, GPU]) == 2  # type: ignore[arg-type]


def test_bfloat16_on_the_host() -> None:
    """As on the device, denormal floats and NaN of both signs included."""
    x = np.concatenate([edges("bfloat16"), np.float32([-np.nan, 1e-45, -1e-40])])
    np.testing.assert_array_equal(EncodeOnHost().reference(x)[0], Encode("bfloat16").reference(x)[0])
    assert EncodeOnHost().infer(TensorType((3,), np.dtype(np.float32), (0,))) == (TensorType((3,), np.dtype(np.uint16), (0,)),)
    with pytest.raises(GraphError, match="bfloat16 from float64"):
        EncodeOnHost().infer(TensorType((3,), np.dtype(np.float64), (0,)))


def test_what_cannot_be_converted() -> None:
    x = TensorType((3,), np.dtype(np.float64))
    with pytest.raises(GraphError, match="the bits of bfloat16 are uint16, not float64"):
        Decode("bfloat16").infer(x)
    with pytest.raises(GraphError, match="float4_e2m1fn from float64; float32 would be accepted"):
        Encode("float4_e2m1fn").infer(x)
