"""tox's configuration, in each of the places where it may stand."""

from __future__ import annotations

import configparser
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from manypython.integrations.project.factors import LONGEST, MOST, applying, expand, python_of, span
from manypython.integrations.project.reading import line_of, table_under, text_of, toml_of, under
from manypython.integrations.project.wish import UNKNOWN, Wish, understood, wish
from manypython.model.errors import UsageError

_NAMED = 3
"""Environments of one wish that are named."""
_BASE, _DEFAULT, _LIST = ("base_python", "basepython"), ("default_base_python",), ("env_list", "envlist")
_COMMENT = re.compile(r"(?<!\\)#.*")
_REFERENCE = re.compile(r"\{\[(?P<section>[^\]{}]+)\](?P<key>[\w-]+)\}")
_DEPTH = 5
"""How often what is referred to may itself refer to something."""
_NOT_PLAIN = "{…}"
"""In place of a table that only tox can replace."""


@dataclass(frozen=True)
class _Config:
    """Environments and what their sections say, whatever they are written in."""

    listed: list[str]
    """Environments of ``env_list``."""
    unknown: list[str]
    """What of ``env_list`` is known to tox alone."""
    homes: dict[str, str]
    """The section of each environment that has one."""
    sections: dict[str, dict[str, str]]
    prefix: str
    """Of an environment's section: ``testenv:``."""
    root: str
    """The section that all take after: ``testenv``."""

    def said(self, name: str, keys: Iterable[str]) -> tuple[str, str]:
        """The section that sets one of the keys for an environment, and the first thing it says."""
        todo = [self.homes.get(name, f"{self.prefix}{name}"), *([] if self._has_base(name) else [self.root])]
        seen: set[str] = set()
        while todo:
            section = todo.pop(0)
            if section in seen:
                continue
            seen.add(section)
            table = self.sections.get(section, {})
            for key in keys:
                if lines := applying(table.get(key, ""), name, sys.platform):
                    return section, lines[0].partition(",")[0].strip()
            bases = table.get("base", "").replace(",", "\n").split()
            todo = [f"{prefix}{base}" for base in bases for prefix in ("", self.prefix)] + todo
        return "", ""

    def _has_base(self, name: str) -> bool:
        return "base" in self.sections.get(self.homes.get(name, ""), {})


def ini(path: Path) -> list[Wish]:
    """``tox.ini``."""
    text = text_of(path)
    return _of_ini(path, text, _parsed(path, text), "tox")


def setup_cfg(path: Path) -> list[Wish]:
    """``setup.cfg``: what setuptools requires, and its ``[tox:tox]``."""
    text = text_of(path)
    parser = _parsed(path, text)
    found = []
    if required := parser.get("options", "python_requires", fallback=""):
        line = line_of(text, "options", "python_requires")
        found.append(wish(path, "python_requires", required, line))
    return found + (_of_ini(path, text, parser, "tox:tox") if parser.has_section("tox:tox") else [])


def toml(path: Path) -> list[Wish]:
    """``tox.toml``."""
    text = text_of(path)
    return of_table(path, text, toml_of(path, text), "")


def of_table(path: Path, text: str, table: dict[str, Any], section: str) -> list[Wish]:
    """What a table of tox's says.

    Args:
        path: of the file.
        text: of the file.
        table: ``tool.tox`` of ``pyproject.toml``, or all of ``tox.toml``.
        section: the table's name.
    """
    legacy = table.get("legacy_tox_ini")
    if isinstance(legacy, str) and len(table) == 1:
        return _of_ini(path, text, _parsed(path, legacy), "tox")
    listed, unknown = _listed(table.get("env_list"))
    homes = {name: f"env_base.{base}" for base, name in _generated(table_under(table, "env_base"))}
    homes |= {name: f"env.{name}" for name in table_under(table, "env")}
    sections = {
        f"{kind}.{name}": _plain_table(told)
        for kind in ("env", "env_base")
        for name, told in table_under(table, kind).items()
    }
    sections["env_run_base"] = _plain_table(table.get("env_run_base"))
    config = _Config(listed, unknown, homes, sections, "env.", "env_run_base")
    dot = f"{section}." if section else ""

    def line(part: str, keys: Iterable[str]) -> int:
        return line_of(text, f"{dot}{part}" if part else section, *keys)

    return _wishes(path, config, line)


def required(path: Path) -> tuple[str, ...]:
    """What ``requires`` of a tox file asks for: tox starts itself anew in an environment with that.

    Raises:
        UsageError: the file cannot be read.
    """
    text = text_of(path)
    if path.suffix == ".toml":
        told = under(
            toml_of(path, text), *(("tool", "tox") if path.name == "pyproject.toml" else ()), "requires"
        )
        return tuple(map(str, told)) if isinstance(told, list) else ()
    section = "tox" if path.name == "tox.ini" else "tox:tox"
    lines = _plain(_parsed(path, text).get(section, "requires", fallback="")).split("\n")
    return tuple(line.strip() for line in lines if line.strip())


def _wishes(path: Path, config: _Config, line: Callable[[str, Iterable[str]], int]) -> list[Wish]:
    """One wish for each place and interpreter, however many environments are of it."""
    found: dict[tuple[str, str, int], list[str]] = {}
    names = [("env_list", name, line("", _LIST)) for name in config.listed]
    names += [
        (f"[{home}]", name, line(home, _BASE))
        for name, home in config.homes.items()
        if name not in config.listed
    ]
    for place, name, number in names:
        section, said = config.said(name, _BASE)
        by_name = python_of(name)
        if by_name and (not said or _conflict(by_name, said)):
            found.setdefault((place, by_name, number), []).append(name)
            continue
        if not said:
            section, said = config.said(name, _DEFAULT)
        if said:
            where = (f"[{section}] base_python", said, line(section, (*_BASE, *_DEFAULT)))
            found.setdefault(where, []).append(name)
    made = [wish(path, f"{place}: {_few(names)}", said, at) for (place, said, at), names in found.items()]
    return made + [Wish(path, "env_list", said, "", UNKNOWN, line("", _LIST)) for said in config.unknown]


def _conflict(by_name: str, said: str) -> bool:
    """Whether ``base_python`` is of another series than the name; tox takes the name's, or refuses."""
    series, exact = understood(by_name)[0], understood(said)[0]
    return series != exact and not exact.startswith(f"{series}.")


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _parsed(path: Path, text: str) -> configparser.ConfigParser:
    """An INI file as tox reads it."""
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


def _of_ini(path: Path, text: str, parser: configparser.ConfigParser, core: str) -> list[Wish]:
    """What an INI file says of tox, or the text of one within the file."""
    sections = {
        name: {key: _resolved(parser, _plain(value)) for key, value in parser[name].items()}
        for name in parser.sections()
    }
    table = sections.get(core, {})
    listed, unknown = _names(next((table[key] for key in _LIST if key in table), "").split("\n"))
    homes: dict[str, str] = {}
    for section in sections:
        if section.startswith("testenv:") and len(homes) < MOST:
            homes = dict.fromkeys(_names([section.removeprefix("testenv:")])[0], section) | homes
    config = _Config(listed, unknown, homes, sections, "testenv:", "testenv")
    return _wishes(path, config, lambda section, keys: line_of(text, section or core, *keys))


def _names(lines: Iterable[str]) -> tuple[list[str], list[str]]:
    """The environments that lines mean, and lines whose meaning is known to tox alone."""
    names: list[str] = []
    unknown = []
    for line in lines:
        try:
            more = expand(line)
        except ValueError:
            unknown.append(line.strip())
        else:
            names += more
        if len(names) + len(unknown) > MOST:
            return names[:MOST], [*unknown, f"more than {MOST} environments"]
    return list(dict.fromkeys(names)), unknown


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


def _plain_table(told: object) -> dict[str, str]:
    """The keys of a TOML table that matter here, as an INI file would have them."""
    table = told if isinstance(told, dict) else {}
    return {key: _text(table[key]) for key in (*_BASE, *_DEFAULT, "base") if key in table}


def _text(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    return value if isinstance(value, str) else _NOT_PLAIN


def _listed(told: object) -> tuple[list[str], list[str]]:
    """The environments of a TOML ``env_list``, and what is not known of it."""
    names: list[str] = []
    unknown = []
    for item in told if isinstance(told, list) else ():
        if isinstance(item, str):
            names.append(item)
        elif isinstance(item, dict) and "product" in item:
            left_out = item.get("exclude") or []
            names += [name for name in _product("", item["product"]) if name not in left_out]
        elif (group := _group(item)) is not None:
            names += group
        else:
            unknown.append(str(item))
    return list(dict.fromkeys(names))[:MOST], unknown


def _generated(bases: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Each base of ``env_base`` with the names of environments that it makes."""
    for base, table in bases.items():
        factors = under(table, "factors")
        nested = isinstance(factors, list) and factors and isinstance(factors[0], list | dict)
        for name in _product(base, factors if nested else [factors]):
            yield base, name


def _product(base: str, groups: object) -> list[str]:
    """Names of each factor of one group with each of the others."""
    expanded = [_group(group) or [] for group in groups] if isinstance(groups, list) else []
    count = 1
    for group in expanded:
        count *= len(group)
    if not expanded or count > MOST:
        return []
    return ["-".join((*([base] if base else []), *names)) for names in product(*expanded)]


def _group(told: object) -> list[str] | None:
    """Factors of a list, of ``{prefix = "py3", start = 11, stop = 13}`` or of ``{name = either}``."""
    if isinstance(told, list):
        return [each for each in told if isinstance(each, str)]
    if not isinstance(told, dict):
        return None
    if "prefix" in told:
        ends = told.get("start"), told.get("stop")
        numbers = span(*(each if isinstance(each, int) else None for each in ends))
        return [f"{told['prefix']}{number}" for number in numbers]
    if len(told) == 1:
        (inner,) = told.values()
        return _group(inner.get("values", inner) if isinstance(inner, dict) else inner)
    return None
