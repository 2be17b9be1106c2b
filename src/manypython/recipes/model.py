"""The recipe: ten lines of facts, read from TOML into frozen dataclasses.

Every wrong key or value is refused with a dotted path, ``openssl.toml: source.sha256: ...``.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from manypython.model.errors import RecipeError
from manypython.model.table import Table

BUILD_SYSTEMS = ("autotools", "bzip2", "cpython", "ncurses", "openssl", "sqlite", "zlib", "zstd")
"""Each is a function of ``manypython.compile.steps``."""

_BYTES = "a number of bytes"


@dataclass(frozen=True)
class DebianSource:
    """Where Debian keeps the same release, byte for byte or repacked."""

    package: str
    file: str
    sha256: str
    """Equal to the upstream archive's unless Debian repacked it (``+dfsg``, a git archive)."""
    size: int
    """Bytes; 0 where it was never published."""


@dataclass(frozen=True)
class Source:
    """One release archive and where it can be fetched."""

    url: str
    """Upstream's address; its last part is the file name."""
    sha256: str
    size: int
    """Bytes; 0 where it was never published."""
    debian: DebianSource | None = None

    @property
    def file(self) -> str:
        """Upstream's file name."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Watch:
    """Where upstream lists its releases, and how to read the list (``nox -s update``)."""

    page: str
    """Address of the list, HTML or JSON."""
    release: str
    """Regular expression with named groups that matches each release in it."""
    version: str
    """The release's version, with the groups in braces."""
    url: str
    """The release's archive, likewise."""


@dataclass(frozen=True)
class Patch:
    """A change of a release's source before it is built, with its reason (``patches/*.toml``)."""

    name: str
    recipe: str
    """A recipe's name, or ``cpython`` for all of that build system."""
    versions: str
    """PEP 440 specifier of the releases that have the text; empty: all."""
    file: str
    """Below the archive's top folder."""
    reason: str
    replacements: tuple[tuple[str, str], ...]
    """Texts that are in it exactly once, and their replacements."""

    def is_for(self, recipe: Recipe) -> bool:
        """Whether a recipe's source is changed by it."""
        in_range = SpecifierSet(self.versions, prereleases=True).contains(recipe.version)
        return in_range and self.recipe in (recipe.name, recipe.build)


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
    """The build system, one of ``BUILD_SYSTEMS``."""
    folder: str = ""
    """Subfolder of the archive that is built, where the archive has it."""
    needs: tuple[str, ...] = ()
    """Names of recipes whose headers and libraries this one uses."""
    arguments: tuple[str, ...] = ()
    """Arguments of configure (or make)."""
    cflags: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    """Sonames of the shared libraries it installs, e.g. ``libssl.so.3``."""
    host_tools: tuple[str, ...] = ()
    """Programs of the host that its build needs, e.g. ``perl``."""
    pythons: str = ""
    """PEP 440 specifier of the CPython versions that use it; empty: all."""
    patches: tuple[Patch, ...] = ()
    """Filled from ``patches/``."""
    watch: Watch | None = None
    """None: the pin stays as it is."""

    @property
    def title(self) -> str:
        """Name and version for people and file names, ``openssl-3.5.7``."""
        return self.name if self.name.endswith(f"-{self.version}") else f"{self.name}-{self.version}"

    def used_by(self, python: Version) -> bool:
        """Whether a CPython of this version uses this library."""
        return SpecifierSet(self.pythons, prereleases=True).contains(python)


def read_recipes(text: str, file: str) -> tuple[Recipe, ...]:
    """Read a file of recipes: a library's one, or a series of CPython with a recipe for each release.

    Args:
        text: its TOML.
        file: its file name, for messages; its stem must be the recipe's name, or the series'.

    Raises:
        RecipeError: with a dotted path to the key that is wrong.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{file}: {error}") from None
    table = Table(file, "", data, RecipeError)
    key = "series" if "series" in data else "name"
    name = table.string(key)
    if f"{name}.toml" != file:
        raise table.error(key, f"is {name!r}, but the file is named {file!r}")
    rows = table.tables("releases", required=True) if key == "series" else (table,)
    releases = [(row.version("version"), _source(row.table("source"))) for row in rows]
    common = _common(table)
    for row in rows:
        row.insist_empty()
    table.insist_empty()
    if key == "name":
        return (Recipe(name=name, version=releases[0][0], source=releases[0][1], **common),)
    *pinned, newest = sorted(releases, key=lambda release: release[0])
    # only the newest of a series is watched for a newer one
    older = common | {"watch": None}
    return (
        *(Recipe(f"cpython-{version}", version, source, **older) for version, source in pinned),
        Recipe(f"cpython-{newest[0]}", *newest, **common),
    )


def _common(table: Table) -> dict[str, Any]:
    """What all releases of a recipe share."""
    return {
        "licenses": table.strings("licenses", required=True),
        "license_files": table.strings("license_files", required=True),
        "build": table.choice("build", BUILD_SYSTEMS),
        "folder": table.string("folder", ""),
        "needs": table.strings("needs"),
        "arguments": table.strings("arguments"),
        "cflags": table.strings("cflags"),
        "provides": table.strings("provides"),
        "host_tools": table.strings("host_tools"),
        "pythons": table.specifier("pythons"),
        "watch": _watch(table.table("watch")) if "watch" in table.data else None,
    }


def _source(table: Table) -> Source:
    url = table.string("url")
    if not re.fullmatch(r"https://[^/\s]+/\S*[^/\s]", url):
        raise table.error("url", f"{url!r} is no https address of a file")
    sha256 = table.sha256("sha256")
    size = table.number("size", 0, _BYTES)
    debian = None
    if "debian" in table.data:
        inner = table.table("debian")
        debian = DebianSource(
            inner.string("package"),
            inner.string("file"),
            inner.sha256("sha256", sha256),
            inner.number("size", size, _BYTES),
        )
        inner.insist_empty()
    table.insist_empty()
    return Source(url, sha256, size, debian)


def read_patch(text: str, file: str) -> Patch:
    """Read one patch; arguments and errors as for ``read_recipes``."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{file}: {error}") from None
    table = Table(file, "", data, RecipeError)
    replacements = []
    for row in table.tables("replace", required=True):
        replacements.append((row.string("old"), row.text("new")))
        row.insist_empty()
    patch = Patch(
        file.removesuffix(".toml"),
        table.string("recipe"),
        table.specifier("versions"),
        table.string("file"),
        table.string("reason"),
        tuple(replacements),
    )
    table.insist_empty()
    return patch


def _watch(table: Table) -> Watch:
    watch = Watch(
        table.string("page"),
        table.string("release"),
        table.string("version", "{version}"),
        table.string("url"),
    )
    table.insist_empty()
    try:
        groups = dict.fromkeys(re.compile(watch.release).groupindex, "1")
        _ = watch.version.format(**groups), watch.url.format(**groups)
    except re.error as error:
        raise table.error("release", f"is no regular expression: {error}") from None
    except (KeyError, IndexError) as error:
        raise table.error("release", f"lacks the group {error} that `version` or `url` names") from None
    return watch
