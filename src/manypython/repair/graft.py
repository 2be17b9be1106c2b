"""Plan to bring every external library into the tree, under a name nobody else uses."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import PurePosixPath

from manypython.model.errors import AuditError
from manypython.model.tree import GRAFTS
from manypython.repair.audit import AuditReport, one_architecture
from manypython.repair.edits import CopyIn, Edit, Plan, ReplaceNeeded, SetRpath, SetSoname, Strip
from manypython.repair.elf import ElfFile, Library

_ORIGIN = "$ORIGIN"


@dataclass(frozen=True)
class Graft:
    """One library that was or will be brought in."""

    soname: str
    path: PurePosixPath
    sha256: str


def plan_graft(report: AuditReport) -> Plan:
    """Copy external libraries in, rename them, and let every user find them by ``DT_RPATH``.

    ``DT_RPATH`` and not ``DT_RUNPATH``: a foreign ``LD_LIBRARY_PATH`` beats the latter
    (ld.so(8)). The hashed names are auditwheel's, so that an extension that brings its
    own OpenSSL never meets ours.

    Raises:
        AuditError: a library cannot be located.
        TreeError: the tree mixes architectures.
    """
    one_architecture(report)
    _insist_located(report)
    renamed = {graft.soname: graft.path.name for graft in grafts(report)}
    grafted = {file.path.name for file in report.files if str(file.path.parent) == GRAFTS} | set(renamed)
    edits: list[Edit] = []
    for graft in grafts(report):
        library = report.libraries[graft.soname]
        assert library.path is not None  # noqa: S101  (_insist_located)
        edits.append(CopyIn(graft.path, library.path))
        edits.append(Strip(graft.path))
        edits.append(SetSoname(graft.path, graft.path.name))
        edits += _needs(graft.path, library.needed, renamed)
        edits.append(SetRpath(graft.path, _ORIGIN))
    for file in report.files:
        if file.strippable:
            edits.append(Strip(file.path))
        edits += _needs(file.path, file.needed, renamed)
        rpath = _rpath(file, grafted)
        if rpath != file.rpath or file.runpath:
            edits.append(SetRpath(file.path, rpath))
    return tuple(edits)


def grafts(report: AuditReport) -> tuple[Graft, ...]:
    """The libraries to bring in, with the names they get: ``libssl-1a2b3c4d.so.3``."""
    return tuple(
        Graft(soname, PurePosixPath(GRAFTS, _hashed(library)), library.sha256)
        for soname, library in sorted(report.libraries.items())
    )


def _hashed(library: Library) -> str:
    base, dot, rest = library.soname.partition(".")
    return f"{base}-{library.sha256[:8]}{dot}{rest}"


def _needs(path: PurePosixPath, needed: tuple[str, ...], renamed: dict[str, str]) -> list[Edit]:
    return [ReplaceNeeded(path, old, renamed[old]) for old in needed if old in renamed]


def _rpath(file: ElfFile, grafted: set[str]) -> str:
    """The rpath a file must have: to the grafts, and to ``lib/`` for a shared libpython."""
    folder = str(file.path.parent)
    entries = []
    if folder == GRAFTS:
        return _ORIGIN
    if any(name in grafted for name in file.needed):
        entries.append(f"{_ORIGIN}/{os.path.relpath(GRAFTS, folder)}")
    if any(name.startswith("libpython") for name in file.needed):
        entries.append(_ORIGIN if folder == "lib" else f"{_ORIGIN}/{os.path.relpath('lib', folder)}")
    return ":".join(entries)


def _insist_located(report: AuditReport) -> None:
    lost = [name for name, library in report.libraries.items() if library.path is None]
    if not lost:
        return
    users = [
        f"  {soname}, needed by {file.path}"
        for file in report.files
        for soname in file.external
        if soname in lost
    ]
    searched = ", ".join(str(folder) for folder in report.searched) or "none given"
    raise AuditError(
        "libraries that cannot be located:\n" + "\n".join(users),
        remedy=f"install them, or name their folder (searched: the files' rpaths, {searched}, "
        "and the system's library folders)",
    )
