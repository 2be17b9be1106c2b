"""What may be in an archive, and what names its members may have: one rule for every wrapping."""

from __future__ import annotations

import os
import stat
import unicodedata
from pathlib import Path
from typing import Literal, NamedTuple

from manypython.model.errors import ArchiveError

LIMIT = 4 << 30
"""Bytes that one archive may unpack to."""
_ENTRIES = 200_000
"""Members that one archive may have."""
_LENGTH, _DEPTH = 1024, 100
"""The most characters of a name, and the most folders above it: each of those is remembered."""
LONGEST_LINK = 4096
"""Characters that a link may have: PATH_MAX (limits.h)."""
_SPECIAL = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX

Kind = Literal["file", "folder", "link"]


class Entry(NamedTuple):
    """One member as its archive describes it; its bytes are elsewhere."""

    name: str
    """Relative, with single slashes and none at the end."""
    kind: Kind
    size: int = 0
    """Bytes of a file."""
    executable: bool = False
    link: str = ""
    """Target of a symbolic link."""

    @property
    def mode(self) -> int:
        """Permission bits of a file: nothing but the executable bit is kept."""
        return 0o755 if self.executable else 0o644


def odd_name(name: str) -> str:
    """Why no archive may have a member of this name; empty where it may.

    A name that is not UTF-8 comes from the file system with surrogates (PEP 383).
    """
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        return "a name that is not UTF-8"
    if not name.isprintable() or "\\" in name:
        return "a name that systems read differently"
    if len(name) > _LENGTH or name.count("/") > _DEPTH:
        return "a name that is too long"
    return ""


class Gate:
    """Refuses what would leave the folder or replace something, whatever the order of members.

    It works on plain strings: an interpreter has thousands of members, and pathlib takes as long as zlib.
    """

    def __init__(self, archive: Path, limit: int) -> None:
        self.archive = archive
        self.limit = limit
        self.total = 0
        self.kinds: dict[str, Kind] = {}
        self.links: dict[str, str] = {}
        self.folded: dict[str, str] = {}

    def admit(self, name: str, kind: Kind, *, mode: int = 0, size: int = 0, link: str = "") -> Entry:
        """Look at the next member before a byte of it is read.

        Args:
            name: as the archive has it.
            kind: what it is.
            mode: as the archive has it; special bits are refused.
            size: what the archive says that it unpacks to.
            link: what a link leads to.

        Raises:
            ArchiveError: names the member and the fact.
        """
        self._plain(name, mode, size)
        name = self._inside(name)
        parent = name.rpartition("/")[0]
        if parent and self.kinds.get(parent) != "folder":
            self._parents(parent, name)
        before = self.kinds.get(name)
        if before and not before == kind == "folder":
            raise self.error(name, "is there twice")
        if kind == "link":
            self._link(name, parent, link)
        if kind == "file":
            self.total += size
        if self.total > self.limit:
            raise self.error(name, f"unpacks to more than {self.limit >> 20} MiB")
        if not before:
            self._enter(name, kind)
        return Entry(name, kind, size, bool(mode & stat.S_IXUSR), link)

    def close(self) -> None:
        """Check the links once all members are known: no link may lead through another one.

        Raises:
            ArchiveError: names the link.
        """
        for name, link in self.links.items():
            place = name.split("/")[:-1]
            for part in [part for part in link.split("/") if part not in ("", ".")][:-1]:
                if part == "..":
                    place.pop()  # never empty: `_link` saw that it stays inside
                else:
                    place.append(part)
                if "/".join(place) in self.links:
                    raise self.error(name, f"a link through another link: {link}")

    def error(self, name: str, fact: str) -> ArchiveError:
        """An error that names a member; a name that is no plain text is shown with escapes."""
        return ArchiveError(f"{self.archive}: {name if name.isprintable() else repr(name)}: {fact}")

    def _plain(self, name: str, mode: int, size: int) -> None:
        if not 0 <= size <= self.limit:
            raise self.error(name, f"says it has {size} bytes")
        if mode & _SPECIAL:
            raise self.error(name, "has a set-user, set-group or sticky bit")
        if fact := odd_name(name):
            raise ArchiveError(f"{self.archive}: {name[:80]!r}: {fact}")

    def _inside(self, name: str) -> str:
        parts = name.split("/")
        if "" in parts or "." in parts:
            parts = [part for part in parts if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or not parts:
            raise self.error(name, "leads out of the archive")
        return "/".join(parts)

    def _parents(self, parent: str, name: str) -> None:
        """Enter each folder above a member that the archive has not listed itself."""
        parts = parent.split("/")
        for depth in range(1, len(parts) + 1):
            above = "/".join(parts[:depth])
            kind = self.kinds.get(above)
            if kind is None:
                self._enter(above, "folder")
            elif kind != "folder":
                raise self.error(name, f"lies below {above}, which is no folder")

    def _link(self, name: str, parent: str, link: str) -> None:
        if not 0 < len(link) <= LONGEST_LINK or not link.isprintable() or "\\" in link:
            raise self.error(name, f"a link that systems read differently: {link[:80]!r}")
        goal = os.path.normpath(os.path.join(parent, link))
        if link.startswith("/") or goal == ".." or goal.startswith("../"):
            raise self.error(name, f"a link that leads out: {link}")
        self.links[name] = link

    def _enter(self, name: str, kind: Kind) -> None:
        self.kinds[name] = kind
        if len(self.kinds) > _ENTRIES:
            raise self.error(name, f"one of more than {_ENTRIES} members")
        folded = name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()
        other = self.folded.setdefault(folded, name)
        if other != name:
            raise self.error(name, f"is {other} where upper and lower case are one")
