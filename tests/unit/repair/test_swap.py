from __future__ import annotations

import os
from pathlib import Path

import pytest

from manypython.repair.swap import Swap


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("old")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/inner").write_text("inner")
    (tmp_path / "link").symlink_to("file")
    return tmp_path


def state(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): f"-> {path.readlink()}"
        if path.is_symlink()
        else path.read_text()
        if path.is_file()
        else "/"
        for path in sorted(folder.rglob("*"))
    }


def change(swap: Swap, folder: Path) -> None:
    swap.new(folder / "file").write_text("new")
    swap.new(folder / "deep/deeper/file").write_text("deep")
    swap.new(folder / "full").symlink_to("file")
    swap.remove(folder / "link")
    swap.remove(folder / "was never there")


def test_all_changes_come_into_force(folder: Path) -> None:
    with Swap() as swap:
        change(swap, folder)
        swap.commit()
    assert state(folder) == {
        "deep": "/", "deep/deeper": "/", "deep/deeper/file": "deep", "file": "new", "full": "-> file",
    }  # fmt: skip


def test_what_is_not_committed_never_was(folder: Path) -> None:
    before = state(folder)

    def interrupted() -> None:
        with Swap() as swap:
            change(swap, folder)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert state(folder) == before


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_commit_that_fails_half_way_takes_back_what_it_did(
    folder: Path, hard_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, inode = state(folder), (folder / "file").stat().st_ino
    if not hard_links:  # as on FAT

        def refuse(*args: object, **words: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)

    def failing() -> None:
        with Swap() as swap:
            change(swap, folder)
            swap.new(folder / "never written")
            swap.commit()

    with pytest.raises(FileNotFoundError):
        failing()
    assert state(folder) == before
    assert (folder / "file").stat().st_ino == inode


def test_an_old_file_is_in_its_place_until_the_new_one_is(folder: Path) -> None:
    (folder / "theirs").hardlink_to(folder / "file")
    with Swap() as swap:
        swap.new(folder / "file").write_text("new")
        assert (folder / "file").read_text() == "old"
        swap.commit()
    assert (folder / "theirs").read_text() == "old"
    assert (folder / "theirs").stat().st_nlink == 1, "nothing is left over"
