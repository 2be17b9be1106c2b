"""The recipe: ten lines of facts, read from TOML into frozen dataclasses.

Every wrong key or value is refused with a dotted path, ``openssl.toml: source.sha256: ...``.
"""

from __future__ import annotations

from dataclasses import dataclass

from packaging.version import Version


@dataclass(frozen=True)
class DebianSource:
    """Where Debian keeps the same release, byte for byte or repacked."""

    package: str
    version: str
    """The source package's full version, ``3.5.7-1~deb13u2``."""
    file: str
    suite: str
    sha256: str
    """Equal to the upstream archive's unless Debian repacked it (``+dfsg``)."""
    size: int


@dataclass(frozen=True)
class Source:
    """One release archive and where it can be had."""

    url: str
    """Upstream's address; its last part is the file name. Empty: Debian only."""
    sha256: str
    size: int
    debian: DebianSource | None = None


@dataclass(frozen=True)
class Recipe:
    """What is built from one source archive."""

    name: str
    version: Version
    source: Source
    licenses: tuple[str, ...]
    """SPDX identifiers."""
    license_files: tuple[str, ...]
    """Paths in the source archive, below its top folder."""
    build: str
    """The build system, a key of ``manypython.build.steps``."""
    needs: tuple[str, ...] = ()
    """Names of recipes whose headers and libraries this one uses."""
    arguments: tuple[str, ...] = ()
    """Arguments of configure (or make)."""
    cflags: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    """Sonames of the shared libraries it installs, e.g. ``libssl.so.3``."""
    host_tools: tuple[str, ...] = ()
    """Programs of the host it cannot be built without, e.g. ``perl``."""
    pythons: str = ""
    """PEP 440 specifier of the CPython versions that use it; empty: all."""
