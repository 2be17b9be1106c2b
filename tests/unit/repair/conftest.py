from __future__ import annotations

from pathlib import Path

import pytest

from manypython.model.tree import Tree
from manypython.pipeline import Output
from manypython.progress import Reporter
from manypython.recipes.catalogue import catalogue
from manypython.run import Run


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A prefix as plain as can be."""
    root, stdlib = tmp_path / "prefix", "lib/python3.13"
    for folder in ("bin", f"{stdlib}/lib-dynload", f"{stdlib}/site-packages", "include/python3.13"):
        (root / folder).mkdir(parents=True)
    (root / "bin/python3.13").write_text("")
    (root / "bin/python3").symlink_to("python3.13")
    (root / stdlib / "os.py").write_text("")
    (root / "include/python3.13/patchlevel.h").write_text('#define PY_VERSION "3.13.15"')
    return Tree.open(root)


@pytest.fixture
def compiled(tree: Tree, binaries: Path) -> Tree:
    """The same with real ELF files: a program, and the libraries that it needs."""
    for name, place in (("main", "bin/python3.13"), ("libinner.so.2", "lib/libinner.so.2"),
                        ("libouter.so.1", "lib/libouter.so.1")):  # fmt: skip
        (tree.root / place).write_bytes((binaries / name).read_bytes())
    return tree


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """One that says nothing; its cache is reached through a link."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "cache").symlink_to("disk")
    return Run(tmp_path / "cache", Reporter(quiet=True), 2)


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(tmp_path / "dist", catalogue().build)
