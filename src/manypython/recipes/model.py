"""The recipe: ten lines of facts, read from TOML into frozen dataclasses.

Every wrong key or value is refused with a dotted path, ``openssl.toml: source.sha256: ...``.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from manypython.model.errors import RecipeError

BUILD_SYSTEMS = ("autotools", "bzip2", "cpython", "ncurses", "openssl", "sqlite", "zlib", "zstd")
"""Each is a function of ``manypython.compile.steps``."""


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
    """One release archive and where it can be had."""

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
    """A fault of the release that is mended before it is built."""

    file: str
    """Below the archive's top folder."""
    old: str
    """Text that stands in it exactly once."""
    new: str
    reason: str


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
    """Programs of the host it cannot be built without, e.g. ``perl``."""
    pythons: str = ""
    """PEP 440 specifier of the CPython versions that use it; empty: all."""
    patches: tuple[Patch, ...] = ()
    watch: Watch | None = None
    """None: the pin stays as it is."""

    @property
    def title(self) -> str:
        """Name and version for people and file names, ``openssl-3.5.7``."""
        return self.name if self.name.endswith(f"-{self.version}") else f"{self.name}-{self.version}"

    def used_by(self, python: Version) -> bool:
        """Whether a CPython of this version uses this library."""
        return SpecifierSet(self.pythons, prereleases=True).contains(python)


def read_recipe(text: str, file: str) -> Recipe:
    """Read one recipe.

    Args:
        text: its TOML.
        file: its file name, for messages; its stem must be the recipe's name.

    Raises:
        RecipeError: with a dotted path to the key that is wrong.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{file}: {error}") from None
    table = _Table(file, "", data)
    recipe = Recipe(
        name=table.string("name"),
        version=table.version("version"),
        source=_source(table.table("source")),
        licenses=table.strings("licenses", required=True),
        license_files=table.strings("license_files", required=True),
        build=table.choice("build", BUILD_SYSTEMS),
        folder=table.string("folder", ""),
        needs=table.strings("needs"),
        arguments=table.strings("arguments"),
        cflags=table.strings("cflags"),
        provides=table.strings("provides"),
        host_tools=table.strings("host_tools"),
        pythons=table.specifier("pythons"),
        patches=tuple(_patch(each) for each in table.tables("patches")),
        watch=_watch(table.table("watch")) if "watch" in table.data else None,
    )
    table.done()
    if f"{recipe.name}.toml" != file:
        raise table.error("name", f"is {recipe.name!r}, but the file is named {file!r}")
    return recipe


def _source(table: _Table) -> Source:
    url = table.string("url")
    if not re.fullmatch(r"https://[^/\s]+/\S*[^/\s]", url):
        raise table.error("url", f"{url!r} is no https address of a file")
    sha256 = table.sha256("sha256")
    size = table.size("size")
    debian = None
    if "debian" in table.data:
        inner = table.table("debian")
        debian = DebianSource(
            inner.string("package"),
            inner.string("file"),
            inner.sha256("sha256", sha256),
            inner.size("size", size),
        )
        inner.done()
    table.done()
    return Source(url, sha256, size, debian)


def _patch(table: _Table) -> Patch:
    patch = Patch(table.string("file"), table.string("old"), table.string("new"), table.string("reason"))
    table.done()
    return patch


def _watch(table: _Table) -> Watch:
    watch = Watch(
        table.string("page"),
        table.string("release"),
        table.string("version", "{version}"),
        table.string("url"),
    )
    table.done()
    try:
        groups = dict.fromkeys(re.compile(watch.release).groupindex, "1")
        _ = watch.version.format(**groups), watch.url.format(**groups)
    except re.error as error:
        raise table.error("release", f"is no regular expression: {error}") from None
    except (KeyError, IndexError) as error:
        raise table.error("release", f"lacks the group {error} that `version` or `url` names") from None
    return watch


class _Table:
    """A TOML table that is emptied key by key; what is left over is unknown."""

    def __init__(self, file: str, path: str, data: dict[str, Any]) -> None:
        self.file, self.path, self.data = file, path, dict(data)

    def error(self, key: str, fact: str) -> RecipeError:
        return RecipeError(f"{self.file}: {self.path}{key}: {fact}")

    def _take(self, key: str, kind: type, default: object, what: str) -> Any:  # noqa: ANN401
        if key not in self.data:
            if default is None:
                raise self.error(key, "is missing")
            return default
        value = self.data.pop(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.error(key, f"must be {what}, not {value!r}")
        return value

    def string(self, key: str, default: str | None = None) -> str:
        text: str = self._take(key, str, default, "a string")
        if not text and default is None:
            raise self.error(key, "is empty")
        return text

    def strings(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        values = self._take(key, list, None if required else [], "a list of strings")
        if not all(isinstance(value, str) and value for value in values):
            raise self.error(key, f"must be a list of strings, not {values!r}")
        if required and not values:
            raise self.error(key, "is empty")
        return tuple(values)

    def table(self, key: str) -> _Table:
        return _Table(self.file, f"{self.path}{key}.", self._take(key, dict, None, "a table"))

    def tables(self, key: str) -> tuple[_Table, ...]:
        rows = self._take(key, list, [], "a list of tables")
        if not all(isinstance(row, dict) for row in rows):
            raise self.error(key, f"must be a list of tables, not {rows!r}")
        return tuple(_Table(self.file, f"{self.path}{key}.{n}.", row) for n, row in enumerate(rows))

    def sha256(self, key: str, default: str | None = None) -> str:
        text = self.string(key, default)
        if not re.fullmatch(r"[0-9a-f]{64}", text):
            raise self.error(key, f"{text!r} is no sha256 (64 hexadecimal digits)")
        return text

    def size(self, key: str, default: int = 0) -> int:
        value: int = self._take(key, int, default, "a number of bytes")
        if value < 0:
            raise self.error(key, f"{value} is no number of bytes")
        return value

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        text = self.string(key)
        if text not in choices:
            raise self.error(key, f"{text!r} is none of {', '.join(choices)}")
        return text

    def version(self, key: str) -> Version:
        text = self.string(key)
        try:
            return Version(text)
        except InvalidVersion:
            raise self.error(key, f"{text!r} is no version (PEP 440)") from None

    def specifier(self, key: str) -> str:
        text = self.string(key, "")
        try:
            SpecifierSet(text)
        except InvalidSpecifier:
            raise self.error(key, f"{text!r} is no version specifier (PEP 440)") from None
        return text

    def done(self) -> None:
        if self.data:
            raise self.error(min(self.data), "is no known key")
