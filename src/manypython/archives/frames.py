"""Whether a zstd file is whole (RFC 8878, section 3.1).

The decompressor takes the end of its input for the end of the data, wherever that is: a file that was
cut off at the right place, or within its checksum, would pass. Only the headers of blocks are read.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import IO

from manypython.model.errors import ArchiveError

_FRAME = b"\x28\xb5\x2f\xfd"
_SKIPPED = range(0x184D2A50, 0x184D2A60)
"""Marks of frames whose content is no data (section 3.1.2)."""
_WINDOW = 1
_DICTIONARY = (0, 1, 2, 4)
_CONTENT = (0, 2, 4, 8)
"""Bytes of the optional fields of a frame's header, by the bits that announce them (section 3.1.1.1)."""
_RLE, _RESERVED = 1, 3


def check_frames(archive: Path, file: IO[bytes]) -> None:
    """Insist that a file is frames and nothing else, each with its last block and checksum; rewinds it.

    Raises:
        ArchiveError: it is cut off, or holds something that is no frame.
    """
    size = os.fstat(file.fileno()).st_size
    try:
        while file.tell() < size:
            _pass_frame(file)
    except (EOFError, ValueError) as error:
        raise ArchiveError(f"{archive}: truncated or damaged: {error}") from None
    if not size or file.tell() != size:
        raise ArchiveError(f"{archive}: truncated or damaged: its last frame is cut off")
    file.seek(0)


def _pass_frame(file: IO[bytes]) -> None:
    mark = _exactly(file, 4)
    if int.from_bytes(mark, "little") in _SKIPPED:
        (length,) = struct.unpack("<L", _exactly(file, 4))
        file.seek(length, os.SEEK_CUR)
        return
    if mark != _FRAME:
        raise ValueError("something stands where a frame should start")
    (bits,) = _exactly(file, 1)
    single = bits >> 5 & 1
    content = _CONTENT[bits >> 6] or single
    _exactly(file, (0 if single else _WINDOW) + _DICTIONARY[bits & 3] + content)
    last = 0
    while not last:
        block = int.from_bytes(_exactly(file, 3), "little")
        last, kind, length = block & 1, block >> 1 & 3, block >> 3
        if kind == _RESERVED:
            raise ValueError("it has a block of a reserved kind")
        file.seek(1 if kind == _RLE else length, os.SEEK_CUR)
    if bits >> 2 & 1:
        file.seek(4, os.SEEK_CUR)


def _exactly(file: IO[bytes], length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise EOFError("its last frame is cut off")
    return data
