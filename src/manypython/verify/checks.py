"""The first ring of proof: move the tree, freeze it, call it from everywhere."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from manypython import probe as inside
from manypython import process
from manypython.model.errors import ManypythonError, VerifyError
from manypython.model.tree import Tree, spreads
from manypython.probe import packages
from manypython.repair.audit import AuditReport, require
from manypython.verify import controls, foreign, roots, surroundings
from manypython.verify.foreign import Subject
from manypython.verify.hardening import weaknesses
from manypython.verify.report import HERE, Check, VerifyReport, failed, probed, skipped
from manypython.verify.scan import scan
from manypython.verify.scratch import Scratch, readable, scratch
from manypython.verify.verified import first

_OLD = roots.ROOTS["glibc-2.17"]
"""Tried in any case: the oldest that a target of ours promises."""
_ENVIRONMENTS = 300_000_000
"""Bytes that virtual environments and what is built in them may take."""
_FIRST = "first/python"
_SECOND = "second move \N{LATIN SMALL LETTER O WITH DIAERESIS}/py thon"
_SECOND_ASCII = "second move/py thon"

Checks = tuple[Check, ...]


@dataclass(frozen=True)
class Trial:
    """What the checks are told."""

    subject: Subject
    scratch: Scratch
    chosen: tuple[roots.Root, ...]
    """Foreign roots that come afterwards."""

    @property
    def report(self) -> AuditReport:
        """The tree's audit against its target, as it stands now."""
        return self.subject.repaired.report

    @property
    def folder(self) -> Path:
        """Where it happens."""
        return self.scratch.folder

    @property
    def strangers(self) -> frozenset[PurePosixPath]:
        """ELF files that are left as they are."""
        return frozenset(stranger.path for stranger in self.report.strangers)

    @property
    def programs(self) -> Path:
        """A copy of the programs that run inside, in a place that anybody can read."""
        return self.folder / "inside"


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
            checks = _timed("tree", "audit", lambda: _audit(trial)) + _strangers(trial.report)
            reading = [
                pool.submit(_timed, "tree", "scan", lambda: _scan(trial)),
                pool.submit(_timed, "tree", "generic sonames", lambda: _generic_sonames(trial)),
                pool.submit(_timed, "tree", "hardening", lambda: _hardening(trial)),
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
    first = _copy(trial.subject.tree, trial.folder / _FIRST)
    checks = _probe(trial, "moved", (str(first.executable),), {"HOME": str(trial.folder)})
    place, untried = _place(trial)
    second = replace(first, root=trial.folder / place)
    second.root.parent.mkdir()
    first.root.rename(second.root)
    _freeze(second.root)
    before = _listing(second.root)
    running = [pool.submit(job) for job in _jobs(trial, second)]
    checks += sum((future.result() for future in running), untried)
    if trial.scratch.why:
        untried = (skipped("read-only", "as nobody", trial.scratch.why),)
        return checks + untried
    return checks + _timed("read-only", "unchanged", lambda: _unchanged(before, second.root))


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
    yield lambda: _installed(trial, tree)
    main = tree.executable.relative_to(tree.root)
    if trial.report.found(PurePosixPath(main)):
        fact = "a copied interpreter is too far away from the libraries it needs"
        yield lambda: (skipped("venv", "copies", fact),)
    else:
        yield lambda: _timed(
            "venv", "copies", lambda: _venv(trial, tree, _folder_for_venv(trial), "--copies")
        )
    yield lambda: _probe(trial, "read-only, empty environment", (str(tools / python),), {})
    yield lambda: _probe(trial, "by PATH", ("python3",), {"PATH": str(tools)}, short=True)
    yield lambda: _probe(trial, "through a symlink", (str(link),), {}, short=True)
    yield lambda: _probe(
        trial, "foreign LD_LIBRARY_PATH", (str(tools / python),),
        {"LD_LIBRARY_PATH": "/usr/lib:/lib:/usr/lib/x86_64-linux-gnu"}, short=True,
    )  # fmt: skip
    yield lambda: _timed("scripts", "bin", lambda: _scripts(trial, tree))
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
    forbidden = trial.subject.repaired.forbidden
    _none(scan(trial.subject.tree, forbidden, _unneeded(trial), trial.strangers))
    return "no build path, no old prefix"


def _strangers(report: AuditReport) -> Checks:
    """What packages brought for other machines, and broken files of theirs: nobody looks into them."""
    if not report.strangers:
        return ()
    return (skipped("tree", "files of packages", "; ".join(first(tuple(map(str, report.strangers))))),)


def _generic_sonames(trial: Trial) -> str:
    """What stands in ``lib/`` under a name that others use too was moved, but for what nothing needs."""
    if left := _unneeded(trial):
        raise NotTriedError(
            f"nothing in the tree needs {', '.join(left)}, which LD_LIBRARY_PATH may spread: left in place"
        )
    return "none in lib/"


def _unneeded(trial: Trial) -> tuple[str, ...]:
    """Libraries in ``lib/`` that somebody else put there, and no file of the tree loads by itself."""
    if trial.subject.ours:
        return ()
    needed = {find.inside for finds in trial.report.finds.values() for find in finds}
    names = (path.name for path in sorted(trial.subject.tree.root.glob("lib/*.so*")))
    found = (PurePosixPath("lib", name) for name in names)
    return tuple(str(path) for path in found if spreads(path) and path not in needed)


def _hardening(trial: Trial) -> str:
    if not trial.subject.ours:
        raise NotTriedError("somebody else compiled it")
    _none(weaknesses(trial.subject.tree, trial.strangers))
    return "every ELF file is protected, no symbol clashes"


def _none(found: tuple[str, ...]) -> None:
    if found:
        raise VerifyError("; ".join(first(found)))


def _probe(
    trial: Trial,
    where: str,
    command: tuple[str, ...],
    env: Mapping[str, str],
    *,
    short: bool = False,
) -> Checks:
    """Run the probe in one surrounding and take its rows over."""
    words = ("short",) if short else trial.subject.probing
    argv = (*command, "-I", "-B", str(trial.programs / "probe.py"), *words)
    rows = probed(argv, env, where, user=trial.scratch.user)
    return controls.judged(rows, controls.by_interpreter(trial.programs, env, trial.scratch.user))


def _installed(trial: Trial, tree: Tree) -> Checks:
    """A virtual environment, into which pip installs a wheel and then a C extension."""
    folder = _folder_for_venv(trial)
    checks = _timed("venv", "pip install", lambda: _venv(trial, tree, folder))
    if any(not check.ok for check in checks):  # there may be no environment to go on with
        return checks
    return checks + _timed("venv", "C extension", lambda: _extension(trial, folder))


def _venv(trial: Trial, tree: Tree, folder: Path, *arguments: str) -> str:
    """``venv``, then pip installs a wheel with a console script."""
    env = _environment(folder)
    _run(trial, (str(tree.executable), "-m", "venv", *arguments, str(folder / "e")), env)
    _run(trial, (*_pip(folder), str(packages.wheel(folder))), env)
    greeting = _run(trial, (str(folder / "e" / "bin" / "greet"),), env)
    if str(folder / "e") not in greeting:
        raise VerifyError(f"the console script said {greeting!r}")
    return greeting.strip()


def _extension(trial: Trial, folder: Path) -> str:
    """Pip builds a C extension with this machine's compiler."""
    if shutil.which("cc") is None:
        raise NotTriedError("this machine has no cc")
    env = _environment(folder)
    source = packages.extension(folder)
    for path in (source, *source.iterdir()):
        path.chmod(0o777)
    _run(trial, (*_pip(folder), "--no-build-isolation", str(source)), env)
    python = str(folder / "e" / "bin" / "python")
    answer = _run(trial, (python, "-c", "import _hello; print(_hello.answer())"), env)
    if answer.strip() != "42":
        raise VerifyError(f"the C extension said {answer!r}")
    return "built, installed and called"


def _folder_for_venv(trial: Trial) -> Path:
    folder = Path(tempfile.mkdtemp(dir=trial.folder / "links", prefix="venv "))
    folder.chmod(0o777)
    return folder


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder)}


def _pip(folder: Path) -> tuple[str, ...]:
    python = str(folder / "e" / "bin" / "python")
    return (python, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "install", "--no-index")


def _scripts(trial: Trial, tree: Tree) -> str:
    """Pip's own script, directly and through a link; the flags of ``python3-config``."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(trial.folder)}
    tools = tree.root / "bin"
    said = []
    if (tools / "pip3").exists():
        link = trial.folder / "links" / "pip"
        link.symlink_to(tools / "pip3")
        for script in (tools / "pip3", link):
            said.append(_run(trial, (str(script), "--version"), env))
            if str(tree.root) not in said[-1]:
                raise VerifyError(f"{script.name} belongs to another tree: {said[-1]!r}")
    config = tools / f"{tree.name}{tree.debug}-config"
    if config.exists():
        flags = _run(trial, (str(config), "--includes"), env)
        if f"-I{tree.root}/include/" not in flags:
            raise VerifyError(f"{config.name} --includes said {flags!r}")
    return " ".join(said[:1]).strip()


def _old_glibc(trial: Trial, tree: Tree) -> Checks:
    """The whole probe on a real glibc 2.17, where the target says it runs there."""
    if _OLD in trial.chosen:  # tried later, and more of it
        return ()
    repaired = replace(trial.subject.repaired, tree=tree)
    subject = replace(trial.subject, repaired=repaired)
    root, why = _OLD, surroundings.works()
    if not why or foreign.refused(root, subject.target):
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
    rows = probed((*argv, *subject.probing), {}, where, root=root.name, user=user)
    control = controls.by_program(
        subject.target.architecture,
        subject.cache,
        lambda program: by_loader(libraries, shutil.copy(program, str(trial.folder))),
        user,
    )
    return (skipped(where, "as a root of its own", why, root.name), *controls.judged(rows, control))


def by_loader(folder: Path, program: str) -> tuple[str, ...]:
    """How to run a program on glibc 2.17 where no root can be entered: by that glibc's own loader."""
    return (str(folder / "ld-2.17.so"), "--library-path", str(folder), program)


def _run(trial: Trial, argv: tuple[str, ...], env: Mapping[str, str]) -> str:
    return process.run(argv, env=env, cwd=Path("/"), user=trial.scratch.user).output


class NotTriedError(Exception):
    """A check that does not apply, with the reason."""


def _timed(where: str, name: str, work: Callable[[], str]) -> Checks:
    begun = time.monotonic()
    try:
        ok, detail = True, work()
    except NotTriedError as reason:
        return (skipped(where, name, str(reason)),)
    except ManypythonError as error:
        ok, detail = False, error.message
    except process.ProgramError as error:
        ok, detail = False, f"{' '.join(error.result.argv[:6])}: {error.result.output[-2000:]}"
    return (Check(HERE, where, name, ok, detail, round(time.monotonic() - begun, 3)),)


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
