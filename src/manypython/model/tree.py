"""An installed Python prefix on disk, and what can be learned of it without running it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.version import Version

from manypython.model.errors import TreeError

GRAFTS = "lib/python.libs"
"""Where grafted libraries stand in a tree, after auditwheel's ``NAME.libs``."""

NEUTRAL_PREFIX = "/install"
"""The prefix our CPython is configured with, and the word uv, mise and pdm replace."""

_PY_VERSION = re.compile(r'^#define\s+PY_VERSION\s+"([^"]+)"', re.MULTILINE)
_SPREADS = re.compile(r"lib/lib(?!python3)[^/]*\.so[^/]*")
_NAME = re.compile(r"(?P<implementation>python|pypy)3\.(?P<minor>\d+)(?P<threaded>t?)")


def spreads(path: PurePosixPath) -> bool:
    """Whether a file of a tree is a library that ``LD_LIBRARY_PATH=TREE/lib`` gives to other programs."""
    return _SPREADS.fullmatch(str(path)) is not None


@dataclass(frozen=True)
class Tree:
    """A Python prefix: ``bin/``, ``lib/pythonX.Y/``, ``include/``, ``share/``."""

    root: Path
    version: Version
    threaded: str
    """``t`` for a free-threaded build, else empty."""
    debug: str = ""
    """``d`` for a ``--with-pydebug`` build, else empty."""
    implementation: str = "cpython"
    """``cpython`` or ``pypy``."""

    @classmethod
    def open(cls, place: Path) -> Tree:
        """Look at a folder, or at the folder of an interpreter, and see which Python it holds.

        Args:
            place: a prefix, or an interpreter in the ``bin/`` of one: where several Pythons
                share a prefix, as in ``/usr``, it says which one is meant.

        Raises:
            TreeError: the folder does not exist, or holds no Python or several.
        """
        root, chosen = place, ""
        if place.is_file():
            real = place.resolve()
            root, chosen = real.parent.parent, real.name.removesuffix("d")
        if not root.is_dir():
            raise TreeError(f"{root}: no such folder", remedy="give the prefix of an installed Python")
        pythons = {
            folder.name: match
            for folder in sorted((root / "lib").glob("py*3.*"))
            if (match := _NAME.fullmatch(folder.name)) and (folder / "os.py").is_file()
        }
        pythons = {name: match for name, match in pythons.items() if chosen in (name, "")}
        if not pythons:
            raise TreeError(
                f"{root}: no Python prefix: lib/{chosen or 'python3.X'}/os.py is missing",
                remedy="give the folder that holds bin/ and lib/python3.X/, e.g. sys.base_prefix, "
                "or its interpreter",
            )
        if len(pythons) > 1:
            raise TreeError(
                f"{root}: holds several Pythons ({', '.join(pythons)}); one is needed",
                remedy=f"give the interpreter that is meant, e.g. {root}/bin/{max(pythons)}",
            )
        name, match = pythons.popitem()
        executables = [root / "bin" / (name + suffix) for suffix in ("d", "")]
        executable = next((path for path in executables if path.is_file()), None)
        if executable is None:
            raise TreeError(f"{root}: no Python prefix: bin/{name} is missing")
        return cls(
            root.absolute(),
            _version(root, name),
            match["threaded"],
            "d" if executable.name.endswith("d") else "",
            "pypy" if match["implementation"] == "pypy" else "cpython",
        )

    @property
    def name(self) -> str:
        """``python3.13`` (``python3.13t``, ``pypy3.9``): the name of the stdlib folder."""
        word = "pypy" if self.implementation == "pypy" else "python"
        return f"{word}{self.version.major}.{self.version.minor}{self.threaded}"

    @property
    def executable(self) -> Path:
        """``bin/python3.13``, the real file."""
        return self.root / "bin" / (self.name + self.debug)

    @property
    def stdlib(self) -> Path:
        """``lib/python3.13``."""
        return self.root / "lib" / self.name

    def is_own(self, path: PurePosixPath) -> bool:
        """Whether a file of the tree is the interpreter's own, and not of a package that was installed."""
        if {"site-packages", "dist-packages"} & {*path.parts}:
            return False
        if path.is_relative_to(f"lib/{self.name}") or path.is_relative_to(GRAFTS):
            return True
        return path.name == self.executable.name or str(path).startswith(("lib/libpython", "lib/libpypy"))

    @property
    def shared(self) -> bool:
        """Whether other software lives in the prefix too, as in ``/usr``: then it cannot be copied whole."""
        return (self.root / "sbin").exists()

    def extension_modules(self) -> frozenset[str]:
        """Names of the extension modules in ``lib-dynload``."""
        return frozenset(path.name.split(".")[0] for path in (self.stdlib / "lib-dynload").glob("*.so"))

    @property
    def grafts(self) -> Path:
        """The folder of grafted libraries; it may not exist yet."""
        return self.root / GRAFTS

    @property
    def cache_tag(self) -> str:
        """``cpython-313`` (``pypy39``), as in the names of ``.pyc`` files."""
        dash = "-" if self.implementation == "cpython" else ""
        return f"{self.implementation}{dash}{self.version.major}{self.version.minor}"

    @property
    def python_tag(self) -> str:
        """``cp313``, with ``t`` for a free-threaded build; ``pp39``."""
        word = "pp" if self.implementation == "pypy" else "cp"
        return f"{word}{self.version.major}{self.version.minor}{self.threaded}"


def _version(root: Path, name: str) -> Version:
    """The full version, from ``patchlevel.h``: no interpreter is run for it."""
    for header in sorted((root / "include").glob(f"{name}*/patchlevel.h")):
        if match := _PY_VERSION.search(header.read_text()):
            return Version(match[1].rstrip("+"))
    raise TreeError(
        f"{root}: include/{name}/patchlevel.h is missing, so the exact version of {name} is unknown",
        remedy="install the headers (the -dev or -devel package) into the prefix",
    )
