"""tox's configuration in INI files."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from manypython.model.errors import UsageError
from manypython.projects.factors import LONGEST, MOST
from manypython.projects.reading import line_of, text_of
from manypython.projects.tox import LISTS, Config, environments, wanted
from manypython.projects.wish import Wish, wish

_COMMENT = re.compile(r"(?<!\\)#.*")
_REFERENCE = re.compile(r"\{\[(?P<section>[^\]{}]+)\](?P<key>[\w-]+)\}")
_DEPTH = 5
"""How often what is referred to may itself refer to something."""


def ini(path: Path) -> list[Wish]:
    """``tox.ini``."""
    text = text_of(path)
    return of_parser(path, text, parsed(path, text), "tox")


def setup_cfg(path: Path) -> list[Wish]:
    """``setup.cfg``: what setuptools requires, and its ``[tox:tox]``."""
    text = text_of(path)
    parser = parsed(path, text)
    found = []
    if required := parser.get("options", "python_requires", fallback=""):
        line = line_of(text, "options", "python_requires")
        found.append(wish(path, "python_requires", required, line))
    return found + (of_parser(path, text, parser, "tox:tox") if parser.has_section("tox:tox") else [])


def required(path: Path) -> tuple[str, ...] | None:
    """``requires`` of ``tox.ini`` or ``setup.cfg``, None where the file says nothing of tox.

    Raises:
        UsageError: it cannot be read.
    """
    return required_by(parsed(path, text_of(path)), "tox" if path.name == "tox.ini" else "tox:tox")


def required_by(parser: configparser.ConfigParser, core: str) -> tuple[str, ...] | None:
    """The same of what is read already."""
    if not parser.has_section(core):
        return None
    return tuple(_plain(parser.get(core, "requires", fallback="")).split())


def of_parser(path: Path, text: str, parser: configparser.ConfigParser, core: str) -> list[Wish]:
    """What an INI file says of tox, or one within a file.

    Args:
        path: of the file.
        text: of the file, for the numbers of its lines.
        parser: what is read of it.
        core: the section of ``env_list``.
    """
    sections = {
        name: {key: _resolved(parser, _plain(value)) for key, value in parser[name].items()}
        for name in parser.sections()
    }
    table = sections.get(core, {})
    listed, unknown = environments(next((table[key] for key in LISTS if key in table), "").split("\n"))
    homes: dict[str, str] = {}
    for section in sections:
        if section.startswith("testenv:") and len(homes) < MOST:
            homes = dict.fromkeys(environments([section.removeprefix("testenv:")])[0], section) | homes
    config = Config(listed, unknown, homes, sections, "testenv:", "testenv", commas=True)
    return wanted(path, config, lambda section, keys: line_of(text, section or core, *keys))


def parsed(path: Path, text: str) -> configparser.ConfigParser:
    """An INI file as tox reads it.

    Raises:
        UsageError: it is none; names the line.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text, str(path))
    except configparser.Error as error:
        line = getattr(error, "lineno", 0) or next((number for number, _ in getattr(error, "errors", ())), 0)
        fact = (
            "something stands there twice" if "Duplicate" in type(error).__name__ else "no key and no section"
        )
        raise UsageError(f"{path}: line {line}: no INI: {fact}") from None
    return parser


def _plain(value: str) -> str:
    """A value without comments, and in one line what a backslash splits."""
    lines = [_COMMENT.sub("", line).rstrip().replace("\\#", "#") for line in value.split("\n")]
    return "\n".join(lines).replace("\\\n", "")


def _resolved(parser: configparser.ConfigParser, value: str) -> str:
    """A value with those of other sections put in: ``{[testenv:lint]base_python}``."""

    def other(match: re.Match[str]) -> str:
        found = parser.get(match["section"], match["key"], fallback=None)
        return match[0] if found is None else _plain(found)

    for _ in range(_DEPTH):
        if "{[" not in value or len(value) > LONGEST:
            break
        value = _REFERENCE.sub(other, value)
    return value
