from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manypython import process
from manypython.compile import container
from manypython.compile.engine import Container, Engine, Inside, build, candidate_engines, present
from manypython.compile.images import Image, images, read_image
from manypython.compile.toolchains.gcc import container_gcc
from manypython.model.errors import BuildError, ContainerError, RecipeError, UsageError
from manypython.model.target import Architecture
from manypython.progress import Reporter

QUIET = Reporter(quiet=True)
NAMES = ["manylinux_2_28", "manylinux_2_31", "manylinux_2_34", "musllinux_1_2"]
INSIDE = Inside("14.2.1", "glibc 2.28", "0" * 64, "/opt/rh/bin:/bin", "/opt/rh/lib")


def box(engine: Engine, **changes: Any) -> Container:
    return replace(Container(engine, "manypython-1-ab", "localhost/x:1", (Path("/cache"),)), **changes)


def test_each_image_family_has_a_dockerfile_and_a_pinned_base_for_each_machine() -> None:
    assert sorted(images()) == NAMES
    for name, image in images().items():
        assert image.name == name
        for machine in Architecture:
            base = image.base(machine)
            assert base.count("@sha256:") == 1
            assert len(base.rpartition(":")[2]) == 64
            assert image.target(machine).policy == name
        lines = [line for line in image.dockerfile.splitlines() if not line.startswith("#")]
        assert lines[:2] == ["ARG BASE", "FROM ${BASE}"]
        assert lines[-1].endswith(">/etc/manypython-packages"), "what is inside must be written down"


def test_pypa_bases_are_of_the_machine_and_debian_has_one_name_for_all() -> None:
    assert (
        images()["manylinux_2_28"]
        .base(Architecture.AARCH64)
        .startswith("quay.io/pypa/manylinux_2_28_aarch64@")
    )
    assert images()["manylinux_2_31"].base(Architecture.X86_64).startswith("docker.io/library/debian@")


def test_another_base_or_dockerfile_is_another_image() -> None:
    image = images()["manylinux_2_31"]
    tags = {
        image.local_tag("a"),
        image.local_tag("b"),
        replace(image, dockerfile="FROM x").local_tag("a"),
    }
    assert len(tags) == 3
    assert all(tag.startswith("localhost/manypython/manylinux_2_31:") for tag in tags)


@pytest.mark.parametrize(
    ("name", "table", "path"),
    [
        ("debian", {"tag": "x:1"}, "images.toml: debian:"),
        ("manylinux_2_31", {"tag": "x:1", "riscv": "y"}, "manylinux_2_31.riscv"),
        ("manylinux_2_31", {"tag": "x"}, "manylinux_2_31.tag"),
        ("manylinux_2_31", {"tag": "x:1", "x86_64": "sha256:12"}, "manylinux_2_31.x86_64"),
        ("manylinux_2_99", {"tag": "x:1"}, "docker/manylinux_2_99.Dockerfile is missing"),
    ],
)
def test_a_wrong_image_is_named_with_its_path(name: str, table: dict[str, str], path: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_image(name, table)
    assert path in caught.value.message


def test_a_machine_without_a_base_is_refused() -> None:
    image = replace(images()["manylinux_2_28"], digests=())
    with pytest.raises(UsageError, match="no base for aarch64"):
        image.base(Architecture.AARCH64)


@pytest.mark.parametrize("engine", [Engine.DOCKER, Engine.PODMAN])
@pytest.mark.parametrize("name", NAMES)
def test_docker_and_podman_get_one_folder_and_no_network(engine: Engine, name: str) -> None:
    image = images()[name].local_tag("base")
    argv = box(engine, image=image, user="1000:1001").start()
    words = list(argv)
    assert words[:2] == [engine.value, "run"]
    assert words[words.index("--network") + 1] == "none"
    assert words[words.index("--volume") + 1] == "/cache:/cache"
    assert words.count("--volume") == 1
    assert words[words.index("--user") + 1] == "1000:1001"
    assert {"--rm", "--interactive"} <= set(words)
    assert words[words.index("--entrypoint") + 2] == image, "pypa's own entry point is not wanted"
    assert "--user" not in box(engine).start()
    inside = box(engine).enter(("make", "-j2"), cwd=Path("/cache/w"), env={"A": "1 2"})
    assert inside == (
        engine,
        "exec",
        "--workdir",
        "/cache/w",
        "--env",
        "A=1 2",
        "manypython-1-ab",
        "make",
        "-j2",
    )
    assert box(engine).stop() == (engine, "rm", "--force", "manypython-1-ab")


@pytest.mark.parametrize(("uid", "before"), [(0, ()), (1000, ("buildah", "unshare", "--"))])
def test_buildah_runs_without_network_as_root_and_rootless(
    monkeypatch: pytest.MonkeyPatch, uid: int, before: tuple[str, ...]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    argv = box(Engine.BUILDAH).enter(("make",), cwd=Path("/cache/w"), env={"A": "1"})
    assert argv == (
        *before, "unshare", "--net", "--", "buildah", "run", "--isolation", "chroot", "--volume", "/cache:/cache",
        "--workingdir", "/cache/w", "--env", "A=1", "manypython-1-ab", "--", "make",
    )  # fmt: skip
    assert box(Engine.BUILDAH).start() == (
        "buildah", "from", "--pull-never", "--name", "manypython-1-ab", "localhost/x:1",
    )  # fmt: skip
    assert box(Engine.BUILDAH).stop() == ("buildah", "rm", "manypython-1-ab")


def test_only_the_build_of_the_image_may_use_the_network() -> None:
    for engine in Engine:
        argv = build(engine, "quay.io/x@sha256:1", "localhost/t:1", Path("/f"))
        assert argv[0] == engine
        assert "BASE=quay.io/x@sha256:1" in argv
        assert argv[-3:] == ("--file", "/f/Dockerfile", "/f")
        assert present(engine, "t")[-1] == "t"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_build_inside_is_given(name: str) -> None:
    target = images()[name].target(Architecture.AARCH64)
    tools = container_gcc(target, name, box(Engine.PODMAN), INSIDE)
    assert dict(tools.drivers) == {"CC": "gcc", "CXX": "g++", "AR": "ar", "RANLIB": "ranlib"}
    assert tools.path == "/opt/rh/bin:/bin", "gcc-toolset of pypa's images is found by PATH"
    assert ("LD_LIBRARY_PATH", "/opt/rh/lib") in tools.environment
    assert tools.title == f"gcc 14.2.1, {name}"
    assert "0" * 64 in tools.identity
    assert "/opt/rh" not in tools.identity


def test_the_engines_are_tried_in_order_and_one_that_is_named_alone() -> None:
    assert candidate_engines(None, lambda name: name) == (Engine.DOCKER, Engine.PODMAN, Engine.BUILDAH)
    assert candidate_engines(Engine.BUILDAH, lambda name: name) == (Engine.BUILDAH,)
    with pytest.raises(ContainerError, match="docker, podman, buildah not found") as caught:
        candidate_engines(None, lambda _: None)
    assert "apt-get install" in caught.value.remedy
    assert caught.value.exit_code == 12


def fake_engine(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def start(tmp_path: Path, image: Image, *, engine: Engine | None = None, offline: bool = True) -> None:
    with container.running_container(
        image, Architecture.X86_64, cache=tmp_path / "cache", engine=engine, base="localhost/base",
        offline=offline, reporter=QUIET,
    ):  # fmt: skip
        pytest.fail("it started")


def test_an_engine_without_rights_says_so_and_the_next_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    denied = "Got permission denied while trying to connect to the Docker daemon socket"
    fake_engine(tools, "docker", f"echo '{denied}' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tools}:/nowhere")
    with pytest.raises(ContainerError) as caught:
        start(tmp_path, images()["manylinux_2_31"])
    assert denied in caught.value.message
    assert "docker info" in caught.value.remedy
    fake_engine(tools, "buildah", '[ "$1" = info ] || exit 125')
    with pytest.raises(ContainerError) as caught:
        start(tmp_path, images()["manylinux_2_31"])
    assert denied in caught.value.message
    assert "--offline forbids" in caught.value.message


def test_a_base_that_is_not_here_is_said_with_the_engines_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("buildah") is None:
        tools = tmp_path / "bin"
        tools.mkdir()
        said = "Error: initializing source docker://localhost/base:latest: connection refused"
        fake_engine(
            tools, "buildah", f"""[ "$1" = info ] && exit; [ "$1" = bud ] && echo '{said}'; exit 125"""
        )
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with pytest.raises(BuildError) as caught:
        start(tmp_path, images()["manylinux_2_31"], engine=Engine.BUILDAH, offline=False)
    assert "could not be built on localhost/base" in caught.value.message
    assert "--base" in caught.value.remedy
    assert caught.value.log is not None
    assert caught.value.log.is_file()


def test_a_base_with_a_newer_glibc_than_promised_is_refused() -> None:
    image = images()["manylinux_2_28"]
    container._insist_libc(image, "base", INSIDE)
    with pytest.raises(ContainerError, match=r"has glibc 2.36, which is newer than manylinux_2_28"):
        container._insist_libc(image, "base", replace(INSIDE, libc="glibc 2.36"))


def test_a_held_program_ends_with_the_block_and_with_us(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    program = ("sh", "-c", f"echo warming up; echo {process.READY}; cat >/dev/null; touch '{ended}'")
    with process.held(program):
        assert not ended.exists()
    assert ended.exists()
    ended.unlink()
    code = (
        "import os, signal, sys; from manypython import process\n"
        "with process.held(sys.argv[1:]): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run((sys.executable, "-c", code, *program), check=False)
    for _ in range(100):
        if ended.exists():
            break
        time.sleep(0.05)
    assert ended.exists(), "kill -9 must not leave a container behind"


def test_a_held_program_that_does_not_come_up_is_an_error_with_its_words() -> None:
    with (
        pytest.raises(process.ProgramError) as caught,
        process.held(("sh", "-c", "echo no such image; exit 125")),
    ):
        pytest.fail("it came up")
    assert caught.value.result.returncode == 125
    assert "no such image" in caught.value.result.output
