"""What ``publish`` is given: archives, read without trust, become builds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from manypython.archives.members import sha256
from manypython.archives.read import members
from manypython.index.model import POOL, Build, File, Index, Library, Proof
from manypython.model.build_id import ArtifactName, Variant
from manypython.model.errors import ArchiveError, ManypythonError, OutputError, UsageError
from manypython.model.target import Target
from manypython.progress import Reporter

_FACTS = "share/manypython/manypython.json"
_CONTENT = "install_only"


@dataclass(frozen=True)
class Intake:
    """The archives given of one build."""

    build: Build
    """With the files that the site has of it already."""
    sources: dict[str, Path]
    """Where each archive lies now, by its path in the site."""


@dataclass(frozen=True)
class _Archive:
    """One archive, and what it says about itself."""

    path: Path
    name: ArtifactName
    file: File
    facts: dict[str, Any] | None
    """None for tests, and for what the site has already."""


def take_in(archives: Sequence[Path], index: Index | None, reporter: Reporter) -> tuple[Intake, ...]:
    """Read archives, group them by build, and insist that they fit each other and the site.

    Args:
        archives: in any order; their ``.sha256`` notes and ``.json`` beside them are read too.
        index: what the site has.
        reporter: shows which archive is read.

    Raises:
        UsageError: what is given is not what a site can have.
        ArchiveError: an archive is damaged, or is not what its note or its name says.
        OutputError: the site has other bytes by this name.
    """
    builds = {build.key: build for build in index.builds} if index else {}
    groups: dict[str, dict[ArtifactName, Path]] = {}
    for path in archives:
        name = _name(path)
        group = groups.setdefault(str(name.build), {})
        if group.setdefault(name, path) != path:
            raise UsageError(f"{name}: given twice: {group[name]} and {path}", remedy="give it once")
    for key, group in groups.items():
        if key not in builds and not any(_is_main(name) for name in group):
            raise UsageError(
                f"{key}: its .tar.gz is missing, which most tools read",
                remedy=f"give {key}-{_CONTENT}.tar.gz too",
            )
    return tuple(_intake(group, builds.get(key), reporter) for key, group in groups.items())


def _name(path: Path) -> ArtifactName:
    try:
        name = ArtifactName.parse(path.name)
    except UsageError as error:
        raise UsageError(
            f"{path}: {error.message}",
            remedy="give archives as `make` names them; notes beside them are found without being named",
        ) from None
    if name.build.implementation != "cpython":
        raise UsageError(f"{path}: a site has CPython only", remedy="leave it out")
    if not path.is_file():
        raise UsageError(f"{path}: no such file", remedy="see that the path is right")
    return name


def _is_main(name: ArtifactName) -> bool:
    return name.suffix == ".tar.gz" and name.content == _CONTENT


def _intake(group: dict[ArtifactName, Path], existing: Build | None, reporter: Reporter) -> Intake:
    present = {file.path: file for file in existing.files} if existing else {}
    archives = [_read(path, name, present, reporter) for name, path in sorted(group.items(), key=str)]
    files = present | {archive.file.path: archive.file for archive in archives}
    build = replace(existing, proof=existing.proof or _proof(archives)) if existing else _build(archives)
    return Intake(
        replace(build, files=tuple(file for _, file in sorted(files.items()))),
        {archive.file.path: archive.path for archive in archives},
    )


def _read(path: Path, name: ArtifactName, present: dict[str, File], reporter: Reporter) -> _Archive:
    """Read one archive, unless the site has these very bytes."""
    place = f"{POOL}/{name.build.number}/{path.name}"
    digest = sha256(path)
    note = path.with_name(f"{path.name}.sha256")
    if note.exists() and note.read_text("utf-8", "replace").split()[:1] != [digest]:
        raise ArchiveError(
            f"{path}: its sha256 is {digest}, and {note} says otherwise",
            remedy="copy both again from where they were made",
        )
    if place in present:
        refuse_change(place, present[place].sha256, digest)
        return _Archive(path, name, present[place], None)
    unpacked, inside = 0, b""
    with reporter.step(f"read {path.name}"):
        for member in members(path):
            unpacked += len(member.read())
            if str(member.name) in (_FACTS, f"python/{_FACTS}"):
                inside = member.read()
    facts = _facts(path, name, inside) if name.content == _CONTENT else None
    return _Archive(path, name, File(place, digest, path.stat().st_size, unpacked), facts)


def refuse_change(place: str, present: str, new: str) -> None:
    """Insist that a file of the pool does not change: somebody may have its checksum.

    Raises:
        OutputError: the new bytes differ.
    """
    if present != new:
        raise OutputError(
            f"{place}: the site has other bytes by this name (sha256 {present}, given {new})",
            remedy="give it a new build number: make, repair and pack have --build-number",
        )


def _facts(path: Path, name: ArtifactName, inside: bytes) -> dict[str, Any]:
    """What the archive says about itself, which must agree with its name."""
    try:
        facts = json.loads(inside)
        own_name = (facts["implementation"], facts["version"], facts["build"])
        target = Target.of_tag(facts["platform_tag"])
        python_tag = facts["build_identifier"].partition("-")[0]
        variant = Variant.of(name.build.variant.words, facts["toolchain"])
        _libraries(facts)
    except (ValueError, KeyError, TypeError, AttributeError, ManypythonError) as error:
        raise ArchiveError(
            f"{path}: {_FACTS}: is not what manypython writes: {error or 'missing'}",
            remedy="publish archives that make, repair or pack wrote",
        ) from None
    file_name = (name.build.implementation, str(name.build.version), name.build.number.value)
    same = (replace(target, level=name.build.target.level), variant, python_tag) == (
        name.build.target,
        name.build.variant,
        name.build.python_tag,
    )
    if own_name != file_name or not same:
        raise ArchiveError(
            f"{path}: holds {own_name[1]}+{own_name[2]} for {target.platform_tag}, its name says otherwise",
            remedy="give it the name it was made with",
        )
    checked_facts: dict[str, Any] = facts
    return checked_facts


def _build(archives: Sequence[_Archive]) -> Build:
    """A new build, from what its archives say, which must be the same in each."""
    main = next(archive for archive in archives if _is_main(archive.name))
    facts = main.facts or {}
    for archive in archives:
        if archive.facts is not None and archive.facts != facts:
            raise ArchiveError(
                f"{archive.path}: does not say the same as {main.path}: they are of different runs",
                remedy="give the archives of one run",
            )
    name = main.name
    return Build(
        name.build,
        str(facts["origin"]),
        str(facts["toolchain"]),
        _libraries(facts),
        _proof(archives),
        (),
    )


def _libraries(facts: dict[str, Any]) -> tuple[Library, ...]:
    """The libraries in a build; where somebody else built it, their sonames without versions."""
    sources = {s["name"]: s["version"] for s in facts["sources"] if s["name"] != "cpython"}
    grafts = {g["name"] or g["soname"]: g["version"] for g in facts["grafts"]}
    return tuple(Library(str(name), str(version)) for name, version in sorted((sources or grafts).items()))


def _proof(archives: Iterable[_Archive]) -> Proof | None:
    """What ``verify`` found, from the ``.json`` beside the archives; None where there is no such record.

    Raises:
        ArchiveError: it belongs to other archives, so it proves nothing about these.
    """
    for archive in archives:
        note = archive.path.with_name(f"{ArtifactName(archive.name.build)}.json")
        if archive.name.content != _CONTENT or not note.is_file():
            continue
        try:
            document = json.loads(note.read_bytes())
            proof = document.pop("verify", None)
            if archive.facts is not None and document != archive.facts:
                raise ArchiveError(
                    f"{note}: is of another run than {archive.path}",
                    remedy="copy both again from where they were made, or leave it out",
                )
            if proof is not None:  # an older manypython did not write it
                lists = (tuple(map(str, proof[name])) for name in ("roots", "not_tried"))
                return Proof(int(proof["passed"]), *lists)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArchiveError(
                f"{note}: is not what manypython writes: {error}",
                remedy="copy it again from where it was made, or leave it out",
            ) from None
    return None
