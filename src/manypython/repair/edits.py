"""What can be done to a tree, as data: plans are tuples of these, ``apply`` does them.

Paths are relative to the tree's root. A plan is pure and can be printed
(``--dry-run``), recorded in the archive as provenance, and checked for conflicts
before a byte is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class CopyIn:
    """Bring a file from outside into the tree (a grafted library)."""

    path: PurePosixPath
    source: Path


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
    """Let a file need ``new`` where it needed ``old``."""

    path: PurePosixPath
    old: str
    new: str


@dataclass(frozen=True)
class SetRpath:
    """Give a file this ``DT_RPATH`` (not ``DT_RUNPATH``) and no other; empty removes it."""

    path: PurePosixPath
    rpath: str


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
class SetMode:
    """Give a file these permission bits."""

    path: PurePosixPath
    mode: int


@dataclass(frozen=True)
class CompileBytecode:
    """Write the hash-based ``.pyc`` of a source file with the tree's own interpreter."""

    path: PurePosixPath
    checked: bool
    """Whether the import system compares the source's hash (for files installers edit)."""


Edit = (
    CopyIn
    | Remove
    | Symlink
    | Strip
    | SetSoname
    | ReplaceNeeded
    | SetRpath
    | ReplaceBytes
    | WriteText
    | SetMode
    | CompileBytecode
)
Plan = tuple[Edit, ...]
