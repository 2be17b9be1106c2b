"""A container to build in. manypython stays outside: it sends in one command after the other.

So the host needs an engine and nothing else, the image needs a compiler and no Python, and
every stage after the build is the same code on the same tree. The cache folder is mounted
under its own path, nothing else is, and there is no network inside.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from manypython import process
from manypython.compile.images import Image
from manypython.model.errors import BuildError, ContainerError
from manypython.model.target import Architecture, LibcFamily
from manypython.progress import Reporter

_NAME = "manypython-"
_TAIL = 15
"""Lines of an image build's output that an error quotes."""


class Engine(StrEnum):
    """What starts containers, in the order it is looked for."""

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
        input: when we are gone, however that came, so is the container.
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
                *_without_network(), self.engine, "run", "--isolation", "chroot", *self._volumes(),
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
    """What an image was found to hold."""

    compiler: str
    """GCC's version."""
    libc: str
    """``glibc 2.31``; empty where ``getconf`` does not say (musl)."""
    packages: str
    """sha256 of the list of its packages with their versions: two images with the same are the same."""
    path: str
    loader_path: str
    """``LD_LIBRARY_PATH`` of the image: pypa's compilers want it."""


_LOOK = """\
printf '%s\\n' "$PATH" "$LD_LIBRARY_PATH"
gcc -dumpfullversion
getconf GNU_LIBC_VERSION 2>/dev/null || echo
sha256sum </etc/manypython-packages | cut -d' ' -f1
"""


@contextlib.contextmanager
def started(  # noqa: PLR0913  (each is an option of its own)
    image: Image,
    architecture: Architecture,
    *,
    cache: Path,
    engine: Engine | None,
    base: str | None,
    offline: bool,
    reporter: Reporter,
) -> Iterator[tuple[Container, Inside]]:
    """A running container of an image, for as long as the block runs.

    Args:
        image: which image.
        architecture: of this machine.
        cache: mounted; sources and builds are there.
        engine: which engine; None: the first that works of docker, podman and buildah.
        base: another base than the pinned one, e.g. of a local registry.
        offline: do not build the image, it must be there.
        reporter: told what happens.

    Raises:
        ContainerError: there is no engine, none works, or the image cannot be had.
        UsageError: the image has no base for this machine.
        BuildError: the Dockerfile failed.
    """
    base = base or image.base(architecture)
    for folder in (cache, cache / "logs"):
        folder.mkdir(parents=True, exist_ok=True)
    candidates = candidate_engines(engine)
    failures: list[str] = []
    with contextlib.ExitStack() as stack:
        for candidate in candidates:
            try:
                found = _ready(candidate, image, base, cache, stack, offline=offline, reporter=reporter)
                break
            except ContainerError as error:
                if len(candidates) == 1:
                    raise
                failures.append(f"  {error.message}")
                reporter.note(f"{error.message}: another engine is looked for")
        else:
            raise ContainerError(
                "no container engine works here:\n" + "\n".join(failures),
                remedy="start the docker daemon and be in its group, or install podman or buildah; "
                "--engine names the one to use",
            )
        _insist_libc(image, base, found[1])
        yield found


def candidate_engines(
    engine: Engine | None, which: Callable[[str], str | None] = shutil.which
) -> tuple[Engine, ...]:
    """The engines to try.

    Raises:
        ContainerError: the one asked for, or every one, is missing.
    """
    wanted = tuple(Engine) if engine is None else (engine,)
    found = tuple(each for each in wanted if which(each))
    if not found:
        raise ContainerError(
            f"no container engine: {', '.join(wanted)} not found on PATH",
            remedy="install one, e.g.: apt-get install -y buildah   (Fedora, RHEL: dnf install -y buildah)",
        )
    return found


def _ready(  # noqa: PLR0913
    engine: Engine,
    image: Image,
    base: str,
    cache: Path,
    stack: contextlib.ExitStack,
    *,
    offline: bool,
    reporter: Reporter,
) -> tuple[Container, Inside]:
    """A container of this engine in which a command was run.

    Raises:
        ContainerError: this engine cannot do it.
        BuildError: the image could not be built.
    """
    _ask(engine, (engine, "info"))
    tag = image.built_tag(base)
    if process.run(present(engine, tag), check=False).returncode != 0:
        if offline:
            raise ContainerError(
                f"{engine}: image {tag} is not here, and --offline forbids to build it",
                remedy="run the same command once without --offline",
            )
        log = cache / "logs" / f"image-{image.name}.log"
        _build(engine, image, base, log, reporter)
    name = f"{_NAME}{os.getpid()}-{secrets.token_hex(4)}"
    container = Container(engine, name, tag, (cache,), _user(engine))
    try:
        if engine is Engine.BUILDAH:
            _sweep()
            process.run(container.start())
        else:
            stack.enter_context(process.held(container.start()))
        stack.callback(process.run, container.stop(), check=False)
        inside = process.run(container.enter(("/bin/sh", "-c", _LOOK), cwd=Path("/"), env={}))
    except process.ProgramError as error:
        raise ContainerError(f"{engine}: cannot run a container here: {_last(error)}") from None
    path, loader_path, compiler, libc, packages = inside.output.splitlines()[-5:]
    return container, Inside(compiler, libc.strip(), packages, path, loader_path)


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


def _build(engine: Engine, image: Image, base: str, log: Path, reporter: Reporter) -> None:
    with tempfile.TemporaryDirectory() as name, reporter.step(f"build image {image.name}", base) as step:
        Path(name, "Dockerfile").write_text(image.dockerfile)
        log.write_text(f"{base}\n")
        try:
            argv = build(engine, base, image.built_tag(base), Path(name))
            process.run(argv, log=log, on_line=step.line)
        except process.ProgramError as error:
            if re.search(r"(?i)(running|creating) container", error.result.output):
                raise ContainerError(f"{engine}: cannot run a container here: {_last(error)}") from None
            lines = error.result.output.splitlines()[-_TAIL:]
            raise BuildError(
                f"{engine}: image {image.name} could not be built on {base}\n"
                + "\n".join(f"  {line[:240]}" for line in lines),
                remedy="see that the registry can be reached, or name a base that is here with --base",
                log=log,
            ) from None


def _ask(engine: Engine, argv: tuple[str, ...]) -> str:
    try:
        return process.run(argv).output
    except process.ProgramError as error:
        raise ContainerError(
            f"{engine}: {_last(error)}",
            remedy=f"see that `{engine} info` works for this user, or take another with --engine",
        ) from None


def _last(error: process.ProgramError) -> str:
    """The line in which an engine says what is wrong."""
    lines = [line for line in error.result.output.splitlines() if line.strip()]
    marked = [line for line in lines if re.match(r"(?i)(error|cannot|.*permission denied)", line)]
    return (marked or lines or [str(error)])[-1][:240]


def _user(engine: Engine) -> str:
    """Who a command inside must be for its files to be the caller's."""
    if engine is not Engine.DOCKER or os.geteuid() == 0:
        return ""
    rootless = "rootless" in _ask(engine, (engine, "info", "--format", "{{.SecurityOptions}}"))
    return "" if rootless else f"{os.getuid()}:{os.getgid()}"


def _without_network() -> tuple[str, ...]:
    """Buildah knows no ``--network none`` under chroot isolation: it is started without one."""
    rootless = () if os.geteuid() == 0 else (Engine.BUILDAH, "unshare", "--")
    return (*rootless, "unshare", "--net", "--")


def _sweep() -> None:
    """Remove containers of buildah whose manypython was killed: nothing else ends them."""
    listed = process.run((Engine.BUILDAH, "containers", "--format", "{{.ContainerName}}"), check=False)
    for name in listed.output.split():
        owner = re.fullmatch(rf"{_NAME}(\d+)-[0-9a-f]+", name)
        if owner and not Path("/proc", owner[1]).exists():
            process.run((Engine.BUILDAH, "rm", name), check=False)


def _insist_libc(image: Image, base: str, inside: Inside) -> None:
    """See that the base is as old as the image's name says.

    Raises:
        ContainerError: its glibc is newer.
    """
    if image.libc is not LibcFamily.GLIBC:
        return
    found = tuple(int(part) for part in re.findall(r"\d+", inside.libc)[:2])
    if found > image.floor:
        raise ContainerError(
            f"{base}: has {inside.libc}, which is newer than {image.name} promises",
            remedy="name an older base with --base, or a newer image with --in",
        )
