"""What every compiler says about itself, and the toolchain that a build step is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from manypython.compile.engine import Container
from manypython.model.target import Architecture, Target
from manypython.progress import Reporter

STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
VARIABLES = ("CC", "CXX", "AR", "RANLIB")


@dataclass(frozen=True)
class Profile:
    """How much work the compiler puts into the interpreter; libraries are built in one way."""

    name: str
    pgo: bool
    """Trained: built twice, with a run of CPython's tests between (profile-guided optimisation)."""
    lto: bool
    """Optimised across files (link-time optimisation)."""


QUICK = Profile("quick", pgo=False, lto=False)
RELEASE = Profile("release", pgo=True, lto=True)
PROFILES = {profile.name: profile for profile in (QUICK, RELEASE)}


@dataclass(frozen=True)
class Toolchain:
    """A C and C++ compiler for one target, and the flags it cannot do without."""

    name: str
    """``zig``, ``gcc``."""
    version: str
    place: str
    """What else decides its bytes: where it runs and what is installed there; no path."""
    target: Target
    drivers: tuple[tuple[str, str], ...]
    """``CC``, ``CXX``, ``AR``, ``RANLIB``: single words, because configure looks at their basename."""
    path: str
    """``PATH`` of a build; each driver's basename is found there too."""
    needed: tuple[str, ...]
    """Flags that even the test programs of configure scripts need."""
    cflags: tuple[str, ...]
    ldflags: tuple[str, ...]
    program: tuple[str, ...] = ()
    """Flags that link a program, and no library."""
    loop: tuple[str, ...] = ()
    """Flags for the one file with the interpreter's loop."""
    environment: tuple[tuple[str, str], ...] = ()
    container: Container | None = None
    """Where its programs run; None: on this machine."""
    headers: str = ""
    """Digest of the source text that it adds to what it compiles."""
    folders: tuple[str, ...] = ()
    """Its own folders, which its output may name. No part of its identity."""
    native: Toolchain | None = None
    """The compiler for this machine, where the output of this one does not run here."""

    @property
    def identity(self) -> str:
        """The compiler in a build's digest; no path of this machine is in it."""
        return (
            f"{self.name} {self.version} {self.place} {self.target} "
            f"{self.needed} {self.cflags} {self.ldflags}{self.program or ''}{self.loop or ''}{self.headers}"
        )

    @property
    def title(self) -> str:
        """Its name in an archive's facts: ``gcc 10.2.1, manylinux_2_31``."""
        place = self.place.partition(" ")[0]
        return f"{self.name} {self.version}{', ' + place if place else ''}"


class Compiler(ABC):
    """A toolchain before it is opened: what it can do, and for which targets."""

    name: str
    """As ``--toolchain`` has it."""
    title: str
    """In messages."""
    pgo: bool
    """Whether it has a profile runtime."""
    lto: bool
    crosses: bool
    """Whether it builds for other machines than this one."""
    promises: bool
    """Whether what it builds meets the target that it is opened for; if not, an audit finds what it meets."""
    advice: str = ""
    """How to reach an older C library than its lowest."""

    @abstractmethod
    def lowest(self, native: Architecture) -> Target:
        """The lowest target it reaches on this machine."""

    def host_tools(self, programs: Collection[str]) -> frozenset[str]:
        """The programs of this machine that a build needs.

        Args:
            programs: those that recipes name.
        """
        return frozenset(programs)

    @abstractmethod
    def toolchain(
        self, target: Target, *, cache: Path, offline: bool, reporter: Reporter
    ) -> AbstractContextManager[Toolchain]:
        """The compiler, for as long as the block runs: a container ends with it.

        Args:
            target: what ``method.buildable`` returned.
            cache: where sources and builds are; a container sees this folder only.
            offline: leave the network alone.
            reporter: shows what happens.

        Raises:
            HostToolError: the compiler is not here.
            ContainerError: no container can be started.
            BuildError: the image cannot be built.
        """
