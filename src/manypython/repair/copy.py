"""Copy a Python without what the archive leaves out; the original is never touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from manypython.model.errors import TreeError
from manypython.model.tree import Tree
from manypython.repair.prune import plan_prune
from manypython.repair.relocate import origins
from manypython.repair.survey import Fate, Oddity, survey


def oddities_of(prefix: Tree) -> tuple[Oddity, ...]:
    """What is odd in all that ``copy`` takes."""
    return survey(prefix, [edit.path for edit in plan_prune(prefix)], origins(prefix))


def copy(prefix: Tree, place: Path, oddities: Iterable[Oddity] = ()) -> Tree:
    """Copy a prefix to a new folder, without what ``plan_prune`` removes.

    Of a prefix shared with other software (``/usr``), only what belongs to this Python is
    taken.

    Args:
        prefix: what is copied.
        place: the new folder.
        oddities: what ``oddities_of`` gave for it; none of them is refused.

    Raises:
        TreeError: a file cannot be read, or there is no room.
    """
    odd = tuple(oddities)
    left_out = {str(prefix.root / edit.path) for edit in plan_prune(prefix)}
    left_out |= {str(prefix.root / oddity.path) for oddity in odd if oddity.fate is not Fate.TAMED}

    def skip(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if os.path.join(folder, name) in left_out}

    try:
        if prefix.shared:
            for source, target in _own(prefix):
                _take(source, place / target, skip)
            _drop_strays(place)
        else:
            shutil.copytree(prefix.root, place, symlinks=True, ignore=skip)
        for oddity in odd:
            _take_odd(oddity, place / oddity.path)
    except (OSError, shutil.Error) as error:
        raise TreeError(f"{prefix.root}: cannot be copied: {error}") from None
    return replace(prefix, root=place)


def _take_odd(oddity: Oddity, target: Path) -> None:
    match oddity.fate:
        case Fate.FOLLOWED:
            shutil.copy2(oddity.goal, target)
            target.chmod(target.stat().st_mode & 0o755)
        case Fate.RELATIVE:
            target.symlink_to(oddity.goal)
        case Fate.TAMED:
            target.chmod(target.stat().st_mode & 0o755)
        case Fate.LEFT_OUT | Fate.REFUSED:
            pass
        case _:
            assert_never(oddity.fate)


def _own(prefix: Tree) -> Iterator[tuple[Path, Path]]:
    """What of a shared prefix belongs to one Python: where it is, and where it goes."""
    short = f"{prefix.version.major}.{prefix.version.minor}"
    names = [prefix.executable.name, f"{prefix.name}-config"]
    if prefix.implementation == "cpython":
        names += [f"{tool}{short}" for tool in ("pydoc", "idle", "2to3-")]
    for name in names:
        if (prefix.root / "bin" / name).is_file():
            yield prefix.root / "bin" / name, Path("bin", name)
    for folder in (Path("lib", prefix.name), Path("include", prefix.name)):
        yield prefix.root / folder, folder
    # Debian keeps the one header that differs between machines elsewhere, with a pointer to it
    for header in sorted((prefix.root / "include").glob(f"*-linux-*/{prefix.name}/pyconfig.h")):
        yield header, Path("include", prefix.name, header.name)
    # and the wheels that `python -m venv` installs (package python3-pip-whl)
    wheels = prefix.root / "share" / "python-wheels"
    if wheels.is_dir():
        yield wheels, Path("share", "python-wheels")


def _take(source: Path, target: Path, skip: object) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=skip)  # type: ignore[arg-type]
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _drop_strays(root: Path) -> None:
    """Remove links whose target was not taken: settings of that machine, a shared libpython."""
    for folder, _, names in os.walk(root):
        for path in (Path(folder, name) for name in names):
            inside = path.exists() and path.resolve().is_relative_to(root.resolve())
            if path.is_symlink() and not inside:
                path.unlink()
