"""Changes to the files of a folder that take effect together or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from pathlib import Path
from types import TracebackType
from typing import Self


class Swap:
    """New files are written beside the old ones; ``commit`` puts them in their places.

    What fails before leaves the folder as it was, and so does a ``commit`` that fails
    half-way: the old files are kept until all is done. Every file is replaced by a new one,
    never written in place: it may be a hard link to something that is not ours.
    """

    def __init__(self) -> None:
        self._new_files: dict[Path, Path | None] = {}
        """The new file for each place; None: nothing is to be there."""
        self._backups: list[tuple[Path, Path | None]] = []
        """Places that were changed, in order, with the old file; None: there was none."""
        self._folders: list[Path] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo()

    def new(self, place: Path) -> Path:
        """Where to write the new file for a place; its folder is made."""
        scratch = _beside(place, "tmp")
        with self._lock:
            missing = [folder for folder in place.parents if not folder.exists()]
            for folder in reversed(missing):
                folder.mkdir()
                self._folders.append(folder)
            self._new_files[place] = scratch
        return scratch

    def remove(self, place: Path) -> None:
        """Remove a file, link or whole folder."""
        with self._lock:
            self._new_files.setdefault(place, None)

    def commit(self) -> None:
        """Put every new file in its place.

        Raises:
            OSError: it cannot be done; everything is as it was.
        """
        for place, scratch in self._new_files.items():
            self._backups.append((place, _keep(place)))
            if scratch is not None:
                scratch.replace(place)
            elif os.path.lexists(place):
                place.unlink()
        backups = [old for _, old in self._backups if old is not None]
        self._new_files, self._backups, self._folders = {}, [], []
        for old in backups:
            _discard(old)

    def _undo(self) -> None:
        for place, old in reversed(self._backups):
            if old is None or old.is_dir():
                place.unlink(missing_ok=True)
            if old is not None:
                old.replace(place)
                old.unlink(missing_ok=True)  # rename(2) leaves both where they are one file
        for scratch in self._new_files.values():
            if scratch is not None:
                scratch.unlink(missing_ok=True)
        for folder in reversed(self._folders):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _keep(place: Path) -> Path | None:
    """The old file under another name: still in its place too, where it can be in two."""
    if not os.path.lexists(place):
        return None
    backup = _beside(place, "old")
    if not place.is_dir() or place.is_symlink():
        with contextlib.suppress(OSError):
            os.link(place, backup, follow_symlinks=False)
            return backup
    place.rename(backup)
    return backup


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _beside(place: Path, word: str) -> Path:
    return place.with_name(f".{place.name}.{os.getpid()}.{word}")
