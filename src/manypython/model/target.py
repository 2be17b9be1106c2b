"""What a build runs on: architecture, libc family and floor (PEP 600, PEP 656)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum

from manypython.model.errors import UsageError


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


_TARGET = re.compile(r"(?P<arch>[a-z0-9_]+?)-(?P<libc>manylinux|musllinux)_(?P<major>\d+)_(?P<minor>\d+)")


_USUAL = {LibcFamily.GLIBC: (2, 17), LibcFamily.MUSL: (1, 2)}
"""The floors that most builds have."""


@dataclass(frozen=True)
class Target:
    """Architecture, libc family and the lowest version of that libc (the floor).

    Floors of two families cannot be compared: musl's 1.2 is not older than glibc's 2.17.
    """

    architecture: Architecture
    libc: LibcFamily
    floor: tuple[int, int]

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
        )

    @classmethod
    def of_tag(cls, tag: str) -> Target:
        """Read a platform tag, ``manylinux_2_17_x86_64``.

        Raises:
            UsageError: it is none of PEP 600 or PEP 656, ``linux_x86_64`` for example.
        """
        family, _, rest = tag.partition("_")
        floor, architecture = "_".join(rest.split("_")[:2]), "_".join(rest.split("_")[2:])
        return cls.parse(f"{architecture}-{family}_{floor}")

    def __str__(self) -> str:
        return f"{self.architecture}-{self.policy}"

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
        """The policy as an archive's name has it: said where it wants a newer C library than most."""
        return self.policy if self.floor > _USUAL[self.libc] else ""

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
    """This machine's; None where it is none that we know."""
    machine = os.uname().machine
    return Architecture(machine) if machine in [known.value for known in Architecture] else None


DEFAULT_TARGET = Target(
    native_architecture() or Architecture.X86_64, LibcFamily.GLIBC, _USUAL[LibcFamily.GLIBC]
)
