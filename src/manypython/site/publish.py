"""Archives in, a static site out: every tool's own files, in an order that a ``kill -9`` cannot hurt."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from manypython.archives.write import BEST, Effort
from manypython.index.choice import left_out
from manypython.index.model import Build, File, Index
from manypython.index.reading import parse
from manypython.model.errors import UsageError
from manypython.progress import Reporter
from manypython.site import keys, repack
from manypython.site.disk import Site
from manypython.site.intake import Intake, take_in
from manypython.site.render import own, render

Sign = Callable[[bytes], dict[str, bytes]]
"""Makes the signed files of an index, by path; the last of them makes the others count."""
_BASE_URL = re.compile(r"(?:https?://[A-Za-z0-9\[\]]|file:///)[A-Za-z0-9:/@%\[\]+,=._~-]*")
"""No query, and nothing that a shell or a page would read as more than a URL."""
_UNKNOWN = "0" * 64


@dataclass(frozen=True)
class Published:
    """What a run did, or would do."""

    site: Path
    base_url: str
    added: tuple[str, ...]
    """Keys of the builds that are new or have new files."""
    written: tuple[str, ...]
    """Paths in the site, in the order they were written."""
    unchanged: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """Keys of builds that need a newer C library than others: lists without a field for it leave them out."""

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "site": str(self.site),
            "base_url": self.base_url,
            "added": list(self.added),
            "written": list(self.written),
            "unchanged": list(self.unchanged),
            "left_out": list(self.left_out),
        }


def publish(  # noqa: PLR0913  (what, where, and how)
    archives: Sequence[Path],
    site: Path,
    *,
    base_url: str | None = None,
    reporter: Reporter,
    effort: Effort = BEST,
    sign: Sign | None = None,
    dry_run: bool = False,
) -> Published:
    """Add archives to a site and write all that follows from them.

    At every moment, whatever a file of the site names is there with the right bytes:
    archives are written first, then repacks, then what names them, then ``index.json``,
    then its signatures. Publishing again changes nothing: a file whose bytes are right is not touched.

    Args:
        archives: of ``make``, ``repair`` or ``pack``; none: render and sign again what is there.
        site: its folder; made where there is none.
        base_url: where it will be served; None: what it says already, else its ``file:`` URL.
        reporter: shows what takes a while.
        effort: how hard repacks are compressed.
        sign: makes the signed files; None: there are none.
        dry_run: say what would be written, and write nothing.

    Raises:
        UsageError: the archives or the URL are not what a site can have.
        ArchiveError: an archive is damaged, or is not what its name says.
        OutputError: the site has other bytes by an archive's name, or cannot be written.
        DownloadError: the site's own ``index.json`` cannot be read.
    """
    root = site.absolute()
    url = None if base_url is None else check_url(base_url)
    place = Site(root, dry_run=dry_run)
    with place.locked(reporter):
        before = _existing(root)
        if before is None and not archives:
            raise UsageError(f"{root}: is no site yet", remedy="give the archives to make one from")
        intakes = take_in(archives, before, reporter)
        builds = before.builds if before else ()
        index = Index.of(
            url or (before.base_url if before else f"{root.as_uri()}/"),
            (*builds, *(intake.build for intake in intakes)),
        )
        _copy(intakes, place, reporter)
        index = _repack(index, place, effort, reporter)
        _write(index, place, sign)
    builds_before = {build.key: build for build in builds}
    added = tuple(b.key for b in index.builds if b.key not in builds_before or _grew(builds_before[b.key], b))
    out = tuple(build.key for build in left_out(index.builds))
    return Published(root, index.base_url, added, tuple(place.written), tuple(place.unchanged), out)


def rotate(site: Path, make: Sign, reporter: Reporter) -> Published:
    """Write the files that a rotation of keys makes for the index.

    Raises:
        UsageError: the folder is no site.
    """
    place = Site(site.absolute(), dry_run=False)
    with place.locked(reporter):
        index = _existing(place.root)
        if index is None:
            raise UsageError(f"{site}: is no site yet", remedy="publish archives to it")
        for path, content in make(index.as_bytes()).items():
            place.put(path, content)
    return Published(place.root, index.base_url, (), tuple(place.written), tuple(place.unchanged))


def check_url(base_url: str) -> str:
    """A base URL with a slash at its end.

    Raises:
        UsageError: it cannot be one.
    """
    if not _BASE_URL.fullmatch(base_url) or "/../" in f"{base_url}/":
        raise UsageError(
            f"{base_url!r} cannot be the address of a site",
            remedy="give an http, https or file URL of a folder, e.g. https://example.org/python/",
        )
    return base_url.rstrip("/") + "/"


def _existing(root: Path) -> Index | None:
    path = root / own.PATH
    return parse(path.read_bytes(), str(path)) if path.is_file() else None


def _copy(intakes: Sequence[Intake], place: Site, reporter: Reporter) -> None:
    """The pool: nothing names these files yet."""
    for intake in intakes:
        with reporter.step(f"copy {intake.build.key}"):
            for file in intake.build.files:
                if file.path in intake.sources:
                    place.copy(intake.sources[file.path], file)


def _repack(index: Index, place: Site, effort: Effort, reporter: Reporter) -> Index:
    """Make the repacks that are missing; returns the index with them."""
    lacking_by_key: dict[str, list[repack.Repack]] = {}
    for lacking in repack.missing(index):
        lacking_by_key.setdefault(lacking.build.key, []).append(lacking)
    builds = {build.key: build for build in index.builds}
    for key, repacks in lacking_by_key.items():
        with reporter.step(f"repack {key}"):
            files = _make_repacks(builds[key], repacks, place, effort)
        files_by_path = {file.path: file for file in (*builds[key].files, *files)}
        builds[key] = replace(builds[key], files=tuple(file for _, file in sorted(files_by_path.items())))
    return Index.of(index.base_url, builds.values())


def _make_repacks(
    build: Build, repacks: Sequence[repack.Repack], place: Site, effort: Effort
) -> tuple[File, ...]:
    packed = build.file(".zip")
    files = []
    for repack_to_make in repacks:
        if repack_to_make.is_link and packed is not None:
            place.link(repack_to_make.path, packed.path, fixed=True)
            files.append(replace(packed, path=repack_to_make.path))
    paths = [repack_to_make.path for repack_to_make in repacks if not repack_to_make.is_link]
    for path in paths:
        place.note_written(path)
    if place.dry_run:
        return (*files, *(File(path, _UNKNOWN, 1, 1) for path in paths))
    return (*files, *repack.make(build, paths, place.root, effort))


def _write(index: Index, place: Site, sign: Sign | None) -> None:
    """What names the archives, then the index, then its signatures: the last of them counts."""
    own_bytes = index.as_bytes()
    signed = sign(own_bytes) if sign else {}
    root = signed.get(keys.FIRST_ROOT)
    rendered = render(index, keys.pin(root) if root else keys.fingerprint(place.root))
    for path, goal in repack.aliases(index).items():
        place.link(path, goal, fixed=False)
    for path, content in rendered.items():
        if path != own.PATH:
            place.put(path, content)
    place.put(own.PATH, own_bytes)
    for path, content in signed.items():
        place.put(path, content)


def _grew(before: Build, after: Build) -> bool:
    return {file.path for file in before.files} != {file.path for file in after.files}
