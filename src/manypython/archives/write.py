"""Deterministic writing: same members, same bytes, on any machine with the same zlib and zstd."""

from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import zstandard

from manypython.archives.members import Member
from manypython.files import whole

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

    ``gzip.GzipFile`` has a buffer between, since 3.12: where the disk is full it tries again when nobody
    listens any more, and 3.14 complains about that on standard error.
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


def _tar(
    sink: IO[bytes] | _Gzip | zstandard.ZstdCompressionWriter, members: tuple[Member, ...], epoch: int
) -> None:
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
