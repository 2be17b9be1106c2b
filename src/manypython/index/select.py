"""The best build of an index for a machine."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from packaging.version import InvalidVersion, Version

from manypython.index import host
from manypython.index.model import POOL, Build
from manypython.index.reading import build
from manypython.model.errors import NoBuildError
from manypython.model.identifier import Spec
from manypython.model.request import Request

_NAMED = 8
"""Builds that a message names."""


def select(
    entries: Sequence[dict[str, Any]], spec: Spec, tags: Sequence[str], level: int, source: str
) -> Build:
    """The best build that answers a request and runs on a machine.

    The newest version comes first, then the newest build (its libraries have fewer known
    faults), then the highest level and the newest C library that the machine has, then a trained one.

    Args:
        entries: of an index, as ``reading.read`` gives them; only those that may be meant are looked at.
        spec: the request.
        tags: platform tags the machine takes, best first.
        level: the highest micro-architecture level it takes.
        source: where the index is from, for messages.

    Raises:
        NoBuildError: says what the machine has and which builds the index has.
        DownloadError: the entry that would be chosen is wrong.
    """
    ranks = {tag: -rank for rank, tag in enumerate(tags)}
    candidates = [pair for pair in _fitting(entries, tags, level) if _is_meant(spec.request, pair[1])]
    versions = spec.among({_version_of(entry) for _, entry in candidates})
    if not versions:
        raise _none(entries, spec, tags)
    number, entry = max(
        ((number, entry) for number, entry in candidates if _version_of(entry) == versions[0]),
        key=lambda pair: (
            str(pair[1].get("build")),
            pair[1]["level"],
            ranks[pair[1]["platform_tag"]],
            str(pair[1].get("toolchain")).endswith(" release"),
        ),
    )
    return build(entry, number, source)


def finals(entries: Sequence[dict[str, Any]], tags: Sequence[str], level: int) -> list[Version]:
    """The final releases that a machine can have as plain builds, newest first; arguments as above."""
    plain = Request()
    versions = {_version_of(entry) for _, entry in _fitting(entries, tags, level) if _is_meant(plain, entry)}
    return sorted((version for version in versions if not version.is_prerelease), reverse=True)


def _fitting(
    entries: Sequence[dict[str, Any]], tags: Sequence[str], level: int
) -> list[tuple[int, dict[str, Any]]]:
    """The entries that a machine can run, each with its position in the index."""
    takes = set(tags)
    return [
        (number, entry)
        for number, entry in enumerate(entries)
        if entry.get("platform_tag") in takes
        and isinstance(entry.get("level"), int)
        and entry["level"] <= level
        and _version(entry.get("version")) is not None
    ]


def _is_meant(request: Request, entry: dict[str, Any]) -> bool:
    """Whether an entry is of a build that is meant, apart from its version."""
    tag = str(entry.get("platform_tag"))
    return request.admits(
        key=_key(entry) if request.key else "",
        variant=str(entry.get("variant")),
        build=entry.get("build", 0),
        machine=tag.split("_", 3)[-1],
        level=entry.get("level", 0),
        abi="musl" if tag.startswith("musllinux_") else "gnu",
    )


def _key(entry: dict[str, Any]) -> str:
    """The build's name, taken from those of its archives."""
    files = entry.get("files")
    for file in files if isinstance(files, list) else ():
        path = str(file.get("path")) if isinstance(file, dict) else ""
        if path.startswith(POOL):
            return path.rpartition("/")[2].partition("-install_only")[0]
    return ""


@functools.lru_cache(maxsize=4096)
def _version(text: object) -> Version | None:
    try:
        return Version(text) if isinstance(text, str) else None
    except InvalidVersion:
        return None


def _version_of(entry: dict[str, Any]) -> Version:
    version = _version(entry["version"])
    assert version is not None  # noqa: S101  (those without were left out)
    return version


def _none(entries: Sequence[dict[str, Any]], spec: Spec, tags: Sequence[str]) -> NoBuildError:
    """Why there is nothing: no such version at all, or none for this machine."""
    answers = [
        entry
        for entry in entries
        if _is_meant(spec.request, entry)
        and (version := _version(entry.get("version")))
        and spec.matches(version)
    ]
    if answers:
        offered = _few(
            answers, lambda entry: f"{entry['version']} for {entry.get('platform_tag')}{_level(entry)}"
        )
        return NoBuildError(
            f"no build of {spec} fits {_machine(tags)}; on offer: {offered}",
            remedy="ask the site's owner for a build with an older C library, or name another --target",
        )
    offered = _few(entries, lambda entry: _request_for(entry, numbered=bool(spec.request.build)))
    return NoBuildError(
        f"the index has no {spec}; on offer: {offered or 'nothing'}",
        remedy="manypython list --available shows all",
    )


def _machine(tags: Sequence[str]) -> str:
    """What takes these tags: this machine, or the target that was named."""
    if list(tags) != host.platform_tags():
        return f"{tags[0]} and older"
    takes = f"it takes {tags[0]} and older" if tags else "its C library is not known"
    return f"this machine ({host.describe()}; {takes})"


def _request_for(entry: dict[str, Any], *, numbered: bool) -> str:
    """A build as a request names it."""
    number = f"+{entry.get('build')}" if numbered else ""
    return f"{entry.get('version')}{'t' if entry.get('variant') else ''}{number}"


def _level(entry: dict[str, Any]) -> str:
    level = entry.get("level")
    return f" level {level}" if isinstance(level, int) and level > 1 else ""


def _few(entries: Sequence[dict[str, Any]], name: Callable[[dict[str, Any]], str]) -> str:
    """The names of the newest."""
    newest = sorted(
        entries, key=lambda entry: (_version(entry.get("version")) or Version("0"), name(entry)), reverse=True
    )
    ordered = list(dict.fromkeys(map(name, newest)))
    more = f" and {len(ordered) - _NAMED} more" if len(ordered) > _NAMED else ""
    return ", ".join(ordered[:_NAMED]) + more
