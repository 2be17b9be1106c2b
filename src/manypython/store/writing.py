"""Changing a store: what cannot be written is told with the setting that names the folder."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from manypython.folders import STORE
from manypython.model.errors import ROOM, OutputError, reason


def delete(path: Path) -> None:
    """Delete a file, a link or a folder, if it is there."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    elif path.exists():
        shutil.rmtree(path)


@contextlib.contextmanager
def writing(folder: Path, names: str = STORE) -> Iterator[None]:
    """Say which folder it is that cannot be written, and the variable that names it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OutputError as error:
        if error.remedy == ROOM:  # of what knows no settings
            error.remedy = f"{ROOM} with {names}"
        raise
    except OSError as error:
        raise OutputError(
            f"{error.filename2 or error.filename or folder}: {reason(error)}",
            remedy=f"{ROOM} with {names}",
        ) from None
