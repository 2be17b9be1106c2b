"""The one place that writes to a site: each file whole or not at all, and only where its bytes differ."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import filelock

from manypython.archives.members import sha256
from manypython.files import whole, write_bytes
from manypython.index.model import File
from manypython.model.errors import OutputError, UsageError, reason
from manypython.progress import Reporter
from manypython.site.intake import refuse_change

LOCK = ".publish.lock"
_SCRATCH = re.compile(r"\..+\.[a-z0-9_]{8}")
"""What The name that ``files.whole`` gives a file that is not whole yet."""
_PIECE = 1 << 20


class Site:
    """A folder of static files; remembers what it wrote and what was there already."""

    def __init__(self, root: Path, *, dry_run: bool) -> None:
        """Open a site, which need not exist yet.

        Args:
            root: its folder.
            dry_run: note what would be written and write nothing.
        """
        self.root = root
        self.dry_run = dry_run
        self.written: list[str] = []
        self.unchanged: list[str] = []

    def put(self, path: str, content: bytes) -> None:
        """Write a small file.

        Raises:
            OutputError: the site cannot be written.
        """
        place = self.root / path
        same = place.is_file() and place.stat().st_size == len(content) and place.read_bytes() == content
        if self._note(path, same=same):
            write_bytes(place, content)

    def copy(self, source: Path, file: File) -> None:
        """Copy an archive into the pool.

        Raises:
            OutputError: the pool has other bytes by this name, or the archive changed in the meantime.
        """
        place = self.root / file.path
        if place.exists():
            refuse_change(file.path, sha256(place), file.sha256)
        if self._note(file.path, same=place.exists()):
            with source.open("rb") as stream, whole(place) as sink:
                digest = hashlib.sha256()
                while piece := stream.read(_PIECE):
                    digest.update(piece)
                    sink.write(piece)
                if digest.hexdigest() != file.sha256:
                    raise OutputError(f"{source}: changed while it was copied", remedy="publish it again")

    def link(self, path: str, goal: str, *, fixed: bool) -> None:
        """Give a file of the site a second name: a hard link, or a copy where there are none.

        Args:
            path: the second name.
            goal: the file.
            fixed: the name belongs to these bytes for ever.

        Raises:
            OutputError: it is fixed, and has other bytes; or the site cannot be written.
        """
        place, source = self.root / path, self.root / goal
        same = False
        if place.exists():
            same = source.exists() and (place.samefile(source) or sha256(place) == sha256(source))
            if fixed and not same and source.exists():
                refuse_change(path, sha256(place), sha256(source))
        if self._note(path, same=same):
            try:
                _hard_link(source, place)
            except OSError:
                with whole(place) as sink, source.open("rb") as stream:
                    while piece := stream.read(_PIECE):
                        sink.write(piece)

    def note_written(self, path: str) -> None:
        """Note a file that somebody else writes."""
        self.written.append(path)

    def clear(self) -> None:
        """Remove what a killed run left half written; only under the lock."""
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                if _SCRATCH.fullmatch(name):
                    Path(folder, name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self, reporter: Reporter) -> Iterator[None]:
        """Keep every other ``publish`` out while the block runs; a dry run keeps nobody out.

        Raises:
            OutputError: the site cannot be written.
        """
        if self.dry_run:
            yield
            return
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.root / LOCK)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                reporter.note(f"{self.root}: another publish is at work, waiting for it")
                lock.acquire()
        except OSError as error:
            raise OutputError(
                f"{self.root}: cannot be written: {reason(error)}",
                remedy="name another folder with --to",
            ) from None
        try:
            self.clear()
            yield
        finally:
            lock.release()

    def _note(self, path: str, *, same: bool) -> bool:
        """Remember a file; returns whether it is to be written."""
        if (self.root / path).is_dir():
            raise UsageError(
                f"{self.root / path}: is a folder", remedy="name a folder of its own for the site"
            )
        (self.unchanged if same else self.written).append(path)
        return not same and not self.dry_run


def _hard_link(source: Path, place: Path) -> None:
    """Make a hard link that replaces what has its name, in one step."""
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        os.link(source, scratch)
        scratch.replace(place)
    finally:
        scratch.unlink(missing_ok=True)
