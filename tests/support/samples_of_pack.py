"""A small tree and its facts, to be packed."""

from __future__ import annotations

from pathlib import Path

from packaging.version import Version

from manypython.model.identifier import BuildNumber
from manypython.model.target import DEFAULT_TARGET
from manypython.model.tree import Tree
from manypython.pack.facts import Facts, GraftFact, SourceFact
from manypython.verify.report import VerifyReport
from manypython.verify.verified import VerifiedTree

NOTHING = VerifyReport(())
FACTS = Facts(
    implementation="cpython",
    version="3.13.5",
    python_tag="cp313",
    target=DEFAULT_TARGET,
    policy="manylinux_2_17_x86_64",
    build=BuildNumber(20261121),
    origin="make",
    toolchain="zig 0.16.0",
    sources=(
        SourceFact(
            "zlib",
            "1.3.2",
            "https://example.org/zlib.tar.gz",
            "zlib.tar.gz",
            "ab" * 32,
            ("Zlib",),
            (("LICENSE", "text"),),
        ),
    ),
    grafts=(GraftFact("zlib", "1.3.2", "libz.so.1", "lib/python.libs/libz-12345678.so.1", "cd" * 32),),
    plan=({"edit": "Strip", "path": "bin/python3.13"},),
)


def verified(tree: Tree, report: VerifyReport = NOTHING) -> VerifiedTree:
    """A tree on which nothing was tried, unless the report says so."""
    return VerifiedTree(tree, DEFAULT_TARGET, report)


def make_tree(root: Path) -> Tree:
    (root / "bin").mkdir(parents=True)
    (root / "bin/python3.13").write_text("#!/bin/sh\n")
    (root / "bin/python3.13").chmod(0o755)
    (root / "bin/python3").symlink_to("python3.13")
    return Tree(root, Version("3.13.5"), "")
