"""What a build runs on: architecture, libc family and floor (PEP 600, PEP 656)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum

from manypython.model.errors import UsageError
from manypython.model.grammar import LINKAGES


class Architecture(StrEnum):
    """A machine, by the name PEP 425 platform tags use."""

    X86_64 = "x86_64"
    AARCH64 = "aarch64"


class LibcFamily(StrEnum):
    """The C library's family; the value is the platform tag's first word."""

    GLIBC = "manylinux"
    MUSL = "musllinux"

    @property
    def abi(self) -> str:
        """The last part of a GNU triple: ``gnu`` or ``musl``."""
        return "gnu" if self is LibcFamily.GLIBC else "musl"

    @property
    def usual_floor(self) -> tuple[int, int]:
        """The floor that most builds have, which their names leave out."""
        return (2, 17) if self is LibcFamily.GLIBC else (1, 2)


class Linkage(StrEnum):
    """Whose C library a build runs on."""

    SYSTEM = ""
    OWN_LOADER = "ownloader"
    """Its own, loaded by its own dynamic linker."""
    STATIC = "static"


_TARGET = re.compile(
    r"(?P<arch>[a-z0-9_]+?)(?:_v(?P<level>[2-4]))?-(?P<libc>manylinux|musllinux)_(?P<major>\d+)_(?P<minor>\d+)"
    rf"(?:-(?P<linkage>{'|'.join(LINKAGES)}))?"
)


@dataclass(frozen=True)
class Target:
    """What a build runs on: processor, libc family and the lowest version of that libc (the floor).

    Floors of two families cannot be compared: musl's 1.2 is not older than glibc's 2.17.
    """

    architecture: Architecture
    libc: LibcFamily
    floor: tuple[int, int]
    level: int = 1
    """The micro-architecture level: 3 for ``x86_64_v3`` (the x86-64 psABI)."""
    linkage: Linkage = Linkage.SYSTEM

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ``x86_64-manylinux_2_17``; ``str()`` prints it back exactly.

        Raises:
            UsageError: the text names no target.
        """
        match = _TARGET.fullmatch(text)
        architectures = [a.value for a in Architecture]
        if match is None or match["arch"] not in architectures:
            raise UsageError(
                f"unknown target {text!r}",
                remedy=(
                    "a target reads ARCH-manylinux_X_Y or ARCH-musllinux_X_Y, "
                    f"with ARCH one of {', '.join(architectures)}; e.g. x86_64-manylinux_2_17"
                ),
            )
        return cls(
            Architecture(match["arch"]),
            LibcFamily(match["libc"]),
            (int(match["major"]), int(match["minor"])),
            int(match["level"] or 1),
            Linkage(match["linkage"] or ""),
        )

    @classmethod
    def of_tag(cls, tag: str) -> Target:
        """Read a platform tag, ``manylinux_2_17_x86_64``.

        Raises:
            UsageError: it is not one of PEP 600 or PEP 656, ``linux_x86_64`` for example.
        """
        family, _, rest = tag.partition("_")
        floor, architecture = "_".join(rest.split("_")[:2]), "_".join(rest.split("_")[2:])
        return cls.parse(f"{architecture}-{family}_{floor}")

    def __str__(self) -> str:
        return "-".join(filter(None, (self.machine, self.policy, self.linkage)))

    @property
    def machine(self) -> str:
        """Architecture and level, ``x86_64_v3``."""
        return f"{self.architecture}_v{self.level}" if self.level > 1 else str(self.architecture)

    @property
    def runs_here(self) -> bool:
        """Whether this machine runs it without an emulator."""
        return self.architecture == os.uname().machine

    @property
    def policy(self) -> str:
        """Libc family and floor, ``manylinux_2_17``."""
        return f"{self.libc}_{self.floor[0]}_{self.floor[1]}"

    @property
    def mark(self) -> str:
        """The policy in an archive's name: given only where it differs from that of most builds."""
        return self.policy if self.floor != self.libc.usual_floor else ""

    @property
    def platform_tag(self) -> str:
        """The wheel platform tag, ``manylinux_2_17_x86_64``."""
        return f"{self.policy}_{self.architecture}"

    @property
    def triple(self) -> str:
        """The triple archive names use, ``x86_64-unknown-linux-gnu``."""
        return f"{self.architecture}-unknown-linux-{self.libc.abi}"

    @property
    def multiarch(self) -> str:
        """CPython's and Debian's multiarch name, ``x86_64-linux-gnu``."""
        return f"{self.architecture}-linux-{self.libc.abi}"


def native_architecture() -> Architecture | None:
    """This machine's; None where we do not know it."""
    machine = os.uname().machine
    return Architecture(machine) if machine in [architecture.value for architecture in Architecture] else None


DEFAULT_TARGET = Target(
    native_architecture() or Architecture.X86_64, LibcFamily.GLIBC, LibcFamily.GLIBC.usual_floor
)
