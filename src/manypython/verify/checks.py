"""The first ring of proof: move the tree, freeze it, call it from everywhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath

from manypython import probe as inside
from manypython.model.errors import AuditError, HostToolError, ManypythonError, VerifyError
from manypython.model.tree import Tree, spreads
from manypython.repair.audit import AuditReport, require
from manypython.verify import controls, environments, foreign, impostors, roots, surroundings
from manypython.verify.foreign import Subject
from manypython.verify.hardening import weaknesses
from manypython.verify.report import VerifyReport, failed, run_probe, skipped
from manypython.verify.scan import scan
from manypython.verify.scratch import readable, scratch
from manypython.verify.trial import Checks, NotTriedError, Trial, insist_none, timed
from manypython.verify.verified import first

_OLD = roots.ROOTS["glibc-2.17"]
"""Tried in any case: the oldest that a target of ours promises."""
_ENVIRONMENTS = 300_000_000
"""Bytes that virtual environments and what is built in them may take."""
_FIRST = "first/python"
_SECOND = "second move \N{LATIN SMALL LETTER O WITH DIAERESIS}/py thon"
_SECOND_ASCII = "second move/py thon"


def examine(subject: Subject, chosen: tuple[roots.Root, ...] = ()) -> VerifyReport:
    """Try everything on a tree. The tree itself is only read.

    Args:
        subject: what is to be proved.
        chosen: foreign roots to try it in; a glibc 2.17 is tried in any case.

    Raises:
        OutputError: there is no folder to try it in.
    """
    room = roots.disk_bytes(subject.tree.root) + _ENVIRONMENTS
    with subject.reporter.step("verify"), scratch(room, subject.cache) as place:
        trial = Trial(subject, place, chosen)
        programs = Path(inside.__file__).parent
        shutil.copytree(programs, trial.programs, ignore=shutil.ignore_patterns("__pycache__"))
        readable(trial.programs)
        with ThreadPoolExecutor(subject.jobs) as pool:
            checks = timed("tree", "audit", lambda: _audit(trial)) + _strangers(trial.report)
            reading = [
                pool.submit(timed, "tree", "scan", lambda: _scan(trial)),
                pool.submit(timed, "tree", "generic sonames", lambda: _generic_sonames(trial)),
                pool.submit(timed, "tree", "hardening", lambda: _hardening(trial)),
                pool.submit(timed, "tree", "symbols", lambda: _symbols(trial)),
            ]
            if subject.target.runs_here:
                running = _run_here(trial, pool)
            else:
                fact = f"{subject.target.architecture} programs run in foreign roots only"
                running = (skipped("moved", "start", fact), *_old_glibc(trial, subject.tree))
            checks += sum((future.result() for future in reading), ()) + running
    return VerifyReport((*checks, *foreign.examine(subject, chosen, surroundings.SURROUNDINGS)))


def _run_here(trial: Trial, pool: ThreadPoolExecutor) -> Checks:
    """Move a copy twice, run it, freeze it, and run it again in every way."""
    moved = _copy(trial.subject.tree, trial.folder / _FIRST)
    checks = _probe(trial, "moved", (str(moved.executable),), {"HOME": str(trial.folder)})
    place, untried = _place(trial)
    second = replace(moved, root=trial.folder / place)
    second.root.parent.mkdir()
    moved.root.rename(second.root)
    _freeze(second.root)
    before = _listing(second.root)
    running = [pool.submit(job) for job in _jobs(trial, second)]
    checks += sum((future.result() for future in running), untried)
    if trial.scratch.why:
        untried = (skipped("read-only", "as nobody", trial.scratch.why),)
        return checks + untried
    return checks + timed("read-only", "unchanged", lambda: _unchanged(before, second.root))


def _place(trial: Trial) -> tuple[str, Checks]:
    """Where the tree is moved to the second time, and what is not tried thereby."""
    if trial.subject.tree.implementation == "cpython":
        return _SECOND, ()
    fact = "without a UTF-8 locale PyPy loads no extension module from such a folder"
    return _SECOND_ASCII, (skipped("moved", "non-ASCII folder", fact),)


def _jobs(trial: Trial, tree: Tree) -> Iterator[Callable[[], Checks]]:
    """Everything that is tried in the second place, the longest first."""
    python, tools = tree.executable.name, tree.root / "bin"
    link = trial.folder / "links" / "interpreter"
    link.parent.mkdir()
    link.symlink_to(tools / "python3")
    yield lambda: environments.installation(trial, tree)
    main = tree.executable.relative_to(tree.root)
    if trial.report.finds_of(PurePosixPath(main)):
        fact = "a copied interpreter is too far away from the libraries it needs"
        yield lambda: (skipped("venv", "copies", fact),)
    else:
        yield lambda: timed(
            "venv",
            "copies",
            lambda: environments.virtual_environment(trial, tree, environments.folder_for(trial), "--copies"),
        )
    yield lambda: _probe(trial, "read-only, empty environment", (str(tools / python),), {})
    yield lambda: _impostors(trial, (str(tools / python),))
    yield lambda: _probe(trial, "by PATH", ("python3",), {"PATH": str(tools)}, short=True)
    yield lambda: _probe(trial, "through a symlink", (str(link),), {}, short=True)
    yield lambda: _probe(
        trial, "foreign LD_LIBRARY_PATH", (str(tools / python),),
        {"LD_LIBRARY_PATH": "/usr/lib:/lib:/usr/lib/x86_64-linux-gnu"}, short=True,
    )  # fmt: skip
    yield lambda: timed("scripts", "bin", lambda: environments.scripts(trial, tree))
    yield lambda: _old_glibc(trial, tree)


def _audit(trial: Trial) -> str:
    report = trial.report
    require(report, trial.subject.target)
    odd = [
        str(file.path)
        for file in report.files
        if file.runpath or any(not entry.startswith("$") for entry in file.rpath.split(":") if file.rpath)
    ]
    if odd:
        raise VerifyError(
            f"DT_RUNPATH, or a DT_RPATH that depends on no place of its own, in {', '.join(odd)}"
        )
    return f"{len(report.files)} ELF files, {report.policy}"


def _scan(trial: Trial) -> str:
    forbidden = trial.subject.portable_tree.forbidden
    insist_none(scan(trial.subject.tree, forbidden, _unneeded(trial), trial.strangers))
    return "no build path, no old prefix"


def _strangers(report: AuditReport) -> Checks:
    """Packages' files for other machines, and their broken files: they are not examined."""
    if not report.strangers:
        return ()
    return (skipped("tree", "files of packages", "; ".join(first(tuple(map(str, report.strangers))))),)


def _generic_sonames(trial: Trial) -> str:
    """Libraries in ``lib/`` with names that others use too were moved, except those that nothing needs."""
    if libraries := _unneeded(trial):
        raise NotTriedError(
            f"nothing in the tree needs {', '.join(libraries)}, "
            "which LD_LIBRARY_PATH may spread: left in place"
        )
    return "none in lib/"


def _unneeded(trial: Trial) -> tuple[str, ...]:
    """Libraries in ``lib/`` that somebody else put there, and no file of the tree loads by itself."""
    if trial.subject.ours:
        return ()
    needed = {find.inside for finds in trial.report.finds.values() for find in finds}
    names = (path.name for path in sorted(trial.subject.tree.root.glob("lib/*.so*")))
    libraries = (PurePosixPath("lib", name) for name in names)
    return tuple(str(path) for path in libraries if spreads(path) and path not in needed)


def _hardening(trial: Trial) -> str:
    if not trial.subject.ours:
        raise NotTriedError("somebody else compiled it")
    insist_none(weaknesses(trial.subject.tree, trial.strangers))
    return "every ELF file is protected, no symbol clashes"


def _symbols(trial: Trial) -> str:
    """What grafted libraries export has names that no other library in a process has."""
    libraries = trial.exported
    common = impostors.common(libraries)
    number = sum(map(len, libraries.values()))
    if common and not trial.subject.ours:
        raise NotTriedError(f"{len(common)} of {number} names may be others' too: {'; '.join(first(common))}")
    insist_none(common)
    return f"{number} names of our own in {len(libraries)} libraries"


def _impostors(trial: Trial, command: tuple[str, ...]) -> Checks:
    """The probe, with a library before all others that has each name our libraries have elsewhere."""
    where = "others' libraries preloaded"
    subject = trial.subject
    try:
        library = impostors.build(trial.exported, subject.target.architecture, trial.folder, subject.cache)
    except (AuditError, HostToolError) as error:
        return (skipped(where, "start", error.message),)
    library.chmod(0o755)
    return _probe(trial, where, command, {"LD_PRELOAD": str(library)})


def _probe(
    trial: Trial,
    where: str,
    command: tuple[str, ...],
    env: Mapping[str, str],
    *,
    short: bool = False,
) -> Checks:
    """Run the probe in one surrounding; its rows are the checks."""
    words = ("short",) if short else trial.subject.probing
    argv = (*command, "-I", "-B", str(trial.programs / "probe.py"), *words)
    rows = run_probe(argv, env, where, user=trial.scratch.user)
    return controls.judge(rows, controls.by_interpreter(trial.programs, env, trial.scratch.user))


def _old_glibc(trial: Trial, tree: Tree) -> Checks:
    """The whole probe on a real glibc 2.17, where the target says it runs there."""
    if _OLD in trial.chosen:  # tried later, and more of it
        return ()
    portable_tree = replace(trial.subject.portable_tree, tree=tree)
    subject = replace(trial.subject, portable_tree=portable_tree)
    root, why = _OLD, surroundings.works()
    if not why or foreign.refusal(root, subject.target):
        return foreign.examine(subject, (root,), (surroundings.PLAIN,))
    try:
        folder = roots.create(root, subject.target.architecture, subject.cache, subject.reporter)
    except ManypythonError as error:
        return (failed("root", "made", error.message, root.name),)
    libraries = trial.folder / root.name
    shutil.copytree(folder, libraries, symlinks=True)  # the cache is where nobody may read it
    libraries.chmod(0o755)
    argv = (*by_loader(libraries, str(tree.executable)), "-I", "-B", str(trial.programs / "probe.py"))
    user = trial.scratch.user
    where = "by its loader only"
    rows = run_probe((*argv, *subject.probing), {}, where, root=root.name, user=user)
    control = controls.by_program(
        subject.target.architecture,
        subject.cache,
        lambda program: by_loader(libraries, shutil.copy(program, str(trial.folder))),
        user,
    )
    return (skipped(where, "as a root of its own", why, root.name), *controls.judge(rows, control))


def by_loader(folder: Path, program: str) -> tuple[str, ...]:
    """How to run a program on glibc 2.17 where no root can be entered: by that glibc's own loader."""
    return (str(folder / "ld-2.17.so"), "--library-path", str(folder), program)


def _copy(tree: Tree, place: Path) -> Tree:
    shutil.copytree(tree.root, place, symlinks=True)
    return replace(tree, root=place)


def _freeze(root: Path) -> None:
    for folder, _, names in os.walk(root):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o555 | 0o444)


def _listing(root: Path) -> frozenset[str]:
    return frozenset(str(path) for path in root.rglob("*"))


def _unchanged(before: frozenset[str], root: Path) -> str:
    new = _listing(root) ^ before
    if new:
        raise VerifyError(f"files came or went: {sorted(new)[:5]}")
    return f"{len(before)} entries as before"
