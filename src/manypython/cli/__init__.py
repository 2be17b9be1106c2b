"""The command line: arguments in, results on standard output, progress on standard error."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from manypython import __version__, process
from manypython.cli import arguments as a
from manypython.cli import making, proving
from manypython.model.errors import INTERRUPTED, ManypythonError, OutputError

_EPILOG = """\
exit codes: 0 done; 2 wrong arguments; 3 no usable Python prefix; 4 wrong recipe; 5 source not to be had;
6 host program missing; 7 build failed; 8 policy not met or library not found; 9 not proved portable;
10 output not writable or full; 11 bad archive; 12 no usable container; 130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every foreseen error is two plain lines."""
    arguments = _parser().parse_args(argv)
    os.umask(0o022)  # what is built and proved must not depend on the caller's
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a job that is cancelled cleans up too
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell's background job
        # what we run must not inherit it: CPython's tests would wait for their own SIGINT for ever
        signal.signal(signal.SIGINT, lambda *_: None)
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
    except OSError as error:
        print(f"error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return OutputError.exit_code
    except KeyboardInterrupt:
        process.terminate_all()
        print("interrupted: what was built so far is kept, run again to go on", file=sys.stderr)
        return INTERRUPTED
    except Exception:  # noqa: BLE001  (a fault of ours: no traceback on the user's screen, but none lost)
        number, name = tempfile.mkstemp(prefix="manypython-", suffix=".log")
        with open(number, "w", encoding="utf-8") as file:
            traceback.print_exc(file=file)
        print("error: a fault in manypython itself", file=sys.stderr)
        print(f"log: {name}\nremedy: report it with this log", file=sys.stderr)
        return ManypythonError.exit_code


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
        commands, "make", making.make, "build a CPython release from source and leave its archives in DIST",
        "manypython make 3.13", "manypython make cp313 --dist out --json",
        "manypython make 3.13 --in manylinux_2_28 --profile release",
        "manypython make 3.13 --target aarch64-manylinux_2_17",
        ("spec", {"metavar": "SPEC", "type": a.spec, "help": "3.13 (the newest), 3.13.5 or cp313"}),
        a.TARGET, *a.METHOD, *a.SOURCES, *a.OUTPUT,
    )  # fmt: skip
    _add(
        commands, "repair", making.repair,
        "make archives of an installed prefix; the prefix is copied, never touched",
        "manypython repair ~/.pyenv/versions/3.13.0 -o dist", "manypython repair /opt/python --fast",
        a.PREFIX, a.TARGET_FOUND, *a.OUTPUT,
    )  # fmt: skip
    _add(
        commands, "recipes", making.recipes, "list what can be built and from which sources",
        "manypython recipes", "manypython recipes --json", a.JSON,
    )  # fmt: skip
    _add(
        commands, "audit", making.audit,
        "say which policy each ELF file of a tree meets, and why not a better one",
        "manypython audit ./python", "manypython audit ./python --target x86_64-manylinux_2_17 --json",
        a.TREE, a.TARGET_FOUND, a.JSON,
    )  # fmt: skip
    _add(
        commands, "graft", making.graft, "copy the libraries a tree needs from outside into it",
        "manypython graft ./python --dry-run", a.TREE, a.DRY_RUN, a.JSON,
    )  # fmt: skip
    _add(
        commands, "relocate", making.relocate, "make every text of a tree independent of where it stands",
        "manypython relocate ./python --dry-run", a.TREE, a.DRY_RUN, a.JSON,
    )  # fmt: skip
    _add(
        commands, "verify", proving.verify,
        "prove a tree or an archive portable: move it, freeze it, call it from everywhere, and elsewhere",
        "manypython verify ./python", "manypython verify dist/cpython-*-install_only.tar.gz --root all",
        "manypython verify ./python --root debian-12 --root glibc-2.17 --html report.html --json report.json",
        a.TREE_OR_ARCHIVE, a.TARGET_FOUND, *a.REPORTS, a.HOST_TOOLS, *a.CACHE,
    )  # fmt: skip
    _add_roots(commands)
    _add(
        commands, "pack", making.pack, "verify a tree, then write .tar.gz, .tar.zst and .zip of it",
        "manypython pack ./python --dist dist", a.TREE, a.TARGET_FOUND, *a.OUTPUT,
    )  # fmt: skip
    return parser


def _add(
    commands: Any,  # noqa: ANN401  (argparse keeps the type private)
    name: str,
    command: Callable[[argparse.Namespace], int],
    summary: str,
    *parts: str | a.Argument,
) -> None:
    """Add one command: its examples are the strings among the parts, its arguments the rest."""
    examples = "\n".join(f"  {part}" for part in parts if isinstance(part, str))
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"examples:\n{examples}\n\n{_EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for part in parts:
        if not isinstance(part, str):
            names, settings = part
            parser.add_argument(*names.split(), **settings)
    parser.set_defaults(
        command=command, cache_dir=None, source_dir=None, offline=False, install_host_tools=False, fast=False,
        build_number=None, jobs=os.cpu_count() or 1, json=False,
    )  # fmt: skip


def _add_roots(commands: Any) -> None:  # noqa: ANN401
    """``manypython roots create|list|remove``."""
    summary = "make, list and remove the foreign roots that verify runs in"
    parser = commands.add_parser("roots", help=summary, description=summary[0].upper() + summary[1:] + ".")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    _add(
        actions, "create", proving.roots_create,
        "make roots that are not there yet (Debian's need debootstrap, and root to run it)",
        "manypython roots create all", "manypython roots create glibc-2.17",
        a.ROOT_NAMES, a.ARCH, a.HOST_TOOLS, *a.CACHE,
    )  # fmt: skip
    _add(
        actions, "list", proving.roots_list, "list the roots and their size on disk",
        "manypython roots list", "manypython roots list --json", a.ARCH, *a.CACHE, a.JSON,
    )  # fmt: skip
    _add(
        actions, "remove", proving.roots_remove, "remove roots from the cache folder",
        "manypython roots remove debian-sid", a.ROOT_NAMES, a.ARCH, a.DRY_RUN, *a.CACHE,
    )  # fmt: skip
