"""CPython for another machine: cross-built here, and run by an emulator in other people's userlands."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from calls import cli
from foreign import host_packages

from manypython.model.target import Architecture
from manypython.model.tree import Tree

pytestmark = pytest.mark.slow
OTHER = next(each for each in Architecture if each != os.uname().machine)


def test_the_probe_is_green_on_the_oldest_glibc_and_in_a_debian_root(unpacked: Callable[..., Tree]) -> None:
    host_packages("qemu-user-static", "bubblewrap", "debootstrap")
    tree = unpacked("3.13.5", "--target", f"{OTHER}-manylinux_2_17")
    run = cli("verify", tree.root, "--root", "glibc-2.17", "--root", "debian-12", "--json")
    assert run.code == 0, run.err
    held = [check for check in run.data["checks"] if check["ok"] and not check["skipped"]]
    for root in ("glibc-2.17", "debian-12"):
        assert sum(check["root"] == root for check in held) > 150, f"too little was tried in {root}"
    assert {"install", "tls", "uses", "stdlib"} <= {c["name"] for c in held if c["root"] == "debian-12"}
