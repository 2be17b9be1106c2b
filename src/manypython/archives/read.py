"""Careful reading: an archive is a stranger's, until it is unpacked whole below one folder."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePosixPath

from manypython.archives import untar, unzip
from manypython.archives.gate import LIMIT, Entry, Gate
from manypython.archives.members import Member
from manypython.archives.place import Root
from manypython.model.errors import ArchiveError, OutputError


def unpack(archive: Path, into: Path, *, limit: int = LIMIT, threads: int = 2) -> tuple[str, ...]:
    """Unpack an archive of ours into a new folder, all of it or nothing.

    Args:
        archive: its name says what it is: ``.zip``, ``.tar.zst``, else ``.tar.gz``.
        into: a folder that does not exist yet.
        limit: bytes it may unpack to.
        threads: how many unpack the files of a zip; a tar is one stream.

    Returns:
        The names of the files and links it made, sorted.

    Raises:
        ArchiveError: it is truncated, or has a member that must not be unpacked.
        OutputError: the folder exists already, or cannot be written.
    """
    with _scratch(into) as scratch, _reading(archive):
        root = Root(scratch, into)
        place = _place_zip if archive.name.endswith(".zip") else _place_tar
        return tuple(sorted(place(archive, root, Gate(archive, limit), threads)))


def members(archive: Path, *, limit: int = LIMIT) -> Iterator[Member]:
    """Every member of an archive of ours with its bytes, for those who read without unpacking.

    Some facts are known at the end only: what was read counts once the iterator is exhausted.

    Args:
        archive: its name says what it is: ``.zip``, ``.tar.zst``, else ``.tar.gz``.
        limit: bytes it may unpack to.

    Raises:
        ArchiveError: it is damaged, or has a member that must not be unpacked.
    """
    gate = Gate(archive, limit)
    entries = _zip_entries if archive.name.endswith(".zip") else untar.entries
    with _reading(archive), closing(entries(archive, gate)) as found:
        for entry, data in found:
            content = b"".join(data) if entry.kind == "file" else None
            yield Member(PurePosixPath(entry.name), content, entry.link, entry.executable)


@contextmanager
def _scratch(into: Path) -> Iterator[Path]:
    """A folder that gets its name when all that is done with it went well.

    Raises:
        OutputError: the name is taken, or the folder cannot be written.
    """
    if into.exists():
        raise OutputError(f"{into}: exists already", remedy="name a folder that does not exist yet")
    scratch = None
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{into.name}.", dir=into.parent))
        yield scratch
        scratch.chmod(0o755)
        scratch.rename(into)
    except OSError as error:
        raise OutputError(
            f"{into}: cannot be written: {error.strerror or error}",
            remedy="free some room or name another folder",
        ) from None
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """What goes wrong here, and is no error of ours yet, went wrong with the archive."""
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"{archive}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ArchiveError(f"{archive}: truncated or damaged: {error}") from None


def _place_tar(archive: Path, root: Root, gate: Gate, _: int) -> list[str]:
    names, links = [], []
    with closing(untar.entries(archive, gate)) as found:
        for entry, data in found:
            if entry.kind == "folder":
                root.folder(entry.name)
                continue
            names.append(entry.name)
            if entry.kind == "file":
                root.file(entry, data)
            else:
                links.append(entry)
    _place_links(root, links)
    return names


def _place_zip(archive: Path, root: Root, gate: Gate, threads: int) -> list[str]:
    with archive.open("rb") as file:
        found = unzip.listed(archive, file.fileno(), gate)
        for name, kind in gate.kinds.items():
            if kind == "folder":
                root.folder(name)
        files = [member for member in found if member.entry.kind == "file"]
        others: list[Future[None]] = []
        # the last is taken first; at the end, when not every thread has work, there are small ones only
        work = deque(sorted(files, key=lambda member: member.entry.size))

        def place() -> None:
            try:
                while True:
                    try:
                        member = work.pop()
                    except IndexError:
                        return
                    root.file(member.entry, unzip.content(archive, file.fileno(), member))
            except BaseException:
                work.clear()  # the others need not go on
                raise

        with ThreadPoolExecutor(max(1, threads - 1)) as pool:
            with suppress(RuntimeError):  # no thread to be had: this one does it all
                others.extend(pool.submit(place) for _ in range(threads - 1))
            place()
        for other in others:
            other.result()
    links = [member.entry for member in found if member.entry.kind == "link"]
    _place_links(root, links)
    return [entry.name for entry in links] + [member.entry.name for member in files]


def _place_links(root: Root, links: list[Entry]) -> None:
    """Last of all, so that nothing is ever written through one."""
    for entry in links:
        root.link(entry)


def _zip_entries(archive: Path, gate: Gate) -> Generator[tuple[Entry, Iterator[bytes]]]:
    with archive.open("rb") as file:
        for member in unzip.listed(archive, file.fileno(), gate):
            yield member.entry, unzip.content(archive, file.fileno(), member)
