"""The build systems, as functions from an unpacked source tree to an installed prefix.

They are few. Each gets a ``Workshop``, which knows folders, flags and how to run a
program with its output in the log, and installs into ``workshop.destination``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from manypython import process
from manypython.compile.toolchains.base import Profile, Toolchain
from manypython.model.errors import BuildError, ContainerError, OutputError
from manypython.model.tree import NEUTRAL_PREFIX
from manypython.progress import Step
from manypython.recipes.model import Recipe

_FULL = "No space left on device"
_RELEVANT = ("error:", "Error ", "undefined reference", "undefined symbol", "fatal", "not found", "cannot")


@dataclass(frozen=True)
class Workshop:
    """Where and how one recipe is built."""

    recipe: Recipe
    toolchain: Toolchain
    source: Path
    """The unpacked source tree; built in place."""
    dependencies: Path
    """``include/`` and ``lib/`` of everything the recipe needs, merged."""
    destination: Path
    """``DESTDIR``: the prefix ``/install`` appears below it."""
    log: Path
    step: Step
    jobs: int
    epoch: int
    """``SOURCE_DATE_EPOCH``, seconds."""
    profile: Profile
    native: Path | None = None
    """The same recipe and all it needs as this machine can run them, merged; only in a cross build."""

    @property
    def cflags(self) -> tuple[str, ...]:
        """Compiler flags of a library build; build paths are mapped away."""
        return (
            "-O3",
            "-g0",
            *self.toolchain.needed,
            *self.toolchain.cflags,
            f"-ffile-prefix-map={self.source}=.",
            *self.recipe.cflags,
        )

    @property
    def cppflags(self) -> tuple[str, ...]:
        """Where the headers of the dependencies are."""
        include = f"-I{self.dependencies}/include"
        return (include, f"{include}/ncursesw")

    @property
    def ldflags(self) -> tuple[str, ...]:
        """Where the libraries of the dependencies are."""
        return (f"-L{self.dependencies}/lib", *self.toolchain.ldflags)

    def environment(self) -> dict[str, str]:
        """The whole environment of a build: nothing of the user's own leaks in."""
        return {
            "PATH": self.toolchain.path,
            "HOME": str(self.source.parent),
            "LC_ALL": "C",
            "TZ": "UTC",
            "SOURCE_DATE_EPOCH": str(self.epoch),
            "PYTHONHASHSEED": "0",
            # libraries are found by the flags above, never by what the host has installed
            "PKG_CONFIG": "/bin/false",
            "CFLAGS": " ".join(self.cflags),
            "CXXFLAGS": " ".join(self.cflags),
            "CPPFLAGS": " ".join(self.cppflags),
            "LDFLAGS": " ".join(self.ldflags),
            **dict(self.toolchain.drivers),
            **dict(self.toolchain.environment),
        }

    def run(
        self, *argv: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> process.Result:
        """Run one program of the build, in the toolchain's container if it has one.

        Raises:
            BuildError: it failed; the message has the log's last relevant lines.
            OutputError: there was no room.
            ContainerError: the container was ended by somebody else.
        """
        words = tuple(str(word) for word in argv)
        where, settings = cwd or self.source, {**self.environment(), **(env or {})}
        container = self.toolchain.container
        with self.log.open("a", encoding="utf-8") as sink:
            sink.write(f"\n$ {' '.join(words)}\n")
        try:
            if container is None:
                return process.run(words, cwd=where, env=settings, log=self.log, on_line=self.step.line)
            inside = container.enter(words, cwd=where, env=settings)
            return process.run(inside, log=self.log, on_line=self.step.line)
        except process.ProgramError as error:
            raise self._failure(Path(words[0]).name, error.result) from None

    def _failure(self, program: str, result: process.Result) -> BuildError | OutputError | ContainerError:
        title, container = self.recipe.title, self.toolchain.container
        if _FULL in result.output:
            return OutputError(
                f"building {title}: no room left on the disk",
                remedy="free some room or name another folder with --cache-dir",
                log=self.log,
            )
        if container is not None and process.run(container.running(), check=False).returncode != 0:
            return ContainerError(
                f"building {title}: container {container.name} was ended from outside",
                remedy="run the same command again: what was built is kept",
                log=self.log,
            )
        signal = result.returncode - 128 if result.returncode > 128 else -result.returncode  # noqa: PLR2004
        ended = f"was killed by signal {signal}" if signal > 0 else f"exited with {result.returncode}"
        return BuildError(
            f"building {title} failed: {program} {ended}\n{relevant(result.output)}",
            remedy="the log has the whole output; mend the cause and run the same command again: "
            "what was built is kept",
            log=self.log,
        )

    def make(self, *arguments: str, cwd: Path | None = None) -> None:
        """Run make with all the cores this build was given."""
        self.run("make", f"-j{self.jobs}", *arguments, cwd=cwd)


def relevant(output: str, lines: int = 15) -> str:
    """The lines of a build's output that say why it failed, or else its last ones."""
    text = output.splitlines()
    marked = [line for line in text if any(word in line for word in _RELEVANT)]
    chosen = marked[-lines:] if marked else text[-lines:]
    return "\n".join(f"  {line[:240]}" for line in chosen)


def autotools(shop: Workshop) -> None:
    """configure, make, make install; autoreconf first where the archive has no configure."""
    if not (shop.source / "configure").exists():
        shop.run("autoreconf", "--force", "--install")
    shop.run("./configure", f"--prefix={NEUTRAL_PREFIX}", *shop.recipe.arguments)
    shop.make()
    shop.run("make", "install", f"DESTDIR={shop.destination}")


def openssl(shop: Workshop) -> None:
    """OpenSSL's own Configure (perl); only headers and libraries are built and installed.

    The library keeps its compiler's command line as a string (``OpenSSL_version(3)``), so
    that line must not name a folder.
    """
    plain = {
        **{name: Path(driver).name for name, driver in shop.toolchain.drivers},
        "CFLAGS": " ".join(flag for flag in shop.cflags if "prefix-map" not in flag),
        "CPPFLAGS": "",
        "LDFLAGS": " ".join(shop.toolchain.ldflags),
    }
    shop.run(
        "perl",
        "./Configure",
        f"linux-{shop.toolchain.target.architecture}",
        f"--prefix={NEUTRAL_PREFIX}",
        "--libdir=lib",
        *shop.recipe.arguments,
        env=plain,
    )
    shop.run("make", f"-j{shop.jobs}", "build_libs", env=plain)
    shop.run("make", "install_dev", f"DESTDIR={shop.destination}", env=plain)


def zlib(shop: Workshop) -> None:
    """Zlib's hand-written configure takes its compiler and flags from the environment."""
    shop.run("./configure", f"--prefix={NEUTRAL_PREFIX}", *shop.recipe.arguments)
    shop.make()
    shop.run("make", "install", f"DESTDIR={shop.destination}")


def bzip2(shop: Workshop) -> None:
    """bzip2 has a second Makefile for its shared library, and no install rule for it."""
    flags = " ".join(("-D_FILE_OFFSET_BITS=64", *shop.cflags))
    shop.make(
        "-f",
        "Makefile-libbz2_so",
        f"CC={shop.environment()['CC']} {' '.join(shop.toolchain.ldflags)}",
        f"CFLAGS={flags}",
    )
    library = shop.destination / NEUTRAL_PREFIX.strip("/") / "lib"
    include = library.with_name("include")
    library.mkdir(parents=True)
    include.mkdir()
    shutil.copy2(shop.source / "bzlib.h", include)
    name = f"libbz2.so.{shop.recipe.version}"
    shutil.copy2(shop.source / name, library)
    for link in ("libbz2.so.1.0", "libbz2.so"):
        (library / link).symlink_to(name)


def sqlite(shop: Workshop) -> None:
    """Sqlite's autosetup; the full source tree would also build a Tcl binding, the amalgamation not."""
    tcl = ("--disable-tcl",) if (shop.source / "src").is_dir() else ()
    shop.run("./configure", f"--prefix={NEUTRAL_PREFIX}", *tcl, *shop.recipe.arguments)
    shop.make("install-dll", "install-headers", f"DESTDIR={shop.destination}")


def zstd(shop: Workshop) -> None:
    """Zstd's library folder has a plain Makefile of its own."""
    arguments = (f"PREFIX={NEUTRAL_PREFIX}", f"DESTDIR={shop.destination}", *shop.recipe.arguments)
    folder = shop.source / "lib"
    shop.make("lib-mt", *arguments, cwd=folder)
    shop.run("make", "install-shared", "install-includes", *arguments, cwd=folder)


def ncurses(shop: Workshop) -> None:
    """Ncurses twice: the first pass makes the ``tic`` and ``infocmp`` of this very release.

    They compile the terminal descriptions that the second pass builds into the
    library (``--with-fallbacks``). The host's own would do, but then the bytes
    would depend on the host.
    """
    first = shop.source.with_name("ncurses-tools")
    shutil.copytree(shop.source, first, symlinks=True)
    plain = (
        "--without-shared",
        "--without-cxx",
        "--without-ada",
        "--without-tests",
        "--enable-widec",
    )
    native = dict((shop.toolchain.native or shop.toolchain).drivers)
    shop.run("./configure", *plain, "--with-progs", "--without-manpages", cwd=first, env=native)
    shop.make("-C", "include", cwd=first)
    for folder in ("ncurses", "progs"):
        shop.make("-C", folder, cwd=first)
    shop.run(
        "./configure",
        f"--prefix={NEUTRAL_PREFIX}",
        f"--with-build-cc={native['CC']}",
        f"--with-tic-path={first}/progs/tic",
        f"--with-infocmp-path={first}/progs/infocmp",
        *shop.recipe.arguments,
    )
    shop.make("-C", "include")
    for folder in ("ncurses", "panel"):
        makefile = shop.source / folder / "Makefile"
        # zig's linker driver refuses GNU ld's -stats, which only prints numbers
        makefile.write_text(makefile.read_text().replace(",-stats,-lc", ""))
        shop.make("-C", folder)
    for folder in ("include", "ncurses", "panel"):
        shop.run("make", "-C", folder, "install", f"DESTDIR={shop.destination}")
    # libedit's configure knows the library by its old name only
    (shop.destination / NEUTRAL_PREFIX.strip("/") / "lib/libncurses.so").symlink_to("libncursesw.so")


STEPS: dict[str, Callable[[Workshop], None]] = {
    "autotools": autotools,
    "openssl": openssl,
    "zlib": zlib,
    "bzip2": bzip2,
    "sqlite": sqlite,
    "zstd": zstd,
    "ncurses": ncurses,
}

REVISIONS = {
    "every build": 1,
    "cpython": 3,
    "training": 1,
    **dict.fromkeys(STEPS, 1),
}
"""The revision of each step's code, part of a build's key: raise it where a change alters what is built.

``tests/unit/compile/test_revisions.py`` fails when a step's text has changed, and says what to do.
"""
