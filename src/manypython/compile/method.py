"""How a CPython is built: the embedded compiler, this machine's GCC, or an image's."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manypython.compile import container
from manypython.compile import toolchains as toolchain
from manypython.compile.images import images
from manypython.compile.steps import Profile
from manypython.compile.toolchains import Toolchain
from manypython.model.errors import UsageError
from manypython.model.target import DEFAULT_TARGET, LibcFamily, Target, native_architecture
from manypython.progress import Reporter


@dataclass(frozen=True)
class Method:
    """How a CPython is built: with which compiler, where, and with how much work."""

    toolchain: str = "zig"
    """``zig`` or ``gcc``; in an image it is the image's GCC."""
    profile: Profile = Profile.QUICK
    image: str = ""
    """Name of the image to build in; empty: on this machine."""
    engine: container.Engine | None = None
    base: str | None = None
    """Another base of the image than the pinned one."""


def buildable(target: Target | None, method: Method, policies: Collection[str]) -> Target:
    """What a build is for. What cannot be built here is refused before its libraries are.

    Args:
        target: the one asked for; None: the lowest this method can reach.
        method: how it is built.
        policies: the platform tags that an audit knows.

    Raises:
        UsageError: the method contradicts itself or the target, or this machine cannot do it.
    """
    native = native_architecture()
    if native is None:
        raise UsageError(f"{os.uname().machine} is no machine that manypython builds on")
    here = Target(native, LibcFamily.GLIBC, _host_glibc())
    if method.image:
        lowest = images()[method.image].target(native)
    else:
        lowest = here if method.toolchain == "gcc" else DEFAULT_TARGET
    if method.profile is Profile.RELEASE and method.toolchain == "zig":
        raise UsageError(
            "zig has no profile runtime, so it cannot make a release build",
            remedy="add --in manylinux_2_28 (or another image), or --toolchain gcc",
        )
    if lowest.libc is not LibcFamily.GLIBC or lowest.floor > here.floor:
        raise UsageError(
            f"what {method.image} makes cannot be proved on this machine, which has glibc {_dotted(here)}",
            remedy="take an image with an older glibc, or a newer machine",
        )
    wanted = target or lowest
    possible = wanted.platform_tag in policies if method.toolchain == "zig" else wanted.runs_here
    if wanted.libc is not lowest.libc or not possible:
        raise UsageError(
            f"{wanted} cannot be built on this machine",
            remedy="give a manylinux policy from 2_17 on, for this machine's own architecture "
            f"unless zig builds it, e.g. {DEFAULT_TARGET}",
        )
    if wanted.floor < lowest.floor:
        means = method.image or ("GCC of this machine" if method.toolchain == "gcc" else "zig")
        raise UsageError(
            f"{means} builds for glibc {_dotted(lowest)} or newer, {wanted} wants an older one",
            remedy=f"take the target {lowest}"
            + ("" if method.toolchain == "zig" else ", an older image, or the zig toolchain"),
        )
    return wanted if method.toolchain == "zig" else lowest


def _host_glibc() -> tuple[int, int]:
    try:
        name = os.confstr("CS_GNU_LIBC_VERSION") or ""
        major, minor = name.rpartition(" ")[2].split(".")[:2]
        return int(major), int(minor)
    except (ValueError, OSError):
        return (0, 0)  # no glibc: nothing can be proved here


def _dotted(target: Target) -> str:
    return ".".join(str(part) for part in target.floor)


@contextmanager
def opened(
    method: Method, target: Target, *, cache: Path, offline: bool, reporter: Reporter
) -> Iterator[Toolchain]:
    """The compiler, for as long as the block runs: a container ends with it.

    Args:
        method: which compiler.
        target: what ``buildable`` said of it.
        cache: where sources and builds are; a container sees this folder only.
        offline: leave the network alone.
        reporter: told what happens.

    Raises:
        HostToolError: the compiler is not here.
        ContainerError: no container can be had.
        BuildError: the image cannot be built.
    """
    if method.image:
        image = images()[method.image]
        with container.started(
            image, target.architecture, cache=cache, engine=method.engine, base=method.base,
            offline=offline, reporter=reporter,
        ) as (box, inside):  # fmt: skip
            yield toolchain.container_gcc(target, image.name, box, inside)
    elif method.toolchain == "gcc":
        yield toolchain.host_gcc(target)
    else:
        yield toolchain.zig(target, cache)
