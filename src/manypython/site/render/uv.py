"""``uv/downloads.json``, for ``UV_PYTHON_DOWNLOADS_JSON_URL``: uv, and tox and nox through it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from manypython.index.choice import everywhere, group, newest, widest
from manypython.index.model import Build, Index
from manypython.model.target import Target


def render(index: Index) -> dict[str, bytes]:
    """One list for every machine, and one for each floor of a C library: uv has no field for it.

    Two entries of one key would be picked from at random, so there is one.
    """
    files = {path(): _list(index, everywhere(index.builds), widest)}
    for target in dict.fromkeys(build.target for build in index.builds):
        fit = [build for build in index.builds if _runs(build.target, target)]
        files[path(target)] = _list(index, fit, newest)
    return files


def path(target: Target | None = None) -> str:
    """Of a list: for machines whose C library is as old as a target's, or for all."""
    return f"uv/downloads-{target.policy}.json" if target else "uv/downloads.json"


def _runs(target: Target, other: Target) -> bool:
    """Whether a build runs where another's C library is, on whatever machine."""
    return target.libc is other.libc and target.floor <= other.floor


def key(build: Build) -> str:
    """What uv calls it: ``cpython-3.13.5+freethreaded-linux-x86_64_v3-gnu``."""
    return build.id.uv_key


def _list(index: Index, builds: Iterable[Build], best: Callable[[Iterable[Build]], Build]) -> bytes:
    entries = {name: _entry(index, best(alike)) for name, alike in group(_plain_first(builds), key).items()}
    return f"{json.dumps(entries, indent=1)}\n".encode()


def _plain_first(builds: Iterable[Build]) -> list[Build]:
    """Builds without those for newer processors of which there is no plain one of the same version.

    uv looks at no processor: of one version it takes the plain build, unless ``x86_64_v3`` is asked
    for, and of several the newest, be it ``x86_64_v4``.
    """
    every_build = list(builds)
    plain = {_version(build) for build in every_build if build.target.level == 1}
    return [build for build in every_build if _version(build) in plain]


def _version(build: Build) -> tuple[object, ...]:
    return build.version, build.variant, build.target.architecture, build.target.libc


def _entry(index: Index, build: Build) -> dict[str, Any]:
    archive = build.archive
    version = build.version
    return {
        "name": "cpython",
        "arch": {
            "family": str(build.target.architecture),
            "variant": f"v{build.target.level}" if build.target.level > 1 else None,
        },
        "os": "linux",
        "libc": build.target.libc.abi,
        "major": version.major,
        "minor": version.minor,
        "patch": version.micro,
        "prerelease": "".join(map(str, version.pre or ())),
        "url": index.base_url + archive.url,
        "sha256": archive.sha256,
        "variant": build.variant or None,
        "build": str(build.number),
    }
