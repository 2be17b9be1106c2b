"""Careful reading: no archive is trusted until it is unpacked whole below one folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath

from manypython.archives import unzip
from manypython.archives.gate import LIMIT, Entry, Gate
from manypython.archives.members import Member
from manypython.archives.place import Destination
from manypython.archives.shared import in_two
from manypython.model.errors import ROOM, ArchiveError, OutputError, reason


def unpack(archive: Path, into: Path, *, limit: int = LIMIT, alone: bool = False) -> tuple[str, ...]:
    """Unpack an archive of ours into a new folder, all of it or nothing.

    Args:
        archive: its name says what it is: ``.zip``, ``.tar.zst``, else ``.tar.gz``.
        into: a folder that does not exist yet.
        limit: bytes it may unpack to.
        alone: start no second process for the files of a zip (a tar is one stream).

    Returns:
        The names of the files and links it made, sorted.

    Raises:
        ArchiveError: it is truncated, or has a member that must not be unpacked.
        OutputError: the folder exists already, or cannot be written.
    """
    with _scratch(into) as scratch, _reading(archive):
        destination = Destination(scratch, into)
        gate = Gate(archive, limit)
        if archive.name.endswith(".zip"):
            return tuple(sorted(_place_zip(archive, destination, gate, alone=alone)))
        return tuple(sorted(_place_tar(archive, destination, gate)))


def members(archive: Path, *, limit: int = LIMIT) -> Iterator[Member]:
    """Every member of an archive of ours with its bytes, for those who read without unpacking.

    Some checks come only at the end: what was read counts once the iterator is exhausted.

    Args:
        archive: its name says what it is: ``.zip``, ``.tar.zst``, else ``.tar.gz``.
        limit: bytes it may unpack to.

    Raises:
        ArchiveError: it is damaged, or has a member that must not be unpacked.
    """
    from manypython.archives import untar  # noqa: PLC0415

    gate = Gate(archive, limit)
    entries = _zip_entries if archive.name.endswith(".zip") else untar.entries
    with _reading(archive), closing(entries(archive, gate)) as pairs:
        for entry, data in pairs:
            content = b"".join(data) if entry.kind == "file" else None
            yield Member(PurePosixPath(entry.name), content, entry.link, entry.executable)


@contextmanager
def _scratch(into: Path) -> Iterator[Path]:
    """A folder that gets its name only when the block ends without an error.

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
            f"{into}: cannot be written: {reason(error)}",
            remedy=ROOM,
        ) from None
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Turn errors of the system and of decoding into errors about the archive."""
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"{archive}: cannot be read: {reason(error)}") from None
    except UnicodeDecodeError as error:
        raise ArchiveError(f"{archive}: truncated or damaged: {error}") from None


def _place_tar(archive: Path, destination: Destination, gate: Gate) -> list[str]:
    from manypython.archives import untar  # noqa: PLC0415  (15 ms that a zip does not need)

    names, links = [], []
    with closing(untar.entries(archive, gate)) as pairs:
        for entry, data in pairs:
            if entry.kind == "folder":
                destination.folder(entry.name)
                continue
            names.append(entry.name)
            if entry.kind == "file":
                destination.file(entry, data)
            else:
                links.append(entry)
    _place_links(destination, links)
    return names


def _place_zip(archive: Path, destination: Destination, gate: Gate, *, alone: bool) -> list[str]:
    with archive.open("rb") as file:
        listed_members = unzip.read_directory(archive, file.fileno(), gate)
        for name, kind in gate.kinds.items():
            if kind == "folder":
                destination.folder(name)

        def place(member: unzip.Packed) -> None:
            destination.file(member.entry, unzip.content(archive, file.fileno(), member))

        files = sorted(
            (member for member in listed_members if member.entry.kind == "file"),
            key=lambda member: member.entry.size,
        )
        in_two(files, place, alone=alone)
    links = [member.entry for member in listed_members if member.entry.kind == "link"]
    _place_links(destination, links)
    return [entry.name for entry in links] + [member.entry.name for member in files]


def _place_links(destination: Destination, links: list[Entry]) -> None:
    """Last of all, so that nothing is ever written through one."""
    for entry in links:
        destination.link(entry)


def _zip_entries(archive: Path, gate: Gate) -> Generator[tuple[Entry, Iterator[bytes]]]:
    with archive.open("rb") as file:
        for member in unzip.read_directory(archive, file.fileno(), gate):
            yield member.entry, unzip.content(archive, file.fileno(), member)
