"""The command doctor: which interpreters a project wants, and whether it gets them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from manypython.cli.fetching import INDEX_OPTIONS, JSON, settings_of
from manypython.model.errors import TROUBLE, OutputError
from manypython.progress import Reporter
from manypython.projects import KNOWN, Looked, project
from manypython.projects.checkup import (
    FETCHED,
    HERE,
    NOT_OURS,
    NOWHERE,
    UNKNOWN,
    Check,
    Offer,
    Row,
    checks,
    download,
    rows,
)
from manypython.store.installed import Installed, here
from manypython.store.settings import Settings

_SCHEMA_VERSION = 1
_SHORT, _LONG = 60, 500
"""Characters of a cell, and of a sentence."""
_COLOURS = {HERE: "32", FETCHED: "33", NOWHERE: "31", UNKNOWN: "31", NOT_OURS: "2"}


def doctor(arguments: argparse.Namespace) -> int:
    """Look at a project; 0 if all that it wants of ours is here or can be fetched, else 17."""
    settings = settings_of(arguments)
    looked = project(arguments.folder)
    offer = Offer.of(settings, Reporter(quiet=True))
    found = rows(
        [wish for each in looked for wish in each.wishes],
        lambda request: _here(request, settings),
        lambda request: download(offer.build(request), settings),
    )
    others = checks(settings, offer, looked)
    fine = _fine(found, looked, others)
    if arguments.json:
        print(json.dumps(_described(arguments.folder, looked, found, others, fine=fine), indent=1))
    else:
        _show(arguments.folder, looked, found, others)
    return 0 if fine else TROUBLE


def _here(request: str, settings: Settings) -> Installed | None:
    """What is here, which is nothing where there is no folder for it: that is told of the store."""
    try:
        return here((request,), settings).get(request)
    except OutputError:
        return None


def _fine(found: list[Row], looked: tuple[Looked, ...], others: list[Check]) -> bool:
    """Whether every wish of ours is here or can be fetched."""
    if any(each.error for each in looked) or any(row.state in (NOWHERE, UNKNOWN) for row in found):
        return False
    full = any(check.remedy for check in others if check.name == "store")
    return not (full and any(row.state == FETCHED for row in found))


def _described(
    folder: Path, looked: tuple[Looked, ...], found: list[Row], others: list[Check], *, fine: bool
) -> dict[str, Any]:
    """All of it, for machines; docs/doctor.md has the shape."""
    return {
        "schema_version": _SCHEMA_VERSION,
        "folder": str(folder),
        "fine": fine,
        "files": [
            {"file": each.path.name, "error": each.error.message if each.error else None} for each in looked
        ],
        "wishes": [
            {
                "file": row.wish.path.name,
                "line": row.wish.line or None,
                "where": row.wish.where,
                "said": row.wish.said,
                "request": row.wish.request or None,
                "state": row.state,
                "python": row.python or None,
                "build": row.build,
                "why": row.why or None,
                "on_path": row.on_path or None,
            }
            for row in found
        ],
        "checks": [asdict(check) for check in others],
    }


def _show(folder: Path, looked: tuple[Looked, ...], found: list[Row], others: list[Check]) -> None:
    """Tables for people: who wants what, what each request gets, and the rest."""
    if not looked:
        print(f"{folder}: has none of the files that are read: {', '.join(KNOWN)}")
    _table([_wanted(row) for row in found])
    for each in looked:
        if each.error:
            print(_coloured(_plain(each.error.line, _LONG), NOWHERE))
    answers = {row.wish.request: row for row in found if row.wish.request}
    if answers:
        print()
    _table([[(request, ""), (_words(row), row.state)] for request, row in answers.items()])
    print()
    _table([[(check.name, ""), (check.said, NOWHERE if check.remedy else "")] for check in others])
    for check in others:
        if check.remedy:
            print(f"remedy: {_plain(check.remedy, _LONG)}")


def _wanted(row: Row) -> list[tuple[str, str]]:
    """A wish in four cells, each with the state that colours it."""
    line = f":{row.wish.line}" if row.wish.line else ""
    short = {HERE: "here", FETCHED: "would be fetched", NOWHERE: "not to be had", UNKNOWN: "not here"}
    cells = (f"{row.wish.path.name}{line}", row.wish.where, row.wish.request or row.wish.said)
    return [*((_plain(cell, _SHORT), "") for cell in cells), (short.get(row.state, row.why), row.state)]


def _words(row: Row) -> str:
    """What a request gets."""
    build = row.build or {"key": "", "size": 0, "index": ""}
    words = {
        HERE: f"here: {row.python}",
        FETCHED: f"would be fetched: {build['key']}, {build['size'] / 1e6:.1f} MB, from {build['index']}",
        NOWHERE: f"not to be had: {row.why}",
        UNKNOWN: "not here, and what the index has is not known",
    }[row.state]
    return f"{words}; on PATH: {row.on_path}" if row.on_path else words


def _table(lines: list[list[tuple[str, str]]]) -> None:
    """Print lines of cells, each as wide as the widest below it but for the last."""
    if not lines:
        return
    widths = [max(len(line[number][0]) for line in lines) for number in range(len(lines[0]) - 1)]
    for line in lines:
        padded = [f"{cell:<{width}}" for (cell, _), width in zip(line, widths, strict=False)]
        print("  ".join([*padded, _coloured(_plain(line[-1][0], _LONG), line[-1][1])]))


def _plain(text: str, longest: int) -> str:
    """A stranger's text in one line that does nothing to a terminal."""
    text = "".join(each if each.isprintable() else "·" for each in text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _coloured(text: str, state: str) -> str:
    colour = _COLOURS.get(state) if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else None
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text


COMMANDS = {
    "doctor": (
        doctor, "manypython doctor", "manypython doctor ../project --index https://example.org/pythons",
        "manypython doctor --json | jq '.wishes[] | select(.state == \"nowhere\")'",
        ("folder", {
            "metavar": "FOLDER", "nargs": "?", "type": Path, "default": Path(),
            "help": "of the project (default: this one)",
        }),
        *INDEX_OPTIONS, JSON,
    ),
}  # fmt: skip
