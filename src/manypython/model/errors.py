"""Every way to fail is a class here, with its exit code and a remedy.

The command line prints ``error: <message>`` and ``remedy: <remedy>`` and exits
with ``exit_code``; no traceback reaches a user. The codes are documented in
``docs/exit-codes.md``.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:  # a warm fetch does not wait for pathlib
    from pathlib import Path


class ManypythonError(Exception):
    """Base of every error that is meant for the user."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "", log: Path | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.log = log
        """File with the whole story (a build's log), if there is one."""

    @property
    def line(self) -> str:
        """All of it in one line, for another tool's output."""
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class UsageError(ManypythonError):
    """Arguments that make no sense: unknown version, unknown target, bad combination."""

    exit_code = 2


class RequestError(UsageError):
    """What somebody wrote is no request for an interpreter, or asks for one that is not ours."""

    def __init__(self, text: str, why: str, *, remedy: str = "") -> None:
        super().__init__(f"{text!r}{f': {why}' if why else ' is no Python version'}", remedy=remedy)
        self.why = why
        """Empty: it is not understood."""


class TreeError(ManypythonError):
    """The tree given is no Python prefix, or not one that can be worked on."""

    exit_code = 3


class RecipeError(ManypythonError):
    """A recipe is wrong: unknown key, missing hash. The message has the dotted path."""

    exit_code = 4


class SourceError(ManypythonError):
    """A source could not be obtained, or is not what its recipe says. Names each origin tried."""

    exit_code = 5


class HostToolError(ManypythonError):
    """Programs are missing on this machine, or it is unsuitable itself: no ``/proc``, a wrong clock."""

    exit_code = 6


class BuildError(ManypythonError):
    """A build step failed. ``log`` has the whole output."""

    exit_code = 7


class AuditError(ManypythonError):
    """The tree does not meet the policy asked for, or a library cannot be located."""

    exit_code = 8


class VerifyError(ManypythonError):
    """The tree did not prove portable."""

    exit_code = 9


class OutputError(ManypythonError):
    """The output folder cannot be written, or is full."""

    exit_code = 10


class ArchiveError(ManypythonError):
    """An archive is truncated, tampered with, or has a member that must not be unpacked."""

    exit_code = 11


class ContainerError(ManypythonError):
    """No container engine works, the image is not the right one, or the container was ended from outside."""

    exit_code = 12


class DownloadError(ManypythonError):
    """A file is not to be had, or its bytes are not what the index says. Names each place that was tried."""

    exit_code = 13


class TrustError(ManypythonError):
    """An index is not signed, or its signatures, dates or versions do not hold."""

    exit_code = 14


class NoBuildError(ManypythonError):
    """No build fits this machine, or none that fits is what was asked for."""

    exit_code = 15


class MissingExtraError(ManypythonError):
    """The command needs libraries that only an extra brings, ``manypython[build]`` most often."""

    exit_code = 16


class UnreadableError(ManypythonError):
    """A file or folder that was named is not there, or may not be read."""

    exit_code = 18


ROOM = "free some room or name another folder"
"""The remedy where a folder cannot be written, behind which may stand what names it."""


def reason(error: OSError) -> str:
    """Why, in a few words: of a copy that failed, which is a list of errors (``shutil.Error``), the first."""
    if error.strerror:
        return error.strerror
    told = error.args[0] if error.args else error
    if isinstance(told, list) and told:
        told = told[0][-1]
    return str(told).partition("] ")[2].partition(": ")[0] or str(told)


def of_os(error: OSError) -> ManypythonError:
    """What to say of a file that nobody foresaw to be in the way."""
    kind = UnreadableError if _is_about_reading(error) else OutputError
    return kind(f"{error.filename or 'a file'}: {reason(error)}")


def _is_about_reading(error: OSError) -> bool:
    """Whether a named file is missing or closed to us; places that are written to say so themselves."""
    if error.errno in (errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
        return True
    return error.errno in (errno.EACCES, errno.EPERM) and not os.access(error.filename or ".", os.R_OK)


TROUBLE = 17
"""Exit code of ``doctor`` where a project does not get what it wants."""
INTERRUPTED = 130
"""Exit code after Ctrl-C (128 + SIGINT), as shells have it."""
