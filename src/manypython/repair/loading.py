"""Which file the dynamic linker loads for each library that the files of a tree need: ld.so(8).

A library is known by the file that it is, all links followed, never by its soname: two
files may have the same. What lies in the tree is data here, so that a plan can be tried
before anything is done; what lies outside is read by ``Outside``.
"""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from manypython.elf.policies import everywhere
from manypython.elf.reading import Linkage, linkage
from manypython.model.target import LibcFamily

_ORIGINS = ("$ORIGIN", "${ORIGIN}")


@dataclass(frozen=True)
class Find:
    """What is loaded for one ``DT_NEEDED`` of a file."""

    name: str
    """As the file has it; a path, where a library without a soname was linked by its path."""
    path: Path | None
    """The file, all links followed; None where none is found."""
    inside: PurePosixPath | None = None
    """The same in the tree; None where it lies outside."""
    folder: PurePosixPath | None = None
    """Folder of the tree where it is found, as a file or as a link to one."""
    sure: bool = True
    """Whether it is found whoever loads the file."""
    others: tuple[Path, ...] = ()
    """What is found instead where others load the file."""
    everywhere: bool = False
    """Whether every system has it, so that only the path in its name is a problem."""

    @property
    def lost(self) -> bool:
        """Whether nothing is found."""
        return self.path is None and not self.everywhere


@dataclass(frozen=True)
class Layout:
    """The files of a tree, as the dynamic linker meets them."""

    root: str
    """The tree's folder, absolute, all links followed."""
    files: Mapping[PurePosixPath, Linkage]
    links: Mapping[PurePosixPath, PurePosixPath]
    """Links in the tree to files in the tree."""
    main: PurePosixPath
    """The interpreter: its rpath holds for all that it loads."""
    origins: tuple[str, ...] = ()
    """Folders where the tree stood before: a path below one of them means the same place in the tree."""
    libc: LibcFamily = LibcFamily.GLIBC

    def inside(self, path: str | Path) -> PurePosixPath | None:
        """A path as it is in the tree; None where it leads out of it."""
        place = PurePosixPath(path)
        return place.relative_to(self.root) if place.is_relative_to(self.root) else None

    def meant(self, path: str | Path) -> Iterator[PurePosixPath]:
        """What a path means in the tree: where it leads into it, or once did."""
        place = PurePosixPath(path)
        for base in (self.root, *self.origins):
            if place.is_relative_to(base):
                yield place.relative_to(base)

    def folder(self, entry: str, origin: str) -> str:
        """The folder that an entry of an rpath names; empty where it depends on the current one.

        Args:
            entry: between two colons.
            origin: folder of the file whose rpath it is.
        """
        for word in _ORIGINS:
            entry = entry.replace(word, origin)
        return os.path.realpath(entry) if entry.startswith("/") else ""


class Outside:
    """What lies around a tree."""

    def __init__(self, folders: Iterable[str] = ()) -> None:
        """Prepare to look.

        Args:
            folders: where libraries that no rpath leads to are looked for, in this order.
        """
        self.folders = tuple(os.path.realpath(folder) for folder in folders)

    @functools.cache  # noqa: B019  (as long-lived as what it reads)
    def read(self, path: str) -> tuple[Path, Linkage] | None:
        """A file with its links followed; None where it is no library."""
        real = Path(os.path.realpath(path))
        elf_linkage = linkage(real)
        return (real, elf_linkage) if elf_linkage else None


@dataclass(frozen=True)
class _Loaded:
    """A library that was found."""

    path: Path
    linkage: Linkage
    inside: PurePosixPath | None
    folder: str
    """Where it was found: what ``$ORIGIN`` means in it."""


@dataclass(frozen=True)
class _Load:
    """One way in which a file comes to be loaded."""

    what: _Loaded
    inherited: tuple[str, ...]
    """Folders of the ``DT_RPATH`` of those who load it, the nearest first."""
    alone: bool
    """Whether nobody needs it: it was started, or imported."""


@dataclass(frozen=True)
class _View:
    """What one way of loading a file finds for one of its needs."""

    alone: bool
    library: _Loaded | None
    by_rpath: bool = False
    """Whether the rpath of files leads to it, and not what the machine says."""


def resolve(layout: Layout, outside: Outside) -> dict[Path, tuple[Find, ...]]:
    """What is loaded for each need of each file of a tree, and of all that they load.

    The system's own libraries are left out, unless a file names them by their path.
    """
    return _Resolver(layout, outside).resolve()


class _Resolver:
    def __init__(self, layout: Layout, outside: Outside) -> None:
        self.layout, self.outside = layout, outside

    def resolve(self) -> dict[Path, tuple[Find, ...]]:
        views_by_file: dict[Path, dict[str, list[_View]]] = {}
        base = self._base()
        owns = [self._own(path) for path in self.layout.files]
        queue = deque(_Load(own, () if own.linkage.program else base, alone=True) for own in owns)
        met = set(queue)
        while queue:
            load = queue.popleft()
            needs = views_by_file.setdefault(load.what.path, {})
            for name, view in self._needs(load):
                needs.setdefault(name, []).append(view)
                for new in self._following(load, view.library, base):
                    if new not in met:
                        met.add(new)
                        queue.append(new)
        return {
            path: tuple(self._choice(path, name, views) for name, views in needs.items())
            for path, needs in views_by_file.items()
        }

    def _own(self, path: PurePosixPath) -> _Loaded:
        place = Path(self.layout.root, path)
        return _Loaded(place, self.layout.files[path], path, str(place.parent))

    def _base(self) -> tuple[str, ...]:
        """What everything that the interpreter loads inherits: its ``DT_RPATH``, and libpython's."""
        if self.layout.main not in self.layout.files:
            return ()
        main = _Load(self._own(self.layout.main), (), alone=True)
        inherited = self._passed_on(main)
        for name, view in self._needs(main):
            if view.library and PurePosixPath(name).name.startswith("libpython"):
                return self._passed_on(_Load(view.library, inherited, alone=False))
        return inherited

    def _following(self, load: _Load, library: _Loaded | None, base: tuple[str, ...]) -> Iterator[_Load]:
        """The ways in which a library comes to be loaded."""
        if library:
            yield _Load(library, self._passed_on(load), alone=False)
            if library.inside is None:
                yield _Load(library, base, alone=True)

    def _passed_on(self, load: _Load) -> tuple[str, ...]:
        own = () if load.what.linkage.runpath else self._folders(load.what)
        return tuple(dict.fromkeys((*own, *load.inherited)))

    @functools.cache  # noqa: B019  (a resolver lives as long as one resolution)
    def _folders(self, what: _Loaded) -> tuple[str, ...]:
        entries = (what.linkage.runpath or what.linkage.rpath).split(":")
        folders = (self.layout.folder(entry, what.folder) for entry in entries)
        return tuple(folder for folder in folders if folder)

    def _needs(self, load: _Load) -> Iterator[tuple[str, _View]]:
        what, libc = load.what, self.layout.libc
        rpath = (*self._folders(what), *(() if what.linkage.runpath else load.inherited))
        for name in dict.fromkeys(what.linkage.needed):
            folder, base = os.path.split(name)
            if everywhere(libc, name):
                continue
            if everywhere(libc, base):
                yield name, _View(load.alone, None)
                continue
            library = None
            if folder:  # linked by its path; where that is gone, it is looked for like any other
                library = self._first((self.layout.folder(folder, what.folder),), base, what)
            by_path = library is not None
            library = library or self._first(rpath, base, what)
            by_rpath = library is not None and not by_path
            library = library or self._first(self.outside.folders, base, what)
            yield name, _View(load.alone, library, by_rpath)

    def _first(self, folders: tuple[str, ...], name: str, user: _Loaded) -> _Loaded | None:
        """The first library of that name that is for the user's architecture."""
        for folder in folders:
            library = self._at(folder, name) if folder else None
            if library and library.linkage.architecture == user.linkage.architecture:
                return library
        return None

    @functools.cache  # noqa: B019
    def _at(self, folder: str, name: str) -> _Loaded | None:
        """The library in a place: the tree's own, where the place is or was in the tree."""
        place = f"{folder}/{name}"
        for inside in self.layout.meant(place):
            path = self.layout.links.get(inside, inside)
            if path in self.layout.files:
                parent = Path(self.layout.root, inside).parent
                return _Loaded(Path(self.layout.root, path), self.layout.files[path], path, str(parent))
        outside = self.outside.read(place)
        if outside is None:
            return None
        for path in self.layout.meant(outside[0]):  # through a link from outside
            if path in self.layout.files:
                return self._own(path)
        return (
            _Loaded(outside[0], outside[1], None, folder) if self.layout.inside(outside[0]) is None else None
        )

    def _choice(self, user: Path, name: str, views: list[_View]) -> Find:
        """What a file gets, where that depends on who loads it.

        A file of the tree that others load gets what it gets from them, before what it would
        get alone. For a library from outside it is the other way round: it is the same for everybody.
        """
        if everywhere(self.layout.libc, PurePosixPath(name).name):
            return Find(name, None, everywhere=True)
        loaded, alone = ([view for view in views if view.alone is kind] for kind in (False, True))
        first, second = (loaded, alone) if self.layout.inside(user) else (alone, loaded)
        deciding = first if any(view.library for view in first) else second
        libraries = list({view.library.path: view.library for view in deciding if view.library}.values())
        libraries.sort(key=lambda library: (library.inside is None, library.path))
        if not libraries:
            return Find(name, None)
        best, *others = libraries
        folder = self.layout.inside(best.folder) if best.inside else None
        sure = not others and all(view.by_rpath for view in deciding)
        return Find(name, best.path, best.inside, folder, sure, tuple(library.path for library in others))
