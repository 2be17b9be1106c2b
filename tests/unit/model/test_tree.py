from __future__ import annotations

from pathlib import Path

import pytest

from manypython.model.errors import TreeError
from manypython.model.tree import Tree


def make_prefix(root: Path, name: str = "python3.13", version: str = "3.13.5", suffix: str = "") -> Path:
    (root / "lib" / name).mkdir(parents=True)
    (root / "lib" / name / "os.py").write_text("")
    (root / "bin").mkdir(exist_ok=True)
    (root / "bin" / (name + suffix)).write_text("")
    (root / "include" / name).mkdir(parents=True)
    (root / "include" / name / "patchlevel.h").write_text(f'#define PY_VERSION  "{version}"\n')
    return root


def test_a_prefix_is_recognised_without_running_it(tmp_path: Path) -> None:
    tree = Tree.open(make_prefix(tmp_path))
    assert str(tree.version) == "3.13.5"
    assert tree.python_tag == "cp313"
    assert tree.executable == tmp_path / "bin/python3.13"


def test_free_threaded_and_debug_builds_are_told_apart(tmp_path: Path) -> None:
    free = Tree.open(make_prefix(tmp_path / "t", "python3.13t"))
    debug = Tree.open(make_prefix(tmp_path / "d", suffix="d"))
    assert (free.python_tag, free.name) == ("cp313t", "python3.13t")
    assert (debug.debug, debug.executable.name) == ("d", "python3.13d")


@pytest.mark.parametrize(
    "missing", ["lib/python3.13/os.py", "bin/python3.13", "include/python3.13/patchlevel.h"]
)
def test_what_is_no_prefix_is_refused_by_name(tmp_path: Path, missing: str) -> None:
    (make_prefix(tmp_path) / missing).unlink()
    with pytest.raises(TreeError) as caught:
        Tree.open(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert caught.value.exit_code == 3


def test_two_pythons_in_one_prefix_are_one_too_many_unless_one_is_named(tmp_path: Path) -> None:
    make_prefix(make_prefix(make_prefix(tmp_path), "python3.12", "3.12.1"), "pypy3.9", "3.9.16")
    with pytest.raises(TreeError, match=r"several Pythons \(pypy3.9, python3.12, python3.13\)") as caught:
        Tree.open(tmp_path)
    assert f"{tmp_path}/bin/python3.13" in caught.value.remedy
    (tmp_path / "bin/python3").symlink_to("python3.12")
    assert Tree.open(tmp_path / "bin/python3").name == "python3.12"
    pypy = Tree.open(tmp_path / "bin/pypy3.9")
    assert (pypy.implementation, pypy.python_tag, pypy.cache_tag) == ("pypy", "pp39", "pypy39")


def test_a_debug_build_has_its_plain_name_too(tmp_path: Path) -> None:
    make_prefix(tmp_path, suffix="d")
    (tmp_path / "bin/python3.13").hardlink_to(tmp_path / "bin/python3.13d")
    assert Tree.open(tmp_path).debug == "d"
    assert Tree.open(tmp_path / "bin/python3.13").debug == "d"


def test_a_prefix_of_the_whole_system_is_told_from_an_own_one(tmp_path: Path) -> None:
    tree = Tree.open(make_prefix(tmp_path))
    assert not tree.shared
    (tmp_path / "sbin").mkdir()
    assert tree.shared


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="no such folder"):
        Tree.open(tmp_path / "nowhere")
