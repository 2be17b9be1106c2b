"""Deterministic writing: same members, same bytes, on any machine with the same zlib and zstd."""

from __future__ import annotations

import io
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import zstandard

from manypython.archives.members import Member
from manypython.model.errors import OutputError

_WINDOW_LOG = 23
"""8 MiB: a reader needs that much memory, and none needs a flag for it (RFC 8878, 3.1.1.1.2).

Measured on an archive of 3.13 at level 19: 16.66 MB; with 27 it is 16.32 MB, and a reader needs 64 MiB
and more.
"""


@dataclass(frozen=True)
class Effort:
    """How hard to compress; each level decides the bytes."""

    deflate: int
    zstd: int


BEST = Effort(deflate=9, zstd=19)
"""For archives that are published: written once, fetched often."""
FAST = Effort(deflate=5, zstd=9)
"""A tenth of the time for an eighth more bytes."""


def tar_gz(path: Path, members: tuple[Member, ...], epoch: int, effort: Effort = BEST) -> None:
    """Write a ``.tar.gz``; its header has neither a name nor the time of day."""
    with whole(path) as file:
        packed = _Gzip(file, epoch, effort.deflate)
        _tar(packed, members, epoch)
        packed.close()


class _Gzip:
    """One member of gzip (RFC 1952).

    ``gzip.GzipFile`` has a buffer between, since 3.12: where the disk is full it tries again when nobody can
    be told any more, and 3.14 complains of that on standard error.
    """

    def __init__(self, file: IO[bytes], epoch: int, level: int) -> None:
        self._file = file
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc = self._size = 0
        hint = {zlib.Z_BEST_COMPRESSION: 2, zlib.Z_BEST_SPEED: 4}.get(level, 0)
        file.write(struct.pack("<4BI2B", 0x1F, 0x8B, 8, 0, epoch, hint, 255))

    def write(self, data: bytes) -> int:
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        self._file.write(self._deflate.compress(data))
        return len(data)

    def close(self) -> None:
        """Write what is left; the file stays open."""
        self._file.write(self._deflate.flush() + struct.pack("<2I", self._crc, self._size & 0xFFFFFFFF))


def tar_zst(path: Path, members: tuple[Member, ...], epoch: int, effort: Effort = BEST) -> None:
    """Write a ``.tar.zst`` in one frame; zstd's bytes do not depend on how many threads it has."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        effort.zstd,
        window_log=_WINDOW_LOG,
        enable_ldm=True,
        threads=max(1, os.cpu_count() or 1),
        write_checksum=True,
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    with whole(path) as file, compressor.stream_writer(file, closefd=False) as packed:
        _tar(packed, members, epoch)


def zip_file(path: Path, members: tuple[Member, ...], epoch: int, effort: Effort = BEST) -> None:
    """Write a ``.zip`` with Unix modes and symbolic links as Info-ZIP keeps them."""
    moment = time.gmtime(epoch)[:6]
    with (
        whole(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for member in members:
            name = f"{member.name}/" if member.is_folder else str(member.name)
            info = zipfile.ZipInfo(name, moment)
            info.create_system = 3  # Unix
            kind = stat.S_IFLNK if member.link else stat.S_IFDIR if member.is_folder else stat.S_IFREG
            info.external_attr = (kind | member.mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            if member.is_folder or member.link:
                info.compress_type = zipfile.ZIP_STORED
            data = member.link.encode() if member.link else member.read()
            packed.writestr(info, data, compresslevel=effort.deflate)


WRITERS: dict[str, Callable[[Path, tuple[Member, ...], int, Effort], None]] = {
    ".tar.gz": tar_gz,
    ".tar.zst": tar_zst,
    ".zip": zip_file,
}


def _tar(sink: _Gzip | zstandard.ZstdCompressionWriter, members: tuple[Member, ...], epoch: int) -> None:
    with tarfile.open(
        fileobj=cast("IO[bytes]", sink), mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20
    ) as tar:
        for member in members:
            info = tarfile.TarInfo(str(member.name))
            info.mtime, info.mode = epoch, member.mode
            if member.link:
                info.type, info.linkname = tarfile.SYMTYPE, member.link
                tar.addfile(info)
            elif member.is_folder:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                data = member.read()
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


@contextmanager
def whole(path: Path, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when it is written whole.

    Raises:
        OutputError: the folder cannot be written, or is full.
    """
    scratch = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).chmod(mode)
        Path(scratch).replace(path)
    except OSError as error:
        raise OutputError(
            f"{path.parent}: cannot write {path.name}: {error.strerror or error}",
            remedy="free some room or name another folder",
        ) from None
    finally:
        if scratch:
            Path(scratch).unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder that appears under its name only when the block that fills it is through; an older one goes.

    Args:
        folder: its own folder is there.

    Raises:
        OSError: it cannot be written.
    """
    scratch = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        remove_folder(folder)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove_folder(folder: Path) -> bool:
    """Remove a folder in one step, so that nobody finds half of it; whether it was there."""
    if not folder.is_dir():
        return False
    gone = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    folder.rename(gone / "folder")
    shutil.rmtree(gone)
    return True


def text(path: Path, content: str) -> None:
    """Write a small text file whole or not at all."""
    content_of(path, content.encode())


def content_of(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file whole or not at all.

    Raises:
        OutputError: the folder cannot be written, or is full.
    """
    with whole(path, mode) as file:
        file.write(content)
