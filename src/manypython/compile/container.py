"""A container to build in. manypython stays outside and sends in one command after another.

So the host needs an engine and nothing else, the image needs a compiler and no Python, and
every stage after the build is the same code on the same tree. The cache folder is mounted
under its own path, nothing else is, and there is no network inside.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

from manypython import process
from manypython.compile.engine import (
    Container,
    Engine,
    Inside,
    ask,
    build,
    candidate_engines,
    last_line,
    present,
    user_inside,
)
from manypython.compile.images import Image
from manypython.model.errors import BuildError, ContainerError
from manypython.model.target import Architecture, LibcFamily
from manypython.progress import Reporter

_NAME = "manypython-"
_TAIL = 15
"""Lines of an image build's output that an error quotes."""
_LOOK = """\
printf '%s\\n' "$PATH" "$LD_LIBRARY_PATH"
gcc -dumpfullversion
getconf GNU_LIBC_VERSION 2>/dev/null || echo
sha256sum </etc/manypython-packages | cut -d' ' -f1
"""


@contextlib.contextmanager
def running_container(  # noqa: PLR0913  (each is an option of its own)
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
        reporter: shows what happens.

    Raises:
        ContainerError: there is no engine, none works, or the image is not to be had.
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
                running = _ready(candidate, image, base, cache, stack, offline=offline, reporter=reporter)
                break
            except ContainerError as error:
                if len(candidates) == 1:
                    raise
                failures.append(f"  {error.message}")
                reporter.note(f"{error.message}: trying another engine")
        else:
            raise ContainerError(
                "no container engine works here:\n" + "\n".join(failures),
                remedy="start the docker daemon and be in its group, or install podman or buildah; "
                "--engine names the one to use",
            )
        _insist_libc(image, base, running[1])
        yield running


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
    ask(engine, (engine, "info"))
    tag = image.local_tag(base)
    if process.run(present(engine, tag), check=False).returncode != 0:
        if offline:
            raise ContainerError(
                f"{engine}: image {tag} is not here, and --offline forbids to build it",
                remedy="run the same command once without --offline",
            )
        log = cache / "logs" / f"image-{image.name}.log"
        _build(engine, image, base, log, reporter)
    name = f"{_NAME}{os.getpid()}-{secrets.token_hex(4)}"
    container = Container(engine, name, tag, (cache,), user_inside(engine))
    try:
        if engine is Engine.BUILDAH:
            _sweep()
            process.run(container.start())
        else:
            stack.enter_context(process.held(container.start()))
        stack.callback(process.run, container.stop(), check=False)
        inside = process.run(container.enter(("/bin/sh", "-c", _LOOK), cwd=Path("/"), env={}))
    except process.ProgramError as error:
        raise ContainerError(f"{engine}: cannot run a container here: {last_line(error)}") from None
    path, loader_path, compiler, libc, packages = inside.output.splitlines()[-5:]
    return container, Inside(compiler, libc.strip(), packages, path, loader_path)


def _build(engine: Engine, image: Image, base: str, log: Path, reporter: Reporter) -> None:
    with tempfile.TemporaryDirectory() as name, reporter.step(f"build image {image.name}", base) as step:
        Path(name, "Dockerfile").write_text(image.dockerfile)
        log.write_text(f"{base}\n")
        try:
            argv = build(engine, base, image.local_tag(base), Path(name))
            process.run(argv, log=log, on_line=step.line)
        except process.ProgramError as error:
            if re.search(r"(?i)(running|creating) container", error.result.output):
                raise ContainerError(f"{engine}: cannot run a container here: {last_line(error)}") from None
            lines = error.result.output.splitlines()[-_TAIL:]
            raise BuildError(
                f"{engine}: image {image.name} could not be built on {base}\n"
                + "\n".join(f"  {line[:240]}" for line in lines),
                remedy="see that the registry can be reached, or name a base that is here with --base",
                log=log,
            ) from None


def _sweep() -> None:
    """Remove containers of buildah whose manypython was killed: nothing else ends them."""
    listed = process.run((Engine.BUILDAH, "containers", "--format", "{{.ContainerName}}"), check=False)
    for name in listed.output.split():
        owner = re.fullmatch(rf"{_NAME}(\d+)-[0-9a-f]+", name)
        if owner and not Path("/proc", owner[1]).exists():
            process.run((Engine.BUILDAH, "rm", name), check=False)


def _insist_libc(image: Image, base: str, inside: Inside) -> None:
    """Insist that the base is as old as the image's name says.

    Raises:
        ContainerError: its glibc is newer.
    """
    if image.libc is not LibcFamily.GLIBC:
        return
    version = tuple(int(part) for part in re.findall(r"\d+", inside.libc)[:2])
    if version > image.floor:
        raise ContainerError(
            f"{base}: has {inside.libc}, which is newer than {image.name} promises",
            remedy="name an older base with --base, or a newer image with --in",
        )
