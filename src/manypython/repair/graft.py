"""Plan to bring every external library into the tree, under a name nobody else uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from manypython.model.errors import AuditError
from manypython.model.tree import GRAFTS
from manypython.repair.audit import AuditReport, one_architecture
from manypython.repair.edits import (
    CopyIn,
    Edit,
    Move,
    Plan,
    Remove,
    ReplaceNeeded,
    SetRpath,
    SetSoname,
    Strip,
)
from manypython.repair.foresee import insist_holds
from manypython.repair.libraries import Library
from manypython.repair.loading import Find
from manypython.repair.rpath import Places, User, link_folders, new_name, rpath


@dataclass(frozen=True)
class Graft:
    """One library that was or will be brought in."""

    soname: str
    path: PurePosixPath
    sha256: str


def plan_graft(report: AuditReport) -> Plan:
    """Bring libraries in, rename them, and let every user find them by ``DT_RPATH``.

    ``DT_RPATH`` and not ``DT_RUNPATH``: a foreign ``LD_LIBRARY_PATH`` beats the latter
    (ld.so(8)). The hashed names are auditwheel's, so that an extension that brings its
    own OpenSSL never meets ours. A library that lies in the tree stays there, unless it
    lies where ``LD_LIBRARY_PATH`` would spread it: then it is moved.

    Raises:
        AuditError: a library cannot be located, or files would not find what they found before.
        TreeError: the tree mixes architectures.
    """
    one_architecture(report)
    _insist_located(report)
    _insist_certain(report)
    places = places_of(report)
    edits: list[Edit] = []
    planned: set[PurePosixPath] = set()
    for library in _in_order(report):
        place = places[library.path]
        if place not in planned:
            planned.add(place)
            edits += _bring_in(report, library, places)
        elif library.inside:
            edits.append(Remove(library.inside, f"the same as {place}"))
    moved = {library.inside for library in report.libraries.values()}
    folders = link_folders(report.finds.values())
    for file in report.files:
        if file.path in moved:
            continue
        if file.strippable:
            edits.append(Strip(file.path))
        finds = report.finds_of(file.path)
        edits += _needs(file.path, finds, places)
        before = Path(report.layout.root, file.path)
        user = User(file, finds, before, file.path, folders.get(file.path, ()))
        new = rpath(report.layout, user, places)
        if new != file.rpath or file.runpath:
            edits.append(SetRpath(file.path, new))
    for link, goal in sorted(report.layout.links.items()):
        if goal in moved:
            edits.append(Remove(link, "a link to a library that is moved"))
    insist_holds(report.layout, report.finds, report.libraries, tuple(edits), places)
    return tuple(edits)


def grafts(report: AuditReport) -> tuple[Graft, ...]:
    """The libraries to bring in, with the names they get: ``libssl-1a2b3c4d.so.3``."""
    places = places_of(report)
    grafts_by_place: dict[PurePosixPath, Graft] = {}
    for library in _in_order(report):
        place = places[library.path]
        grafts_by_place.setdefault(place, Graft(library.soname, place, library.sha256))
    return tuple(grafts_by_place.values())


def _in_order(report: AuditReport) -> list[Library]:
    return sorted(report.libraries.values(), key=lambda library: (library.soname, library.path))


def places_of(report: AuditReport) -> Places:
    """Where each library goes. Files with the same content that load the same are one library."""
    kinds = _kinds(report)
    names: dict[str, int] = {}
    for library in _in_order(report):
        name, number = _hashed(library), 1
        while names.setdefault(name, kinds[library.path]) != kinds[library.path]:
            number += 1
            name = _hashed(library, f"-{number}")
    by_kind = {kind: PurePosixPath(GRAFTS, name) for name, kind in names.items()}
    return {path: by_kind[kind] for path, kind in kinds.items()}


def _kinds(report: AuditReport) -> dict[Path, int]:
    """A number for each library: equal where the content is the same and what is loaded for it, too.

    Two copies that stand beside two different libraries that they need are two libraries.
    """
    libraries = _in_order(report)
    signs: dict[Path, object] = {library.path: (library.soname, library.sha256) for library in libraries}
    count = 0
    while True:
        numbers = {sign: number for number, sign in enumerate(dict.fromkeys(signs.values()))}
        kinds = {path: numbers[sign] for path, sign in signs.items()}
        if len(numbers) == count:
            return kinds
        count = len(numbers)
        signs = {
            path: (
                kind,
                tuple(kinds.get(find.path, find.path) for find in report.finds_of(path) if find.path),
            )
            for path, kind in kinds.items()
        }


def _hashed(library: Library, mark: str = "") -> str:
    base, dot, rest = library.soname.partition(".")
    return f"{base}-{library.sha256[:8]}{mark}{dot}{rest}"


def _bring_in(report: AuditReport, library: Library, places: Places) -> list[Edit]:
    place, finds = places[library.path], report.finds_of(library.path)
    user = User(library.linkage, finds, library.path, place)
    return [
        Move(place, library.inside) if library.inside else CopyIn(place, library.path),
        Strip(place),
        SetSoname(place, place.name),
        *_needs(place, finds, places),
        SetRpath(place, rpath(report.layout, user, places)),
    ]


def _needs(path: PurePosixPath, finds: tuple[Find, ...], places: Places) -> list[Edit]:
    """New names in a file, for the libraries that are renamed."""
    names = {find.name: new_name(find, places) for find in finds}
    return [ReplaceNeeded(path, old, new) for old, new in names.items() if new != old]


def _insist_located(report: AuditReport) -> None:
    lost = [
        f"  {find.name}, needed by {_shown(report, user)}"
        for user in _users(report)
        for find in report.finds_of(user)
        if find.lost
    ]
    if not lost:
        return
    searched = "".join(f"{folder}, " for folder in report.searched)
    raise AuditError(
        "libraries that cannot be located:\n" + "\n".join(dict.fromkeys(lost)),
        remedy="install them, name their folder with --search DIR, or remove the files from the tree "
        f"(searched: the files' rpaths, {searched}LD_LIBRARY_PATH and the system's library folders)",
    )


def _insist_certain(report: AuditReport) -> None:
    """Refuse a file that gets different libraries from those that load it, if one had to be chosen."""
    facts = [
        f"  {_shown(report, user)}: {find.name} is {' or '.join(_shown(report, path) for path in paths)}"
        for user in _users(report)
        for find in report.finds_of(user)
        if find.others and find.path is not None
        for paths in [(find.path, *find.others)]
        if any(path in report.libraries or report.layout.inside(path) is None for path in paths)
    ]
    if facts:
        raise AuditError(
            "what is loaded depends on who loads these files:\n" + "\n".join(facts),
            remedy="give each an rpath to the one that it needs",
        )


def _users(report: AuditReport) -> Iterator[Path]:
    """Every file that needs libraries: of the tree, and what is brought in."""
    yield from (Path(report.layout.root, file.path) for file in report.files)
    yield from report.libraries


def _shown(report: AuditReport, path: Path) -> str:
    return str(report.layout.inside(path) or path)
