"""The world on top of it: what people install first, installed into a moved tree and used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builds import Made
from foreign import Foreign, host_packages

pytestmark = pytest.mark.slow
ROWS = tomllib.loads(Path(__file__).with_name("packages.toml").read_text())["package"]
SCRIPT = """
import sqlite3, ssl, sys
db = sqlite3.connect(":memory:")
db.execute("create virtual table t using fts5(x)")
db.execute("insert into t values ('frozen and portable')")
assert db.execute("select x from t where t match 'portable'").fetchall()
left, right = ssl.MemoryBIO(), ssl.MemoryBIO()
client = ssl.create_default_context().wrap_bio(left, right, server_hostname="localhost")
try:
    client.do_handshake()
except ssl.SSLWantReadError:
    pass
assert right.read()[:1] == b"\\x16", "no ClientHello"
print("fine", getattr(sys, "frozen", "compiled"), ssl.OPENSSL_VERSION)
"""


@pytest.fixture(scope="session")
def moved(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a tree that was moved into a folder with a space."""
    place = tmp_path_factory.mktemp("world") / "py thon"
    shutil.copytree(made.tree, place, symlinks=True)
    return place / "bin/python3"


@pytest.fixture
def venv(moved: Path, tmp_path: Path) -> Callable[..., Path]:
    def make(*requirements: str) -> Path:
        subprocess.run((moved, "-m", "venv", tmp_path / "e"), check=True)
        python = tmp_path / "e/bin/python"
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        subprocess.run((*pip, *requirements), check=True)
        return python

    return make


def run(*argv: str | Path, cwd: Path, **environment: str) -> str:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), **environment}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd, env=env, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_a_package_works(row: dict[str, Any], venv: Callable[..., Path], tmp_path: Path) -> None:
    host_packages(*row.get("host", ()))
    python = venv(*row.get("requirements", [row["name"]]))
    run(python, "-c", row["program"], cwd=tmp_path, **row.get("environment", {}))


def test_nuitka_makes_a_folder_that_runs_on_glibc_2_17(venv: Callable[..., Path], tmp_path: Path) -> None:
    host_packages("gcc", "libc6-dev", "patchelf")
    (tmp_path / "app.py").write_text(SCRIPT)
    python = venv("nuitka")
    words = ("--standalone", "--assume-yes-for-downloads", "--quiet", "--static-libpython=no", "app.py")
    run(python, "-m", "nuitka", *words, cwd=tmp_path)
    assert "fine" in run(tmp_path / "app.dist/app.bin", cwd=tmp_path)
    assert "fine" in Foreign("debian-12").execute(tmp_path / "app.dist/app.bin")


def test_the_tree_stays_as_it_was(moved: Path, made: Made) -> None:
    """Nobody who works in a virtual environment writes into the tree."""

    def listing(root: Path) -> set[str]:
        return {str(path.relative_to(root)) for path in root.rglob("*")}

    assert listing(moved.parents[1]) == listing(made.tree)
    assert sys.version_info >= (3, 11)
    assert os.access(moved, os.X_OK)
