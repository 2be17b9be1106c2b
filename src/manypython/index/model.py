"""``index.json``: the builds of a site, as data that parses and prints back exactly.

Described for other readers by ``docs/index.schema.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from packaging.version import Version

from manypython.model.build_id import ArtifactName, BuildId
from manypython.model.identifier import BuildNumber
from manypython.model.target import Target

SCHEMA_VERSION = 1
POOL = "python-build-standalone/releases/download"
"""The folder of archives; hatch, pipx and mise recognise an archive by this part of its URL."""


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
        """What tells builds apart; also the name of the folder of an installed one."""
        return str(self.id)

    @property
    def archive(self) -> File:
        """The main archive, a ``.tar.gz``, which every tool can unpack; the first other one without it."""
        return self.file(".tar.gz") or next(filter(self.is_archive, self.files))

    def file(self, suffix: str) -> File | None:
        """The archive of the pool with this suffix (``.zip``), if there is one."""
        name = str(ArtifactName(self.id, suffix))
        return next((file for file in self.files if file.name == name and self.is_archive(file)), None)

    def is_archive(self, file: File) -> bool:
        """Whether a file holds the interpreter itself: no repack, and no tests."""
        return file.path.startswith(f"{POOL}/") and file.name.startswith(f"{ArtifactName(self.id)}.")

    def under(self, folder: str) -> File | None:
        """The file of this build under a folder of the site (``gha/``), if there is one."""
        return next((file for file in self.files if file.path.startswith(folder)), None)


@dataclass(frozen=True)
class Index:
    """All builds of a site, newest first."""

    base_url: str
    """Where the site is published, with a slash at the end; for readers that need whole URLs."""
    builds: tuple[Build, ...]

    @classmethod
    def of(cls, base_url: str, builds: Iterable[Build]) -> Index:
        """An index of these builds in their one order; of builds with the same key the last counts."""
        single = {build.key: build for build in builds}
        newest = sorted(sorted(single.values(), key=lambda b: b.key), key=_age, reverse=True)
        return cls(base_url, tuple(newest))

    def as_bytes(self) -> bytes:
        """``index.json``: sorted keys, one build per line, so that a change is a short diff."""
        lines = ",\n".join(
            json.dumps(_as_json(build), sort_keys=True, separators=(",", ":")) for build in self.builds
        )
        head = f'{{"base_url":{json.dumps(self.base_url)},"schema_version":{SCHEMA_VERSION},"builds":[\n'
        return f"{head}{lines}\n]}}\n".encode()


def _age(build: Build) -> tuple[Any, ...]:
    target = build.target
    return build.version, build.number.value, target.architecture, target.libc, target.floor, target.level


def _as_json(build: Build) -> dict[str, Any]:
    return {
        "version": str(build.version),
        "build": build.number.value,
        "platform_tag": build.target.platform_tag,
        "level": build.target.level,
        "variant": build.variant,
        "origin": build.origin,
        "toolchain": build.toolchain,
        "libraries": {library.name: library.version for library in build.libraries},
        "proof": None
        if build.proof is None
        else {
            "passed": build.proof.passed,
            "roots": list(build.proof.roots),
            "not_tried": list(build.proof.not_tried),
        },
        "files": [
            {"path": file.path, "sha256": file.sha256, "size": file.size, "unpacked": file.unpacked}
            for file in build.files
        ],
    }
