"""What users do first: a virtual environment, a wheel, a C extension, scripts."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from manypython.model.errors import VerifyError
from manypython.model.tree import Tree
from manypython.probe import packages
from manypython.verify.trial import Checks, NotTriedError, Trial, run, timed


def installation(trial: Trial, tree: Tree) -> Checks:
    """A virtual environment, into which pip installs a wheel and then a C extension."""
    folder = folder_for(trial)
    checks = timed("venv", "pip install", lambda: virtual_environment(trial, tree, folder))
    if any(not check.ok for check in checks):  # there may be no environment to go on with
        return checks
    return checks + timed("venv", "C extension", lambda: _extension(trial, folder))


def virtual_environment(trial: Trial, tree: Tree, folder: Path, *arguments: str) -> str:
    """``venv``, then pip installs a wheel with a console script."""
    env = _environment(folder)
    run(trial, (str(tree.executable), "-m", "venv", *arguments, str(folder / "e")), env)
    run(trial, (*_pip(folder), str(packages.wheel(folder))), env)
    greeting = run(trial, (str(folder / "e" / "bin" / "greet"),), env)
    if str(folder / "e") not in greeting:
        raise VerifyError(f"the console script printed {greeting!r}")
    return greeting.strip()


def _extension(trial: Trial, folder: Path) -> str:
    """Pip builds a C extension with this machine's compiler."""
    if shutil.which("cc") is None:
        raise NotTriedError("this machine has no cc")
    env = _environment(folder)
    source = packages.extension(folder)
    for path in (source, *source.iterdir()):
        path.chmod(0o777)
    run(trial, (*_pip(folder), "--no-build-isolation", str(source)), env)
    python = str(folder / "e" / "bin" / "python")
    answer = run(trial, (python, "-c", "import _hello; print(_hello.answer())"), env)
    if answer.strip() != "42":
        raise VerifyError(f"the C extension returned {answer!r}")
    return "built, installed and called"


def folder_for(trial: Trial) -> Path:
    """A folder that anybody may write to, with a blank in its name."""
    folder = Path(tempfile.mkdtemp(dir=trial.folder / "links", prefix="venv "))
    folder.chmod(0o777)
    return folder


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder)}


def _pip(folder: Path) -> tuple[str, ...]:
    python = str(folder / "e" / "bin" / "python")
    return (python, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir", "install", "--no-index")


def scripts(trial: Trial, tree: Tree) -> str:
    """Pip's own script, directly and through a link; the flags of ``python3-config``."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(trial.folder)}
    tools = tree.root / "bin"
    versions = []
    if (tools / "pip3").exists():
        link = trial.folder / "links" / "pip"
        link.symlink_to(tools / "pip3")
        for script in (tools / "pip3", link):
            versions.append(run(trial, (str(script), "--version"), env))
            if str(tree.root) not in versions[-1]:
                raise VerifyError(f"{script.name} belongs to another tree: {versions[-1]!r}")
    config = tools / f"{tree.name}{tree.debug}-config"
    if config.exists():
        flags = run(trial, (str(config), "--includes"), env)
        if f"-I{tree.root}/include/" not in flags:
            raise VerifyError(f"{config.name} --includes printed {flags!r}")
    return " ".join(versions[:1]).strip()
