"""CPython for another machine: cross-built here, and run by an emulator in other people's userlands."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import differences
import pytest

from manypython.model.target import Architecture
from manypython.model.tree import Tree
from manypython.verify.roots import ROOTS
from manypython.verify.surroundings import PLAIN, command

pytestmark = pytest.mark.slow
OTHER = next(each for each in Architecture if each != os.uname().machine)


@pytest.fixture(scope="module")
def tree(unpacked: Callable[..., Tree], host_packages: Callable[..., None]) -> Tree:
    """3.13.5 for the other architecture, through the whole line."""
    host_packages("qemu-user-static", "bubblewrap", "debootstrap")
    return unpacked("3.13.5", "--target", f"{OTHER}-manylinux_2_17")


def test_the_probe_is_green_on_the_oldest_glibc_and_in_a_debian_root(
    cli: Callable[..., Any], tree: Tree
) -> None:
    run = cli("verify", tree.root, "--root", "glibc-2.17", "--root", "debian-12", "--json")
    assert run.code == 0, run.err
    held = [check for check in run.data["checks"] if check["ok"] and not check["skipped"]]
    for root in ("glibc-2.17", "debian-12"):
        assert sum(check["root"] == root for check in held) > 200, f"too little was tried in {root}"
    assert {"install", "tls", "uses", "stdlib"} <= {c["name"] for c in held if c["root"] == "debian-12"}


def test_it_is_what_a_native_build_is(
    unpacked: Callable[..., Tree], tree: Tree, foreign_root: Callable[..., Path]
) -> None:
    """Modules, constants, sysconfig, pyconfig.h and behaviour: what configure guessed wrong would show."""
    native = unpacked("3.13.5")
    there = "/opt/describe.py"
    said = []
    for each, architecture in ((tree, OTHER), (native, os.uname().machine)):
        mounts = ROOTS["debian-12"].mounts(foreign_root("debian-12", architecture))
        seen = replace(PLAIN, writable=((str(differences.DESCRIBE), there),))
        said.append(differences.described(command(mounts, each, seen, ("-I", "-B", there))))
    differences.check(*said, "cross_differences.toml")
