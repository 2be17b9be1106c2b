"""Control experiments: is it the product that fails, or the machine that it was tried on?

A check to which the system refused something is made again in the same surrounding, by an interpreter of
this machine that is known to be good; where none can run (another C library, a foreign root), by a small C
program that asks the system for the same. What is refused to both is the surrounding's fault and counts as
not tried. Only a refusal of the system's (``Check.cause``) is ever excused, never a wrong result.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from manypython import probe as inside
from manypython import process
from manypython.archives.members import sha256
from manypython.model.errors import HostToolError
from manypython.model.target import Architecture
from manypython.verify.programs import compile_c
from manypython.verify.report import Check

Control = Callable[[tuple[Check, ...]], Mapping[str, str]]
"""From checks that failed to the names of those that are refused to others there too, each with a reason."""

ATTEMPTS: Mapping[str, str] = {
    "uses _curses_panel": "pty",
    "uses termios": "pty",
    "uses _multiprocessing": "shm",
    "uses _posixshmem": "shm",
    "uses _posixsubprocess": "process",
    "uses _asyncio": "thread",
    "uses _queue": "thread",
    "uses _socket": "loopback",
    "install": "file",
    "rest": "thread",
    "scripts": "process",
    "text": "file",
    "tls": "file",
}
"""What ``inside/control.c`` tries for a check: the part of it that is the system's."""

COMPARABLE = (
    "compression", "ctypes", "hashes", "rest", "terminal", "text", "tls", "user",
)  # fmt: skip
"""Checks that any CPython passes, and so an interpreter of this machine; ``uses`` of a module as well."""


def judge(checks: tuple[Check, ...], control: Control) -> tuple[Check, ...]:
    """The checks; those that failed because of the surrounding become not tried.

    Args:
        checks: made in one surrounding.
        control: the experiment; it is made only where the system refused something.
    """
    suspects = tuple(check for check in checks if not check.ok and check.cause)
    reasons = control(suspects) if suspects else {}
    return tuple(
        replace(check, ok=True, skipped=True, detail=f"{check.line} ({reasons[check.name]})")
        if check in suspects and check.name in reasons
        else check
        for check in checks
    )


def by_interpreter(programs: Path, env: Mapping[str, str], user: int | None) -> Control:
    """An interpreter of this machine makes the same checks.

    Args:
        programs: folder of ``probe.py``, readable by that user.
        env: the whole environment.
        user: uid to run as, see ``process.run``.
    """

    def control(suspects: tuple[Check, ...]) -> dict[str, str]:
        names = [
            check.name for check in suspects if check.name in COMPARABLE or check.name.startswith("uses ")
        ]
        python = _interpreter(user)
        if not names or python is None:
            return {}
        argv = (python, "-I", "-B", str(programs / "probe.py"), "control", *names)
        result = process.run(argv, env=env, cwd=Path("/"), user=user, check=False)
        try:
            rows = json.loads(result.output.splitlines()[-1])
        except (ValueError, IndexError):  # it does not even start: that says nothing of the surrounding
            return {}
        causes = {row["name"]: row.get("cause", "") for row in rows if not row["ok"]}
        return {
            check.name: f"so does {python} here"
            for check in suspects
            if causes.get(check.name) == check.cause
        }

    return control


def by_program(
    architecture: Architecture, cache: Path, run: Callable[[str], tuple[str, ...]], user: int | None = None
) -> Control:
    """A C program asks the system for what the checks need.

    Args:
        architecture: what it is built for.
        cache: where it is kept once it is built.
        run: how to run a program of this path there; its arguments are added.
        user: uid to run as, see ``process.run``.
    """

    def control(suspects: tuple[Check, ...]) -> dict[str, str]:
        words = sorted({ATTEMPTS[check.name] for check in suspects if check.name in ATTEMPTS})
        if not words:
            return {}
        try:
            program = _program(architecture, cache)
        except (HostToolError, OSError):  # no compiler: what failed stays failed
            return {}
        result = process.run((*run(str(program)), *words), env={}, cwd=Path("/"), user=user, check=False)
        refused = dict(line.split(": ", 1) for line in result.output.splitlines() if ": " in line)
        return {
            check.name: f"to a C program too: {refused[ATTEMPTS[check.name]]}"
            for check in suspects
            if ATTEMPTS.get(check.name) in refused
        }

    return control


def _interpreter(user: int | None) -> str | None:
    """An interpreter of this machine that a user may run."""
    for name in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            argv = (name, "-I", "-c", "import sys; sys.exit(sys.version_info < (3, 9))")
            if process.run(argv, env={}, cwd=Path("/"), user=user, check=False).returncode == 0:
                return name
        except process.ProgramError:
            continue
    return None


def _program(architecture: Architecture, cache: Path) -> Path:
    """The control program, for glibc 2.17 and newer; built once for each text of it."""
    source = Path(inside.__file__).with_name("control.c")
    program = cache / "controls" / f"{sha256(source)[:12]}-{architecture}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        scratch = program.with_name(f".{program.name}.{os.getpid()}.{threading.get_ident()}")
        compile_c(architecture, cache, scratch, source, "-lrt", "-lpthread")
        scratch.replace(program)
    return program
