"""Try a graft's plan on the tree as it was read, before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from manypython.elf.reading import Linkage
from manypython.model.errors import AuditError
from manypython.repair.edits import CopyIn, Move, Plan, Remove, ReplaceNeeded, SetRpath, SetSoname
from manypython.repair.libraries import Finds, Library
from manypython.repair.loading import Find, Layout, Outside, resolve
from manypython.repair.rpath import Places, new_name


def insist_holds(
    layout: Layout, finds: Finds, libraries: Mapping[Path, Library], plan: Plan, places: Places
) -> None:
    """Insist that after a plan every file finds the libraries that it found before, and none outside.

    Args:
        layout: the tree as it is.
        finds: what its files load.
        libraries: what is brought in.
        plan: what is to be done.
        places: where it brings the libraries.

    Raises:
        AuditError: names each file that would find nothing, or something else.
    """
    after = afterwards(layout, libraries, plan)
    finds_afterwards = resolve(after, Outside())
    facts: dict[str, None] = {}
    for before in (*(Path(layout.root, path) for path in layout.files), *libraries):
        place = places.get(before) or layout.inside(before)
        new_finds = {find.name: find for find in finds_afterwards.get(Path(after.root, place or ""), ())}
        for find in finds.get(before, ()):
            for fact in _difference(find, new_finds.get(new_name(find, places)), places):
                facts[f"  {place}: {fact}"] = None
    if facts:
        raise AuditError(
            "nothing was changed, because files would no longer load what they load now:\n"
            + "\n".join(facts),
            remedy="remove these files from the tree, or give each an rpath to its own libraries",
        )


def afterwards(layout: Layout, libraries: Mapping[Path, Library], plan: Plan) -> Layout:
    """A tree as it will be: what the dynamic linker will read. It has no origins."""
    files: dict[PurePosixPath, Linkage] = dict(layout.files)
    links = dict(layout.links)
    for edit in plan:
        match edit:
            case CopyIn(path=path, source=source):
                files[path] = libraries[source].linkage
            case Move(path=path, source=old):
                files[path] = files.pop(old)
            case Remove(path=path):
                files.pop(path, None)
                links.pop(path, None)
            case SetSoname(path=path, soname=soname):
                files[path] = replace(files[path], soname=soname)
            case ReplaceNeeded(path=path, old=was, new=new):
                needed = tuple(new if name == was else name for name in files[path].needed)
                files[path] = replace(files[path], needed=needed)
            case SetRpath(path=path, rpath=rpath):
                files[path] = replace(files[path], rpath=rpath, runpath="")
            case _:
                pass
    return replace(layout, files=files, links=links, origins=())


def _difference(before: Find, after: Find | None, places: Places) -> Iterator[str]:
    """What is wrong with what a file will find for one need."""
    if before.everywhere or before.others:
        return
    expected = places.get(before.path) or before.inside if before.path else None
    actual = after.inside if after else None
    if actual != expected:
        yield f"{before.name} would be {actual or 'found nowhere'}, not {expected}"
