"""The checks can fail: a good tree is broken on purpose, each time in one way, and that is found."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from manypython.build.toolchain import zig_folder
from manypython.repair.elf import _patchelf, patch

if TYPE_CHECKING:
    from conftest import Made

SSL = "lib/python3.13/lib-dynload/_ssl.cpython-313-x86_64-linux-gnu.so"


def library_removed(tree: Path) -> None:
    next(tree.glob("lib/python.libs/libffi-*")).unlink()


def absolute_rpath(tree: Path) -> None:
    patch(tree / SSL, rpath=str(tree / "lib/python.libs"))


def prefix_left_in_sysconfig(tree: Path) -> None:
    path = next(tree.glob("lib/python3.13/config-3.13-*/Makefile"))
    path.write_text(path.read_text() + "\nWHERE=/install/lib\n")


def newer_symbol(tree: Path) -> None:
    """``fcntl64@GLIBC_2.28``, as what was compiled on a newer system has it."""
    source = tree.parent / "newer.c"
    source.write_text("int fcntl64(int, int, ...); int f(void) { return fcntl64(0, 1); }\n")
    argv = (zig_folder() / "zig", "cc", "-target", "x86_64-linux-gnu.2.28", "-shared", "-s")
    target = tree / "lib/python3.13/lib-dynload/_newer.cpython-313-x86_64-linux-gnu.so"
    subprocess.run((*argv, source, "-o", target), check=True)


def executable_stack(tree: Path) -> None:
    subprocess.run((_patchelf(), "--set-execstack", tree / SSL), check=True)


def wrong_soname(tree: Path) -> None:
    library = next(tree.glob("lib/python.libs/libssl-*"))
    patch(tree / SSL, needed=[(library.name, "libssl-00000000.so.3")])


def module_missing(tree: Path) -> None:
    (tree / SSL).unlink()


def stale_bytecode(tree: Path) -> None:
    path = tree / "lib/python3.13/textwrap.py"
    path.write_text(path.read_text() + "\nCHANGED = True\n")


def absolute_symlink(tree: Path) -> None:
    (tree / "bin/python3").unlink()
    (tree / "bin/python3").symlink_to(tree / "bin/python3.13")


def build_path_in_a_binary(tree: Path) -> None:
    with (tree / "bin/python3.13").open("ab") as file:
        file.write(b"\0/home/somebody/.cache/manypython/work/cpython/Python/ceval.c\0")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (library_removed, "libffi-"),
        (absolute_rpath, "a DT_RPATH that depends on no place of its own, in " + SSL),
        (prefix_left_in_sysconfig, "Makefile: names /install"),
        (newer_symbol, "GLIBC_2.28"),
        (executable_stack, SSL + ": executable stack"),
        (wrong_soname, "libssl-00000000.so.3"),
        (module_missing, "No module named '_ssl'"),
        (stale_bytecode, "textwrap.cpython-313.pyc is stale"),
        (absolute_symlink, "bin/python3: absolute link to"),
        (build_path_in_a_binary, "bin/python3.13: names a folder of the build"),
    ],
)
def test_a_broken_tree_is_found_out(
    harm: Callable[[Path], None], said: str, made: Made, cli: Callable[..., Any], tmp_path: Path
) -> None:
    tree = tmp_path / "python"
    shutil.copytree(made.tree, tree, symlinks=True)
    harm(tree)
    run = cli("verify", tree, "--target", "x86_64-manylinux_2_17", "--json", tmp_path / "report.json")
    assert run.code in (8, 9), run.err
    assert said in run.out + run.err
    assert os.path.lexists(tree / "bin/python3"), "the tree itself is only read"
