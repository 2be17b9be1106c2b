"""What a project says of the interpreter that it wants, as a request of ours."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from manypython.model.errors import UsageError
from manypython.model.identifier import Spec

NOT_CPYTHON = "not CPython: not ours"
PYTHON_2 = "Python 2: not ours"
PATH = "a path: not ours"
SYSTEM = "this machine's own: not ours"
DEBUG = "a debug build: not ours"
BRANCH = "a development branch: not ours"
ELSEWHERE = "for another machine"
UNKNOWN = "not known without running it"
ANY = "names no version"
NOT_UNDERSTOOD = "not understood"

_LONGEST = 1000
"""Characters of what somebody means."""
_OURS = ("", "cp", "cpython", "py", "python")
_NOT_OURS = (
    (re.compile(r"[{$]"), UNKNOWN),
    (re.compile(r"/"), PATH),
    (re.compile(r"^system$"), SYSTEM),
    (re.compile(rf"^({'|'.join(_OURS)})$"), ANY),
    (
        re.compile(
            r"^(?i:activepython|anaconda|cinder|graal|ironpython|jython|mambaforge|micropython|miniconda"
            r"|miniforge|nogil|pypy|pyston|rustpython|stackless)"
        ),
        NOT_CPYTHON,
    ),
    (re.compile(r"-dev$"), BRANCH),
)
"""What is told by a look, the first that is found holds."""
_SAID = re.compile(
    r"(?P<name>[a-z]*)[-@]?"
    r"(?:(?P<compact>[2-9]\d{1,2})|(?P<dotted>\d(?:\.\d{1,2}(?:\.\d{1,2}(?:(?:a|b|rc)\d{1,2})?)?)?))"
    r"(?P<threaded>t|\+freethreaded)?(?P<debug>d|\+debug)?"
    r"(?:-linux)?(?:-(?P<machine>64|32|[a-z][a-z0-9_]+?))?(?:-gnu)?",
    re.ASCII,
)
_RANGE = re.compile(r"(?P<name>[a-z]*)\s*(?P<range>[<>=!~].*)")
_ALIASES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Wish:
    """An interpreter that a file of a project wants."""

    path: Path
    where: str
    """The place in the file: ``env_list: py313``, ``requires-python``."""
    said: str
    """What stands there, as a stranger wrote it."""
    request: str = ""
    """As ``manypython fetch`` takes it: ``3.13``, ``3.13t``, ``>=3.12,<3.14``; empty: none of ours."""
    note: str = ""
    """Why there is no request."""
    line: int = 0
    """The first line of the place, from 1; 0 where that is not known."""


def wish(path: Path, where: str, said: str, line: int = 0) -> Wish:
    """A wish, from what a file says as a tool would read it (see ``understood``)."""
    request, note = understood(said)
    return Wish(path, where, said, request, note, line)


def understood(said: str) -> tuple[str, str]:
    """The request that is meant, and why there is none if there is none.

    Args:
        said: ``3.13``, ``py313``, ``python3.13``, ``cpython-3.13.5``, ``3.13t``, ``>=3.12``,
            ``pypy3.11``, ``/usr/bin/python3``: what tox, nox, virtualenv, uv and pyenv take.
    """
    text = said.strip()
    if len(text) > _LONGEST:
        return "", NOT_UNDERSTOOD
    if why := next((why for pattern, why in _NOT_OURS if pattern.search(text)), ""):
        return "", why
    if match := _SAID.fullmatch(text):
        return _version(match)
    if (match := _RANGE.fullmatch(text)) and match["name"] in _OURS:
        return _range(match["range"])
    return "", NOT_UNDERSTOOD


def _version(match: re.Match[str]) -> tuple[str, str]:
    compact = match["compact"]
    version = f"{compact[0]}.{compact[1:]}" if compact else match["dotted"]
    if match["name"] not in _OURS:
        return "", NOT_UNDERSTOOD
    if match["machine"] not in (None, "64", os.uname().machine, _ALIASES.get(os.uname().machine)):
        return "", ELSEWHERE
    if match["debug"]:
        return "", DEBUG
    if version[0] != "3":
        return "", PYTHON_2 if version[0] == "2" else NOT_UNDERSTOOD
    return f"{version}{'t' if match['threaded'] else ''}", ""


def _range(text: str) -> tuple[str, str]:
    """A request of specifiers (PEP 440)."""
    try:
        return str(Spec.parse(text.strip())), ""
    except UsageError:
        return "", NOT_UNDERSTOOD
