"""pipenv: a small ``pyenv`` that answers what pipenv asks of one, with interpreters of ours.

pipenv has no way to fetch an interpreter but ``pyenv install``, and looks afterwards into
``versions/*/bin`` of pyenv's folder (``~/.pyenv``, or ``PYENV_ROOT``), provided that a ``pyenv``
is on PATH. So there is a script of that name, and in that folder a link for each interpreter.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from pathlib import Path

from manypython import fetch
from manypython.folders import expanded, of_home
from manypython.model.errors import ManypythonError, NoBuildError, OutputError, RequestError, UsageError
from manypython.model.request import ELSEWHERE, FREETHREADED, Request
from manypython.model.request import read as read_request
from manypython.progress import Lines
from manypython.store.installed import Installed, answering, here, installed, there
from manypython.store.settings import read
from manypython.store.writing import writing
from manypython.version import __version__

_RECORD = "manypython-shim"
"""In pyenv's folder: it is ours, and the script stands where this says."""
_MARK = "# Made by: manypython pyenv-shim install"
_SCRIPT = """\
#!/bin/sh
{mark}
python={python}
if [ ! -x "$python" ]; then
  echo "pyenv: $python is gone; run again: manypython pyenv-shim install" >&2
  exit 1
fi
exec "$python" -P -m manypython pyenv-shim run pyenv "$@"
"""
_PATIENCE = 4.0
"""Seconds for each attempt to have the list: pipenv gives up after 30."""
_KNOWN = "install --list, install [-s] VERSION, versions [--bare], prefix VERSION, root, --version"


def root() -> Path:
    """Pyenv's folder, as pipenv finds it.

    Raises:
        OutputError: none is set, and there is no home folder.
        UsageError: it begins with a home folder that there is not.
    """
    if named := os.environ.get("PYENV_ROOT"):
        return Path(expanded(os.path.expandvars(named), "PYENV_ROOT")).absolute()
    return Path(of_home(".pyenv", "PYENV_ROOT"))


def install(folder: Path, *, force: bool, dry_run: bool) -> Path:
    """Write the script; returns its path.

    Args:
        folder: where the script goes, which should be on PATH.
        force: although another pyenv is on PATH.
        dry_run: find out whether it can be done, and do nothing.

    Raises:
        UsageError: a pyenv, or something else that is not ours, is there already.
        OutputError: a folder cannot be written.
    """
    script, record = folder.absolute() / "pyenv", root() / _RECORD
    if os.path.lexists(script) and not _is_ours(script):
        raise UsageError(f"{script}: is there already, and not ours", remedy="name another folder with --to")
    if not record.exists() and root().is_dir() and any(root().iterdir()):
        raise UsageError(
            f"{root()}: belongs to a pyenv",
            remedy="let that pyenv install the site's definitions, or set PYENV_ROOT to another folder",
        )
    if (before := _recorded()) and before != script and _is_ours(before):
        raise UsageError(f"{before}: the shim stands there", remedy="manypython pyenv-shim remove")
    other = shutil.which("pyenv")
    if other and not force and not _is_ours(Path(other)):
        raise UsageError(
            f"{other}: a pyenv is on PATH",
            remedy="let it install the site's definitions, or add --force and put the shim before it on PATH",
        )
    if not dry_run:
        _write(record, f"{script}\n", 0o644, "PYENV_ROOT")
        _write(script, _SCRIPT.format(mark=_MARK, python=shlex.quote(sys.executable)), 0o755, "--to")
    return script


def remove() -> list[Path]:
    """Remove the script, its links and their folder; returns what was removed.

    Raises:
        UsageError: there is no shim.
        OutputError: something cannot be removed.
    """
    script = _recorded()
    if script is None:
        raise UsageError(f"{root()}: is not the shim's", remedy="set PYENV_ROOT as it was set for install")
    gone = [path for path in _links() if _is_link_of_ours(path)]
    gone += [script] if _is_ours(script) else []
    gone.append(root() / _RECORD)
    for path in gone:
        try:
            path.unlink()
        except OSError as error:
            raise OutputError(f"{path}: cannot be removed: {error.strerror}") from None
    for folder in (root() / "versions", root()):
        with contextlib.suppress(OSError):  # there is something else in it
            folder.rmdir()
    return gone


def answer(words: list[str]) -> str:
    """What pyenv would print.

    Args:
        words: its arguments.

    Raises:
        ManypythonError: it is nothing that is answered here, or the interpreter cannot be had.
    """
    match words:
        case ["install", "--list" | "-l"]:
            return "\n".join(["Available versions:", *(f"  {version}" for version in _available())])
        case ["install", version] | ["install", "-s" | "--skip-existing", version]:
            return _installed(version)
        case ["versions"] | ["versions", "--bare"]:
            return "\n".join(f"{'' if words[1:] else '  '}{link.name}" for link in _links())
        case ["prefix", version]:
            return str(_link(version))
        case ["root"]:
            return str(root())
        case ["--version" | "-v"]:
            return f"pyenv {__version__} (manypython)"
    raise ManypythonError(
        f"pyenv: {shlex.join(words) or 'no command'}: this is manypython's shim and answers {_KNOWN}",
        remedy="install the real pyenv for the rest; manypython pyenv-shim remove",
    )


def _available() -> list[str]:
    """Final releases for this machine: of the index, or offline of the store. pipenv knows no others."""
    settings = read()
    if settings.offline:
        finals = [each.version for each in installed(settings.store_dir) if each.is_final]
        found = set(here(finals, settings))
    else:
        from manypython.store.fetch import versions  # noqa: PLC0415  (its imports take longer than all the rest)

        settings.timeout = min(settings.timeout, _PATIENCE)
        found = set(map(str, versions(settings, Lines(_say))))
    return sorted(found, key=lambda version: tuple(map(int, version.split("."))))


def _installed(version: str) -> str:
    if not _request(version).runs_here:
        raise UsageError(f"pyenv: {version}: {ELSEWHERE}", remedy="name the version alone")
    if _recorded() is None:
        raise UsageError(f"{root()}: is not the shim's", remedy="manypython pyenv-shim install")
    found = fetch(version, say=_say)
    link = root() / "versions" / f"{found.version}{'t' if found.variant == FREETHREADED else ''}"
    if os.path.lexists(link) and not _is_link_of_ours(link):
        raise UsageError(f"{link}: is there already, and not ours", remedy="remove it")
    scratch = link.with_name(f".{link.name}.{os.getpid()}")
    with writing(link.parent, "PYENV_ROOT"):
        scratch.symlink_to(found.folder)
        scratch.replace(link)
    return f"Python {found.version} is in {link}, which leads to {found.folder}"


def _request(version: str) -> Request:
    try:
        return read_request(version)
    except RequestError as error:
        raise UsageError(f"pyenv: {error.message}", remedy=error.remedy) from None


def _links() -> list[Path]:
    """The versions that stand in pyenv's folder."""
    with contextlib.suppress(OSError):
        return sorted(path for path in (root() / "versions").iterdir() if not path.name.startswith("."))
    return []


def _link(version: str) -> Path:
    links = {link.name: link for link in _links()}
    if version in links:
        return links[version]
    answers = answering(str(_request(version)))
    found = {each.age: link for link in links.values() if (each := _behind(link)) and answers(each)}
    if found:
        return found[max(found)]
    raise NoBuildError(f"pyenv: {version} is not installed", remedy=f"pyenv install {shlex.quote(version)}")


def _is_link_of_ours(path: Path) -> bool:
    """Whether it leads, or led, to an interpreter of that version in a store."""
    if not path.is_symlink():
        return False
    version, key = path.name.removesuffix("t"), path.readlink().name
    return key.startswith(f"cpython-{version}+") and key.endswith(FREETHREADED) is path.name.endswith("t")


def _behind(path: Path) -> Installed | None:
    """The interpreter that a link of ours leads to; None where it is gone, or the link not ours."""
    if not _is_link_of_ours(path):
        return None
    folder = path.readlink()
    return there(str(folder.parent), folder.name)


def _recorded() -> Path | None:
    """Where the script stands; None where pyenv's folder is not ours."""
    try:
        return Path(os.fsdecode((root() / _RECORD).read_bytes()).rstrip("\n"))
    except OSError:
        return None


def _is_ours(script: Path) -> bool:
    try:
        return _MARK.encode() in script.read_bytes()
    except OSError:
        return False


def _write(path: Path, text: str, mode: int, names: str) -> None:
    """Write a file whole or not at all; ``names`` is what names its folder, for the error."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(os.fsencode(text))  # paths in it may be in no encoding
        scratch.chmod(mode)
        scratch.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written: {error.strerror}",
            remedy=f"name a folder that can be written with {names}",
        ) from None


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
