"""What a project wants, held against what is here and what the index has."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sysconfig
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manypython.index.model import Build
from manypython.model.errors import ManypythonError, NoBuildError, OutputError, UsageError
from manypython.model.identifier import Spec
from manypython.progress import Reporter
from manypython.projects import Looked, Wish, tox_requires
from manypython.recipes.catalogue import catalogue
from manypython.store.fetch import archive, available, best
from manypython.store.installed import Installed
from manypython.store.settings import Settings

HERE, FETCHED, NOWHERE, UNKNOWN, NOT_OURS = "here", "fetched", "nowhere", "unknown", "not ours"
"""States of a wish: it is here, would be fetched, is not to be had, cannot be told, is none of ours."""
_TOOLS = (
    "tox", "virtualenv", "nox", "uv", "pipenv", "hatch", "pdm", "poetry", "pipx", "pyenv", "asdf", "mise",
    "pre-commit",
)  # fmt: skip
"""That want interpreters."""
_PLUG_INS = {"tox": "tox", "virtualenv": "virtualenv.discovery"}
"""Of these, where two look for plug-ins of ours: groups of entry points."""
_SERIES = re.compile(r"3\.\d+t?")


@dataclass(frozen=True)
class Offer:
    """What the index says."""

    settings: Settings
    entries: tuple[dict[str, Any], ...] = ()
    signed: bool = False
    source: str = ""
    error: ManypythonError | None = None
    """Why it says nothing."""

    @classmethod
    def of(cls, settings: Settings, reporter: Reporter) -> Offer:
        """Ask the index that is set."""
        try:
            entries, signed, source = available(settings, reporter)
        except ManypythonError as error:
            return cls(settings, error=error)
        return cls(settings, tuple(entries), signed, source)

    def build(self, request: str) -> Build:
        """The build that ``fetch`` would take.

        Raises:
            NoBuildError: there is none.
            ManypythonError: the index says nothing.
        """
        if self.error is not None:
            raise self.error
        return best(self.entries, request, self.settings, self.source)


@dataclass(frozen=True)
class Row:
    """A wish and its answer."""

    wish: Wish
    state: str
    python: str = ""
    """The interpreter that is here."""
    build: dict[str, Any] | None = None
    """What would be fetched: key, version, build, index, url, size in bytes, sha256."""
    why: str = ""
    """What is to be said where it is neither here nor to be had."""
    on_path: str = ""
    """What ``python3.13`` on PATH is."""


@dataclass(frozen=True)
class Check:
    """Something besides the wishes that was looked at."""

    name: str
    said: str
    remedy: str = ""
    """What to do; empty where nothing is wrong."""


def rows(
    wishes: Iterable[Wish],
    here: Callable[[str], Installed | None],
    offered: Callable[[str], dict[str, Any]],
) -> list[Row]:
    """Each wish with its answer.

    Args:
        wishes: of a project.
        here: the interpreter that answers a request, if one is here.
        offered: what would be fetched; raises as ``Offer.build``.
    """
    answers: dict[str, dict[str, Any]] = {}
    for wish in wishes:
        if wish.request and wish.request not in answers:
            answers[wish.request] = _answer(wish.request, here, offered)
    return [
        Row(wish, **answers[wish.request]) if wish.request else Row(wish, NOT_OURS, why=wish.note)
        for wish in wishes
    ]


def _answer(
    request: str, here: Callable[[str], Installed | None], offered: Callable[[str], dict[str, Any]]
) -> dict[str, Any]:
    on_path = shutil.which(f"python{request}") if _SERIES.fullmatch(request) else ""
    found: dict[str, Any] = {"on_path": on_path or ""}
    if installed := here(request):
        return {**found, "state": HERE, "python": installed.python}
    try:
        return {**found, "state": FETCHED, "build": offered(request)}
    except NoBuildError as error:
        return {**found, "state": NOWHERE, "why": f"{error.message}{_made(request)}"}
    except ManypythonError as error:
        return {**found, "state": UNKNOWN, "why": error.message}


def _made(request: str) -> str:
    """What can be made where a request is for something else."""
    versions = [recipe.version for recipe in catalogue().pythons()]
    if any(map(Spec.parse(request).matches, versions)):
        return ""
    first, last = (f"{version.major}.{version.minor}" for version in (versions[0], versions[-1]))
    return f"; manypython builds CPython {first} to {last}"


def download(build: Build, settings: Settings) -> dict[str, Any]:
    """What would be fetched of a build."""
    file = archive(build, settings)
    return {
        "key": build.key,
        "version": str(build.version),
        "build": build.number.value,
        "index": settings.index,
        "url": f"{settings.index}{file.url if '://' in settings.index else file.path}",
        "size": file.size,
        "sha256": file.sha256,
    }


def checks(settings: Settings, offer: Offer, looked: Iterable[Looked]) -> list[Check]:
    """The index, the store, the tools that are here and their plug-ins."""
    return [_index(settings, offer), _store(settings), *_tools(), *_tox(looked)]


def _index(settings: Settings, offer: Offer) -> Check:
    if offer.error is not None:
        return Check(
            "index", offer.error.message, offer.error.remedy or "manypython config shows what is set"
        )
    signed = "signed, its keys are pinned" if offer.signed else "not signed"
    origin = settings.sources["index"]
    return Check("index", f"{settings.index} (set by {origin}): {signed}; builds: {len(offer.entries)}")


def _store(settings: Settings) -> Check:
    try:
        folder = Path(settings.store_dir)
    except OutputError as error:
        return Check("store", error.message, error.remedy)
    nearest = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check("store", str(folder))
    return Check(
        "store",
        f"{nearest}: cannot be written",
        "name a folder that can be written with MANYPYTHON_STORE_DIR",
    )


def _tools() -> list[Check]:
    """Tools on PATH; of those that stand in this environment, whether they have our plug-in."""
    try:
        ours = {each.group for each in importlib.metadata.distribution("manypython").entry_points}
    except importlib.metadata.PackageNotFoundError:  # run from its sources
        ours = set()
    beside = Path(sysconfig.get_path("scripts")).resolve()
    found = []
    for tool in _TOOLS:
        path = shutil.which(tool)
        if path and _PLUG_INS.get(tool) in ours:
            with_us = Path(path).parent.resolve() == beside
            words = (
                "has our plug-in"
                if with_us
                else "in an environment of its own: our plug-in is not seen there"
            )
            found.append(Check(tool, f"{path}: {words}"))
        elif path:
            found.append(Check(tool, path))
    return found


def _tox(looked: Iterable[Looked]) -> list[Check]:
    """Whether tox's files have tox bring our plug-in itself."""
    found = []
    for each in looked:
        try:
            required = tox_requires(each.path)
        except UsageError:  # told of its own line
            continue
        if required is not None:
            names = any(re.match(r"manypython\b", text) for text in required)
            words = "requires manypython: tox brings our plug-in" if names else "does not require manypython"
            found.append(Check(each.path.name, words))
    return found
