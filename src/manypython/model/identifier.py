"""A request with the versions that answer it, and the number of a build."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from manypython.model.errors import UsageError
from manypython.model.request import Request, read


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
            RequestError: the text is no request, or asks for something that is not ours.
        """
        request = read(text)
        version = f"{'.'.join(map(str, request.release))}{request.pre}"
        exact = len(request.release) == 3  # noqa: PLR2004
        specifiers = request.specifiers or (f"=={version}" if exact else f"=={version}.*")
        return cls(text.strip(), request, SpecifierSet(specifiers))

    @property
    def variant(self) -> str:
        """``freethreaded`` for ``3.13t``."""
        return self.request.variant

    def matches(self, version: Version) -> bool:
        """Whether a release answers this request, be it final or not."""
        return self.specifiers.contains(version, prereleases=True)

    def among(self, versions: Iterable[Version]) -> list[Version]:
        """The releases that answer this request, newest first: final ones unless there are none.

        A pre-release that is asked for by name, ``3.15.0rc1``, is no second choice (PEP 440).
        """
        matching = sorted(filter(self.matches, set(versions)), reverse=True)
        return [version for version in matching if not version.is_prerelease] or matching

    def __str__(self) -> str:
        return self.text


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
