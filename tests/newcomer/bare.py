"""Bare Debian roots: what debootstrap makes of the fewest packages with which a clone can be used at all."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from manypython import files, host_tools
from manypython.model.target import DEFAULT_TARGET
from manypython.progress import Reporter
from manypython.verify.roots import debootstrap

_PACKAGES = ("python3", "python3-pip", "python3-venv", "git", "ca-certificates")


def root(system: str, suite: str, folder: Path) -> Path:
    """A pristine root, made once and kept in a folder; it appears whole or not at all.

    Raises:
        HostToolError: there is no debootstrap and none can be installed, or it failed.
    """
    place, reporter = folder / system, Reporter()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{system}.lock"):
        if not place.is_dir():
            host_tools.require(("debootstrap",), install=True, reporter=reporter)
            with reporter.step(f"make root {system}") as step, files.whole_folder(place) as scratch:
                debootstrap(suite, DEFAULT_TARGET.architecture, _PACKAGES, scratch, step)
    return place
