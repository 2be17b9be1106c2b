"""A real glibc 2.17, headers and libraries, from the ``ppbt`` package."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path
from typing import IO

from manypython import files, process
from manypython.model.errors import HostToolError
from manypython.model.target import Architecture
from manypython.progress import Reporter

PACKAGE = "ppbt"
_TOP = "/sysroot/"
_FOLDERS = ("lib", "usr/lib", "usr/include")
_COMPILERS = ("libstdc++", "libsupc++", "libgcc_s", "libatomic", "libitm")
"""Libraries of the package's own GCC, which lie beside the C library's: another GCC has its own."""
_LINKS = {"lib64": "lib", "usr/lib64": "lib"}


def place(architecture: Architecture, cache: Path) -> Path:
    """The folder a sysroot is kept in; it may not exist yet."""
    return cache / "toolchains" / f"{version()}-{architecture}"


def version() -> str:
    """Which sysroot it is: part of a build's digest."""
    try:
        return f"{PACKAGE}-{metadata.version(PACKAGE)}"
    except metadata.PackageNotFoundError:
        raise _missing() from None


def create(architecture: Architecture, cache: Path, reporter: Reporter) -> Path:
    """What a compiler needs to build for glibc 2.17: whole or not there, and once.

    Args:
        architecture: of its libraries.
        cache: where it is kept.
        reporter: shows what is done.

    Raises:
        HostToolError: the package is not installed, or cannot be had for this architecture.
        OutputError: the cache cannot be written.
    """
    folder = place(architecture, cache)

    def fill(scratch: Path) -> None:
        with reporter.step("unpack sysroot", folder.name):
            _lay(architecture, scratch)

    return files.cache_once(folder, fill)


def _lay(architecture: Architecture, scratch: Path) -> None:
    for name, goal in _LINKS.items():
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / name).symlink_to(goal)
    with opened(architecture) as tar:
        for member in tar:
            name = member.name.partition(_TOP)[2]
            path = scratch / name
            if not name.startswith(tuple(f"{folder}/" for folder in _FOLDERS)) or member.isdir():
                continue
            if not path.name.startswith(_COMPILERS):
                path.parent.mkdir(parents=True, exist_ok=True)
                extract(tar, member, path)


@contextlib.contextmanager
def opened(architecture: Architecture) -> Iterator[tarfile.TarFile]:
    """The package's archive.

    Raises:
        HostToolError: the package is not installed, or cannot be had for this architecture.
    """
    spec = util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise _missing()
    place = Path(spec.origin).parent / "_toolchain" / f"{architecture}-linux-gnu.tar.xz"
    with contextlib.ExitStack() as stack:
        if place.is_file():
            archive: IO[bytes] = stack.enter_context(place.open("rb"))
        else:
            archive = stack.enter_context(_of_another_machine(place, architecture))
        yield stack.enter_context(tarfile.open(fileobj=archive))


def extract(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write a file or a link of an archive so that any user can run it.

    Not by ``TarFile.extract``, whose ``filter`` Python 3.11.2 does not know and 3.12 warns without.
    """
    if member.issym():
        path.symlink_to(member.linkname)
    elif (content := tar.extractfile(member)) is not None:
        with content, path.open("wb") as file:
            shutil.copyfileobj(content, file)
        path.chmod(0o755)


def _missing() -> HostToolError:
    return HostToolError(
        f"a real glibc 2.17 is missing: Python package {PACKAGE} is not installed",
        remedy="pip install 'manypython[build]'",
    )


@contextlib.contextmanager
def _of_another_machine(place: Path, architecture: Architecture) -> Iterator[IO[bytes]]:
    """A file of the package that pip would install on another machine."""
    version = metadata.version(PACKAGE)
    with tempfile.TemporaryDirectory() as scratch:
        words = (
            "--no-deps",
            "--only-binary=:all:",
            f"--platform=manylinux_2_17_{architecture}",
            "-d",
            scratch,
        )
        try:
            process.run((sys.executable, "-m", "pip", "download", "-q", f"{PACKAGE}=={version}", *words))
        except process.ProgramError as error:
            raise HostToolError(
                f"there is no glibc 2.17 for {architecture}: pip cannot download {PACKAGE} {version}:\n"
                f"{error.result.output}",
                remedy="see that the package index can be reached",
            ) from None
        wheel = next(Path(scratch).glob("*.whl"))
        with zipfile.ZipFile(wheel) as file, file.open(f"{PACKAGE}/_toolchain/{place.name}") as archive:
            yield archive
