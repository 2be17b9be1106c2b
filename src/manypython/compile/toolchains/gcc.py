"""GCC: this machine's, or that of a container."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from manypython import files, host_tools, process
from manypython.compile import container
from manypython.compile.engine import Container, Engine, Inside
from manypython.compile.images import Image
from manypython.compile.toolchains import sysroot
from manypython.compile.toolchains.base import STANDARD_PATH, VARIABLES, Compiler, Toolchain
from manypython.files import write_bytes
from manypython.model.errors import HostToolError
from manypython.model.target import Architecture, LibcFamily, Target
from manypython.progress import Reporter

_SCRIPT = """\
#!/bin/sh
exec "$(dirname "$0")/driver" --sysroot={root} -static-libgcc "$@"
"""
"""The driver's name must be ``gcc`` alone: configure scripts look at it. A ``libgcc_s.so.1`` it has not."""


_ADDED = """\
/* manypython: what GCC's own libraries want of a C library newer than 2.17 */
#include <stdlib.h>
#define HIDDEN __attribute__((visibility("hidden")))

/* C23's reads binary numbers too (glibc 2.38) */
HIDDEN long __isoc23_strtol(const char *text, char **end, int base)
{
    return strtol(text, end, base);
}

/* "not found": the unwinder then asks dl_iterate_phdr(3), as it did before glibc 2.35 */
HIDDEN int _dl_find_object(void *address, void *result)
{
    (void)address;
    (void)result;
    return -1;
}
"""
_NO_MARKS: dict[Architecture, tuple[str, ...]] = {
    Architecture.X86_64: ("-fcf-protection=none",),
    Architecture.AARCH64: ("-mbranch-protection=none",),
}
"""Ubuntu's GCC marks each place that may be jumped to, for C libraries that look; 2.17 does not."""
COMPILERS = ("gcc", "g++")
_NEEDY = ("libgcov.a", "libgcc_eh.a")


class _Gcc(Compiler):
    name = "gcc"
    pgo = lto = True
    crosses = promises = False


class HostGcc(_Gcc):
    """GCC of this machine, for glibc 2.17: its driver moved away from this machine's C library."""

    title = "GCC of this machine"
    promises = True

    def lowest(self, native: Architecture) -> Target:
        """Glibc 2.17, whose headers and libraries it is given."""
        return Target(native, LibcFamily.GLIBC, LibcFamily.GLIBC.usual_floor)

    def host_tools(self, programs: Collection[str]) -> frozenset[str]:
        """The compilers as well: nothing is C++, but configure scripts insist on one."""
        return frozenset((*programs, *COMPILERS))

    @contextmanager
    def toolchain(
        self, target: Target, *, cache: Path, offline: bool, reporter: Reporter
    ) -> Iterator[Toolchain]:
        """GCC as it is installed; with a C library of 2012 but where this machine's own is the target."""
        if target.floor == host_glibc():
            yield native_gcc(target)
        else:
            yield host_gcc(target, sysroot.create(target.architecture, cache, reporter), cache)


@dataclass(frozen=True)
class ImageGcc(_Gcc):
    """GCC of an image, in a container that sees the cache folder and nothing else."""

    image: Image
    engine: Engine | None = None
    base: str | None = None
    """Another base of the image than the pinned one."""
    advice = "an older image, or the zig toolchain"

    @property
    def title(self) -> str:  # type: ignore[override]
        """The image's name."""
        return self.image.name

    def lowest(self, native: Architecture) -> Target:
        """What the image promises."""
        return self.image.target(native)

    def host_tools(self, programs: Collection[str]) -> frozenset[str]:
        """None: the image has them."""
        return frozenset()

    @contextmanager
    def toolchain(
        self, target: Target, *, cache: Path, offline: bool, reporter: Reporter
    ) -> Iterator[Toolchain]:
        """A container, for as long as the block runs."""
        with container.running_container(
            self.image, target.architecture, cache=cache, engine=self.engine, base=self.base,
            offline=offline, reporter=reporter,
        ) as (box, inside):  # fmt: skip
            yield container_gcc(target, self.image.name, box, inside)


def host_glibc() -> tuple[int, int]:
    """This machine's glibc; (0, 0) where there is none, and nothing can be proved."""
    try:
        name = os.confstr("CS_GNU_LIBC_VERSION") or ""
        major, minor = name.rpartition(" ")[2].split(".")[:2]
        return int(major), int(minor)
    except (ValueError, OSError):
        return (0, 0)


def host_gcc(target: Target, root: Path, cache: Path) -> Toolchain:
    """GCC of this machine, compiling and linking against another C library than this machine's.

    ``--sysroot`` alone does not do it: the driver also looks around the place it was started
    from, where this machine's ``crt1.o`` and ``libc.so`` are, and finds them first. So it is started from a
    folder where nothing else is, with links to its own files (gcc(1), ``-no-canonical-prefixes``).

    Args:
        target: of this machine.
        root: a sysroot.
        cache: where the folder is kept.

    Raises:
        HostToolError: GCC does not run, or takes something from elsewhere all the same.
    """
    program = shutil.which("gcc", path=STANDARD_PATH)
    if program is None:
        raise HostToolError("gcc is not installed", remedy=host_tools.advice("gcc"))
    real = Path(program).resolve()
    version, machine, series = (
        _asked(program, f"-dump{fact}") for fact in ("fullversion", "machine", "version")
    )
    own = Path("gcc", machine, series)
    places = {
        Path("lib", own): Path(_asked(program, "-print-file-name=crtbegin.o")).resolve().parent,
        Path("libexec", own): Path(_asked(program, "-print-prog-name=cc1")).resolve().parent,
    }
    script = _SCRIPT.format(root=shlex.quote(str(root)))
    facts = (str(real), real.stat().st_mtime_ns, script, _ADDED, places)
    digest = hashlib.sha256(repr(facts).encode()).hexdigest()
    folder = cache / "toolchains" / f"gcc-{version}-{target.architecture}-{digest[:12]}"
    files.cache_once(folder, lambda scratch: _move(real, places, scratch, script))
    crt = Path(_asked(str(folder / "bin/gcc"), "-print-file-name=crt1.o"))
    if not crt.resolve().is_relative_to(root.resolve()):
        raise HostToolError(
            f"{program}: takes {crt} though it was given {root}",
            remedy="take the zig toolchain, or an image (--in)",
        )
    return replace(
        _gcc(target, version, f"{_system()} {sysroot.version()}", path=f"{folder / 'bin'}:{STANDARD_PATH}"),
        folders=(str(folder), str(root)),
    )


def native_gcc(target: Target) -> Toolchain:
    """GCC of this machine with the C library of this machine.

    Raises:
        HostToolError: it does not run.
    """
    return _gcc(target, _asked("gcc", "-dumpfullversion"), _system(), path=STANDARD_PATH)


def _system() -> str:
    """This machine's distribution: ``debian-13``."""
    system = platform.freedesktop_os_release()
    return f"{system.get('ID', 'linux')}-{system.get('VERSION_ID', '')}"


def _move(driver: Path, places: dict[Path, Path], folder: Path, script: str) -> None:
    """Lay out a folder that a copy of the driver takes for its place of installation."""
    (folder / "bin").mkdir(parents=True)
    shutil.copy2(driver, folder / "bin/driver")
    write_bytes(folder / "bin/gcc", script.encode(), 0o755)
    for place, origin in places.items():
        (folder / place).mkdir(parents=True, exist_ok=True)
        for path in origin.iterdir():
            # its shared libraries need this machine's C library
            if ".so" not in path.name or "plugin" in path.name:
                link = folder / place / path.name
                link.unlink(missing_ok=True)
                if path.name in _NEEDY:
                    shutil.copyfile(path, link)
                else:
                    link.symlink_to(path)
    source, added = folder / "added.c", folder / "added.o"
    source.write_text(_ADDED, encoding="utf-8")
    try:
        process.run((folder / "bin/gcc", "-O2", "-fPIC", "-c", source, "-o", added))
        for library in (path for name in _NEEDY for path in folder.rglob(name)):
            process.run(("ar", "rs", library, added))
    except process.ProgramError as error:
        raise HostToolError(f"{driver} does not compile:\n{error.result.output.strip()}") from None


def _asked(program: str, option: str) -> str:
    """What GCC says of itself.

    Raises:
        HostToolError: it does not run.
    """
    try:
        return process.run((program, option)).output.strip()
    except process.ProgramError as error:
        raise HostToolError(f"{program} cannot be run: {error.result.output.strip()}") from None


def container_gcc(target: Target, name: str, container: Container, inside: Inside) -> Toolchain:
    """GCC of a container.

    Args:
        target: what the image promises.
        name: the image's, ``manylinux_2_31``.
        container: where it runs.
        inside: what is in it.
    """
    loader = (("LD_LIBRARY_PATH", inside.loader_path),) if inside.loader_path else ()
    return _gcc(
        target, inside.compiler, f"{name} {inside.packages}",
        path=inside.path, environment=loader, container=container,
    )  # fmt: skip


def _gcc(  # noqa: PLR0913
    target: Target,
    version: str,
    place: str,
    *,
    path: str,
    environment: tuple[tuple[str, str], ...] = (),
    container: Container | None = None,
) -> Toolchain:
    return Toolchain(
        "gcc",
        version,
        place,
        target,
        tuple(zip(VARIABLES, ("gcc", "g++", "ar", "ranlib"), strict=True)),
        path,
        needed=(),
        cflags=(
            "-fPIC",
            "-fno-plt",
            *_NO_MARKS[target.architecture],
            "-fstack-protector-strong",
            "-D_FORTIFY_SOURCE=2",
        ),
        # a libgcc_s.so.1 would have to be grafted for a handful of functions
        ldflags=("-static-libgcc", "-Wl,-z,relro,-z,now", "-Wl,-s"),
        # some distributions' GCC makes programs that are moved in memory, others' does not: here none is
        program=("-no-pie",),
        # gcc(1) advises it for a loop of computed gotos; measured: 1 % on the whole, 8 % on arithmetic
        loop=("-fno-gcse",),
        environment=environment,
        container=container,
    )
