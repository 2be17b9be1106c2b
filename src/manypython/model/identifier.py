"""Names that parse and print back exactly: versions, build identifiers, archives."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from manypython.model.errors import UsageError
from manypython.model.request import Request, read
from manypython.model.target import Architecture, LibcFamily, Target


@dataclass(frozen=True)
class Spec:
    """What a user asks for (see ``model.request``), with the versions that answer it."""

    text: str
    """As it was written."""
    request: Request
    specifiers: SpecifierSet

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read a version request.

        Raises:
            RequestError: the text is none, or none that could be ours.
        """
        made = read(text)
        version = f"{'.'.join(map(str, made.release))}{made.pre}"
        exact = len(made.release) == 3  # noqa: PLR2004
        said = made.specifiers or (f"=={version}" if exact else f"=={version}.*")
        return cls(text.strip(), made, SpecifierSet(said))

    @property
    def variant(self) -> str:
        """``freethreaded`` for ``3.13t``."""
        return self.request.variant

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
    r"(?P<abi>gnu|musl)(?:-(?P<policy>(?:many|musl)linux_\d+_\d+))?(?:-(?P<variant>freethreaded|debug))?"
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
