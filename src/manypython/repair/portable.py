"""A prefix becomes portable, stage by stage; each value carries the one that it came from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from manypython.model.errors import AuditError, BuildError, HostToolError, TreeError
from manypython.model.target import Target
from manypython.model.tree import GRAFTS, Tree
from manypython.repair.apply import apply
from manypython.repair.audit import AuditReport, require
from manypython.repair.audit import audit as audit_tree
from manypython.repair.bytecode import plan_bytecode
from manypython.repair.copy import copy
from manypython.repair.edits import Plan, join
from manypython.repair.graft import Graft, grafts, plan_graft
from manypython.repair.prune import plan_prune
from manypython.repair.relocate import origins, plan_relocate
from manypython.repair.survey import Oddity
from manypython.repair.symbols import plan_symbols
from manypython.run import Run


@dataclass(frozen=True)
class AuditedTree:
    """A copy of a prefix, and what its files need."""

    prefix: Tree
    """What was copied; it is never changed."""
    tree: Tree
    """The copy."""
    report: AuditReport
    build_paths: tuple[str, ...]
    """Folders of the build machine that no file may name."""
    origins: tuple[str, ...]
    """Folders where the prefix stood before."""

    @contextmanager
    def telling_of_prefix(self) -> Iterator[None]:
        """Let errors name the prefix instead of its copy, which is gone when the error is read."""
        with telling_of(self.prefix.root, self.tree.root):
            yield

    @property
    def plan(self) -> Plan:
        """Graft and relocate: every edit that makes the copy portable, except its bytecode.

        Raises:
            AuditError: a library cannot be located, or a file would not find what it found before.
            TreeError: the tree's sysconfig data is broken.
        """
        strangers = frozenset(stranger.path for stranger in self.report.strangers)
        with self.telling_of_prefix():
            return join(
                (*plan_graft(self.report), *plan_symbols(self.report)),
                plan_relocate(
                    self.tree, build_paths=self.build_paths, origins=self.origins, strangers=strangers
                ),
            )


@dataclass(frozen=True)
class PortableTree:
    """A tree that has been through audit, graft and relocate, and its audit afterwards."""

    tree: Tree
    target: Target
    """What it is for."""
    report: AuditReport
    grafts: tuple[Graft, ...]
    plan: Plan = ()
    """Every edit that was made."""
    forbidden: tuple[str, ...] = ()
    """Folders no file of it may name."""

    @classmethod
    def of(cls, tree: Tree, target: Target | None) -> PortableTree:
        """A tree that is portable already.

        Args:
            tree: as it stands.
            target: what it must run on; None: the lowest policy it meets.

        Raises:
            AuditError: it meets no policy.
        """
        report, meets = _met(tree, target)
        names = sorted(path.name for path in tree.grafts.glob("*.so*"))
        present = tuple(Graft(name, PurePosixPath(GRAFTS, name), "") for name in names)
        return cls(tree, meets, report, present)


def audit(  # noqa: PLR0913  (what, where to, and what it was built with)
    prefix: Tree,
    folder: Path,
    run: Run,
    *,
    search: tuple[Path, ...] = (),
    build_paths: tuple[str, ...] = (),
    oddities: tuple[Oddity, ...] = (),
) -> AuditedTree:
    """Copy a prefix, and look at what its files need.

    Args:
        prefix: what is copied.
        folder: where to.
        run: progress.
        search: folders to look for external libraries in.
        build_paths: folders of the build machine; if there are any, every library must come from ``search``.
        oddities: what a survey of the prefix found.
    """
    with run.reporter.step("copy", str(prefix.root)):
        tree = copy(prefix, folder, oddities)
    for oddity in oddities:
        run.reporter.note(str(oddity))
    with run.reporter.step("audit"), telling_of(prefix.root, tree.root):
        places = origins(prefix)
        report = audit_tree(tree, search=search, origins=places)
        if build_paths:
            _insist_built(report, search)
    for stranger in report.strangers:
        run.reporter.note(str(stranger))
    return AuditedTree(prefix, tree, report, build_paths, places)


def repair(
    audited_tree: AuditedTree, target: Target | None, run: Run, *, compiling: Tree | None = None
) -> PortableTree:
    """Carry the plan out on the copy, compile its bytecode, and audit it again.

    Args:
        audited_tree: the copy.
        target: what it must run on; None: the lowest policy it meets.
        run: progress, jobs.
        compiling: an interpreter of the same version, where this machine cannot run the prefix's own.

    Raises:
        AuditError: it does not meet the target.
        BuildError: the interpreter does not run here.
        OutputError: there is no room for the copy.
    """
    tree, plan = audited_tree.tree, audited_tree.plan
    with audited_tree.telling_of_prefix():
        with run.reporter.step("graft and relocate", f"{len(plan)} edits"):
            apply(tree, plan, reporter=run.reporter, jobs=run.jobs)
        bytecode = plan_bytecode(tree)
        with ThreadPoolExecutor(1) as beside:  # bytecode is written while the ELF files are read
            compilation = beside.submit(
                apply, tree, bytecode, reporter=run.reporter, jobs=run.jobs, compiler=compiling
            )
            report, meets = _met(tree, target)
            compilation.result()
        require(report, meets)
    edits = (*plan_prune(audited_tree.prefix), *plan, *bytecode)
    forbidden = (*audited_tree.build_paths, *audited_tree.origins)
    return PortableTree(tree, meets, report, grafts(audited_tree.report), edits, forbidden)


@contextmanager
def telling_of(original: Path, copy_root: Path) -> Iterator[None]:
    """Let errors name what was given instead of its copy, which is gone when the error is read.

    An ``OutputError`` is left alone: where the copy cannot be written, its place matters.

    Args:
        original: a prefix, or an archive.
        copy_root: its copy.
    """
    try:
        yield
    except (AuditError, BuildError, HostToolError, TreeError) as error:
        for place in dict.fromkeys((str(copy_root), os.path.realpath(copy_root))):
            error.message = error.message.replace(place, str(original))
            error.remedy = error.remedy.replace(place, str(original))
        raise


def _met(tree: Tree, target: Target | None) -> tuple[AuditReport, Target]:
    """A tree's audit, and the target it is for: the one given, or the lowest it meets."""
    report = audit_tree(tree, target=target)
    meets = target or report.target
    if meets is None:
        raise AuditError(f"{tree.root}: meets no policy, only {report.policy}")
    return report, meets


def _insist_built(report: AuditReport, search: tuple[Path, ...]) -> None:
    """Refuse a library of this machine in an interpreter that we build ourselves.

    Raises:
        AuditError: names the library and who needs it.
    """
    places = [folder.resolve() for folder in search]
    strange = [
        f"  {file.path}: needs {find.name}, found as {find.path}"
        for file in report.files
        for find in report.beyond(file)
        if find.path is not None and find.path.parent not in places
    ]
    if strange:
        raise AuditError(
            "libraries that no recipe built:\n" + "\n".join(strange),
            remedy="add a recipe for each, or let configure leave the module out",
        )
