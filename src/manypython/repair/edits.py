"""What can be done to a tree, as data: plans are tuples of these, ``apply`` does them.

Paths are relative to the tree's root. A plan is pure and can be printed
(``--dry-run``), recorded in the archive as provenance, and checked for conflicts
before a byte is written.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any


@dataclass(frozen=True)
class CopyIn:
    """Bring a file from outside into the tree (a grafted library)."""

    path: PurePosixPath
    source: Path


@dataclass(frozen=True)
class Move:
    """Move a file of the tree to another place in it (a library that other programs might load)."""

    path: PurePosixPath
    source: PurePosixPath


@dataclass(frozen=True)
class Remove:
    """Take a file, link or whole folder out of the tree."""

    path: PurePosixPath
    reason: str


@dataclass(frozen=True)
class Symlink:
    """Make ``path`` a relative link to ``target``, replacing what is there."""

    path: PurePosixPath
    target: str


@dataclass(frozen=True)
class Strip:
    """Drop debug sections and the symbol table of an ELF file."""

    path: PurePosixPath


@dataclass(frozen=True)
class SetSoname:
    """Give a library a new ``DT_SONAME``."""

    path: PurePosixPath
    soname: str


@dataclass(frozen=True)
class ReplaceNeeded:
    """Make a file need ``new`` instead of ``old``."""

    path: PurePosixPath
    old: str
    new: str


@dataclass(frozen=True)
class SetRpath:
    """Give a file this ``DT_RPATH`` (not ``DT_RUNPATH``) and no other; empty removes it."""

    path: PurePosixPath
    rpath: str


@dataclass(frozen=True)
class RenameSymbols:
    """Put an ending behind names in a file's ``.dynsym``: what it defines, and what it asks for."""

    path: PurePosixPath
    names: tuple[str, ...]
    ending: str


@dataclass(frozen=True)
class ReplaceBytes:
    """Replace a path inside a binary by another of the same length, so that nothing moves."""

    path: PurePosixPath
    old: bytes
    new: bytes


@dataclass(frozen=True)
class WriteText:
    """Give a text file this whole new content."""

    path: PurePosixPath
    text: str
    reason: str


@dataclass(frozen=True)
class CompileBytecode:
    """Write the hash-based ``.pyc`` of a source file with the tree's own interpreter."""

    path: PurePosixPath
    checked: bool
    """Whether the import system compares the source's hash (for files installers edit)."""


Edit = (
    CopyIn
    | Move
    | Remove
    | Symlink
    | Strip
    | SetSoname
    | ReplaceNeeded
    | SetRpath
    | RenameSymbols
    | ReplaceBytes
    | WriteText
    | CompileBytecode
)
Plan = tuple[Edit, ...]


def join(first: Plan, second: Plan) -> Plan:
    """Two plans for the same tree as one: the second follows what the first moves.

    What the second would do to files that the first takes away is left out.
    """
    places = {edit.source: edit.path for edit in first if isinstance(edit, Move)}
    gone = {edit.path for edit in first if isinstance(edit, Remove)}
    followed = (
        replace(edit, path=places[edit.path]) if edit.path in places else edit
        for edit in second
        if edit.path not in gone
    )
    return (*first, *followed)


def plan_as_json(plan: Plan) -> list[dict[str, Any]]:
    """A plan for machines and for provenance; texts, names and bytecode are folded to their number."""
    rows = [_row(edit) for edit in plan if not isinstance(edit, CompileBytecode)]
    count = Counter(edit.checked for edit in plan if isinstance(edit, CompileBytecode))
    rows += [
        {"edit": "CompileBytecode", "checked": checked, "files": number}
        for checked, number in sorted(count.items())
    ]
    return rows


def _row(edit: Edit) -> dict[str, Any]:
    row: dict[str, Any] = {"edit": type(edit).__name__}
    for name, value in asdict(edit).items():
        if name == "text":
            row["characters"] = len(value)
        elif name == "names":
            row |= {name: len(value), "sha256": hashlib.sha256("\n".join(value).encode()).hexdigest()}
        elif name == "source":
            row["source"] = Path(value).name if isinstance(edit, CopyIn) else str(value)
        elif isinstance(value, bytes):
            row[name] = f"{len(value)} bytes"
        else:
            row[name] = str(value) if isinstance(value, PurePosixPath) else value
    return row
