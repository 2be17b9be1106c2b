"""tox's environments and the interpreters that they want, whatever file they stand in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from manypython.projects.factors import MOST, applying, expand, python_of
from manypython.projects.wish import UNKNOWN, Wish, understood, wish

BASE, DEFAULT, LISTS = ("base_python", "basepython"), ("default_base_python",), ("env_list", "envlist")
"""Keys, each with its older name."""
_NAMED = 3
"""Environments of one wish that are named."""


@dataclass(frozen=True)
class Config:
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
    commas: bool
    """Whether a comma separates where all stands in one line, as in INI files."""

    def said(self, name: str, keys: Iterable[str]) -> tuple[str, str]:
        """The section that sets one of the keys for an environment, and the first thing it says."""
        own = self.homes.get(name, "")
        bases = self.sections.get(own, {}).get("base", self.root).replace(",", "\n").split()
        for section in (own, *(f"{prefix}{base}" for base in bases for prefix in ("", self.prefix))):
            table = self.sections.get(section, {})
            for key in keys:
                if lines := applying(table.get(key, ""), name, sys.platform):
                    alone = self.commas and len(lines) == 1
                    return section, (lines[0].partition(",")[0] if alone else lines[0]).strip()
        return "", ""


def wanted(path: Path, config: Config, line: Callable[[str, Iterable[str]], int]) -> list[Wish]:
    """One wish for each place and interpreter, however many environments are of it.

    Args:
        path: of the file.
        config: what it says.
        line: where one of the keys stands in a section; the section of ``env_list`` is empty.
    """
    top = line("", LISTS)
    places = [("env_list", name, top) for name in config.listed]
    alone = {name: home for name, home in config.homes.items() if name not in config.listed}
    places += [(f"[{home}]", name, line(home, BASE)) for name, home in alone.items()]
    found: dict[tuple[str, str, int], list[str]] = {}
    for place, name, number in places:
        section, said = config.said(name, BASE)
        by_name = python_of(name)
        if by_name and (not said or _conflict(by_name, said)):
            found.setdefault((place, by_name, number), []).append(name)
            continue
        if not said:
            section, said = config.said(name, DEFAULT)
        if said:
            where = (f"[{section}] base_python", said, line(section, (*BASE, *DEFAULT)))
            found.setdefault(where, []).append(name)
    made = [wish(path, f"{place}: {_few(names)}", said, at) for (place, said, at), names in found.items()]
    return made + [Wish(path, "env_list", said, "", UNKNOWN, top) for said in config.unknown]


def _conflict(by_name: str, said: str) -> bool:
    """Whether ``base_python`` is of another series than the name; tox takes the name's, or refuses."""
    series, exact = understood(by_name)[0], understood(said)[0]
    return series != exact and not exact.startswith(f"{series}.")


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def environments(lines: Iterable[str]) -> tuple[list[str], list[str]]:
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
