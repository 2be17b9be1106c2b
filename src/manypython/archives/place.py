"""Putting files, folders and links below one folder that nobody else writes to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from manypython.archives.gate import Entry
from manypython.model.errors import ROOM, OutputError, reason

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Destination:
    """The folder; names below it have passed the gate. Modes do not depend on the umask."""

    def __init__(self, scratch: Path, shown: Path) -> None:
        """Write into `scratch`; errors name `shown`, which is what it becomes."""
        self._path = str(scratch)
        self._shown = shown
        self._made = {""}

    def folder(self, name: str) -> None:
        """Make a folder and those above it, unless they were made before.

        Raises:
            OutputError: it cannot be written.
        """
        if name in self._made:
            return
        self.folder(name.rpartition("/")[0])
        path = f"{self._path}/{name}"
        with self._naming(name):
            os.mkdir(path)  # noqa: PTH102  (plain strings: see the gate)
            os.chmod(path, 0o755)  # noqa: PTH101, S103
        self._made.add(name)

    def file(self, entry: Entry, chunks: Iterable[bytes]) -> None:
        """Write a file; its chunks raise no OSError of their own.

        Raises:
            OutputError: it cannot be written, or the disk is full.
        """
        self.folder(entry.name.rpartition("/")[0])
        with self._naming(entry.name):
            number = os.open(f"{self._path}/{entry.name}", _NEW, entry.mode)
            try:
                os.fchmod(number, entry.mode)
                for chunk in chunks:
                    count = os.write(number, chunk)
                    while count < len(chunk):  # write(2): a nearly full disk takes less than all
                        count += os.write(number, memoryview(chunk)[count:])
            finally:
                os.close(number)

    def link(self, entry: Entry) -> None:
        """Make a symbolic link.

        Raises:
            OutputError: it cannot be written.
        """
        self.folder(entry.name.rpartition("/")[0])
        with self._naming(entry.name):
            os.symlink(entry.link, f"{self._path}/{entry.name}")  # noqa: PTH211

    @contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"{self._shown}: cannot be written: {name}: {reason(error)}",
                remedy=ROOM,
            ) from None
