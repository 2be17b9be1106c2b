"""What ``nox.project`` makes of ``pyproject.toml`` (nox's manual, "The nox.project module")."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from manypython.projects.reading import text_of, toml_of, under

_CLASSIFIER = "Programming Language :: Python :: "
_MOST = 99
_FIRST_THREADED = Version("3.14")
"""nox does not test 3.13t unless told to."""


def load_toml(folder: Path, name: str = "pyproject.toml") -> dict[str, Any]:
    """The project's own tables; no other file is read for a noxfile.

    Raises:
        UsageError: it cannot be read.
        ValueError: another file is meant.
    """
    if name != "pyproject.toml":
        raise ValueError(name)
    return toml_of(folder / name, text_of(folder / name))


def python_versions(
    told: dict[str, Any],
    *,
    max_version: str | None = None,
    sort: bool = True,
    free_threaded: bool | None = None,
) -> list[str]:
    """The versions that the classifiers name, or from ``requires-python`` up to a version.

    Raises:
        ValueError: there are none; nox fails, too.
    """
    classifiers = [each.removeprefix(_CLASSIFIER) for each in under(told, "project", "classifiers") or ()]
    if max_version is None:
        found = [each.split()[-1] for each in classifiers if each.startswith("3.")]
        found = sorted(found, key=Version) if sort else found
    else:
        required = SpecifierSet(under(told, "project", "requires-python") or "")
        lowest = [Version(each.version).minor for each in required if each.operator in (">", ">=", "~=")]
        found = [f"3.{minor}" for minor in range(max(lowest), min(Version(max_version).minor, _MOST) + 1)]
    if not found:
        raise ValueError("no versions")
    if free_threaded is None:
        free_threaded = any(each.startswith("Free Threading") for each in classifiers)
    return found + [f"{each}t" for each in found if free_threaded and Version(each) >= _FIRST_THREADED]
