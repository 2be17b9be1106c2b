"""Files and folders that appear whole or not at all, whatever ends the program that writes them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock

from manypython.model.errors import OutputError, reason


@contextmanager
def whole(path: Path, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when it is written whole.

    Raises:
        OutputError: the folder cannot be written, or is full.
    """
    scratch = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).chmod(mode)
        Path(scratch).replace(path)
    except OSError as error:
        raise OutputError(
            f"{path.parent}: cannot write {path.name}: {reason(error)}",
            remedy="free some room or name another folder",
        ) from None
    finally:
        if scratch:
            Path(scratch).unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder that appears under its name only when the block has filled it; it replaces an older one.

    Args:
        folder: its own folder is there.

    Raises:
        OSError: it cannot be written.
    """
    scratch = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        remove_folder(folder)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def cache_once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """A folder of the cache, filled unless it is there: whole or not at all, and once where two want it.

    Args:
        folder: its place in the cache.
        fill: fills an empty folder.

    Raises:
        OutputError: the cache cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            if not folder.is_dir():
                with whole_folder(folder) as scratch:
                    fill(scratch)
    except OSError as error:
        raise OutputError(
            f"{error.filename or folder}: cannot be written: {reason(error)}",
            remedy="free some room or name another folder with --cache-dir",
        ) from None
    return folder


def remove_folder(folder: Path) -> bool:
    """Remove a folder in one step, so that nobody finds half of it; whether it was there."""
    if not folder.is_dir():
        return False
    gone = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    folder.rename(gone / "folder")
    shutil.rmtree(gone)
    return True


def write_text(path: Path, content: str) -> None:
    """Write a small text file whole or not at all."""
    write_bytes(path, content.encode())


def write_bytes(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file whole or not at all.

    Raises:
        OutputError: the folder cannot be written, or is full.
    """
    with whole(path, mode) as file:
        file.write(content)
