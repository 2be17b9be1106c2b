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

from manypython.archives.members import complete, of_folder
from manypython.archives.read import unpack
from manypython.archives.write import FAST, WRITERS
from manypython.elf.hardening import hardening
from manypython.elf.policies import Policies
from manypython.elf.reading import Reader, wanted_symbols
from manypython.model.errors import AuditError, TreeError
from manypython.model.target import Architecture, LibcFamily
from manypython.model.tree import Tree
from manypython.repair.audit import audit
from manypython.repair.copy import copy
from manypython.repair.survey import Fate, Oddity, insist_plain, insist_takeable, survey

STDLIB = "lib/python3.13"
PACKAGES = f"{STDLIB}/site-packages"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A prefix as plain as can be."""
    root = tmp_path / "prefix"
    for folder in ("bin", f"{STDLIB}/lib-dynload", PACKAGES, "include/python3.13"):
        (root / folder).mkdir(parents=True)
    (root / "bin/python3.13").write_text("")
    (root / "bin/python3").symlink_to("python3.13")
    (root / STDLIB / "os.py").write_text("")
    (root / "include/python3.13/patchlevel.h").write_text('#define PY_VERSION "3.13.15"')
    return Tree.open(root)


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


def test_what_is_no_file_is_left_out_and_nothing_waits_for_it(
    tree: Tree, tmp_path: Path, binaries: Path
) -> None:
    (tree.root / "bin/python3.13").write_bytes((binaries / "main").read_bytes())
    for library in ("libinner.so.2", "libouter.so.1"):
        (tree.root / "lib" / library).write_bytes((binaries / library).read_bytes())
    os.mkfifo(tree.root / PACKAGES / "fifo.so")
    bound(tree.root / PACKAGES / "socket", tmp_path)
    assert fates(tree) == {"fifo.so": Fate.LEFT_OUT, "socket": Fate.LEFT_OUT}
    reader = threading.Thread(target=audit, args=(tree,), daemon=True)
    reader.start()
    reader.join(30)
    assert not reader.is_alive(), "an audit waits at the FIFO"
    done = copy(tree, tmp_path / "copy", survey(tree))
    assert not list((done.root / PACKAGES).iterdir())
    with pytest.raises(TreeError, match=r"fifo\.so: a FIFO\n.*socket: a socket"):
        insist_plain(tree, survey(tree))


def test_modes_that_harm_are_made_plain(tree: Tree, tmp_path: Path) -> None:
    (tree.root / PACKAGES / "tool").write_text("")
    (tree.root / PACKAGES / "tool").chmod(0o4777)
    assert fates(tree) == {"tool": Fate.TAMED}
    done = copy(tree, tmp_path / "copy", survey(tree))
    assert (done.root / PACKAGES / "tool").stat().st_mode & 0o7777 == 0o755


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
def test_an_old_python_is_refused_at_once(tree: Tree, implementation: str, version: str, old: bool) -> None:
    aged = replace(tree, implementation=implementation, version=Version(version))
    with pytest.raises(TreeError, match="is too old") if old else nullcontext():
        insist_takeable(aged, ())


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


def other_machine(data: bytes) -> bytes:
    """The same ELF file for a SPARC (e_machine, elf(5))."""
    return data[:18] + (43).to_bytes(2, "little") + data[20:]


@pytest.fixture
def audited(tree: Tree, binaries: Path) -> Callable[[str, bytes], list[str]]:
    """Audits the prefix with one more file in it; which were left as they are."""
    for name, place in (("main", "bin/python3.13"), ("libinner.so.2", "lib/libinner.so.2"),
                        ("libouter.so.1", "lib/libouter.so.1")):  # fmt: skip
        (tree.root / place).write_bytes((binaries / name).read_bytes())

    def with_file(name: str, data: bytes) -> list[str]:
        (tree.root / name).parent.mkdir(parents=True, exist_ok=True)
        (tree.root / name).write_bytes(data)
        report = audit(tree)
        assert name not in {str(file.path) for file in report.files}
        assert [each["path"] for each in report.as_json()["left_as_they_are"]] == [name]
        return [str(stranger) for stranger in report.strangers]

    return with_file


def test_a_packages_file_for_another_machine_is_left_alone(
    audited: Callable[[str, bytes], list[str]], binaries: Path
) -> None:
    (line,) = audited(f"{PACKAGES}/debugpy/attach.so", other_machine((binaries / "main").read_bytes()))
    assert "is for" in line
    assert line.endswith("left as it is")


@pytest.mark.parametrize("length", [20, 64, 100, 700, 5000])
def test_a_packages_broken_file_is_left_alone(
    audited: Callable[[str, bytes], list[str]], binaries: Path, length: int
) -> None:
    (line,) = audited(f"{PACKAGES}/broken.so", (binaries / "main").read_bytes()[:length])
    assert line.startswith(f"{PACKAGES}/broken.so: cannot be read as ELF: ")


@pytest.mark.parametrize("change", [lambda data: data[:700], other_machine], ids=["broken", "other machine"])
def test_a_file_of_the_interpreters_own_is_an_error(
    tree: Tree, audited: Callable[[str, bytes], list[str]], binaries: Path, change: Callable[[bytes], bytes]
) -> None:
    name = f"{STDLIB}/lib-dynload/_json.so"
    (tree.root / name).write_bytes(change((binaries / "libinner.so.2").read_bytes()))
    if change is other_machine:
        assert name in {str(file.path) for file in audit(tree).files}, "for `plan_graft` to refuse"
    else:
        with pytest.raises(AuditError, match=name):
            audit(tree)


def companion(data: bytes) -> bytes:
    """The file with a dynamic section of no bytes (SHT_NOBITS), as ``objcopy --only-keep-debug`` leaves it."""
    start = int.from_bytes(data[40:48], "little")
    changed = bytearray(data)
    for number in range(int.from_bytes(data[60:62], "little")):
        kind = start + number * 64 + 4
        if changed[kind : kind + 4] == b"\x06\0\0\0":  # SHT_DYNAMIC
            changed[kind : kind + 4] = b"\x08\0\0\0"
    return bytes(changed)


@pytest.mark.parametrize("folder", ["lib/debug", f"{STDLIB}/lib-dynload", PACKAGES])
def test_debug_information_apart_from_its_program_is_left_alone(
    audited: Callable[[str, bytes], list[str]], binaries: Path, folder: str
) -> None:
    name = f"{folder}/_json.so.debug"
    (line,) = audited(name, companion((binaries / "libinner.so.2").read_bytes()))
    assert line == f"{name}: is debug information, apart from its program: left as it is"


def test_whatever_pyelftools_raises_names_the_file(tmp_path: Path, binaries: Path) -> None:
    """Of each file that is cut off or has a byte changed: read, or an AuditError that names it."""
    whole = (binaries / "libouter.so.1").read_bytes()
    reader = Reader(tmp_path, Policies(LibcFamily.GLIBC, Architecture.X86_64))
    path, named = tmp_path / "changed.so", list[bool]()
    for place in range(4, min(len(whole), 3000), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        for read in (reader.read, wanted_symbols, hardening):
            try:
                read(path)
            except AuditError as error:
                named.append(str(path) in error.message)
    assert named
    assert all(named)
