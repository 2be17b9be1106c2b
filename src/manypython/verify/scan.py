"""Look at every byte of a tree: no build path, no old prefix, no odd link."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from manypython.model.tree import NEUTRAL_PREFIX, Tree, spreads

_NEUTRAL_ALLOWED = (
    # the literal that installers rewrite, and its bytecode
    re.compile(r"lib/python3\.\d+t?/(__pycache__/)?_sysconfigdata[^/]*\.pyc?$"),
    re.compile(r"lib/python3\.\d+t?/_sysconfig_vars[^/]*\.json$"),
)
_NEUTRAL = re.compile(
    rb"(?<![\w./-])" + re.escape(NEUTRAL_PREFIX.encode()) + rb"/(?:bin|lib|include|share)\b"
)
_OURS = re.compile(rb"/manypython/(?:work|builds|toolchains|zig)/")
"""Folders of our own cache, on whatever machine the tree was built."""


def scan(
    tree: Tree,
    forbidden: tuple[str, ...],
    unneeded: tuple[str, ...] = (),
    strangers: frozenset[PurePosixPath] = frozenset(),
) -> tuple[str, ...]:
    """Everything that must not be in a portable tree.

    Args:
        tree: what to look at.
        forbidden: absolute folders of the build machine; the old prefix among them.
        unneeded: libraries with generic names that may stay where they are.
        strangers: ELF files of packages that were left as they are, whatever they name.

    Returns:
        One fact per finding, with the file's path.
    """
    facts: list[str] = []
    needles = [(text, text.encode()) for text in forbidden if text != NEUTRAL_PREFIX]
    for folder, folders, names in os.walk(tree.root):
        folders.sort()
        for name in sorted(folders + names):
            path = Path(folder, name)
            relative = path.relative_to(tree.root).as_posix()
            if path.is_symlink():
                facts += _link(path, relative)
                continue
            if spreads(PurePosixPath(relative)) and relative not in unneeded:
                facts.append(f"{relative}: a generic soname, which LD_LIBRARY_PATH may spread")
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                continue
            if not stat.S_ISREG(mode):
                facts.append(f"{relative}: no file, folder or link")
                continue
            if mode & 0o6002:
                facts.append(f"{relative}: writable by all, or setuid")
            if PurePosixPath(relative) not in strangers:
                facts += (f"{relative}: names {place}" for place in _folders_named(path, relative, needles))
    return tuple(facts)


def _folders_named(path: Path, relative: str, needles: list[tuple[str, bytes]]) -> Iterator[str]:
    """Folders that a file names and should not."""
    data = path.read_bytes()
    yield from (text for text, needle in needles if needle in data)
    if _OURS.search(data):
        yield "a folder of the build"
    # in ELF files it is getpath's last resort, and OpenSSL's and ncurses' install folders
    allowed = data[:4] == b"\x7fELF" or any(p.match(relative) for p in _NEUTRAL_ALLOWED)
    if _NEUTRAL.search(data) and not allowed:
        yield NEUTRAL_PREFIX


def _link(path: Path, relative: str) -> list[str]:
    target = os.readlink(path)
    if os.path.isabs(target):
        return [f"{relative}: absolute link to {target}"]
    if not path.exists():
        return [f"{relative}: dangling link to {target}"]
    return []
