"""Container engines: which there are, and the one container that a build runs in."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from manypython import process
from manypython.model.errors import ContainerError


class Engine(StrEnum):
    """A program that starts containers, in the order in which they are tried."""

    DOCKER = "docker"
    PODMAN = "podman"
    BUILDAH = "buildah"


@dataclass(frozen=True)
class Container:
    """One running container, and how a command gets into it."""

    engine: Engine
    name: str
    image: str
    folders: tuple[Path, ...]
    """Mounted, each under its own path."""
    user: str = ""
    """``uid:gid`` inside; empty: root of the container, who is the caller in a rootless one."""

    def start(self) -> tuple[str, ...]:
        """The command that starts it.

        Under docker and podman its main process waits for the end of our standard
        input: when we are gone, for whatever reason, so is the container.
        """
        if self.engine is Engine.BUILDAH:
            return (self.engine, "from", "--pull-never", "--name", self.name, self.image)
        user = ("--user", self.user) if self.user else ()
        return (
            self.engine, "run", "--rm", "--interactive", "--name", self.name, "--network", "none",
            # the mounted folder is the user's own cache: it is not relabelled for SELinux
            "--security-opt", "label=disable", *user, *self._volumes(), "--workdir", "/",
            "--entrypoint", "/bin/sh", self.image, "-c", f"echo {process.READY}; cat >/dev/null",
        )  # fmt: skip

    def enter(self, argv: tuple[str, ...], *, cwd: Path, env: Mapping[str, str]) -> tuple[str, ...]:
        """The command of the host that runs a command inside."""
        settings = tuple(word for key, value in env.items() for word in ("--env", f"{key}={value}"))
        if self.engine is Engine.BUILDAH:
            return (
                *without_network(), self.engine, "run", "--isolation", "chroot", *self._volumes(),
                "--workingdir", str(cwd), *settings, self.name, "--", *argv,
            )  # fmt: skip
        return (self.engine, "exec", "--workdir", str(cwd), *settings, self.name, *argv)

    def running(self) -> tuple[str, ...]:
        """A command that exits 0 as long as the container is there."""
        if self.engine is Engine.BUILDAH:
            return (self.engine, "inspect", "--type", "container", self.name)
        return (self.engine, "exec", self.name, "true")

    def stop(self) -> tuple[str, ...]:
        """The command that ends it, whatever runs inside."""
        force = () if self.engine is Engine.BUILDAH else ("--force",)
        return (self.engine, "rm", *force, self.name)

    def _volumes(self) -> tuple[str, ...]:
        return tuple(word for folder in self.folders for word in ("--volume", f"{folder}:{folder}"))


@dataclass(frozen=True)
class Inside:
    """What is in an image."""

    compiler: str
    """GCC's version."""
    libc: str
    """``glibc 2.31``; empty where ``getconf`` does not say (musl)."""
    packages: str
    """sha256 of the list of its packages with their versions: images with the same packages are the same."""
    path: str
    loader_path: str
    """``LD_LIBRARY_PATH`` of the image: pypa's compilers want it."""


def candidate_engines(
    engine: Engine | None, which: Callable[[str], str | None] = shutil.which
) -> tuple[Engine, ...]:
    """The engines to try.

    Raises:
        ContainerError: the one asked for, or every one, is missing.
    """
    candidates = tuple(Engine) if engine is None else (engine,)
    engines = tuple(candidate for candidate in candidates if which(candidate))
    if not engines:
        raise ContainerError(
            f"no container engine: {', '.join(candidates)} not found on PATH",
            remedy="install one, e.g.: apt-get install -y buildah   (Fedora, RHEL: dnf install -y buildah)",
        )
    return engines


def present(engine: Engine, tag: str) -> tuple[str, ...]:
    """A command that exits 0 where an image is already here."""
    if engine is Engine.BUILDAH:
        return (engine, "inspect", "--type", "image", tag)
    return (engine, "image", "inspect", tag)


def build(engine: Engine, base: str, tag: str, folder: Path) -> tuple[str, ...]:
    """The command that builds ``folder/Dockerfile``; only this one may use the network."""
    how = ("bud", "--isolation", "chroot") if engine is Engine.BUILDAH else ("build", "--network", "host")
    return (
        engine, *how, "--build-arg", f"BASE={base}", "--tag", tag,
        "--file", str(folder / "Dockerfile"), str(folder),
    )  # fmt: skip


def ask(engine: Engine, argv: tuple[str, ...]) -> str:
    """What an engine answers.

    Raises:
        ContainerError: it refuses.
    """
    try:
        return process.run(argv).output
    except process.ProgramError as error:
        raise ContainerError(
            f"{engine}: {last_line(error)}",
            remedy=f"see that `{engine} info` works for this user, or take another with --engine",
        ) from None


def last_line(error: process.ProgramError) -> str:
    """The line in which an engine says what is wrong."""
    lines = [line for line in error.result.output.splitlines() if line.strip()]
    marked = [line for line in lines if re.match(r"(?i)(error|cannot|.*permission denied)", line)]
    return (marked or lines or [str(error)])[-1][:240]


def user_inside(engine: Engine) -> str:
    """The user a command inside must run as for its files to be the caller's."""
    if engine is not Engine.DOCKER or os.geteuid() == 0:
        return ""
    rootless = "rootless" in ask(engine, (engine, "info", "--format", "{{.SecurityOptions}}"))
    return "" if rootless else f"{os.getuid()}:{os.getgid()}"


def without_network() -> tuple[str, ...]:
    """Buildah has no ``--network none`` under chroot isolation, so it is started without a network."""
    rootless = () if os.geteuid() == 0 else (Engine.BUILDAH, "unshare", "--")
    return (*rootless, "unshare", "--net", "--")
