"""tox's generative names: ``py{311-313}-{a,b}`` (tox's configuration reference, "Generative")."""

from __future__ import annotations

import functools
import itertools
import math
import re

MOST, LONGEST = 1000, 4000
"""Environments that anybody means, and characters that say so."""
_OLDEST, _NEWEST = 11, 15
"""What tox 4 puts in where ``3{12-}`` or ``3{-13}`` leaves an end open."""
_SPAN = re.compile(
    r"(?<![\w.-])(?P<first>\d{1,3})-(?P<last>\d{0,3})(?=[,}])|(?<=[{,])-(?P<to>\d{1,3})(?=[,}])", re.ASCII
)
_PIECE = re.compile(r"(?:\{[^{}]*\}|[^,])+")
_GROUP = re.compile(r"\{([^{}]+)\}")
_NAME = re.compile(r"!?[\w.][\w.!-]*")
_PYTHON = re.compile(
    r"(?:py|pypy|cpython|jython|graalpy|rustpython|ironpython)(?:[2-9]\.?\d{0,2}t?d?)?", re.ASCII
)
_DOTTED = re.compile(r"[23]\.\d+t?d?", re.ASCII)
_CONDITION = re.compile(r":(?=\s|$)")


def expand(text: str) -> list[str]:
    """The names that one line of an ``env_list`` means.

    Raises:
        ValueError: it is no such line, or means more names than anybody could.
    """
    if len(text) > LONGEST:
        raise ValueError(f"more than {LONGEST} characters")
    names: list[str] = []
    for piece in _PIECE.findall(_SPAN.sub(_numbers, text)):
        parts = _GROUP.split(piece.strip())
        choices = [
            [each.strip() for each in part.split(",")] if number % 2 else [part]
            for number, part in enumerate(parts)
        ]
        if len(names) + math.prod(map(len, choices)) > MOST:
            raise ValueError(f"more than {MOST} environments")
        names += ["".join(words) for words in itertools.product(*choices)]
    names = [name for name in names if name]
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(name)
    return names


def span(start: int | None, stop: int | None) -> list[int]:
    """The minor versions of a span; tox has some for an end that is left open.

    Args:
        start: the first; None: what tox 4 takes for the oldest.
        stop: the last; None: what tox 4 takes for the newest.
    """
    first = min(_OLDEST, stop or _OLDEST) if start is None else start
    last = max(_NEWEST, first) if stop is None else stop
    return list(range(first, min(last, first + MOST) + 1))


def applying(value: str, name: str, platform: str) -> list[str]:
    """The lines of a value that hold for an environment: ``py313,lint: python3.13``, or no condition.

    Args:
        value: of a setting.
        name: the environment's.
        platform: a factor that holds too (``sys.platform``).
    """
    current = {*name.split("-"), platform}
    return [
        content
        for groups, content in _conditional(value[:LONGEST])
        if content and (groups is None or any(_holds(group, current) for group in groups))
    ]


def python_of(name: str) -> str:
    """The interpreter that an environment's name asks for: ``py313-lint`` asks for ``py313``; or nothing.

    tox refuses a name that asks for two; so it asks for nothing here.
    """
    factors = name.split("-")
    found = []
    while factors:
        factor = factors.pop(0)
        if factor in ("cpython", "pypy") and factors and _DOTTED.fullmatch(factors[0]):
            found.append(f"{factor}{factors.pop(0)}")
        elif (factor != "py" and _PYTHON.fullmatch(factor)) or _DOTTED.fullmatch(factor):
            found.append(factor)
    return found[0] if len(found) == 1 else ""


@functools.lru_cache(maxsize=64)
def _conditional(value: str) -> list[tuple[list[str] | None, str]]:
    """Each line's condition, None for none, and what it says."""
    found: list[tuple[list[str] | None, str]] = []
    for line in value.split("\n"):
        mark = _CONDITION.search(line)
        try:
            condition = expand(line[: mark.start()].strip()) if mark else None
        except ValueError:  # a colon that is part of what is said
            mark, condition = None, None
        found.append((condition, line[mark.end() if mark else 0 :].strip()))
    return found


def _holds(group: str, current: set[str]) -> bool:
    return all((factor.lstrip("!") in current) != factor.startswith("!") for factor in group.split("-"))


def _numbers(match: re.Match[str]) -> str:
    """``10-12`` as ``10,11,12``; tox counts down, too."""
    first, last = match["first"], match["to"] or match["last"]
    if first and last and int(first) > int(last):
        return ",".join(map(str, range(int(first), int(last) - 1, -1)))
    return ",".join(map(str, span(int(first) if first else None, int(last) if last else None)))
