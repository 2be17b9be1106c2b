"""The command line: arguments in, results on standard output, progress on standard error."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import platformdirs

from manypython import __version__, process
from manypython.model.errors import INTERRUPTED, ManypythonError
from manypython.model.identifier import BuildNumber, Spec
from manypython.model.target import DEFAULT_TARGET, Target
from manypython.model.tree import Tree
from manypython.progress import Reporter

_EPILOG = """\
exit codes: 0 done; 2 wrong arguments; 3 no usable Python prefix; 4 wrong recipe; 5 source not to be had;
6 host program missing; 7 build failed; 8 policy not met or library not found; 9 not proved portable;
10 output not writable or full; 11 bad archive; 130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every foreseen error is two plain lines."""
    arguments = _parser().parse_args(argv)
    try:
        command: Callable[[argparse.Namespace], int] = arguments.command
        return command(arguments)
    except ManypythonError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.log is not None:
            print(f"log: {error.log}", file=sys.stderr)
        if error.remedy:
            print(f"remedy: {error.remedy}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        process.terminate_all()
        print("interrupted: what was built so far is kept, run again to go on", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="manypython",
        description="Make CPython portable: one archive that runs on any Linux, from any folder.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"manypython {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add(
        commands, "make", _make, "build a CPython release from source and leave its archives in DIST",
        "manypython make 3.13", "manypython make cp313 --dist out --json",
        ("spec", {"metavar": "SPEC", "type": _spec, "help": "3.13 (the newest), 3.13.5 or cp313"}),
        _TARGET, _TOOLCHAIN, *_SOURCES, *_OUTPUT,
    )  # fmt: skip
    _add(
        commands, "repair", _repair, "make archives of an installed prefix; the prefix is copied, never touched",
        "manypython repair ~/.pyenv/versions/3.13.0 -o dist",
        _PREFIX, _TARGET_FOUND, *_OUTPUT,
    )  # fmt: skip
    _add(
        commands, "recipes", _recipes, "list what can be built and from which sources",
        "manypython recipes", "manypython recipes --json", _JSON,
    )  # fmt: skip
    _add(
        commands, "audit", _audit, "say which policy each ELF file of a tree meets, and why not a better one",
        "manypython audit ./python", "manypython audit ./python --target x86_64-manylinux_2_17 --json",
        _TREE, _TARGET_FOUND, _JSON,
    )  # fmt: skip
    _add(
        commands, "graft", _graft, "copy the libraries a tree needs from outside into it",
        "manypython graft ./python --dry-run", _TREE, _DRY_RUN, _JSON,
    )  # fmt: skip
    _add(
        commands, "relocate", _relocate, "make every text of a tree independent of where it stands",
        "manypython relocate ./python --dry-run", _TREE, _DRY_RUN, _JSON,
    )  # fmt: skip
    _add(
        commands, "verify", _verify, "prove a tree portable: move it, freeze it, call it from everywhere",
        "manypython verify ./python", _TREE, _TARGET_FOUND, *_CACHE, _JSON,
    )  # fmt: skip
    _add(
        commands, "pack", _pack, "verify a tree, then write .tar.gz, .tar.zst and .zip of it",
        "manypython pack ./python --dist dist", _TREE, _TARGET_FOUND, *_OUTPUT,
    )  # fmt: skip
    return parser


Argument = tuple[str, dict[str, Any]]


def _target(text: str) -> Target:
    try:
        return Target.parse(text)
    except ManypythonError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.remedy}") from None


def _spec(text: str) -> Spec:
    try:
        return Spec.parse(text)
    except ManypythonError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.remedy}") from None


def _number(text: str) -> BuildNumber:
    try:
        return BuildNumber(int(text))
    except (ManypythonError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is no build number; give YYYYMMDD") from None


_TREE: Argument = ("tree", {"metavar": "TREE", "type": Path, "help": "folder with bin/ and lib/python3.X/"})
_PREFIX: Argument = ("prefix", {"metavar": "PREFIX", "type": Path, "help": "an installed Python, e.g. sys.base_prefix"})
_TARGET: Argument = ("--target", {"type": _target, "default": DEFAULT_TARGET, "metavar": "TARGET", "help": f"what it must run on (default {DEFAULT_TARGET})"})
_TARGET_FOUND: Argument = ("--target", {"type": _target, "metavar": "TARGET", "help": "what it must run on (default: the lowest policy the audit finds)"})
_TOOLCHAIN: Argument = ("--toolchain", {"choices": ["zig"], "default": "zig", "help": "compiler (default zig, embedded)"})
_JSON: Argument = ("--json", {"action": "store_true", "help": "print the result as JSON and no progress"})
_DRY_RUN: Argument = ("--dry-run", {"action": "store_true", "help": "print the plan and change nothing"})
_CACHE: tuple[Argument, ...] = (
    ("--cache-dir", {"type": Path, "metavar": "DIR", "help": "sources and builds (default MANYPYTHON_CACHE_DIR or the user's cache folder)"}),
)  # fmt: skip
_SOURCES: tuple[Argument, ...] = (
    ("--source-dir", {"type": Path, "metavar": "DIR", "help": "folder of source archives to look in before the network"}),
    ("--offline", {"action": "store_true", "help": "use the cache and --source-dir only"}),
    ("--install-host-tools", {"action": "store_true", "help": "install missing host programs (apt-get or dnf, as root)"}),
)  # fmt: skip
_OUTPUT: tuple[Argument, ...] = (
    ("--dist", {"type": Path, "default": Path("dist"), "metavar": "DIR", "help": "where the archives go (default dist)"}),
    ("--build-number", {"type": _number, "metavar": "YYYYMMDD", "help": "date of every file in the archives (default: the recipe set's)"}),
    ("--jobs", {"type": int, "default": os.cpu_count() or 1, "metavar": "N", "help": "processes side by side (default: all cores)"}),
    *_CACHE,
    _JSON,
)  # fmt: skip
