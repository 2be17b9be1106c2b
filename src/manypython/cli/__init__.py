"""The command line: arguments in, results on standard output, progress on standard error.

Only the module of the command that was named is imported: ``fetch`` answers before
``make`` would have loaded its libraries.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys

from manypython.cli.streams import GONE, failure, finished, prepare, unwritable
from manypython.model.errors import (
    INTERRUPTED,
    HostToolError,
    ManypythonError,
    MissingExtraError,
    OutputError,
    of_os,
)
from manypython.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself takes a tenth of the time that a warm fetch has
    from collections.abc import Callable, Sequence
    from typing import Any

_EPILOG = """\
exit codes: 0 done; 2 wrong arguments; 3 no usable Python prefix; 4 wrong recipe; 5 source not to be had;
6 host program missing; 7 build failed; 8 policy not met or library not found; 9 not proved portable;
10 output not writable or full; 11 bad archive; 12 no usable container; 13 download failed;
14 index not trusted; 15 no build fits; 16 an extra is not installed; 17 doctor found trouble;
18 a file cannot be read; 130 interrupted
"""
COMMANDS = {
    "fetch": ("fetching", "put an interpreter on this machine and print its path"),
    "list": ("fetching", "list the interpreters that are here, or that an index has"),
    "find": ("fetching", "print the path of an interpreter that is here already"),
    "files": ("fetching", "list the files of an interpreter"),
    "remove": ("removing", "remove interpreters: what was installed, and nothing else"),
    "prune": ("removing", "remove builds that have a successor, and downloads"),
    "config": ("fetching", "show each setting and where it comes from"),
    "integrate": ("integrating", "print what to paste into tox, uv, nox ... to have them use the index"),
    "doctor": ("doctor", "say which interpreters a project wants, which are here and what is in the way"),
    "make": ("making", "build a CPython release from source and leave its archives in DIST"),
    "repair": ("making", "make archives of an installed prefix; the prefix is copied, never touched"),
    "recipes": ("making", "list what can be built and from which sources"),
    "audit": ("making", "say which policy each ELF file of a tree meets, and why not a better one"),
    "graft": ("making", "copy the libraries a tree needs from outside into it"),
    "relocate": ("making", "make every text of a tree independent of where it stands"),
    "verify": (
        "proving",
        "prove a tree or an archive portable: move it, freeze it, call it from everywhere, and elsewhere",
    ),
    "roots": ("proving", "make, list and remove the foreign roots that verify runs in"),
    "pack": ("making", "verify a tree, then write .tar.gz, .tar.zst and .zip of it"),
    "publish": ("publishing", "add archives to a static site that every tool can fetch from"),
    "keys": ("publishing", "make, rotate and show the keys that sign a site's index"),
    "serve": ("publishing", "try a site out: serve it on the loopback interface"),
    "pyenv-shim": ("shim", "let pipenv fetch interpreters: a small pyenv that answers what it asks"),
}
"""Each command's module and what it does."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every foreseen error is two plain lines.

    Args:
        argv: the words; None: those of this process, which is ours then, streams and all.
    """
    if argv is None:
        prepare()
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
    except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001  (of each there is something to say)
        code = _ended(error)
    return finished(code)


def _run(argv: Sequence[str]) -> int:
    arguments = parser_of(argv).parse_args(argv)
    os.umask(0o022)  # what is built and proved must not depend on the caller's
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a job that is cancelled cleans up too
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell's background job
        # what we run must not inherit it: CPython's tests would wait for their own SIGINT for ever
        signal.signal(signal.SIGINT, lambda *_: None)
    command: Callable[[argparse.Namespace], int] = arguments.command
    return command(arguments)


def _ended(error: BaseException) -> int:  # noqa: PLR0911  (each kind of end is a case)
    """Say what ended a command, and return its exit code."""
    match error:
        case ManypythonError():
            return _told(error)
        case SystemExit():  # argparse has said all
            return error.code if isinstance(error.code, int) else 0
        case BrokenPipeError():
            return GONE
        case OSError():
            return _failed(error)
        case KeyboardInterrupt():
            return _interrupted()
        case RuntimeError() if "start new thread" in str(error):
            return _told(
                HostToolError(
                    "this machine lets no program start a thread",
                    remedy="raise the limit of processes; or, in a container whose engine answers EPERM to "
                    "clone3 (moby issue 42680), take a newer engine",
                )
            )
    told = unwritable(error)
    return _told(told) if told else _fault(error)


def _failed(error: OSError) -> int:
    """A file that cannot be read or written; standard output, of which more is said; the current folder."""
    if error is failure():
        return OutputError.exit_code
    if error.filename is None and not _is_somewhere():
        return _told(OutputError(f"the current folder: {error.strerror}", remedy="cd to one that is there"))
    return _told(of_os(error))


def _is_somewhere() -> bool:
    """Whether the current folder is there."""
    try:
        os.getcwd()  # noqa: PTH109  (pathlib takes time)
    except OSError:
        return False
    return True


def _interrupted() -> int:
    if process := sys.modules.get("manypython.process"):
        process.terminate_all()
    print("interrupted: what was done so far is kept, run again to go on", file=sys.stderr)
    return INTERRUPTED


def _told(error: ManypythonError) -> int:
    print(f"error: {error.message}", file=sys.stderr)
    if error.log is not None:
        print(f"log: {error.log}", file=sys.stderr)
    if error.remedy:
        print(f"remedy: {error.remedy}", file=sys.stderr)
    return error.exit_code


def _fault(fault: BaseException) -> int:
    """Keep the traceback in a file and say where."""
    import tempfile  # noqa: PLC0415  (rare)
    import traceback  # noqa: PLC0415

    print("error: a fault in manypython itself", file=sys.stderr)
    try:
        number, name = tempfile.mkstemp(prefix="manypython-", suffix=".log")
        with open(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            traceback.print_exception(fault, file=file)
        print(f"log: {name}\nremedy: report it with this log", file=sys.stderr)
    except OSError:  # no room for it anywhere
        told = " in ".join(traceback.format_exception_only(fault)).strip()
        print(f"log: {told}\nremedy: report it with this line", file=sys.stderr)
    return ManypythonError.exit_code


def parser_of(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, complete for the command that is named and a list of names for the others."""
    parser = argparse.ArgumentParser(
        prog="manypython",
        description="Portable CPython: fetch it, make it, prove it. One archive that runs on any Linux, "
        "from any folder.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"manypython {__version__}")
    # with its `prog` argparse need not format a usage, for which it would import shutil
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", prog="manypython")
    named = next((word for word in argv if not word.startswith("-")), "")
    for name in (named,) if named in COMMANDS else COMMANDS:
        module, summary = COMMANDS[name]
        if name == named:
            _add(commands, name, summary, _load(name, module)[name])
        else:
            commands.add_parser(name, help=summary)
    return parser


def _load(name: str, module: str) -> dict[str, Any]:
    """The commands of a module.

    Raises:
        MissingExtraError: it needs libraries that only ``manypython[build]`` brings.
    """
    try:
        found: dict[str, Any] = importlib.import_module(f"manypython.cli.{module}").COMMANDS
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "manypython":
            raise
        raise MissingExtraError(
            f"{name}: {error.name} is not installed",
            remedy="pip install 'manypython[build]'",
        ) from None
    return found


def _add(
    commands: Any,  # noqa: ANN401  (argparse keeps the type private)
    name: str,
    summary: str,
    parts: Any,  # noqa: ANN401  (a tuple as `arguments.py` says, or more of them by name)
) -> None:
    """Add one command: the function that runs it, its examples (strings), its arguments (pairs)."""
    if isinstance(parts, dict):
        description = f"{summary[0].upper()}{summary[1:]}."
        parser = commands.add_parser(name, help=summary, description=description)
        actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
        for action, (told, *rest) in parts.items():
            _add(actions, action, told, rest)
        return
    command, *rest = parts
    examples = "\n".join(f"  {part}" for part in rest if isinstance(part, str))
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{examples}\n\n{_EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for part in rest:
        if not isinstance(part, str):
            names, settings = part
            parser.add_argument(*names.split(), **settings)
    parser.set_defaults(command=command)
