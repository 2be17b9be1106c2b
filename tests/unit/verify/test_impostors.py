"""Impostors: a library with the names that ours have elsewhere, and a trap behind each."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from manypython import process
from manypython.model.errors import AuditError
from manypython.model.target import native_architecture
from manypython.model.tree import GRAFTS, Tree
from manypython.verify import impostors


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "prefix"
    for folder in ("bin", "include/python3.13", "lib/python3.13", GRAFTS):
        (root / folder).mkdir(parents=True)
    (root / "lib/python3.13/os.py").write_text("")
    (root / "include/python3.13/patchlevel.h").write_text('#define PY_VERSION "3.13.5"\n')
    (root / "bin/python3.13").write_bytes(b"\x7fELF")
    return Tree.open(root)


def library(cc: str, path: Path, source: str) -> None:
    text = path.with_suffix(".c")
    text.write_text(source)
    process.run((cc, "-shared", "-fPIC", "-o", path, text))
    text.unlink()


def test_a_symbol_with_the_name_it_has_elsewhere_is_found(cc: str, tree: Tree) -> None:
    library(cc, tree.grafts / "libone.so", "int ours_1a2b3c4d; int SSL_new(void) { return ours_1a2b3c4d; }")
    assert impostors.common(impostors.exported(tree)) == ("libone.so: SSL_new",)


def test_who_calls_an_impostor_ends_and_who_does_not_goes_on(cc: str, tree: Tree, tmp_path: Path) -> None:
    library(cc, tree.grafts / "libone.so", "int level_1a2b3c4d; int call_1a2b3c4d(void) { return 0; }")
    architecture = native_architecture()
    assert architecture is not None
    trap = impostors.build(impostors.exported(tree), architecture, tmp_path, tmp_path)
    library(cc, tmp_path / "libhost.so", "int call(void) { return 0; } int other(void) { return 0; }")
    for name, expected in (("call", {-signal.SIGILL, -signal.SIGTRAP}), ("other", {0})):
        program, text = tmp_path / name, tmp_path / f"{name}.c"
        text.write_text(f"int {name}(void); int main(void) {{ return {name}(); }}")
        process.run((cc, "-o", program, text, tmp_path / "libhost.so", f"-Wl,-rpath,{tmp_path}"))
        assert subprocess.run((program,), env={}, check=False).returncode == 0
        assert subprocess.run((program,), env={"LD_PRELOAD": str(trap)}, check=False).returncode in expected


def test_a_tree_without_names_of_its_own_has_no_impostors(cc: str, tree: Tree, tmp_path: Path) -> None:
    architecture = native_architecture()
    assert architecture is not None
    library(cc, tree.grafts / "libone.so", "int SSL_new(void) { return 0; }")
    with pytest.raises(AuditError, match="no library has symbols of its own names"):
        impostors.build(impostors.exported(tree), architecture, tmp_path, tmp_path)
