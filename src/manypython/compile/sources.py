"""Source archives, from the first origin that has the right bytes.

Origins in order: the cache, ``--source-dir``, upstream, the Debian source package.
A download is hashed while it is written beside its place and renamed into it only
when size and sha256 agree.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3
from filelock import FileLock

from manypython.archives.members import sha256
from manypython.compile import debian
from manypython.http.connections import Connections, Patience, by_way_of, plain
from manypython.model.errors import OutputError, SourceError, reason
from manypython.progress import Reporter, Step
from manypython.recipes.model import Recipe

_CHUNK = 1 << 20
_TIMEOUT = urllib3.Timeout(connect=10, read=60)
_LONGEST_WAIT = 60.0
"""Seconds that a server may ask to wait (``Retry-After``)."""
_unreachable: set[str] = set()
"""Hosts whose name did not resolve or that refused: they are not asked again in this run."""


@dataclass(frozen=True)
class FetchedSource:
    """An archive that is here and has the bytes that its recipe names."""

    path: Path
    sha256: str
    origin: str
    """``cache``, ``source-dir``, ``upstream`` or ``debian``."""


@dataclass(frozen=True)
class _Candidate:
    """Bytes that would do: upstream's archive or Debian's."""

    file: str
    sha256: str
    size: int


def fetch(
    recipe: Recipe,
    cache: Path,
    *,
    reporter: Reporter,
    source_dir: Path | None = None,
    offline: bool = False,
) -> FetchedSource:
    """Get a recipe's source archive.

    Args:
        recipe: says which bytes are wanted and where they are.
        cache: folder of the whole cache; archives stand in ``sources/<sha256>/``.
        reporter: shows downloads.
        source_dir: a folder of archives to look in, by upstream's or Debian's file name.
        offline: leave the network alone.

    Raises:
        SourceError: no origin has it; each is named with its reason.
        OutputError: the cache cannot be written.
    """
    search = _Search(recipe, cache, reporter, [])
    try:
        (cache / "locks").mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "locks" / f"source-{recipe.source.sha256[:16]}.lock"):
            source = search.cached() or search.folder(source_dir) or search.network(offline=offline)
    except OSError as error:
        raise OutputError(
            f"{cache}: cannot write {recipe.name}'s source: {reason(error)}",
            remedy="free some room or name another folder with --cache-dir",
        ) from None
    if source is not None:
        return source
    upstream = search.candidates[0]
    raise SourceError(
        f"the source of {recipe.title} cannot be had\n" + "\n".join(f"  {text}" for text in search.failures),
        remedy=f"put {upstream.file} (sha256 {upstream.sha256}) into a folder and pass it with --source-dir",
    )


@dataclass(frozen=True)
class _Search:
    """One search for an archive, origin by origin; failures are collected."""

    recipe: Recipe
    cache: Path
    reporter: Reporter
    failures: list[str]

    @property
    def candidates(self) -> tuple[_Candidate, ...]:
        source = self.recipe.source
        upstream = _Candidate(source.file, source.sha256, source.size)
        if source.debian is None:
            return (upstream,)
        return (upstream, _Candidate(source.debian.file, source.debian.sha256, source.debian.size))

    def cached(self) -> FetchedSource | None:
        for candidate in self.candidates:
            path = self.cache / "sources" / candidate.sha256 / candidate.file
            if path.is_file():
                fault = _mismatch(path, candidate)
                if not fault:
                    return FetchedSource(path, candidate.sha256, "cache")
                self.failures.append(f"cache {path}: {fault}")
                path.unlink()
        self.failures.append("cache: not there")
        return None

    def folder(self, folder: Path | None) -> FetchedSource | None:
        for candidate in self.candidates if folder is not None else ():
            path = (folder or Path()) / candidate.file
            fault = _mismatch(path, candidate) if path.is_file() else "not there"
            if not fault:
                return self._keep(candidate, "source-dir", functools.partial(shutil.copyfile, path))
            self.failures.append(f"source-dir {path}: {fault}")
        return None

    def network(self, *, offline: bool) -> FetchedSource | None:
        if offline:
            self.failures.append("network: not asked (--offline)")
            return None
        for origin, url, candidate in self._addresses():
            host = urllib3.util.parse_url(url).host or ""
            if host in _unreachable:
                self.failures.append(f"{origin} {url}: {host} is not reachable")
                continue
            try:
                with self.reporter.step(f"download {self.recipe.title}", origin) as step:
                    return self._keep(candidate, origin, functools.partial(_save, url, step))
            except urllib3.exceptions.HTTPError as error:
                if isinstance(
                    error, urllib3.exceptions.MaxRetryError | urllib3.exceptions.NewConnectionError
                ):
                    _unreachable.add(host)
                self.failures.append(f"{origin} {url}: {plain(error)}{by_way_of(url)}")
        return None

    def _addresses(self) -> Iterator[tuple[str, str, _Candidate]]:
        yield "upstream", self.recipe.source.url, self.candidates[0]
        if self.recipe.source.debian is not None:
            mirrors = debian.mirrors()
            if not mirrors:
                self.failures.append(f"debian: {debian.NO_MIRROR}")
            for mirror in mirrors:
                yield "debian", debian.pool_url(mirror, self.recipe.source.debian), self.candidates[1]

    def _keep(self, candidate: _Candidate, origin: str, write: Callable[[Path], object]) -> FetchedSource:
        """Write an archive beside its place and move it there once it is known to be right.

        Raises:
            urllib3.exceptions.HTTPError: the bytes are not those that were expected.
        """
        place = self.cache / "sources" / candidate.sha256 / candidate.file
        place.parent.mkdir(parents=True, exist_ok=True)
        scratch = place.with_name(f".{place.name}.{os.getpid()}")
        try:
            write(scratch)
            fault = _mismatch(scratch, candidate)
            if fault:
                raise urllib3.exceptions.HTTPError(fault)
            scratch.replace(place)
        finally:
            scratch.unlink(missing_ok=True)
        return FetchedSource(place, candidate.sha256, origin)


@contextmanager
def answer(
    url: str, method: str = "GET", headers: dict[str, str] | None = None
) -> Iterator[urllib3.BaseHTTPResponse]:
    """One answer of a server, open for as long as the block runs; its body is not read yet.

    Raises:
        urllib3.exceptions.HTTPError: there was none.
    """
    connections = Connections(_TIMEOUT)
    patience = Patience.of(2, _LONGEST_WAIT, connect=0)
    with connections.request(method, url, headers or {}, patience, decode=False) as response:
        yield response


def _save(url: str, step: Step, path: Path) -> None:
    with answer(url) as response:
        if response.status != 200:  # noqa: PLR2004
            raise urllib3.exceptions.HTTPError(f"answered {response.status} {response.reason}")
        total = int(response.headers.get("Content-Length", 0))
        received = 0
        with path.open("wb") as sink:
            for chunk in response.stream(_CHUNK):
                sink.write(chunk)
                received += len(chunk)
                step.line(f"{received >> 20} of {total >> 20} MiB")


def _mismatch(path: Path, candidate: _Candidate) -> str:
    """Why these are not the expected bytes; empty when they are."""
    size = path.stat().st_size
    if candidate.size and size < candidate.size:
        return f"truncated: {size} of {candidate.size} bytes"
    digest = sha256(path)
    return "" if digest == candidate.sha256 else f"wrong sha256: {digest}, expected {candidate.sha256}"
