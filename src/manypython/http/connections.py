"""Requests over http(s): by the proxies that the environment names, with a patience that ends.

urllib3 does the work. What is ours: the proxy is chosen for each host that redirects lead to, and a server
that asks to wait (``Retry-After``) is waited for as long as it may take to answer, and no longer.
"""

from __future__ import annotations

import contextlib
import email.utils
import importlib.util
import logging
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any, Self
from urllib.parse import urljoin

import urllib3

from manypython.http.proxies import PORTS, Proxy, proxy_for
from manypython.model.errors import DownloadError, MissingExtraError, UsageError
from manypython.version import __version__

REDIRECTS = 10
_RETRIED = (408, 425, 429, 500, 502, 503, 504)
_BACKOFF = 0.2
"""Seconds before the second attempt; twice as many before each further one."""
_HEADERS = {"User-Agent": f"manypython/{__version__}", "Accept-Encoding": "identity"}


class WaitError(urllib3.exceptions.HTTPError):
    """A server asks to wait for longer than we do."""


class Patience(urllib3.Retry):
    """How often to ask again, and how long to wait because a server asks for it, all waits together."""

    seconds: float = 0.0

    @classmethod
    def of(cls, attempts: int, seconds: float, *, connect: int | None = None) -> Self:
        """Make one.

        Args:
            attempts: how often it is asked again.
            seconds: how long to wait.
            connect: how often where there is no connection; None: as often.
        """
        made = cls(
            total=None,
            connect=attempts if connect is None else connect,
            read=attempts,
            status=attempts,
            other=0,
            backoff_factor=_BACKOFF,
            status_forcelist=_RETRIED,
            raise_on_status=False,  # the last answer says more
        )
        made.seconds = seconds
        return made

    def new(self, **changed: Any) -> Self:  # noqa: ANN401  (as urllib3 has it)
        """The next one."""
        made = super().new(**changed)
        made.seconds = self.seconds
        return made

    def sleep_for_retry(self, response: urllib3.BaseHTTPResponse) -> bool:
        """Wait as long as a server asks for; whether it asked.

        Raises:
            WaitError: it asks for more than is left.
        """
        asked = _asked(response.headers.get("Retry-After", "").strip())
        if asked > self.seconds:
            raise WaitError(f"HTTP {response.status}, asks to wait {asked:.0f} s")
        self.seconds -= asked
        time.sleep(asked)
        return asked > 0


def _asked(text: str) -> float:
    """Seconds that a ``Retry-After`` means (RFC 9110, 10.2.3); 0 where it cannot be read."""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
        return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


class Connections:
    """Connections that are kept open between requests, one set for each proxy."""

    def __init__(self, timeout: urllib3.Timeout, ca_bundle: str = "") -> None:
        """Make a set of them.

        Args:
            timeout: for connecting, and between two bytes.
            ca_bundle: file of certificates to trust; empty: the system's.

        Raises:
            DownloadError: it has none.
        """
        self._context = _trusting(ca_bundle) if ca_bundle else None
        self._options: dict[str, Any] = {"timeout": timeout}
        if self._context:
            self._options["ssl_context"] = self._context
        self._pools: dict[str, urllib3.PoolManager] = {}

    def request(
        self, method: str, url: str, headers: Mapping[str, str], patience: Patience, *, decode: bool = True
    ) -> urllib3.BaseHTTPResponse:
        """The beginning of an answer, behind all redirects; its body is not read yet.

        Args:
            method: ``GET`` or ``HEAD``.
            url: what is asked for.
            headers: besides our own.
            patience: how often to ask, and how long to wait.
            decode: whether to undo a ``Content-Encoding``.

        Raises:
            urllib3.exceptions.HTTPError: there is none.
            UsageError: the environment names a proxy that is none.
            MissingExtraError: it names one of SOCKS, and what speaks that is not installed.
        """
        headers = {**_HEADERS, **headers}
        for _ in range(REDIRECTS + 1):
            with _unlogged():
                response = self._pool(proxy_for(url)).request(
                    method, url, headers=headers, redirect=False, retries=patience, preload_content=False,
                    decode_content=decode,
                )  # fmt: skip
            location = response.get_redirect_location()
            if not location:
                return response
            response.drain_conn()
            before, url = url, _joined(url, location)
            if _origin(before) != _origin(url):
                headers.pop("Authorization", None)  # it was for that one alone
        raise urllib3.exceptions.HTTPError("too many redirects")

    def _pool(self, proxy: Proxy | None) -> urllib3.PoolManager:
        key = proxy.address if proxy else ""
        if key not in self._pools:
            self._pools[key] = self._made(proxy)
        return self._pools[key]

    def _made(self, proxy: Proxy | None) -> urllib3.PoolManager:
        if proxy is None:
            return urllib3.PoolManager(**self._options)
        if not proxy.is_socks:
            login = {"Proxy-Authorization": proxy.login.basic} if proxy.login else None
            return urllib3.ProxyManager(
                proxy.address, proxy_headers=login, proxy_ssl_context=self._context, **self._options
            )
        if importlib.util.find_spec("socks") is None:
            raise MissingExtraError(
                f"{proxy.variable}: {proxy.address}: SOCKS needs PySocks, which is not installed",
                remedy=f"pip install pysocks, or name a proxy that speaks HTTP, or unset {proxy.variable}",
            )
        from urllib3.contrib.socks import SOCKSProxyManager  # noqa: PLC0415  (needs PySocks)

        name, password = _as_text(proxy)
        return SOCKSProxyManager(proxy.address, name, password, **self._options)


def _as_text(proxy: Proxy) -> tuple[str | None, str | None]:
    """Name and password of a proxy for PySocks, which writes them as UTF-8."""
    if proxy.login is None:
        return None, None
    try:
        return proxy.login.name.decode(), proxy.login.password.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{proxy.variable}: the name or the password is not UTF-8") from None


def _joined(url: str, location: str) -> str:
    """Where a redirect leads.

    Raises:
        urllib3.exceptions.LocationParseError: to no URL.
    """
    try:
        return urljoin(url, location)
    except ValueError:
        raise urllib3.exceptions.LocationParseError(location) from None


def _origin(url: str) -> tuple[str | None, str | None, int | None]:
    parsed = urllib3.util.parse_url(url)
    return parsed.scheme, parsed.host, parsed.port or PORTS.get(parsed.scheme or "")


def plain(error: Exception) -> str:
    """The innermost reason of an urllib3 error, without object addresses."""
    reason = getattr(error, "reason", None) or error
    reason = getattr(reason, "original_error", reason)  # a proxy's
    text = str(reason).rpartition(">: ")[2] or str(reason)
    return text.rpartition("): ")[2] or text


def said(error: Exception) -> str:
    """What urllib3 means, in a few words; of a timeout it says more than anybody wants to know."""
    told = getattr(error, "reason", None) or error
    late = isinstance(told, urllib3.exceptions.ReadTimeoutError | urllib3.exceptions.ConnectTimeoutError)
    # which is a ConnectTimeoutError, too
    if late and not isinstance(told, urllib3.exceptions.NewConnectionError):
        return "the server did not answer in time"
    return plain(error)


def by_way_of(url: str) -> str:
    """The proxy that stood between, if one did."""
    proxy = proxy_for(url)
    return f" (by way of {proxy.variable}={proxy.address})" if proxy else ""


def advice(error: Exception) -> str:
    """What to do about it."""
    if isinstance(error, WaitError):
        return "run it again then, or name a second place of the site with MANYPYTHON_MIRRORS"
    if isinstance(getattr(error, "reason", None), urllib3.exceptions.SSLError):
        return "name the certificates to trust with MANYPYTHON_CA_BUNDLE"
    return "check the address and the network, or name a second place of the site with MANYPYTHON_MIRRORS"


def _trusting(bundle: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=bundle)
    except (OSError, ssl.SSLError) as error:
        raise DownloadError(
            f"{bundle}: no certificates: {error}", remedy="set MANYPYTHON_CA_BUNDLE"
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
