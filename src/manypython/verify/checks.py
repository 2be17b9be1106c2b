"""The first ring of proof: move the tree, freeze it, call it from everywhere."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from manypython import process
from manypython.model.errors import ManypythonError, VerifyError
from manypython.model.target import Target
from manypython.model.tree import Tree, VerifiedTree
from manypython.progress import Reporter
from manypython.repair.audit import AuditReport, require
from manypython.verify import packages, probe, roots
from manypython.verify.scan import scan

_NOBODY = 65534
_SHOWN = 20
"""Findings named one by one."""
_FIRST = "first/python"
_SECOND = "second move \N{LATIN SMALL LETTER O WITH DIAERESIS}/py thon"
_SECOND_ASCII = "second move/py thon"


@dataclass(frozen=True)
class Check:
    """One thing that was tried."""

    where: str
    name: str
    ok: bool
    detail: str
    seconds: float
    skipped: bool = False


@dataclass(frozen=True)
class VerifyReport:
    """All that was tried."""

    checks: tuple[Check, ...]

    @property
    def failures(self) -> tuple[Check, ...]:
        """What did not hold."""
        return tuple(check for check in self.checks if not check.ok)

    @property
    def skipped(self) -> tuple[Check, ...]:
        """What could not be tried here, with the reason."""
        return tuple(check for check in self.checks if check.skipped)

    def as_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {"ok": not self.failures, "checks": [asdict(check) for check in self.checks]}


@dataclass(frozen=True)
class Trial:
    """What the checks are told."""

    tree: Tree
    report: AuditReport
    target: Target
    forbidden: tuple[str, ...]
    probing: tuple[str, ...]
    """The probe's kind, and the modules that must import."""
    cache: Path
    reporter: Reporter
    scratch: Path
    checks: list[Check] = field(default_factory=list)


def verify(  # noqa: PLR0913  (each is a fact of its own)
    tree: Tree,
    report: AuditReport,
    *,
    target: Target,
    forbidden: tuple[str, ...],
    modules: frozenset[str],
    cache: Path,
    reporter: Reporter,
    jobs: int,
) -> tuple[VerifiedTree, VerifyReport]:
    """Prove a tree portable. The tree itself is only read.

    Args:
        tree: what is to be proved.
        report: its audit against the target, as it stands now.
        target: what it must run on.
        forbidden: absolute folders that no file may name (build paths, the old prefix).
        modules: extension modules that must import; empty: those that are there.
        cache: where foreign roots are kept.
        reporter: told what is tried.
        jobs: checks side by side.

    Raises:
        VerifyError: something did not hold; each is named with its fact.
    """
    probing = ("full" if modules else "foreign", *sorted(modules or tree.extension_modules()))
    with reporter.step("verify"), _scratch() as scratch:
        trial = Trial(tree, report, target, forbidden, probing, cache, reporter, scratch)
        with ThreadPoolExecutor(jobs) as pool:
            _timed(trial, "tree", "audit", lambda: _audit(trial))
            reading = pool.submit(_timed, trial, "tree", "scan", lambda: _scan(trial))
            first = _copy(tree, scratch / _FIRST)
            _probe(trial, "moved", (str(first.executable),), {"HOME": str(scratch)})
            second = replace(first, root=scratch / _place(trial))
            second.root.parent.mkdir()
            first.root.rename(second.root)
            _freeze(second.root)
            before = _listing(second.root)
            for future in (reading, *(pool.submit(job) for job in _jobs(trial, second))):
                future.result()
        _timed(trial, "read-only", "unchanged", lambda: _unchanged(before, second.root))
    proof = VerifyReport(tuple(trial.checks))
    if proof.failures:
        facts = "\n".join(f"  {c.where}: {c.name}: {c.detail}" for c in proof.failures)
        raise VerifyError(f"{tree.root} did not prove portable:\n{facts}")
    return VerifiedTree(tree), proof


def _place(trial: Trial) -> str:
    """Where the tree is moved to the second time."""
    if trial.tree.implementation == "cpython":
        return _SECOND
    fact = "skipped: without a UTF-8 locale PyPy loads no extension module from such a folder"
    trial.checks.append(_skipped("moved", "non-ASCII folder", fact))
    return _SECOND_ASCII


def _jobs(trial: Trial, tree: Tree) -> Iterator[Callable[[], None]]:
    """Everything that is tried in the second place, the longest first."""
    python, tools = tree.executable.name, tree.root / "bin"
    link = trial.scratch / "links" / "interpreter"
    link.parent.mkdir()
    link.symlink_to(tools / "python3")
    yield lambda: _timed(trial, "venv", "pip install", lambda: _venv(trial, tree, ()))
    main = tree.executable.relative_to(tree.root)
    if any(file.rpath for file in trial.report.files if file.path == PurePosixPath(main)):
        fact = "skipped: a copied interpreter is too far away from the libraries it needs"
        trial.checks.append(_skipped("venv", "copies", fact))
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
    require(report, trial.target)
    odd = [str(f.path) for f in report.files if f.runpath or f.rpath.startswith("/")]
    if odd:
        raise VerifyError(f"DT_RUNPATH or an absolute DT_RPATH in {', '.join(odd)}")
    return f"{len(report.files)} ELF files, {report.policy}"


def _scan(trial: Trial) -> str:
    found = scan(trial.tree, trial.forbidden)
    if found:
        more = f"; {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise VerifyError("; ".join(found[:_SHOWN]) + more)
    return "no build path, no old prefix"


def _probe(
    trial: Trial,
    where: str,
    command: tuple[str, ...],
    env: Mapping[str, str],
    *,
    short: bool = False,
) -> None:
    """Run the probe in one surrounding and take its rows over."""
    words = ("short",) if short else trial.probing
    _rows(trial, where, (*command, "-I", "-B", str(_program(trial)), *words), env)


def _rows(trial: Trial, where: str, argv: tuple[str, ...], env: Mapping[str, str]) -> None:
    try:
        result = _run(argv, env)
        rows = json.loads(result.splitlines()[-1])
    except (process.ProgramError, ValueError, IndexError) as error:
        detail = error.result.output[-2000:] if isinstance(error, process.ProgramError) else str(error)
        trial.checks.append(_failed(where, "start", detail))
        return
    trial.checks.extend(Check(where, row["name"], row["ok"], row["detail"], row["seconds"]) for row in rows)


def _skipped(where: str, name: str, fact: str) -> Check:
    """A check that could not be tried here: it is counted and said."""
    return Check(where, name, ok=True, detail=fact, seconds=0.0, skipped=True)


def _failed(where: str, name: str, fact: str) -> Check:
    return Check(where, name, ok=False, detail=fact, seconds=0.0)


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
        trial.checks.append(_skipped("venv", "C extension", "skipped: this host has no cc"))
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
    target = trial.target
    if target.floor > (2, 17) or target.architecture != os.uname().machine:
        fact = f"skipped: {target} does not promise this host glibc 2.17"
        trial.checks.append(_skipped("glibc 2.17", "start", fact))
        return
    try:
        libraries = roots.glibc_2_17(trial.cache, target.architecture, trial.reporter)
    except ManypythonError as error:
        trial.checks.append(_failed("glibc 2.17", "start", error.message))
        return
    public = _public(trial, libraries)
    where, argv = roots.command(tree, public, _program(trial))
    _rows(trial, where, (*argv, *trial.probing), {})
    said = [c for c in trial.checks if c.where == where and c.name == "rest"]
    if said and said[0].ok and said[0].detail != "glibc 2.17":
        trial.checks.append(_failed(where, "version", f"it was {said[0].detail}"))


def _public(trial: Trial, libraries: Path) -> Path:
    """A copy of the sysroot that an unprivileged user can read."""
    return Path(shutil.copytree(libraries, trial.scratch / "glibc-2.17", symlinks=True))


def _program(trial: Trial) -> Path:
    path = trial.scratch / "probe.py"
    if not path.exists():
        shutil.copyfile(probe.__file__, path)
        path.chmod(0o644)
    return path


def _run(argv: tuple[str, ...], env: Mapping[str, str]) -> str:
    """Run as nobody where we are root: root ignores that a folder is read-only."""
    user = _NOBODY if os.geteuid() == 0 else None
    return process.run(argv, env=env, cwd=Path("/"), user=user).output


def _timed(trial: Trial, where: str, name: str, work: Callable[[], str]) -> None:
    begun = time.monotonic()
    try:
        ok, detail = True, work()
    except ManypythonError as error:
        ok, detail = False, error.message
    except process.ProgramError as error:
        ok, detail = False, f"{' '.join(error.result.argv[:6])}: {error.result.output[-2000:]}"
    trial.checks.append(Check(where, name, ok, detail, round(time.monotonic() - begun, 3)))


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
