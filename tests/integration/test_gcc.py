"""GCC of this machine, moved away from this machine's C library."""

from __future__ import annotations

import subprocess
from pathlib import Path

from foreign import CACHE, host_packages
from packaging.version import Version

from manypython.compile.toolchains.gcc import HostGcc
from manypython.elf.reading import dynamic_symbols
from manypython.model.target import DEFAULT_TARGET
from manypython.progress import Silent

PROGRAM = """
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static void *square(void *number) { return (void *)((long)number * (long)number); }
int main(int count, char **words)
{
    pthread_t thread;
    struct timespec now;
    void *result;
    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_create(&thread, NULL, square, (void *)strtol("12", NULL, 10));
    pthread_join(thread, &result);
    printf("%ld %.3f\\n", (long)result, pow(count + 1, 0.5));
    return 0;
}
"""


def test_what_it_makes_needs_the_c_library_of_2012_and_runs_here(tmp_path: Path) -> None:
    """Instrumented for a training too, and optimised across files: each takes libraries of GCC's own."""
    host_packages("gcc", "libc6-dev")
    (tmp_path / "program.c").write_text(PROGRAM)
    with HostGcc().toolchain(DEFAULT_TARGET, cache=CACHE, offline=True, reporter=Silent()) as gcc:
        for number, flags in enumerate((("-O2",), ("-O2", "-flto"), ("-O2", "-fprofile-generate"))):
            output = tmp_path / f"program-{number}"
            words: tuple[str | Path, ...] = (
                "gcc",
                *flags,
                *gcc.cflags,
                *gcc.ldflags,
                "program.c",
                "-o",
                output,
                "-lm",
                "-lpthread",
            )
            environment = {"PATH": gcc.path, "GCOV_PREFIX": str(tmp_path)}
            subprocess.run(words, cwd=tmp_path, env=environment, check=True)
            said = subprocess.run((output,), env=environment, capture_output=True, text=True, check=True)
            assert said.stdout == "144 1.414\n"
            versions = {
                symbol.version for symbol in dynamic_symbols(output) if symbol.version.startswith("GLIBC_")
            }
            assert versions, "it is linked to a C library"
            assert max(Version(version.removeprefix("GLIBC_")) for version in versions) <= Version("2.17")
        assert str(tmp_path) not in gcc.identity
        assert str(CACHE) not in gcc.identity
