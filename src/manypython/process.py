"""The one place that runs programs.

Each program gets its own process group, so that Ctrl-C, or a failure in a
build that runs beside it, ends a whole tree of compilers and not only ``make``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TAIL_LINES = 400
_running: set[subprocess.Popen[str]] = set()
_lock = threading.Lock()
_stopping = threading.Event()


@dataclass(frozen=True)
class Result:
    """The result of a program. ``output`` is the (last part of its) combined output."""

    argv: tuple[str, ...]
    returncode: int
    output: str


class ProgramError(Exception):
    """A program exited with an error, or could not be started."""

    def __init__(self, result: Result) -> None:
        super().__init__(f"{result.argv[0]} exited with {result.returncode}")
        self.result = result


def run(  # noqa: PLR0913  (each is one thing of a process)
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    check: bool = True,
    user: int | None = None,
) -> Result:
    """Run a program to its end, with no standard input.

    Args:
        argv: the program and its arguments; no shell is involved.
        cwd: folder to run in.
        env: the whole environment; ``None`` inherits ours.
        log: file the output is appended to, line by line.
        on_line: called with each line of output, for progress.
        check: whether an exit status other than 0 is an error.
        user: uid and gid to run as; only root may ask for another than its own.

    Raises:
        ProgramError: it could not be started, or failed and ``check`` is set.
    """
    words = tuple(str(word) for word in argv)
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(log.open("a", encoding="utf-8")) if log else None
        try:
            process = _start(words, cwd, env, user)
        except OSError as error:
            raise ProgramError(Result(words, 127, str(error))) from None
        try:
            assert process.stdout is not None  # noqa: S101  (stdout=PIPE)
            for line in process.stdout:
                tail.append(line)
                if sink:
                    sink.write(line)
                if on_line and line.strip():
                    on_line(line.rstrip())
            returncode = process.wait()
        except BaseException:
            _kill(process)
            raise
        finally:
            with _lock:
                _running.discard(process)
            if process.stdout is not None:
                process.stdout.close()
    result = Result(words, returncode, "".join(tail))
    if check and returncode != 0:
        raise ProgramError(result)
    return result


READY = "ready"
"""What a held program prints once it is ready."""


@contextlib.contextmanager
def held(argv: Sequence[str]) -> Iterator[None]:
    """Run a program beside the block. Its standard input stays open until the block ends or we are killed.

    Args:
        argv: a program that prints ``READY`` once it is up and ends when its standard input does.

    Raises:
        ProgramError: it could not be started, or ended before it was ready.
    """
    words = tuple(argv)
    try:
        program = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        raise ProgramError(Result(words, 127, str(error))) from None
    with program:
        assert program.stdout is not None  # noqa: S101  (stdout=PIPE)
        lines: list[str] = []
        while (line := program.stdout.readline()).strip() != READY:
            lines.append(line)
            if not line:
                raise ProgramError(Result(words, program.wait(), "".join(lines)))
        yield


def terminate_all() -> None:
    """End every program that runs now and refuse to start others (Ctrl-C, a sibling's failure)."""
    _stopping.set()
    with _lock:
        victims = list(_running)
    for process in victims:
        _kill(process)


def allow_start() -> None:
    """Allow programs again after ``terminate_all``, once everything it ended is gone."""
    _stopping.clear()


def _start(
    argv: tuple[str, ...], cwd: Path | None, env: Mapping[str, str] | None, user: int | None
) -> subprocess.Popen[str]:
    with _lock:
        if _stopping.is_set():
            raise ProgramError(Result(argv, 130, "not started: the run is being stopped\n"))
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=dict(env) if env is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=[] if user is not None else None,
        )
        _running.add(process)
        return process


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
