"""The slow half of ``fetch``: what is not here yet comes from the index."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from manypython.archives.members import sha256
from manypython.index import host, store
from manypython.index.installed import Installed, lock, locked
from manypython.index.model import Build, File, read
from manypython.index.select import select
from manypython.index.settings import Settings, cache_home, data_home, without_login
from manypython.index.transport import Place
from manypython.model.errors import DownloadError, ManypythonError, OutputError, TrustError, UsageError
from manypython.model.identifier import Spec
from manypython.model.target import Target
from manypython.progress import Reporter

_SMALLEST = (".tar.zst", ".zip", ".tar.gz")
_QUICKEST = (".zip", ".tar.zst", ".tar.gz")
"""To unpack: see docs/decisions/0009-which-wrapping-is-fetched.md."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LARGEST = 64 << 20
"""Bytes of an index that nobody signed."""
_T = TypeVar("_T")


def fetch(request: str, settings: Settings, reporter: Reporter) -> Installed:
    """The best build of the index that answers a request, installed unless it is already.

    Args:
        request: ``3.13``, ``3.13.5``, ``cp313``, ``3.13t``, ``>=3.12,<3.14``.
        settings: where from and where to.
        reporter: told of downloads, and of an index that nobody signed.

    Raises:
        ManypythonError: any of UsageError, DownloadError, TrustError, NoBuildError, ArchiveError,
            OutputError, as their classes say.
    """
    spec, target = Spec.parse(request), Target.parse(settings.target) if settings.target else None
    entries, signed, source = available(settings, reporter)
    build = select(entries, spec, host.platform_tags(target), _level(target), source)
    return _got(build, settings, reporter, signed=signed, runs=target is None)


def available(settings: Settings, reporter: Reporter) -> tuple[list[dict[str, Any]], bool, str]:
    """The entries of the index, whether it is signed, and where it is from.

    Raises:
        UsageError: no index is set.
        TrustError: it is not signed and that is not allowed, or its signatures do not hold.
        DownloadError: no place of it can be reached, or it is no index.
    """
    if not settings.index:
        raise UsageError(
            "no index is set",
            remedy="name a site with --index URL or [tool.manypython] index",
        )
    if "://" not in settings.index and not Path(settings.index).is_dir():
        raise DownloadError(
            f"{settings.index}: no such folder", remedy="--index takes the folder or URL of a site"
        )
    folder = Path(data_home(), "manypython", "trust", _short(settings.index))
    with locked(str(folder.with_name(f"{folder.name}.lock"))):
        data, signed = _index(settings, folder, reporter)
    source = f"{settings.index}index.json"
    return read(data, source)[1], signed, source


def _index(settings: Settings, folder: Path, reporter: Reporter) -> tuple[bytes, bool]:
    """The bytes of the index, and whether they are signed."""
    from manypython.index import trust  # noqa: PLC0415  (its libraries take 100 ms; an unsigned index needs none)

    if settings.trust or trust.pinned(folder):
        kept = settings.offline and trust.pinned(folder)

        def one(place: Place) -> bytes:
            root = trust.first_root(place, settings.trust) if settings.trust and not kept else None
            return trust.verified(place, folder, root, offline=kept)

        return _first(settings, one), True
    if not settings.allow_unsigned:
        raise TrustError(
            f"{settings.index}: nothing is known of who signs it",
            remedy="--trust sha256:HEX, as its owner publishes it, pins its keys; "
            "--allow-unsigned takes what it says unproved",
        )
    for place in settings.places:
        if place.startswith("http://") and not _is_near(place):
            raise TrustError(
                f"{without_login(place)}: neither signed nor https: anybody on the way could change it",
                remedy="use https, a local copy, or an index that is signed",
            )
    reporter.warn(f"{settings.index}: its index is not signed; taken because of --allow-unsigned")
    return _first(settings, lambda place: place.read("index.json", _LARGEST)), False


def wrappings(place: str) -> tuple[str, ...]:
    """Suffixes of archives, best first: over a network the smallest, else the one that unpacks quickest."""
    return _QUICKEST if _is_near(place) else _SMALLEST


def _is_near(place: str) -> bool:
    """Whether no network is between."""
    return "://" not in place or urlsplit(place).hostname in _LOOPBACK


def _got(build: Build, settings: Settings, reporter: Reporter, *, signed: bool, runs: bool) -> Installed:
    """Install a build from the cache of downloads, or from the first place that has it whole."""
    file = next((file for suffix in wrappings(settings.index) if (file := build.file(suffix))), None)
    if file is None:
        raise DownloadError(f"{build.key}: the index names no archive of it that can be unpacked here")
    origin: dict[str, object] = {"index": settings.index, "signed": signed}
    if found := store.vouched(Path(settings.store_dir), build, origin):
        return found
    cache = downloads()
    archive = cache / f"{file.sha256[:16]}-{file.name}"
    with lock(str(cache), file.sha256[:16]):
        _downloaded(file, archive, settings, reporter)
        return store.install(Path(settings.store_dir), build, file, archive, origin, runs=runs)


def _downloaded(file: File, archive: Path, settings: Settings, reporter: Reporter) -> None:
    """See that the archive is there and is what the index says."""
    if archive.is_file() and sha256(archive) == file.sha256:
        return
    part = archive.with_name(f"{archive.name}.part")

    def one(place: Place) -> None:
        with reporter.transfer(f"fetch {file.name}", file.size) as advance:
            place.download(file, part, advance)

    _first(settings, one)
    with _named(archive):
        part.replace(archive)


def forget_downloads(*, dry_run: bool) -> int:
    """Delete what is kept of downloads, but for those under way; returns bytes."""
    size = 0
    for path in [path for path in downloads().glob("*-*") if path.is_file()]:
        with lock(str(downloads()), path.name.partition("-")[0]):
            size += path.stat().st_size
            if not dry_run:
                path.unlink()
    return size


def downloads() -> Path:
    """The folder where downloads are kept, until ``prune``."""
    named = os.environ.get("MANYPYTHON_CACHE_DIR")
    return Path(named or os.path.join(cache_home(), "manypython"), "downloads").absolute()


def _first(settings: Settings, ask: Callable[[Place], _T]) -> _T:
    """The answer of the first place that has a good one: a mirror that lies is passed over."""
    errors: list[ManypythonError] = []
    for address in settings.places:
        try:
            return ask(Place(address, settings))
        except (DownloadError, TrustError) as error:
            errors.append(error)
    last = errors[-1]
    if len(errors) == 1:
        raise last
    worst = next((error for error in errors if isinstance(error, TrustError)), last)
    raise type(worst)("; ".join(error.message for error in errors), remedy=worst.remedy)


def _level(target: Target | None) -> int:
    return host.level() if target is None else 1


def _short(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}: {error.strerror or error}", remedy="free some room or name another folder"
        ) from None
