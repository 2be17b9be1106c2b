"""Real TLS with a private CA, a real proxy, names and passwords: all on the loopback interface."""

from __future__ import annotations

import base64
import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from manypython import fetch
from manypython.cli import main
from manypython.model.errors import DownloadError


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A private CA that signed itself for 127.0.0.1: its certificate, and both with the key."""
    folder = tmp_path_factory.mktemp("ca")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a private CA")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(public)
    (folder / "both.pem").write_bytes(private + public)
    return folder / "ca.pem", folder / "both.pem"


@pytest.fixture
def secured(server: Any, authority: tuple[Path, Path]) -> str:
    """The site by https."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority[1])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return str(server.url.replace("http://", "https://"))


def test_a_private_ca_is_believed_when_it_is_named(
    site: Any, secured: str, authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DownloadError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        fetch("3.13", index=secured, trust=site.trust)
    assert "MANYPYTHON_CA_BUNDLE" in caught.value.remedy
    monkeypatch.setenv("MANYPYTHON_CA_BUNDLE", "no/such/file")
    with pytest.raises(DownloadError, match="no/such/file: no certificates"):
        fetch("3.13", index=secured, trust=site.trust)
    monkeypatch.setenv("MANYPYTHON_CA_BUNDLE", str(authority[0]))
    assert fetch("3.13", index=secured, trust=site.trust).version == "3.13.15"


def test_openssls_own_variable_is_heeded(
    site: Any, secured: str, authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))
    assert fetch("3.13", index=secured, trust=site.trust).version == "3.13.15"


class Proxy(BaseHTTPRequestHandler):
    """Passes GET requests on, for who has the password."""

    seen: list[str]

    def do_GET(self) -> None:
        if self.headers.get("Proxy-Authorization") != "Basic " + base64.b64encode(b"me:p w").decode():
            self.send_error(407)
            return
        self.seen.append(self.path)
        parts = urlsplit(self.path)
        onward = http.client.HTTPConnection(str(parts.hostname), parts.port)
        onward.request("GET", parts.path)
        answer = onward.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        onward.close()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy's URL with name and password, and what it was asked for."""
    seen: list[str] = []
    made = ThreadingHTTPServer(("127.0.0.1", 0), type("Proxying", (Proxy,), {"seen": seen}))
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://me:p%20w@127.0.0.1:{made.server_port}", seen
    made.shutdown()
    made.server_close()


def test_the_environments_proxy_is_taken(
    site: Any, server: Any, proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", proxy[0].replace("p%20w", "wrong"))
    with pytest.raises(DownloadError, match="407"):
        fetch("3.13", index=server.url, trust=site.trust)
    monkeypatch.setenv("http_proxy", proxy[0])
    fetch("3.13", index=server.url, trust=site.trust)
    assert any(path.endswith("install_only.zip") for path in proxy[1])
    passed = len(proxy[1])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    fetch("3.13", index=server.url, trust=site.trust, upgrade=True)
    assert len(proxy[1]) == passed


@pytest.fixture
def locked_up(server: Any) -> str:
    """The server wants a name and a password from now on."""
    wanted = "Basic " + base64.b64encode(b"me:secret").decode()

    def refuse(handler: Any, data: bytes) -> bool:
        if handler.headers.get("Authorization") == wanted:
            return False
        handler.answer(401, b"who are you")
        return True

    server.faults[""] = [refuse] * 99
    return str(server.url)


def test_netrc_gives_name_and_password(
    site: Any, locked_up: str, home: Path, server: Any, days: Callable[[float], datetime]
) -> None:
    with pytest.raises(DownloadError, match="401"):
        fetch("3.13", index=locked_up, trust=site.trust)
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (home / ".netrc").chmod(0o600)
    assert fetch("3.13", index=locked_up, trust=site.trust).version == "3.13.15"


def test_so_does_the_url_and_nobody_is_told_the_password(
    site: Any, locked_up: str, home: Path, server: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    index = locked_up.replace("http://", "http://me:secret@")
    assert main(["fetch", "3.13", "--index", index, "--trust", site.trust]) == 0
    assert main(["config", "--index", index, "--mirror", index]) == 0
    assert main(["fetch", "3.12", "--index", index]) != 0
    server.server_close()
    assert main(["fetch", "3.12", "--index", index]) != 0
    told = capfd.readouterr()
    assert "secret" not in told.out + told.err
    assert locked_up in told.err
    kept = [path for path in home.rglob("*") if path.is_file() and path.suffix in (".json", ".lock")]
    assert kept
    assert not [path for path in kept if b"secret" in path.read_bytes()]


def test_what_is_tried_again_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Tools that show their log would show each of urllib3's tries, too."""
    with pytest.raises(DownloadError, match="Connection refused") as caught:
        fetch("3.13", index="http://127.0.0.1:1/", trust=f"sha256:{'0' * 64}")
    assert "check the address and the network" in caught.value.remedy
    assert caplog.messages == []
