"""Bytes from a site: ``http(s)://`` by urllib3, folders as they are."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

import urllib3

from manypython.folders import CACHE, home
from manypython.http.connections import Connections, Patience, advice, by_way_of, said
from manypython.http.logins import Login, Netrc, of_url
from manypython.http.proxies import PORTS, proxy_for
from manypython.index.model import File
from manypython.model.errors import DownloadError, OutputError, UsageError, reason
from manypython.store.settings import Settings, without_login

_BLOCK = 1 << 18
"""Bytes read at once, at most."""
_ATTEMPTS = 4
_T = TypeVar("_T")
_PARTIAL, _WHO, _WHO_AT_PROXY = 206, 401, 407


class NotThereError(DownloadError):
    """The site has no such file (404, or 403 as some stores of objects say)."""


@dataclass(frozen=True)
class Answer:
    """The beginning of an answer."""

    blocks: Iterator[bytes]
    partial: bool
    """Whether it begins where it was asked to begin."""


class Place:
    """One place of a site: a URL or a folder, with a slash at its end."""

    def __init__(self, address: str, settings: Settings) -> None:
        self.address = without_login(address)
        self._parts = parsed(address)
        self._settings = settings

    @property
    def is_remote(self) -> bool:
        """Whether it is reached over a network."""
        return "://" in self.address

    def read(self, path: str, limit: int) -> bytes:
        """A small file, whole.

        Args:
            path: relative URL.
            limit: bytes it may have.

        Raises:
            NotThereError: there is none.
            DownloadError: it cannot be had, or is larger.
        """

        def whole() -> bytes:
            taken = bytearray()
            with self.open(path) as answer:
                for block in answer.blocks:
                    taken += block
                    if len(taken) > limit:
                        raise DownloadError(f"{self.address}{path}: has more than {limit} bytes")
            return bytes(taken)

        return self._insist(path, whole)

    def download(self, file: File, into: Path, advance: Callable[[int], None]) -> None:
        """A file of the index, resumed where an earlier attempt ended; its SHA-256 holds afterwards.

        Args:
            file: what the index says of it.
            into: where it goes; what is there already is its beginning.
            advance: told how many bytes there are so far.

        Raises:
            DownloadError: it cannot be had, or its bytes are not those of the index.
            OutputError: it cannot be written.
        """
        for last in (False, True):
            resumed = into.exists()
            try:
                found = self._insist(file.url, lambda: self._rest(file, into, advance))
                if found == file.sha256:
                    return
                raise _WrongError(f"{self.address}{file.url}: sha256 {found}, the index says {file.sha256}")
            except DownloadError as error:
                wrong = isinstance(error, _WrongError)
                if resumed or wrong:  # it was no beginning of this file, or that changed meanwhile
                    into.unlink(missing_ok=True)
                if last or not (resumed or wrong):
                    raise

    def _insist(self, path: str, ask: Callable[[], _T]) -> _T:
        """Ask again when a connection stalls or is cut."""
        for left in reversed(range(_ATTEMPTS)):
            try:
                return ask()
            except _Cut as error:
                if not left:
                    raise DownloadError(f"{self.address}{path}: {error}") from None
        raise AssertionError

    def _rest(self, file: File, into: Path, advance: Callable[[int], None]) -> str:
        """Append what is missing and return the SHA-256 of all."""
        digest = hashlib.sha256()
        with _writable(into) as sink:
            for block in iter(lambda: sink.read(_BLOCK), b""):
                digest.update(block)
            begun = sink.tell()
            if begun >= file.size:
                begun = begun if begun == file.size else 0
            if begun < file.size:
                with self.open(file.url, begun) as answer:
                    if not answer.partial:
                        begun, digest = 0, hashlib.sha256()
                    sink.seek(begun)
                    sink.truncate()
                    for block in answer.blocks:
                        begun += len(block)
                        if begun > file.size:
                            raise _WrongError(
                                f"{self.address}{file.url}: has more than the index's {file.size} bytes"
                            )
                        digest.update(block)
                        sink.write(block)
                        advance(begun)
                if begun < file.size:
                    raise _Cut(f"ended after {begun} of {file.size} bytes")
        return digest.hexdigest()

    @contextlib.contextmanager
    def open(self, path: str, begin: int = 0) -> Iterator[Answer]:
        """An answer to be read.

        Args:
            path: relative URL.
            begin: the first byte wanted.

        Raises:
            NotThereError: there is no such file.
            DownloadError: it cannot be had.
        """
        if not self.is_remote:
            with self._local(path) as file:
                file.seek(begin)
                yield Answer(iter(lambda: file.read(_BLOCK), b""), partial=True)
            return
        if self._settings.offline:
            raise DownloadError(
                f"{self.address}{path}: is not here, and --offline is set", remedy="fetch it once"
            )
        with self._request(path, begin) as answer:
            yield answer

    @contextlib.contextmanager
    def _local(self, path: str) -> Iterator[IO[bytes]]:
        name = self.address + unquote(path)
        try:
            file = open(name, "rb")  # noqa: SIM115  (what fails inside the block is another's fault)
        except (FileNotFoundError, NotADirectoryError):
            raise NotThereError(f"{name}: is not there") from None
        except OSError as error:
            raise DownloadError(f"{name}: {error.strerror}") from None
        with file:
            yield file

    @contextlib.contextmanager
    def _request(self, path: str, begin: int) -> Iterator[Answer]:
        url, limit = self.address + path, self._settings.timeout
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        if login := self._login():
            headers["Authorization"] = login.basic
        try:
            response = self._connections.request("GET", url, headers, Patience.of(_ATTEMPTS - 1, limit))
        except urllib3.exceptions.HTTPError as error:
            raise DownloadError(f"{url}: {said(error)}{by_way_of(url)}", remedy=advice(error)) from None
        try:
            if response.status in (403, 404, 410):
                raise NotThereError(f"{url}: HTTP {response.status}")
            if response.status not in (200, _PARTIAL):
                told = f"{url}: HTTP {response.status}{by_way_of(url)}"
                raise DownloadError(told, remedy=self._remedy(response.status, url))
            yield Answer(_blocks(response), partial=_begins_at(response, begin))
        finally:
            response.close()

    @functools.cached_property
    def _connections(self) -> Connections:
        """Connections to this place, and to where it leads."""
        settings = self._settings
        timeout = urllib3.Timeout(connect=settings.timeout, read=settings.timeout)
        return Connections(timeout, settings.ca_bundle)

    @functools.cached_property
    def _netrc(self) -> Netrc:
        return Netrc.read()

    def _remedy(self, status: int, url: str) -> str:
        """What to do about an answer."""
        if status == _WHO_AT_PROXY and (proxy := proxy_for(url)):
            return f"{proxy.variable}: write http://NAME:PASSWORD@HOST:PORT"
        if status != _WHO:
            return ""
        host, netrc = self._parts.hostname or "", self._netrc
        if login := self._login():
            told = f"correct the name and the password of {login.origin}, which were given"
        else:
            file = netrc.path or ("~/.netrc" if home() else "a file that NETRC names")
            told = f"write a name and a password into the URL (https://NAME:PASSWORD@{host}/) or into {file}"
        return f"{told}; {netrc.path}: not understood: {', '.join(netrc.odd)}" if netrc.odd else told

    def _login(self) -> Login | None:
        return of_url(self._parts) or self._netrc.login(self._parts.hostname or "")


def parsed(address: str) -> SplitResult:
    """The parts of a place's URL; of a folder they are empty.

    Raises:
        UsageError: it is no URL of http or https.
    """
    if "://" not in address:
        return urlsplit("")
    try:
        parts = urlsplit(address)
        if parts.scheme in PORTS and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    shown = "a site's URL" if "@" in address else address  # else a password might be shown
    raise UsageError(
        f"{shown}: is no http or https URL",
        remedy="write https://HOST:PORT/; in a password / is %2F, # is %23, ? is %3F and @ is %40",
    )


class _WrongError(DownloadError):
    """The bytes are not those of the index: another attempt may bring the right ones."""


class _Cut(Exception):  # noqa: N818  (never leaves this module)
    """The connection ended before the file did."""


def _blocks(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    try:
        while block := response.read1(_BLOCK):  # as it comes: `read` would wait for a whole block
            yield block
    except urllib3.exceptions.HTTPError as error:
        raise _Cut(said(error)) from None


def _begins_at(response: urllib3.BaseHTTPResponse, begin: int) -> bool:
    """Whether a partial answer is the part that was asked for (RFC 9110, 14.4)."""
    return response.status == _PARTIAL and response.headers.get("Content-Range", "").startswith(
        f"bytes {begin}-"
    )


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[IO[bytes]]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        with open(path, "r+b") as file:
            yield file
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written: {reason(error)}",
            remedy=f"free some room or name another folder with {CACHE}",
        ) from None
