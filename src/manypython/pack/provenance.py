"""Where the parts of an archive come from: sources, licences, grafts, the plan of edits."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from pathlib import Path

from manypython.compile.builder import Built
from manypython.model.identifier import BuildNumber
from manypython.model.target import Target
from manypython.model.tree import Tree
from manypython.pack.facts import Facts, GraftFact, SourceFact
from manypython.recipes.model import Recipe
from manypython.repair.edits import Plan, plan_as_json
from manypython.repair.graft import Graft

_LICENSE_LIMIT = 200_000
"""Characters of one licence text."""


def collect(  # noqa: PLR0913  (each is a fact of its own)
    tree: Tree,
    target: Target,
    policy: str,
    *,
    build: BuildNumber,
    grafts: tuple[Graft, ...],
    plan: Plan,
    built: Mapping[str, Built],
    toolchain: str,
) -> Facts:
    """The facts of an archive.

    Args:
        tree: what is packed.
        target: what it was proved for.
        policy: the lowest platform tag it meets.
        build: the build number.
        grafts: the libraries that were brought in.
        plan: every edit that was made.
        built: what it was built from; empty for a prefix that somebody else built.
        toolchain: what built it, and how; empty likewise.
    """
    owners = {soname: each.recipe for each in built.values() for soname in each.recipe.provides}
    return Facts(
        version=str(tree.version),
        implementation=tree.implementation,
        python_tag=tree.python_tag,
        target=target,
        policy=policy,
        build=build,
        origin="make" if built else "repair",
        toolchain=toolchain,
        sources=tuple(_source(each) for _, each in sorted(built.items())),
        grafts=tuple(_graft(graft, owners.get(graft.soname)) for graft in grafts),
        plan=tuple(plan_as_json(plan)),
    )


def _graft(graft: Graft, owner: Recipe | None) -> GraftFact:
    name, version = (owner.name, str(owner.version)) if owner else ("", "")
    return GraftFact(name, version, graft.soname, str(graft.path), graft.sha256)


def _source(built: Built) -> SourceFact:
    recipe, source = built.recipe, built.source
    name = "cpython" if recipe.build == "cpython" else recipe.name
    return SourceFact(
        name,
        str(recipe.version),
        recipe.source.url,
        source.path.name,
        source.sha256,
        recipe.licenses,
        _license_texts(recipe, source.path),
    )


def _license_texts(recipe: Recipe, archive: Path) -> tuple[tuple[str, str], ...]:
    """The licence texts a recipe names, out of its source archive."""
    found: dict[str, str] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = member.name.removeprefix("./").partition("/")[2]
            if member.isfile() and inside in recipe.license_files:
                file = tar.extractfile(member)
                text = file.read(_LICENSE_LIMIT) if file else b""
                found[Path(inside).name] = text.decode("utf-8", "replace")
                if len(found) == len(recipe.license_files):
                    break
    return tuple(sorted(found.items()))
