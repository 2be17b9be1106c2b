"""Careful reading: an archive is a stranger's, until it is unpacked whole below one folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import zstandard

from manypython.archives.members import Member
from manypython.model.errors import ArchiveError, OutputError

_LIMIT = 4 << 30
"""Bytes that one archive may unpack to."""


def unpack(archive: Path, into: Path) -> None:
    """Unpack an archive of ours into a new folder, all of it or nothing.

    Raises:
        ArchiveError: it is truncated, or has a member that must not be unpacked.
        OutputError: the folder exists already, or cannot be written.
    """
    if into.exists():
        raise OutputError(f"{into}: exists already", remedy="name a folder that does not exist yet")
    into.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{into.name}.", dir=into.parent))
    try:
        seen: dict[PurePosixPath, Member] = {}
        total = 0
        for member in _members(archive):
            _admit(archive, member, seen)
            total += len(member.content) if isinstance(member.content, bytes) else 0
            if total > _LIMIT:
                raise ArchiveError(f"{archive}: unpacks to more than {_LIMIT >> 30} GiB")
            _place(member, scratch)
        scratch.chmod(0o755)
        scratch.rename(into)
    except OSError as error:
        raise OutputError(f"{into}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _members(archive: Path) -> Iterator[Member]:
    try:
        if archive.name.endswith(".zip"):
            yield from _zip(archive)
        else:
            yield from _tar(archive)
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        zstandard.ZstdError,
    ) as error:
        raise ArchiveError(f"{archive}: truncated or damaged: {error}") from None
    except OSError as error:
        if error.errno is None:  # gzip says it so: "Not a gzipped file", "CRC check failed"
            raise ArchiveError(f"{archive}: truncated or damaged: {error}") from None
        raise


def _tar(archive: Path) -> Iterator[Member]:
    with contextlib.ExitStack() as stack:
        if archive.name.endswith(".zst"):
            raw = stack.enter_context(archive.open("rb"))
            decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
            stream = stack.enter_context(decompressor.stream_reader(raw))
            tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r|"))
        else:
            tar = stack.enter_context(tarfile.open(archive, "r|gz"))
        for info in tar:
            name = PurePosixPath(info.name)
            if info.isdir():
                yield Member(name)
            elif info.issym():
                yield Member(name, link=info.linkname)
            elif info.isreg():
                if info.size > _LIMIT:
                    raise ArchiveError(f"{archive}: {name}: too large")
                source = tar.extractfile(info)
                yield Member(name, source.read() if source else b"", executable=bool(info.mode & 0o100))
            else:
                raise ArchiveError(f"{archive}: {name}: neither file, folder nor symbolic link")


def _zip(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            mode = info.external_attr >> 16
            name = PurePosixPath(info.filename)
            if info.file_size > _LIMIT:
                raise ArchiveError(f"{archive}: {name}: too large")
            if info.is_dir():
                yield Member(name)
            elif stat.S_ISLNK(mode):
                yield Member(name, link=packed.read(info).decode())
            elif stat.S_ISREG(mode) or not stat.S_IFMT(mode):
                yield Member(name, packed.read(info), executable=bool(mode & 0o100))
            else:
                raise ArchiveError(f"{archive}: {name}: neither file, folder nor symbolic link")


def _admit(archive: Path, member: Member, seen: dict[PurePosixPath, Member]) -> None:
    """Refuse what would leave the folder or replace something.

    Raises:
        ArchiveError: names the member and the fact.
    """
    name = member.name
    if name.is_absolute() or ".." in name.parts or not name.parts:
        raise ArchiveError(f"{archive}: {name}: leads out of the archive")
    if name in seen and not member.is_folder:
        raise ArchiveError(f"{archive}: {name}: is there twice")
    for parent in name.parents:
        if parent in seen and not seen[parent].is_folder:
            raise ArchiveError(f"{archive}: {name}: lies below {parent}, which is no folder")
    if member.link:
        goal = os.path.normpath(os.path.join(str(name.parent), member.link))
        if os.path.isabs(member.link) or goal.startswith(".."):
            raise ArchiveError(f"{archive}: {name}: a link that leads out: {member.link}")
    seen[name] = member


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
