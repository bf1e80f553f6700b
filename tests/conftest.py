"""Fixtures: the device of this process, and golden files."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files from what the compiler emits now")


def pytest_configure(config: pytest.Config) -> None:
    """PoCL builds each kernel once more to give its binary, and has a cache of its own."""
    from planish.runtime import DeviceError
    from planish.runtime.devices import find

    with suppress(DeviceError):
        if "portable" in find().platform.name.lower():
            os.environ.setdefault("PLANISH_CACHE", "off")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Rewriting golden files takes the tests that have some, and no others."""
    if config.getoption("--update-golden"):
        items[:] = [item for item in items if "golden" in getattr(item, "fixturenames", ())]


@pytest.fixture(scope="session")
def device() -> object:
    """The device that kernels run on: PLANISH_DEVICE, or the best; one driver a process."""
    from planish.runtime.devices import find

    return find()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """golden(name, text): holds a text against tests/golden/<name>, or writes it with --update-golden."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"no golden file {name}; make golden writes it"
        expected = path.read_text(encoding="utf-8")
        difference = "".join(difflib.unified_diff(expected.splitlines(True), text.splitlines(True), "golden", "now"))
        assert text == expected, f"{name} differs; make golden rewrites it if that is meant:\n{difference}"

    return check
