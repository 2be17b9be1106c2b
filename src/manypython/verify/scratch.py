"""Where a tree is tried: a folder with room, from which programs run, and that any user can pass through."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manypython import process
from manypython.model.errors import OutputError
from manypython.verify.surroundings import NOBODY

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Scratch:
    """A folder to try things in, and who tries them there."""

    folder: Path
    user: int | None
    """Nobody, where we are root: root ignores that a folder is read-only. None: ourselves."""
    why: str = ""
    """Why it is not nobody, although we are root."""


@contextmanager
def scratch(size: int, fallback: Path) -> Iterator[Scratch]:
    """A folder that exists as long as the block runs.

    Args:
        size: bytes that it must have room for.
        fallback: a folder of ours, used where no temporary folder will do.

    Raises:
        OutputError: no folder will do; each is named with its reason.
    """
    places = [Path(name).resolve() for name in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp"))]  # noqa: S108
    reasons = {place: unfit(place, size) for place in dict.fromkeys((*places, fallback))}
    fit = [place for place, reason in reasons.items() if not reason]
    if not fit:
        lines = "\n".join(f"  {place}: {reason}" for place, reason in reasons.items())
        raise OutputError(
            f"no folder to try the interpreter in:\n{lines}",
            remedy=f"name one with TMPDIR that has {size // _MEGABYTE} MB and is not mounted noexec",
        )
    user, why = _nobody()
    open_to_all = [place for place in fit if _open_to_all(place)]
    if user is not None and not open_to_all:
        user, why = None, f"no folder with {size // _MEGABYTE} MB of room is open to all users"
    folder = Path(tempfile.mkdtemp(prefix="manypython-verify-", dir=(open_to_all or fit)[0]))
    folder.chmod(0o755)
    try:
        yield Scratch(folder, user, why)
    finally:
        for path, _, _ in os.walk(folder):
            Path(path).chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)


def unfit(place: Path, size: int) -> str:
    """Why a folder will not do; empty where it will."""
    if not place.is_dir():
        return "is no folder"
    if not os.access(place, os.W_OK | os.X_OK):
        return "cannot be written"
    status = os.statvfs(place)
    if status.f_flag & os.ST_NOEXEC:
        return "is mounted noexec"
    room = status.f_bavail * status.f_frsize
    if room < size:
        return f"has room for {room // _MEGABYTE} MB, {size // _MEGABYTE} MB are needed"
    return ""


def readable(folder: Path) -> None:
    """Let any user read what is below a folder, whatever the umask was when it was written."""
    for place, _, names in os.walk(folder):
        Path(place).chmod(0o755)
        for name in names:
            Path(place, name).chmod(0o644)


@functools.cache
def _nobody() -> tuple[int | None, str]:
    """The user that has no rights, where we can become it, or why not."""
    if os.geteuid() != 0:
        return None, ""
    try:
        process.run(("/bin/true",), user=NOBODY)
    except process.ProgramError as error:
        return None, f"user {NOBODY} cannot be had here: {error.result.output.strip()}"
    return NOBODY, ""


def _open_to_all(place: Path) -> bool:
    return all(path.stat().st_mode & 0o001 for path in (place, *place.parents))
