"""Folders that are replaced: whole, or not at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from planish.runtime import folders
from planish.runtime.folders import replacing


@pytest.fixture(params=["exchange", "rename"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder to replace, on systems that can exchange two folders in one step and on those that cannot."""
    if request.param == "rename":
        monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    return tmp_path / "target"


def fill(target: Path, text: str, error: type[BaseException] | None = None) -> None:
    with replacing(target) as fresh:
        (fresh / "sub").mkdir()
        (fresh / "sub" / "file").write_text(text)
        if error:
            raise error


def left(parent: Path) -> list[str]:
    return sorted(p.name for p in parent.iterdir())


def test_nothing_a_folder_and_a_file_are_replaced(target: Path) -> None:
    for text in ("new", "newer"):
        fill(target, text)
        assert (target / "sub" / "file").read_text() == text
        (target / "more").write_text("goes too")
    fill(target, "newest")
    assert left(target) == ["sub"]
    file = target.with_name("file")
    file.write_text("old")
    fill(file, "new")
    assert (file / "sub" / "file").read_text() == "new"
    assert left(target.parent) == ["file", "target"]


def test_parents_are_made(target: Path) -> None:
    fill(target / "deep" / "er", "new")
    assert (target / "deep" / "er" / "sub" / "file").read_text() == "new"


def test_a_link_stays_and_what_it_leads_to_is_replaced(target: Path) -> None:
    link = target.with_name("link")
    link.symlink_to(target)
    fill(target, "old")
    fill(link, "new")
    assert link.is_symlink()
    assert (target / "sub" / "file").read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there(target: Path, error: type[BaseException]) -> None:
    fill(target, "old")
    with pytest.raises(error):
        fill(target, "new", error)
    assert (target / "sub" / "file").read_text() == "old"
    assert left(target.parent) == ["target"]


def test_a_swap_that_fails_puts_the_old_folder_back(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(target, "old")
    rename = Path.rename

    def failing(self: Path, to: Path) -> Path:
        if self.name == "new":
            raise OSError(5, "Input/output error")
        return rename(self, to)

    monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="Input/output error"):
        fill(target, "new")
    assert (target / "sub" / "file").read_text() == "old"
    assert left(target.parent) == ["target"]


def test_many_may_write_at_once(target: Path) -> None:
    failed: list[BaseException] = []

    def write(k: int) -> None:
        try:
            for _ in range(20):
                fill(target, str(k))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (target / "sub" / "file").read_text() in "0123"
    assert left(target.parent) == ["target"]


def scratch_of_two(target: Path) -> tuple[Path, Path]:
    """A scratch folder that was made long ago, and one that was made now."""
    stale, fresh = (target.with_name(f"{folders.PREFIX}{name}") for name in ("stale", "fresh"))
    for scratch in (stale, fresh):
        (scratch / "new").mkdir(parents=True)
    os.utime(stale, (0, 0))
    return stale, fresh


@pytest.mark.skipif(folders.fcntl is None, reason="needs locks")
def test_scratch_of_killed_writers_is_removed(target: Path) -> None:
    scratch_of_two(target)
    with replacing(target.with_name("another")) as fresh:
        fill(target, "new")
        assert left(target.parent) == [fresh.parent.name, "target"]
    assert left(target.parent) == ["another", "target"]


def test_without_locks_scratch_is_removed_in_time(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "fcntl", None)
    _, fresh = scratch_of_two(target)
    fill(target, "new")
    assert left(target.parent) == [fresh.name, "target"]
