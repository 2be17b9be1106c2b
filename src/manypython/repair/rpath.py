"""The ``DT_RPATH`` and the names by which a file of a tree finds its libraries."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from manypython.elf.reading import Linkage
from manypython.model.tree import GRAFTS
from manypython.repair.loading import Find, Layout

Places = Mapping[Path, PurePosixPath]
"""Where libraries are brought to, by the file that they are now."""
_ORIGIN = "$ORIGIN"


@dataclass(frozen=True)
class User:
    """A file that needs libraries, as it is before the graft and where it will be."""

    linkage: Linkage
    finds: tuple[Find, ...]
    before: Path
    """Absolute, all links followed."""
    after: PurePosixPath
    """In the tree."""
    link_folders: tuple[PurePosixPath, ...] = ()
    """Other folders of the tree that it is loaded from, through links."""


def rpath(layout: Layout, user: User, places: Places) -> str:
    """The ``DT_RPATH`` a file must have.

    Every entry that leads into the tree stays, in its order; those that were absolute, or
    belong to a file that moves, are written anew. After them comes what else is needed:
    the folder of the grafts, and folders that were found by other means than an rpath.
    """
    texts: dict[str, None] = {}
    folders: set[PurePosixPath] = set()
    if user.after.parent == PurePosixPath(GRAFTS) and layout.inside(user.before) != user.after:
        texts[_ORIGIN] = None
        folders.add(user.after.parent)
    for entry, folder in _kept(layout, user):
        texts.update(dict.fromkeys([entry] if entry else _entries(user, folder)))
        folders.add(folder)
    for folder in _needed_folders(user, places):
        if folder not in folders:
            texts.update(dict.fromkeys(_entries(user, folder)))
            folders.add(folder)
    return ":".join(texts)


def _kept(layout: Layout, user: User) -> Iterator[tuple[str, PurePosixPath]]:
    """Entries that lead into the tree, with their folders; an empty entry has to be written anew."""
    stays = layout.inside(user.before) == user.after
    for entry in (user.linkage.runpath or user.linkage.rpath).split(":"):
        absolute = layout.folder(entry, str(user.before.parent))
        for folder in layout.meant(absolute) if absolute else ():
            yield entry if stays and "$" in entry and layout.inside(absolute) is not None else "", folder
            break


def _needed_folders(user: User, places: Places) -> Iterator[PurePosixPath]:
    for find in user.finds:
        if find.path in places:
            yield PurePosixPath(GRAFTS)
        elif find.folder is not None and (not find.sure or "/" in find.name) and not find.others:
            yield find.folder


def _entries(user: User, folder: PurePosixPath) -> Iterator[str]:
    """A folder of the tree, from every folder that the file may be loaded from."""
    for start in (user.after.parent, *user.link_folders):
        way = os.path.relpath(folder, start)
        yield _ORIGIN if way == "." else f"{_ORIGIN}/{way}"


def new_name(find: Find, places: Places) -> str:
    """What a file has to ask for: a name, never a path."""
    place = places.get(find.path) if find.path else None
    return place.name if place else PurePosixPath(find.name).name


def link_folders(finds: Iterable[tuple[Find, ...]]) -> dict[PurePosixPath, tuple[PurePosixPath, ...]]:
    """The folders, other than their own, that files of a tree are loaded from through links."""
    folders_by_file: dict[PurePosixPath, set[PurePosixPath]] = {}
    for find in (find for group in finds for find in group):
        if find.inside and find.folder and find.folder != find.inside.parent:
            folders_by_file.setdefault(find.inside, set()).add(find.folder)
    return {path: tuple(sorted(folders)) for path, folders in folders_by_file.items()}
