"""Files of lines: ``.python-version``, ``.tool-versions``, ``runtime.txt``, pre-commit's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from manypython.projects.reading import text_of
from manypython.projects.wish import Wish, understood, wish

_LATEST = re.compile(r"latest(?::(?P<of>.*))?|prefix:(?P<prefix>.*)")
_HOOK = re.compile(r"\s+(?:-\s+)?language_version:\s*(['\"]?)(?P<said>py[^'\"#]+?)\1\s*(?:#.*)?")
_DEFAULT = re.compile(r"\s+python:\s*(['\"]?)(?P<said>[^'\"\s#][^'\"#]*?)\1\s*(?:#.*)?")
_RANGE = re.compile(r"\w*\s*[<>=!~]")
"""How specifiers begin, whose blanks separate nothing."""


def python_version(path: Path) -> list[Wish]:
    """What pyenv and uv read: each line, as uv, or if it is no request the first word of it, as pyenv."""
    return [wish(path, "", _of_line(line), number) for number, line in _lines(path)]


def tool_versions(path: Path) -> list[Wish]:
    """What asdf and mise read: ``python 3.13.5 3.12.13``."""
    return [
        asdf(path, tool, said, number)
        for number, line in _lines(path)
        for tool, *words in [line.split()]
        if tool == "python"
        for said in ([" ".join(words)] if any(map(_RANGE.match, words)) else words)
    ]


def asdf(path: Path, where: str, said: str, line: int) -> Wish:
    """What asdf and mise take besides versions: ``latest``, ``latest:3.13``, ``prefix:3.13``."""
    made = wish(path, where, said, line)
    if match := _LATEST.fullmatch(said):
        meant = wish(path, where, match["of"] or match["prefix"] or "3")
        return Wish(path, where, said, meant.request, meant.note, line)
    return made


def runtime(path: Path) -> list[Wish]:
    """What Heroku read: ``python-3.13.5``."""
    return python_version(path)


def pre_commit(path: Path) -> list[Wish]:
    """What pre-commit reads, by lines: no YAML is needed for ``language_version: python3.13``.

    Of ``default_language_version`` the block form is read. Elsewhere a version counts if it
    begins as Python's do: the same key holds those of other languages.
    """
    found = []
    inside = False
    for number, line in enumerate(text_of(path).splitlines(), 1):
        if line[:1] not in ("", " ", "#"):
            inside = line.startswith("default_language_version:")
        if inside and (match := _DEFAULT.fullmatch(line)):
            found.append(wish(path, "default_language_version.python", match["said"], number))
        elif match := _HOOK.fullmatch(line):
            found.append(wish(path, "language_version", match["said"], number))
    return found


def _of_line(line: str) -> str:
    """The request of a line, all of it or its first word."""
    return line if _RANGE.match(line) or understood(line)[0] else line.split(maxsplit=1)[0]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line that says something, with its number."""
    for number, line in enumerate(text_of(path).splitlines(), 1):
        if said := line.partition("#")[0].strip():
            yield number, said
