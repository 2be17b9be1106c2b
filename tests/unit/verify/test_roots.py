from __future__ import annotations

import os
from pathlib import Path

import linked
import pytest
from packaging.version import Version

from manypython.model.errors import HostToolError, UsageError
from manypython.model.target import Architecture, Target
from manypython.model.tree import Tree
from manypython.progress import Reporter
from manypython.repair.portable import PortableTree
from manypython.run import Run
from manypython.verify import emulation, foreign, roots
from manypython.verify.roots import ROOTS
from manypython.verify.surroundings import PLAIN

QUIET = Reporter(quiet=True)
X86_64 = Architecture.X86_64


def test_all_and_names_select_each_root_once() -> None:
    assert [root.name for root in roots.select(["debian-12", "all", "debian-12"])][:2] == [
        "debian-12",
        "glibc-2.17",
    ]
    assert len(roots.select(["all", "debian-13"])) == len(ROOTS)
    with pytest.raises(UsageError, match="no root 'debian-9'"):
        roots.select(["debian-9"])


def test_the_old_glibc_is_made_once_listed_and_removed(tmp_path: Path) -> None:
    root = ROOTS["glibc-2.17"]
    folder = roots.create(root, X86_64, tmp_path, QUIET)
    files = {path.name: path for path in folder.iterdir()}
    assert os.readlink(files["libc.so.6"]) == "libc-2.17.so"
    modes = {path.stat().st_mode & 0o7777 for path in files.values() if not path.is_symlink()}
    assert modes == {0o755}, "whoever verifies may run them"
    stamp = folder.stat().st_mtime_ns
    assert roots.create(root, X86_64, tmp_path, QUIET).stat().st_mtime_ns == stamp
    assert roots.existing(tmp_path)[folder.name] > 1_000_000
    assert roots.remove(root, X86_64, tmp_path)
    assert not roots.remove(root, X86_64, tmp_path)
    assert roots.existing(tmp_path) == {}
    assert [path.suffix for path in (tmp_path / "roots").iterdir()] == [".lock"]


def test_a_root_that_cannot_be_made_leaves_nothing_and_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "debootstrap").write_text("#!/bin/sh\nmkdir -p $4/usr\necho 'E: no such mirror'\nexit 1\n")
    (programs / "debootstrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("MANYPYTHON_DEBIAN_MIRROR", "http://localhost/debian")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(HostToolError, match="E: no such mirror"):
        roots.create(ROOTS["debian-12"], X86_64, tmp_path, QUIET)
    assert roots.existing(tmp_path) == {}
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(HostToolError, match="can only be made by root"):
        roots.create(ROOTS["debian-12"], X86_64, tmp_path, QUIET)


def test_a_target_promises_only_roots_with_its_glibc() -> None:
    newer = Target.parse("x86_64-manylinux_2_31")
    assert [root.name for root in ROOTS.values() if foreign.refusal(root, newer)] == ["glibc-2.17"]


def test_a_machine_that_cannot_be_emulated_is_a_failure_in_each_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulation, "_FORMATS", tmp_path)
    other = "aarch64" if os.uname().machine == "x86_64" else "x86_64"
    target = Target.parse(f"{other}-manylinux_2_17")
    tree = Tree(tmp_path, Version("3.13.5"), "")
    report = linked.report(linked.layout({}), linked.Around({}))  # no check comes so far
    portable_tree = PortableTree(tree, target, report, ())
    subject = foreign.Subject(portable_tree, ("full",), ours=True, run=Run(tmp_path, QUIET, 1))
    checks = foreign.examine(subject, tuple(ROOTS.values()), (PLAIN,))
    assert [check.root for check in checks] == list(ROOTS)
    assert all(not check.ok and "has no emulator" in check.detail for check in checks)
