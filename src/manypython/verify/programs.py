"""Small C programs and libraries that checks need, compiled by zig for any glibc from 2.17 on."""

from __future__ import annotations

import os
from pathlib import Path

from manypython import process
from manypython.compile.toolchains.zig import zig_folder
from manypython.model.errors import HostToolError
from manypython.model.target import Architecture


def compile_c(architecture: Architecture, cache: Path, output: Path, *words: str | Path) -> None:
    """Compile and link.

    Args:
        architecture: what it is for.
        cache: the cache folder; zig keeps there what it made of its C library.
        output: the program or library.
        words: sources and options.

    Raises:
        HostToolError: there is no zig, or it failed.
    """
    triple = f"{architecture}-linux-gnu.2.17"
    zig = {"ZIG_GLOBAL_CACHE_DIR": str(cache / "zig"), "ZIG_LOCAL_CACHE_DIR": str(cache / "zig")}
    argv = (zig_folder() / "zig", "cc", "-target", triple, "-o", output, *words)
    try:
        process.run(argv, env={**os.environ, **zig})
    except process.ProgramError as error:
        raise HostToolError(f"{output.name} cannot be compiled: {error.result.output.strip()}") from None
