"""Files of strangers: whatever is wrong with one is a ``UsageError`` that names it."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from manypython.model.errors import UsageError

_LARGEST = 1 << 20
"""Bytes; what people write by hand is a hundredth of it."""


def bytes_of(path: Path) -> bytes:
    """What a file holds.

    Raises:
        UsageError: it is no file, cannot be read, or is larger than any of its kind.
    """
    try:
        # a pipe of that name would let us wait for ever
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
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
        raise UsageError(f"{path}: line {line}: is not UTF-8") from None


def toml_of(path: Path, text: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        UsageError: it is no TOML; names the line.
    """
    try:
        return tomllib.loads(text)
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
    """The line of a section's key, from 1; 0 where it is not written the plain way.

    Args:
        text: of an INI or TOML file.
        section: as in its header, without brackets; empty for what stands before the first.
        keys: names of the key, any of which counts.
    """
    wanted = re.compile(rf"(?:{'|'.join(map(re.escape, keys))})\s*[=:]")
    current = ""
    for number, line in enumerate(text.split("\n"), 1):
        if match := re.match(r"\[([^]]*)\]", line):
            current = match[1].strip()
        elif current == section and wanted.match(line):
            return number
    return 0
