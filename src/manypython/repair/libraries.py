"""The shared libraries that have to be brought into a tree, or to another place in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from manypython.archives.members import sha256
from manypython.elf.reading import ElfFile, Linkage, system_folders
from manypython.model.tree import Tree, spreads
from manypython.repair.loading import Find, Layout, Outside

Finds = Mapping[Path, tuple[Find, ...]]
"""By the file that has the needs."""


@dataclass(frozen=True)
class Library:
    """A library to bring in: from outside, or from where it spreads to other programs."""

    path: Path
    """The file, all links followed; it identifies the library."""
    inside: PurePosixPath | None
    """The same in the tree; None where it lies outside."""
    soname: str
    linkage: Linkage
    sha256: str


def laid_out(tree: Tree, files: tuple[ElfFile, ...], origins: tuple[str, ...]) -> Layout:
    """A tree as the dynamic linker meets it.

    Args:
        tree: which.
        files: its ELF files.
        origins: folders where it stood before.
    """
    files_by_path = {file.path: file for file in files}
    root = tree.root.resolve()
    earlier_places = dict.fromkeys(
        place for origin in origins for place in (origin, os.path.realpath(origin))
    )
    main = PurePosixPath(tree.executable.resolve().relative_to(root))
    layout = Layout(str(root), files_by_path, {}, main, tuple(earlier_places))
    links: dict[PurePosixPath, PurePosixPath] = {}
    for folder, _, names in os.walk(root):
        for path in (Path(folder, name) for name in names):
            goals = layout.meant(os.path.realpath(path)) if path.is_symlink() else ()
            if goal := next((goal for goal in goals if goal in files_by_path), None):
                links[PurePosixPath(path.relative_to(root))] = goal
    return replace(layout, links=links)


def around(layout: Layout, search: tuple[Path, ...]) -> Outside:
    """What lies around a tree: what is searched, the environment's folders, the system's, its own ``lib``.

    The last is where a Python that was started with ``LD_LIBRARY_PATH`` has its libraries.
    """
    environment, system = system_folders(layout.libc)
    return Outside((*map(str, search), *environment, *system, f"{layout.root}/lib"))


def reached(finds: Finds, path: Path) -> Iterator[Find]:
    """What is loaded for the needs of a file, and of all that is loaded with it."""
    visited, queue = {path}, [path]
    while queue:
        for find in finds.get(queue.pop(), ()):
            yield find
            if find.path and find.path not in visited:
                visited.add(find.path)
                queue.append(find.path)


def beyond(finds: Finds, path: Path) -> Iterator[Find]:
    """What a file needs, directly or through others, from outside the tree."""
    return (find for find in reached(finds, path) if find.inside is None and not find.everywhere)


def to_bring_in(
    finds: Finds, layout: Layout, outside: Outside, digest: Callable[[Path], str] = sha256
) -> Iterator[Library]:
    """Every library that a tree's files load, directly or through others, and that cannot stay there.

    Args:
        finds: what is loaded.
        layout: the tree.
        outside: what lies around it.
        digest: of a library's content.
    """
    names: dict[Path, tuple[str, PurePosixPath | None]] = {}
    queue = [Path(layout.root, path) for path in layout.files]
    while queue:
        for find in finds.get(queue.pop(), ()):
            if find.path is None or (find.inside and not spreads(find.inside)):
                continue
            name = PurePosixPath(find.name).name
            if find.path not in names and find.inside is None:
                queue.append(find.path)
            names[find.path] = (min(name, names.get(find.path, (name,))[0]), find.inside)
    for path, (name, inside) in names.items():
        file = (path, layout.files[inside]) if inside else outside.read(str(path))
        if file is not None:
            soname = PurePosixPath(file[1].soname).name or name
            yield Library(path, inside, soname, file[1], digest(path))
