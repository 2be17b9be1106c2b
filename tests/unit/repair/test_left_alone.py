"""ELF files that are none of the interpreter's: left as they are, named, and in nobody's way."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from manypython.archives.members import below, of_folder
from manypython.archives.write import FAST, tar_gz
from manypython.cli import main
from manypython.elf.hardening import hardening
from manypython.elf.policies import Policies
from manypython.elf.reading import Reader, dynamic_symbols
from manypython.model.errors import AuditError, BuildError
from manypython.model.target import Architecture, LibcFamily
from manypython.model.tree import Tree
from manypython.pipeline import opened_tree, verify
from manypython.repair import portable
from manypython.repair.audit import Stranger, audit
from manypython.repair.edits import ReplaceBytes
from manypython.repair.graft import plan_graft
from manypython.repair.relocate import plan_relocate
from manypython.run import Run
from manypython.verify.hardening import weaknesses
from manypython.verify.scan import scan

STDLIB = "lib/python3.13"
PACKAGES = f"{STDLIB}/site-packages"


def other_machine(data: bytes) -> bytes:
    """The same ELF file for a SPARC (e_machine, elf(5))."""
    return data[:18] + (43).to_bytes(2, "little") + data[20:]


@pytest.fixture
def audited(compiled: Tree) -> Callable[[str, bytes], list[str]]:
    """Audits the prefix with one more file in it; which were left as they are."""
    tree = compiled

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


@pytest.mark.parametrize("machine", ["i686", "s390x", "aarch64"])
def test_a_real_file_for_another_machine_is_left_alone(
    audited: Callable[[str, bytes], list[str]], cc: str, tmp_path: Path, machine: str
) -> None:
    """Of s390x each number in its header stands the other way round."""
    (tmp_path / "a.c").write_text("int f(void) { return 1; }\n")
    triple = f"{'x86' if machine == 'i686' else machine}-linux-gnu"
    target = (cc, "-target", triple, "-shared", "-nostdlib", "-fPIC")
    subprocess.run((*target, "-o", tmp_path / "a.so", tmp_path / "a.c"), check=True)
    name = f"{PACKAGES}/helper.so"
    (line,) = audited(name, (tmp_path / "a.so").read_bytes())
    assert line == f"{name}: is for {machine}: left as it is"


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


def test_a_real_companion_is_left_alone(
    audited: Callable[[str, bytes], list[str]], binaries: Path, tmp_path: Path
) -> None:
    program, companion = shutil.which("objcopy"), tmp_path / "a.debug"
    if program is None:
        pytest.skip("this machine has no objcopy; the next test makes a file like its")
    subprocess.run((program, "--only-keep-debug", binaries / "libinner.so.2", companion), check=True)
    (line,) = audited("lib/debug/libinner.so.2.debug", companion.read_bytes())
    assert "is debug information" in line


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
        for read in (reader.read, dynamic_symbols, hardening):
            try:
                read(path)
            except AuditError as error:
                named.append(str(path) in error.message)
    assert named
    assert all(named)


def test_what_is_left_alone_may_name_any_folder_and_stays_as_it_is(compiled: Tree, binaries: Path) -> None:
    """An installed helper names the prefix it was built in, and has no protection of ours."""
    tree, old = compiled, "/opt/python/3.13.15"
    (tree.root / STDLIB / "_sysconfigdata_x.py").write_text(f"build_time_vars = {{'prefix': '{old}'}}\n")
    data = (binaries / "main").read_bytes() + f"\0{old}/lib\0".encode()
    own, theirs = PurePosixPath(PACKAGES, "own.so"), PurePosixPath(PACKAGES, "theirs.so")
    (tree.root / own).write_bytes(data)
    (tree.root / theirs).write_bytes(other_machine(data))
    strangers = audit(tree).strangers
    left = frozenset(stranger.path for stranger in strangers)
    assert left == {theirs}
    touched = {edit.path for edit in plan_relocate(tree, strangers=left) if isinstance(edit, ReplaceBytes)}
    touched |= {edit.path for edit in plan_graft(audit(tree))}
    assert own in touched
    assert theirs not in touched
    named = " ".join(scan(tree, (old,), (), left))
    assert f"{own}: names {old}" in named
    assert str(theirs) not in named
    assert str(theirs) in " ".join(weaknesses(tree))
    assert str(theirs) not in " ".join(weaknesses(tree, left))


@pytest.mark.parametrize("command", ["audit", "graft"])
def test_commands_on_a_tree_name_what_they_leave_alone(
    compiled: Tree, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (compiled.root / PACKAGES / 'a,"b".so').write_bytes(b"\x7fELF" + bytes(12) + b"\x03\0")
    assert main([command, str(compiled.root)]) == 0
    told = capsys.readouterr()
    assert f'{PACKAGES}/a,"b".so: cannot be read as ELF: ' in told.out + told.err


def test_a_stranger_is_one_printable_line() -> None:
    stranger = Stranger(PurePosixPath(os.fsdecode(b"a\xff\n.so")), "is for i686")
    assert str(stranger) == r"a\\xff\n.so: is for i686: left as it is"
    assert stranger.as_json() == {"path": r"a\\xff\n.so", "fact": "is for i686"}


def test_a_tree_may_be_reached_through_a_link(compiled: Tree, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(compiled.root)
    there = replace(compiled, root=tmp_path / "link")
    assert [file.path for file in audit(there).files] == [file.path for file in audit(compiled).files]


def test_an_error_names_the_users_prefix_and_not_the_copy(compiled: Tree, run: Run, binaries: Path) -> None:
    """The copy is gone when the error is read. The cache lies behind a link here."""
    (compiled.root / STDLIB / "_sysconfigdata_x.py").write_text("build_time_vars = {'prefix': '/opt/was'}\n")
    program, data = compiled.executable, compiled.executable.read_bytes()

    def told(kind: type[AuditError | BuildError]) -> str:
        with pytest.raises(kind) as caught, run.scratch() as folder:
            portable.repair(portable.audit(compiled, folder / "python", run), None, run)
        said = caught.value.message + caught.value.remedy
        assert str(run.cache) not in said
        assert str(run.cache.resolve()) not in said
        return said

    program.write_bytes(data[:700])
    assert f"{program}: cannot be read as ELF" in told(AuditError)
    program.write_bytes(data)
    program.chmod(program.stat().st_mode & ~(stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH))
    assert f"{program}: cannot compile" in told(BuildError)
    (compiled.root / "lib/libinner.so.2").unlink()
    assert "libinner.so.2, needed by lib/libouter.so.1" in told(AuditError)


def test_an_error_names_the_archive_and_not_where_it_was_unpacked(
    compiled: Tree, run: Run, tmp_path: Path
) -> None:
    compiled.executable.write_bytes(compiled.executable.read_bytes()[:700])
    archive = tmp_path / "a.tar.gz"
    tar_gz(archive, below("python", of_folder(compiled.root)), 1_000_000_000, FAST)
    with pytest.raises(AuditError) as caught, opened_tree(archive, run) as tree:
        verify(tree, None, run)
    assert caught.value.message.startswith(f"{archive}/bin/python3.13: cannot be read as ELF: ")
