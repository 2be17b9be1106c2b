"""The arguments of all commands, as tables."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from manypython.compile.engine import Engine
from manypython.compile.images import images
from manypython.compile.toolchains.base import PROFILES, Compiler
from manypython.compile.toolchains.gcc import HostGcc
from manypython.compile.toolchains.zig import Zig
from manypython.model.errors import ManypythonError
from manypython.model.identifier import BuildNumber, Spec
from manypython.model.target import DEFAULT_TARGET, Architecture, LibcFamily, Target
from manypython.verify import roots

Argument = tuple[str, dict[str, Any]]
"""Names with a space between, and what argparse is told of them."""


def target(text: str) -> Target:
    """A target; without an architecture (``manylinux_2_28``) it is for this machine's."""
    try:
        return Target.parse(f"{DEFAULT_TARGET.architecture}-{text}" if "linux_" in text[:10] else text)
    except ManypythonError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.remedy}") from None


def spec(text: str) -> Spec:
    """A CPython, as asked for."""
    try:
        return Spec.parse(text)
    except ManypythonError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.remedy}") from None


def number(text: str) -> BuildNumber:
    """A build number."""
    try:
        return BuildNumber(int(text))
    except (ManypythonError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is no build number; give YYYYMMDD") from None


def folder(text: str) -> Path:
    """A folder that is there."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no folder")
    return Path(text).absolute()


SPEC: Argument = (
    "spec",
    {"metavar": "SPEC", "type": spec, "help": "3.13 (the newest), 3.13.5, py313 or '>=3.12,<3.14'"},
)
TREE: Argument = (
    "tree",
    {"metavar": "TREE", "type": Path, "help": "folder with bin/ and lib/python3.X/"},
)
COMPILERS: dict[str, type[Compiler]] = {kind.name: kind for kind in (Zig, HostGcc)}
"""Those of this machine, by name."""

PREFIX: Argument = (
    "prefix",
    {
        "metavar": "PREFIX",
        "type": Path,
        "help": "an installed Python: sys.base_prefix, or its interpreter, e.g. /usr/bin/python3.11",
    },
)
TARGET: Argument = (
    "--target",
    {
        "type": target,
        "metavar": "TARGET",
        "help": f"what it must run on (default: {DEFAULT_TARGET} with zig, else what the audit finds)",
    },
)
TARGET_FOUND: Argument = (
    "--target",
    {
        "type": target,
        "metavar": "TARGET",
        "help": "what it must run on (default: the lowest policy the audit finds)",
    },
)
METHOD: tuple[Argument, ...] = (
    (
        "--toolchain",
        {
            "choices": [*COMPILERS],
            "help": "gcc: this machine's (default where it is there); zig: embedded",
        },
    ),
    (
        "--profile",
        {
            "choices": [*PROFILES],
            "help": "release: PGO and LTO, the default with GCC; quick: neither, in a third of the time",
        },
    ),
    (
        "--in",
        {
            "dest": "image",
            "choices": sorted(name for name, image in images().items() if image.libc is LibcFamily.GLIBC),
            "help": "build in a container of this image, with its GCC",
        },
    ),
    (
        "--engine",
        {"choices": [engine.value for engine in Engine], "help": "default: the first that works here"},
    ),
    (
        "--base",
        {
            "metavar": "IMAGE",
            "help": "base of the image instead of the pinned one, e.g. localhost/debian-bullseye",
        },
    ),
)
JSON: Argument = (
    "--json",
    {"action": "store_true", "help": "print the result as JSON and no progress"},
)
STDOUT = "-"
TREE_OR_ARCHIVE: Argument = (
    "tree",
    {
        "metavar": "TREE|ARCHIVE",
        "type": Path,
        "help": "folder with bin/ and lib/python3.X/, or an archive of ours",
    },
)
REPORTS: tuple[Argument, ...] = (
    (
        "--root",
        {
            "action": "append",
            "default": [],
            "metavar": "NAME",
            "help": f"also in this foreign root, in every surrounding: {', '.join(roots.ROOTS)}, or all",
        },
    ),
    ("--full", {"action": "store_true", "help": "also run CPython's own test suite, in three roots"}),
    (
        "--tests",
        {"type": Path, "metavar": "ARCHIVE", "help": "the suite (default: -tests.tar.gz beside the archive)"},
    ),
    (
        "--json",
        {
            "nargs": "?",
            "const": STDOUT,
            "metavar": "FILE",
            "help": "write the report as JSON (no FILE: print it)",
        },
    ),
    ("--html", {"metavar": "FILE", "help": "write the report as one web page"}),
)
ROOT_NAMES: Argument = (
    "names",
    {"metavar": "NAME", "nargs": "+", "help": f"{', '.join(roots.ROOTS)}, or all"},
)
ARCH: Argument = (
    "--arch",
    {
        "type": Architecture,
        "choices": list(Architecture),
        "default": DEFAULT_TARGET.architecture,
        "help": "of the root's programs (default: this machine's)",
    },
)
SEARCH: Argument = (
    "--search",
    {
        "type": folder,
        "action": "append",
        "default": [],
        "metavar": "DIR",
        "help": "a folder to look for libraries in too, before LD_LIBRARY_PATH's; give it once for each",
    },
)
DRY_RUN: Argument = (
    "--dry-run",
    {"action": "store_true", "help": "print the plan and change nothing"},
)
CACHE: tuple[Argument, ...] = (
    (
        "--cache-dir",
        {
            "type": Path,
            "metavar": "DIR",
            "help": "sources and builds (default MANYPYTHON_CACHE_DIR or the user's cache folder)",
        },
    ),
)
HOST_TOOLS: Argument = (
    "--install-host-tools",
    {"action": "store_true", "help": "install missing host programs (apt-get or dnf, as root)"},
)
SOURCES: tuple[Argument, ...] = (
    (
        "--source-dir",
        {"type": Path, "metavar": "DIR", "help": "folder of source archives to look in before the network"},
    ),
    ("--offline", {"action": "store_true", "help": "use the cache and --source-dir only"}),
    HOST_TOOLS,
)
OUTPUT: tuple[Argument, ...] = (
    (
        "--dist -o",
        {
            "type": Path,
            "default": Path("dist"),
            "metavar": "DIR",
            "help": "where the archives go (default dist)",
        },
    ),
    (
        "--build-number",
        {
            "type": number,
            "metavar": "YYYYMMDD",
            "help": "date of every file in the archives (default: the recipe set's)",
        },
    ),
    ("--jobs", {"type": int, "metavar": "N", "help": "processes side by side (default: all cores)"}),
    ("--fast", {"action": "store_true", "help": "compress in a tenth of the time, for an eighth more bytes"}),
    *CACHE,
    JSON,
)
