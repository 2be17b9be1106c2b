"""What the README tells a newcomer to type: ``python3 readme.py`` prints it as a shell script.

Standard library alone: it is the first program that runs on a machine that nobody prepared.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PREPARED = re.compile(r"make a virtual environment first, `([^`]+)`")


@dataclass(frozen=True)
class Commands:
    """What is typed in a fresh clone, in one shell."""

    prepare: str
    """Of the README's note for systems that keep pip to themselves (PEP 668)."""
    make: str
    tests: str


def commands(text: str) -> Commands:
    """The first two commands of a README, and those of its note.

    Raises:
        ValueError: it no longer shows them.
    """
    block = _CONSOLE.search(text)
    typed = re.findall(r"^\$ (.+)$", block.group(1), re.MULTILINE) if block else []
    note = _PREPARED.search(text)
    if note is None or len(typed) != 2:
        raise ValueError(f"README.md: wanted a note on virtual environments and two commands, found {typed}")
    return Commands(note.group(1), *typed)


def main() -> None:
    found = commands((CHECKOUT / "README.md").read_text(encoding="utf-8"))
    sys.stdout.write(f"set -ex\n{found.prepare}\n{found.make}\n{found.tests}\n")


if __name__ == "__main__":
    main()
