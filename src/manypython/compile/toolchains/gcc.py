"""GCC: this machine's, or that of a container."""

from __future__ import annotations

import os
import platform
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manypython import process
from manypython.compile import container
from manypython.compile.engine import Container, Engine, Inside
from manypython.compile.images import Image
from manypython.compile.toolchains.base import STANDARD_PATH, VARIABLES, Compiler, Toolchain
from manypython.model.errors import HostToolError
from manypython.model.target import Architecture, LibcFamily, Target
from manypython.progress import Reporter


class _Gcc(Compiler):
    name = "gcc"
    pgo = lto = True
    crosses = promises = False


class HostGcc(_Gcc):
    """GCC of this machine: its output needs this machine's glibc or a newer one."""

    title = "GCC of this machine"
    advice = "the zig toolchain"

    def lowest(self, native: Architecture) -> Target:
        """This machine's glibc."""
        return Target(native, LibcFamily.GLIBC, host_glibc())

    def host_tools(self, programs: Collection[str]) -> frozenset[str]:
        """The compilers as well."""
        return frozenset((*programs, "gcc", "g++"))

    @contextmanager
    def toolchain(
        self, target: Target, *, cache: Path, offline: bool, reporter: Reporter
    ) -> Iterator[Toolchain]:
        """GCC as it is installed."""
        yield host_gcc(target)


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


def host_gcc(target: Target) -> Toolchain:
    """GCC of this machine: its output needs this machine's glibc or a newer one.

    Args:
        target: of this machine.

    Raises:
        HostToolError: it does not run.
    """
    try:
        version = process.run(("gcc", "-dumpfullversion")).output.strip()
    except process.ProgramError as error:
        raise HostToolError(f"gcc cannot be run: {error.result.output.strip()}") from None
    system = platform.freedesktop_os_release()
    place = f"{system.get('ID', 'linux')}-{system.get('VERSION_ID', '')}"
    return _gcc(target, version, place, path=STANDARD_PATH)


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
        cflags=("-fPIC", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2"),
        # a libgcc_s.so.1 would have to be grafted for a handful of functions
        ldflags=("-static-libgcc", "-Wl,-z,relro,-z,now", "-Wl,-s"),
        environment=environment,
        container=container,
        training=".gcda",
    )
