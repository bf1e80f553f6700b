"""Samples of the conformance suites; `make conformance` runs all of them."""

from __future__ import annotations

import pytest

from tests.conformance.__main__ import SUITES, listing

EVERY = 20


@pytest.mark.device
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suite", SUITES)
def test_a_sample(suite: str) -> None:
    """Every 20th case passes, or is listed; only so many, for each builds its kernels."""
    listed = listing(suite)
    names = [name for name in sorted(SUITES[suite].cases()) if name not in listed]
    outcomes = [SUITES[suite].run(name) for name in names[::EVERY]]
    assert len(names) > len(listed)
    assert not [o for o in outcomes if o.status != "passed"]
