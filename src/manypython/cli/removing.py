"""Commands that take interpreters away again: remove, prune."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from manypython.cli.fetching import NAMES, STORE_DIR, chosen_of, settings_of
from manypython.store import trees
from manypython.store.downloads import forget_downloads
from manypython.store.installed import Installed, installed


def remove(arguments: argparse.Namespace) -> int:
    """Remove interpreters."""
    _remove(chosen_of(arguments.names, settings_of(arguments)), arguments)
    return 0


def prune(arguments: argparse.Namespace) -> int:
    """Remove builds of which a newer one is here, downloads, and what killed runs left."""
    settings = settings_of(arguments)
    seen: set[tuple[Any, ...]] = set()
    old = []
    for each in installed(settings.store_dir):
        series = (each.release[:2], each.variant, each.architecture, each.abi, each.level)
        if series in seen:
            old.append(each)
        seen.add(series)
    _remove(old, arguments)
    for path in trees.leavings(Path(settings.store_dir)):
        _say(f"remove {path}", arguments)
        if not arguments.dry_run:
            trees.sweep(Path(settings.store_dir), path)
    if size := forget_downloads(dry_run=arguments.dry_run):
        _say(f"remove {size / 1e6:.1f} MB of downloads", arguments)
    return 0


def _remove(chosen: list[Installed], arguments: argparse.Namespace) -> None:
    for found in chosen:
        _say(f"remove {found.folder}", arguments)
        if not arguments.dry_run:
            left = trees.remove(Path(found.folder).parent, found)
            if left is not None:
                print(f"note: {left}: what others had added is kept there", file=sys.stderr)


def _say(text: str, arguments: argparse.Namespace) -> None:
    print(text if arguments.dry_run else text.replace("remove", "removed", 1))


_DRY_RUN = ("--dry-run", {"action": "store_true", "help": "say what would be removed and change nothing"})

COMMANDS = {
    "remove": (
        remove, "manypython remove 3.13.5", "manypython remove 3.12 --dry-run", NAMES, STORE_DIR, _DRY_RUN,
    ),
    "prune": (prune, "manypython prune --dry-run", STORE_DIR, _DRY_RUN),
}  # fmt: skip
