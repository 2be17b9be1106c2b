from __future__ import annotations

import functools
import hashlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builds import Made, common, make
from calls import cli
from driving import Served
from foreign import CACHE, Foreign

from manypython.model.tree import Tree

PLUG_IN = "test_tox.py"
"""Of the tools, the one whose tests belong to what ``nox -s tests`` proves; the others are ``nox -s tools``."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of tools: they prove that others take what we make, and take longer than the rest.

    What needs no real build comes first: with ``-n 2`` one process makes it meanwhile.
    """
    for item in items:
        if item.path.parent.name == "integrations" and item.path.name != PLUG_IN:
            item.add_marker(pytest.mark.tools)
    items.sort(key=lambda item: "made" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One real CPython 3.13 through the whole line. It is everybody's: tests only read it."""
    return make(tmp_path_factory, "3.13")


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Tree]:
    """``make`` with any words, once for each, and the tree in what it left."""
    return functools.cache(lambda *words: Tree.open(make(tmp_path_factory, *words).tree))


@pytest.fixture
def own_cache(tmp_path: Path) -> Path:
    """A cache folder that nobody else writes to, with what takes long to make from everybody's."""
    folder = tmp_path / "own cache"
    folder.mkdir()
    for name in ("roots", "controls", "zig"):
        (CACHE / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(CACHE / name)
    return folder


@pytest.fixture(params=["debian-11", "debian-12", "debian-13"])
def foreign(request: pytest.FixtureRequest) -> Foreign:
    """Each Debian in turn."""
    return Foreign(request.param)


@pytest.fixture(scope="session")
def sources(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the source archives that ``make`` fetched, for caches that begin empty."""
    assert made.dist.is_dir()
    folder = tmp_path_factory.mktemp("sources")
    for path in (CACHE / "sources").glob("*/*"):
        shutil.copy(path, folder)
    return folder


def _published(archives: list[Path], folder: Path) -> Iterator[Served]:
    """A signed site of these archives, served until the generator is closed."""
    site, keys = folder / "site", folder / "keys"
    done = cli("publish", *archives, "--to", site, "--keys", keys, "--fast", "--json")
    assert done.code == 0, done.err
    assert done.data["added"], done.out
    argv = [sys.executable, "-m", "manypython", "serve", str(site), "--port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        try:
            url = serving.stdout.readline().split()[1]
            done = cli("publish", "--to", site, "--keys", keys, "--base-url", url)
            assert done.code == 0, done.err
            trust = cli("keys", "show", "--to", site, "--json").data["fingerprint"]
            yield Served(site, keys, url, trust)
        finally:
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(10) == 0


@pytest.fixture(scope="session")
def served(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A site with one real CPython 3.13."""
    archives = [made.archive(suffix) for suffix in (".tar.gz", ".tar.zst", ".zip")]
    yield from _published(archives, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds our own wheel, for ``PIP_FIND_LINKS``."""
    with common(tmp_path_factory, "wheel") as folder:
        if not list(folder.glob("*.whl")):
            source = Path(__file__).parents[2]
            pip = (sys.executable, "-m", "pip")
            subprocess.run((*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source), check=True)
        return folder


@pytest.fixture(scope="session")
def tool(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``bin`` of a virtual environment with released tools in it, made once in a run for each list of them."""

    @functools.cache
    def make(*requirements: str) -> Path:
        digest = hashlib.sha256(repr(requirements).encode()).hexdigest()[:12]
        with common(tmp_path_factory, f"tool-{digest}") as folder:
            if not (folder / "whole").exists():
                subprocess.run([sys.executable, "-m", "venv", "--clear", folder / "venv"], check=True)
                install = (folder / "venv/bin/pip", "install", "--quiet", "--find-links", wheel)
                subprocess.run((*install, *requirements), check=True)
                (folder / "whole").touch()
            return folder / "venv/bin"

    return make


@pytest.fixture(scope="session")
def tools(tool: Callable[..., Path]) -> Path:
    """The newest uv, tox and nox, and nothing of ours."""
    return tool("uv>=0.9,<1", "tox>=4.30,<5", "nox>=2025.5", "virtualenv>=20.35", "python-discovery>=1,<2")
