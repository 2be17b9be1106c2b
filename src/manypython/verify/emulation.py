"""Running another machine's programs: qemu's user emulation, which the kernel calls by itself."""

from __future__ import annotations

import os
from pathlib import Path

from manypython import host_tools, process
from manypython.model.errors import HostToolError
from manypython.model.target import Architecture
from manypython.progress import Reporter

_FORMATS = Path("/proc/sys/fs/binfmt_misc")
"""The kernel's list of what runs foreign programs (binfmt_misc in its admin guide)."""
_CONFIGURED = Path("/usr/lib/binfmt.d")
"""What distributions have systemd register at boot (binfmt.d(5))."""


def works(architecture: Architecture) -> str:
    """Why this machine cannot run programs of an architecture; empty where it can."""
    if architecture == os.uname().machine:
        return ""
    entry = _registration(_FORMATS, architecture)
    if entry is None:
        return f"this machine cannot run {architecture} programs: {_FORMATS} has no emulator for them"
    lines = entry.read_text().splitlines()
    flags = next((line.partition(" ")[2] for line in lines if line.startswith("flags:")), "")
    # F: the kernel keeps the emulator open, so it is there in a root that lacks it
    if "enabled" not in lines or "F" not in flags:
        return f"{entry}: is not enabled with flag F (fix-binary)"
    return ""


def require(architecture: Architecture, *, install: bool, reporter: Reporter) -> None:
    """Make sure that this machine runs programs of an architecture.

    Args:
        architecture: of the programs.
        install: install and register the emulator (as root).
        reporter: shows what is installed.

    Raises:
        HostToolError: it does not.
    """
    why = works(architecture)
    if why and install and os.geteuid() == 0:
        host_tools.require((f"qemu-{architecture}-static",), install=True, reporter=reporter)
        _register(architecture)
        why = works(architecture)
    if why:
        raise HostToolError(
            why, remedy="run: apt-get install -y qemu-user-static, or pass --install-host-tools as root"
        )


def _registration(folder: Path, architecture: Architecture, ending: str = "") -> Path | None:
    """The emulator's entry in a folder, by Debian's name or Fedora's."""
    paths = (folder / f"qemu-{architecture}{more}{ending}" for more in ("", "-static"))
    return next((path for path in paths if path.exists()), None)


def _register(architecture: Architecture) -> None:
    """Do what systemd does at boot, for where it does not run: a container."""
    if not (_FORMATS / "register").exists():
        process.run(("mount", "-t", "binfmt_misc", "binfmt_misc", str(_FORMATS)), check=False)
    line = _registration(_CONFIGURED, architecture, ".conf")
    if line is None or _registration(_FORMATS, architecture):
        return
    try:
        (_FORMATS / "register").write_bytes(line.read_bytes())
    except OSError as error:
        raise HostToolError(
            f"{_FORMATS}: the emulator of {architecture} cannot be registered: {error.strerror}",
            remedy="register it on the host: a container may not",
        ) from None
