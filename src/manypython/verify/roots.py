"""Foreign roots: other people's userlands, made once and kept in the cache folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from manypython import files, host_tools, process
from manypython.compile import debian
from manypython.compile.toolchains import sysroot
from manypython.model.errors import HostToolError, UsageError
from manypython.model.target import Architecture
from manypython.progress import Reporter, Step
from manypython.verify import emulation

HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
"""What every machine has in ``/etc/hosts``."""
_MARK = "/sysroot/lib/"
_DEBIAN = {Architecture.X86_64: "amd64", Architecture.AARCH64: "arm64"}


@dataclass(frozen=True)
class Root:
    """A userland to run the product in."""

    name: str
    glibc: tuple[int, int] | None
    """Its version, which the probe must find there; None where it moves."""
    suite: str = ""
    """Debian's name of it; empty: the sysroot of package ``ppbt``, and nothing else."""

    def mounts(self, folder: Path) -> tuple[str, ...]:
        """Bubblewrap's arguments that make this root the root."""
        if self.suite:
            return ("--ro-bind", str(folder), "/")
        # loaders are called by /lib64 on x86_64 and by /lib on aarch64
        return ("--ro-bind", str(folder), "/lib64", "--symlink", "lib64", "/lib")


ROOTS = {
    root.name: root
    for root in (
        Root("glibc-2.17", (2, 17)),
        Root("debian-11", (2, 31), "bullseye"),
        Root("debian-12", (2, 36), "bookworm"),
        Root("debian-13", (2, 41), "trixie"),
        Root("debian-sid", None, "sid"),
    )
}


def select(names: Iterable[str]) -> tuple[Root, ...]:
    """The roots of these names, ``all`` for each; none twice.

    Raises:
        UsageError: there is no such root.
    """
    chosen: dict[str, Root] = {}
    for name in names:
        if name != "all" and name not in ROOTS:
            raise UsageError(f"no root {name!r}", remedy=f"give one of {', '.join(ROOTS)}, or all")
        chosen.update(ROOTS if name == "all" else {name: ROOTS[name]})
    return tuple(chosen.values())


def place(root: Root, architecture: Architecture, cache: Path) -> Path:
    """The folder a root is kept in; it may not exist yet."""
    return cache / "roots" / f"{root.name}-{architecture}"


def create(
    root: Root, architecture: Architecture, cache: Path, reporter: Reporter, *, install: bool = False
) -> Path:
    """Make a root, unless it is there already.

    It appears whole or not at all; two runs at once make it once.

    Args:
        root: which.
        architecture: of its programs.
        cache: the folder for all roots and builds.
        reporter: shows what is done.
        install: install the host programs it takes (as root).

    Raises:
        HostToolError: something it takes is not installed, or debootstrap failed.
        OutputError: the cache cannot be written.
    """
    folder = place(root, architecture, cache)

    def fill(scratch: Path) -> None:
        if root.suite:
            if os.geteuid() != 0:
                raise only_root(root)
            host_tools.require(("debootstrap",), install=install, reporter=reporter)
            emulation.require(architecture, install=install, reporter=reporter)
        with reporter.step(f"make root {folder.name}") as step:
            _lay(root, architecture, step, scratch)

    return files.cache_once(folder, fill)


def only_root(root: Root) -> HostToolError:
    """The error for an ordinary user who asks for a root of Debian."""
    return HostToolError(
        f"{root.name} can only be made by root (debootstrap)",
        remedy="make it as root into a folder you can read: "
        f"sudo manypython roots create {root.name} --cache-dir DIR; then use the same --cache-dir",
    )


def existing(cache: Path) -> dict[str, int]:
    """The roots that are there: folder name, and bytes on disk."""
    folders = sorted(path for path in (cache / "roots").glob("*-*") if path.is_dir())
    return {folder.name: disk_bytes(folder) for folder in folders if not folder.name.startswith(".")}


def remove(root: Root, architecture: Architecture, cache: Path) -> bool:
    """Remove a root; whether it was there."""
    folder = place(root, architecture, cache)
    if not folder.is_dir():
        return False
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        return files.remove_folder(folder)


def _lay(root: Root, architecture: Architecture, step: Step, scratch: Path) -> None:
    if root.suite:
        # netbase: /etc/services and /etc/protocols, which every installed system has
        debootstrap(root.suite, architecture, ("netbase",), scratch, step)
        (scratch / "etc/hosts").write_text(HOSTS)  # debootstrap leaves it to an installer
    else:
        _lay_sysroot(architecture, scratch)


def debootstrap(
    suite: str, architecture: Architecture, packages: tuple[str, ...], folder: Path, step: Step
) -> None:
    """Install a minimal Debian and some more packages.

    Args:
        suite: Debian's name of it.
        architecture: of its programs.
        packages: what is installed besides.
        folder: an empty one.
        step: shown what is done.

    Raises:
        HostToolError: this machine has no mirror, or debootstrap failed.
    """
    mirror = next((url for url in debian.mirrors() if "security" not in url), None)
    if mirror is None:
        raise HostToolError(debian.NO_MIRROR)
    included, machine = ",".join(packages), _DEBIAN[architecture]
    options = ("--variant=minbase", f"--include={included}", f"--arch={machine}")
    words = ("debootstrap", *options, suite, str(folder), mirror)
    try:
        process.run(words, on_line=step.line)
    except process.ProgramError as error:
        last_lines = "\n".join(f"  {line}" for line in error.result.output.splitlines()[-8:])
        raise HostToolError(
            f"debootstrap of Debian {suite} failed:\n{last_lines}",
            remedy=f"see that the mirror can be reached, or name another in {debian.ENVIRONMENT}",
        ) from None
    shutil.rmtree(folder / "var/cache/apt/archives", ignore_errors=True)


def _lay_sysroot(architecture: Architecture, scratch: Path) -> None:
    """The ``lib`` folder of a real glibc 2.17."""
    with sysroot.opened(architecture) as tar:
        for member in tar:
            _, mark, name = member.name.partition(_MARK)
            if mark and "/" not in name and ".so" in name:
                sysroot.extract(tar, member, scratch / name)
    if not (scratch / "ld-2.17.so").is_file():
        raise HostToolError(f"{sysroot.PACKAGE} holds no ld-2.17.so")


def disk_bytes(folder: Path) -> int:
    """Bytes on disk that the files below a folder take."""
    return sum(
        path.lstat().st_blocks * 512
        for place, _, names in os.walk(folder)
        for path in (Path(place, name) for name in names)
    )
