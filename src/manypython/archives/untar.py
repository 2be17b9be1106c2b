"""Reading a tar as a stream, out of gzip or zstd; tarfile reads its headers and nothing else."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

import zstandard

from manypython.archives.frames import check_frames
from manypython.archives.gate import Entry, Gate
from manypython.model.errors import ArchiveError, reason

_WINDOW = 1 << 27
"""What ``zstd -d`` takes without a flag; archives of ours need a sixteenth of it."""
_OUT = 1 << 20
"""Bytes of a file that are in memory at once, however large it is."""
_HEADERS = 16 << 10
"""Bytes of headers that one member may have: two paths (4,096 bytes each) and little else.

Up to 3.11.9 and 3.12.5 tarfile's time grows with their square (CVE-2024-6232).
"""
_PADDING = 1 << 20
"""Bytes of zeros that may follow the end of a tar (its last record is filled up)."""
_BLOCK = tarfile.BLOCKSIZE


def entries(archive: Path, gate: Gate) -> Generator[tuple[Entry, Iterator[bytes]]]:
    """Every member with its bytes in pieces, which are lost once the next member is asked for.

    Args:
        archive: ends in ``.zst``, else it is gzip.
        gate: is closed here, after the last member.

    Raises:
        ArchiveError: the archive is damaged, or has a member that must not be unpacked.
    """
    with ExitStack() as stack:
        stream = _open(archive, stack)
        end = 0
        for info in _infos(archive, stream):
            entry = _admit(info, gate)
            data = _data(stream, entry)
            yield entry, data
            for _ in data:  # what the caller did not read
                pass
            end = info.offset_data + -(-entry.size // _BLOCK) * _BLOCK
        # tarfile takes whatever is no header for the end
        if stream.position != end + _BLOCK or stream.last.strip(b"\0"):
            raise ArchiveError(f"{archive}: truncated or damaged: has no end, or something follows its end")
        stream.until = stream.position + _PADDING + 1
        if stream.read(_PADDING).strip(b"\0") or stream.read(1):
            raise ArchiveError(f"{archive}: something follows its end")
    gate.close()


class _Stream:
    """What tarfile sees of the archive: it goes forward, and headers have an end.

    tarfile reads whole into memory what belongs to a header: long names, PAX records, maps of sparse files.
    """

    def __init__(self, archive: Path, source: IO[bytes]) -> None:
        self.archive = archive
        self.position = 0
        self.until = 0
        """No byte after this one is handed out."""
        self.last = b""
        """What was read last."""
        self._source = source

    def read(self, length: int) -> bytes:
        if not self.position <= self.position + length <= self.until:  # a header may say that it has -512
            raise ArchiveError(f"{self.archive}: has a header of more than {_HEADERS} bytes")
        try:
            self.last = self._source.read(length)
        except OSError as error:  # gzip says so too: "Not a gzipped file", "CRC check failed"
            fact = "cannot be read" if error.errno else "truncated or damaged"
            raise ArchiveError(f"{self.archive}: {fact}: {reason(error)}") from None
        except (EOFError, zlib.error, zstandard.ZstdError) as error:
            raise ArchiveError(f"{self.archive}: truncated or damaged: {error}") from None
        self.position += len(self.last)
        return self.last

    def tell(self) -> int:
        return self.position

    def seek(self, position: int) -> None:
        """Pass over what fills up the last block of a file."""
        if not 0 <= position - self.position < _BLOCK:
            raise ArchiveError(f"{self.archive}: truncated or damaged: members overlap")
        self.read(position - self.position)


def _open(archive: Path, stack: ExitStack) -> _Stream:
    if not archive.name.endswith(".zst"):
        return _Stream(archive, cast("IO[bytes]", stack.enter_context(gzip.open(archive))))
    raw = stack.enter_context(archive.open("rb"))
    check_frames(archive, raw)
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(raw, read_across_frames=True)
    return _Stream(archive, cast("IO[bytes]", stack.enter_context(io.BufferedReader(reader, 128 << 10))))


def _infos(archive: Path, stream: _Stream) -> Iterator[tarfile.TarInfo]:
    """Each header that tarfile understands, up to the first block that is no header.

    Raises:
        ArchiveError: something begins like a header and is none.
    """
    tar: tarfile.TarFile | None = None
    while True:
        stream.until = stream.position + _HEADERS
        try:
            tar = tar or tarfile.TarFile(fileobj=cast("IO[bytes]", stream))
            info = tar.next()
        except (tarfile.TarError, ValueError, ArithmeticError, LookupError, RuntimeError) as error:
            # not all of them are documented; RuntimeError is of headers that follow each other without end
            raise ArchiveError(f"{archive}: truncated or damaged: {error}") from None
        if info is None:
            return
        stream.until = stream.position + info.size
        yield info


def _admit(info: tarfile.TarInfo, gate: Gate) -> Entry:
    if info.isdir():
        return gate.admit(info.name, "folder", mode=info.mode)
    if info.issym():
        return gate.admit(info.name, "link", mode=info.mode, link=info.linkname)
    if info.isreg() and not info.issparse():
        return gate.admit(info.name, "file", mode=info.mode, size=info.size)
    raise gate.error(info.name, "neither file, folder nor symbolic link")


def _data(stream: _Stream, entry: Entry) -> Iterator[bytes]:
    remaining = entry.size
    while remaining:
        piece = stream.read(min(remaining, _OUT))
        if not piece:
            raise ArchiveError(f"{stream.archive}: {entry.name}: truncated or damaged: ends too early")
        remaining -= len(piece)
        yield piece
