from __future__ import annotations

import pytest

from manypython.model.target import Architecture, Target
from manypython.recipes import cross
from manypython.recipes.catalogue import catalogue
from manypython.recipes.cross import cross_recipe, expected_differences

ARM = Target.parse("aarch64-manylinux_2_17")


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """This test's machine is x86_64, whatever it runs on."""
    monkeypatch.setattr(cross, "native_architecture", lambda: Architecture.X86_64)


def test_configure_is_told_both_machines_after_what_the_recipe_says() -> None:
    recipe = catalogue().recipes["libedit"]
    words = cross_recipe(recipe, ARM).arguments
    assert words[: len(recipe.arguments)] == recipe.arguments
    assert words[len(recipe.arguments) :][:2] == (
        "--build=x86_64-unknown-linux-gnu",
        "--host=aarch64-unknown-linux-gnu",
    )


def test_every_cpython_gets_the_answers_it_cannot_find_out() -> None:
    for recipe in catalogue().pythons():
        assert "ac_cv_file__dev_ptmx=yes" in cross_recipe(recipe, ARM).arguments


def test_what_asks_nothing_is_left_as_it_is() -> None:
    for name in ("openssl", "zlib", "bzip2", "zstd"):
        assert cross_recipe(catalogue().recipes[name], ARM) == catalogue().recipes[name]


def test_every_answer_is_for_a_recipe_that_is_there() -> None:
    data = cross._data()
    names = {recipe.name for recipe in catalogue().libraries()} | {"cpython"}
    assert set(data["arguments"]) <= {recipe.build for recipe in catalogue().recipes.values()}
    for architecture in Architecture:
        own = data[architecture]
        assert set(data["answers"]) | set(own["answers"]) <= names
        assert all(own["differences"].values()), "a difference without a reason"
        assert set(own["differences"]) == expected_differences(architecture) != set()
