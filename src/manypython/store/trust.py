"""The index as The Update Framework lets it through: signed, whole, not expired, never older than before.

https://theupdateframework.github.io/specification/latest/ says what a client has to refuse; its
own library does so here. What is pinned, and what was seen last, is kept per site.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from tuf.api import exceptions
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from manypython.model.errors import DownloadError, OutputError, TrustError, reason
from manypython.store.transport import NotThereError, Place

METADATA, TARGETS, INDEX = "metadata/", "targets/", "index.json"
"""Where a site keeps what TUF calls so."""
_ROOTS = 256
"""Versions of a root that a client follows."""
_ROOT_LIMIT = 512_000
"""Bytes, as TUF's own default."""
_MEANINGS: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.ExpiredMetadataError, "has expired, or this machine's clock is wrong"),
    (exceptions.BadVersionNumberError, "is older than what was seen before (a rollback)"),
    (exceptions.LengthOrHashMismatchError, "does not fit the rest of the site"),
    (exceptions.UnsignedMetadataError, "is not signed by those who may"),
)


def pinned(folder: Path) -> bool:
    """Whether a site's root is known, from a fetch before."""
    return (folder / "root.json").is_file()


def first_root(place: Place, trust: str) -> bytes:
    """The root that a client begins with.

    Args:
        place: where roots are published.
        trust: ``sha256:HEX`` of any root the site ever had, or a file that holds one.

    Raises:
        TrustError: the file cannot be read, or the site has no root with this hash.
        DownloadError: the site cannot be reached.
    """
    if not trust.startswith("sha256:"):
        try:
            return Path(trust).read_bytes()
        except OSError as error:
            raise TrustError(
                f"{trust}: no root: {error.strerror}", remedy="--trust takes a file or sha256:HEX"
            ) from None
    wanted = trust.removeprefix("sha256:").lower()
    for version in range(1, _ROOTS):
        try:
            root = place.read(f"{METADATA}{version}.root.json", _ROOT_LIMIT)
        except NotThereError:
            break
        if hashlib.sha256(root).hexdigest() == wanted:
            return root
    raise TrustError(
        f"{place.address}: has no root with sha256 {wanted}",
        remedy="compare it with what the site's owner says; this may be another's site",
    )


def verified(place: Place, folder: Path, bootstrap: bytes | None, *, offline: bool) -> bytes:
    """The bytes of the newest index that a site can prove to be its own.

    A root that is given is pinned only once the site proved itself by it.

    Args:
        place: one place of the site.
        folder: what is kept of it between fetches; the caller holds its lock.
        bootstrap: the root to begin with; None: the one that is pinned.
        offline: what was seen last, if that has not expired.

    Raises:
        TrustError: signatures, dates or versions do not hold.
        DownloadError: it cannot be reached.
        OutputError: the folder cannot be written.
    """
    fetcher = _Fetcher(
        (lambda url: _kept(folder, url)) if offline else (lambda url: place.read(url, _LARGEST))
    )
    try:
        return _updated(folder, fetcher, None) if bootstrap is None else _tried(folder, fetcher, bootstrap)
    except exceptions.RepositoryError as error:
        meaning = next((text for kind, text in _MEANINGS if isinstance(error, kind)), "cannot be trusted")
        now = datetime.now(UTC).date()
        raise TrustError(
            f"{place.address}: its signed index {meaning}: {error}",
            remedy=f"it is {now} by this machine's clock; if that is right, ask the site's owner, "
            "or take another mirror",
        ) from None
    except exceptions.DownloadError as error:
        raise fetcher.told or DownloadError(f"{place.address}: {error}") from None
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written: {reason(error)}",
            remedy="free some room or name another folder with XDG_DATA_HOME",
        ) from None


def _tried(folder: Path, fetcher: _Fetcher, bootstrap: bytes) -> bytes:
    """Begin with another root in a copy of what was seen before, which still counts."""
    trial = folder.with_name(f"{folder.name}.trial")
    shutil.rmtree(trial, ignore_errors=True)
    if folder.exists():
        shutil.copytree(folder, trial, symlinks=True)
    data = _updated(trial, fetcher, bootstrap)
    shutil.rmtree(folder, ignore_errors=True)
    trial.rename(folder)
    return data


def _updated(folder: Path, fetcher: _Fetcher, bootstrap: bytes | None) -> bytes:
    (folder / TARGETS).mkdir(parents=True, exist_ok=True)
    updater = Updater(
        str(folder),
        METADATA,
        str(folder / TARGETS),
        TARGETS,
        fetcher,
        UpdaterConfig(max_root_rotations=_ROOTS, app_user_agent=None),
        bootstrap=bootstrap,
    )
    updater.refresh()
    target = updater.get_targetinfo(INDEX)
    if target is None:
        raise TrustError(f"{folder}: the site signs no {INDEX}")
    kept = updater.find_cached_target(target) or updater.download_target(target)
    return Path(kept).read_bytes()


class _Fetcher(FetcherInterface):
    """TUF's requests, answered by a function of ours."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self.told: DownloadError | None = None
        """Why the last request failed, in our words."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            return iter([self._read(url)])
        except NotThereError as error:
            self.told = error
            raise exceptions.DownloadHTTPError(error.message, 404) from None
        except DownloadError as error:
            self.told = error
            raise exceptions.DownloadError(error.message) from None


def _kept(folder: Path, url: str) -> bytes:
    """What was kept of the last time: there is nothing newer while offline."""
    name = url.removeprefix(METADATA)
    if name != "timestamp.json" or not (folder / name).is_file():
        raise NotThereError(f"{folder}: nothing is kept of {name}", remedy="go online once")
    return (folder / name).read_bytes()


_LARGEST = 64 << 20
"""Bytes of an index; TUF knows the exact number and refuses what is longer."""
