"""Which build a reader gets that cannot tell builds apart: no field for a floor, none for a build number."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

from packaging.version import Version

from manypython.index.model import Build, Index
from manypython.model.target import Architecture, LibcFamily

PLAIN = ""
THREADS = "freethreaded"
Slot = tuple[Version, str, Architecture]
"""Version, variant and architecture: all that most readers can ask for."""
_K = TypeVar("_K", bound=Hashable)


def grouped(builds: Iterable[Build], key: Callable[[Build], _K]) -> dict[_K, list[Build]]:
    """Builds that are one to a reader, in the order they have in the index."""
    groups: dict[_K, list[Build]] = {}
    for build in builds:
        groups.setdefault(key(build), []).append(build)
    return groups


def widest(builds: Iterable[Build]) -> Build:
    """The build that runs in most places: the lowest floor, then the newest number, then the lowest level."""
    return min(builds, key=lambda b: (b.target.floor, -b.number.value, b.level))


def newest(builds: Iterable[Build]) -> Build:
    """The newest number, then the highest floor, then the lowest level."""
    return max(builds, key=lambda b: (b.number.value, b.target.floor, -b.level))


def usual(index: Index) -> Mapping[Slot, Build]:
    """For each version, variant and architecture its widest build, newest version first.

    Of glibc and of the lowest micro-architecture level: what any machine of that architecture runs.
    """
    fit = [b for b in index.builds if b.target.libc is LibcFamily.GLIBC and b.level == 1]
    groups = grouped(fit, lambda b: (b.version, b.variant, b.target.architecture))
    return {slot: widest(builds) for slot, builds in groups.items()}


def plain(index: Index) -> Mapping[Slot, Build]:
    """``usual`` without free-threaded and debug builds."""
    return {slot: build for slot, build in usual(index).items() if build.variant == PLAIN}


def latest(index: Index) -> Mapping[tuple[int, int], dict[Architecture, Build]]:
    """For each minor version, newest first, its newest final release by architecture; plain builds."""
    found: dict[tuple[int, int], dict[Architecture, Build]] = {}
    for (version, _, architecture), build in plain(index).items():
        if not version.is_prerelease:
            found.setdefault((version.major, version.minor), {}).setdefault(architecture, build)
    return found
