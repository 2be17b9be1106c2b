"""TOML files of other tools: ``pyproject.toml``, ``Pipfile``, ``mise.toml``, ``hatch.toml``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manypython.projects import tox_toml
from manypython.projects.lines import asdf
from manypython.projects.reading import line_of, table_under, text_of, toml_of, under
from manypython.projects.wish import NOT_UNDERSTOOD, Wish, understood, wish

_CARET = re.compile(r"\s*([\^~])\s*(\d{1,4}(?:\.\d{1,4}){0,2})(.*)", re.ASCII)
_WHOLE = re.compile(r"\d{1,4}(?:\.(?:\d{1,4}|\*)){0,2}", re.ASCII)


def pyproject(path: Path) -> list[Wish]:
    """``requires-python``, and what Poetry, Hatch and tox have under ``tool``."""
    text = text_of(path)
    told = toml_of(path, text)
    found = []
    if isinstance(required := under(told, "project", "requires-python"), str):
        found.append(wish(path, "requires-python", required, line_of(text, "project", "requires-python")))
    if (constraint := under(told, "tool", "poetry", "dependencies", "python")) is not None:
        found.append(_poetry(path, constraint, line_of(text, "tool.poetry.dependencies", "python")))
    found += _hatch(path, text, table_under(told, "tool", "hatch"), "tool.hatch.")
    return found + tox_toml.of_table(path, text, table_under(told, "tool", "tox"), "tool.tox")


def hatch_toml(path: Path) -> list[Wish]:
    """Hatch's own file."""
    text = text_of(path)
    return _hatch(path, text, toml_of(path, text), "")


def pipfile(path: Path) -> list[Wish]:
    """``[requires]``: of both keys pipenv takes the full version."""
    text = text_of(path)
    told = table_under(toml_of(path, text), "requires")
    for key in ("python_full_version", "python_version"):
        if key in told:
            return [wish(path, key, str(told[key]), line_of(text, "requires", key))]
    return []


def mise(path: Path) -> list[Wish]:
    """``[tools] python``: a version, a table with one, or a list of them."""
    text = text_of(path)
    told = under(toml_of(path, text), "tools", "python")
    line = line_of(text, "tools", "python")
    each = told if isinstance(told, list) else [] if told is None else [told]
    return [asdf(path, "tools.python", _version(one), line) for one in each]


def _version(told: object) -> str:
    return str(told.get("version", "")) if isinstance(told, dict) else str(told)


def _hatch(path: Path, text: str, table: dict[str, Any], prefix: str) -> list[Wish]:
    """Environments' ``python`` and their ``matrix`` (Hatch's reference, "Environments")."""
    return [
        wish(
            path, f"{prefix}envs.{name}.{key}", said, line_of(text, f"{prefix}envs.{name}{section}", "python")
        )
        for name, env in table_under(table, "envs").items()
        for section, key, said in _hatch_pythons(env)
    ]


def _hatch_pythons(env: object) -> Iterator[tuple[str, str, str]]:
    if isinstance(python := under(env, "python"), str):
        yield "", "python", python
    matrix = under(env, "matrix")
    for row in matrix if isinstance(matrix, list) else ():
        values = under(row, "python") or under(row, "py")
        for said in values if isinstance(values, list) else ():
            yield ".matrix", "matrix.python", str(said)


def _poetry(path: Path, told: object, line: int) -> Wish:
    """Poetry's own constraints as specifiers; of alternatives (``||``) the last, which is the newest."""
    where = "tool.poetry.dependencies.python"
    said = told if isinstance(told, str) else _version(told)
    last = " ".join(said.replace(",", " ").split("|")[-1].split())
    request, note = understood(",".join(map(_specifier, re.split(r" (?=[<>=!~^])", last))))
    return Wish(path, where, said, request, note and NOT_UNDERSTOOD, line)


def _specifier(part: str) -> str:
    """``^3.12`` is ``>=3.12,<4``, ``~3.12`` is ``>=3.12,<3.13``, ``3.12`` any of that series."""
    part = part.replace(" ", "")
    if part == "*":
        return ">=3"
    if _WHOLE.fullmatch(part):
        return f"=={part}" if part.count(".") == 2 or "*" in part else f"=={part}.*"  # noqa: PLR2004
    match = _CARET.fullmatch(part)
    if match is None or match[3]:
        return part
    numbers = [int(number) for number in match[2].split(".")]
    kept = 1 if match[1] == "^" else min(2, len(numbers))
    above = ".".join(map(str, [*numbers[: kept - 1], numbers[kept - 1] + 1]))
    return f">={match[2]},<{above}"
