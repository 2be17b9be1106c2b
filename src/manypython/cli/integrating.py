"""Commands for other tools' sake: integrate."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from manypython.cli.fetching import INDEX_OPTIONS, JSON, settings_of
from manypython.index.model import Index
from manypython.index.reading import all_builds
from manypython.model.errors import NoBuildError, UsageError
from manypython.model.identifier import Spec
from manypython.progress import Reporter
from manypython.site.render.commands import Command, commands
from manypython.store.fetch import available, pin
from manypython.store.settings import Settings


def integrate(arguments: argparse.Namespace) -> int:
    """Print what to paste into a tool, with the index that is set filled in."""
    settings = settings_of(arguments)
    found = _commands(settings, arguments)
    if arguments.tool is None:
        _show(found, as_json=arguments.json)
        return 0
    chosen = next((each for each in found if arguments.tool == each.tool), None)
    if chosen is None:
        raise UsageError(
            f"nothing is known of {arguments.tool}",
            remedy=f"there are {', '.join(each.tool for each in found)}",
        )
    if arguments.json:
        print(json.dumps(asdict(chosen), indent=1))
        return 0
    print(f"# {chosen.says}", file=sys.stderr)  # so that what is pasted, or redirected, is the text alone
    print(chosen.text)
    return 0


def _commands(settings: Settings, arguments: argparse.Namespace) -> tuple[Command, ...]:
    """The commands for the index that is set."""
    spec = Spec.parse(arguments.python or ">=3")
    if spec.request.names_more:
        raise UsageError(f"--python: {spec}: the lines speak of versions alone", remedy="give it as 3.13")
    entries, signed, source = available(settings, Reporter(quiet=arguments.json))
    base = settings.index if "://" in settings.index else f"{Path(settings.index).absolute().as_uri()}/"
    index = Index.of(base, all_builds(entries, source))
    found = commands(index, pin(settings) if signed else "", spec)
    if not found:
        raise NoBuildError(
            f"{source}: has no final release of {arguments.python or 'CPython'}",
            remedy="manypython list --available shows what it has",
        )
    return found


def _show(found: tuple[Command, ...], *, as_json: bool) -> None:
    """Each tool and what happens, as wide as the terminal is."""
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=1))
        return
    width = max(len(each.tool) for each in found)
    room = shutil.get_terminal_size().columns - width - 2
    for each in found:
        sentence = each.says.partition(". ")[0].rstrip(".")
        print(f"{each.tool:<{width}}  {sentence if len(sentence) <= room else sentence[: room - 1] + '…'}")


COMMANDS = {
    "integrate": (
        integrate, "manypython integrate", "manypython integrate tox",
        "manypython integrate uv --python 3.12 --index https://example.org/pythons",
        ("tool", {"metavar": "TOOL", "nargs": "?", "help": "tox, uv, nox ...; without it all are listed"}),
        ("--python", {"metavar": "SPEC", "help": "the version to speak of (the newest of the index)"}),
        JSON,
        *INDEX_OPTIONS,
    ),
}  # fmt: skip
