"""Which interpreters a project wants: what its files say, read and never run.

::

    from manypython.projects import wishes

    for wish in wishes("tox.ini"):
        print(wish.request or wish.note, wish.where)

How each file is read: ``docs/doctor.md``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manypython.model.errors import UsageError
from manypython.projects import lines, nox, tables, tox_ini, tox_toml
from manypython.projects.wish import Wish

__all__ = ["KNOWN", "Looked", "Wish", "project", "tox_requires", "wishes"]

_READERS: dict[str, Callable[[Path], list[Wish]]] = {
    "pyproject.toml": tables.pyproject,
    "tox.ini": tox_ini.ini,
    "tox.toml": tox_toml.toml,
    "setup.cfg": tox_ini.setup_cfg,
    "noxfile.py": nox.noxfile,
    "hatch.toml": tables.hatch_toml,
    "Pipfile": tables.pipfile,
    ".python-version": lines.python_version,
    ".python-versions": lines.python_version,
    ".tool-versions": lines.tool_versions,
    "mise.toml": tables.mise,
    ".mise.toml": tables.mise,
    "runtime.txt": lines.runtime,
    ".pre-commit-config.yaml": lines.pre_commit,
}
KNOWN = tuple(_READERS)
"""Names of the files that are read."""


@dataclass(frozen=True)
class Looked:
    """A file of a project, and what it wants."""

    path: Path
    wishes: tuple[Wish, ...] = ()
    error: UsageError | None = None
    """Why it could not be read."""


def wishes(path: str | os.PathLike[str]) -> tuple[Wish, ...]:
    """What one file wants, in its order; nothing is run.

    Args:
        path: a file with one of the names in ``KNOWN``.

    Returns:
        Each wish with its request; one that is none of ours (PyPy, a path, what only running the
        file would tell) has an empty request and a note.

    Raises:
        UsageError: no file of that name is known, or it cannot be read; names the line.
    """
    path = Path(path)
    reader = _READERS.get(path.name)
    if reader is None:
        raise UsageError(f"{path}: what it wants is not known", remedy=f"there are {', '.join(KNOWN)}")
    try:
        return tuple(reader(path))
    except (RecursionError, MemoryError):
        raise UsageError(f"{path}: nested too deeply") from None


def project(folder: str | os.PathLike[str]) -> tuple[Looked, ...]:
    """What each file of a folder wants that is known; one that is broken does not hide the others.

    Raises:
        UsageError: there is no such folder, or it is closed to us.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    return tuple(_looked(folder / name) for name in KNOWN if _is_there(folder / name))


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"{path.parent}: cannot be read: {error.strerror}") from None
    return True


def _looked(path: Path) -> Looked:
    try:
        return Looked(path, wishes(path))
    except UsageError as error:
        return Looked(path, error=error)


def tox_requires(path: str | os.PathLike[str]) -> tuple[str, ...] | None:
    """What a file has tox install for itself before it starts; None where it is no file of tox's.

    Raises:
        UsageError: it cannot be read.
    """
    path = Path(path)
    reader = {
        "tox.ini": tox_ini.required,
        "setup.cfg": tox_ini.required,
        "tox.toml": tox_toml.required,
        "pyproject.toml": tox_toml.required,
    }.get(path.name)
    return reader(path) if reader else None
