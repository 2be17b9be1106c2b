"""The checks can fail: a good tree is broken on purpose, each time in one way, and that is found."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from builds import Made
from calls import cli

from manypython.compile.toolchains.zig import zig_folder
from manypython.elf.patching import patch, patchelf
from manypython.folders import cache_home

CACHE = Path(cache_home(), "manypython")
Harm = Callable[[Path], None]
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
    zig = str(CACHE / "zig")
    env = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": zig, "ZIG_LOCAL_CACHE_DIR": zig}
    subprocess.run((*argv, source, "-o", target), check=True, env=env)


def executable_stack(tree: Path) -> None:
    subprocess.run((patchelf(), "--set-execstack", tree / SSL), check=True)


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


HARMS: dict[Harm, str] = {
    library_removed: "libffi-",
    absolute_rpath: "a DT_RPATH that depends on no place of its own, in " + SSL,
    prefix_left_in_sysconfig: "Makefile: names /install",
    newer_symbol: "GLIBC_2.28",
    executable_stack: SSL + ": executable stack",
    wrong_soname: "libssl-00000000.so.3",
    module_missing: "No module named '_ssl'",
    stale_bytecode: "textwrap.cpython-313.pyc is stale",
    absolute_symlink: "bin/python3: absolute link to",
    build_path_in_a_binary: "bin/python3.13: names a folder of the build",
}
SIDE_BY_SIDE = (
    prefix_left_in_sysconfig, executable_stack, stale_bytecode, absolute_symlink, build_path_in_a_binary,
)  # fmt: skip
"""None of these hides another."""


@pytest.fixture
def told(made: Made, tmp_path: Path) -> Callable[..., str]:
    """What verify says of a copy of the tree to which these harms were done."""

    def verify(*harms: Harm) -> str:
        tree = tmp_path / "python"
        shutil.copytree(made.tree, tree, symlinks=True)
        for harm in harms:
            harm(tree)
        run = cli("verify", tree, "--target", "x86_64-manylinux_2_17", "--json", tmp_path / "report.json")
        assert run.code in (8, 9), run.err
        assert os.path.lexists(tree / "bin/python3"), "the tree itself is only read"
        return str(run.out + run.err)

    return verify


def test_all_that_is_broken_is_found_in_one_go(told: Callable[..., str]) -> None:
    said = told(*SIDE_BY_SIDE)
    assert [harm.__name__ for harm in SIDE_BY_SIDE if HARMS[harm] not in said] == [], said


def test_a_library_that_is_gone_is_found_out(told: Callable[..., str]) -> None:
    assert HARMS[library_removed] in told(library_removed)


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_a_broken_tree_is_found_out(harm: Harm, told: Callable[..., str]) -> None:
    """Each alone, for a fault could be found by what another did."""
    assert HARMS[harm] in told(harm)
