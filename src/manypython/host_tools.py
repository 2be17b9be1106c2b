"""What is needed from the host, looked up before anything is built or tried."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from manypython import process
from manypython.model.errors import HostToolError
from manypython.progress import Reporter


@dataclass(frozen=True)
class HostTool:
    """A program, a probe that shows that it works, and the packages that have it."""

    program: str
    apt: str
    """Debian's package, or several with a space between."""
    dnf: str
    probe: tuple[str, ...] = ()
    """Arguments with which it must exit 0; empty: it only has to be on PATH."""
    file: str = ""
    """Not a program but this file."""


_TOOLS = {
    tool.program: tool
    for tool in (
        HostTool("make", "make", "make"),
        HostTool("gcc", "gcc libc6-dev", "gcc"),
        HostTool("g++", "g++", "gcc-c++"),
        # Debian's perl-base is on every machine but lacks what OpenSSL's Configure loads.
        HostTool(
            "perl",
            "perl",
            "perl-core",
            ("-MIPC::Cmd", "-MTime::Piece", "-MFile::Compare", "-MFindBin", "-e", "1"),
        ),
        HostTool("autoreconf", "autoconf", "autoconf"),
        HostTool("aclocal", "automake", "automake"),
        HostTool("libtoolize", "libtool", "libtool"),
        HostTool("m4", "m4", "m4"),
        HostTool("qemu-aarch64-static", "qemu-user-static", "qemu-user-static-aarch64"),
        HostTool("qemu-x86_64-static", "qemu-user-static", "qemu-user-static-x86"),
        # what verify wants
        HostTool("bwrap", "bubblewrap", "bubblewrap"),
        HostTool("busybox", "busybox-static", "busybox"),
        HostTool("cc", "gcc libc6-dev", "gcc"),
        # libffi's configure.ac uses a macro that libtool ships with libltdl
        HostTool("ltdl.m4", "libltdl-dev", "libtool-ltdl-devel", file="/usr/share/aclocal/ltdl.m4"),
    )
}


def missing(programs: Iterable[str]) -> tuple[HostTool, ...]:
    """Which of these the host lacks, in a fixed order."""
    return tuple(tool for name in sorted(set(programs)) if not _works(tool := _tool(name)))


def require(programs: Iterable[str], *, install: bool, reporter: Reporter) -> None:
    """Make sure the host has these programs.

    Args:
        programs: names as recipes give them.
        install: install what is missing with the system's package manager (needs root).
        reporter: shows what is installed.

    Raises:
        HostToolError: some are missing; the remedy is the command that installs them.
    """
    lacking = missing(programs)
    if not lacking:
        return
    command = install_command(lacking)
    names = ", ".join(tool.program for tool in lacking)
    if not install or command is None or os.geteuid() != 0:
        raise HostToolError(
            f"programs are needed that this machine lacks: {names}",
            remedy=_advice(lacking),
        )
    reporter.note(f"installing what is needed from the host: {' '.join(command)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        with reporter.step("install host tools", names) as step:
            if command[0] == "apt-get":
                process.run(("apt-get", "update"), env=environment, on_line=step.line)
            process.run(command, env=environment, on_line=step.line)
    except process.ProgramError as error:
        raise HostToolError(
            f"could not install {names}: {' '.join(command)} failed:\n{_tail(error.result.output)}",
            remedy=_advice(lacking),
        ) from None
    if still := missing(tool.program for tool in lacking):
        names = ", ".join(tool.program for tool in still)
        raise HostToolError(f"installed, but still not working: {names}", remedy=_advice(still))


def require_clock(newest_source: float) -> None:
    """Insist that this machine's clock is right enough to build.

    Args:
        newest_source: when the newest source was written, in seconds since 1970.

    Raises:
        HostToolError: the clock is behind it.
    """
    now = time.time()
    if now < newest_source:
        raise HostToolError(
            f"the clock of this machine says {_day(now)}, before the sources were written "
            f"({_day(newest_source)}): configure and make would take old files for new ones",
            remedy="set the clock",
        )


def require_proc() -> None:
    """Insist that there is a ``/proc``: zig and bubblewrap look there for their own files.

    Raises:
        HostToolError: there is none.
    """
    if not Path("/proc/self/exe").exists():
        raise HostToolError("/proc is not mounted", remedy="run: mount -t proc proc /proc")


def install_command(tools: Iterable[HostTool]) -> tuple[str, ...] | None:
    """The command of this host's package manager, or None where it has neither apt-get nor dnf."""
    tools = tuple(tools)
    if shutil.which("apt-get"):
        packages = sorted({name for tool in tools for name in tool.apt.split()})
        return ("apt-get", "install", "-y", "--no-install-recommends", *packages)
    if shutil.which("dnf"):
        return ("dnf", "install", "-y", *sorted({tool.dnf for tool in tools}))
    return None


def installable(*programs: str) -> bool:
    """Whether this process can install programs."""
    return os.geteuid() == 0 and install_command(tuple(map(_tool, programs))) is not None


def advice(*programs: str) -> str:
    """How to get programs: the remedy where they are missing."""
    return _advice(tuple(map(_tool, programs)))


def _advice(tools: tuple[HostTool, ...]) -> str:
    apt = " ".join(sorted({tool.apt for tool in tools}))
    dnf = " ".join(sorted({tool.dnf for tool in tools}))
    return (
        f"run: apt-get install -y {apt}   (Fedora, RHEL: dnf install -y {dnf}), "
        "or pass --install-host-tools as root"
    )


def _tool(name: str) -> HostTool:
    return _TOOLS.get(name) or HostTool(name, name, name)


def _works(tool: HostTool) -> bool:
    if tool.file:
        return Path(tool.file).is_file()
    program = shutil.which(tool.program)
    if program is None or not tool.probe:
        return program is not None
    return process.run((program, *tool.probe), check=False).returncode == 0


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def _tail(output: str) -> str:
    return "\n".join(output.splitlines()[-12:])
