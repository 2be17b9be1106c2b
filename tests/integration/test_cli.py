"""Bad input, as a user would give it: a clear error, a documented exit code, no traceback."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from builds import Made
from calls import cli

HOST = ("--install-host-tools",) if os.geteuid() == 0 else ()
"""What a build wants is looked up first."""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("make", "3.13.99"), 2, "no recipe for CPython 3.13.99; there are "),
        (("make", "perl"), 2, "'perl' is no Python version"),
        (("make", "3.13", "--target", "sparc-manylinux_2_17"), 2, "unknown target"),
        (
            ("make", "3.13", "--toolchain", "gcc", "--target", "aarch64-manylinux_2_28"),
            2,
            "cannot be built on this machine",
        ),
        (("make", "3.13", "--target", "x86_64-manylinux_2_99"), 2, "cannot be built on this machine"),
        (
            ("make", "3.13", "--profile", "quick", "--target", "x86_64-manylinux_2_12"),
            2,
            "zig builds for glibc 2.17 or newer",
        ),
        (("make", "3.13", "--toolchain", "tcc"), 2, "invalid choice: 'tcc'"),
        (("audit", "/etc"), 3, "/etc: no Python prefix: lib/python3.X/os.py is missing"),
        (("audit", "/nowhere"), 3, "/nowhere: no such folder"),
        (("repair", "/etc", "-o", "{tmp}"), 3, "no Python prefix"),
        (
            ("make", "3.12", "--offline", "--cache-dir", "{tmp}/c", "--dist", "{tmp}/d", *HOST),
            5,
            "not asked (--offline)",
        ),
        (("make", "3.13", "--dist", "{file}/x"), 10, "cannot be written"),
        (("make", "3.13", "--cache-dir", "{file}/x", "--dist", "{tmp}/d"), 10, "cannot"),
    ],
)
def test_bad_input_ends_in_a_clear_error(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "file").write_text("")
    run = cli(*(word.format(tmp=tmp_path, file=tmp_path / "file") for word in words))
    assert run.code == code, run.err
    assert said in run.err
    assert "Traceback" not in run.err
    assert run.out == ""


def test_a_tree_with_a_file_of_another_architecture(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made.tree, tmp_path / "tree", symlinks=True)
    alien = next((tmp_path / "tree/lib/python3.13/lib-dynload").glob("_bz2*.so"))
    data = bytearray(alien.read_bytes())
    data[18:20] = struct.pack("<H", 183)
    alien.write_bytes(data)
    run = cli("repair", tmp_path / "tree", "-o", tmp_path / "dist")
    assert run.code == 3
    assert f"{alien.name}: is for aarch64, the other files are for x86_64" in run.err
    assert list((tmp_path / "dist").iterdir()) == []


def test_a_library_that_cannot_be_located(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made.tree, tmp_path / "tree", symlinks=True)
    lost = next((tmp_path / "tree/lib/python.libs").glob("libffi-*"))
    lost.unlink()
    run = cli("graft", tmp_path / "tree")
    assert run.code == 8
    assert lost.name in run.err
    assert "_ctypes" in run.err


@pytest.mark.slow  # the unit tests fill a disk, too
def test_a_full_output_folder(made: Made, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=5m", "none", small], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("cannot mount a small tmpfs (needs root)")
    try:
        run = cli("pack", made.tree, "--dist", small, "--fast")
        assert run.code == 10
        assert "No space left" in run.err
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_every_command_has_help_with_examples() -> None:
    for command in ("make", "repair", "recipes", "audit", "graft", "relocate", "verify", "pack"):
        run = cli(command, "--help")
        assert run.code == 0
        assert f"manypython {command}" in run.out.partition("examples:")[2]
        assert "exit codes:" in run.out


def test_a_dry_run_prints_the_plan_and_changes_nothing(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made.tree, tmp_path / "tree", symlinks=True)
    (tmp_path / "tree/bin/python").unlink()
    run = cli("relocate", tmp_path / "tree", "--dry-run")
    assert run.code == 0
    assert run.out.strip() == "Symlink bin/python: target python3.13"
    assert not (tmp_path / "tree/bin/python").exists()
    assert cli("relocate", tmp_path / "tree").out.strip() == "1 edits done"
    assert cli("relocate", tmp_path / "tree").out.strip() == "nothing to do"
