from __future__ import annotations

import struct
from pathlib import Path, PurePosixPath

import pytest

from manypython import process
from manypython.elf.policies import Policies
from manypython.model.errors import AuditError, HostToolError, OutputError, TreeError
from manypython.model.target import Target
from manypython.model.tree import GRAFTS, Tree
from manypython.progress import Reporter
from manypython.repair.apply import apply, check, replace_strings
from manypython.repair.audit import TooNew, _users, audit, require
from manypython.repair.edits import (
    CopyIn,
    Remove,
    ReplaceBytes,
    SetRpath,
    SetSoname,
    Strip,
    WriteText,
    join,
)
from manypython.repair.graft import grafts, plan_graft

QUIET = Reporter(quiet=True)


@pytest.fixture
def tree(binaries: Path, tmp_path: Path) -> Tree:
    """A prefix whose interpreter is the little program, with its libraries outside."""
    root = tmp_path / "prefix"
    for folder in ("bin", "lib/python3.13", "include/python3.13"):
        (root / folder).mkdir(parents=True)
    (root / "lib/python3.13/os.py").write_text("")
    (root / "include/python3.13/patchlevel.h").write_text('#define PY_VERSION "3.13.5"\n')
    (root / "bin/python3.13").write_bytes((binaries / "main").read_bytes())
    (root / "bin/python3.13").chmod(0o755)
    return Tree.open(root)


def test_a_graft_brings_libraries_in_under_names_of_their_own(tree: Tree, binaries: Path) -> None:
    report = audit(tree, search=(binaries,))
    plan = plan_graft(report)
    copied = [edit.path for edit in plan if isinstance(edit, CopyIn)]
    assert [path.parent for path in copied] == [PurePosixPath(GRAFTS)] * 2
    assert all(path.name.startswith(("libinner-", "libouter-")) for path in copied)
    assert SetRpath(PurePosixPath("bin/python3.13"), "$ORIGIN/../lib/python.libs") in plan


def test_a_grafted_tree_runs_anywhere_and_needs_no_second_graft(
    tree: Tree, binaries: Path, tmp_path: Path
) -> None:
    apply(tree, plan_graft(audit(tree, search=(binaries,))), reporter=QUIET, jobs=2)
    again = audit(tree)
    assert plan_graft(again) == ()
    assert grafts(again) == ()
    moved = tmp_path / "moved here"
    tree.root.rename(moved)
    assert process.run((moved / "bin/python3.13",), env={}).output == "42\n"


def test_a_library_that_cannot_be_located_is_named_with_its_user(tree: Tree) -> None:
    with pytest.raises(AuditError, match=r"libouter.so.1, needed by bin/python3.13"):
        plan_graft(audit(tree))


def test_a_file_of_another_architecture_is_refused(tree: Tree, binaries: Path) -> None:
    data = bytearray((binaries / "libinner.so.2").read_bytes())
    data[18:20] = struct.pack("<H", 183)  # EM_AARCH64
    (tree.root / "lib/python3.13/alien.so").write_bytes(data)
    with pytest.raises(TreeError, match=r"alien.so: is for aarch64, the other files are for"):
        plan_graft(audit(tree, search=(binaries,)))


def test_what_is_too_new_is_named_with_symbol_version_and_file(tree: Tree, binaries: Path, cc: str) -> None:
    """A program linked for a newer glibc asks for its start-up code."""
    target = Target.parse("x86_64-manylinux_2_17")
    (tree.root / "m.c").write_text("int main(void) { return 0; }\n")
    process.run((cc, "-target", "x86_64-linux-gnu.2.34", "-o", tree.executable, "m.c"), cwd=tree.root)
    report = audit(tree, target=target, search=(binaries,))
    assert any(e.symbol == "__libc_start_main" and e.version == "GLIBC_2.34" for e in report.too_new)
    with pytest.raises(AuditError, match=r"bin/python3.13: __libc_start_main@GLIBC_2.34 of libc.so.6"):
        require(report, target)


def test_what_a_library_brings_in_is_laid_at_the_door_of_who_needs_it(tree: Tree, binaries: Path) -> None:
    apply(tree, plan_graft(audit(tree, search=(binaries,))), reporter=QUIET, jobs=2)
    files = audit(tree).files
    inner, outer = (next(f for f in files if name in f.path.name) for name in ("libinner", "libouter"))
    assert _users(inner, files) == (outer.path,)
    fact = TooNew(inner.path, "memfd_create", "GLIBC_2.27", "libc.so.6", (outer.path,))
    assert str(fact) == f"{inner.path}: memfd_create@GLIBC_2.27 of libc.so.6, brought in by {outer.path}"


def test_the_report_is_complete_for_machines(tree: Tree, binaries: Path) -> None:
    data = audit(tree, search=(binaries,)).as_json()
    row = data["files"][0]
    assert row["path"] == "bin/python3.13"
    assert row["external"]["libouter.so.1"] == str(binaries / "libouter.so.1")
    assert data["policy"].startswith("manylinux_2_")


def test_policies_are_ordered_and_the_worst_file_decides() -> None:
    policies = Policies(
        Target.parse("x86_64-manylinux_2_17").libc,
        Target.parse("x86_64-manylinux_2_17").architecture,
    )
    assert policies.lowest_of(["manylinux_2_17_x86_64", "manylinux_2_34_x86_64"]) == "manylinux_2_34_x86_64"
    assert policies.lowest_of(["linux_x86_64", "manylinux_2_17_x86_64"]) == "linux_x86_64"


@pytest.mark.parametrize(
    "plan",
    [
        (Remove(PurePosixPath("../x"), ""),),
        (WriteText(PurePosixPath("/etc/passwd"), "", ""),),
        (SetSoname(PurePosixPath("a"), "x"), SetSoname(PurePosixPath("a"), "y")),
        (Remove(PurePosixPath("a"), ""), Strip(PurePosixPath("a"))),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused_before_a_byte_is_written(
    plan: tuple[Strip, ...], tree: Tree
) -> None:
    with pytest.raises(TreeError):
        check(plan)
    before = sorted(tree.root.rglob("*"))
    with pytest.raises(TreeError):
        apply(tree, plan, reporter=QUIET, jobs=1)
    assert sorted(tree.root.rglob("*")) == before


def test_a_hard_link_elsewhere_is_not_written_through(tree: Tree, binaries: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").hardlink_to(tree.executable)
    before = (tmp_path / "theirs").read_bytes()
    apply(tree, plan_graft(audit(tree, search=(binaries,))), reporter=QUIET, jobs=1)
    assert (tmp_path / "theirs").read_bytes() == before
    assert tree.executable.read_bytes() != before


def test_bytes_are_replaced_in_whole_paths_only() -> None:
    data = b"\0/opt/py\0/opt/py/lib\0/opt/pypy\0x"
    assert replace_strings(data, b"/opt/py", b"/!!!/py") == b"\0/!!!/py\0/!!!/py/lib\0/opt/pypy\0x"


def contents(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(root.rglob("*"))
    }


def test_what_fails_half_way_leaves_the_tree_as_it_was(tree: Tree, binaries: Path) -> None:
    """patchelf refuses the last file of the plan; by then the others are done."""
    before = contents(tree.root)
    plan = (
        *plan_graft(audit(tree, search=(binaries,))),
        SetRpath(PurePosixPath("lib/python3.13/os.py"), "x"),
    )
    with pytest.raises(HostToolError, match="patchelf failed"):
        apply(tree, plan, reporter=QUIET, jobs=1)
    assert contents(tree.root) == before


def test_a_library_that_nobody_can_read_leaves_the_tree_as_it_was(tree: Tree, binaries: Path) -> None:
    before = contents(tree.root)
    plan = (*plan_graft(audit(tree, search=(binaries,))), CopyIn(PurePosixPath("lib/x"), binaries / "gone"))
    with pytest.raises(OutputError, match="gone: cannot be changed"):
        apply(tree, plan, reporter=QUIET, jobs=2)
    assert contents(tree.root) == before


def test_a_library_in_lib_is_moved_with_all_that_is_done_to_it(
    tree: Tree, binaries: Path, tmp_path: Path
) -> None:
    for name in ("libouter.so.1", "libinner.so.2"):
        (tree.root / "lib" / name).write_bytes((binaries / name).read_bytes())
    (tree.root / "lib/libouter.so").symlink_to("libouter.so.1")
    report = audit(tree)
    old = b"libouter.so.1"
    plan = join(plan_graft(report), (ReplaceBytes(PurePosixPath("lib/libouter.so.1"), old, old),))
    apply(tree, plan, reporter=QUIET, jobs=2)
    assert sorted(path.name.partition("-")[0] for path in tree.grafts.iterdir()) == ["libinner", "libouter"]
    assert not list(tree.root.glob("lib/*.so*"))
    assert plan_graft(audit(tree)) == ()
    tree.root.rename(tmp_path / "moved")
    assert process.run((tmp_path / "moved/bin/python3.13",), env={}).output == "42\n"


def test_a_name_below_a_prefix_that_is_replaced_is_still_found(tree: Tree, cc: str, tmp_path: Path) -> None:
    """patchelf comes after the bytes, and has to look for what they became."""
    old = tmp_path / "old"
    old.mkdir()
    (old / "a.c").write_text("int a(void) { return 42; }\n")
    (old / "m.c").write_text('#include <stdio.h>\nint a(void);\nint main(void) { printf("%d\\n", a()); }\n')
    process.run((cc, "-shared", "-fPIC", "-o", "liba.so", "a.c"), cwd=old)
    process.run((cc, "-o", tree.executable, "m.c", old / "liba.so"), cwd=old)
    same_length = b"/" + b"!" * (len(str(old)) - 1)
    edit = ReplaceBytes(PurePosixPath("bin/python3.13"), str(old).encode(), same_length)
    apply(tree, join(plan_graft(audit(tree)), (edit,)), reporter=QUIET, jobs=1)
    (old / "liba.so").unlink()
    assert str(old).encode() not in tree.executable.read_bytes()
    assert process.run((tree.executable,), env={}).output == "42\n"


def test_what_lies_in_the_tree_is_told_from_what_lies_outside(tree: Tree, binaries: Path) -> None:
    report = audit(tree, search=(binaries,))
    assert [file.external for file in report.files] == [("libinner.so.2", "libouter.so.1")]
    assert set(report.libraries) == {binaries / "libinner.so.2", binaries / "libouter.so.1"}
    assert all(library.inside is None for library in report.libraries.values())
