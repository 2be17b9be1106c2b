from __future__ import annotations

from pathlib import Path

import pytest
from packaging.version import Version

from manypython.model.tree import Tree
from manypython.probe import packages
from manypython.verify.scan import scan


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    for folder in ("bin", "lib/python3.13/lib-dynload"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "bin/python3.13").write_bytes(b"\x7fELF /install/lib/python3.13")
    (tmp_path / "lib/python3.13/_sysconfigdata_x.py").write_text("{'prefix': '/install/lib'}")
    return Tree(tmp_path, Version("3.13.5"), "")


def test_a_clean_tree_has_no_findings(tree: Tree) -> None:
    assert scan(tree, ("/home/builder",)) == ()


@pytest.mark.parametrize("data", [b"text /home/builder/x", b"\x7fELF\0\0/home/builder\0"])
def test_a_build_path_is_found_in_texts_and_binaries(tree: Tree, data: bytes) -> None:
    (tree.root / "lib/x").write_bytes(data)
    assert scan(tree, ("/home/builder",)) == ("lib/x: names /home/builder",)


def test_the_neutral_prefix_is_allowed_only_where_it_has_a_reason(tree: Tree) -> None:
    (tree.root / "lib/note").write_text("-L/install/lib")
    (tree.root / "lib/word").write_text("/usr/bin/install and /installed/lib")
    assert scan(tree, ()) == ()
    (tree.root / "lib/note").write_text("see /install/lib")
    assert scan(tree, ()) == ("lib/note: names /install",)


def test_odd_links_names_and_modes_are_found(tree: Tree) -> None:
    (tree.root / "bin/a").symlink_to("/usr/bin/env")
    (tree.root / "bin/b").symlink_to("gone")
    (tree.root / "lib/libz.so.1").write_bytes(b"")
    (tree.root / "lib/open").write_bytes(b"")
    (tree.root / "lib/open").chmod(0o666)
    assert scan(tree, ()) == (
        "bin/a: absolute link to /usr/bin/env",
        "bin/b: dangling link to gone",
        "lib/libz.so.1: a generic soname, which LD_LIBRARY_PATH may spread",
        "lib/open: writable by all, or setuid",
    )
    assert "lib/libz.so.1" not in " ".join(scan(tree, (), ("lib/libz.so.1",)))


def test_the_packages_for_pip_are_whole(tmp_path: Path) -> None:
    assert packages.wheel(tmp_path).stat().st_size > 300
    names = {path.name for path in packages.extension(tmp_path).iterdir()}
    assert names == {"hello.c", "backend.py", "pyproject.toml"}
