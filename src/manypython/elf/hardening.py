"""How an ELF file protects itself against being taken over."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_DT_FLAGS, ENUM_DT_FLAGS_1

from manypython.elf.reading import elf_file


@dataclass(frozen=True)
class Hardening:
    """How a file protects itself against being taken over."""

    relro: bool
    """Relocated data is made read-only."""
    bind_now: bool
    """All symbols are resolved at start, so that nothing stays writable for later."""
    executable_stack: bool
    text_relocations: bool
    writable_code: bool
    """A segment is writable and executable."""
    canary: bool
    """It has functions that guard their stack frame (``-fstack-protector``)."""
    code: int
    """Bytes of executable segments."""
    undefined: frozenset[str]
    """Undefined symbols."""
    exported: frozenset[str]
    """Defined symbols that others can bind to."""


def hardening(path: Path) -> Hardening:
    """Read what protects one ELF file.

    Raises:
        AuditError: the file is broken.
    """
    with elf_file(path) as elf:
        return _hardening(elf)


def _hardening(elf: ELFFile) -> Hardening:
    segments = list(elf.iter_segments())
    loaded = [segment for segment in segments if segment["p_type"] == "PT_LOAD"]
    stacks = [segment for segment in segments if segment["p_type"] == "PT_GNU_STACK"]
    code = [segment for segment in loaded if segment["p_flags"] & P_FLAGS.PF_X]
    entries = {
        entry.entry.d_tag: entry.entry.d_val
        for segment in elf.iter_segments("PT_DYNAMIC")
        for entry in segment.iter_tags()  # type: ignore[attr-defined]
    }
    flags, flags_1 = entries.get("DT_FLAGS", 0), entries.get("DT_FLAGS_1", 0)
    symbols = [
        symbol
        for section in elf.iter_sections("SHT_DYNSYM")
        for symbol in section.iter_symbols()  # type: ignore[attr-defined]
        if symbol.name
    ]
    undefined = frozenset(symbol.name for symbol in symbols if symbol["st_shndx"] == "SHN_UNDEF")
    return Hardening(
        relro=any(segment["p_type"] == "PT_GNU_RELRO" for segment in segments),
        bind_now=bool(
            flags & ENUM_DT_FLAGS["DF_BIND_NOW"]
            or flags_1 & ENUM_DT_FLAGS_1["DF_1_NOW"]
            or "DT_BIND_NOW" in entries
        ),
        executable_stack=not stacks or any(segment["p_flags"] & P_FLAGS.PF_X for segment in stacks),
        text_relocations=bool(flags & ENUM_DT_FLAGS["DF_TEXTREL"]) or "DT_TEXTREL" in entries,
        writable_code=any(segment["p_flags"] & P_FLAGS.PF_W for segment in code),
        canary=bool(undefined & _CANARY) or any(_GUARD.search(segment.data()) for segment in loaded),
        code=sum(segment["p_filesz"] for segment in code),
        undefined=undefined,
        exported=frozenset(
            symbol.name
            for symbol in symbols
            # absolute ones are the names of symbol versions
            if symbol["st_shndx"] not in ("SHN_UNDEF", "SHN_ABS") and symbol["st_info"]["bind"] != "STB_LOCAL"
        ),
    )


_CANARY = {"__stack_chk_fail", "__stack_chk_guard"}
_GUARD = re.compile(
    rb"\x64[\x48\x4c]\x8b[\x04\x0c\x14\x1c\x24\x2c\x34\x3c]\x25\x28\0\0\0"
    rb"|manypython: a random stack guard"
)
"""``mov %fs:0x28, REGISTER`` of x86_64, where zig may link the failing function in; else our guard."""
