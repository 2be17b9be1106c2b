"""The slow half of ``fetch``: what is not here yet comes from the index."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from packaging.version import Version

from manypython.archives.members import sha256
from manypython.folders import CACHE, data_home
from manypython.index import host
from manypython.index.model import Build, File
from manypython.index.reading import read
from manypython.index.select import finals, select
from manypython.model.errors import DownloadError, ManypythonError, OutputError, TrustError, UsageError
from manypython.model.identifier import Spec
from manypython.model.target import Target
from manypython.progress import Reporter
from manypython.store import trees as store
from manypython.store.downloads import downloads, named
from manypython.store.installed import Installed, lock, locked
from manypython.store.settings import Settings, without_login
from manypython.store.transport import Place, parsed

_SMALLEST = (".tar.zst", ".zip", ".tar.gz")
_QUICKEST = (".zip", ".tar.zst", ".tar.gz")
"""To unpack: see docs/decisions/0009-which-wrapping-is-fetched.md."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LARGEST = 64 << 20
"""Bytes of an index that nobody signed."""
_AT_ONCE = 4
"""Downloads: more share the same line."""
_T = TypeVar("_T")


def fetch(requests: Sequence[str], settings: Settings, reporter: Reporter) -> list[Installed]:
    """The best builds of the index that answer requests, installed unless they are already.

    All are chosen before anything is downloaded. Downloads run side by side; unpacking keeps
    the processor busy by itself and runs one after the other.

    Args:
        requests: each ``3.13``, ``3.13.5``, ``cp313``, ``3.13t`` or ``>=3.12,<3.14``.
        settings: where from and where to.
        reporter: told of downloads, and of an index that nobody signed.

    Raises:
        ManypythonError: any of UsageError, DownloadError, TrustError, NoBuildError, ArchiveError,
            OutputError, as their classes say.
    """
    for request in requests:
        Spec.parse(request)  # no index is asked for what is no request
    entries, signed, source = available(settings, reporter)
    builds = [best(entries, request, settings, source) for request in requests]
    origin: dict[str, object] = {"index": settings.index, "signed": signed}
    found = {build.key: store.vouched(Path(settings.store_dir), build, origin) for build in builds}
    wanted = {build.key: (build, archive(build, settings)) for build in builds if found[build.key] is None}
    _side_by_side([file for _, file in wanted.values()], settings, reporter)
    return [
        found[build.key] or _got(*wanted[build.key], settings, reporter, origin, runs=not settings.target)
        for build in builds
    ]


def best(entries: Sequence[dict[str, Any]], request: str, settings: Settings, source: str) -> Build:
    """The build that answers a request on this machine, or on the target that is set.

    Args:
        entries: of an index, as ``available`` gives them.
        request: as for ``fetch``.
        settings: which target.
        source: where the index is from, for messages.

    Raises:
        UsageError: the request is none.
        NoBuildError, DownloadError: as ``select``.
    """
    target = _target(settings)
    return select(entries, Spec.parse(request), host.platform_tags(target), _level(target), source)


def archive(build: Build, settings: Settings) -> File:
    """The archive of a build that is best taken from the index that is set.

    Raises:
        DownloadError: the index names none.
    """
    file = next((file for suffix in wrappings(settings.index) if (file := build.file(suffix))), None)
    if file is None:
        raise DownloadError(f"{build.key}: the index names no archive of it that can be unpacked here")
    return file


def versions(settings: Settings, reporter: Reporter) -> list[Version]:
    """Final releases that the index has for this machine, or the target that is set, newest first.

    Raises:
        UsageError, TrustError, DownloadError: as ``available``.
    """
    target = _target(settings)
    return finals(available(settings, reporter)[0], host.platform_tags(target), _level(target))


def available(settings: Settings, reporter: Reporter) -> tuple[list[dict[str, Any]], bool, str]:
    """The entries of the index, whether it is signed, and where it is from.

    Raises:
        UsageError: no index is set, or one that is none.
        TrustError: it is not signed and that is not allowed, or its signatures do not hold.
        DownloadError: no place of it can be reached, or it is no index.
    """
    if not settings.index:
        raise UsageError(
            "no index is set",
            remedy="name a site with --index URL or [tool.manypython] index",
        )
    if "://" not in settings.index:
        _see_folder(settings.index)
    for place in settings.places:
        parsed(place)  # before anything else speaks of it
    folder = _trust_folder(settings)
    with locked(str(folder.with_name(f"{folder.name}.lock")), "XDG_DATA_HOME"):
        data, signed = _index(settings, folder, reporter)
    source = f"{settings.index}index.json"
    return read(data, source)[1], signed, source


def _see_folder(path: str) -> None:
    """See that a site in a folder is one.

    Raises:
        DownloadError: it is none, or is closed to us.
    """
    told = "no such folder"
    try:
        if stat.S_ISDIR(Path(path).stat().st_mode):
            return
    except FileNotFoundError:
        pass
    except OSError as error:
        told = f"cannot be read: {error.strerror}"
    raise DownloadError(f"{path}: {told}", remedy="--index takes the folder or URL of a site")


def pin(settings: Settings) -> str:
    """``sha256:HEX`` of the root that is trusted for the index, for others to name; empty: none is."""
    try:
        root = (_trust_folder(settings) / "root.json").read_bytes()
    except OSError:
        return ""
    return f"sha256:{hashlib.sha256(root).hexdigest()}"


def _trust_folder(settings: Settings) -> Path:
    """What is kept of a site's keys between fetches."""
    name = hashlib.sha256(os.fsencode(settings.index)).hexdigest()[:16]
    return Path(data_home(), "manypython", "trust", name)


def _index(settings: Settings, folder: Path, reporter: Reporter) -> tuple[bytes, bool]:
    """The bytes of the index, and whether they are signed."""
    from manypython.store import trust  # noqa: PLC0415  (its libraries take 100 ms; an unsigned index needs none)

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
    return "://" not in place or parsed(place).hostname in _LOOPBACK


def _side_by_side(files: Sequence[File], settings: Settings, reporter: Reporter) -> None:
    """Download several; one alone is downloaded where it is unpacked."""
    if len(files) < 2:  # noqa: PLR2004
        return
    from concurrent.futures import ThreadPoolExecutor, as_completed  # noqa: PLC0415  (needed by few)

    stop = threading.Event()

    def one(file: File) -> None:
        with lock(str(downloads()), file.sha256[:16], CACHE):
            _downloaded(file, settings, reporter, stop)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for done in as_completed([pool.submit(one, file) for file in files]):
                done.result()
        except BaseException:  # one failed, or Ctrl-C: the others end at their next block
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def _got(  # noqa: PLR0913  (what, from where, and what is to be said of it)
    build: Build,
    file: File,
    settings: Settings,
    reporter: Reporter,
    origin: dict[str, object],
    *,
    runs: bool,
) -> Installed:
    """Install a build from the cache of downloads, or from the first place that has it whole."""
    with lock(str(downloads()), file.sha256[:16], CACHE):
        archive = _downloaded(file, settings, reporter)
        return store.install(Path(settings.store_dir), build, file, archive, origin, runs=runs)


def _downloaded(
    file: File, settings: Settings, reporter: Reporter, stop: threading.Event | None = None
) -> Path:
    """The archive among the downloads, which is what the index says; what is there of it is kept."""
    archive = downloads() / f"{file.sha256[:16]}-{file.name}"
    with named(archive):
        if archive.is_file() and sha256(archive) == file.sha256:
            return archive
    part = archive.with_name(f"{archive.name}.part")

    def one(place: Place) -> None:
        with reporter.transfer(f"fetch {file.name}", file.size) as advance:

            def advanced(there: int) -> None:
                if stop is not None and stop.is_set():
                    raise OutputError(f"{file.name}: stopped")
                advance(there)

            place.download(file, part, advanced)

    _first(settings, one)
    with named(archive):
        part.replace(archive)
    return archive


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


def _target(settings: Settings) -> Target | None:
    return Target.parse(settings.target) if settings.target else None


def _level(target: Target | None) -> int:
    return host.level() if target is None else target.level
