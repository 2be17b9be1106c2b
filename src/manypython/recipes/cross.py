"""Building for another machine: answers for configure scripts, which cannot find them out."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import replace
from importlib import resources
from typing import Any

from manypython.model.target import Architecture, Target, native_architecture
from manypython.recipes.model import Recipe


def cross_recipe(recipe: Recipe, target: Target) -> Recipe:
    """The recipe with the arguments for building it for another machine.

    Args:
        recipe: as it is built natively.
        target: of another architecture.
    """
    here = native_architecture()
    names = {"host": target.triple, "build": replace(target, architecture=here).triple if here else ""}
    data = _data()
    words = [word.format(**names) for word in data["arguments"].get(recipe.build, ())]
    kind = "cpython" if recipe.build == "cpython" else recipe.name
    for answers in (data["answers"], data[target.architecture]["answers"]):
        words += [f"{name}={answer}" for name, answer in answers.get(kind, {}).items()]
    return replace(recipe, arguments=(*recipe.arguments, *words))


def expected_differences(architecture: Architecture) -> frozenset[str]:
    """The macros of ``pyconfig.h`` that rightly differ between a machine and the one built on."""
    return frozenset(_data()[architecture]["differences"])


@functools.cache
def _data() -> dict[str, Any]:
    text = (resources.files("manypython.recipes") / "cross.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
