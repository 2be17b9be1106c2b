"""What goes into an archive, always in the same order and with the same modes and dates."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Member:
    """One file, folder or symbolic link of an archive."""

    name: PurePosixPath
    content: Path | bytes | None = None
    """A file on disk, or its bytes; None for folders and links."""
    link: str = ""
    """Target of a symbolic link."""
    executable: bool = False

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.content is None and not self.link

    @property
    def mode(self) -> int:
        """Permission bits: the umask of the machine that packs plays no part."""
        if self.link:
            return 0o777
        return 0o755 if self.executable or self.is_folder else 0o644

    def read(self) -> bytes:
        """The bytes of a file."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content or b""


def of_folder(root: Path) -> Iterator[Member]:
    """Everything below a folder, with names relative to it."""
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            relative = PurePosixPath(path.relative_to(root))
            if path.is_symlink():
                yield Member(relative, link=os.readlink(path))
            elif path.is_dir():
                yield Member(relative)
            else:
                yield Member(relative, path, executable=bool(path.stat().st_mode & 0o100))


def complete(members: Iterable[Member]) -> tuple[Member, ...]:
    """Members sorted by name, each once (the last counts), with every folder above them."""
    by_name = {member.name: member for member in members}
    for name in list(by_name):
        for parent in name.parents[:-1]:
            by_name.setdefault(parent, Member(parent))
    return tuple(member for _, member in sorted(by_name.items()))


def below(top: str, members: Iterable[Member]) -> tuple[Member, ...]:
    """The same members under one top folder."""
    moved = (Member(PurePosixPath(top, m.name), m.content, m.link, m.executable) for m in members)
    return complete(moved)
