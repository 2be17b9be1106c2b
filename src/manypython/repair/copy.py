"""Copy a prefix without what the archive leaves out: the original is never touched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from manypython.model.errors import TreeError
from manypython.model.tree import Tree
from manypython.repair.prune import plan_prune


def copy(prefix: Tree, place: Path) -> Tree:
    """Copy a prefix to a new folder, without what ``plan_prune`` removes.

    Raises:
        TreeError: a file cannot be read, or there is no room.
    """
    left_out = {str(prefix.root / edit.path) for edit in plan_prune(prefix)}

    def skip(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if os.path.join(folder, name) in left_out}

    try:
        shutil.copytree(prefix.root, place, symlinks=True, ignore=skip)
    except (OSError, shutil.Error) as error:
        raise TreeError(f"{prefix.root}: cannot be copied: {error}") from None
    return Tree.open(place)
