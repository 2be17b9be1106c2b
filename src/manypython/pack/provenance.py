"""Where the parts of an archive come from: sources, licences, grafts, the plan of edits."""

from __future__ import annotations

import tarfile
from pathlib import Path

from manypython.compile.builder import CacheEntry
from manypython.compile.building import Compilation
from manypython.model.identifier import BuildNumber
from manypython.pack.facts import Facts, GraftFact, SourceFact
from manypython.recipes.model import Recipe
from manypython.repair.edits import plan_as_json
from manypython.repair.graft import Graft
from manypython.repair.portable import PortableTree

_LICENSE_LIMIT = 200_000
"""Characters of one licence text."""


def collect(
    portable_tree: PortableTree, number: BuildNumber, compilation: Compilation | None = None
) -> Facts:
    """The facts of an archive.

    Args:
        portable_tree: what is packed.
        number: the build number.
        compilation: what it was built from; None for a prefix that somebody else built.
    """
    entries = compilation.entries if compilation else {}
    owners = {soname: entry.recipe for entry in entries.values() for soname in entry.recipe.provides}
    tree = portable_tree.tree
    return Facts(
        version=str(tree.version),
        implementation=tree.implementation,
        python_tag=tree.python_tag,
        target=portable_tree.target,
        policy=portable_tree.report.policy,
        build=number,
        origin="make" if compilation else "repair",
        toolchain=compilation.toolchain if compilation else "",
        sources=tuple(_source(entry) for _, entry in sorted(entries.items())),
        grafts=tuple(_graft(graft, owners.get(graft.soname)) for graft in portable_tree.grafts),
        plan=tuple(plan_as_json(portable_tree.plan)),
    )


def _graft(graft: Graft, owner: Recipe | None) -> GraftFact:
    name, version = (owner.name, str(owner.version)) if owner else ("", "")
    return GraftFact(name, version, graft.soname, str(graft.path), graft.sha256)


def _source(entry: CacheEntry) -> SourceFact:
    recipe, source = entry.recipe, entry.source
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
    texts: dict[str, str] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = member.name.removeprefix("./").partition("/")[2]
            if member.isfile() and inside in recipe.license_files:
                file = tar.extractfile(member)
                text = file.read(_LICENSE_LIMIT) if file else b""
                texts[Path(inside).name] = text.decode("utf-8", "replace")
                if len(texts) == len(recipe.license_files):
                    break
    return tuple(sorted(texts.items()))
