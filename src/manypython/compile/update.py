"""Refresh what is pinned: recipes from upstream's own lists, image digests from their registries.

``nox -s update`` runs it. Everything is asked first; then the differences are shown and the
files written. An upstream that does not answer is reported, and its pin stays.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import urllib3
from packaging.version import Version

from manypython.compile.images import DATA, Image, read_image, repository
from manypython.compile.registry import OK, page, registry_digest
from manypython.compile.sources import answer
from manypython.http.connections import plain
from manypython.model.errors import ManypythonError, SourceError
from manypython.model.target import Architecture
from manypython.progress import Reporter
from manypython.recipes.model import Recipe, Watch, read_recipes

_SERIES = "series.toml"
_CHUNK = 1 << 20
_NOT_FOUND = 404


@dataclass(frozen=True)
class Release:
    """One release in upstream's list."""

    version: Version
    url: str


@dataclass(frozen=True)
class Change:
    """A file and its new text."""

    path: Path
    before: str
    after: str
    summary: str
    """``openssl 3.5.7 -> 3.5.8 sha256 ...``."""

    def diff(self) -> str:
        """The difference as ``diff -u`` shows it."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            str(self.path),
            str(self.path),
        )
        return "".join(lines)


def releases(watch: Watch, page: str) -> tuple[Release, ...]:
    """The releases in a list, newest first; pre-releases are left out."""
    releases_by_version = {}
    for match in re.finditer(watch.release, page):
        version = Version(watch.version.format(**match.groupdict()))
        if not version.is_prerelease:
            releases_by_version[version] = Release(version, watch.url.format(**match.groupdict()))
    return tuple(release for _, release in sorted(releases_by_version.items(), reverse=True))


def repin(text: str, recipe: Recipe, release: Release, sha256: str, size: int) -> str:
    """A recipe's text for another release; comments and order stay.

    Debian's archive of the same name stays an origin where its bytes are upstream's. The hash of
    one that Debian packed itself is not known yet, so it is dropped.
    """
    old, new = str(recipe.version), str(release.version)
    older, mark, text = text.rpartition("[[releases]]")  # a library has one, and no such mark
    debian = recipe.source.debian
    if debian is not None and debian.sha256 != recipe.source.sha256:
        text = re.sub(r"\n*^\[\S*source\.debian\]\n(?:(?!\[).*\n)*", "\n\n", text, flags=re.MULTILINE)
    pairs = {
        rf'^(version = "){re.escape(old)}"': rf'\g<1>{new}"',
        rf'^(url = "){re.escape(recipe.source.url)}"': rf'\g<1>{release.url}"',
        rf'^(file = ".*){re.escape(old)}': rf"\g<1>{new}",
        rf'^(sha256 = "){recipe.source.sha256}"': rf'\g<1>{sha256}"',
        rf"^(size = ){recipe.source.size}$": rf"\g<1>{size}",
    }
    for pattern, replacement in pairs.items():
        text = re.sub(pattern, replacement, text, count=1, flags=re.MULTILINE)
    return older + mark + text


def update_recipe(path: Path) -> Change | None:
    """Ask a recipe's upstream for a newer release, and measure its archive.

    Args:
        path: the recipe's file.

    Returns:
        The change, or None where the pin is the newest.

    Raises:
        SourceError: upstream does not answer, or its list holds no release.
    """
    text = path.read_text(encoding="utf-8")
    recipe = read_recipes(text, path.name)[-1]
    if recipe.watch is None:
        return None
    listed = releases(recipe.watch, page(recipe.watch.page))
    if not listed:
        raise SourceError(f"{recipe.watch.page}: lists no release of {recipe.name}")
    for release in listed:
        if release.version <= recipe.version:
            return None
        measured = _measure(release.url)
        if measured is not None:  # a folder of pre-releases has no archive of the release yet
            break
    else:
        return None
    sha256, size = measured
    after = repin(text, recipe, release, sha256, size)
    read_recipes(after, path.name)  # what is written can be read
    title = recipe.name.removesuffix(f"-{recipe.version}")
    return Change(path, text, after, f"{title} {recipe.version} -> {release.version} sha256 {sha256}")


def update_images(path: Path) -> Change | None:
    """Ask each registry which image its tag stands for today.

    Raises:
        SourceError: a registry does not answer.
    """
    before = after = path.read_text(encoding="utf-8")
    lines = []
    for name, table in tomllib.loads(before).items():
        image = read_image(name, table)
        for architecture, old in image.digests:
            new = registry_digest(_tagged(image, architecture))
            if new != old:
                head, mark, rest = after.partition(f"[{name}]")
                after = (
                    head + mark + rest.replace(f'{architecture} = "{old}"', f'{architecture} = "{new}"', 1)
                )
                lines.append(f"{name} {architecture} -> {new}")
    return Change(path, before, after, "\n".join(lines)) if lines else None


def _tagged(image: Image, architecture: Architecture) -> str:
    return f"{repository(image.tag, architecture)}:{image.tag.rpartition(':')[2]}"


def _measure(url: str) -> tuple[str, int] | None:
    """An archive's sha256 and size in bytes; None where there is none."""
    digest, size = hashlib.sha256(), 0
    try:
        with answer(url) as response:
            if response.status == _NOT_FOUND:
                return None
            if response.status != OK:
                raise SourceError(f"{url}: answered {response.status} {response.reason}")
            for chunk in response.stream(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except urllib3.exceptions.HTTPError as error:
        raise SourceError(f"{url}: {plain(error)}") from None
    return digest.hexdigest(), size


def new_build(text: str, today: datetime) -> str:
    """``series.toml`` with today as its build number: what is built has changed."""
    return re.sub(r"(?m)^(build = )\d+$", rf"\g<1>{today:%Y%m%d}", text)


def ask(recipes: Path, images: Path, reporter: Reporter) -> tuple[list[Change], list[str], int]:
    """Ask every upstream.

    Args:
        recipes: folder of recipes.
        images: ``images.toml``.
        reporter: shows what is asked.

    Returns:
        The changes, what did not answer, and how many did.
    """
    jobs: list[tuple[str, Callable[[Path], Change | None], Path]] = [
        (path.stem, update_recipe, path)
        for path in sorted(recipes.glob("*.toml"))
        if "\n[watch]\n" in path.read_text(encoding="utf-8")
    ]
    jobs.append(("images", update_images, images))
    changes, silent, answered = [], [], 0
    for name, job, path in jobs:
        try:
            with reporter.step(f"ask for {name}"):
                change = job(path)
        except SourceError as error:
            silent.append(f"{name}: {error.message}")
        else:
            answered += 1
            changes += [change] if change else []
    return changes, silent, answered


def write(changes: Iterable[Change], series: Path, today: datetime) -> None:
    """Write what changed, and raise the build number with it."""
    for change in changes:
        change.path.write_text(change.after, encoding="utf-8")
    series.write_text(new_build(series.read_text(encoding="utf-8"), today), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Ask, show, write."""
    parser = argparse.ArgumentParser(
        prog="nox -s update --",
        description="Refresh recipe pins and image digests from upstream's own lists.",
        epilog="exit codes: 0 done, or nothing newer; 5 nobody answered, nothing was changed",
    )
    parser.add_argument("--dry-run", action="store_true", help="show the differences and write nothing")
    arguments = parser.parse_args(argv)
    here = Path(__file__).parent
    recipes, images = here.parent / "recipes", here / DATA
    try:
        changes, silent, answered = ask(recipes, images, Reporter())
    except ManypythonError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return error.exit_code
    for line in silent:
        print(f"not asked: {line}", file=sys.stderr)
    for change in changes:
        print(change.diff(), end="")
        print(change.summary)
    if not answered:
        print("error: offline: no upstream answered, nothing was changed", file=sys.stderr)
        return SourceError.exit_code
    if changes and not arguments.dry_run:
        write(changes, recipes / _SERIES, datetime.now(UTC))
    verb = "to change" if arguments.dry_run else "changed"
    print(f"{answered} asked, {len(silent)} silent, {len(changes)} files {verb}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
