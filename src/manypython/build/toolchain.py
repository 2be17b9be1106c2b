"""A toolchain: the compiler a build uses, as data every build step can read."""

from __future__ import annotations

import hashlib
import os
import shlex
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from manypython.model.errors import HostToolError
from manypython.model.target import Target


@dataclass(frozen=True)
class Toolchain:
    """A C and C++ compiler for one target, and the flags it cannot do without."""

    name: str
    version: str
    target: Target
    folder: Path
    """Folder with the drivers ``clang``, ``clang++``, ``ar``, ``ranlib``."""
    cflags: tuple[str, ...]
    ldflags: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def identity(self) -> str:
        """What a build's digest says of its compiler; no path of this machine in it."""
        return f"{self.name} {self.version} {self.target} {self.cflags} {self.ldflags}"

    def variables(self) -> dict[str, str]:
        """``CC``, ``CXX``, ``AR``, ``RANLIB`` as absolute single words.

        Single words, because configure scripts look at the basename of ``$CC``.
        """
        drivers = {"CC": "clang", "CXX": "clang++", "AR": "ar", "RANLIB": "ranlib"}
        return {name: str(self.folder / driver) for name, driver in drivers.items()}


def zig(target: Target, cache: Path) -> Toolchain:
    """The embedded default: ``zig cc``, which carries clang, lld and any glibc from 2.17.

    Writes four driver scripts into the cache; they hold the target, so that
    ``CC`` is one word.

    Raises:
        HostToolError: the ``ziglang`` package is not installed beside us.
    """
    program = zig_folder() / "zig"
    version = zig_version()
    floor = "" if target.libc.abi == "musl" else f".{target.floor[0]}.{target.floor[1]}"
    triple = f"{target.architecture}-linux-{target.libc.abi}{floor}"
    drivers = {
        "clang": f"cc -target {triple}",
        "clang++": f"c++ -target {triple}",
        "ar": "ar",
        "ranlib": "ranlib",
    }
    scripts = {
        name: f'#!/bin/sh\nexec {shlex.quote(str(program))} {words} "$@"\n' for name, words in drivers.items()
    }
    digest = hashlib.sha256(repr(sorted(scripts.items())).encode()).hexdigest()[:12]
    folder = cache / "toolchains" / f"zig-{version}-{target}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in scripts.items():
        _write_program(folder / name, text)
    return Toolchain(
        "zig",
        version,
        target,
        folder,
        cflags=(
            "-fPIC",
            "-fstack-protector-strong",
            # zig turns undefined behaviour into a trap unless told otherwise
            "-fno-sanitize=undefined",
            # zig makes __DATE__ an error; SOURCE_DATE_EPOCH gives it a fixed value
            "-Wno-date-time",
        ),
        # lld refuses version scripts that name a symbol the library lacks (zlib's probe)
        ldflags=("-Wl,--undefined-version", "-Wl,-s"),
        environment=(
            ("ZIG_GLOBAL_CACHE_DIR", str(cache / "zig")),
            ("ZIG_LOCAL_CACHE_DIR", str(cache / "zig")),
        ),
    )


def zig_folder() -> Path:
    """Where the ``ziglang`` package is installed.

    Raises:
        HostToolError: it is not.
    """
    spec = util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise HostToolError(
            "the zig toolchain is not installed: Python package ziglang is missing",
            remedy="pip install 'manypython[build]'",
        )
    return Path(spec.origin).parent


def zig_version() -> str:
    """The version of the ``ziglang`` package."""
    return metadata.version("ziglang")


def _write_program(path: Path, text: str) -> None:
    """Write an executable in one step, so that a second process never sees half of it."""
    if path.exists():
        return
    scratch = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    scratch.write_text(text)
    scratch.chmod(0o755)
    scratch.replace(path)
