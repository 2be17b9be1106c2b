"""Files of strangers: whatever is wrong with one is a ``UsageError`` that names it."""

from __future__ import annotations

import functools
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from manypython.model.errors import UsageError

_HEADER, _KEY = re.compile(r"\[+([^]]*)\]"), re.compile(r"([\w-]+)\s*[=:]")
_LARGEST = 1 << 20
"""Bytes; what people write by hand is a hundredth of it."""


def bytes_of(path: Path) -> bytes:
    """What a file holds.

    Raises:
        UsageError: it is no file, cannot be read, or is larger than any of its kind.
    """
    try:
        # a pipe of that name would let us wait for ever
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"{path}: is no file")
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:  # a null character
        raise UsageError(f"{str(path)!r}: is no path") from None
    if len(data) > _LARGEST:
        raise UsageError(f"{path}: larger than {_LARGEST >> 20} MiB: not read")
    return data


def text_of(path: Path) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        UsageError: as ``bytes_of``, or it is not UTF-8.
    """
    data = bytes_of(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {line}: is not UTF-8", remedy="save it as UTF-8") from None


def toml_of(path: Path, text: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        UsageError: it is no TOML; names the line.
    """
    try:
        return tomllib.loads(text, parse_float=str)  # 3.10 is a version, and not 3.1
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: no TOML: {error}") from None


def under(table: object, *keys: str) -> Any:  # noqa: ANN401  (as TOML has it)
    """What stands under these keys; None where one is missing or is no table."""
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table


def table_under(table: object, *keys: str) -> dict[str, Any]:
    """The table under these keys; empty where there is none."""
    found = under(table, *keys)
    return found if isinstance(found, dict) else {}


def line_of(text: str, section: str, *keys: str) -> int:
    """The line of the first of a section's keys that there is, from 1; else that of the section, else 0.

    Args:
        text: of an INI or TOML file; what is not written the plain way is not found.
        section: as in its header, without brackets; empty for what stands before the first.
        keys: names of the key, any of which counts.
    """
    lines = _lines(text)
    return next((lines[section, key] for key in (*keys, "") if (section, key) in lines), 0)


@functools.lru_cache(maxsize=1)
def _lines(text: str) -> dict[tuple[str, str], int]:
    """The line of each section and key."""
    found: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            section = header[1].strip()
            found.setdefault((section, ""), number)
        elif key := _KEY.match(line):
            found.setdefault((section, key[1]), number)
    return found
