"""Trees as the dynamic linker meets them, without a byte on a disk."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from manypython.elf.reading import ElfFile, Linkage
from manypython.repair.audit import AuditReport
from manypython.repair.libraries import to_bring_in
from manypython.repair.loading import Layout, Outside, resolve

ROOT = "/tree that is not there"
PYTHON = "bin/python3.13"


def linked(
    *needed: str, rpath: str = "", runpath: str = "", soname: str = "", architecture: str = "x86_64"
) -> Linkage:
    """A shared library."""
    return Linkage(architecture, soname, (*needed, "libc.so.6"), rpath, runpath, program=False)


def program(*needed: str, rpath: str = "", runpath: str = "") -> Linkage:
    """An executable."""
    return Linkage("x86_64", "", (*needed, "libc.so.6"), rpath, runpath, program=True)


class Around(Outside):
    """A machine with these libraries; nothing is read from a disk."""

    def __init__(self, files: dict[str, Linkage], *folders: str) -> None:
        super().__init__(folders)
        self.files = files

    def read(self, path: str) -> tuple[Path, Linkage] | None:  # type: ignore[override]
        return (Path(path), self.files[path]) if path in self.files else None


def layout(
    files: dict[str, Linkage], links: dict[str, str] | None = None, origins: tuple[str, ...] = ()
) -> Layout:
    """A tree of these files, with an interpreter where none is given."""
    known = {PurePosixPath(path): linkage for path, linkage in {PYTHON: program(), **files}.items()}
    pairs = {PurePosixPath(link): PurePosixPath(goal) for link, goal in (links or {}).items()}
    return Layout(ROOT, known, pairs, PurePosixPath(PYTHON), origins)


def report(tree: Layout, around: Outside, contents: dict[str, str] | None = None) -> AuditReport:
    """What an audit of such a tree says.

    Args:
        tree: which.
        around: the machine.
        contents: sha256 by path, where files are alike; the others differ.
    """
    finds = resolve(tree, around)
    files = tuple(
        ElfFile(**vars(linkage), path=path, versions=(), policy="manylinux_2_17_x86_64", strippable=False)
        for path, linkage in tree.files.items()
    )
    digests: dict[Path, str] = {}

    def digest(path: Path) -> str:
        return (contents or {}).get(str(path)) or digests.setdefault(path, f"{len(digests):08x}")

    libraries = {library.path: library for library in to_bring_in(finds, tree, around, digest)}
    return AuditReport(Path(ROOT), files, libraries, "manylinux_2_17_x86_64", (), (), tree, finds)
