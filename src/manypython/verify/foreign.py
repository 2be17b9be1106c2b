"""The second ring of proof: the product in other people's userlands, in every surrounding."""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from manypython.model.errors import ManypythonError
from manypython.model.target import Target
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.verify import roots
from manypython.verify.report import Check, failed, probed, skipped
from manypython.verify.roots import Root
from manypython.verify.surroundings import PROBE, Surrounding, command


@dataclass(frozen=True)
class Subject:
    """What is proved, and with what."""

    tree: Tree
    target: Target
    probing: tuple[str, ...]
    """What ``inside/probe.py`` is told: its kind, and the modules that must be there."""
    ours: bool
    """Whether we compiled it, and not somebody else."""
    cache: Path
    """Where roots are kept."""
    reporter: Reporter
    jobs: int


def examine(
    subject: Subject,
    chosen: tuple[Root, ...],
    surroundings: tuple[Surrounding, ...],
    *,
    install: bool = False,
) -> tuple[Check, ...]:
    """Run the probe in each root and surrounding. A root that cannot be made is a failure.

    Args:
        subject: what is proved.
        chosen: the roots.
        surroundings: tried in each of them, ``subject.jobs`` side by side.
        install: install the host programs that roots are made with (as root).
    """
    checks: list[Check] = []
    for root in chosen:
        if why := refused(root, subject.target):
            checks.append(skipped("root", "start", why, root.name))
            continue
        try:
            folder = roots.create(
                root, subject.target.architecture, subject.cache, subject.reporter, install=install
            )
        except ManypythonError as error:
            checks.append(failed("root", "made", f"{error.message}; {error.remedy}", root.name))
            continue
        checks += _examine_in(subject, root, folder, surroundings)
    return tuple(checks)


def _examine_in(
    subject: Subject, root: Root, folder: Path, surroundings: tuple[Surrounding, ...]
) -> list[Check]:
    surroundings = tuple(each for each in surroundings if subject.ours or not each.own)
    with subject.reporter.step(f"verify in {root.name}"), ThreadPoolExecutor(subject.jobs) as pool:
        one = functools.partial(_one, subject, root, folder)
        return [check for rows in pool.map(one, surroundings) for check in rows]


def _one(subject: Subject, root: Root, folder: Path, surrounding: Surrounding) -> tuple[Check, ...]:
    try:
        argv = command(root.mounts(folder), subject.tree, surrounding, (*PROBE, *subject.probing))
    except ManypythonError as error:
        return (failed(surrounding.name, "start", f"{error.message}; {error.remedy}", root.name),)
    rows = probed(argv, None, surrounding.name, root=root.name)
    return (*rows, *_wrong_libc(root, rows))


def _wrong_libc(root: Root, rows: tuple[Check, ...]) -> list[Check]:
    """See that it was the root's C library and not this machine's."""
    said = next((check.detail for check in rows if check.name == "rest" and check.ok), None)
    if root.glibc is None or said is None or said == "glibc {}.{}".format(*root.glibc):
        return []
    return [failed(rows[0].where, "C library", f"it was {said}", root.name)]


def refused(root: Root, target: Target) -> str:
    """Why a target does not promise to run in a root; empty where it does."""
    if target.architecture != os.uname().machine:
        return f"{target} does not run on this machine"
    if root.glibc is not None and target.floor > root.glibc:
        return f"{target} wants a newer glibc"
    return ""


def by_loader(tree: Tree, folder: Path) -> tuple[str, ...]:
    """How to run the product on glibc 2.17 where no root can be entered: by that glibc's own loader."""
    return (str(folder / "ld-2.17.so"), "--library-path", str(folder), str(tree.executable))
