from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.licenses import canonicalize_license_expression
from packaging.version import Version

from manypython import recipes
from manypython.model.errors import RecipeError, UsageError
from manypython.model.identifier import BuildNumber, Spec
from manypython.recipes.catalogue import Catalogue, catalogue, required_modules
from manypython.recipes.model import read_recipes

GOOD = f"""\
name = "x"
version = "1.0"
licenses = ["MIT"]
license_files = ["LICENSE"]
build = "autotools"

[source]
url = "https://example.org/x-1.0.tar.gz"
sha256 = "{"a" * 64}"
size = 10

[source.debian]
package = "x"
file = "x_1.0.orig.tar.gz"
"""


def test_a_recipe_is_read_whole() -> None:
    (recipe,) = read_recipes(GOOD, "x.toml")
    assert recipe.version == Version("1.0")
    assert recipe.source.file == "x-1.0.tar.gz"
    assert recipe.source.debian is not None
    assert recipe.source.debian.sha256 == "a" * 64


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('version = "1.0"\n', "", "x.toml: version: is missing"),
        ('version = "1.0"', 'version = "one"', "x.toml: version: 'one' is no version"),
        (f'sha256 = "{"a" * 64}"\n', "", "x.toml: source.sha256: is missing"),
        (f'sha256 = "{"a" * 64}"', 'sha256 = "abc"', "x.toml: source.sha256: 'abc' is no sha256"),
        ("size = 10", "size = -1", "x.toml: source.size: -1 is not a number of bytes"),
        ("size = 10", 'size = "10"', "x.toml: source.size: must be a number of bytes"),
        ("size = 10", "size = true", "x.toml: source.size: must be a number of bytes"),
        ("https://", "http://", "x.toml: source.url:"),
        ('"autotools"', '"scons"', "x.toml: build: 'scons' is none of"),
        ('name = "x"', 'name = "y"', "x.toml: name: is 'y', but the file is named 'x.toml'"),
        ('name = "x"', 'name = "x"\ncolour = "red"', "x.toml: colour: is no known key"),
        (
            'package = "x"',
            'package = "x"\nsuite = "sid"',
            "x.toml: source.debian.suite: is no known key",
        ),
        ('licenses = ["MIT"]', "licenses = []", "x.toml: licenses: is empty"),
        ('licenses = ["MIT"]', "licenses = [1]", "x.toml: licenses: must be a list of strings"),
        ('name = "x"', "name = ", "x.toml: "),
    ],
)
def test_each_mistake_is_named_with_its_dotted_path(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(RecipeError) as caught:
        read_recipes(GOOD.replace(old, new, 1), "x.toml")
    assert caught.value.message.startswith(message)


@given(st.text())
def test_no_text_is_read_with_a_traceback(text: str) -> None:
    with pytest.raises(RecipeError):
        read_recipes(text, "x.toml")


def test_every_shipped_recipe_is_sound() -> None:
    for recipe in catalogue().recipes.values():
        for name in recipe.licenses:
            assert canonicalize_license_expression(name) == name
        assert str(recipe.version) in recipe.source.url or recipe.name in (
            "sqlite",
            "libedit",
            "ncurses",
        )
        assert recipe.build == "cpython" or recipe.provides, recipe.name


@pytest.mark.parametrize(
    ("text", "version"),
    [("3.13", "3.13.15"), ("cp313", "3.13.15"), ("3.13.5", "3.13.5"), ("3.11", "3.11.2")],
)
def test_a_request_selects_the_newest_answer(text: str, version: str) -> None:
    assert catalogue().select(Spec.parse(text)).version == Version(version)


def test_an_unknown_version_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no recipe for CPython 3\.13\.99; there are .*3\.13\.5, 3\.13\.15"):
        catalogue().select(Spec.parse("3.13.99"))
    with pytest.raises(UsageError, match=r"3\.11\.2"):
        catalogue().select(Spec.parse("3.10"))


def test_a_closure_has_dependencies_first_and_only_what_the_version_uses() -> None:
    def names(spec: str) -> list[str]:
        return [r.name for r in catalogue().closure(catalogue().select(Spec.parse(spec)))]

    new, old = names("3.14"), names("3.11")
    assert new.index("ncurses") < new.index("libedit") < new.index("cpython-3.14.10")
    assert "zstd" in new
    assert "libxcrypt" not in new
    assert "libxcrypt" in old
    assert "zstd" not in old


@pytest.mark.parametrize(("needs", "message"), [("z", "there is no recipe 'z'"), ("x", "go in a circle")])
def test_needs_that_lead_nowhere_are_refused(needs: str, message: str) -> None:
    (recipe,) = read_recipes(GOOD.replace("build =", f'needs = ["{needs}"]\nbuild ='), "x.toml")
    with pytest.raises(RecipeError, match=message):
        Catalogue({"x": recipe}, BuildNumber(20260101)).closure(recipe)


def test_the_modules_that_must_be_there_follow_the_version() -> None:
    assert {"_ssl", "_sqlite3", "_ctypes", "_uuid", "readline"} <= required_modules(Version("3.13.15"))
    assert "_crypt" in required_modules(Version("3.11.2"))
    assert "_crypt" not in required_modules(Version("3.13.0"))
    assert "_zstd" in required_modules(Version("3.14.0"))


def test_a_series_is_a_recipe_for_each_release_of_which_the_newest_is_watched() -> None:
    text = (Path(recipes.__file__).parent / "cpython-3.13.toml").read_text()
    older, newest = read_recipes(text, "cpython-3.13.toml")
    assert (older.name, newest.name) == ("cpython-3.13.5", "cpython-3.13.15")
    assert (older.watch, newest.watch is None) == (None, False)
    assert older.arguments == newest.arguments
    with pytest.raises(
        RecipeError, match=r"cpython-3.13.toml: releases\[1\].source.sha256: 'x' is no sha256"
    ):
        read_recipes(text.replace(newest.source.sha256, "x"), "cpython-3.13.toml")
    with pytest.raises(RecipeError, match=r"cpython-3.13.toml: releases\[0\].colour: is no known key"):
        read_recipes(
            text.replace('version = "3.13.5"', 'version = "3.13.5"\ncolour = 1'), "cpython-3.13.toml"
        )
