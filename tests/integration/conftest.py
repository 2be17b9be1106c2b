from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from driving import Served
from filelock import FileLock

from manypython.archives.read import unpack
from manypython.folders import cache_home
from manypython.model.target import DEFAULT_TARGET, Architecture
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.verify.roots import ROOTS, create, place
from manypython.verify.surroundings import PLAIN, PROBE, bubblewrap, command

CACHE = Path(cache_home(), "manypython")
ARCHITECTURE = DEFAULT_TARGET.architecture
LIBC = (
    "ld-",
    "libc.",
    "libc-",
    "libm.",
    "libm-",
    "libdl",
    "libpthread",
    "libresolv",
    "librt",
    "libutil",
    "libnss",
)


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


@contextlib.contextmanager
def _common(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """A folder of this run's that all its processes (``-n 2``) have in common; its block is one's at a time."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"common-{name}"
    with FileLock(f"{folder}.lock"):
        folder.mkdir(exist_ok=True)
        yield folder


def _make(factory: pytest.TempPathFactory, *words: str) -> Made:
    """``make`` with these words (from the cache where it can be), once in a run, and its archive unpacked."""
    with _common(factory, "-".join(("made", *words))) as folder:
        said = folder / "said.json"
        if not said.exists():
            host = ["--install-host-tools"] if os.geteuid() == 0 else []
            run = manypython("make", *words, "--dist", folder / "dist", "--json", "--fast", *host)
            assert run.code == 0, run.err
            archive = next(a["path"] for a in run.data["artifacts"] if a["path"].endswith(".tar.gz"))
            shutil.rmtree(folder / "unpacked", ignore_errors=True)
            unpack(Path(archive), folder / "unpacked")
            said.write_text(run.out)
        return Made(folder / "dist", json.loads(said.read_text()), folder / "unpacked" / "python")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One real CPython 3.13 through the whole line. It is everybody's: tests only read it."""
    return _make(tmp_path_factory, "3.13")


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Tree]:
    """``make`` with any words, once for each, and the tree in what it left."""
    return functools.cache(lambda *words: Tree.open(_make(tmp_path_factory, *words).tree))


@pytest.fixture
def own_cache(tmp_path: Path) -> Path:
    """A cache folder that nobody else writes to, with what takes long to make from everybody's."""
    folder = tmp_path / "own cache"
    folder.mkdir()
    for name in ("roots", "controls", "zig"):
        (CACHE / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(CACHE / name)
    return folder


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
    with FileLock(Path(tempfile.gettempdir(), "manypython-tests-apt.lock")):
        subprocess.run(("apt-get", "update"), check=True, env=env)
        subprocess.run(
            ("apt-get", "install", "-y", "--no-install-recommends", *packages), check=True, env=env
        )


def _root(name: str, architecture: Architecture = ARCHITECTURE) -> Path:
    """A foreign root, made once and kept in the cache folder."""
    if ROOTS[name].suite:
        if os.geteuid() != 0 and not place(ROOTS[name], architecture, CACHE).is_dir():
            pytest.skip(f"making the root {name} needs root (debootstrap)")
        host("debootstrap")
    host("bubblewrap")
    return create(ROOTS[name], architecture, CACHE, Reporter(quiet=True))


@pytest.fixture(scope="session")
def foreign_root() -> Callable[..., Path]:
    """Folder of a foreign root, by its name."""
    return _root


@dataclass(frozen=True)
class Foreign:
    """A tree in somebody else's userland: nothing of this machine but the kernel."""

    name: str
    """The root's."""
    bare: bool = False
    """Whether the root's own libraries are made unreadable, but for the libc family."""

    def run(self, tree: Path, *words: str) -> str:
        """Run the tree's interpreter there with these arguments."""
        root, folder = ROOTS[self.name], _root(self.name)
        mounts = [*root.mounts(folder)]
        for path in sorted((folder / "usr/lib").glob("*-linux-gnu/*.so.*")) if self.bare else ():
            if not path.name.startswith(LIBC) and not path.is_symlink():
                mounts += ["--ro-bind", "/dev/null", f"/{path.relative_to(folder)}"]
        argv = command(tuple(mounts), Tree.open(tree), PLAIN, words)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def execute(self, program: Path, *words: str, **environment: str) -> str:
        """Run a program that stands in a folder of its own, with these arguments."""
        argv = (
            bubblewrap(), "--unshare-all", "--die-with-parent", "--clearenv",
            *ROOTS[self.name].mounts(_root(self.name)),
            "--tmpfs", "/opt", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
            *(part for name, value in environment.items() for part in ("--setenv", name, value)),
            "--ro-bind", str(program.parent), "/opt/app", f"/opt/app/{program.name}", *words,
        )  # fmt: skip
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def prove(self, tree: Path, kind: str, modules: list[str]) -> dict[str, str]:
        """Run the whole probe; each check's name and what it saw."""
        rows = json.loads(self.run(tree, *PROBE, kind, *modules).splitlines()[-1])
        failed = [row for row in rows if not row["ok"]]
        assert not failed, failed
        return {row["name"]: row["detail"] for row in rows}


@pytest.fixture(params=["debian-11", "debian-12", "debian-13"])
def foreign(request: pytest.FixtureRequest) -> Foreign:
    """Each Debian in turn."""
    return Foreign(request.param)


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


def _published(archives: list[Path], folder: Path) -> Iterator[Served]:
    """A signed site of these archives, served until the generator is closed."""
    site, keys = folder / "site", folder / "keys"
    done = manypython("publish", *archives, "--to", site, "--keys", keys, "--fast", "--json")
    assert done.code == 0, done.err
    assert done.data["added"], done.out
    argv = [sys.executable, "-m", "manypython", "serve", str(site), "--port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        try:
            url = serving.stdout.readline().split()[1]
            done = manypython("publish", "--to", site, "--keys", keys, "--base-url", url)
            assert done.code == 0, done.err
            trust = manypython("keys", "show", "--to", site, "--json").data["fingerprint"]
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
    with _common(tmp_path_factory, "wheel") as folder:
        if not list(folder.glob("*.whl")):
            source = Path(__file__).parents[2]
            argv = [
                sys.executable,
                "-m",
                "pip",
                "wheel",
                "--quiet",
                "--no-deps",
                "--wheel-dir",
                folder,
                source,
            ]
            subprocess.run(argv, check=True)
        return folder


@pytest.fixture(scope="session")
def tool(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``bin`` of a virtual environment with released tools in it, made once in a run for each list of them."""

    @functools.cache
    def make(*requirements: str) -> Path:
        digest = hashlib.sha256(repr(requirements).encode()).hexdigest()[:12]
        with _common(tmp_path_factory, f"tool-{digest}") as folder:
            if not (folder / "whole").exists():
                subprocess.run([sys.executable, "-m", "venv", "--clear", folder / "venv"], check=True)
                argv = [folder / "venv/bin/pip", "install", "--quiet", "--find-links", wheel, *requirements]
                subprocess.run(argv, check=True)
                (folder / "whole").touch()
            return folder / "venv/bin"

    return make


@pytest.fixture(scope="session")
def tools(tool: Callable[..., Path]) -> Path:
    """The newest uv, tox and nox, and nothing of ours."""
    return tool("uv>=0.9,<1", "tox>=4.30,<5", "nox>=2025.5", "virtualenv>=20.35", "python-discovery>=1,<2")
