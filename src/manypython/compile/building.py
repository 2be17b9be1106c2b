"""Every library and the interpreter: from their sources, or from the cache."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from manypython.compile import builder
from manypython.compile.builder import CacheEntry
from manypython.compile.method import Method
from manypython.compile.sources import FetchedSource, fetch
from manypython.model.target import Target
from manypython.model.tree import Tree
from manypython.recipes.cross import cross_recipe
from manypython.recipes.model import Recipe
from manypython.run import Run

_DOWNLOADS = 4
"""At once."""


@dataclass(frozen=True)
class SourceOptions:
    """Where sources may come from."""

    source_dir: Path | None = None
    """A folder of archives, looked in before upstream is asked."""
    offline: bool = False


@dataclass(frozen=True)
class Compilation:
    """The libraries and the interpreter, compiled, and what compiled them."""

    entries: dict[str, CacheEntry]
    """By the recipe's name, the interpreter last."""
    toolchain: str
    """For people: ``gcc 10.2.1, manylinux_2_31, release``."""
    native: dict[str, CacheEntry]
    """The same for this machine, where it cannot run the others without an emulator."""

    @property
    def prefix(self) -> Tree:
        """The interpreter as it was installed."""
        return _last(self.entries)

    @property
    def compiling(self) -> Tree | None:
        """An interpreter of the same version that runs here, to compile bytecode; None: its own."""
        return _last(self.native) if self.native else None

    @property
    def search(self) -> tuple[Path, ...]:
        """Folders of the libraries."""
        return tuple(entry.prefix / "lib" for entry in self.entries.values())

    def build_paths(self, cache: Path) -> tuple[str, ...]:
        """Folders that no file may name: the cache here, and those of the machine that built each part.

        Args:
            cache: folder of the cache here.
        """
        paths = (path for entry in self.entries.values() for path in entry.build_paths)
        return tuple(dict.fromkeys((str(cache), *paths)))


def _last(entries: dict[str, CacheEntry]) -> Tree:
    return Tree.open(list(entries.values())[-1].prefix)


def build(  # noqa: PLR0913  (what, for what, how, and with what)
    recipes: tuple[Recipe, ...],
    target: Target,
    method: Method,
    run: Run,
    *,
    sources: SourceOptions,
    epoch: int,
) -> Compilation:
    """Fetch and build recipes, or take them from the cache.

    Args:
        recipes: dependencies first, the interpreter last.
        target: what ``buildable`` returned.
        method: how they are built.
        run: cache, progress, jobs.
        sources: where they may come from.
        epoch: ``SOURCE_DATE_EPOCH``, seconds.

    Raises:
        SourceError: a source cannot be obtained.
        BuildError: a build failed.
    """

    def get(recipe: Recipe) -> FetchedSource:
        return fetch(
            recipe, run.cache, reporter=run.reporter, source_dir=sources.source_dir, offline=sources.offline
        )

    with ThreadPoolExecutor(_DOWNLOADS) as pool:  # what cannot be had is said before anything is built
        sources_by_name = dict(zip((recipe.name for recipe in recipes), pool.map(get, recipes), strict=True))

    def source_of(recipe: Recipe) -> FetchedSource:
        return sources_by_name[recipe.name]

    with method.compiler.toolchain(
        target, cache=run.cache, offline=sources.offline, reporter=run.reporter
    ) as toolchain:
        setup = builder.Setup(toolchain, run, epoch, method.profile)
        native: dict[str, CacheEntry] = {}
        if toolchain.native is not None:
            native = builder.build_all(recipes, source_of, replace(setup, toolchain=toolchain.native))
            setup = replace(setup, native=native)
            recipes = tuple(cross_recipe(recipe, target) for recipe in recipes)
        entries = builder.build_all(recipes, source_of, setup)
    in_order = {recipe.name: entries[recipe.name] for recipe in recipes}
    return Compilation(in_order, f"{toolchain.title}, {method.profile.name}", native)
