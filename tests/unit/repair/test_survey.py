from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from packaging.version import Version

from manypython import pipeline
from manypython.archives.members import complete, of_folder
from manypython.archives.read import unpack
from manypython.archives.write import FAST, WRITERS
from manypython.model.errors import TreeError
from manypython.model.tree import Tree
from manypython.pipeline import Output
from manypython.repair.audit import audit
from manypython.repair.copy import copy
from manypython.repair.survey import (
    Fate,
    Oddity,
    insist_copied,
    insist_plain,
    insist_takeable,
    insist_young,
    survey,
)
from manypython.run import Run

STDLIB = "lib/python3.13"
PACKAGES = f"{STDLIB}/site-packages"


def fates(tree: Tree) -> dict[str, Fate]:
    return {oddity.path.name: oddity.fate for oddity in survey(tree)}


def bound(place: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))  # a long path is more than an address holds
    (tmp_path / "s").rename(place)


def test_a_plain_prefix_has_nothing_odd(tree: Tree) -> None:
    assert survey(tree) == ()
    insist_takeable(tree, ())
    insist_plain(tree, survey(tree))


def test_links_are_followed_made_relative_or_left_out(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("from outside")
    (tmp_path / "folder").mkdir()
    packages = tree.root / PACKAGES
    goals: dict[str, str | Path] = {
        "absolute.py": tree.root / STDLIB / "os.py",
        "moved.py": f"/opt/was/{STDLIB}/os.py",
        "notes.txt": tmp_path / "notes.txt",
        "round.py": f"../../../../prefix/{STDLIB}/os.py",
        "lost": "nowhere",
        "one": "two",
        "two": "one",
        "programs": "../../../bin",
        "through": "programs/python3.13",
        "plain.py": "../os.py",
        "chain.py": "plain.py",
    }
    for name, goal in goals.items():
        (packages / name).symlink_to(goal)
    oddities = survey(tree, origins=("/opt/was",))
    assert {oddity.path.name: oddity.fate for oddity in oddities} == {
        "absolute.py": Fate.RELATIVE, "moved.py": Fate.RELATIVE, "round.py": Fate.RELATIVE, "through": Fate.RELATIVE,
        "notes.txt": Fate.FOLLOWED, "lost": Fate.LEFT_OUT, "one": Fate.LEFT_OUT, "two": Fate.LEFT_OUT,
    }  # fmt: skip
    done = copy(tree, tmp_path / "copy", oddities).root / PACKAGES
    assert os.readlink(done / "absolute.py") == "../os.py" == os.readlink(done / "moved.py")
    assert os.readlink(done / "through") == "../../../bin/python3.13"
    assert (done / "notes.txt").read_text() == "from outside"
    assert not (done / "notes.txt").is_symlink()
    assert not any(os.path.lexists(done / name) for name in ("lost", "one", "two"))
    assert survey(replace(tree, root=tmp_path / "copy")) == (), "what is copied is plain"


def test_a_folder_outside_is_refused(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "editable").mkdir()
    (tree.root / PACKAGES / "project").symlink_to(tmp_path / "editable")
    with pytest.raises(TreeError, match=f"{PACKAGES}/project: a link to .*editable, a folder outside"):
        insist_takeable(tree, survey(tree))


def test_what_is_no_file_is_left_out_and_nothing_waits_for_it(compiled: Tree, tmp_path: Path) -> None:
    tree = compiled
    os.mkfifo(tree.root / PACKAGES / "fifo.so")
    bound(tree.root / PACKAGES / "socket", tmp_path)
    for name, goal in (("to it", "fifo.so"), ("further", "to it"), ("away", "/dev/null")):
        (tree.root / PACKAGES / name).symlink_to(goal)
    assert fates(tree) == dict.fromkeys(("fifo.so", "socket", "to it", "further", "away"), Fate.LEFT_OUT)
    reader = threading.Thread(target=audit, args=(tree,), daemon=True)
    reader.start()
    reader.join(30)
    assert not reader.is_alive(), "an audit waits at the FIFO"
    done = copy(tree, tmp_path / "copy", survey(tree))
    assert not list((done.root / PACKAGES).iterdir())
    for insist in (insist_plain, insist_copied):
        with pytest.raises(TreeError, match=r"fifo\.so: a FIFO\n[^!]*socket: a socket"):
            insist(tree, survey(tree))


def test_modes_that_harm_are_made_plain(tree: Tree, tmp_path: Path) -> None:
    (tree.root / PACKAGES / "tool").write_text("")
    (tree.root / PACKAGES / "tool").chmod(0o4777)
    assert fates(tree) == {"tool": Fate.TAMED}
    (tmp_path / "theirs").write_text("")
    (tmp_path / "theirs").chmod(0o6777)
    (tree.root / PACKAGES / "followed").symlink_to(tmp_path / "theirs")
    done = copy(tree, tmp_path / "copy", survey(tree))
    for name in ("tool", "followed"):
        assert (done.root / PACKAGES / name).stat().st_mode & 0o7777 == 0o755
    insist_copied(tree, survey(tree))


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        (b"caf\xe9.txt", r"caf\\xe9\.txt: a name that is not UTF-8"),
        (b"two\nlines", r"two\\nlines: a name that systems read differently"),
        (b"back\\slash", r"a name that systems read differently"),
    ],
)
def test_a_name_that_no_archive_can_hold_is_refused_before_the_copy(
    tree: Tree, name: bytes, fact: str
) -> None:
    Path(os.fsdecode(os.path.join(os.fsencode(tree.root / PACKAGES), name))).write_text("")
    Path(tree.root / PACKAGES / os.fsdecode(b"second\xff")).write_text("")
    with pytest.raises(TreeError, match=fact) as caught:
        insist_takeable(tree, survey(tree))
    assert r"second\xff" in caught.value.message, "each is named"
    caught.value.message.encode()
    json.dumps([oddity.as_json() for oddity in survey(tree)]).encode()


def test_a_link_that_cannot_be_followed_is_left_out(tree: Tree) -> None:
    (tree.root / PACKAGES / "long").symlink_to("x" * 300)
    (oddity,) = survey(tree)
    assert str(oddity).endswith("which cannot be followed: left out")


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_names_that_are_odd_and_whole_survive(suffix: str, tree: Tree, tmp_path: Path) -> None:
    names = ["a,b.txt", 'a"b.txt', "a'b c.txt", "ü und 蛇.txt", "-rf", "#x=1%20.txt"]
    for name in names:
        (tree.root / PACKAGES / name).write_text(name)
    assert survey(tree) == ()
    members = complete(of_folder(tree.root))
    WRITERS[suffix](tmp_path / f"a{suffix}", members, 1_000_000_000, FAST)
    unpack(tmp_path / f"a{suffix}", tmp_path / "unpacked")
    found = {path.name: path.read_text() for path in (tmp_path / "unpacked" / PACKAGES).iterdir()}
    assert found == {name: name for name in names}


@pytest.mark.parametrize(("implementation", "version", "old"), [
    ("cpython", "3.9.18", True), ("cpython", "3.10.13", False), ("pypy", "3.9.16", False), ("pypy", "3.8.16", True),
])  # fmt: skip
def test_an_old_python_is_refused(tree: Tree, implementation: str, version: str, old: bool) -> None:
    aged = replace(tree, implementation=implementation, version=Version(version))
    with pytest.raises(TreeError, match="is too old") if old else nullcontext():
        insist_young(aged)


@pytest.mark.parametrize("command", ["repair", "pack", "verify"])
def test_an_old_python_is_refused_before_anything_else(
    tree: Tree, command: str, run: Run, output: Output
) -> None:
    """It has nothing else that any of them wants, and no program that could be run."""
    (tree.root / "lib/python3.13").rename(tree.root / "lib/python3.9")
    (tree.root / "include/python3.13").rename(tree.root / "include/python3.9")
    (tree.root / "include/python3.9/patchlevel.h").write_text('#define PY_VERSION "3.9.18"')
    (tree.root / "bin/python3.13").rename(tree.root / "bin/python3.9")
    old = Tree.open(tree.root)
    work: Callable[[], object] = {
        "repair": lambda: pipeline.repair(old.root, None, run, output),
        "pack": lambda: pipeline.pack_tree(old, None, run, output),
        "verify": lambda: pipeline.verify(old, None, run),
    }[command]
    with pytest.raises(TreeError, match=r"python3\.9 is too old") as caught:
        work()
    assert "3.10" in caught.value.remedy


def test_what_copies_leave_out_is_not_looked_at(tree: Tree) -> None:
    (tree.root / STDLIB / "test").mkdir()
    os.mkfifo(tree.root / STDLIB / "test/fifo")
    (tree.root / PACKAGES / "tests.py").symlink_to("../test")
    assert [str(each.path) for each in survey(tree)] == [f"{STDLIB}/test/fifo"]
    left_out = [PurePosixPath(STDLIB, "test")]
    assert [(each.path.name, each.fate) for each in survey(tree, left_out)] == [("tests.py", Fate.LEFT_OUT)]


def test_an_oddity_is_one_printable_line() -> None:
    oddity = Oddity(PurePosixPath(os.fsdecode(b"\x1b[2J\xff\n")), "a FIFO", Fate.LEFT_OUT)
    assert str(oddity) == r"\x1b[2J\\xff\n: a FIFO: left out"
