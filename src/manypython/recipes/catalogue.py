"""All recipes: choosing a CPython, and everything it needs in build order."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from manypython.model.errors import RecipeError, UsageError
from manypython.model.identifier import BuildNumber, Spec
from manypython.recipes.model import Patch, Recipe, read_patch, read_recipes

_DATA = ("cross.toml", "extensions.toml", "series.toml")


@dataclass(frozen=True)
class Catalogue:
    """The recipes of one day."""

    recipes: dict[str, Recipe]
    build: BuildNumber

    def pythons(self) -> tuple[Recipe, ...]:
        """The CPython recipes, oldest first."""
        chosen = (recipe for recipe in self.recipes.values() if recipe.build == "cpython")
        return tuple(sorted(chosen, key=lambda recipe: recipe.version))

    def libraries(self) -> tuple[Recipe, ...]:
        """All other recipes, by name."""
        return tuple(r for _, r in sorted(self.recipes.items()) if r.build != "cpython")

    def select(self, spec: Spec) -> Recipe:
        """The newest CPython that answers a request; a pre-release only where there is no release.

        Raises:
            UsageError: no recipe answers it; the versions that have one are named.
        """
        pythons = {recipe.version: recipe for recipe in self.pythons()}
        if spec.variant:
            raise UsageError(
                f"{spec}: {spec.variant} CPython cannot be made yet", remedy="`manypython repair` takes one"
            )
        if versions := spec.among(pythons):
            return pythons[versions[0]]
        raise UsageError(
            f"no recipe for CPython {spec}; there are {', '.join(map(str, pythons))}",
            remedy="`manypython recipes` lists what can be built",
        )

    def closure(self, recipe: Recipe) -> tuple[Recipe, ...]:
        """A CPython and every library it needs, dependencies first.

        Raises:
            RecipeError: a need has no recipe, or needs go round in a circle.
        """
        order: dict[str, Recipe] = {}
        self._visit(recipe, recipe.version, (), order)
        return tuple(order.values())

    def _visit(
        self, recipe: Recipe, python: Version, path: tuple[str, ...], order: dict[str, Recipe]
    ) -> None:
        if recipe.name in path:
            raise RecipeError(f"{recipe.name}.toml: needs: go in a circle: {' -> '.join(path)}")
        if recipe.name in order:
            return
        for name in recipe.needs:
            if name not in self.recipes:
                raise RecipeError(f"{recipe.name}.toml: needs: there is no recipe {name!r}")
            if self.recipes[name].used_by(python):
                self._visit(self.recipes[name], python, (*path, recipe.name), order)
        order[recipe.name] = recipe


@functools.cache
def catalogue() -> Catalogue:
    """The recipes this package ships.

    Raises:
        RecipeError: one of them is wrong.
    """
    folder = resources.files("manypython.recipes")
    files = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    recipes = [
        recipe
        for name in files
        if name not in _DATA
        for recipe in read_recipes((folder / name).read_text(encoding="utf-8"), name)
    ]
    changes = sorted((folder / "patches").iterdir(), key=lambda entry: entry.name)
    patches = tuple(read_patch(entry.read_text(encoding="utf-8"), entry.name) for entry in changes)
    series = tomllib.loads((folder / "series.toml").read_text(encoding="utf-8"))
    return Catalogue({r.name: with_patches(r, patches) for r in recipes}, BuildNumber(series["build"]))


def with_patches(recipe: Recipe, patches: Iterable[Patch]) -> Recipe:
    """A recipe with the patches that apply to it."""
    return replace(recipe, patches=tuple(patch for patch in patches if patch.is_for(recipe)))


def required_modules(python: Version) -> frozenset[str]:
    """Names of the extension modules a CPython of this version must have (``extensions.toml``)."""
    names: set[str] = set()
    for group in _extensions()["modules"]:
        if SpecifierSet(group["pythons"], prereleases=True).contains(python):
            names.update(group["names"])
    return frozenset(names)


def shared_modules() -> tuple[str, ...]:
    """Patterns of the extension modules that are files of their own; the others are built in."""
    return tuple(_extensions()["shared"])


def _extensions() -> dict[str, Any]:
    return tomllib.loads(resources.files("manypython.recipes").joinpath("extensions.toml").read_text())
