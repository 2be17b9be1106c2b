"""Bytes from a site: ``http(s)://`` by urllib3, folders as they are."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import unquote, urlsplit

import urllib3

from manypython import __version__
from manypython.index.model import File
from manypython.index.settings import Settings, without_login
from manypython.model.errors import DownloadError, OutputError

_BLOCK = 1 << 18
"""Bytes read at once, at most."""
_ATTEMPTS = 4
_RETRIED = (408, 425, 429, 500, 502, 503, 504)
_REDIRECTS = 10
_T = TypeVar("_T")
_PARTIAL = 206


def _proxy(url: str) -> str:
    """The proxy that the environment names for a URL; empty where there is none."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""
    import urllib.request  # noqa: PLC0415  (12 ms)

    parts = urlsplit(url)
    named = urllib.request.getproxies().get(parts.scheme, "")
    return "" if not named or urllib.request.proxy_bypass(parts.hostname or "") else named


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
        self._given = urlsplit(address)
        self._settings = settings
        self._pool: urllib3.PoolManager | None = None

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
        url = self.address + path
        headers = self._login(url) | ({"Range": f"bytes={begin}-"} if begin else {})
        try:
            with _unlogged():
                response = self._manager(url).request("GET", url, headers=headers, preload_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise DownloadError(f"{url}: {_said(error)}", remedy=_advice(error)) from None
        try:
            if response.status in (403, 404, 410):
                raise NotThereError(f"{url}: HTTP {response.status}")
            if response.status not in (200, _PARTIAL):
                raise DownloadError(f"{url}: HTTP {response.status}")
            yield Answer(_blocks(response), partial=_begins_at(response, begin))
        finally:
            response.close()

    def _manager(self, url: str) -> urllib3.PoolManager:
        """Connections to this place, by way of the proxy that the environment names."""
        if self._pool is None:
            settings = self._settings
            options: dict[str, Any] = {
                "timeout": urllib3.Timeout(connect=settings.timeout, read=settings.timeout),
                "retries": urllib3.Retry(
                    total=_REDIRECTS,
                    connect=_ATTEMPTS - 1,
                    read=_ATTEMPTS - 1,
                    status=_ATTEMPTS - 1,
                    other=0,
                    redirect=_REDIRECTS,
                    backoff_factor=0.2,
                    status_forcelist=_RETRIED,
                ),
                "headers": {"User-Agent": f"manypython/{__version__}", "Accept-Encoding": "identity"},
            }
            if settings.ca_bundle:
                options["ssl_context"] = _trusting(settings.ca_bundle)
            if proxy := _proxy(url):
                told = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
                login = f"{unquote(told.username)}:{unquote(told.password or '')}" if told.username else ""
                if login:
                    options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=login)
                host = f"{told.scheme}://{told.hostname}:{told.port or 80}"
                self._pool = urllib3.ProxyManager(host, **options)
            else:
                self._pool = urllib3.PoolManager(**options)
        return self._pool

    def _login(self, url: str) -> dict[str, str]:
        """Name and password from the URL, or from ``.netrc``."""
        parts, given = urlsplit(url), self._given
        login = (unquote(given.username), unquote(given.password or "")) if given.username else None
        if login is None:
            path = os.environ.get("NETRC") or Path("~/.netrc").expanduser()
            if not os.path.exists(path):  # noqa: PTH110
                return {}
            import netrc  # noqa: PLC0415

            with contextlib.suppress(OSError, netrc.NetrcParseError):
                if found := netrc.netrc(path).hosts.get(parts.hostname or ""):
                    login = (found[0], found[2] or "")
        return dict(urllib3.make_headers(basic_auth=":".join(login))) if login else {}


class _WrongError(DownloadError):
    """The bytes are not those of the index: another attempt may bring the right ones."""


class _Cut(Exception):  # noqa: N818  (never leaves this module)
    """The connection ended before the file did."""


def _blocks(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    try:
        while block := response.read1(_BLOCK):  # as it comes: `read` would wait for a whole block
            yield block
    except urllib3.exceptions.HTTPError as error:
        raise _Cut(_said(error)) from None


def _begins_at(response: urllib3.BaseHTTPResponse, begin: int) -> bool:
    """Whether a partial answer is the part that was asked for (RFC 9110, 14.4)."""
    return response.status == _PARTIAL and response.headers.get("Content-Range", "").startswith(
        f"bytes {begin}-"
    )


def _trusting(bundle: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=bundle)
    except (OSError, ssl.SSLError) as error:
        raise DownloadError(
            f"{bundle}: no certificates: {error}", remedy="set MANYPYTHON_CA_BUNDLE"
        ) from None


@contextlib.contextmanager
def _writable(path: Path) -> Iterator[IO[bytes]]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        with open(path, "r+b") as file:
            yield file
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written: {error.strerror or error}",
            remedy="free some room or name another folder",
        ) from None


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Keep each of urllib3's tries out of the log of a tool that shows its log: the error says it once."""
    here, log = threading.get_ident(), logging.getLogger("urllib3.connectionpool")

    def of_another(record: logging.LogRecord) -> bool:
        return record.thread != here

    log.addFilter(of_another)
    try:
        yield
    finally:
        log.removeFilter(of_another)


def _said(error: Exception) -> str:
    """What urllib3 means; of a timeout it says more than anybody wants to know."""
    told = getattr(error, "reason", None) or error
    late = isinstance(told, urllib3.exceptions.ReadTimeoutError | urllib3.exceptions.ConnectTimeoutError)
    # which is a ConnectTimeoutError, too
    if late and not isinstance(told, urllib3.exceptions.NewConnectionError):
        return "the server did not answer in time"
    return plain(error)


def plain(error: Exception) -> str:
    """The innermost reason of an urllib3 error, without object addresses."""
    reason = getattr(error, "reason", None) or error
    text = str(reason).rpartition(">: ")[2] or str(reason)
    return text.rpartition("): ")[2] or text


def _advice(error: Exception) -> str:
    if isinstance(getattr(error, "reason", None), urllib3.exceptions.SSLError):
        return "name the certificates to trust with MANYPYTHON_CA_BUNDLE"
    return "check the address and the network, or name a second place of the site with MANYPYTHON_MIRRORS"
