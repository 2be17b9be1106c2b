"""Which build to show a reader that cannot tell builds apart: without fields for floor or build number.

Such a reader takes the newest version that it sees. So it must not see one that needs a newer C
library than an older version does: on a machine between the two it would take one that does not run.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

from packaging.version import Version

from manypython.index.model import Build
from manypython.model.target import Architecture, LibcFamily

PLAIN = ""
THREADS = "freethreaded"
Slot = tuple[Version, str, Architecture]
"""Version, variant and architecture: all that most readers can ask for."""
_K = TypeVar("_K", bound=Hashable)


def group(builds: Iterable[Build], key: Callable[[Build], _K]) -> dict[_K, list[Build]]:
    """Builds grouped by what a reader can ask for, in the order of the index."""
    groups: dict[_K, list[Build]] = {}
    for build in builds:
        groups.setdefault(key(build), []).append(build)
    return groups


def widest(builds: Iterable[Build]) -> Build:
    """The build that runs in most places: lowest floor, then newest number, lowest level, a trained one.

    Raises:
        ValueError: they are of several C libraries, whose floors cannot be compared.
    """
    return min(
        _of_one_libc(builds),
        key=lambda b: (b.target.floor, -b.number.value, b.target.level, not b.id.variant.profile),
    )


def newest(builds: Iterable[Build]) -> Build:
    """The newest number, then the highest floor, the lowest level, a trained one.

    Raises:
        ValueError: they are of several C libraries, whose floors cannot be compared.
    """
    return max(
        _of_one_libc(builds),
        key=lambda b: (b.number.value, b.target.floor, -b.target.level, b.id.variant.profile),
    )


def _of_one_libc(builds: Iterable[Build]) -> list[Build]:
    alike = list(builds)
    if len({build.target.libc for build in alike}) > 1:
        raise ValueError("builds of several C libraries")
    return alike


def everywhere(builds: Iterable[Build]) -> tuple[Build, ...]:
    """The builds that run wherever any of their kind runs: those of the kind's lowest floor, in their order.

    A kind is what a reader can ask for: architecture, C library, micro-architecture level, variant.
    """
    every_build = tuple(builds)
    kinds = group(every_build, _kind)
    lowest = {kind: widest(alike).target.floor for kind, alike in kinds.items()}
    return tuple(build for build in every_build if build.target.floor == lowest[_kind(build)])


def left_out(builds: Iterable[Build]) -> tuple[Build, ...]:
    """Builds of versions that are not in ``everywhere`` at all, the widest of each."""
    every_build = tuple(builds)
    listed = {(_kind(build), build.version) for build in everywhere(every_build)}
    groups = group(every_build, lambda build: (_kind(build), build.version))
    return tuple(widest(alike) for key, alike in groups.items() if key not in listed)


def _kind(build: Build) -> tuple[str, ...]:
    return build.target.architecture, build.target.libc, str(build.target.level), build.variant


def usual(builds: Iterable[Build]) -> Mapping[Slot, Build]:
    """For each version, variant and architecture the build that runs everywhere, newest version first.

    Of glibc and of the lowest micro-architecture level: what any machine of that architecture runs.
    """
    return {slot: widest(alike) for slot, alike in of_glibc(everywhere(builds)).items()}


def on_glibc(builds: Iterable[Build], version: tuple[int, int]) -> Mapping[Slot, Build]:
    """The same for machines with this glibc, for a reader that runs nowhere else."""
    return {
        slot: widest(fit)
        for slot, alike in of_glibc(builds).items()
        if (fit := [build for build in alike if build.target.floor <= version])
    }


def of_glibc(builds: Iterable[Build]) -> Mapping[Slot, list[Build]]:
    """Builds of glibc and of the lowest micro-architecture level, by what most readers can ask for."""
    fit = [build for build in builds if build.target.libc is LibcFamily.GLIBC and build.target.level == 1]
    return group(fit, lambda b: (b.version, b.variant, b.target.architecture))


def plain(builds: Iterable[Build]) -> Mapping[Slot, Build]:
    """``usual`` without free-threaded and debug builds."""
    return {slot: build for slot, build in usual(builds).items() if build.variant == PLAIN}


def latest(builds: Iterable[Build]) -> Mapping[tuple[int, int], dict[Architecture, Build]]:
    """For each minor version, newest first, its newest final release by architecture; plain builds."""
    releases: dict[tuple[int, int], dict[Architecture, Build]] = {}
    for (version, _, architecture), build in plain(builds).items():
        if not version.is_prerelease:
            releases.setdefault((version.major, version.minor), {}).setdefault(architecture, build)
    return releases
