"""A verified tree to archives: one tree, three wrappings."""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from packaging.version import Version

from manypython import files
from manypython.archives import write
from manypython.archives.members import Member, below, complete, of_folder, sha256
from manypython.model.build_id import ArtifactName, BuildId, Variant
from manypython.model.grammar import DEBUG, THREADING
from manypython.model.target import Target
from manypython.model.tree import Tree
from manypython.pack import pybi
from manypython.pack.facts import LICENSES, SHARE, Facts
from manypython.progress import Reporter
from manypython.repair.prune import tests_of
from manypython.verify.report import VerifyReport
from manypython.verify.verified import VerifiedTree

_TOP = "python"


@dataclass(frozen=True)
class Artifact:
    """One archive that was written."""

    path: Path
    sha256: str
    size: int
    """Bytes."""


def pack(  # noqa: PLR0913  (what, its facts, where, and how)
    verified: VerifiedTree,
    facts: Facts,
    *,
    tests: tuple[Member, ...] = (),
    dist: Path,
    reporter: Reporter,
    jobs: int,
    effort: write.Effort = write.BEST,
) -> tuple[Artifact, ...]:
    """Write ``.tar.gz``, ``.tar.zst`` and ``.zip``, each with its ``.sha256``, and the facts.

    The standard library's tests, if there are any, get a ``.tar.gz`` of their own.

    Args:
        verified: what is packed; it is only read. Its proof stands beside the archives, not inside them.
        facts: what the archives say of themselves.
        tests: members to be laid over the tree.
        dist: the folder they go to.
        reporter: shows what is written.
        jobs: how many archives are compressed at once.
        effort: how hard they are compressed.

    Raises:
        OutputError: the folder cannot be written.
    """
    tree = verified.tree
    # a tree that was unpacked from an archive keeps that archive's facts
    plain = complete((*own_files(facts), *of_folder(tree.root)))
    layered = below(_TOP, plain)
    wrapped = {
        ".tar.zst": layered,
        ".tar.gz": layered,
        ".zip": complete(pybi.members(tree, facts, plain)),
    }
    name = ArtifactName(identity(tree, facts))
    members = {replace(name, suffix=suffix): content for suffix, content in wrapped.items()}
    if tests:
        members[replace(name, suffix=".tar.gz", content="tests")] = below(_TOP, tests)
    epoch = facts.build.epoch
    with reporter.step("pack", f"{len(plain)} files"), ProcessPoolExecutor(jobs) as pool:
        running = [
            pool.submit(write.WRITERS[archive.suffix], dist / str(archive), content, epoch, effort)
            for archive, content in members.items()
        ]
        for future in running:
            future.result()
    artifacts = tuple(_artifact(path) for path in sorted(dist / str(archive) for archive in members))
    for artifact in artifacts:
        files.write_text(
            artifact.path.with_name(f"{artifact.path.name}.sha256"),
            f"{artifact.sha256}  {artifact.path.name}\n",
        )
    stem = str(replace(name, suffix=".zip")).removesuffix(".zip")
    facts_file = next(member for member in plain if str(member.name) == f"{SHARE}/manypython.json")
    files.write_text(dist / f"{stem}.json", _beside(facts_file.read().decode(), verified.report))
    return artifacts


def identity(tree: Tree, facts: Facts) -> BuildId:
    """What tells this build apart from all others."""
    words = [word for word, holds in ((THREADING, tree.threaded), (DEBUG, tree.debug)) if holds]
    return BuildId(
        facts.implementation,
        Version(facts.version),
        facts.build,
        Target.of_tag(facts.policy),
        Variant.of(words, facts.toolchain),
    )


def tests_members(prefix: Tree) -> tuple[Member, ...]:
    """The standard library's tests of a prefix that we built, as they are."""
    return tuple(
        Member(PurePosixPath(path.relative_to(prefix.root)), path, executable=os.access(path, os.X_OK))
        for path in tests_of(prefix)
    )


def _beside(facts_text: str, report: VerifyReport) -> str:
    """The facts as they stand inside, and how the tree was proved."""
    return json.dumps(json.loads(facts_text) | {"verify": report.proof()}, indent=1, sort_keys=True) + "\n"


def own_files(facts: Facts) -> list[Member]:
    """The files added to a tree that is packed: its facts, bill of materials and licence texts."""
    texts = {
        f"{SHARE}/manypython.json": facts.as_json(),
        f"{SHARE}/sbom.cdx.json": facts.sbom(),
    }
    for source in facts.sources:
        for name, text in source.texts:
            texts[f"{LICENSES}/{source.name}/{name}"] = text
    return [Member(PurePosixPath(name), text.encode()) for name, text in texts.items()]


def _artifact(path: Path) -> Artifact:
    return Artifact(path, sha256(path), path.stat().st_size)
