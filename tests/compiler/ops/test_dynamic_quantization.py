"""Quantisation at run time: the functions of ranges on the device, with the numbers where they turn."""

from __future__ import annotations

import numpy as np
import pytest

from planish.compiler.ops.dynamic_quantization import TABLE, RunTimeGrid
from tests.harness import CPU, GPU, Case, check

RANGES = np.array([[-1, 2], [0, 0], [-3, 0], [0, 5], [0.5, 2], [-2, -0.25], [-1, 1], [-1e-5, 3e4], [-7, 1e-6]], np.float32)


@pytest.mark.device
@pytest.mark.parametrize("fn", TABLE)
@pytest.mark.parametrize("framed", [True, False])
def test_functions_of_ranges(fn: str, framed: bool) -> None:
    low, high = (RANGES[:, k].reshape(-1, 1, 1) for k in range(2))
    rng = np.random.default_rng(0)
    x = (low + (high - low) * rng.random((len(RANGES), 5, 19))).astype(np.float32)
    x[:, 0, :2] = RANGES
    scale = [rng.uniform(0.001, 0.1, 19).astype(np.float32)] if TABLE[fn].arity == 4 else []
    operands = [np.round(x * 1000) if scale else x, *scale, low, high]
    constants = frozenset([1] if scale else [])
    assert check(Case(RunTimeGrid(fn), operands, constants, framed=framed), targets=[CPU, GPU]) >= 2
