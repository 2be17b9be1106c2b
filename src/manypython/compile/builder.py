"""Builds recipes in parallel, each once, and caches them by the digest of all their inputs.

A build happens in a scratch folder and is renamed into the cache when it is
whole, so a half-finished one is never taken for a whole one. A lock for each digest lets
a second process wait for the first and then use its build.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock

from manypython import process
from manypython.compile import cpython, steps
from manypython.compile.sources import FetchedSource
from manypython.compile.toolchains.base import QUICK, Profile, Toolchain
from manypython.model.errors import BuildError, OutputError, RecipeError, reason
from manypython.model.tree import NEUTRAL_PREFIX
from manypython.recipes.catalogue import shared_modules
from manypython.recipes.model import Recipe
from manypython.run import Run

_BUILD_PATHS = "build-paths.json"


@dataclass(frozen=True)
class CacheEntry:
    """One recipe, built, in the cache."""

    recipe: Recipe
    source: FetchedSource
    key: str
    """Digest of all inputs."""
    folder: Path

    @property
    def prefix(self) -> Path:
        """What was installed: ``include/``, ``lib/``, ``bin/`` ..."""
        return self.folder / NEUTRAL_PREFIX.strip("/")

    @property
    def build_paths(self) -> tuple[str, ...]:
        """Folders that its files may name: those of the machine that built it, which may be another one."""
        return tuple(json.loads((self.folder / _BUILD_PATHS).read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Setup:
    """What all builds of one run share."""

    toolchain: Toolchain
    run: Run
    epoch: int
    profile: Profile = QUICK
    native: Mapping[str, CacheEntry] = field(default_factory=dict)
    """The same recipes built for this machine, where these are for another one."""

    def profile_of(self, recipe: Recipe) -> Profile:
        """A library is built in one way; only the interpreter is trained."""
        return self.profile if recipe.build == "cpython" else QUICK


def key_of(recipe: Recipe, sha256: str, dependencies: Iterable[CacheEntry], setup: Setup) -> str:
    """The digest of everything that decides a build's bytes: declared facts, no code and no path.

    So it is the same whichever Python the tool runs on, and a cache can be shared.
    """
    facts = {key: value for key, value in asdict(recipe).items() if key not in ("source", "watch")}
    if not recipe.patches:
        del facts["patches"]
    trained = ("training",) if setup.profile_of(recipe).pgo else ()
    parts = ("every build", recipe.build, *trained)
    inputs = {
        "recipe": {key: str(value) for key, value in sorted(facts.items())},
        "source": sha256,
        "dependencies": sorted(entry.key for entry in (*dependencies, *native_of(recipe, setup))),
        "toolchain": setup.toolchain.identity,
        "profile": setup.profile_of(recipe).name,
        "epoch": setup.epoch,
        "revisions": [steps.REVISIONS[name] for name in parts],
    }
    if recipe.build == "cpython":
        inputs["shared"] = shared_modules()
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def native_of(recipe: Recipe, setup: Setup) -> tuple[CacheEntry, ...]:
    """What this machine must be able to run to cross-build a recipe: CPython wants itself (PEP 720)."""
    if recipe.build != "cpython" or recipe.name not in setup.native:
        return ()
    entry = setup.native[recipe.name]
    return (*_closure(entry.recipe, setup.native), entry)


def _step(recipe: Recipe) -> Callable[[steps.Workshop], None]:
    return cpython.build if recipe.build == "cpython" else steps.STEPS[recipe.build]


def build_all(
    recipes: tuple[Recipe, ...],
    fetch: Callable[[Recipe], FetchedSource],
    setup: Setup,
) -> dict[str, CacheEntry]:
    """Build recipes in dependency order, independent ones in parallel.

    Args:
        recipes: dependencies before those that need them.
        fetch: gives a recipe's source archive.
        setup: toolchain, cache, progress.

    Returns:
        The cache entry of each recipe, by its name.

    Raises:
        BuildError: one failed; those that ran beside it are ended.
    """
    entries: dict[str, CacheEntry] = {}
    names = {recipe.name for recipe in recipes}
    waiting = list(recipes)
    with concurrent.futures.ThreadPoolExecutor(max(1, min(2, setup.run.jobs))) as pool:
        running: dict[concurrent.futures.Future[CacheEntry], Recipe] = {}
        try:
            while waiting or running:
                for recipe in [r for r in waiting if {*r.needs} & names <= entries.keys()]:
                    waiting.remove(recipe)
                    needed = _closure(recipe, entries)
                    running[pool.submit(_fetch_and_build, recipe, fetch, needed, setup)] = recipe
                finished, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in finished:
                    entries[running.pop(future).name] = future.result()
        except BaseException:
            process.terminate_all()
            pool.shutdown(cancel_futures=True)
            process.allow_start()
            raise
    return entries


def _closure(recipe: Recipe, entries: Mapping[str, CacheEntry]) -> tuple[CacheEntry, ...]:
    """Everything a recipe needs, directly or through others, in a fixed order."""
    closure: dict[str, CacheEntry] = {}
    for name in recipe.needs:
        if name in entries:
            for entry in (*_closure(entries[name].recipe, entries), entries[name]):
                closure.setdefault(entry.recipe.name, entry)
    return tuple(closure.values())


def _fetch_and_build(
    recipe: Recipe,
    fetch: Callable[[Recipe], FetchedSource],
    needed: tuple[CacheEntry, ...],
    setup: Setup,
) -> CacheEntry:
    source = fetch(recipe)
    key = key_of(recipe, source.sha256, needed, setup)
    label = f"{recipe.title}-{key[:16]}"
    entry = CacheEntry(recipe, source, key, setup.run.cache / "builds" / label)
    if entry.folder.is_dir():
        return entry
    try:
        for name in ("builds", "logs", "locks", "work"):
            (setup.run.cache / name).mkdir(parents=True, exist_ok=True)
        with FileLock(setup.run.cache / "locks" / f"{label}.lock"):
            if not entry.folder.is_dir():
                _build(entry, needed, setup)
    except OSError as error:
        raise OutputError(
            f"{setup.run.cache}: cannot write the build of {recipe.name}: {reason(error)}",
            remedy="free some room or name another folder with --cache-dir",
        ) from None
    return entry


def _build(entry: CacheEntry, needed: tuple[CacheEntry, ...], setup: Setup) -> None:
    recipe, label = entry.recipe, entry.folder.name
    log = setup.run.cache / "logs" / f"{label}.log"
    log.unlink(missing_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{recipe.title}-", dir=setup.run.cache / "work"))
    try:
        with setup.run.reporter.step(f"build {recipe.title}") as step:
            native = native_of(recipe, setup)
            shop = steps.Workshop(
                recipe=recipe,
                toolchain=setup.toolchain,
                source=_source_folder(unpack_source(entry.source.path, work / "source"), recipe),
                dependencies=stage(needed, work / "deps"),
                destination=work / "out",
                log=log,
                step=step,
                jobs=setup.run.jobs,
                epoch=setup.epoch,
                profile=setup.profile_of(recipe),
                native=stage(native, work / "native") if native else None,
            )
            _patch(shop.source, recipe)
            _step(recipe)(shop)
            _tidy(shop)
        paths = json.dumps([str(setup.run.cache), *setup.toolchain.folders])
        (work / "out" / _BUILD_PATHS).write_text(paths, encoding="utf-8")
        (work / "out").replace(entry.folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _source_folder(top: Path, recipe: Recipe) -> Path:
    """The folder that is built: some archives (git's of expat) keep it below their top."""
    nested = top / recipe.folder
    return nested if nested.is_dir() else top


def _patch(source: Path, recipe: Recipe) -> None:
    """Apply a release's patches.

    Raises:
        RecipeError: the text to be replaced is not there exactly once.
    """
    for patch in recipe.patches:
        path = source / patch.file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        for number, (old, new) in enumerate(patch.replacements):
            if text.count(old) != 1:
                raise RecipeError(
                    f"{patch.name}.toml: replace[{number}].old: "
                    f"is found {text.count(old)} times in {patch.file} of {recipe.title}",
                    remedy="see what it became in this release; then change the patch or its versions",
                )
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")


def _tidy(shop: steps.Workshop) -> None:
    """Drop libtool archives (they name build folders) and check that every soname is there."""
    for path in shop.destination.rglob("*.la"):
        path.unlink()
    library = shop.destination / NEUTRAL_PREFIX.strip("/") / "lib"
    lacking = [soname for soname in shop.recipe.provides if not (library / soname).exists()]
    if lacking:
        raise BuildError(
            f"building {shop.recipe.title} made no {', '.join(lacking)}",
            remedy="the recipe's `provides` names sonames its build must install",
            log=shop.log,
        )


def stage(needed: Iterable[CacheEntry], folder: Path) -> Path:
    """Merge what was installed by several builds into one ``include/`` and ``lib/``."""
    for name in ("include", "lib"):
        (folder / name).mkdir(parents=True)
    for entry in needed:
        shutil.copytree(entry.prefix, folder, symlinks=True, dirs_exist_ok=True)
    return folder


def unpack_source(archive: Path, folder: Path) -> Path:
    """Unpack a source archive (its hash was checked) and return its one top folder.

    Raises:
        BuildError: it does not have exactly one top folder.
    """
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(folder, filter="tar")
        else:  # Python 3.11.0 to 3.11.3
            tar.extractall(folder)  # noqa: S202  (its sha256 is pinned by the recipe)
    tops = list(folder.iterdir())
    if len(tops) != 1:
        raise BuildError(f"{archive}: holds {len(tops)} top folders, one is expected")
    return tops[0]
