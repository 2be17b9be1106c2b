"""`repair` on what others built: Debian's, pyenv's, PyPy, and CPython configured in four ways."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from calls import cli
from filelock import FileLock
from foreign import Foreign, host_packages

from manypython.archives.read import unpack
from manypython.compile.sources import fetch
from manypython.folders import cache_home
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.recipes.catalogue import catalogue

pytestmark = pytest.mark.slow
CONFIGURED = {
    "shared": (("--enable-shared", "LDFLAGS=-Wl,-rpath,{prefix}/lib"), "cp313", ""),
    "debug": (("--with-pydebug",), "cp313", "debug"),
    "free-threaded": (("--disable-gil",), "cp313t", "freethreaded"),
}
LIBRARIES = (
    "gcc", "libc6-dev", "make", "libssl-dev", "libsqlite3-dev", "libffi-dev", "liblzma-dev", "libbz2-dev",
    "zlib1g-dev", "libreadline-dev", "libncurses-dev", "uuid-dev",
)  # fmt: skip


def configured(name: str) -> Path:
    """CPython 3.13.5 as anybody builds it: this machine's compiler and libraries. Kept in the cache."""
    cache = Path(cache_home(), "manypython")
    prefix = cache / "test-prefixes" / f"3.13.5-{name}"
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(prefix.with_name(f"{prefix.name}.lock")):
        if not (prefix / "whole").exists():
            shutil.rmtree(prefix, ignore_errors=True)
            recipe = catalogue().recipes["cpython-3.13.5"]
            archive = fetch(recipe, cache, reporter=Reporter(quiet=True)).path
            work = prefix.with_name(f"{prefix.name}.work")
            shutil.rmtree(work, ignore_errors=True)
            with tarfile.open(archive) as tar:
                tar.extractall(work, filter="data")
            top = next(work.iterdir())
            words = [word.format(prefix=prefix) for word in CONFIGURED[name][0]]
            for argv in (
                ["./configure", f"--prefix={prefix}", "--quiet", *words],
                ["make", "--silent", f"-j{os.cpu_count()}"],
                ["make", "--silent", "install"],
            ):
                subprocess.run(argv, cwd=top, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
            shutil.rmtree(work)
            (prefix / "whole").touch()
    return prefix


@pytest.fixture
def trixie() -> Foreign:
    """Debian 13 with none of its libraries but the libc family."""
    return Foreign("debian-13", bare=True)


def repaired(place: Path | str, folder: Path) -> tuple[Any, Path]:
    run = cli("repair", place, "-o", folder, "--fast", "--json")
    assert run.code == 0, run.err
    archive = next(Path(a["path"]) for a in run.data["artifacts"] if a["path"].endswith(".tar.gz"))
    unpack(archive, folder / "unpacked")
    return run.data, folder / "unpacked" / "python"


def proved(root: Foreign, tree: Path) -> dict[str, str]:
    """The probe in Debian 13, and a round of pip in a virtual environment there."""
    opened = Tree.open(tree)
    seen = root.prove(tree, "foreign", sorted(opened.extension_modules()))
    assert seen["rest"] == "glibc 2.41"
    said = root.run(tree, "-c", (
        "import subprocess, sys, venv; venv.create('/tmp/e', with_pip=True, symlinks=True)\n"
        "print(subprocess.run(['/tmp/e/bin/pip', '--version'], capture_output=True, text=True).stdout)"
    ))  # fmt: skip
    assert "/tmp/e/lib" in said
    return seen


@pytest.fixture(params=sorted(CONFIGURED))
def prefix(request: pytest.FixtureRequest) -> tuple[str, Path]:
    host_packages(*LIBRARIES)
    return request.param, configured(request.param)


def test_a_cpython_that_somebody_configured(
    prefix: tuple[str, Path], trixie: Foreign, tmp_path: Path
) -> None:
    name, folder = prefix
    data, tree = repaired(folder, tmp_path)
    _, tag, variant = CONFIGURED[name]
    proved(trixie, tree)
    assert Tree.open(tree).python_tag == tag
    assert all(("-" + variant if variant else "manylinux") in a["path"] for a in data["artifacts"])
    if name == "debug":
        assert "refcount" in trixie.run(
            tree, "-c", "import sys; print('refcount', sys.gettotalrefcount() > 0)"
        )
    if name == "free-threaded":
        assert trixie.run(tree, "-c", "import sys; print(sys._is_gil_enabled())").strip() == "False"


@pytest.fixture
def pyenvs() -> Path:
    """The newest Python that this machine's pyenv has."""
    versions = sorted(
        Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob("3.1[1-9].*")
    )
    if not versions:
        pytest.skip("this machine has no pyenv with a Python 3.11 or newer")
    return versions[-1]


def test_pyenvs_python(pyenvs: Path, trixie: Foreign, tmp_path: Path) -> None:
    _, tree = repaired(pyenvs, tmp_path)
    proved(trixie, tree)


def test_a_prefix_full_of_odd_things(pyenvs: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    shutil.copytree(pyenvs, prefix, symlinks=True, ignore=shutil.ignore_patterns("test", "__pycache__"))
    stdlib = Tree.open(prefix).stdlib
    (tmp_path / "outside.txt").write_text("outside")
    odd = stdlib / "site-packages" / "odd"
    odd.mkdir()
    os.mkfifo(odd / "fifo.so")
    goals: dict[str, str | Path] = {
        "absolute.py": stdlib / "os.py", "outside.txt": tmp_path / "outside.txt", "lost": "nowhere", "one": "two",
        "two": "one", "to the fifo": "fifo.so", "null": "/dev/null",
    }  # fmt: skip
    for name, goal in goals.items():
        (odd / name).symlink_to(goal)
    for name in ("a,b.txt", 'a"b.txt', "ä.txt"):
        (odd / name).write_text(name)
    data = next(stdlib.glob("lib-dynload/_json.*.so")).read_bytes()
    (odd / 'broken, "so".so').write_bytes(data[:700])
    (odd / "sparc.so").write_bytes(data[:18] + b"\x2b\0" + data[20:] + f"\0{prefix}/lib\0".encode())
    made, tree = repaired(prefix, tmp_path)
    folder = f"lib/{stdlib.name}/site-packages/odd"
    assert {each["path"].removeprefix(f"{folder}/"): each["fate"] for each in made["odd_files"]} == {
        "absolute.py": "made relative", "outside.txt": "followed", "lost": "left out", "one": "left out",
        "two": "left out", "to the fifo": "left out", "null": "left out", "fifo.so": "left out",
    }  # fmt: skip
    left = [f'{folder}/broken, "so".so', f"{folder}/sparc.so"]
    assert [each["path"] for each in made["left_as_they_are"]] == left
    told = next(check for check in made["verify"]["checks"] if check["name"] == "files of packages")
    assert told["skipped"]
    assert all(path in told["detail"] for path in left)
    assert {path.name for path in (tree / folder).iterdir() if path.is_file()} == {
        "absolute.py", "outside.txt", "a,b.txt", 'a"b.txt', "ä.txt", 'broken, "so".so', "sparc.so",
    }  # fmt: skip
    assert (tree / folder / "sparc.so").read_bytes() == (odd / "sparc.so").read_bytes()
    assert cli("verify", tree).code == 0


def test_debians_own_python(trixie: Foreign, tmp_path: Path) -> None:
    host_packages("python3", "python3-dev", "python3-venv")
    interpreter = Path("/usr/bin/python3").resolve()
    _, tree = repaired(interpreter, tmp_path)
    proved(trixie, tree)
    assert not list(tree.rglob("EXTERNALLY-MANAGED"))
    assert [os.readlink(path) for path in tree.rglob("dist-packages")] == ["site-packages"]
    assert not (tree / "bin/git").exists()
    said = trixie.run(tree, "-c", (
        "import os, sys, sysconfig; print(sysconfig.get_path('purelib') in map(os.path.realpath, sys.path))"
    ))  # fmt: skip
    assert said.strip() == "True", "what pip installs is found"


def test_pypy(trixie: Foreign, tmp_path: Path) -> None:
    host_packages("pypy3", "pypy3-dev", "pypy3-venv")
    data, tree = repaired("/usr/bin/pypy3", tmp_path)
    assert all(Path(a["path"]).name.startswith("pypy-3.") for a in data["artifacts"])
    proved(trixie, tree)
    assert "PyPy" in trixie.run(tree, "-c", "import sys; print(sys.version)")
    skipped = [c for c in data["verify"]["checks"] if c["skipped"]]
    assert "non-ASCII folder" in [c["name"] for c in skipped], "what PyPy cannot do is said"


def test_a_prefix_with_several_pythons_asks_which(tmp_path: Path) -> None:
    if len(list(Path("/usr/lib").glob("py*3.*/os.py"))) < 2:
        pytest.skip("this machine has one Python in /usr")
    run = cli("repair", "/usr", "-o", tmp_path)
    assert run.code == 3
    assert "holds several Pythons" in run.err
    assert "/usr/bin/py" in run.err
