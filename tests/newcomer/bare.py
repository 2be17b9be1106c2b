"""Bare Debian roots: what debootstrap makes of the fewest packages with which a clone can be used at all."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock

from manypython.build import debian, host_tools
from manypython.progress import Reporter

_PACKAGES = "python3,python3-pip,python3-venv,git,ca-certificates"


def root(system: str, suite: str, folder: Path) -> Path:
    """A pristine root, made once and kept in a folder; it appears whole or not at all.

    Raises:
        HostToolError: there is no debootstrap and none can be installed.
        CalledProcessError: debootstrap failed; it said why.
    """
    place = folder / system
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{system}.lock"):
        if not place.is_dir():
            host_tools.require(("debootstrap",), install=True, reporter=Reporter())
            scratch = Path(tempfile.mkdtemp(prefix=".", dir=folder))
            try:
                _debootstrap(suite, scratch)
                scratch.chmod(0o755)
                scratch.rename(place)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return place


def _debootstrap(suite: str, scratch: Path) -> None:
    mirror = [url for url in debian.mirrors() if "security" not in url][:1]  # none: debootstrap has its own
    options = ("--variant=minbase", f"--include={_PACKAGES}")
    subprocess.run(("debootstrap", *options, suite, scratch, *mirror), check=True)
    shutil.rmtree(scratch / "var/cache/apt/archives", ignore_errors=True)
