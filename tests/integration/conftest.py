from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from filelock import FileLock

from manypython.archives.read import unpack
from manypython.build import debian
from manypython.verify import probe

CACHE = platformdirs.user_cache_path("manypython")
ROOTS = {"bullseye": "glibc 2.31", "bookworm": "glibc 2.36", "trixie": "glibc 2.41"}
"""Debian 11, 12 and 13."""


@dataclass(frozen=True)
class Run:
    """What one call of the command line did."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def manypython(*words: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> Run:
    argv = (sys.executable, "-m", "manypython", *(str(word) for word in words))
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, **(env or {})}
    )
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def cli() -> Callable[..., Run]:
    return manypython


@dataclass(frozen=True)
class Made:
    """The archives of one real build, and the tree in them."""

    dist: Path
    data: Any
    tree: Path

    def archive(self, suffix: str) -> Path:
        return next(Path(a["path"]) for a in self.data["artifacts"] if a["path"].endswith(suffix))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One real CPython 3.13 through the whole line (from the cache where it can be)."""
    folder = tmp_path_factory.mktemp("made")
    host = ["--install-host-tools"] if os.geteuid() == 0 else []
    run = manypython("make", "3.13", "--dist", folder / "dist", "--json", "--fast", *host)
    assert run.code == 0, run.err
    archive = next(a["path"] for a in run.data["artifacts"] if a["path"].endswith(".tar.gz"))
    unpack(Path(archive), folder / "unpacked")
    return Made(folder / "dist", run.data, folder / "unpacked" / "python")


def host(*packages: str) -> None:
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
    subprocess.run(("apt-get", "update"), check=True, env=env)
    subprocess.run(("apt-get", "install", "-y", "--no-install-recommends", *packages), check=True, env=env)


def _debootstrap(suite: str) -> Path:
    """A minimal Debian, made once and kept in the cache folder."""
    folder = CACHE / "test-roots" / suite
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            host("debootstrap")
            if os.geteuid() != 0:
                pytest.skip("debootstrap needs root")
            scratch = Path(tempfile.mkdtemp(dir=folder.parent))
            scratch.chmod(0o755)
            mirror = next(url for url in debian.mirrors() if "security" not in url)
            subprocess.run(("debootstrap", "--variant=minbase", suite, scratch, mirror), check=True)
            scratch.rename(folder)
    return folder


@pytest.fixture(scope="session")
def debian_root() -> Callable[[str], Path]:
    """Folder of a minimal Debian, by the name of its suite."""
    return _debootstrap


@dataclass(frozen=True)
class Foreign:
    """A tree in somebody else's userland: nothing of this machine but the kernel."""

    root: Path

    def run(self, tree: Path, *words: str) -> str:
        """Run the tree's interpreter there with these arguments."""
        host("bubblewrap")
        argv = (
            "bwrap", "--unshare-all", "--die-with-parent", "--clearenv", "--ro-bind", self.root, "/",
            "--tmpfs", "/opt", "--ro-bind", tree, "/opt/some where/python",
            "--ro-bind", probe.__file__, "/opt/probe.py",
            "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp",
            "/opt/some where/python/bin/python3", "-I", "-B", *words,
        )  # fmt: skip
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def prove(self, tree: Path, kind: str, modules: list[str]) -> dict[str, str]:
        """Run the whole probe; each check's name and what it saw."""
        rows = json.loads(self.run(tree, "/opt/probe.py", kind, *modules).splitlines()[-1])
        failed = [row for row in rows if not row["ok"]]
        assert not failed, failed
        return {row["name"]: row["detail"] for row in rows}


@pytest.fixture(params=sorted(ROOTS))
def foreign(request: pytest.FixtureRequest) -> Foreign:
    """Each Debian in turn."""
    return Foreign(_debootstrap(request.param))


@pytest.fixture(scope="session")
def host_packages() -> Callable[..., None]:
    """``host``, for tests in other files."""
    return host


@pytest.fixture(scope="session")
def sources(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the source archives that ``make`` fetched, for caches that begin empty."""
    assert made.dist.is_dir()
    folder = tmp_path_factory.mktemp("sources")
    for path in (CACHE / "sources").glob("*/*"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="session")
def foreign_type() -> type[Foreign]:
    """``Foreign``, for tests in other files."""
    return Foreign
