"""The proxy for a URL, by the environment: ``http_proxy``, ``https_proxy``, ``all_proxy``, ``no_proxy``.

In small letters or in capitals. There is no standard: ``no_proxy`` takes what curl, Python's urllib and
Go's programs take.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies_environment

from manypython.http.logins import Login, of_url
from manypython.model.errors import UsageError

PORTS = {"http": 80, "https": 443}
"""Where a URL names none; of proxies too, but for SOCKS."""
_SOCKS = ("socks4", "socks4a", "socks5", "socks5h")
_SOCKS_PORT = 1080
_PLACE = re.compile(r"(\[[^\]]*\]|[^:]*):(\d+)")
"""A name, or an address (IPv6 in brackets), and a port."""


@dataclass(frozen=True)
class Proxy:
    """A proxy that the environment names."""

    scheme: str
    address: str
    """``http://127.0.0.1:3128``, without name and password."""
    login: Login | None
    variable: str
    """What names it: ``https_proxy``."""

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS and not HTTP."""
        return self.scheme in _SOCKS


def proxy_for(url: str) -> Proxy | None:
    """The proxy for a URL; None where the environment names none, or excepts this host.

    Raises:
        UsageError: what it names is no address of a proxy.
    """
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    told, parts = getproxies_environment(), urlsplit(url)
    kind = parts.scheme if told.get(parts.scheme) else "all"
    if not told.get(kind) or _excepted(parts, told.get("no", "")):
        return None
    return _parsed(told[kind], next(filter(os.environ.get, (f"{kind}_proxy", f"{kind.upper()}_PROXY"))))


def _parsed(text: str, variable: str) -> Proxy:
    """A proxy as it is written; ``proxy:3128`` is one that speaks HTTP."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
        if host and port != 0 and parts.scheme in (*PORTS, *_SOCKS):
            port = port or PORTS.get(parts.scheme, _SOCKS_PORT)
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            return Proxy(parts.scheme, f"{parts.scheme}://{where}", of_url(parts), variable)
    except ValueError:
        pass
    shown = "what it says" if "@" in text else text  # else a password might be shown
    raise UsageError(
        f"{variable}: {shown} is no address of a proxy",
        remedy=f"write SCHEME://HOST:PORT with one of {', '.join((*PORTS, *_SOCKS))}; "
        "in a password / is %2F, # is %23, ? is %3F and @ is %40",
    )


def _excepted(parts: SplitResult, told: str) -> bool:
    """Whether ``no_proxy`` names a URL's host.

    Each of its words is ``*``, a domain (with all below it; a dot or ``*.`` before it changes nothing),
    an address, a network (``10.0.0.0/8``), or one of these with a port.
    """
    host, port = (parts.hostname or "").rstrip("."), parts.port or PORTS.get(parts.scheme)
    address = _network(host)
    for word in filter(None, re.split(r"[,\s]+", told.lower())):
        match = None if _network(word) else _PLACE.fullmatch(word)
        if match and int(match[2]) != port:
            continue
        named = match[1] if match else word
        domain, network = named.lstrip("*."), _network(named)
        if address is None:
            excepted = bool(domain) and f".{host}".endswith(f".{domain}")
        else:
            excepted = network is not None and address.network_address in network
        if excepted or named == "*":
            return True
    return False


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """A network, or an address as a network of one; None for what is neither."""
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None
