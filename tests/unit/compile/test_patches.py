from __future__ import annotations

import termios
from dataclasses import replace
from pathlib import Path

import pytest

from manypython import recipes
from manypython.compile import builder
from manypython.compile.toolchains import zig
from manypython.model.errors import RecipeError
from manypython.recipes.catalogue import catalogue
from manypython.recipes.model import Patch


def test_a_patch_replaces_what_stands_there_once_and_nothing_else(tmp_path: Path) -> None:
    patch = Patch("p", "zlib", "", "a.c", "why", (("old", "new"), ("word", "one")))
    recipe = replace(catalogue().recipes["zlib"], patches=(patch,))
    (tmp_path / "a.c").write_text("an old word")
    builder._patch(tmp_path, recipe)
    assert (tmp_path / "a.c").read_text() == "an new one"
    for text in ("an new word", "old and old"):
        (tmp_path / "a.c").write_text(text)
        with pytest.raises(
            RecipeError, match=r"p.toml: replace\[0\].old: is found [02] times in a.c of zlib"
        ):
            builder._patch(tmp_path, recipe)
        assert (tmp_path / "a.c").read_text() == text


def test_each_patch_is_for_a_recipe_and_has_its_reason() -> None:
    patches = {patch.name: patch for recipe in catalogue().recipes.values() for patch in recipe.patches}
    there = {path.stem for path in Path(recipes.__file__).parent.glob("patches/*.toml")}
    assert patches.keys() == there
    assert all(len(patch.reason) > 20 for patch in patches.values())
    (itself,) = [patch for patch in patches.values() if patch.file == "Modules/getpath.py"]
    compile(itself.replacements[0][1], "getpath.py", "exec")
    assert all(itself in recipe.patches for recipe in catalogue().pythons())


def test_line_speeds_are_the_kernels() -> None:
    """Python's own termios on this machine, whose glibc is older than 2.42 or has the codes as well."""
    lines = [line.split() for line in zig._termios().splitlines() if line.startswith("#define B")]
    codes = {name: int(value, 8) for _, name, value in lines}
    assert codes["B9600"] == 0o15
    assert codes["B115200"] == 0o10002
    if termios.B9600 == 0o15:
        assert all(getattr(termios, name, code) == code for name, code in codes.items())
