"""Careful reading: an archive is a stranger's, until it is unpacked whole below one folder."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

import zstandard

from manypython.archives.members import Member
from manypython.model.errors import ArchiveError, OutputError

_LIMIT = 4 << 30
"""Bytes that one archive may unpack to."""
_ENTRIES = 200_000
"""Members that one archive may have."""
_SPECIAL = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
_KNOWN = "neither file, folder nor symbolic link"
_ZIP64 = 0xFFFFFFFF
"""Instead of a size: it stands elsewhere, in 64 bits."""
_END = 22
"""Bytes of the last record of a zip that has no comment."""
_PADDING = 1 << 20
"""Bytes of zeros that may follow the end of a tar (its last record is filled up)."""


def unpack(archive: Path, into: Path, *, limit: int = _LIMIT) -> None:
    """Unpack an archive of ours into a new folder, all of it or nothing.

    Args:
        archive: its name says what it is: ``.zip``, ``.tar.zst``, else ``.tar.gz``.
        into: a folder that does not exist yet.
        limit: bytes it may unpack to.

    Raises:
        ArchiveError: it is truncated, or has a member that must not be unpacked.
        OutputError: the folder exists already, or cannot be written.
    """
    if into.exists():
        raise OutputError(f"{into}: exists already", remedy="name a folder that does not exist yet")
    scratch = None
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{into.name}.", dir=into.parent))
        gate = _Gate(archive)
        for member in _members(archive, limit):
            gate.admit(member)
            _place(member, scratch)
        gate.close()
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


def members(archive: Path, *, limit: int = _LIMIT) -> Iterator[Member]:
    """Every member of an archive, with its bytes, under the same rules as ``unpack`` has.

    What a link leads to is known when the last member is: use nothing before.

    Raises:
        ArchiveError: it is truncated, or has a member that must not be unpacked.
    """
    gate = _Gate(archive)
    for member in _members(archive, limit):
        gate.admit(member)
        yield member
    gate.close()


def _members(archive: Path, limit: int) -> Iterator[Member]:
    """Every member with its bytes.

    Raises:
        ArchiveError: the archive is damaged, or larger than it may be.
    """
    left = limit
    try:
        for member in _zip(archive, limit) if archive.name.endswith(".zip") else _tar(archive, limit):
            left -= len(member.content) if isinstance(member.content, bytes) else 0
            if left < 0:
                raise ArchiveError(f"{archive}: {member.name}: unpacks to more than {limit >> 20} MiB")
            yield member
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,  # zipfile says so of methods and versions it does not know
        RuntimeError,  # and so of encrypted members
        UnicodeDecodeError,
        struct.error,
        zstandard.ZstdError,
    ) as error:
        raise ArchiveError(f"{archive}: truncated or damaged: {error}") from None
    except OSError as error:
        if error.errno is None:  # gzip says it so: "Not a gzipped file", "CRC check failed"
            raise ArchiveError(f"{archive}: truncated or damaged: {error}") from None
        raise


def _tar(archive: Path, limit: int) -> Iterator[Member]:
    with contextlib.ExitStack() as stack:
        stream: IO[bytes]
        if archive.name.endswith(".zst"):
            raw = stack.enter_context(archive.open("rb"))
            decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
            stream = stack.enter_context(decompressor.stream_reader(raw, read_across_frames=True))
        else:
            stream = cast("IO[bytes]", stack.enter_context(gzip.open(archive)))
        tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r|"))
        for info in tar:
            name = PurePosixPath(info.name)
            _plain(archive, info.name, info.mode, info.size, limit)
            if info.isdir():
                yield Member(name)
            elif info.issym():
                yield Member(name, link=info.linkname)
            elif info.isreg() and not info.issparse():
                source = tar.extractfile(info)
                yield Member(name, source.read() if source else b"", executable=bool(info.mode & 0o100))
            else:
                raise ArchiveError(f"{archive}: {name}: {_KNOWN}")
        rest = stream.read(_PADDING)
        if rest.strip(b"\0") or stream.read(1):
            raise ArchiveError(f"{archive}: something follows its end")


def _zip(archive: Path, limit: int) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as packed:
        _one_view(archive, packed)
        for info in packed.infolist():
            mode = info.external_attr >> 16
            name = PurePosixPath(info.filename)
            _plain(archive, info.filename, mode, info.file_size, limit)
            if info.is_dir():
                yield Member(name)
            elif stat.S_ISLNK(mode):
                yield Member(name, link=packed.read(info).decode())
            elif stat.S_ISREG(mode) or not stat.S_IFMT(mode):
                yield Member(name, packed.read(info), executable=bool(mode & 0o100))
            else:
                raise ArchiveError(f"{archive}: {name}: {_KNOWN}")


def _one_view(archive: Path, packed: zipfile.ZipFile) -> None:
    """See that whoever reads a zip from its start finds what its directory says (APPNOTE 4.3.6).

    Raises:
        ArchiveError: there is something before, between or behind the members.
    """
    position = 0
    file = packed.fp
    assert file is not None  # noqa: S101  (it is open)
    for info in sorted(packed.infolist(), key=lambda info: info.header_offset):
        if info.header_offset != position:
            raise ArchiveError(f"{archive}: {info.filename}: something stands before it that is not listed")
        file.seek(position)
        *_, flags, _, _, _, _, packed_size, size, name, extra = struct.unpack("<4s5H3L2H", file.read(30))
        described = flags & 0x8  # sizes follow the data
        told = (packed_size, size) != (info.compress_size, info.file_size) and _ZIP64 not in (
            packed_size,
            size,
        )
        if told and not described:
            raise ArchiveError(f"{archive}: {info.filename}: has two sizes")
        position += 30 + name + extra + info.compress_size
        if described:
            file.seek(position)
            position += 16 if file.read(4) == b"PK\x07\x08" else 12
    file.seek(-_END, os.SEEK_END)
    if position != packed.start_dir or file.read(4) != b"PK\x05\x06":
        raise ArchiveError(f"{archive}: something stands there that is not listed")


def _plain(archive: Path, name: str, mode: int, size: int, limit: int) -> None:
    """Refuse what no file of ours has, before a byte of it is read."""
    if size > limit:
        raise ArchiveError(f"{archive}: {name}: says it has {size} bytes")
    if mode & _SPECIAL:
        raise ArchiveError(f"{archive}: {name}: has a set-user, set-group or sticky bit")
    if not name.isprintable() or "\\" in name:
        raise ArchiveError(f"{archive}: {name!r}: a name that systems read differently")


class _Gate:
    """Refuses what would leave the folder or replace something, whatever the order of members."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.seen: dict[PurePosixPath, Member] = {}
        self.folded: dict[str, PurePosixPath] = {}

    def admit(self, member: Member) -> None:
        """Look at the next member before it is unpacked.

        Raises:
            ArchiveError: names the member and the fact.
        """
        name = member.name
        if name.is_absolute() or ".." in name.parts or not name.parts:
            raise self._error(name, "leads out of the archive")
        for parent in reversed(name.parents[:-1]):
            if parent not in self.seen:
                self._enter(parent, Member(parent))
            if not self.seen[parent].is_folder:
                raise self._error(name, f"lies below {parent}, which is no folder")
        if name in self.seen and not (member.is_folder and self.seen[name].is_folder):
            raise self._error(name, "is there twice")
        if member.link:
            goal = os.path.normpath(os.path.join(str(name.parent), member.link))
            if os.path.isabs(member.link) or goal.startswith(".."):
                raise self._error(name, f"a link that leads out: {member.link}")
        self._enter(name, member)

    def close(self) -> None:
        """Look at the links once all is known: what a link leads to must not lie behind another one.

        Raises:
            ArchiveError: names the link.
        """
        for name, member in self.seen.items():
            place = name.parent
            for part in PurePosixPath(member.link).parts[:-1] if member.link else ():
                place = place.parent if part == ".." else place / part
                if place in self.seen and self.seen[place].link:
                    raise self._error(name, f"a link through another link: {member.link}")

    def _enter(self, name: PurePosixPath, member: Member) -> None:
        self.seen[name] = member
        if len(self.seen) > _ENTRIES:
            raise self._error(name, f"one of more than {_ENTRIES} members")
        folded = unicodedata.normalize("NFC", str(name)).casefold()
        if self.folded.setdefault(folded, name) != name:
            raise self._error(name, f"is {self.folded[folded]} where upper and lower case are one")

    def _error(self, name: PurePosixPath, fact: str) -> ArchiveError:
        return ArchiveError(f"{self.archive}: {name}: {fact}")


def _place(member: Member, root: Path) -> None:
    path = root / member.name
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.link:
        path.symlink_to(member.link)
    elif member.is_folder:
        path.mkdir(exist_ok=True)
    else:
        path.write_bytes(member.read())
        path.chmod(member.mode)
