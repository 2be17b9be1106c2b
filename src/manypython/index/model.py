"""``index.json``: the builds of a site, as data that parses and prints back exactly.

Described for other readers by ``docs/index.schema.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, TypeVar
from urllib.parse import quote

from packaging.version import InvalidVersion, Version

from manypython.model.build_id import ArtifactName, BuildId, Variant
from manypython.model.errors import DownloadError, ManypythonError
from manypython.model.grammar import DEBUG, THREADING
from manypython.model.identifier import BuildNumber
from manypython.model.target import Target

SCHEMA_VERSION = 1
POOL = "python-build-standalone/releases/download"
"""Where archives lie; hatch, pipx and mise know an archive by this part of its URL."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LARGEST = 4 << 30
"""Bytes of one archive, packed or not; whatever claims more is no interpreter."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class File:
    """One archive of a build, or one repack of it."""

    path: str
    """From the root of the site, as it is on disk: a ``+`` is a ``+``."""
    sha256: str
    size: int
    """Bytes."""
    unpacked: int
    """Bytes of all its members."""

    @property
    def url(self) -> str:
        """The path as a relative URL: ``+`` is ``%2B``, which uv and hatch expect."""
        return quote(self.path)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class Library:
    """A library that is part of a build."""

    name: str
    version: str


@dataclass(frozen=True)
class Proof:
    """What ``verify`` found before the build was packed."""

    passed: int
    roots: tuple[str, ...]
    """Where: ``this machine``, ``glibc-2.17``, ``debian-12``."""
    not_tried: tuple[str, ...]
    """What could not be tried, each with its reason."""


@dataclass(frozen=True)
class Build:
    """One build of one Python for one target, in several wrappings."""

    id: BuildId
    origin: str
    """``make``, or ``repair`` of what somebody else built."""
    toolchain: str
    libraries: tuple[Library, ...]
    proof: Proof | None
    files: tuple[File, ...]

    @property
    def version(self) -> Version:
        """Python's."""
        return self.id.version

    @property
    def number(self) -> BuildNumber:
        """The day of its recipes."""
        return self.id.number

    @property
    def target(self) -> Target:
        """What it runs on."""
        return self.id.target

    @property
    def variant(self) -> str:
        """What a request can ask for: ``freethreaded``, ``debug``, or empty."""
        return self.id.variant.interpreter

    @property
    def key(self) -> str:
        """What tells builds apart, and the name of the folder an install stands in."""
        return str(self.id)

    @property
    def archive(self) -> File:
        """The main archive, a ``.tar.gz``, which every tool can unpack; the first other one without it."""
        return self.file(".tar.gz") or next(filter(self._is_archive, self.files))

    def file(self, suffix: str) -> File | None:
        """The archive of the pool with this suffix (``.zip``), if there is one."""
        wanted = str(ArtifactName(self.id, suffix))
        return next((file for file in self.files if file.name == wanted and self._is_archive(file)), None)

    def _is_archive(self, file: File) -> bool:
        """Whether a file holds the interpreter itself: no repack, and no tests."""
        return file.path.startswith(f"{POOL}/") and file.name.startswith(f"{ArtifactName(self.id)}.")

    def under(self, folder: str) -> File | None:
        """The file of this build under a folder of the site (``gha/``), if there is one."""
        return next((file for file in self.files if file.path.startswith(folder)), None)


@dataclass(frozen=True)
class Index:
    """All builds of a site, newest first."""

    base_url: str
    """Where the site is published, with a slash at the end; for readers that want whole URLs."""
    builds: tuple[Build, ...]

    @classmethod
    def of(cls, base_url: str, builds: Iterable[Build]) -> Index:
        """An index of these builds in their one order; of builds with one key the last counts."""
        single = {build.key: build for build in builds}
        newest = sorted(sorted(single.values(), key=lambda b: b.key), key=_age, reverse=True)
        return cls(base_url, tuple(newest))

    @classmethod
    def parse(cls, data: bytes, source: str) -> Index:
        """Read every build of an index.

        Args:
            data: the bytes of ``index.json``.
            source: where they are from, for messages.

        Raises:
            DownloadError: it is no index; the message has the dotted path of what is wrong.
        """
        base_url, entries = read(data, source)
        return cls(base_url, tuple(all_builds(entries, source)))

    def as_bytes(self) -> bytes:
        """``index.json``: sorted keys, one build a line, so that a change is a short diff."""
        lines = ",\n".join(
            json.dumps(_as_json(each), sort_keys=True, separators=(",", ":")) for each in self.builds
        )
        head = f'{{"base_url":{json.dumps(self.base_url)},"schema_version":{SCHEMA_VERSION},"builds":[\n'
        return f"{head}{lines}\n]}}\n".encode()


def read(data: bytes, source: str) -> tuple[str, list[dict[str, Any]]]:
    """The base URL and the entries of an index, not yet looked at one by one.

    Who wants one build of 5,000 looks at the few that may be it, see ``select``.

    Raises:
        DownloadError: it is no index, or a newer one than this program knows.
    """
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DownloadError(f"{source}: no index: {error}") from None
    if not isinstance(told, dict) or "schema_version" not in told:
        raise DownloadError(f"{source}: no index: schema_version is missing")
    if told["schema_version"] != SCHEMA_VERSION:
        raise DownloadError(
            f"{source}: an index of schema {told['schema_version']!r}; this program reads {SCHEMA_VERSION}",
            remedy="pip install --upgrade manypython",
        )
    entries = _value(told, "builds", list, source)
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise DownloadError(f"{source}: builds[{number}]: is no object")
    return _value(told, "base_url", str, source), entries


def all_builds(entries: Iterable[dict[str, Any]], source: str) -> list[Build]:
    """Read every entry of an index, in its order; arguments as ``read`` has them.

    Raises:
        DownloadError: the message has the dotted path of what is wrong.
    """
    return [build(entry, f"{source}: builds[{number}]") for number, entry in enumerate(entries)]


def build(entry: dict[str, Any], where: str) -> Build:
    """Read one entry of an index.

    Args:
        entry: as ``read`` gave it.
        where: its place, for messages.

    Raises:
        DownloadError: the message has the dotted path of what is wrong.
    """
    files = tuple(
        _file(file, f"{where}.files[{n}]") for n, file in enumerate(_value(entry, "files", list, where))
    )
    libraries = _value(entry, "libraries", dict, where)
    made = Build(
        _id(entry, where),
        _value(entry, "origin", str, where),
        _value(entry, "toolchain", str, where),
        tuple(Library(name, _value(libraries, name, str, f"{where}.libraries")) for name in libraries),
        None if entry.get("proof") is None else _proof(_value(entry, "proof", dict, where), f"{where}.proof"),
        files,
    )
    if not any(made._is_archive(file) for file in files):  # noqa: SLF001
        raise DownloadError(f"{where}.files: none is an archive of {made.key}")
    return made


def _id(entry: dict[str, Any], where: str) -> BuildId:
    """Which build an entry is of, by what it says; its archives are called so."""
    target = _made(entry, "platform_tag", str, where, Target.of_tag)
    variant = _value(entry, "variant", str, where)
    if variant not in ("", THREADING, DEBUG):
        raise DownloadError(f"{where}.variant: {variant!r} is none that can be")
    return BuildId(
        "cpython",
        _made(entry, "version", str, where, Version),
        _made(entry, "build", int, where, BuildNumber),
        replace(target, level=_value(entry, "level", int, where)),
        Variant.of(
            variant if variant == THREADING else "",
            variant if variant == DEBUG else "",
            _value(entry, "toolchain", str, where),
        ),
    )


def _file(told: object, where: str) -> File:
    if not isinstance(told, dict):
        raise DownloadError(f"{where}: is no object")
    made = File(
        _value(told, "path", str, where),
        _value(told, "sha256", str, where),
        _value(told, "size", int, where),
        _value(told, "unpacked", int, where),
    )
    parts = PurePosixPath(made.path).parts
    if not parts or ".." in parts or parts[0] == "/" or not made.path.isprintable() or "\\" in made.path:
        raise DownloadError(f"{where}.path: {made.path!r} leads out of the site")
    if not _SHA256.fullmatch(made.sha256):
        raise DownloadError(f"{where}.sha256: {made.sha256!r} is no SHA-256")
    if not (0 < made.size < _LARGEST and 0 < made.unpacked < _LARGEST):
        raise DownloadError(f"{where}: {made.size} bytes, {made.unpacked} unpacked: cannot be")
    return made


def _proof(told: dict[str, Any], where: str) -> Proof:
    lists = [_value(told, name, list, where) for name in ("roots", "not_tried")]
    return Proof(_value(told, "passed", int, where), *(tuple(map(str, words)) for words in lists))


def _value(told: dict[str, Any], name: str, kind: type[_T], where: str) -> _T:
    value = told.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        fact = "is missing" if value is None else f"{value!r} is no {kind.__name__}"
        raise DownloadError(f"{where}.{name}: {fact}")
    return value


def _made(told: dict[str, Any], name: str, kind: type[Any], where: str, make: Callable[[Any], _T]) -> _T:
    """A value that has a type of its own."""
    value = _value(told, name, kind, where)
    try:
        return make(value)
    except (ManypythonError, InvalidVersion):
        raise DownloadError(f"{where}.{name}: {value!r} is none that can be") from None


def _age(each: Build) -> tuple[Any, ...]:
    target = each.target
    return each.version, each.number.value, target.architecture, target.libc, target.floor, target.level


def _as_json(each: Build) -> dict[str, Any]:
    return {
        "version": str(each.version),
        "build": each.number.value,
        "platform_tag": each.target.platform_tag,
        "level": each.target.level,
        "variant": each.variant,
        "origin": each.origin,
        "toolchain": each.toolchain,
        "libraries": {library.name: library.version for library in each.libraries},
        "proof": None
        if each.proof is None
        else {
            "passed": each.proof.passed,
            "roots": list(each.proof.roots),
            "not_tried": list(each.proof.not_tried),
        },
        "files": [
            {"path": file.path, "sha256": file.sha256, "size": file.size, "unpacked": file.unpacked}
            for file in each.files
        ],
    }
