"""Machines that refuse things: each is made here, and verify ends well or with one clear line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from builds import Made
from foreign import sandboxes

from manypython.compile.toolchains.zig import zig_folder
from manypython.model.target import DEFAULT_TARGET
from manypython.verify.controls import Control, by_program
from manypython.verify.report import Check

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a machine poor")

CLONE3, OPENAT2, PTRACE = 435, 437, {"x86_64": 101, "aarch64": 117}[os.uname().machine]
ENOSYS, EPERM = 38, 1
FILTER = """
import ctypes, os, struct, sys
answer, border = int(sys.argv[1]), sys.argv.index("--")
libc = ctypes.CDLL(None, use_errno=True)
numbers = [int(word) for word in sys.argv[2:border]]
lines = [(0x20, 0, 0, 0)]
for left, number in zip(range(len(numbers), 0, -1), numbers):
    lines.append((0x15, left, 0, number))
lines += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x00050000 | answer)]
text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
program = ctypes.create_string_buffer(struct.pack("HL", len(lines), ctypes.addressof(text)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execvp(sys.argv[border + 1], sys.argv[border + 1:])
"""
"""Starts a program for which some system calls answer with an error (seccomp(2))."""
CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME)
        now->tv_sec = 1000000000; /* 2001 */
    return result;
}
"""


@dataclass(frozen=True)
class Machine:
    """A kind of poor machine."""

    name: str
    setup: str = ""
    """Shell commands in mount, network and pid namespaces of their own."""
    start: tuple[str, ...] = ()
    """What starts the command there."""
    namespaces: str = "-m"
    code: int = 0
    said: str = ""

    def argv(self, *words: str | Path) -> list[str]:
        script = f'set -e; {self.setup or ":"}; exec "$@"'
        inner = (*self.start, sys.executable, "-m", "manypython", *map(str, words))
        return ["unshare", *self.namespaces.split(), "sh", "-c", script, "sh", *inner]


def refusing(answer: int, *numbers: int) -> tuple[str, ...]:
    return (sys.executable, "-c", FILTER, str(answer), *map(str, numbers), "--")


NO_BUBBLEWRAP = "mkdir -p /run/none; for f in $(which -a bwrap); do mount --bind /dev/null $f; done"
NO_USER_NAMESPACES = "echo 0 > /proc/sys/user/max_user_namespaces"
PTS = "mount -t devpts -o newinstance,mode=600,ptmxmode=666 devpts /dev/pts; mount --bind /dev/pts/ptmx /dev/ptmx"
MACHINES = (
    Machine(
        "no gid in /dev/pts, and no bubblewrap",
        f"{PTS}; {NO_BUBBLEWRAP}",
        said="uses termios: OSError: out of pty devices (to a C program too: grantpt",
    ),
    Machine("no /dev/pts", "mount -t tmpfs none /dev/pts", said="uses termios: "),
    Machine("no /proc", "mount -t tmpfs none /proc", code=6, said="/proc is not mounted"),
    Machine("no /dev/shm", "mount -t tmpfs -o ro none /dev/shm", said="uses _posixshmem: "),
    Machine("no loopback", namespaces="-m -n"),
    Machine("no user namespaces", NO_USER_NAMESPACES, namespaces="-U -r -m", said="by its loader only"),
    Machine("newer calls missing", start=refusing(ENOSYS, PTRACE, CLONE3, OPENAT2)),
    Machine(
        "clone3 forbidden", start=refusing(EPERM, PTRACE, CLONE3, OPENAT2), code=6, said="lets no program start a thread"
    ),
    Machine(
        "no /tmp for others",
        "mount -t tmpfs -o mode=700 none /tmp; mount -t tmpfs -o mode=700 none /var/tmp",
        said="No usable temporary directory found in ['/tmp', '/var/tmp'",  # the tree stands in the cache folder
    ),
    Machine("64 MB of /tmp", "mount -t tmpfs -o size=64m,mode=1777 none /tmp"),
    Machine(
        "no room anywhere",
        'mount -t tmpfs -o size=64m,mode=1777 none /tmp; mount -t tmpfs -o size=64m none /var/tmp; '
        'mount -t tmpfs -o size=64m none "$MANYPYTHON_CACHE_DIR"',
        code=10,
        said="/tmp: has room for 67 MB",
    ),
    Machine("noexec /tmp", "mount -t tmpfs -o noexec,mode=1777 none /tmp"),
    Machine("one core", start=("taskset", "-c", "0")),
    Machine("no locale, no variable", start=("env", "-i", "PATH=/usr/bin:/bin")),
    Machine(
        "no HOME, no passwd entry",
        # without nsswitch.conf(5) no module of the C library's makes root up
        "mount --bind /dev/null /etc/passwd; mount --bind /dev/null /etc/nsswitch.conf",
        start=("env", "-i", "PATH=/usr/bin:/bin"),
        code=10,
        said="there is no home folder",
    ),
    Machine("umask 077", "umask 077"),
)  # fmt: skip


@pytest.fixture(scope="module")
def place(made: Made) -> Iterator[Path]:
    """A folder that no machine mounts anything over: a tree, and a folder for the cache."""
    folder = Path("/var/lib/manypython-poor")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made.tree, folder / "tree", symlinks=True)
    (folder / "cache").mkdir()
    yield folder
    shutil.rmtree(folder)


def run(
    machine: Machine, *words: str | Path, cache: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command on a machine; its output and errors together."""
    env = {**os.environ, "MANYPYTHON_CACHE_DIR": str(cache), **environment}
    return subprocess.run(
        machine.argv(*words),
        env=env,
        cwd="/",
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_verify_ends_well_or_with_one_clear_line(machine: Machine, place: Path) -> None:
    sandboxes()
    done = run(machine, "verify", place / "tree", cache=place / "cache")
    assert done.returncode == machine.code, done.stdout
    assert machine.said in done.stdout, done.stdout
    assert "Traceback" not in done.stdout
    errors = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert len(errors) == (machine.code != 0), done.stdout


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        ("mount -t tmpfs none /proc", "/proc is not mounted"),
        ("", "the clock of this machine says 2001-09-09"),
    ],
)
def test_make_says_so_before_it_builds(setup: str, said: str, own_cache: Path, tmp_path: Path) -> None:
    preload = {}
    if not setup:
        (tmp_path / "clock.c").write_text(CLOCK)
        triple = f"{DEFAULT_TARGET.architecture}-linux-gnu.2.17"
        argv = (zig_folder() / "zig", "cc", "-target", triple, "-shared", "-o", "clock.so", "clock.c", "-ldl")
        warm = {"ZIG_GLOBAL_CACHE_DIR": str(own_cache / "zig"), "ZIG_LOCAL_CACHE_DIR": str(own_cache / "zig")}
        subprocess.run(argv, check=True, cwd=tmp_path, env={**os.environ, **warm})
        preload = {"LD_PRELOAD": str(tmp_path / "clock.so")}
    done = run(
        Machine("poor", setup),
        "make",
        "3.13",
        "--dist",
        tmp_path / "dist",
        cache=tmp_path / "cache",
        **preload,
    )
    assert done.returncode == 6, done.stdout
    assert f"error: {said}" in done.stdout
    assert "build" not in done.stdout.partition("error:")[0]


def test_the_c_program_says_what_the_system_refuses(own_cache: Path, tmp_path: Path) -> None:
    (own_cache / "controls").unlink()  # it is compiled here

    def control(*start: str) -> Control:
        return by_program(DEFAULT_TARGET.architecture, own_cache, lambda program: (*start, program))

    suspects = tuple(
        Check("debian-12", "plain", name, ok=False, detail="", seconds=0.1, cause="OSError")
        for name in (
            "uses termios",
            "uses _posixshmem",
            "uses _posixsubprocess",
            "rest",
            "uses _socket",
            "text",
        )
    )
    assert control()(suspects) == {}, "all of it can be had here"
    assert "mkstemp: No such file" in control("env", f"TMPDIR={tmp_path}/no")(suspects)["text"]
    alone = control("unshare", "-n")(suspects)
    assert list(alone) == ["uses _socket"], "without a loopback interface nothing else is refused"
    threads = control(*refusing(EPERM, CLONE3, 56))(suspects)  # 56: clone(2) of x86_64
    assert "Operation not permitted" in threads["rest"]
