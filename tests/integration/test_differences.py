"""Builds of one CPython against each other: native with GCC, ours, ours for another machine.

Every difference is listed with its reason, and a listed one that is none any more is an error.
"""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from foreign import foreign_root, host_packages

from manypython.compile.toolchains.gcc import host_glibc
from manypython.model.target import DEFAULT_TARGET, Architecture
from manypython.model.tree import Tree
from manypython.verify.roots import ROOTS
from manypython.verify.surroundings import PLAIN, command

pytestmark = pytest.mark.slow
DESCRIBE = Path(__file__).parents[1] / "in_target/describe.py"
HERE = Architecture(os.uname().machine)
OTHER = next(each for each in Architecture if each is not HERE)
MISSING = "(not there)"


def described(*argv: str | Path) -> dict[str, str]:
    """What ``in_target/describe.py`` says of an interpreter, run by these words."""
    env = {"PATH": "/usr/bin:/bin"}
    said = subprocess.run(argv, capture_output=True, text=True, check=True, env=env, cwd="/").stdout
    data: dict[str, str] = json.loads(said)
    assert len(data) > 10_000
    return data


def compare(ours: dict[str, str], other: dict[str, str], listed: str) -> None:
    """See that each difference is in a list beside this file, and each listed one is there."""
    rows = tomllib.loads(Path(__file__).with_name(listed).read_text())["difference"]
    patterns = {pattern: row["reason"] for row in rows for pattern in row["keys"]}
    assert all(patterns.values())
    differences = {
        key: f"{other.get(key, MISSING)} -> {ours.get(key, MISSING)}"
        for key in sorted({*ours, *other})
        if other.get(key) != ours.get(key)
    }
    new = {
        key: change
        for key, change in differences.items()
        if not any(fnmatchcase(key, pattern) for pattern in patterns)
    }
    assert not new, json.dumps(new, indent=1)
    stale = [pattern for pattern in patterns if not any(fnmatchcase(key, pattern) for key in differences)]
    assert not stale, f"no difference any more: {stale}"


def test_ours_and_a_native_build(unpacked: Callable[..., Tree]) -> None:
    host_packages("gcc", "g++", "libc6-dev", "make")
    floor = "{}-manylinux_{}_{}".format(DEFAULT_TARGET.architecture, *host_glibc())
    ours, native = (
        described(unpacked("3.13.5", *words).executable, "-I", "-B", DESCRIBE)
        for words in ((), ("--toolchain", "gcc", "--target", floor))
    )
    compare(ours, native, "native_differences.toml")


def test_ours_for_another_machine_and_for_this_one(unpacked: Callable[..., Tree]) -> None:
    """What configure guessed wrong in a cross build would show."""
    host_packages("qemu-user-static")
    there = "/opt/describe.py"
    surrounding = replace(PLAIN, writable=((str(DESCRIBE), there),))
    said: dict[Architecture, dict[str, str]] = {}
    for architecture, words in ((OTHER, ("--target", f"{OTHER}-manylinux_2_17")), (HERE, ())):
        mounts = ROOTS["debian-12"].mounts(foreign_root("debian-12", architecture))
        tree = unpacked("3.13.5", *words)
        said[architecture] = described(*command(mounts, tree, surrounding, ("-I", "-B", there)))
    compare(said[OTHER], said[HERE], "cross_differences.toml")
