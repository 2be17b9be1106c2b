"""Repacks for readers that want another shape: rootless archives for setup-python and Heroku, PyBI files.

They are made of the members of the main archive and of nothing else. A path has everything
in it that tells builds apart, so that a file of a site never changes its bytes while
an older manifest names it. The one exception is the name that Heroku's own buildpack
asks for: it has no room for a build number, and no manifest names it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath

from manypython.archives.members import Member, complete, sha256
from manypython.archives.read import members
from manypython.archives.write import WRITERS, Effort
from manypython.index.choice import PLAIN, THREADS, on_glibc, usual
from manypython.index.model import Build, File, Index
from manypython.model.errors import ArchiveError
from manypython.model.target import Architecture
from manypython.site.render import setup_python, simple

HEROKU = "heroku/"
_STACK, _GLIBC = "ubuntu-24.04", (2, 39)
"""Heroku's: the name that its buildpack asks for says so, and any build that runs there will do."""
_DEBIAN = {Architecture.X86_64: "amd64", Architecture.AARCH64: "arm64"}
_TOP = "python"
_PIP = re.compile(r"bin/pip[0-9.]*$|lib/[^/]+/site-packages/pip(-[^/]+)?(/|$)")


@dataclass(frozen=True)
class Repack:
    """One repack that an index lacks."""

    build: Build
    path: str
    """From the root of the site."""

    @property
    def is_link(self) -> bool:
        """Whether it has the very bytes of the build's zip."""
        return self.path.startswith(simple.FOLDER)


def missing(index: Index) -> tuple[Repack, ...]:
    """The repacks to make: for setup-python of the usual builds, for Heroku, and a PyBI of every zip."""
    repacks = [Repack(b, _gha(b)) for b in usual(index.builds).values() if b.variant in (PLAIN, THREADS)]
    repacks += [
        Repack(build, _heroku(build)) for build in _for_heroku(index) if not build.version.is_prerelease
    ]
    repacks += [
        Repack(build, _pybi(build))
        for build in index.builds
        if build.file(".zip") and build.variant in (PLAIN, THREADS) and build.target.level == 1
    ]
    return tuple(
        repack for repack in repacks if not any(file.path == repack.path for file in repack.build.files)
    )


def aliases(index: Index) -> dict[str, str]:
    """The names that Heroku's buildpack asks for, and the path of what lies there."""
    paths = {}
    for build in _for_heroku(index):
        if (file := build.under(HEROKU)) is not None:
            paths[f"{HEROKU}{file.name}"] = file.path
    return paths


def _for_heroku(index: Index) -> list[Build]:
    return [build for build in on_glibc(index.builds, _GLIBC).values() if build.variant == PLAIN]


def make(build: Build, paths: Sequence[str], site: Path, effort: Effort) -> tuple[File, ...]:
    """Write repacks of one build, each whole or not at all.

    One that is there already is kept as it is: a run that was killed may have left it,
    and a list of checksums may name it.

    Args:
        build: what is repacked; its main archive is in the site.
        paths: of the repacks, from the root of the site.
        site: its root.
        effort: how hard they are compressed.

    Raises:
        ArchiveError: the main archive cannot be read, or has something outside its one folder.
        OutputError: the site cannot be written.
    """
    todo = [path for path in paths if not (site / path).exists()]
    if todo:
        tree = rootless(site / build.archive.path)
        for path in todo:
            for_action = path.startswith(setup_python.FOLDER)
            content = (*tree, _setup(build)) if for_action else _without_pip(tree)
            suffix = next(suffix for suffix in WRITERS if path.endswith(suffix))
            WRITERS[suffix](site / path, complete(content), build.number.epoch, effort)
    return tuple(file_facts(path, site / path) for path in paths)


def rootless(archive: Path) -> tuple[Member, ...]:
    """The members of an archive without the one folder they lie in.

    Raises:
        ArchiveError: something lies outside of it.
    """
    tree_members = []
    for member in members(archive):
        top, *rest = member.name.parts
        if top != _TOP:
            raise ArchiveError(f"{archive}: {member.name}: lies outside of {_TOP}/")
        if rest:
            tree_members.append(Member(PurePosixPath(*rest), member.content, member.link, member.executable))
    return tuple(tree_members)


def file_facts(path: str, file: Path) -> File:
    """What an index says about an archive; every member is read for it.

    Raises:
        ArchiveError: it is truncated, or has a member that must not be unpacked.
    """
    unpacked = sum(len(member.read()) for member in members(file))
    return File(path, sha256(file), file.stat().st_size, unpacked)


def _folder(build: Build) -> str:
    """The build number, and what the names of repacks leave out: policy, toolchain, profile."""
    variant = build.id.variant
    return "-".join(filter(None, (str(build.number), build.target.mark, variant.toolchain, variant.profile)))


def _gha(build: Build) -> str:
    version, architecture = setup_python.semver(build.version), setup_python.architecture(build)
    name = f"python-{version}-linux-{architecture}.tar.gz"
    return f"{setup_python.FOLDER}{_folder(build)}/{name}"


def _heroku(build: Build) -> str:
    name = f"python-{build.version}-{_STACK}-{_DEBIAN[build.target.architecture]}.tar.zst"
    return f"{HEROKU}{_folder(build)}/{name}"


def _pybi(build: Build) -> str:
    return f"{simple.FOLDER}{build.id.pybi}"


def _setup(build: Build) -> Member:
    """``setup.sh`` with the place the action will look in; its words are our own, so they are not quoted."""
    version = build.version
    words = {
        "VERSION": setup_python.semver(version),
        "ARCHITECTURE": setup_python.architecture(build),
        "PROGRAM": f"python{version.major}.{version.minor}{'t' if build.variant == THREADS else ''}",
    }
    text = files("manypython.site").joinpath("setup.sh").read_text("utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return Member(PurePosixPath("setup.sh"), text.encode(), executable=True)


def _without_pip(tree: Sequence[Member]) -> tuple[Member, ...]:
    """What Heroku's buildpack expects: it installs a pip, whose scripts name ``/app``, where it finds none.

    Ours follows the link at ``/app`` to the folder of the build, and what it installs would name that.
    """
    return tuple(member for member in tree if _PIP.match(str(member.name)) is None)
