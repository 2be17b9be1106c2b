"""The first ring of proof: move the tree, freeze it, call it from everywhere."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from manypython import process
from manypython.model.errors import ManypythonError, VerifyError
from manypython.model.tree import Tree, VerifiedTree, spreads
from manypython.repair.audit import AuditReport, require
from manypython.verify import foreign, inside, roots, surroundings
from manypython.verify.foreign import Subject
from manypython.verify.hardening import weaknesses
from manypython.verify.inside import packages
from manypython.verify.report import HERE, Check, VerifyReport, failed, probed, skipped
from manypython.verify.scan import scan

_OLD = roots.ROOTS["glibc-2.17"]
"""Tried in any case: the oldest that a target of ours promises."""
_SHOWN = 20
"""Findings named one by one."""
_FIRST = "first/python"
_SECOND = "second move \N{LATIN SMALL LETTER O WITH DIAERESIS}/py thon"
_SECOND_ASCII = "second move/py thon"


@dataclass(frozen=True)
class Trial:
    """What the checks are told."""

    subject: Subject
    report: AuditReport
    forbidden: tuple[str, ...]
    scratch: Path
    chosen: tuple[roots.Root, ...]
    """Foreign roots that come afterwards."""
    checks: list[Check] = field(default_factory=list)

    @property
    def programs(self) -> Path:
        """A copy of the programs that run inside, in a place that anybody can read."""
        return self.scratch / "inside"


def examine(
    subject: Subject,
    report: AuditReport,
    forbidden: tuple[str, ...],
    chosen: tuple[roots.Root, ...] = (),
    *,
    install: bool = False,
) -> VerifyReport:
    """Try everything on a tree. The tree itself is only read.

    Args:
        subject: what is to be proved.
        report: its audit against the target, as it stands now.
        forbidden: absolute folders that no file may name (build paths, the old prefix).
        chosen: foreign roots to try it in; a glibc 2.17 is tried in any case.
        install: install the host programs that roots are made with (as root).
    """
    with subject.reporter.step("verify"), _scratch() as scratch:
        trial = Trial(subject, report, forbidden, scratch, chosen)
        programs = Path(inside.__file__).parent
        shutil.copytree(programs, trial.programs, ignore=shutil.ignore_patterns("__pycache__"))
        with ThreadPoolExecutor(subject.jobs) as pool:
            _timed(trial, "tree", "audit", lambda: _audit(trial))
            reading = [
                pool.submit(_timed, trial, "tree", "scan", lambda: _scan(trial)),
                pool.submit(_timed, trial, "tree", "hardening", lambda: _hardening(trial)),
            ]
            if subject.target.runs_here:
                _run_here(trial, pool)
            else:
                fact = f"{subject.target.architecture} programs run in foreign roots only"
                trial.checks.append(skipped("moved", "start", fact))
                _old_glibc(trial, subject.tree)
            for future in reading:
                future.result()
    abroad = foreign.examine(subject, chosen, surroundings.SURROUNDINGS, install=install)
    return VerifyReport((*trial.checks, *abroad))


def _run_here(trial: Trial, pool: ThreadPoolExecutor) -> None:
    """Move a copy twice, run it, freeze it, and run it again in every way."""
    first = _copy(trial.subject.tree, trial.scratch / _FIRST)
    _probe(trial, "moved", (str(first.executable),), {"HOME": str(trial.scratch)})
    second = replace(first, root=trial.scratch / _place(trial))
    second.root.parent.mkdir()
    first.root.rename(second.root)
    _freeze(second.root)
    before = _listing(second.root)
    for future in [pool.submit(job) for job in _jobs(trial, second)]:
        future.result()
    _timed(trial, "read-only", "unchanged", lambda: _unchanged(before, second.root))


def proved(tree: Tree, proof: VerifyReport) -> VerifiedTree:
    """A tree with its proof.

    Raises:
        VerifyError: something did not hold; each is named with its fact.
    """
    if proof.failures:
        facts = "\n".join(f"  {c.root}: {c.where}: {c.name}: {c.detail}" for c in proof.failures)
        raise VerifyError(f"{tree.root} did not prove portable:\n{facts}")
    return VerifiedTree(tree)


def _place(trial: Trial) -> str:
    """Where the tree is moved to the second time."""
    if trial.subject.tree.implementation == "cpython":
        return _SECOND
    fact = "skipped: without a UTF-8 locale PyPy loads no extension module from such a folder"
    trial.checks.append(skipped("moved", "non-ASCII folder", fact))
    return _SECOND_ASCII


def _jobs(trial: Trial, tree: Tree) -> Iterator[Callable[[], None]]:
    """Everything that is tried in the second place, the longest first."""
    python, tools = tree.executable.name, tree.root / "bin"
    link = trial.scratch / "links" / "interpreter"
    link.parent.mkdir()
    link.symlink_to(tools / "python3")
    yield lambda: _timed(trial, "venv", "pip install", lambda: _venv(trial, tree, ()))
    main = tree.executable.relative_to(tree.root)
    if trial.report.found(PurePosixPath(main)):
        fact = "skipped: a copied interpreter is too far away from the libraries it needs"
        trial.checks.append(skipped("venv", "copies", fact))
    else:
        yield lambda: _timed(trial, "venv", "copies", lambda: _venv(trial, tree, ("--copies",)))
    yield lambda: _probe(trial, "read-only, empty environment", (str(tools / python),), {})
    yield lambda: _probe(trial, "by PATH", ("python3",), {"PATH": str(tools)}, short=True)
    yield lambda: _probe(trial, "through a symlink", (str(link),), {}, short=True)
    yield lambda: _probe(
        trial, "foreign LD_LIBRARY_PATH", (str(tools / python),),
        {"LD_LIBRARY_PATH": "/usr/lib:/lib:/usr/lib/x86_64-linux-gnu"}, short=True,
    )  # fmt: skip
    yield lambda: _timed(trial, "scripts", "bin", lambda: _scripts(trial, tree))
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
    left = () if trial.subject.ours else _unneeded(trial.subject.tree, trial.report)
    if left:
        fact = f"nothing in the tree needs {', '.join(left)}, which LD_LIBRARY_PATH may spread: left in place"
        trial.checks.append(skipped("tree", "generic sonames", fact))
    _none(scan(trial.subject.tree, trial.forbidden, left))
    return "no build path, no old prefix"


def _unneeded(tree: Tree, report: AuditReport) -> tuple[str, ...]:
    """Libraries in ``lib/`` that somebody else put there, and no file of the tree loads by itself."""
    needed = {find.inside for finds in report.finds.values() for find in finds}
    found = (PurePosixPath("lib", path.name) for path in sorted(tree.root.glob("lib/*.so*")))
    return tuple(str(path) for path in found if spreads(path) and path not in needed)


def _hardening(trial: Trial) -> str:
    if not trial.subject.ours:
        raise NotTriedError("somebody else compiled it")
    _none(weaknesses(trial.subject.tree))
    return "every ELF file is protected, no symbol clashes"


def _none(found: tuple[str, ...]) -> None:
    if found:
        more = f"; {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise VerifyError("; ".join(found[:_SHOWN]) + more)


def _probe(
    trial: Trial,
    where: str,
    command: tuple[str, ...],
    env: Mapping[str, str],
    *,
    short: bool = False,
) -> None:
    """Run the probe in one surrounding and take its rows over."""
    words = ("short",) if short else trial.subject.probing
    argv = (*command, "-I", "-B", str(trial.programs / "probe.py"), *words)
    trial.checks.extend(probed(argv, env, where, user=_unprivileged()))


def _venv(trial: Trial, tree: Tree, arguments: tuple[str, ...]) -> str:
    """``venv``, then pip installs a wheel and, where the host has a compiler, a C extension."""
    folder = Path(tempfile.mkdtemp(dir=trial.scratch / "links", prefix="venv "))
    folder.chmod(0o777)
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder)}
    pip = ("-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "install", "--no-index")
    _run((str(tree.executable), "-m", "venv", *arguments, str(folder / "e")), env)
    python = str(folder / "e" / "bin" / "python")
    _run((python, *pip, str(packages.wheel(folder))), env)
    greeting = _run((str(folder / "e" / "bin" / "greet"),), env)
    if str(folder / "e") not in greeting:
        raise VerifyError(f"the console script said {greeting!r}")
    if arguments:
        return greeting.strip()
    if shutil.which("cc") is None:
        trial.checks.append(skipped("venv", "C extension", "skipped: this host has no cc"))
        return greeting.strip()
    source = packages.extension(folder)
    for path in (source, *source.iterdir()):
        path.chmod(0o777)
    _run((python, *pip, "--no-build-isolation", str(source)), env)
    answer = _run((python, "-c", "import _hello; print(_hello.answer())"), env)
    if answer.strip() != "42":
        raise VerifyError(f"the C extension said {answer!r}")
    return "wheel and C extension installed"


def _scripts(trial: Trial, tree: Tree) -> str:
    """Pip's own script, directly and through a link; the flags of ``python3-config``."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(trial.scratch)}
    tools = tree.root / "bin"
    said = []
    if (tools / "pip3").exists():
        link = trial.scratch / "links" / "pip"
        link.symlink_to(tools / "pip3")
        for script in (tools / "pip3", link):
            said.append(_run((str(script), "--version"), env))
            if str(tree.root) not in said[-1]:
                raise VerifyError(f"{script.name} belongs to another tree: {said[-1]!r}")
    config = tools / f"{tree.name}{tree.debug}-config"
    if config.exists():
        flags = _run((str(config), "--includes"), env)
        if f"-I{tree.root}/include/" not in flags:
            raise VerifyError(f"{config.name} --includes said {flags!r}")
    return " ".join(said[:1]).strip()


def _old_glibc(trial: Trial, tree: Tree) -> None:
    """The whole probe on a real glibc 2.17, where the target says it runs there."""
    if _OLD in trial.chosen:  # tried later, and more of it
        return
    root, why = _OLD, surroundings.works()
    if not why or foreign.refused(root, trial.subject.target):
        subject = replace(trial.subject, tree=tree)
        trial.checks.extend(foreign.examine(subject, (root,), (surroundings.PLAIN,)))
        return
    try:
        folder = roots.create(
            root, trial.subject.target.architecture, trial.subject.cache, trial.subject.reporter
        )
    except ManypythonError as error:
        trial.checks.append(failed("root", "made", error.message, root.name))
        return
    shutil.copytree(folder, trial.scratch / root.name, symlinks=True)  # where nobody may read it
    loader = foreign.by_loader(tree, trial.scratch / root.name)
    argv = (*loader, "-I", "-B", str(trial.programs / "probe.py"), *trial.subject.probing)
    where = f"by its loader only, for {why}"
    trial.checks.extend(probed(argv, {}, where, root=root.name, user=_unprivileged()))


def _unprivileged() -> int | None:
    """Nobody where we are root: root ignores that a folder is read-only."""
    return surroundings.NOBODY if os.geteuid() == 0 else None


def _run(argv: tuple[str, ...], env: Mapping[str, str]) -> str:
    return process.run(argv, env=env, cwd=Path("/"), user=_unprivileged()).output


class NotTriedError(Exception):
    """A check that does not apply, with the reason."""


def _timed(trial: Trial, where: str, name: str, work: Callable[[], str]) -> None:
    begun = time.monotonic()
    try:
        ok, detail = True, work()
    except NotTriedError as reason:
        trial.checks.append(skipped(where, name, str(reason)))
        return
    except ManypythonError as error:
        ok, detail = False, error.message
    except process.ProgramError as error:
        ok, detail = False, f"{' '.join(error.result.argv[:6])}: {error.result.output[-2000:]}"
    trial.checks.append(Check(HERE, where, name, ok, detail, round(time.monotonic() - begun, 3)))


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


def _open_to_all() -> str | None:
    """The first temporary folder that an unprivileged user can pass into; None: the default."""
    for name in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108
        place = Path(name).resolve()
        if place.is_dir() and all(path.stat().st_mode & 0o001 for path in (place, *place.parents)):
            return str(place)
    return None


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder that any user can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="manypython-verify-", dir=_open_to_all()))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for path, _, _ in os.walk(folder):
            Path(path).chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
