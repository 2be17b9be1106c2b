"""Reading a zip of which every byte is accounted for (APPNOTE is PKWARE's appnote.txt, version 6.3.10).

Its directory is read here and not by zipfile: that one takes whatever end record it finds, ignores
what stands between the members, and takes three times as long.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from manypython.archives.gate import LONGEST_LINK, Entry, Gate, Kind
from manypython.model.errors import ArchiveError

_END = struct.Struct("<4s4H2LH")
"""The last record (APPNOTE 4.3.16)."""
_ROW = struct.Struct("<4s6H3L5H2L")
"""One member in the directory (APPNOTE 4.3.12)."""
_LOCAL = struct.Struct("<4s5H3L2H")
"""What stands before a member's data (APPNOTE 4.3.7)."""
_DESCRIPTOR = struct.Struct("<3L")
"""What may stand behind it (APPNOTE 4.3.9)."""
_WIDE = struct.Struct("<2H2Q")
"""The extra field with sizes in 64 bits (APPNOTE 4.5.3)."""
_IN_WIDE = 0xFFFFFFFF
"""Instead of a size: it stands in that extra field."""
_ENCRYPTED, _DESCRIBED, _UTF8 = 0x1, 0x8, 0x800
_FLAGS = 0x6 | _DESCRIBED | _UTF8
"""Those that a reader may meet (APPNOTE 4.4.4); 0x6 is how hard deflate tried."""
_STORED, _DEFLATED = 0, 8
_IN, _OUT = 256 << 10, 1 << 20
"""Bytes that are read and unpacked at once, however large a member is."""
_KINDS: dict[int, Kind] = {0: "file", stat.S_IFREG: "file", stat.S_IFLNK: "link"}


class _Row(NamedTuple):
    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    offset: int


class Packed(NamedTuple):
    """A member that has passed the gate, and where its data stands."""

    entry: Entry
    start: int
    packed: int
    method: int
    crc: int


def read_directory(archive: Path, file: int, gate: Gate) -> list[Packed]:
    """Every member; all of them have passed the gate.

    Args:
        archive: its path, for messages.
        file: the same archive, open.
        gate: is closed here.

    Raises:
        ArchiveError: the zip is damaged, can be read in two ways or has a member that must not be unpacked.
    """
    rows, end = _directory(archive, file)
    packed_members = []
    for row, start in _standing(archive, file, rows, end):
        name = row.name.decode("utf-8" if row.flags & _UTF8 else "cp437")
        packed_members.append(_admit(row, name, start, file, gate))
    gate.close()
    return packed_members


def content(archive: Path, file: int, member: Packed) -> Iterator[bytes]:
    """The bytes of a file, in pieces; the last one comes only if all of them agree with the directory.

    Raises:
        ArchiveError: they do not.
    """
    entry = member.entry
    size, crc = 0, 0
    blocks = _blocks(archive, file, member.start, member.packed)
    try:
        for piece in _inflate(blocks, entry.size) if member.method == _DEFLATED else blocks:
            size += len(piece)
            crc = zlib.crc32(piece, crc)
            if size > entry.size:
                raise ArchiveError(f"{archive}: {entry.name}: unpacks to more than it says")
            if size == entry.size and crc != member.crc:
                raise ArchiveError(f"{archive}: {entry.name}: truncated or damaged: its CRC differs")
            yield piece
    except (zlib.error, EOFError) as error:
        raise ArchiveError(f"{archive}: {entry.name}: truncated or damaged: {error}") from None
    if size != entry.size or crc != member.crc:
        raise ArchiveError(f"{archive}: {entry.name}: truncated or damaged: unpacks to less than it says")


def _inflate(blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Inflate, to at most one byte more than the expected size.

    Raises:
        EOFError: the deflate stream ends too early or too late.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    remaining = (
        size + 1
    )  # who asks stops at that one byte: it never gets to 0, which would be "no limit" to zlib
    rest = b""
    while not stream.eof:
        rest = rest or next(blocks, b"")
        piece = stream.decompress(rest, min(remaining, _OUT))
        if not piece and not rest and not stream.eof:
            raise EOFError("its data ends too early")
        rest = stream.unconsumed_tail
        remaining -= len(piece)
        if piece:
            yield piece
    if stream.unused_data or rest or next(blocks, b""):
        raise EOFError("something follows its data")


def _blocks(archive: Path, file: int, start: int, length: int) -> Iterator[bytes]:
    for position in range(start, start + length, _IN):
        yield _exactly(archive, file, position, min(_IN, start + length - position))


def _exactly(archive: Path, file: int, position: int, length: int) -> bytes:
    try:
        data = os.pread(file, length, position)
        while len(data) < length:
            more = os.pread(file, length - len(data), position + len(data))
            if not more:
                raise ArchiveError(f"{archive}: truncated or damaged: ends at byte {position + len(data)}")
            data += more
    except OSError as error:
        raise ArchiveError(f"{archive}: cannot be read: {error.strerror}") from None
    return data


def _directory(archive: Path, file: int) -> tuple[list[_Row], int]:
    """Its rows, and where it starts.

    Raises:
        ArchiveError: it is not right before the end, or not what the end says.
    """
    end = os.fstat(file).st_size - _END.size
    if end < 0:
        raise ArchiveError(f"{archive}: truncated or damaged: too short for a zip")
    mark, disk, first, here, count, length, start, comment = _END.unpack(
        _exactly(archive, file, end, _END.size)
    )
    if mark != b"PK\x05\x06" or disk or first or here != count or comment:
        raise ArchiveError(f"{archive}: truncated or damaged: does not end as a zip of one part does")
    if start + length != end:  # also of those with more than 65,534 members or 4 GiB (APPNOTE 4.3.14)
        raise ArchiveError(f"{archive}: something stands there that is not listed")
    data = _exactly(archive, file, start, length)
    rows = []
    position = 0
    for _ in range(count):
        if position + _ROW.size > length:
            raise ArchiveError(
                f"{archive}: truncated or damaged: its directory has less than {count} members"
            )
        mark, _, _, flags, method, _, _, crc, packed, size, name, extra, note, _, _, outer, offset = (
            _ROW.unpack_from(data, position)
        )
        if mark != b"PK\x01\x02":
            raise ArchiveError(
                f"{archive}: truncated or damaged: its directory has less than {count} members"
            )
        position += _ROW.size
        rows.append(
            _Row(data[position : position + name], flags, method, crc, packed, size, outer >> 16, offset)
        )
        position += name + extra + note
    if position != length:
        raise ArchiveError(f"{archive}: something stands in its directory that is not listed")
    return rows, start


def _standing(archive: Path, file: int, rows: list[_Row], end: int) -> Iterator[tuple[_Row, int]]:
    """Each row and where its data starts, in the order in which they stand.

    Whoever reads the zip from its start finds what its directory says (APPNOTE 4.3.6): there is nothing
    before, between or behind the members, and each is described the same way in both places.

    Raises:
        ArchiveError: it can be read in two ways.
    """
    position = 0
    for row in sorted(rows, key=lambda row: row.offset):
        if row.offset != position:
            raise _two_views(archive, row, "something stands before it that is not listed")
        head = _exactly(archive, file, position, _LOCAL.size)
        mark, _, flags, method, _, _, crc, packed, size, name, extra = _LOCAL.unpack(head)
        tail = _exactly(archive, file, position + _LOCAL.size, name + extra)
        if mark != b"PK\x03\x04" or tail[:name] != row.name:
            raise _two_views(archive, row, "truncated or damaged: has two names")
        if method != row.method or flags != row.flags:
            raise _two_views(archive, row, "is packed in two ways")
        if packed == size == _IN_WIDE and len(tail) >= name + _WIDE.size:
            _, _, size, packed = _WIDE.unpack_from(tail, name)
        differ = (crc, packed, size) != (row.crc, row.packed, row.size)
        start = position + _LOCAL.size + len(tail)
        position = start + row.packed
        if flags & _DESCRIBED:
            behind = _exactly(archive, file, position, 4 + _DESCRIPTOR.size)
            marked = 4 if behind.startswith(b"PK\x07\x08") else 0
            position += marked + _DESCRIPTOR.size
            differ = _DESCRIPTOR.unpack_from(behind, marked) != (row.crc, row.packed, row.size)
        if differ:
            raise _two_views(archive, row, "has two sizes or CRCs")
        yield row, start
    if position != end:
        raise ArchiveError(f"{archive}: something stands before its directory that is not listed")


def _two_views(archive: Path, row: _Row, fact: str) -> ArchiveError:
    return ArchiveError(f"{archive}: {row.name.decode(errors='replace')!r}: {fact}")


def _admit(row: _Row, name: str, start: int, file: int, gate: Gate) -> Packed:
    """Pass a member through the gate; the content of a link is its target.

    Raises:
        ArchiveError: it must not be unpacked.
    """
    kind = _KINDS.get(stat.S_IFMT(row.mode))
    if name.endswith("/") and stat.S_IFMT(row.mode) in (0, stat.S_IFDIR):
        kind = "folder"
    elif name.endswith("/") or not kind:
        raise gate.error(name, "neither file, folder nor symbolic link")
    if row.flags & ~_FLAGS or row.method not in (_STORED, _DEFLATED):
        how = "is encrypted" if row.flags & _ENCRYPTED else f"is packed by method {row.method}"
        raise gate.error(name, f"{how}, flags {row.flags:#x}: unknown here")
    if row.method == _STORED and row.packed != row.size:
        raise gate.error(name, "has two sizes")
    entry = Entry(name, kind, row.size)
    member = Packed(entry, start, row.packed, row.method, row.crc)
    link = ""
    if kind != "file":
        if row.size > (LONGEST_LINK if kind == "link" else 0):
            raise gate.error(name, f"a {kind} with {row.size} bytes")
        link = b"".join(content(gate.archive, file, member)).decode()
    return member._replace(entry=gate.admit(name, kind, mode=row.mode, size=row.size, link=link))
