"""Somebody else's userlands, and packages of this machine's."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from manypython.folders import cache_home
from manypython.model.target import DEFAULT_TARGET, Architecture
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.verify import surroundings
from manypython.verify.roots import ROOTS, create, place
from manypython.verify.surroundings import PLAIN, PROBE, bubblewrap, command

CACHE = Path(cache_home(), "manypython")
ARCHITECTURE = DEFAULT_TARGET.architecture
LIBC = (
    "ld-",
    "libc.",
    "libc-",
    "libm.",
    "libm-",
    "libdl",
    "libpthread",
    "libresolv",
    "librt",
    "libutil",
    "libnss",
)


def sandboxes() -> None:
    """Have a bubblewrap that works, or skip and say why it does not (a chroot forbids it)."""
    host_packages("bubblewrap")
    if why := surroundings.works():
        pytest.skip(why)


def processes_naming(text: str) -> list[str]:
    """Command lines of running programs that have a text in them."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if text in line]


def host_packages(*packages: str) -> None:
    """Have packages of this Debian or Ubuntu machine, or skip and say which are missing."""
    asked = ("dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}\n", *packages)
    if shutil.which("dpkg-query") is None:
        pytest.skip("this is no Debian or Ubuntu machine")
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode == 0 and set(done.stdout.split()) == {"ii"}:
        return
    if os.geteuid() != 0:
        pytest.skip(f"needs packages of the host, and root to install them: {' '.join(packages)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with FileLock(Path(tempfile.gettempdir(), "manypython-tests-apt.lock")):
        subprocess.run(("apt-get", "update"), check=True, env=env)
        subprocess.run(
            ("apt-get", "install", "-y", "--no-install-recommends", *packages), check=True, env=env
        )


def foreign_root(name: str, architecture: Architecture = ARCHITECTURE) -> Path:
    """A foreign root, made once and kept in the cache folder."""
    if ROOTS[name].suite:
        if os.geteuid() != 0 and not place(ROOTS[name], architecture, CACHE).is_dir():
            pytest.skip(f"making the root {name} needs root (debootstrap)")
        host_packages("debootstrap")
    host_packages("bubblewrap")
    return create(ROOTS[name], architecture, CACHE, Reporter(quiet=True))


@dataclass(frozen=True)
class Foreign:
    """A tree in somebody else's userland: nothing of this machine but the kernel."""

    name: str
    """The root's."""
    bare: bool = False
    """Whether the root's own libraries are made unreadable, but for the libc family."""

    def run(self, tree: Path, *words: str) -> str:
        """Run the tree's interpreter there with these arguments."""
        root, folder = ROOTS[self.name], foreign_root(self.name)
        mounts = [*root.mounts(folder)]
        for path in sorted((folder / "usr/lib").glob("*-linux-gnu/*.so.*")) if self.bare else ():
            if not path.name.startswith(LIBC) and not path.is_symlink():
                mounts += ["--ro-bind", "/dev/null", f"/{path.relative_to(folder)}"]
        argv = command(tuple(mounts), Tree.open(tree), PLAIN, words)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def execute(self, program: Path, *words: str, **environment: str) -> str:
        """Run a program that stands in a folder of its own, with these arguments."""
        argv = (
            bubblewrap(), "--unshare-all", "--die-with-parent", "--clearenv",
            *ROOTS[self.name].mounts(foreign_root(self.name)),
            "--tmpfs", "/opt", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
            *(part for name, value in environment.items() for part in ("--setenv", name, value)),
            "--ro-bind", str(program.parent), "/opt/app", f"/opt/app/{program.name}", *words,
        )  # fmt: skip
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def prove(self, tree: Path, kind: str, modules: list[str]) -> dict[str, str]:
        """Run the whole probe; each check's name and what it saw."""
        rows = json.loads(self.run(tree, *PROBE, kind, *modules).splitlines()[-1])
        failed = [row for row in rows if not row["ok"]]
        assert not failed, failed
        return {row["name"]: row["detail"] for row in rows}
