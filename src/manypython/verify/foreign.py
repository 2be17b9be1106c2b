"""The second ring of proof: the product in other people's userlands, in every surrounding."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from manypython.model.errors import ManypythonError
from manypython.model.target import LibcFamily, Target
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.repair.portable import PortableTree
from manypython.run import Run
from manypython.verify import controls, emulation, roots
from manypython.verify.report import Check, failed, run_probe, skipped
from manypython.verify.roots import Root
from manypython.verify.surroundings import PLAIN, PROBE, Surrounding, command


@dataclass(frozen=True)
class Subject:
    """What is proved, and with what."""

    portable_tree: PortableTree
    probing: tuple[str, ...]
    """The arguments of ``probe/probe.py``: its kind, and the modules that must be there."""
    ours: bool
    """Whether we compiled it, and not somebody else."""
    run: Run

    @property
    def tree(self) -> Tree:
        """What is tried."""
        return self.portable_tree.tree

    @property
    def target(self) -> Target:
        """What it promises to run on."""
        return self.portable_tree.target

    @property
    def cache(self) -> Path:
        """Where roots are kept."""
        return self.run.cache

    @property
    def reporter(self) -> Reporter:
        """Shows what is tried."""
        return self.run.reporter

    @property
    def jobs(self) -> int:
        """How many surroundings at once."""
        return self.run.jobs


def examine(
    subject: Subject,
    chosen: tuple[Root, ...],
    surroundings: tuple[Surrounding, ...],
) -> tuple[Check, ...]:
    """Run the probe in each root and surrounding. A root that cannot be made is a failure.

    Args:
        subject: what is proved.
        chosen: the roots.
        surroundings: tried in each of them, ``subject.jobs`` at once.
    """
    tried = tuple(surrounding for surrounding in surroundings if subject.ours or not surrounding.own)

    def work(root: Root, folder: Path) -> Iterator[Check]:
        with subject.reporter.step(f"verify in {root.name}"), ThreadPoolExecutor(subject.jobs) as pool:
            one = functools.partial(_one, subject, root, folder)
            jobs = [(PLAIN, ("install",)), *((surrounding, subject.probing) for surrounding in tried)]
            for rows in pool.map(lambda job: one(*job), jobs):
                yield from rows

    return in_each(subject, chosen, "root", work)


def in_each(
    subject: Subject,
    chosen: Iterable[Root],
    where: str,
    work: Callable[[Root, Path], Iterable[Check]],
) -> tuple[Check, ...]:
    """Do something in each root that the target promises to run in.

    Args:
        subject: what is proved.
        chosen: the roots; made where they are not there yet.
        where: what is done, for the report.
        work: does it, given a root and its folder.
    """
    checks: list[Check] = []
    machine, reporter = subject.target.architecture, subject.reporter
    install = subject.run.install_host_tools
    for root in chosen:
        if why := refusal(root, subject.target):
            checks.append(skipped(where, "start", why, root.name))
            continue
        try:
            emulation.require(machine, install=install, reporter=reporter)
            folder = roots.create(root, machine, subject.cache, reporter, install=install)
            checks += work(root, folder)
        except ManypythonError as error:
            checks.append(failed(where, "start", f"{error.message}; {error.remedy}", root.name))
    return tuple(checks)


def _one(
    subject: Subject, root: Root, folder: Path, surrounding: Surrounding, probing: tuple[str, ...]
) -> tuple[Check, ...]:
    if not surrounding.emulated and not subject.target.runs_here:
        return (skipped(surrounding.name, "start", "an emulator lets no program restrict itself", root.name),)
    try:
        argv = command(root.mounts(folder), subject.tree, surrounding, (*PROBE, *probing))
    except ManypythonError as error:
        return (failed(surrounding.name, "start", f"{error.message}; {error.remedy}", root.name),)
    rows = run_probe(argv, None, surrounding.name, root=root.name)
    control = controls.by_program(
        subject.target.architecture,
        subject.cache,
        lambda program: _call(root, folder, subject.tree, surrounding, program),
    )
    rows = controls.judge(rows, control)
    return (*rows, *_wrong_libc(root, rows))


def _call(root: Root, folder: Path, tree: Tree, surrounding: Surrounding, program: str) -> tuple[str, ...]:
    """How to run a program of this machine in a root's surrounding."""
    mount = ("/opt/control", str(Path(program).parent))
    other = replace(
        surrounding, called=f"{mount[0]}/{Path(program).name}", writable=(*surrounding.writable, mount[::-1])
    )
    return command(root.mounts(folder), tree, other, ())


def _wrong_libc(root: Root, rows: tuple[Check, ...]) -> list[Check]:
    """See that it was the root's C library and not this machine's."""
    version = next((check.detail for check in rows if check.name == "rest" and check.ok), None)
    if root.glibc is None or version is None or version == "glibc {}.{}".format(*root.glibc):
        return []
    return [failed(rows[0].where, "C library", f"it was {version}", root.name)]


def refusal(root: Root, target: Target) -> str:
    """Why a target does not promise to run in a root; empty where it does."""
    if target.libc is not LibcFamily.GLIBC:
        return f"{target} wants musl, which no root has"
    newer = root.glibc is not None and target.floor > root.glibc
    return f"{target} wants a newer glibc" if newer else ""
