from __future__ import annotations

import termios
from dataclasses import replace
from pathlib import Path

import pytest

from manypython.compile import builder, cpython
from manypython.compile.toolchains import zig
from manypython.model.errors import BuildError, RecipeError
from manypython.recipes.catalogue import catalogue
from manypython.recipes.model import Patch


def test_a_patch_replaces_what_stands_there_once_and_nothing_else(tmp_path: Path) -> None:
    recipe = replace(catalogue().recipes["zlib"], patches=(Patch("a.c", "old", "new", "why"),))
    (tmp_path / "a.c").write_text("an old word")
    builder._patch(tmp_path, recipe)
    assert (tmp_path / "a.c").read_text() == "an new word"
    for text in ("an new word", "old and old"):
        (tmp_path / "a.c").write_text(text)
        with pytest.raises(RecipeError, match=r"zlib.toml: patches.0.old: stands [02] times in a.c"):
            builder._patch(tmp_path, recipe)


def test_getpath_is_changed_where_it_is_known_and_refused_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "getpath.py"
    path.write_text(f"before\n{cpython._ANCHOR}after\n")
    cpython._find_itself(path)
    compile(path.read_text(), "getpath.py", "exec")
    assert "/proc/self/exe" in path.read_text()
    path.write_text("something else\n")
    with pytest.raises(BuildError, match="is not there"):
        cpython._find_itself(path)


def test_line_speeds_are_the_kernels() -> None:
    """Python's own termios on this machine, whose glibc is older than 2.42 or has the codes as well."""
    lines = [line.split() for line in zig._termios().splitlines() if line.startswith("#define B")]
    codes = {name: int(value, 8) for _, name, value in lines}
    assert codes["B9600"] == 0o15
    assert codes["B115200"] == 0o10002
    if termios.B9600 == 0o15:
        assert all(getattr(termios, name, code) == code for name, code in codes.items())
