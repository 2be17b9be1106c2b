"""Pages of the site that are made of the code: commands from their parsers, settings from their table."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator

from manypython import cli
from manypython.store.settings import DEFAULTS, HELP, NOT_FOR_PROJECTS, variable


def commands() -> str:
    """Each command: what it does, its arguments and examples, in Markdown."""
    parsers = {name: _of(cli.parser_of([name]))[name] for name in cli.COMMANDS}
    return "\n".join(part for name, parser in parsers.items() for part in _command(name, parser))


def settings() -> str:
    """Each setting: how it is given, what holds where nobody says anything, and who may say it."""
    options = {action.dest: action for action in _of(cli.parser_of(["config"]))["config"]._actions}  # noqa: SLF001
    rows = []
    for name, default in DEFAULTS.items():
        option = options[name.replace("-", "_")].option_strings[0]
        who = "user" if name in NOT_FOR_PROJECTS else "project, user"
        held = str(default).lower() if isinstance(default, bool) else str(default or "")
        cells = (f"`{name}`", f"`{option}`", f"`{variable(name)}`", f"`{held}`" if held else "", who)
        rows.append((*cells, _plain(HELP[name])))
    return _table(("setting", "option", "environment", "default", "files of", "is"), rows)


def _command(name: str, parser: argparse.ArgumentParser, level: int = 2) -> Iterator[str]:
    yield f"{'#' * level} `manypython {name}`\n"
    yield f"{_plain(parser.description or '')}\n"
    if inner := _of(parser):
        for action, each in inner.items():
            yield from _command(f"{name} {action}", each, level + 1)
        return
    shown = [each for each in parser._actions if each.dest != "help"]  # noqa: SLF001
    words = [_positional(each) for each in shown if not each.option_strings]
    required = [_option(each) for each in shown if each.option_strings and each.required]
    yield f"```text\n{' '.join(('manypython', name, *words, *required, '[OPTION ...]'))}\n```\n"
    yield _table(
        ("argument", "is"),
        ((f"`{_option(each) or _positional(each)}`", _plain(each.help or "")) for each in shown),
    )
    examples = (parser.epilog or "").partition("examples:\n")[2].partition("\n\n")[0]
    yield "```console\n" + "".join(f"$ {line.strip()}\n" for line in examples.splitlines()) + "```\n"


def _of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of a parser's commands, by name."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:  # noqa: SLF001  (argparse shows them nowhere else)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            found.update(action.choices)
    return found


def _positional(action: argparse.Action) -> str:
    word = _value(action)
    return {"?": f"[{word}]", "*": f"[{word} ...]", "+": f"{word} ..."}.get(str(action.nargs), word)


def _option(action: argparse.Action) -> str:
    """``--dist DIR, -o DIR``; empty for a positional argument."""
    value = "" if action.nargs == 0 else f" {_positional(action)}"
    return ", ".join(f"{each}{value}" for each in action.option_strings)


def _value(action: argparse.Action) -> str:
    if action.choices:
        return f"{{{','.join(map(str, action.choices))}}}"
    return str(action.metavar or action.dest.upper())


def _plain(text: str) -> str:
    """A text in which nothing means anything to Markdown."""
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", text.replace("%%", "%"))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
