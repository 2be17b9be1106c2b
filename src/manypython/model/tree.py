"""An installed Python prefix on disk, and what can be read off it without running it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NewType

from packaging.version import Version

from manypython.model.errors import TreeError

GRAFTS = "lib/python.libs"
"""Where grafted libraries stand in a tree, after auditwheel's ``NAME.libs``."""

NEUTRAL_PREFIX = "/install"
"""The prefix our CPython is configured with, and the word uv, mise and pdm replace."""

_PY_VERSION = re.compile(r'^#define\s+PY_VERSION\s+"([^"]+)"', re.MULTILINE)
_STDLIB = re.compile(r"python3\.(\d+)(t?)")


@dataclass(frozen=True)
class Tree:
    """A Python prefix: ``bin/``, ``lib/pythonX.Y/``, ``include/``, ``share/``."""

    root: Path
    version: Version
    threaded: str
    """``t`` for a free-threaded build, else empty."""
    debug: str = ""
    """``d`` for a ``--with-pydebug`` build, else empty."""

    @classmethod
    def open(cls, root: Path) -> Tree:
        """Look at a folder and see which Python it holds.

        Raises:
            TreeError: the folder does not exist or holds no (or several) Pythons.
        """
        if not root.is_dir():
            raise TreeError(f"{root}: no such folder", remedy="give the prefix of an installed Python")
        found = [
            (match, folder)
            for folder in sorted((root / "lib").glob("python3.*"))
            if (match := _STDLIB.fullmatch(folder.name)) and (folder / "os.py").is_file()
        ]
        if not found:
            raise TreeError(
                f"{root}: no Python prefix: lib/python3.X/os.py is missing",
                remedy="give the folder that holds bin/ and lib/python3.X/, e.g. sys.base_prefix",
            )
        if len(found) > 1:
            names = ", ".join(folder.name for _, folder in found)
            raise TreeError(f"{root}: holds several Pythons ({names}); one is needed")
        match, _ = found[0]
        name = match.group()
        executables = [root / "bin" / (name + suffix) for suffix in ("", "d")]
        executable = next((path for path in executables if path.is_file()), None)
        if executable is None:
            raise TreeError(f"{root}: no Python prefix: bin/{name} is missing")
        return cls(
            root.absolute(), _version(root, name, int(match[1])), match[2],
            "d" if executable.name.endswith("d") else "",
        )  # fmt: skip

    @property
    def name(self) -> str:
        """``python3.13`` (``python3.13t``): the name of the stdlib folder."""
        return f"python{self.version.major}.{self.version.minor}{self.threaded}"

    @property
    def executable(self) -> Path:
        """``bin/python3.13``, the real file."""
        return self.root / "bin" / (self.name + self.debug)

    @property
    def stdlib(self) -> Path:
        """``lib/python3.13``."""
        return self.root / "lib" / self.name

    def extension_modules(self) -> frozenset[str]:
        """Names of the extension modules in ``lib-dynload``."""
        return frozenset(path.name.split(".")[0] for path in (self.stdlib / "lib-dynload").glob("*.so"))

    @property
    def grafts(self) -> Path:
        """The folder of grafted libraries; it may not exist yet."""
        return self.root / GRAFTS

    @property
    def python_tag(self) -> str:
        """``cp313``, with ``t`` for a free-threaded build."""
        return f"cp{self.version.major}{self.version.minor}{self.threaded}"


VerifiedTree = NewType("VerifiedTree", Tree)
"""A tree that proved portable. Only ``verify`` makes one, only ``pack`` takes one."""


def _version(root: Path, name: str, minor: int) -> Version:
    """The full version, from ``patchlevel.h``: no interpreter is run for it."""
    for header in sorted((root / "include").glob(f"{name}*/patchlevel.h")):
        if match := _PY_VERSION.search(header.read_text()):
            return Version(match[1].rstrip("+"))
    raise TreeError(
        f"{root}: include/{name}/patchlevel.h is missing, so the exact version of 3.{minor} is unknown",
        remedy="install the headers (the -dev or -devel package) into the prefix",
    )
