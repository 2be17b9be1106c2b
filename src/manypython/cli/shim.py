"""The command of a small pyenv, for pipenv."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from manypython.folders import of_home
from manypython.integrations import pipenv
from manypython.model.errors import ManypythonError
from manypython.store.settings import outside


def shim_install(arguments: argparse.Namespace) -> int:
    """Write a ``pyenv`` that answers what pipenv asks."""
    folder = Path(arguments.to or of_home(".local/bin", "--to"))
    script = pipenv.install(folder, force=arguments.force, dry_run=arguments.dry_run)
    print(f"{'would write' if arguments.dry_run else 'wrote'} {script}, for interpreters in {pipenv.root()}")
    if str(script.parent) not in os.get_exec_path():
        print(f'note: pipenv needs it on PATH: export PATH="{script.parent}:$PATH"', file=sys.stderr)
    return 0


def shim_remove(_: argparse.Namespace) -> int:
    """Remove it and its links."""
    for path in pipenv.remove():
        print(f"removed {path}")
    return 0


def shim_run(arguments: argparse.Namespace) -> int:
    """Answer for it."""
    try:
        said = pipenv.answer(arguments.words[1:])
    except ManypythonError as error:
        error.remedy = outside(error.remedy)
        raise
    if said:
        print(said)
    return 0


_WORDS = {"nargs": argparse.REMAINDER, "metavar": "pyenv WORD ...", "help": "what pyenv was asked"}
COMMANDS = {
    "pyenv-shim": {
        "install": (
            "write a small pyenv that answers what pipenv asks",
            shim_install,
            "manypython pyenv-shim install",
            "manypython pyenv-shim install --to /usr/local/bin",
            ("--to", {"type": Path, "metavar": "DIR", "help": "on PATH (default ~/.local/bin)"}),
            ("--force", {"action": "store_true", "help": "although another pyenv is on PATH"}),
            ("--dry-run", {"action": "store_true", "help": "say what would be written and change nothing"}),
        ),
        "remove": ("remove it, and its links", shim_remove, "manypython pyenv-shim remove"),
        "run": (
            "answer as the small pyenv: it calls this",
            shim_run,
            "manypython pyenv-shim run pyenv install --list",
            ("words", _WORDS),
        ),
    },
}
