"""The identity of a build: what tells it apart from every other one, in one grammar (``grammar``)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from packaging.version import Version

from manypython.model.errors import UsageError
from manypython.model.grammar import BUILD, DEBUG, PROFILES, THREADING, TOOLCHAINS
from manypython.model.identifier import BuildNumber
from manypython.model.target import Architecture, LibcFamily, Linkage, Target


@dataclass(frozen=True)
class Variant:
    """How a build differs from the plain one of its version and target.

    A plain one has a GIL, no debug checks, and was built by the embedded compiler without training, or by
    somebody else.
    """

    threading: str = ""
    """``freethreaded`` (PEP 703), or empty."""
    debug: str = ""
    """``debug`` (``--with-pydebug``), or empty."""
    toolchain: str = ""
    """``gcc``, ``clang``, or empty."""
    profile: str = ""
    """``release``, trained and optimised across files, or empty."""

    @classmethod
    def of(cls, words: Collection[str], toolchain: str) -> Variant:
        """From what is known of a build.

        Args:
            words: ``freethreaded`` and ``debug``, where they hold; others do not count.
            toolchain: as archives tell it: ``gcc 10.2.1, manylinux_2_31, release``.
        """
        parts = toolchain.replace(",", " ").split() or [""]
        return cls(
            THREADING if THREADING in words else "",
            DEBUG if DEBUG in words else "",
            parts[0] if parts[0] in TOOLCHAINS else "",
            parts[-1] if parts[-1] in PROFILES else "",
        )

    @property
    def words(self) -> tuple[str, ...]:
        """The words of it in a name."""
        return tuple(filter(None, (self.threading, self.debug, self.toolchain, self.profile)))

    @property
    def interpreter(self) -> str:
        """What of it a request can ask for: ``freethreaded``, ``debug`` or empty."""
        return self.threading or self.debug


@dataclass(frozen=True)
class BuildId:
    """One build of one Python; ``str()`` is its key in an index, and the folder it is installed in."""

    implementation: str
    """``cpython`` or ``pypy``."""
    version: Version
    number: BuildNumber
    target: Target
    variant: Variant = field(default=Variant())

    @classmethod
    def parse(cls, text: str) -> BuildId:
        """Read a build's name; ``str()`` prints it back exactly.

        Raises:
            UsageError: the text is no build name.
        """
        match = re.fullmatch(BUILD, text, re.ASCII)
        if match is None or match["architecture"] not in [
            architecture.value for architecture in Architecture
        ]:
            raise UsageError(f"{text!r} is no build name")
        libc = LibcFamily.GLIBC if match["abi"] == "gnu" else LibcFamily.MUSL
        floor = tuple(map(int, match["floor"].split("_"))) if match["floor"] else libc.usual_floor
        build = cls(
            match["implementation"],
            Version(match["version"]),
            BuildNumber(int(match["number"])),
            Target(
                Architecture(match["architecture"]),
                libc,
                (floor[0], floor[1]),
                int(match["level"] or 1),
                Linkage(match["linkage"] or ""),
            ),
            Variant(*(match[name] or "" for name in ("threading", "debug", "toolchain", "profile"))),
        )
        if str(build) != text:
            raise UsageError(f"{text!r} is not written as {build}")
        return build

    def __str__(self) -> str:
        target = self.target
        marks = "".join(
            f"-{word}" for word in (target.mark, target.linkage.value, *self.variant.words) if word
        )
        return (
            f"{self.implementation}-{self.version}+{self.number}-"
            f"{target.machine}-unknown-linux-{target.libc.abi}{marks}"
        )

    @property
    def python_tag(self) -> str:
        """``cp313``, ``cp313t``, ``pp39`` (PEP 425, PEP 703)."""
        word = "cp" if self.implementation == "cpython" else "pp"
        return f"{word}{self.version.major}{self.version.minor}{'t' if self.variant.threading else ''}"

    @property
    def uv_key(self) -> str:
        """What uv calls it: ``cpython-3.13.5+freethreaded-linux-x86_64_v3-gnu``."""
        variant = f"+{self.variant.interpreter}" if self.variant.interpreter else ""
        return f"cpython-{self.version}{variant}-linux-{self.target.machine}-{self.target.libc.abi}"

    @property
    def pybi(self) -> str:
        """Its PyBI file (PEP 711), which has one word for what tells builds apart: the build tag."""
        built_by = filter(None, (self.variant.toolchain, self.variant.profile))
        tag = ".".join((f"{self.number}{'t' if self.variant.threading else ''}", *built_by))
        return f"{self.implementation}-{self.version}-{tag}-{self.target.platform_tag}.pybi"


_ARTIFACT = re.compile(r"(?P<build>.+)-(?P<content>install_only|tests)(?P<suffix>\.tar\.gz|\.tar\.zst|\.zip)")


@dataclass(frozen=True)
class ArtifactName:
    """``cpython-3.13.15+20261121-x86_64-unknown-linux-gnu-install_only.tar.gz``: a build in a wrapping."""

    build: BuildId
    suffix: str = ""
    content: str = "install_only"
    """``tests``: the standard library's tests, to be laid over the other."""

    def with_suffix(self, suffix: str) -> ArtifactName:
        """The name of the same in another wrapping (``.zip``)."""
        return replace(self, suffix=suffix)

    @classmethod
    def parse(cls, text: str) -> ArtifactName:
        """Read an archive's name; ``str()`` prints it back exactly.

        Raises:
            UsageError: the text is not an archive name of ours.
        """
        match = _ARTIFACT.fullmatch(text)
        if match is None:
            raise UsageError(f"{text!r} is no archive name")
        return cls(BuildId.parse(match["build"]), match["suffix"], match["content"])

    def __str__(self) -> str:
        return f"{self.build}-{self.content}{self.suffix}"
