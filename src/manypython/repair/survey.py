"""What in a prefix cannot go into an archive as it is, and what becomes of it, looked up before the copy."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from manypython.archives.gate import odd_name
from manypython.model.errors import TreeError
from manypython.model.tree import Tree

_LOWEST = {"cpython": (3, 10), "pypy": (3, 9)}
"""The oldest Python of each implementation whose tree can be made relocatable and be tried."""
_SHOWN = 20
"""Oddities that an error lists."""
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_FAILURES = {
    errno.ELOOP: "which leads in a circle",
    errno.ENOENT: "which is not there",
    errno.ENOTDIR: "which is not there",
}
_UNSAFE = stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH


class Fate(StrEnum):
    """What becomes of something odd."""

    FOLLOWED = "followed"
    """A copy of the file that the link leads to takes its place."""
    RELATIVE = "made relative"
    """The link leads to the same file of the tree, wherever the tree stands."""
    TAMED = "mode made plain"
    """Without the set-user and set-group bits, and writable by its owner alone."""
    LEFT_OUT = "left out"
    REFUSED = "refused"


@dataclass(frozen=True)
class Oddity:
    """One file, link or folder of a prefix that an archive cannot hold as it is."""

    path: PurePosixPath
    """In the prefix."""
    fact: str
    fate: Fate
    goal: str = ""
    """Of a link: the new target, or the file that is copied."""
    in_copies: bool = False
    """Whether a plain copy of the tree has it too, odd as it is: a link, or a mode."""

    def __str__(self) -> str:
        return f"{shown(self.path)}: {self.fact}: {self.fate}"

    def as_json(self) -> dict[str, str]:
        """The same for machines."""
        return {"path": shown(self.path), "fact": self.fact, "fate": self.fate}


def shown(path: PurePosixPath) -> str:
    """A path that can be printed anywhere: what is not plain text is escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else repr(text)[1:-1]


def survey(
    tree: Tree, left_out: Iterable[PurePosixPath] = (), origins: tuple[str, ...] = ()
) -> tuple[Oddity, ...]:
    """Look at every name, link, kind and mode below a prefix; no file is opened.

    Args:
        tree: the prefix. Of one shared with other software (``/usr``), only the standard library.
        left_out: what no copy takes, folders with all below them.
        origins: folders where it stood before; a link to a place below one of them means the same in it.
    """
    root = tree.stdlib if tree.shared else tree.root
    links = _Links(tree, frozenset(left_out), origins)
    return tuple(
        oddity
        for folder, folders, names in os.walk(root)
        for oddity in _of_folder(Path(folder), folders, names, links)
    )


def insist_young(tree: Tree) -> None:
    """Insist that a tree is of a Python that can be repaired and proved.

    Raises:
        TreeError: it is too old.
    """
    lowest = _LOWEST[tree.implementation]
    if tree.version.release[:2] < lowest:
        raise TreeError(
            f"{tree.root}: {tree.name} is too old",
            remedy=f"{'.'.join(map(str, lowest))} is the oldest that can be repaired and proved",
        )


def insist_takeable(tree: Tree, oddities: Iterable[Oddity]) -> None:
    """Insist that an archive can hold the files of a prefix, once its oddities are dealt with.

    Raises:
        TreeError: it cannot; each file that is in the way is named.
    """
    _refuse(tree, [oddity for oddity in oddities if oddity.fate is Fate.REFUSED])


def insist_copied(tree: Tree, oddities: Iterable[Oddity]) -> None:
    """Insist that a tree can be tried: what is tried is a copy, which must have all of its files.

    Raises:
        TreeError: each file that no copy has is named.
    """
    _refuse(tree, [oddity for oddity in oddities if not oddity.in_copies])


def insist_plain(tree: Tree, oddities: Iterable[Oddity]) -> None:
    """Insist that a tree, which is packed as it is, has nothing odd.

    Raises:
        TreeError: each oddity is named.
    """
    _refuse(tree, list(oddities))


def _refuse(tree: Tree, odd: list[Oddity]) -> None:
    if not odd:
        return
    lines = [f"  {shown(oddity.path)}: {oddity.fact}" for oddity in odd[:_SHOWN]]
    more = [f"  and {len(odd) - _SHOWN} more"] if len(odd) > _SHOWN else []
    raise TreeError(
        f"{tree.root}: an archive cannot hold all of its files:\n" + "\n".join(lines + more),
        remedy="rename or remove them, or give a copy without them",
    )


class _Links:
    """What the links of a prefix mean."""

    def __init__(self, tree: Tree, left_out: frozenset[PurePosixPath], origins: tuple[str, ...]) -> None:
        self.tree, self.left_out, self.origins = tree, left_out, origins
        self.root = os.path.realpath(tree.root)

    def takes(self, path: PurePosixPath) -> bool:
        return not {path, *path.parents} & self.left_out

    def oddity(self, path: Path, relative: PurePosixPath) -> Oddity | None:
        """What is odd about a link, if anything is."""
        target = os.readlink(path)
        fact = f"a link to {shown(PurePosixPath(target))}"
        try:
            real = os.path.realpath(self._meant(path, target), strict=True)
        except OSError as error:
            why = _FAILURES.get(error.errno or 0, "which cannot be followed")
            return _link(relative, f"{fact}, {why}", Fate.LEFT_OUT)
        if not PurePosixPath(real).is_relative_to(self.root):
            return self._outside(relative, fact, real)
        if not self.takes(PurePosixPath(real).relative_to(self.root)):
            return _link(relative, f"{fact}, which is left out", Fate.LEFT_OUT)
        if kind := _KINDS.get(stat.S_IFMT(Path(real).stat().st_mode)):
            return _link(relative, f"{fact}, which is {kind}", Fate.LEFT_OUT)
        if self._is_plain(path.parent, target):
            return None
        place = os.path.realpath(path.parent)
        return _link(relative, fact, Fate.RELATIVE, os.path.relpath(real, place))

    def _meant(self, path: Path, target: str) -> Path:
        """Where a link leads now that the prefix stands where it does."""
        for origin in self.origins:
            if PurePosixPath(target).is_relative_to(origin):
                place = self.tree.root / PurePosixPath(target).relative_to(origin)
                if place.exists():
                    return place
        return path

    def _outside(self, relative: PurePosixPath, fact: str, real: str) -> Oddity | None:
        if self.tree.shared:  # settings of that machine, and files that other Pythons have too
            return None
        if Path(real).is_dir():
            return _link(relative, f"{fact}, a folder outside the prefix", Fate.REFUSED)
        if not Path(real).is_file() or not os.access(real, os.R_OK):
            return _link(relative, f"{fact}, which is no file that can be read", Fate.LEFT_OUT)
        return _link(relative, f"{fact}, outside the prefix", Fate.FOLLOWED, real)

    def _is_plain(self, folder: Path, target: str) -> bool:
        """Whether a target is relative, never leaves the prefix, and no other link is on its way."""
        if os.path.isabs(target):
            return False
        place = os.path.realpath(folder)
        for part in target.split("/")[:-1]:
            place = os.path.normpath(os.path.join(place, part))
            if Path(place).is_symlink() or not PurePosixPath(place).is_relative_to(self.root):
                return False
        return True


def _link(path: PurePosixPath, fact: str, fate: Fate, goal: str = "") -> Oddity:
    return Oddity(path, fact, fate, goal, in_copies=True)


def _of_folder(folder: Path, folders: list[str], names: list[str], links: _Links) -> Iterator[Oddity]:
    """The oddities of one folder; folders that are left out are not walked into."""
    base = PurePosixPath(folder.relative_to(links.tree.root))
    folders[:] = sorted(name for name in folders if links.takes(base / name))
    for name in sorted((*folders, *names)):
        relative = base / name
        if not links.takes(relative):
            continue
        if fact := odd_name(str(relative)):
            yield Oddity(relative, fact, Fate.REFUSED)
        path = folder / name
        mode = path.lstat().st_mode
        kind = stat.S_IFMT(mode)
        if stat.S_ISLNK(mode):
            if oddity := links.oddity(path, relative):
                yield oddity
        elif kind in _KINDS:
            yield Oddity(relative, _KINDS[kind], Fate.LEFT_OUT)
        elif not os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(mode) else 0)):
            yield Oddity(relative, "cannot be read", Fate.REFUSED)
        elif stat.S_ISREG(mode) and mode & _UNSAFE:
            yield Oddity(relative, f"mode {stat.S_IMODE(mode):04o}", Fate.TAMED, in_copies=True)
