"""Proxies of the environment: real ones on the loopback interface, by IPv4 and IPv6, of HTTP and of SOCKS."""

from __future__ import annotations

import base64
import http.client
import select
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sites import Handler, MadeSite, Server

from manypython import fetch
from manypython.http.proxies import proxy_for
from manypython.model.errors import DownloadError, MissingExtraError, UsageError

PASSWORD = "pä$ w€"  # noqa: S105  (of a server that lives as long as a test)
ESCAPED = "p%C3%A4$%20w%E2%82%AC"
BASIC = f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}"


def join(left: socket.socket, right: socket.socket) -> None:
    """Pass bytes on in both directions until one side ends."""
    while True:
        for each in select.select([left, right], [], [])[0]:
            data = each.recv(1 << 16)
            if not data:
                return
            (right if each is left else left).sendall(data)


class Proxy(BaseHTTPRequestHandler):
    """Passes GET on and opens tunnels, for who has the password where one is wanted."""

    seen: list[str]
    wanted = ""

    def _let_in(self) -> bool:
        if self.wanted and self.headers.get("Proxy-Authorization") != self.wanted:
            self.send_error(407)
            return False
        self.seen.append(self.path)
        return True

    def do_GET(self) -> None:
        if not self._let_in():
            return
        parts = urlsplit(self.path)
        onward = http.client.HTTPConnection(str(parts.hostname), parts.port)
        passed = {name: value for name, value in self.headers.items() if not name.startswith("Proxy-")}
        onward.request("GET", parts.path, headers=passed)
        answer = onward.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(data)))
        for name in filter(answer.headers.get, ("Location", "Retry-After")):
            self.send_header(name, answer.headers[name])
        self.end_headers()
        self.wfile.write(data)
        onward.close()

    def do_CONNECT(self) -> None:
        if not self._let_in():
            return
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port))) as onward:
            self.send_response(200)
            self.end_headers()
            join(self.connection, onward)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class SixServer(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def proxying(
    host: str = "127.0.0.1", wanted: str = "", context: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[str]]]:
    """A proxy's host and port, and what it was asked for."""
    seen: list[str] = []
    kind = SixServer if ":" in host else ThreadingHTTPServer
    made = kind((host, 0), type("Proxying", (Proxy,), {"seen": seen, "wanted": wanted}))
    made.daemon_threads = True
    if context:
        made.socket = context.wrap_socket(made.socket, server_side=True)
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"[{host}]:{made.server_port}" if ":" in host else f"{host}:{made.server_port}", seen
    finally:
        made.shutdown()
        made.server_close()


def test_the_environments_proxy_is_taken(
    site: MadeSite, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying() as (where, seen):
        monkeypatch.setenv("http_proxy", f"http://{where}")
        fetch("3.13", index=server.url, trust=site.trust)
        assert any(path.endswith("install_only.zip") for path in seen)
        passed = len(seen)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        fetch("3.13", index=server.url, trust=site.trust, upgrade=True)
        assert len(seen) == passed


def test_a_proxy_may_have_an_ipv6_address(
    site: MadeSite, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying("::1") as (where, seen):
        monkeypatch.setenv("http_proxy", f"http://{where}")
        assert fetch("3.13", index=server.url, trust=site.trust).version == "3.13.15"
    assert any(path.endswith("install_only.zip") for path in seen)


@pytest.mark.parametrize("written", ["http://{}", "{}", "http://{}/", "HTTP://{}/a/path"])
def test_a_proxy_is_named_as_people_name_it(
    written: str, site: MadeSite, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying() as (where, seen):
        monkeypatch.setenv("http_proxy", written.format(where))
        assert fetch("3.13", index=server.url, trust=site.trust).version == "3.13.15"
    assert seen


def test_name_and_password_go_to_a_proxy_as_utf_8(
    site: MadeSite, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying(wanted=BASIC) as (where, seen):
        for login in (f"me:{ESCAPED}", f"me:{PASSWORD}"):
            monkeypatch.setenv("http_proxy", f"http://{login}@{where}")
            fetch("3.13", index=server.url, trust=site.trust, upgrade=True)
            assert seen
            seen.clear()
        monkeypatch.setenv("http_proxy", f"http://{where}")
        with pytest.raises(
            DownloadError, match=rf"HTTP 407 \(by way of http_proxy=http://{where}\)"
        ) as caught:
            fetch("3.13", index=server.url, trust=site.trust, upgrade=True)
        assert caught.value.remedy == "http_proxy: write http://NAME:PASSWORD@HOST:PORT"
    assert all("Authorization" not in headers for _, headers in server.asked)


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_https_goes_through_a_tunnel(
    name: str, site: MadeSite, secured: str, authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANYPYTHON_CA_BUNDLE", str(authority[0]))
    with proxying(wanted=BASIC) as (where, seen):
        monkeypatch.setenv(name, f"http://me:{ESCAPED}@{where}")
        assert fetch("3.13", index=secured, trust=site.trust).version == "3.13.15"
        assert set(seen) == {urlsplit(secured).netloc}
        monkeypatch.setenv(name, f"http://me:wrong@{where}")
        with pytest.raises(DownloadError) as caught:
            fetch("3.13", index=secured, trust=site.trust, upgrade=True)
    said = f"Tunnel connection failed: 407 Proxy Authentication Required (by way of {name}=http://{where})"
    assert caught.value.message.endswith(said)


def test_a_proxy_that_is_spoken_to_by_https_may_have_the_same_authority(
    site: MadeSite, server: Server, authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority[1])
    with proxying(context=context) as (where, seen):
        monkeypatch.setenv("http_proxy", f"https://{where}")
        with pytest.raises(DownloadError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch("3.13", index=server.url, trust=site.trust)
        monkeypatch.setenv("MANYPYTHON_CA_BUNDLE", str(authority[0]))
        assert fetch("3.13", index=server.url, trust=site.trust).version == "3.13.15"
    assert seen


def test_a_proxy_that_is_not_there_is_named(
    site: MadeSite, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(DownloadError) as caught:
        fetch("3.13", index=server.url, trust=site.trust)
    assert caught.value.message.endswith("Connection refused (by way of http_proxy=http://127.0.0.1:1)")


def test_where_a_redirect_leads_has_the_proxy_of_that_place(
    site: MadeSite, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is at 127.0.0.1 is reached directly, and leads to localhost, which is not."""

    def elsewhere(handler: Handler, _: bytes) -> bool:
        if handler.headers["Host"].startswith("localhost"):
            return False
        port = handler.server.server_address[1]
        handler.answer(302, b"", {"Location": f"http://localhost:{port}{handler.path}"})
        return True

    server.faults[".zip"] = [elsewhere] * 9
    with proxying() as (where, seen):
        monkeypatch.setenv("http_proxy", f"http://{where}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        index = server.url.replace("http://", "http://me:secret@")
        assert fetch("3.13", index=index, trust=site.trust).version == "3.13.15"
    assert [urlsplit(path).hostname for path in seen] == ["localhost"]
    sent = {headers["Host"].partition(":")[0]: "Authorization" in headers for _, headers in server.asked}
    assert sent == {"127.0.0.1": True, "localhost": False}, "a password is for the place that it is given for"


@pytest.mark.parametrize("leads", ["http://[", "http://[::1", "https:///x", "http://host:port/"])
def test_a_redirect_to_nowhere_is_an_error(leads: str, site: MadeSite, server: Server) -> None:
    def nowhere(handler: Handler, _: bytes) -> bool:
        handler.answer(302, b"", {"Location": leads})
        return True

    server.faults["index.json"] = [nowhere] * 9
    with pytest.raises(DownloadError, match=r"index\.json"):
        fetch("3.13", index=server.url, trust=site.trust)


@pytest.mark.parametrize(
    "text",
    [
        "http://proxy:abc",
        "http://[::1",
        "http://proxy:99999",
        "http://proxy:0",
        "ftp://proxy",
        "http://",
        "://",
    ],
)
def test_what_is_no_address_of_a_proxy_is_said_to_be_none(
    text: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", text)
    with pytest.raises(UsageError, match="http_proxy: ") as caught:
        fetch("3.13", index=server.url, trust=f"sha256:{'0' * 64}")
    assert text in caught.value.message
    assert "SCHEME://HOST:PORT" in caught.value.remedy


@pytest.mark.parametrize("login", ["me:se#cret", "me:se/cret", "me:se?cret", "me:[secret"])
def test_a_password_in_what_cannot_be_read_is_not_shown(
    login: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{login}@proxy:3128")
    with pytest.raises(UsageError, match="is no address of a proxy") as caught:
        fetch("3.13", index=server.url, trust=f"sha256:{'0' * 64}")
    assert "cret" not in caught.value.line


HOST = "http://files.example.org/"


@pytest.mark.parametrize(
    ("named", "url", "excepted"),
    [
        ("*", HOST, True),
        ("files.example.org", HOST, True),
        ("FILES.example.ORG", HOST, True),
        ("example.org", HOST, True),
        (".example.org", HOST, True),
        ("*.example.org", HOST, True),
        ("other.org, example.org", HOST, True),
        ("other.org example.org", HOST, True),
        ("example.org:80", HOST, True),
        ("example.org:443", "https://example.org/", True),
        ("example.org:8080", "http://example.org:8080/", True),
        ("example.org:8080", HOST, False),
        ("example.org", "http://example.org./", True),
        ("xample.org", HOST, False),
        ("org.example", HOST, False),
        ("", HOST, False),
        (",", HOST, False),
        (".", HOST, False),
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("10.0.0.0/8", "http://10.example.org/", False),
        ("10.1.2.3", "http://10.1.2.3:8080/", True),
        ("10.1.2.3:80", "http://10.1.2.3/", True),
        ("10.1.2.3:81", "http://10.1.2.3/", False),
        ("10.1.2.3/8", "http://10.200.0.1/", True),
        ("0.0.0.0/0", "http://10.1.2.3/", True),
        ("0.0.0.0/0", "http://[::1]/", False),
        ("::1", "http://[::1]:8779/", True),
        ("[::1]", "http://[::1]:8779/", True),
        ("[::1]:8779", "http://[::1]:8779/", True),
        ("[::1]:80", "http://[::1]:8779/", False),
        ("0:0:0:0:0:0:0:1", "http://[::1]/", True),
        ("fd00::/8", "http://[fd12::1]/", True),
        ("fd00::/8", "http://[fe80::1]/", False),
        ("10.0.0.0/99", "http://10.1.2.3/", False),
        ("2.3", "http://10.1.2.3/", False),
    ],
)
def test_no_proxy_is_read_as_everybody_writes_it(
    named: str, url: str, excepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", named)
    assert (proxy_for(url) is None) is excepted


@pytest.mark.parametrize("named", ["127.0.0.0/8", "127.0.0.1:{}", "127.0.0.1"])
def test_what_no_proxy_names_is_reached_directly(
    named: str, site: MadeSite, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", named.format(server.server_address[1]))
    assert fetch("3.13", index=server.url, trust=site.trust).version == "3.13.15"


@pytest.mark.parametrize(
    ("env", "address", "variable"),
    [
        ({"http_proxy": "a:1", "all_proxy": "b:1"}, "http://a:1", "http_proxy"),
        ({"https_proxy": "a:1", "all_proxy": "b:1"}, "http://b:1", "all_proxy"),
        ({"https_proxy": "a:1"}, "", ""),
        ({"HTTP_PROXY": "a:1"}, "http://a:1", "HTTP_PROXY"),
        ({"HTTP_PROXY": "a:1", "http_proxy": "b:1"}, "http://b:1", "http_proxy"),
        ({"HTTP_PROXY": "a:1", "http_proxy": ""}, "", ""),
        ({"HTTP_PROXY": "a:1", "REQUEST_METHOD": "GET"}, "", ""),
        ({"http_proxy": "a"}, "http://a:80", "http_proxy"),
        ({"http_proxy": "https://a"}, "https://a:443", "http_proxy"),
        ({"http_proxy": "socks5h://a"}, "socks5h://a:1080", "http_proxy"),
        ({"http_proxy": "http://me:pw@[::1]:9"}, "http://[::1]:9", "http_proxy"),
        ({"ALL_PROXY": "socks5://me:pw@a:9"}, "socks5://a:9", "ALL_PROXY"),
    ],
)
def test_the_variable_that_counts(
    env: dict[str, str], address: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CGI program's ``HTTP_PROXY`` is a header of whoever asks it, and does not count."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    proxy = proxy_for(HOST)
    assert (proxy.address, proxy.variable) == (address, variable) if proxy else not address


class Socks(socketserver.StreamRequestHandler):
    """SOCKS5 (RFC 1928) with a name and a password (RFC 1929): CONNECT to an IPv4 address or a name."""

    seen: list[str]

    def handle(self) -> None:
        _, number = self.rfile.read(2)
        offered = self.rfile.read(number)
        if 2 not in offered:
            self.wfile.write(b"\x05\xff")
            return
        self.wfile.write(b"\x05\x02")
        self.rfile.read(1)
        given = [self.rfile.read(self.rfile.read(1)[0]) for _ in range(2)]
        right = given == [b"me", PASSWORD.encode()]
        self.wfile.write(b"\x01\x00" if right else b"\x01\x01")
        if not right:
            return
        kind = self.rfile.read(4)[3]
        if kind == 1:
            host = socket.inet_ntoa(self.rfile.read(4))
        else:
            host = self.rfile.read(self.rfile.read(1)[0]).decode()
        port = int.from_bytes(self.rfile.read(2), "big")
        self.seen.append(host)
        with socket.create_connection((host, port)) as onward:
            self.wfile.write(b"\x05\x00\x00\x01" + bytes(6))
            join(self.connection, onward)


@pytest.fixture
def socks() -> Iterator[tuple[str, list[str]]]:
    """A SOCKS proxy's host and port, and the hosts that it was asked for."""
    seen: list[str] = []
    made = socketserver.ThreadingTCPServer(("127.0.0.1", 0), type("Asked", (Socks,), {"seen": seen}))
    made.daemon_threads = True
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield f"127.0.0.1:{made.server_address[1]}", seen
    made.shutdown()
    made.server_close()


@pytest.mark.parametrize(
    ("name", "scheme", "asked"),
    [
        ("all_proxy", "socks5h", "localhost"),
        ("http_proxy", "socks5", "127.0.0.1"),
        ("ALL_PROXY", "socks5h", "localhost"),
    ],
)
def test_a_proxy_may_speak_socks(
    name: str,
    scheme: str,
    asked: str,
    site: MadeSite,
    server: Server,
    socks: tuple[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = server.url.replace("127.0.0.1", "localhost")
    monkeypatch.setenv(name, f"{scheme}://me:{ESCAPED}@{socks[0]}")
    assert fetch("3.13", index=index, trust=site.trust).version == "3.13.15"
    assert set(socks[1]) == {asked}, "with an h the proxy looks the name up"
    monkeypatch.setenv(name, f"{scheme}://me:wrong@{socks[0]}")
    with pytest.raises(DownloadError, match=rf"SOCKS5 auth.* \(by way of {name}={scheme}://{socks[0]}\)"):
        fetch("3.13", index=index, trust=site.trust, upgrade=True)


def test_socks_without_its_library_is_said(
    server: Server, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setitem(sys.modules, "socks", None)
    monkeypatch.setenv("all_proxy", "socks5://me:pw@127.0.0.1:1080")
    with pytest.raises(MissingExtraError) as caught:
        fetch("3.13", index=server.url, trust=f"sha256:{'0' * 64}")
    assert caught.value.message == (
        "all_proxy: socks5://127.0.0.1:1080: SOCKS needs PySocks, which is not installed"
    )
    assert caught.value.remedy.startswith("pip install pysocks")
    assert not recwarn.list


def test_a_socks_password_that_is_not_utf_8_is_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "socks5://me:%FF@127.0.0.1:1")
    with pytest.raises(UsageError, match="all_proxy: the name or the password is not UTF-8"):
        fetch("3.13", index=server.url, trust=f"sha256:{'0' * 64}")
