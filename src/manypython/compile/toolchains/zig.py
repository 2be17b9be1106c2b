"""zig: clang, lld and any glibc from 2.17 in one Python package; the embedded toolchain."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import metadata, util
from pathlib import Path

from manypython.compile.toolchains.base import STANDARD_PATH, VARIABLES, Compiler, Toolchain
from manypython.files import write_bytes
from manypython.model.errors import HostToolError
from manypython.model.target import Architecture, LibcFamily, Target, native_architecture
from manypython.progress import Reporter

_SPEEDS = (
    0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400,
)  # fmt: skip
_FASTER = (
    57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000,
    3000000, 3500000, 4000000,
)  # fmt: skip


_GUARD = """\
/* manypython: a random stack guard */
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

__attribute__((visibility("hidden"))) uintptr_t __stack_chk_guard;
__attribute__((used, retain)) static const char title[] = "manypython: a random stack guard";

__attribute__((constructor(101), no_stack_protector)) static void random_guard(void)
{
    memcpy(&__stack_chk_guard, (const void *)getauxval(AT_RANDOM), sizeof __stack_chk_guard);
    __stack_chk_guard &= ~(uintptr_t)255; /* a string that overruns ends there */
}
"""
"""Linked into every file for a machine whose stack guard is a variable.

zig's own run-time library defines that variable, the same in every program, and hides the C library's
from each file that needs anything else of it. This is the value glibc takes (``sysdeps`` of its ``ld.so``).
"""
_LINKING = """
link=
for word; do
    case $word in
        -o) link=yes ;;
        -c | -S | -E | -r) link=; break ;;
    esac
done
[ -z "$link" ] || set -- -O2 -g0 -fno-sanitize=undefined "$@" "$(dirname "$0")/guard.c"
"""
_GUARDED = (Architecture.AARCH64,)


def _termios() -> str:
    """``bits/termios-baud.h`` with the kernel's codes for line speeds, as glibc had them until 2.41.

    zig's headers are newer than what it links for: they say ``B9600`` is 9600, which only the
    ``cfsetospeed`` of glibc 2.42 understands (termios(3)). With those no serial port could be opened.
    """
    codes = {speed: code for code, speed in enumerate(_SPEEDS)}
    codes |= {speed: 0o10001 + code for code, speed in enumerate(_FASTER)}
    lines = [f"#define B{speed} {code:#08o}".replace("0o", "0") for speed, code in codes.items()]
    lines += [
        "#define __MAX_BAUD B4000000",
        "#ifdef __USE_MISC",
        "# define EXTA B19200",
        "# define EXTB B38400",
    ]
    return "\n".join((*lines, "# define NCC 8", "#endif", ""))


class Zig(Compiler):
    """The embedded toolchain: no compiler, no container and no root is needed."""

    name = title = "zig"
    pgo = lto = False
    crosses = promises = True

    def lowest(self, native: Architecture) -> Target:
        """Glibc 2.17, the oldest whose headers and symbols it has that we verify on."""
        return Target(native, LibcFamily.GLIBC, LibcFamily.GLIBC.usual_floor)

    @contextmanager
    def toolchain(
        self, target: Target, *, cache: Path, offline: bool, reporter: Reporter
    ) -> Iterator[Toolchain]:
        """Its drivers, written into the cache."""
        yield zig(target, cache)


def zig(target: Target, cache: Path) -> Toolchain:
    """The embedded default: ``zig cc``, which carries clang, lld and any glibc from 2.17.

    Writes four driver scripts into the cache; they hold the target, so that
    ``CC`` is one word.

    Raises:
        HostToolError: the ``ziglang`` package is not installed beside us.
    """
    program, here = zig_folder() / "zig", native_architecture()
    version = zig_version()
    floor = "" if target.libc.abi == "musl" else f".{target.floor[0]}.{target.floor[1]}"
    triple = f"{target.architecture}-linux-{target.libc.abi}{floor}"
    # -I, for zig's own headers come before any -isystem
    compiling = f'-target {triple} -I"$(dirname "$0")/include"'
    drivers = {"clang": f"cc {compiling}", "clang++": f"c++ {compiling}", "ar": "ar", "ranlib": "ranlib"}
    guard, linking = (_GUARD, _LINKING) if target.architecture in _GUARDED else ("", "")
    files = {
        name: "#!/bin/sh\n"
        + (linking if name.startswith("clang") else "")
        + f'exec {shlex.quote(str(program))} {words} "$@"\n'
        for name, words in drivers.items()
    }
    files["include/bits/termios-baud.h"] = _termios()
    if guard:
        files["guard.c"] = guard
    digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:12]
    folder = cache / "toolchains" / f"zig-{version}-{target}-{digest}"
    for name, text in files.items():
        if not (folder / name).exists():
            write_bytes(folder / name, text.encode(), 0o755)
    return Toolchain(
        "zig",
        version,
        "",
        target,
        tuple((variable, str(folder / driver)) for variable, driver in zip(VARIABLES, drivers, strict=True)),
        path=f"{folder}:{STANDARD_PATH}",
        needed=(
            # zig turns undefined behaviour into a trap unless told otherwise
            "-fno-sanitize=undefined",
            # zig makes __DATE__ an error; SOURCE_DATE_EPOCH gives it a fixed value
            "-Wno-date-time",
        ),
        cflags=("-fPIC", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2"),
        # lld refuses version scripts that name a symbol the library lacks (zlib's probe)
        ldflags=("-Wl,--undefined-version", "-Wl,-s"),
        environment=(
            ("ZIG_GLOBAL_CACHE_DIR", str(cache / "zig")),
            ("ZIG_LOCAL_CACHE_DIR", str(cache / "zig")),
        ),
        folders=(str(zig_folder()),),
        headers=hashlib.sha256((compiling + _termios() + linking + guard).encode()).hexdigest()[:12],
        native=zig(replace(target, architecture=here), cache) if here and not target.runs_here else None,
    )


def zig_folder() -> Path:
    """Where the ``ziglang`` package is installed.

    Raises:
        HostToolError: it is not.
    """
    spec = util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise HostToolError(
            "the zig toolchain is not installed: Python package ziglang is missing",
            remedy="pip install 'manypython[build]'",
        )
    return Path(spec.origin).parent


def zig_version() -> str:
    """The version of the ``ziglang`` package."""
    return metadata.version("ziglang")
