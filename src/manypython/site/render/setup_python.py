"""``versions-manifest.json``, for the ``mirror`` of actions/setup-python."""

from __future__ import annotations

import json
from typing import Any

from packaging.version import Version

from manypython.index.choice import THREADS, usual
from manypython.index.model import Build, Index
from manypython.model.target import Architecture

FOLDER = "gha/"
_ARCHITECTURES = {Architecture.X86_64: "x64", Architecture.AARCH64: "arm64"}
_STAGES = {"a": "alpha", "b": "beta", "rc": "rc"}


def render(index: Index) -> dict[str, bytes]:
    """The manifest, newest first; the action refuses an empty one, so then there is none."""
    entries: dict[Version, dict[str, Any]] = {}
    for (version, _, _), build in usual(index.builds).items():
        repack = build.under(FOLDER)
        if repack is None:
            continue
        entry = entries.setdefault(version, _entry(index, version))
        entry["files"].append(
            {
                "filename": repack.name,
                "arch": architecture(build),
                "platform": "linux",
                "download_url": index.base_url + repack.url,
            }
        )
    if not entries:
        return {}
    return {"versions-manifest.json": f"{json.dumps(list(entries.values()), indent=1)}\n".encode()}


def architecture(build: Build) -> str:
    """As the action has it: ``x64``, ``arm64-freethreaded``."""
    threads = f"-{THREADS}" if build.variant == THREADS else ""
    return f"{_ARCHITECTURES[build.target.architecture]}{threads}"


def semver(version: Version) -> str:
    """The version with the hyphen and dots that semantic versions want: ``3.15.0-rc.1``."""
    if version.pre is None:
        return str(version)
    stage, number = version.pre
    return f"{version.base_version}-{_STAGES[stage]}.{number}"


def _entry(index: Index, version: Version) -> dict[str, Any]:
    return {
        "version": semver(version),
        "stable": not version.is_prerelease,
        "release_url": f"{index.base_url}index.html#{version}",
        "files": [],
    }
