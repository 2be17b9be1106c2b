"""How a CPython is built: with which compiler, and with how much work."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field

from manypython import host_tools
from manypython.compile.toolchains.base import QUICK, RELEASE, Compiler, Profile
from manypython.compile.toolchains.gcc import COMPILERS, HostGcc, host_glibc
from manypython.compile.toolchains.zig import Zig
from manypython.model.errors import UsageError
from manypython.model.target import DEFAULT_TARGET, LibcFamily, Target, native_architecture


@dataclass(frozen=True)
class Method:
    """How a CPython is built."""

    compiler: Compiler = field(default_factory=Zig)
    profile: Profile = QUICK


def usual(target: Target | None, profile: Profile | None, *, install: bool) -> Method:
    """How a CPython is built where no compiler was named: trained where that can be done.

    Args:
        target: what it must run on; None: the lowest there is.
        profile: the one asked for; None: the best.
        install: whether a compiler that is missing may be installed.
    """
    native = target is None or target.architecture is native_architecture()
    if profile == QUICK or (profile is None and not (native and _has_gcc(install=install))):
        return Method()
    return Method(HostGcc(), profile or RELEASE)


def _has_gcc(*, install: bool) -> bool:
    """Whether there is a GCC on this machine, or soon will be."""
    return not host_tools.missing(COMPILERS) or (install and host_tools.installable(*COMPILERS))


def buildable(target: Target | None, method: Method, policies: Collection[str]) -> Target:
    """The target of a build. What cannot be built here is refused before any library is built.

    Args:
        target: the one asked for; None: the lowest that this method can reach.
        method: how it is built.
        policies: the platform tags that an audit knows.

    Raises:
        UsageError: the method contradicts itself or the target, or this machine cannot do it.
    """
    native, compiler = native_architecture(), method.compiler
    if native is None:
        raise UsageError(f"{os.uname().machine} is no machine that manypython builds on")
    here = Target(native, LibcFamily.GLIBC, host_glibc())
    lowest = compiler.lowest(native)
    if (method.profile.pgo and not compiler.pgo) or (method.profile.lto and not compiler.lto):
        raise UsageError(
            f"{compiler.title} has no profile runtime, so it cannot make a {method.profile.name} build",
            remedy="leave out --toolchain zig (this machine's GCC trains), or add --in manylinux_2_28",
        )
    if lowest.libc is not LibcFamily.GLIBC or lowest.floor > here.floor:
        raise UsageError(
            f"what {compiler.title} makes cannot be proved on this machine, which has glibc {_dotted(here)}",
            remedy="take an image with an older glibc, or a newer machine",
        )
    goal = target or lowest
    if goal.level > 1 or goal.linkage:
        raise UsageError(
            f"{goal} cannot be made yet", remedy="give a target without a level or linkage of its own"
        )
    possible = (goal.runs_here or compiler.crosses) and (
        goal.platform_tag in policies or not compiler.promises
    )
    if goal.libc is not lowest.libc or not possible:
        raise UsageError(
            f"{goal} cannot be built on this machine",
            remedy="give a manylinux policy from 2_17 on, for this machine's own architecture "
            f"unless zig builds it, e.g. {DEFAULT_TARGET}",
        )
    if goal.floor < lowest.floor:
        raise UsageError(
            f"{compiler.title} builds for glibc {_dotted(lowest)} or newer, {goal} wants an older one",
            remedy=", ".join(filter(None, (f"take the target {lowest}", compiler.advice))),
        )
    return goal if compiler.promises else lowest


def _dotted(target: Target) -> str:
    return ".".join(str(part) for part in target.floor)
