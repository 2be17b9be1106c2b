"""``uv/downloads.json``, for ``UV_PYTHON_DOWNLOADS_JSON_URL``: uv, and tox and nox through it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from manypython.index.choice import grouped, newest, widest
from manypython.index.model import Build, Index
from manypython.model.target import LibcFamily


def render(index: Index) -> dict[str, bytes]:
    """One list for every machine, and one for each glibc floor: uv has no field for it.

    Two entries of one key would be picked from at random, so there is one.
    """
    glibc = [build for build in index.builds if build.target.libc is LibcFamily.GLIBC]
    files = {"uv/downloads.json": _list(index, index.builds, widest)}
    for policy, floor in {build.target.policy: build.target.floor for build in glibc}.items():
        fit = [build for build in glibc if build.target.floor <= floor]
        files[f"uv/downloads-{policy}.json"] = _list(index, fit, newest)
    return files


def key(build: Build) -> str:
    """What uv calls it: ``cpython-3.13.5+freethreaded-linux-x86_64_v3-gnu``."""
    variant = f"+{build.variant}" if build.variant else ""
    level = f"_v{build.level}" if build.level > 1 else ""
    target = build.target
    return f"cpython-{build.version}{variant}-linux-{target.architecture}{level}-{target.libc.abi}"


def _list(index: Index, builds: Iterable[Build], best: Callable[[Iterable[Build]], Build]) -> bytes:
    entries = {name: _entry(index, best(alike)) for name, alike in grouped(builds, key).items()}
    return f"{json.dumps(entries, indent=1)}\n".encode()


def _entry(index: Index, build: Build) -> dict[str, Any]:
    archive = build.archive
    version = build.version
    return {
        "name": "cpython",
        "arch": {
            "family": str(build.target.architecture),
            "variant": f"v{build.level}" if build.level > 1 else None,
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
