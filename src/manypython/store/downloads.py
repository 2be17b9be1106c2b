"""Archives that were begun or kept by a fetch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from manypython.folders import CACHE, cache_home
from manypython.model.errors import OutputError, reason
from manypython.store.installed import lock


def forget_downloads(*, dry_run: bool) -> int:
    """Delete what is kept of downloads, but for those under way; returns bytes."""
    try:
        folder = downloads()
    except OutputError:  # so there are none
        return 0
    size = 0
    for path in [path for path in folder.glob("*-*") if path.is_file()]:
        with lock(str(folder), path.name.partition("-")[0], CACHE):
            size += path.stat().st_size
            if not dry_run:
                path.unlink()
    return size


def downloads() -> Path:
    """The folder where downloads are kept, until ``prune``.

    Raises:
        OutputError: none is set, and there is no home folder.
    """
    return Path(os.environ.get(CACHE) or os.path.join(cache_home(), "manypython"), "downloads").absolute()


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Name the file that cannot be written, and the setting that moves it."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}: {reason(error)}", remedy=f"free some room or name another folder with {CACHE}"
        ) from None
