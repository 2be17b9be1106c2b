"""Names that parse and print back exactly: versions, build identifiers, archives."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from manypython.model.errors import UsageError
from manypython.model.target import Architecture, LibcFamily, Target

_SPEC = re.compile(
    r"(?:cp(?P<major>3)(?P<minor>\d{0,2})|(?P<version>3(?:\.\d{1,2}(?:\.\d{1,2}(?:(?:a|b|rc)\d{1,2})?)?)?))(?P<threaded>t?)"
)


@dataclass(frozen=True)
class Spec:
    """What a user asks for: ``3.13`` (the newest), ``3.13.5``, ``cp313``, ``3.13t``, ``>=3.12,<3.14``."""

    text: str
    specifiers: SpecifierSet
    variant: str = ""
    """``freethreaded`` for ``3.13t``."""

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read a version request.

        Raises:
            UsageError: the text is no version request.
        """
        if match := _SPEC.fullmatch(text):
            short = match["version"] or f"3.{match['minor']}".rstrip(".")
            exact = short.count(".") == 2  # noqa: PLR2004
            variant = "freethreaded" if match["threaded"] else ""
            return cls(text, SpecifierSet(f"=={short}" if exact else f"=={short}.*"), variant)
        try:
            if text.startswith(("<", ">", "=", "!", "~")):
                return cls(text, SpecifierSet(text))
        except InvalidSpecifier:
            pass
        raise UsageError(
            f"{text!r} is no Python version",
            remedy="give a version as 3.13, 3.13.5, cp313, 3.13t or '>=3.12,<3.14'",
        )

    def matches(self, version: Version) -> bool:
        """Whether a release answers this request, be it final or not."""
        return self.specifiers.contains(version, prereleases=True)

    def among(self, versions: Iterable[Version]) -> list[Version]:
        """The releases that answer this request, newest first: final ones unless there are none.

        A pre-release that is named, ``3.15.0rc1``, is no second choice (PEP 440).
        """
        found = sorted(filter(self.matches, set(versions)), reverse=True)
        return [version for version in found if not version.is_prerelease] or found

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class BuildIdentifier:
    """``cp313-manylinux_2_17_x86_64``, as cibuildwheel names builds."""

    python_tag: str
    target: Target

    def __str__(self) -> str:
        return f"{self.python_tag}-{self.target.platform_tag}"


@dataclass(frozen=True)
class BuildNumber:
    """The day of the recipe set, ``20261121``: it dates every file of an archive.

    Compared as a number by uv, so it only grows. It is data of the recipes and
    not the day of the run: same inputs, same bytes.
    """

    value: int

    def __post_init__(self) -> None:
        try:
            self._day()
        except ValueError:
            raise UsageError(
                f"build number {self.value} is no date",
                remedy="give it as YYYYMMDD, e.g. 20261121",
            ) from None

    def _day(self) -> datetime:
        return datetime.strptime(str(self.value), "%Y%m%d").replace(tzinfo=UTC)

    @property
    def epoch(self) -> int:
        """Midnight UTC of that day in seconds, the ``SOURCE_DATE_EPOCH`` of the build."""
        return int(self._day().timestamp())

    def __str__(self) -> str:
        return str(self.value)


_ARTIFACT = re.compile(
    r"(?P<implementation>cpython|pypy)-(?P<version>[0-9a-z.]+)\+(?P<build>\d{8})-"
    r"(?P<arch>[a-z0-9_]+?)(?:_v(?P<level>[2-4]))?-unknown-linux-"
    r"(?P<abi>gnu|musl)(?:-(?P<policy>manylinux_\d+_\d+))?(?:-(?P<variant>freethreaded|debug))?"
    r"-(?P<content>install_only|tests)(?P<suffix>\.tar\.gz|\.tar\.zst|\.zip)"
)


@dataclass(frozen=True)
class ArtifactName:
    """``cpython-3.13.15+20261121-x86_64-unknown-linux-gnu-install_only.tar.gz``.

    An archive that wants a newer libc than most has the policy it meets in its name:
    ``cpython-3.13.5+20261121-x86_64-unknown-linux-gnu-manylinux_2_31-install_only.zip``.
    """

    version: Version
    build: BuildNumber
    architecture: Architecture
    libc: LibcFamily
    suffix: str
    variant: str = ""
    policy: str = ""
    """``manylinux_2_31``; empty for the usual floor."""
    implementation: str = "cpython"
    content: str = "install_only"
    """``tests``: the standard library's tests, to be laid over the other."""
    level: int = 1
    """The micro-architecture level: 3 for ``x86_64_v3``."""

    @property
    def bare(self) -> ArtifactName:
        """The name without the wrapping's suffix."""
        return self.with_suffix("")

    def with_suffix(self, suffix: str) -> ArtifactName:
        """The name of the same in another wrapping (``.zip``)."""
        return replace(self, suffix=suffix)

    @classmethod
    def parse(cls, text: str) -> ArtifactName:
        """Read an archive's name; ``str()`` prints it back exactly.

        Raises:
            UsageError: the text is no archive name of ours.
        """
        match = _ARTIFACT.fullmatch(text)
        if match is None or match["arch"] not in [a.value for a in Architecture]:
            raise UsageError(f"{text!r} is no archive name")
        try:
            version = Version(match["version"])
        except InvalidVersion:
            raise UsageError(f"{text!r} has no valid version") from None
        name = cls(
            version,
            BuildNumber(int(match["build"])),
            Architecture(match["arch"]),
            LibcFamily.GLIBC if match["abi"] == "gnu" else LibcFamily.MUSL,
            match["suffix"],
            match["variant"] or "",
            match["policy"] or "",
            match["implementation"],
            match["content"],
            int(match["level"] or 1),
        )
        if str(name) != text:
            raise UsageError(f"{text!r} is not written as {name}")
        return name

    def __str__(self) -> str:
        marks = "".join(f"-{mark}" for mark in (self.policy, self.variant) if mark)
        level = f"_v{self.level}" if self.level > 1 else ""
        return (
            f"{self.implementation}-{self.version}+{self.build}-{self.architecture}{level}-unknown-linux-"
            f"{self.libc.abi}{marks}-{self.content}{self.suffix}"
        )
