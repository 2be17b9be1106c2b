"""Which policy each ELF file of a tree meets, and why not a better one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from manypython.elf.policies import Policies
from manypython.elf.reading import CompanionError, ElfFile, Reader, dynamic_symbols, elf_paths
from manypython.model.errors import AuditError, TreeError, UsageError
from manypython.model.target import Architecture, LibcFamily, Target
from manypython.model.tree import Tree
from manypython.repair.libraries import Finds, Library, around, beyond, laid_out, to_bring_in
from manypython.repair.loading import Find, Layout, resolve
from manypython.repair.survey import shown


@dataclass(frozen=True)
class TooNew:
    """A symbol version that the target's libc does not have yet."""

    file: PurePosixPath
    symbol: str
    version: str
    library: str
    users: tuple[PurePosixPath, ...] = ()
    """The files of the tree that need this one, where it is a library."""

    def __str__(self) -> str:
        users = f", brought in by {', '.join(str(path) for path in self.users)}" if self.users else ""
        return f"{self.file}: {self.symbol}@{self.version} of {self.library}{users}"


@dataclass(frozen=True)
class Stranger:
    """An ELF file that came with a package and is for another machine, is broken, or is no program."""

    path: PurePosixPath
    fact: str

    def __str__(self) -> str:
        return f"{shown(self.path)}: {self.fact}: left as it is"

    def as_json(self) -> dict[str, str]:
        """The same for machines."""
        return {"path": shown(self.path), "fact": self.fact}


@dataclass(frozen=True)
class AuditReport:
    """The result of an audit."""

    root: Path
    files: tuple[ElfFile, ...]
    libraries: dict[Path, Library]
    """What is to be brought in, by the file."""
    policy: str
    """The lowest platform tag that all files' symbols meet, ``manylinux_2_17_x86_64``."""
    too_new: tuple[TooNew, ...]
    """What keeps the tree from the target asked for."""
    searched: tuple[Path, ...]
    layout: Layout
    finds: Finds
    """What is loaded for the needs of each file, in the tree and outside."""
    strangers: tuple[Stranger, ...] = ()
    """ELF files that are none of the interpreter's and that it cannot load: they stay as they are."""

    def finds_of(self, path: PurePosixPath | Path) -> tuple[Find, ...]:
        """What is loaded for the needs of a file: of the tree, or an absolute path outside."""
        return self.finds.get(Path(self.layout.root, path), ())

    def beyond(self, file: ElfFile) -> Iterator[Find]:
        """What a file needs, directly or through others, from outside the tree."""
        return beyond(self.finds, Path(self.layout.root, file.path))

    @property
    def target(self) -> Target | None:
        """The policy met as a target, or None where it is only ``linux``."""
        try:
            return Target.of_tag(self.policy)
        except UsageError:
            return None

    def as_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {
            "policy": self.policy,
            "files": [
                {
                    "path": str(file.path),
                    "policy": file.policy if not file.external else "linux",
                    "symbol_policy": file.policy,
                    "soname": file.soname,
                    "needed": list(file.needed),
                    "rpath": file.rpath,
                    "runpath": file.runpath,
                    "external": {
                        find.name: str(find.path or "")
                        for find in sorted(self.beyond(file), key=lambda find: find.name)
                    },
                    "versions": [f"{library}: {version}" for library, version in file.versions],
                }
                for file in self.files
            ],
            "too_new": [str(entry) for entry in self.too_new],
            "left_as_they_are": [stranger.as_json() for stranger in self.strangers],
        }


def audit(
    tree: Tree,
    *,
    target: Target | None = None,
    search: tuple[Path, ...] = (),
    origins: tuple[str, ...] = (),
) -> AuditReport:
    """Look at every ELF file of a tree; nothing is run or written.

    Args:
        tree: what to look at.
        target: list what is too new for it.
        search: folders to look for external libraries in, after the files' rpaths and before
            ``LD_LIBRARY_PATH``, the system's folders and the tree's ``lib``.
        origins: folders where the tree stood before; paths below them in its files mean the tree.

    Raises:
        TreeError: the files are of several architectures, or of one that we do not know.
        AuditError: a file is broken.
    """
    probe = Policies(LibcFamily.GLIBC, Architecture.X86_64)
    architecture = _architecture(tree, Reader(tree.root, probe))
    policies = Policies(LibcFamily.GLIBC, architecture)
    reader = Reader(tree.root, policies)
    files, strangers = _read(tree, reader, architecture)
    too_new: tuple[TooNew, ...] = ()
    if target is not None:
        if not policies.has(target.platform_tag):
            raise UsageError(
                f"{target.platform_tag} is no policy for {tree.root}, whose files are {architecture}",
                remedy=f"known here: {', '.join(policies.names())}",
            )
        too_new = _too_new(tree.root, files, policies, target.platform_tag)
    layout = laid_out(tree, files, origins)
    outside = around(layout, search)
    finds = resolve(layout, outside)
    external = {
        file.path: tuple(sorted({find.name for find in beyond(finds, Path(layout.root, file.path))}))
        for file in files
    }
    return AuditReport(
        tree.root,
        tuple(replace(file, external=external[file.path]) for file in files),
        {library.path: library for library in to_bring_in(finds, layout, outside)},
        policies.lowest_of(file.policy for file in files),
        too_new,
        search,
        layout,
        finds,
        strangers,
    )


def require(report: AuditReport, target: Target) -> None:
    """Insist that a tree meets a target with nothing external left.

    Raises:
        AuditError: it does not; each symbol, version and file, and each library, is named.
    """
    facts = [str(entry) for entry in report.too_new]
    facts += [
        f"{file.path}: needs {soname} from outside the tree"
        for file in report.files
        for soname in file.external
    ]
    if facts:
        raise AuditError(
            f"{report.root} does not meet {target.platform_tag}:\n"
            + "\n".join(f"  {fact}" for fact in facts),
            remedy=f"its symbols meet {report.policy}; `manypython audit` has the details",
        )


def _read(
    tree: Tree, reader: Reader, architecture: Architecture
) -> tuple[tuple[ElfFile, ...], tuple[Stranger, ...]]:
    """The ELF files of a tree, and apart from them those that do not concern the interpreter.

    Raises:
        AuditError: a file of the interpreter's own is broken.
    """
    files, strangers = [], []
    for path in elf_paths(tree.root):
        relative = PurePosixPath(path.relative_to(tree.root))
        try:
            file = reader.read(path)
        except AuditError as error:
            if not isinstance(error, CompanionError) and tree.is_own(relative):
                raise
            strangers.append(Stranger(relative, error.message.removeprefix(f"{path}: ")))
            continue
        if file.architecture == architecture or tree.is_own(relative):
            files.append(file)
        else:
            strangers.append(Stranger(relative, f"is for {file.architecture}"))
    return tuple(files), tuple(strangers)


def _architecture(tree: Tree, reader: Reader) -> Architecture:
    """The one architecture of a tree's files."""
    main = tree.executable
    expected = reader.read(main).architecture
    if expected not in [architecture.value for architecture in Architecture]:
        raise TreeError(f"{main}: is for {expected}, which manypython does not know")
    return Architecture(expected)


def one_architecture(report: AuditReport) -> None:
    """Insist that all files are for the same machine.

    Raises:
        TreeError: names a file of each.
    """
    counts = Counter(file.architecture for file in report.files)
    if len(counts) > 1:
        common = counts.most_common(1)[0][0]
        odd = next(file for file in report.files if file.architecture != common)
        raise TreeError(
            f"{report.root / odd.path}: is for {odd.architecture}, the other files are for {common}",
            remedy="remove the file from the tree, or give a tree of one architecture",
        )


def _users(library: ElfFile, files: tuple[ElfFile, ...]) -> tuple[PurePosixPath, ...]:
    return tuple(file.path for file in files if library.path.name in file.needed)


def _too_new(root: Path, files: tuple[ElfFile, ...], policies: Policies, tag: str) -> tuple[TooNew, ...]:
    too_new = []
    for file in files:
        beyond = {
            (library, version)
            for library, version in file.versions
            if not policies.allows(tag, library, version)
        }
        if beyond:
            too_new += [
                TooNew(file.path, symbol.name, symbol.version, symbol.library, _users(file, files))
                for symbol in dynamic_symbols(root / file.path)
                if (symbol.library, symbol.version) in beyond
            ]
    return tuple(too_new)
