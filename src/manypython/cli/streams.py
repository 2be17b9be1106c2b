"""Standard input, output and error: open, and what is said where one of them is closed, full or gone.

A shell's ``>&-`` closes one. Python then has None for it, ``print`` to a closed standard error goes to
standard output, and the next file that is opened gets its number: what a program that we run prints would
be written into it.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys

from manypython.model.errors import OutputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GONE = 128 + signal.SIGPIPE
"""Exit code where nobody reads standard output any more (``| head``), as shells have it."""
_IN, _OUT, _ERR = 0, 1, 2


class _Results(io.FileIO):
    """Standard output, which remembers why it could not be written: argparse, for one, says nothing of it."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:  # noqa: ANN401  (as io has it)
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise


class _Voice(io.FileIO):
    """Standard error: what cannot be said there is no reason to stop, but a reader that went away is."""

    def write(self, data: Any) -> int:  # noqa: ANN401  (as io has it)
        try:
            return super().write(data) or len(data)
        except BrokenPipeError:
            _discard(_ERR)
            raise
        except OSError:
            return len(data)


def prepare() -> None:
    """Have all three open, and both that are written to take what they are given.

    A closed one gets a number that fails as a closed one does (a result that nobody gets is an
    error), but for standard error. Paths go out as the bytes that they are, in UTF-8 or not.
    """
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        for number, mode in ((_IN, os.O_WRONLY), (_OUT, os.O_RDONLY), (_ERR, os.O_WRONLY)):
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, mode)  # the lowest number that is free, which is this one
    sys.stdout = _written(sys.stdout, _Results(_OUT, "w", closefd=False), "surrogateescape")
    sys.stderr = _written(sys.stderr, _Voice(_ERR, "w", closefd=False), "backslashreplace")


def _written(old: Any, raw: io.FileIO, errors: str) -> io.TextIOWrapper:  # noqa: ANN401  (None where it was closed)
    """A text stream as Python made it, with another file below; unbuffered it has no buffer there either."""
    through = bool(old and old.write_through)  # as PYTHONUNBUFFERED has it
    return io.TextIOWrapper(
        raw if through else io.BufferedWriter(raw),
        encoding=old.encoding if old else "utf-8",
        errors=old.errors if old and old.errors != "strict" else errors,
        line_buffering=bool(old and old.line_buffering),
        write_through=through,
    )


def failure() -> OSError | None:
    """Why standard output could not be written; None: it could, so far."""
    buffer = getattr(sys.stdout, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return raw.failure if isinstance(raw, _Results) else None


def finished(code: int) -> int:
    """The exit code, once all that was printed has gone out; what is in the way is said.

    Args:
        code: the command's.
    """
    try:
        sys.stdout.flush()
        error = failure()
    except OSError as raised:
        error = raised
    if error is None:
        return code
    _discard(_OUT)
    if isinstance(error, BrokenPipeError):
        return GONE
    told = "is closed" if error.errno == errno.EBADF else error.strerror
    print(f"error: standard output: {told}", file=sys.stderr)
    print("remedy: send it to where there is room for what is printed", file=sys.stderr)
    return code or OutputError.exit_code


def unwritable(error: BaseException) -> OutputError | None:
    """What to say of a text that standard output's encoding has no bytes for; None for any other error."""
    if not isinstance(error, UnicodeEncodeError):
        return None
    import codecs  # noqa: PLC0415  (rare)

    if codecs.lookup(error.encoding) != codecs.lookup(sys.stdout.encoding):
        return None
    told = ascii(error.object[error.start : error.end])
    return OutputError(
        f"standard output: its encoding ({sys.stdout.encoding}) has no {told}",
        remedy="set PYTHONIOENCODING=utf-8, or a locale of UTF-8",
    )


def _discard(number: int) -> None:
    """Have what is still buffered go nowhere: Python would try again at its end, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)
