"""What runs on this machine: platform tags (PEP 600, PEP 656) and the micro-architecture level."""

from __future__ import annotations

import os
from pathlib import Path

from packaging import tags

from manypython.model.target import Architecture, LibcFamily, Target

_LEVELS = {
    2: {"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"},
    3: {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"},
    4: {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}
"""What each level of the x86-64 psABI adds, by its names in ``/proc/cpuinfo``."""
_FIRST_GLIBC = 17


def level(cpuinfo: str | None = None) -> int:
    """The micro-architecture level of this machine: 1 to 4 for x86-64, else 1.

    Args:
        cpuinfo: the text of ``/proc/cpuinfo``; None: read it.
    """
    if cpuinfo is None:
        try:
            cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return 1
    line = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")
    flags = set(line.partition(":")[2].split())
    reached = 1
    for number, needed in _LEVELS.items():
        if not needed <= flags:
            break
        reached = number
    return reached


def platform_tags(target: Target | None = None) -> list[str]:
    """The platform tags a build may have, best first.

    Args:
        target: what it is to run on; None: this machine.
    """
    if target is None:
        return [tag for tag in tags.platform_tags() if tag.startswith(("manylinux_", "musllinux_"))]
    first = _FIRST_GLIBC if target.libc is LibcFamily.GLIBC else 0
    major, minor = target.floor
    return [
        Target(target.architecture, target.libc, (major, lower)).platform_tag
        for lower in range(minor, min(first, minor) - 1, -1)
    ]


def describe() -> str:
    """This machine in a few words, for messages."""
    tags_here = platform_tags()
    libc = (
        tags_here[0].removesuffix(f"_{os.uname().machine}") if tags_here else "a C library that is not known"
    )
    words = [
        os.uname().machine,
        libc.replace("manylinux_", "glibc ").replace("musllinux_", "musl ").replace("_", "."),
    ]
    if words[0] == Architecture.X86_64:
        words.append(f"level {level()}")
    return ", ".join(words)
