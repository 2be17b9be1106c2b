"""What a project says of the interpreter that it wants, as a request of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from manypython.model.errors import RequestError
from manypython.model.request import ELSEWHERE, read

UNKNOWN = "not known without running it"
NOT_UNDERSTOOD = "not understood"

_VARIABLE = re.compile(r"[{$]")


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
    """The request that is meant, in its one spelling, and why there is none if there is none.

    Args:
        said: ``3.13``, ``py313``, ``>= 3.12``, ``pypy3.11``, ``/usr/bin/python3``: see ``model.request``.
    """
    if _VARIABLE.search(said):
        return "", UNKNOWN
    try:
        meant = read(said)
    except RequestError as error:
        return "", error.why or NOT_UNDERSTOOD
    return (meant.here, "") if meant.runs_here else ("", ELSEWHERE)
