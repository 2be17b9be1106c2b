from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from packaging.version import Version

from manypython.elf.patching import patchelf
from manypython.model.tree import Tree
from manypython.verify.hardening import weaknesses

SOURCE = """
#include <stdio.h>
int shared_name(char *x) { char b[64]; return printf("%s", x) + sprintf(b, "%s", x); }
"""
GOOD = ("-D_FORTIFY_SOURCE=2", "-O2", "-fstack-protector-strong", "-Wl,-z,now,-z,relro")


@pytest.fixture(scope="session")
def compiled(cc: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small libraries, each with one weakness (or none)."""
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "a.c").write_text(SOURCE)
    for name, flags in (
        ("good", GOOD),
        ("stack", GOOD),
        ("lazy", (*GOOD, "-Wl,-z,lazy")),
        ("plain", ("-U_FORTIFY_SOURCE", *GOOD[1:])),
    ):
        subprocess.run(
            (cc, "-shared", "-fPIC", *flags, folder / "a.c", "-o", folder / f"{name}.so"), check=True
        )
    subprocess.run((patchelf(), "--set-execstack", folder / "stack.so"), check=True)
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "lib/python.libs").mkdir(parents=True)
    return Tree(tmp_path, Version("3.13.5"), "")


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("good", []),
        ("stack", ["executable stack"]),
        ("lazy", ["symbols are bound late (-z now)"]),
        ("plain", ["not fortified: calls printf"]),
    ],
)
def test_each_weakness_is_named(name: str, facts: list[str], tree: Tree, compiled: Path) -> None:
    (tree.grafts / "one.so").write_bytes((compiled / f"{name}.so").read_bytes())
    assert list(weaknesses(tree)) == [f"lib/python.libs/one.so: {fact}" for fact in facts]


def test_two_grafted_libraries_that_export_one_symbol_clash(tree: Tree, compiled: Path) -> None:
    for name in ("one.so", "two.so"):
        (tree.grafts / name).write_bytes((compiled / "good.so").read_bytes())
    assert weaknesses(tree) == ("lib/python.libs/one.so and two.so: both export shared_name",)
