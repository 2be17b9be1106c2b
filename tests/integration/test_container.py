"""The line inside a container, for real: a Debian 11 made by debootstrap stands for a registry's image."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from calls import cli
from foreign import Foreign, host_packages
from packaging.version import Version

from manypython.archives.read import unpack
from manypython.recipes.catalogue import required_modules
from manypython.repair.prune import is_test_module
from manypython.verify.roots import ROOTS

pytestmark = pytest.mark.slow
BASE = "localhost/manypython-test/bullseye:latest"
LIBRARIES = ("libcrypto-", "libffi-", "liblzma-", "libsqlite3-", "libssl-", "libz-")

PROGRAM = """
import signal
import sys
from dataclasses import replace
from pathlib import Path
from manypython.compile.building import SourceOptions, build
from manypython.compile.engine import Engine
from manypython.compile.images import images
from manypython.compile.method import Method, buildable
from manypython.compile.toolchains.gcc import ImageGcc
from manypython.model.errors import ManypythonError
from manypython.progress import Reporter
from manypython.recipes.catalogue import catalogue
from manypython.run import Run
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
cache, sources, engine, base, names, *more = sys.argv[1:]
method = Method(ImageGcc(images()["manylinux_2_31"], Engine(engine), base))
run, options = Run(Path(cache), Reporter(), 2), SourceOptions(Path(sources), "offline" in more)
wrong = {"arguments": ("--nonsense",)} if "wrong" in more else {}
recipes = tuple(replace(catalogue().recipes[name], **wrong) for name in names.split(","))
try:
    target = buildable(None, method, ())
    built = build(recipes, target, method, run, sources=options, epoch=catalogue().build.epoch)
    print(*(entry.key for entry in built.entries.values()))
except ManypythonError as error:
    print(error.message, "log:", error.log, file=sys.stderr)
    sys.exit(error.exit_code)
"""
"""`make` with libraries only: seconds instead of minutes."""


def works(engine: str) -> bool:
    return shutil.which(engine) is not None and subprocess.run(
        (engine, "info"), capture_output=True, check=False
    ).returncode == 0  # fmt: skip


@pytest.fixture(scope="session")
def bullseye_tar(foreign_root: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "bullseye.tar"
    subprocess.run(("tar", "-C", foreign_root("debian-11"), "-cf", path, "."), check=True)
    return path


@pytest.fixture(scope="session", params=["buildah", "docker"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine that works on this machine, with the base image in its store."""
    name: str = request.param
    if name == "buildah":
        request.getfixturevalue("buildah")
    elif not works(name):
        pytest.skip(f"{name} does not work on this machine")
    else:
        with request.getfixturevalue("bullseye_tar").open("rb") as file:
            subprocess.run((name, "import", "-", BASE), stdin=file, check=True, capture_output=True)
    return name


@pytest.fixture(scope="session")
def buildah(request: pytest.FixtureRequest) -> str:
    host_packages("buildah")
    if subprocess.run(
        ("buildah", "inspect", "--type", "image", BASE), capture_output=True, check=False
    ).returncode:
        archive = request.getfixturevalue("bullseye_tar")
        name = subprocess.run(
            ("buildah", "from", "scratch"), check=True, capture_output=True, text=True
        ).stdout.strip()
        subprocess.run(("buildah", "add", "--quiet", name, archive, "/"), check=True)
        subprocess.run(("buildah", "commit", "--quiet", "--rm", name, BASE), check=True)
    return "buildah"


@pytest.fixture(scope="session", params=["quick", "release"])
def inside(
    request: pytest.FixtureRequest,
    buildah: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Any, Path]:
    """CPython 3.13.5 made in the image: its profile, what make said, and the unpacked tree."""
    folder = tmp_path_factory.mktemp(request.param)
    run = cli(
        "make", "3.13.5", "--profile", "quick", "--in", "manylinux_2_31", "--base", BASE, "--engine", buildah,
        "--profile", request.param, "--dist", folder, "--json", "--fast",
    )  # fmt: skip
    assert run.code == 0, run.err
    archive = next(a["path"] for a in run.data["artifacts"] if a["path"].endswith(".tar.gz"))
    unpack(Path(archive), folder / "unpacked")
    return request.param, run.data, folder / "unpacked" / "python"


def test_the_archive_is_named_for_the_floor_that_was_found(inside: tuple[str, Any, Path]) -> None:
    profile, data, tree = inside
    facts = json.loads((tree / "share/manypython/manypython.json").read_text())
    assert facts["platform_tag"] == "manylinux_2_31_x86_64"
    assert facts["toolchain"].startswith("gcc 10.2")
    assert facts["toolchain"].endswith(f", manylinux_2_31, {profile}")
    for artifact in data["artifacts"]:
        assert "-linux-gnu-manylinux_2_31-" in artifact["path"]
    assert data["verify"]["ok"]


def test_it_runs_on_older_and_newer_systems_with_nothing_of_theirs(
    inside: tuple[str, Any, Path], foreign: Foreign
) -> None:
    """The probe also sees that each loaded library is the tree's or of the libc family."""
    _, _, tree = inside
    modules = [name for name in required_modules_of(tree) if not is_test_module(name)]
    seen = foreign.prove(tree, "full", modules)
    version = ROOTS[foreign.name].glibc
    assert version is not None
    assert seen["rest"] == "glibc {}.{}".format(*version)
    assert "python.libs/libcrypto-" in seen["loaded_from"]
    grafted = {path.name for path in (tree / "lib/python.libs").iterdir()}
    assert all(any(name.startswith(start) for name in grafted) for start in LIBRARIES), grafted


def required_modules_of(tree: Path) -> list[str]:
    facts = json.loads((tree / "share/manypython/manypython.json").read_text())
    return sorted(required_modules(Version(facts["version"])))


def test_an_older_target_than_the_tree_meets_is_refused_with_who_asks_for_more(
    inside: tuple[str, Any, Path],
) -> None:
    _, _, tree = inside
    run = cli("audit", tree, "--target", "manylinux_2_28")
    assert run.code == 8
    assert "does not meet manylinux_2_28_x86_64" in run.err
    assert "@GLIBC_2." in run.err
    assert "its symbols meet manylinux_2_31_x86_64" in run.err
    run = cli("make", "3.13.5", "--in", "manylinux_2_31", "--target", "manylinux_2_28")
    assert run.code == 2
    assert "manylinux_2_31 builds for glibc 2.31 or newer" in run.err


@pytest.fixture(scope="session")
def small(sources: Path) -> Callable[..., list[str]]:
    """The command line of `PROGRAM`."""

    def argv(cache: Path, engine: str, names: str, *more: str) -> list[str]:
        return [sys.executable, "-c", PROGRAM, str(cache), str(sources), engine, BASE, names, *more]

    return argv


def listing(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def containers(engine: str, pid: int) -> list[str]:
    what = (
        ("ps", "--all", "--format", "{{.Names}}")
        if engine == "docker"
        else ("containers", "--format", "{{.ContainerName}}")
    )
    listed = subprocess.run((engine, *what), capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split() if name.startswith(f"manypython-{pid}-")]


def test_no_network_is_needed_and_the_same_bytes_come_out(
    engine: str, small: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Built once as usual and once offline, in a network namespace with nothing in it."""
    subprocess.run(small(tmp_path / "one", engine, "zlib,bzip2"), check=True)
    away = ("unshare", "--net", *small(tmp_path / "two", engine, "zlib,bzip2", "offline"))
    subprocess.run(away, check=True)
    assert listing(tmp_path / "one" / "builds") == listing(tmp_path / "two" / "builds")
    owners = {path.lstat().st_uid for path in tmp_path.rglob("*")}
    assert owners == {os.getuid()}


def test_two_runs_at_once_do_not_collide(
    engine: str, small: Callable[..., list[str]], tmp_path: Path
) -> None:
    running = [
        subprocess.Popen(
            small(tmp_path / "c", engine, "zlib"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    done = [(*process.communicate(), process.returncode) for process in running]
    assert [code for _, _, code in done] == [0, 0], done
    assert done[0][0] == done[1][0]
    assert sum("build zlib" in err for _, err, _ in done) >= 1
    assert len(list((tmp_path / "c" / "builds").iterdir())) == 1


def test_a_build_that_fails_inside_says_why_and_where_its_log_is(
    engine: str, small: Callable[..., list[str]], tmp_path: Path
) -> None:
    done = subprocess.run(small(tmp_path, engine, "xz", "wrong"), capture_output=True, text=True, check=False)
    assert done.returncode == 7
    assert "unrecognized option: '--nonsense'" in done.stderr
    log = Path(done.stderr.rpartition("log: ")[2].strip())
    assert log.is_relative_to(tmp_path)
    assert "$ ./configure" in log.read_text()
    assert not list((tmp_path / "builds").iterdir())


@pytest.mark.parametrize("how", ["Ctrl-C", "ended from outside", "kill -9"])
def test_no_container_stays_behind(
    engine: str, how: str, small: Callable[..., list[str]], tmp_path: Path
) -> None:
    running = subprocess.Popen(
        small(tmp_path, engine, "openssl"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    log = wait_for(lambda: next((tmp_path / "logs").glob("openssl*.log"), None))
    wait_for(lambda: "$ make" in log.read_text(), seconds=120)
    names = containers(engine, running.pid)
    assert len(names) == 1
    if how == "Ctrl-C":
        running.send_signal(signal.SIGINT)
    elif how == "kill -9":
        running.kill()
    else:
        subprocess.run(
            (engine, "rm", *(("--force",) if engine == "docker" else ()), *names),
            check=True,
            capture_output=True,
        )
    _, said = running.communicate(timeout=60)
    if how == "ended from outside":
        assert running.returncode == 12
        assert f"container {names[0]} was ended from outside" in said
    if engine == "buildah" and how == "kill -9":  # nobody is left to do it: the next run does
        subprocess.run(small(tmp_path / "next", engine, "zlib"), check=True)
    wait_for(lambda: not containers(engine, running.pid))
    assert not list((tmp_path / "builds").iterdir())


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.2)
    pytest.fail("it did not come to that in time")


def test_a_disk_that_is_full_inside(engine: str, small: Callable[..., list[str]], tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    tmp_path = tmp_path / "disk"
    tmp_path.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", tmp_path), check=True)
    try:
        done = subprocess.run(small(tmp_path, engine, "xz"), capture_output=True, text=True, check=False)
        assert done.returncode == 10, done.stderr
        assert "no room left" in done.stderr or "No space left" in done.stderr
        assert not list((tmp_path / "builds").glob("*"))
    finally:
        subprocess.run(("umount", tmp_path), check=True)
