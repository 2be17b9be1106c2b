"""What mise reads: a list of builds for each architecture, and a sample of ``mise.lock``."""

from __future__ import annotations

import gzip

from manypython.index.choice import latest, plain
from manypython.index.model import Build, Index
from manypython.model.target import Architecture

_PLATFORMS = {Architecture.X86_64: "linux-x64", Architecture.AARCH64: "linux-arm64"}


def render(index: Index) -> dict[str, bytes]:
    """Archive names, oldest first: mise takes the last that fits; and what it may lock, newest first."""
    names: dict[Architecture, list[str]] = {}
    for build in reversed(tuple(plain(index.builds).values())):
        names.setdefault(build.target.architecture, []).append(build.archive.name)
    files = {
        f"tools/python-precompiled-{architecture}-unknown-linux-gnu.gz": gzip.compress(
            "".join(f"{name}\n" for name in listed).encode(), mtime=0
        )
        for architecture, listed in names.items()
    }
    entries = [_lock(index, builds) for builds in latest(index.builds).values()]
    return {**files, "mise.lock.sample": "\n".join(entries).encode()} if entries else files


def _lock(index: Index, builds: dict[Architecture, Build]) -> str:
    """A minor version's newest release."""
    newest = max(build.version for build in builds.values())
    lines = ["[[tools.python]]", f'version = "{newest}"', 'backend = "core:python"']
    for architecture, build in sorted(builds.items()):
        if build.version == newest:
            lines += [
                "",
                f'[tools.python."platforms.{_PLATFORMS[architecture]}"]',
                f'checksum = "sha256:{build.archive.sha256}"',
                f'url = "{index.base_url}{build.archive.url}"',
            ]
    return "\n".join(lines) + "\n"
