"""Strip an ELF file: bytes in, bytes out, the same on every machine.

The host may have no binutils and ``zig objcopy`` cannot do it, so this does the one
thing that is needed: drop what lies behind the loaded part of the file (debug
sections, symbol table, comments) and write a new section header table. ELF(5).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_PROGRAM = struct.Struct("<IIQQQQQQ")
_ALLOC = 0x2
_NOBITS = 8
_STRTAB = 3


@dataclass(frozen=True)
class _Section:
    name: bytes
    fields: tuple[int, ...]
    """sh_name, type, flags, addr, offset, size, link, info, addralign, entsize."""

    @property
    def allocated(self) -> bool:
        return bool(self.fields[2] & _ALLOC)

    @property
    def end(self) -> int:
        return self.fields[4] + (0 if self.fields[1] == _NOBITS else self.fields[5])


def strip(data: bytes) -> bytes:
    """Strip a 64-bit little-endian executable or shared library.

    Anything of another kind, or laid out in a way this does not know (a section to
    drop that lies inside the loaded part, damaged tables), comes back unchanged. Stripping twice is
    stripping once.
    """
    try:
        return _drop_sections(data)
    except (struct.error, ValueError, IndexError):  # tables that lead nowhere, which no loader reads
        return data


def _drop_sections(data: bytes) -> bytes:
    if data[:6] != b"\x7fELF\x02\x01" or len(data) < _HEADER.size:
        return data
    header = list(_HEADER.unpack_from(data))
    kind, programs, sections = header[1], header[10], header[12]
    if kind not in (2, 3) or not sections:
        return data
    all_sections = _read(data, offset=header[6], count=sections, names=header[13])
    sections_left = [section for section in all_sections if section.allocated]
    if len(sections_left) + 2 >= len(all_sections):  # the null section and .shstrtab are all there is besides
        return data
    loaded = max(
        program[2] + program[5]
        for program in (
            _PROGRAM.unpack_from(data, header[5] + index * _PROGRAM.size) for index in range(programs)
        )
    )
    end = max([loaded, header[5] + programs * _PROGRAM.size, *(s.end for s in sections_left)])
    moved = {old: new for new, old in enumerate(
        [0, *(index for index, section in enumerate(all_sections) if section.allocated)])}  # fmt: skip
    table, names = _table(sections_left, moved, end)
    body = data[:end] + names
    body += b"\0" * (-len(body) % 8)
    header[6], header[12], header[13] = len(body), len(sections_left) + 2, len(sections_left) + 1
    return _HEADER.pack(*header) + body[_HEADER.size :] + table


def _read(data: bytes, *, offset: int, count: int, names: int) -> list[_Section]:
    raw = [_SECTION.unpack_from(data, offset + index * _SECTION.size) for index in range(count)]
    start = raw[names][4]
    return [
        _Section(data[start + fields[0] : data.index(b"\0", start + fields[0])], fields) for fields in raw
    ]


def _table(sections_left: list[_Section], moved: dict[int, int], end: int) -> tuple[bytes, bytes]:
    """The new section header table and the names it refers to."""
    names = b"\0"
    rows = [bytes(_SECTION.size)]
    for section in (*sections_left, _Section(b".shstrtab", (0, _STRTAB, 0, 0, end, 0, 0, 0, 1, 0))):
        fields = list(section.fields)
        fields[0] = len(names)
        names += section.name + b"\0"
        if section.allocated:
            fields[6] = moved.get(fields[6], 0)
            if fields[2] & 0x40:  # SHF_INFO_LINK: sh_info is a section too
                fields[7] = moved.get(fields[7], 0)
        section = replace(section, fields=tuple(fields))  # noqa: PLW2901
        rows.append(_SECTION.pack(*section.fields))
    last = list(_SECTION.unpack(rows[-1]))
    last[5] = len(names)
    rows[-1] = _SECTION.pack(*last)
    return b"".join(rows), names
