"""tox's configuration in TOML files."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from manypython.projects.factors import MOST, span
from manypython.projects.reading import line_of, table_under, text_of, toml_of, under
from manypython.projects.tox import BASE, DEFAULT, Config, wanted
from manypython.projects.tox_ini import of_parser, parsed, required_by
from manypython.projects.wish import Wish

_NOT_PLAIN = "{…}"
"""In place of a table that only tox can replace."""


def toml(path: Path) -> list[Wish]:
    """``tox.toml``."""
    text = text_of(path)
    return of_table(path, text, toml_of(path, text), "")


def required(path: Path) -> tuple[str, ...] | None:
    """``requires`` of ``tox.toml`` or ``pyproject.toml``, None where the file says nothing of tox.

    Raises:
        UsageError: it cannot be read.
    """
    table = toml_of(path, text_of(path))
    if path.name == "pyproject.toml":
        table = table_under(table, "tool", "tox")
    legacy = _legacy(table)
    if legacy:
        return required_by(parsed(path, legacy), "tox")
    told = table.get("requires")
    return tuple(map(str, told if isinstance(told, list) else ())) if table else None


def of_table(path: Path, text: str, table: dict[str, Any], section: str) -> list[Wish]:
    """What a table of tox's says.

    Args:
        path: of the file.
        text: of the file.
        table: ``tool.tox`` of ``pyproject.toml``, or all of ``tox.toml``.
        section: the table's name.
    """
    if legacy := _legacy(table):
        return of_parser(path, text, parsed(path, legacy), "tox")
    listed, unknown = _listed(table.get("env_list"))
    homes: dict[str, str] = {}
    for base, told in table_under(table, "env_base").items():
        names = _generated(base, under(told, "factors"))
        homes |= dict.fromkeys(names or (), f"env_base.{base}")
        unknown += [] if names else [f"env_base.{base}"]
    homes |= {name: f"env.{name}" for name in table_under(table, "env")}
    sections = {
        f"{kind}.{name}": _plain_table(told)
        for kind in ("env", "env_base")
        for name, told in table_under(table, kind).items()
    }
    sections["env_run_base"] = _plain_table(table.get("env_run_base"))
    config = Config(listed, unknown, homes, sections, "env.", "env_run_base", commas=False)
    dot = f"{section}." if section else ""

    def line(part: str, keys: Iterable[str]) -> int:
        return line_of(text, f"{dot}{part}" if part else section, *keys)

    return wanted(path, config, line)


def _legacy(table: dict[str, Any]) -> str:
    """The INI file that is a string of a TOML file; empty where tox reads the table itself."""
    legacy = table.get("legacy_tox_ini")
    return legacy if isinstance(legacy, str) and len(table) == 1 else ""


def _plain_table(told: object) -> dict[str, str]:
    """The keys of a TOML table that matter here, as an INI file would have them."""
    table = told if isinstance(told, dict) else {}
    return {key: _text(table[key]) for key in (*BASE, *DEFAULT, "base") if key in table}


def _text(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    return value if isinstance(value, str) else _NOT_PLAIN


def _listed(told: object) -> tuple[list[str], list[str]]:
    """The environments of a TOML ``env_list``, and what is not known of it."""
    names: list[str] = []
    unknown = []
    for item in told if isinstance(told, list) else ():
        if len(names) > MOST:
            unknown.append(f"more than {MOST} environments")
            break
        more = [item] if isinstance(item, str) else _of_table(item)
        names += more or ()
        unknown += [] if more else [str(item)]
    return list(dict.fromkeys(names))[:MOST], unknown


def _of_table(item: object) -> list[str]:
    """Names of ``{product = [["py312", "py313"], ["a", "b"]], exclude = ["py312-b"]}``, or of one group."""
    if not isinstance(item, dict) or "product" not in item:
        return _group(item)
    left_out = item.get("exclude")
    names = _joined(item["product"])
    return [name for name in names if not isinstance(left_out, list) or name not in left_out]


def _generated(base: str, factors: object) -> list[str]:
    """Names of environments that ``env_base`` makes of its factors; empty where they are not known."""
    nested = isinstance(factors, list) and factors and isinstance(factors[0], list | dict)
    return [f"{base}-{name}" for name in _joined(factors if nested else [factors])]


def _joined(groups: object) -> list[str]:
    """Each factor of one group with each of the others; empty where one is not known."""
    expanded = [_group(group) for group in groups] if isinstance(groups, list) else []
    if not expanded or math.prod(map(len, expanded)) > MOST:
        return []
    return ["-".join(names) for names in itertools.product(*expanded)]


def _group(told: object) -> list[str]:
    """Factors of a list, of ``{prefix = "py3", start = 11, stop = 13}`` or of ``{name = either}``."""
    if isinstance(told, list):
        return [each for each in told if isinstance(each, str)]
    if isinstance(told, dict) and "prefix" in told:
        ends = told.get("start"), told.get("stop")
        numbers = span(*(each if isinstance(each, int) else None for each in ends))
        return [f"{told['prefix']}{number}" for number in numbers]
    if isinstance(told, dict) and len(told) == 1:
        (inner,) = told.values()
        return _group(inner.get("values", inner) if isinstance(inner, dict) else inner)
    return []
