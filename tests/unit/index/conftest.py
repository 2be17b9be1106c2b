"""A small signed site on disk, and a server that answers as badly as it is told to."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from packaging.version import Version

from manypython.archives import write
from manypython.archives.members import Member
from manypython.index import keys, settings
from manypython.index.model import POOL, Build, File, Index
from manypython.model.identifier import ArtifactName, BuildNumber
from manypython.model.target import Target


def interpreter(version: str, said: str = "", body: str = "") -> tuple[Member, ...]:
    """A tree whose ``python3.13`` is a shell script that says its version."""
    name = f"python{'.'.join(version.split('.')[:2])}"
    script = f"#!/bin/sh\n{body}echo {said or version}\n"
    return (
        Member(PurePosixPath("bin", name), script.encode(), executable=True),
        Member(PurePosixPath("bin/python3"), link=name),
        Member(PurePosixPath("bin/python"), link=name),
        Member(PurePosixPath("lib", name, "os.py"), b"# " + random.Random(0).randbytes(1 << 20)),
        Member(PurePosixPath("share/manypython/manypython.json"), b"{}\n"),
    )


@dataclass
class MadeSite:
    """A site of small archives."""

    folder: Path
    keys: Path
    builds: list[Build] = field(default_factory=list)

    def add(
        self,
        version: str = "3.13.15",
        number: int = 20261121,
        tag: str = "",
        *,
        members: tuple[Member, ...] | None = None,
        variant: str = "",
        level: int = 1,
    ) -> Build:
        """One more build, not yet published."""
        target = Target.of_tag(tag or TAG)
        name = ArtifactName(
            Version(version),
            BuildNumber(number),
            target.architecture,
            target.libc,
            ".zip",
            variant,
            target.mark,
            level=level,
        )
        packed = members or interpreter(version)
        path = f"{POOL}/{number}/{name}"
        write.zip_file(
            self.folder / path, tuple(sorted(packed, key=lambda m: m.name)), name.build.epoch, write.FAST
        )
        data = (self.folder / path).read_bytes()
        file = File(
            path,
            hashlib.sha256(data).hexdigest(),
            len(data),
            sum(len(m.read()) + len(m.link) for m in packed),
        )
        build = Build(name.version, name.build, target, level, variant, "make", "zig", (), None, (file,))
        self.builds.append(build)
        return build

    def index(self) -> bytes:
        return Index.of("https://example.org/", self.builds).as_bytes()

    def publish(self, now: datetime | None = None) -> None:
        """Write and sign the index."""
        write.content_of(self.folder / "index.json", self.index())
        for path, data in keys.sign(self.folder, self.keys, self.index(), now or datetime.now(UTC)).items():
            write.content_of(self.folder / path, data)

    @property
    def trust(self) -> str:
        return keys.fingerprint(self.folder)


TAG = f"manylinux_2_17_{os.uname().machine}"


@pytest.fixture
def site(tmp_path: Path) -> MadeSite:
    """A signed site with CPython 3.13.15."""
    made = MadeSite(tmp_path / "site", tmp_path / "keys")
    keys.create(made.keys)
    made.add()
    made.publish()
    return made


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and nothing set."""
    for name in settings.DEFAULTS:
        monkeypatch.delenv(f"MANYPYTHON_{name.upper().replace('-', '_')}", raising=False)
    for name in (
        "XDG_DATA_HOME",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "MANYPYTHON_CACHE_DIR",
        "UV_PYTHON_INSTALL_DIR",
        "PYENV_ROOT",
        "NETRC",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    folder = tmp_path / "a home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder)
    return folder


class Server(ThreadingHTTPServer):
    """Serves a folder; ``faults`` says what to do wrong, by a part of the path, one per request."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.faults: dict[str, list[Callable[[Handler, bytes], bool]]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def requests(self, part: str) -> int:
        return sum(part in path for path, _ in self.asked)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is expected here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path = unquote(self.path.lstrip("/"))
        self.server.asked.append((path, dict(self.headers)))
        place = self.server.folder / path
        data = place.read_bytes() if place.is_file() else None
        for part, faults in self.server.faults.items():
            if part in path and faults and faults.pop(0)(self, data or b""):
                return
        if data is None:
            self.answer(404, b"not here")
        elif begin := self.headers.get("Range", "").removeprefix("bytes=").rstrip("-"):
            rest = data[int(begin) :]
            self.answer(206, rest, {"Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"})
        else:
            self.answer(200, data)

    def answer(
        self, status: int, data: bytes, headers: dict[str, str] | None = None, length: int = -1
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) if length < 0 else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def stall(handler: Handler, data: bytes) -> bool:
    """Half of it, then nothing more."""
    handler.answer(200, data[: len(data) // 2], length=len(data))
    handler.wfile.flush()
    time.sleep(3)
    handler.close_connection = True
    return True


def cut(handler: Handler, data: bytes) -> bool:
    """Half of it, then the connection is closed."""
    handler.answer(200, data[: len(data) // 2], length=len(data))
    handler.close_connection = True
    return True


def shorter(handler: Handler, data: bytes) -> bool:
    """Half of it, and says that this is all."""
    handler.answer(200, data[: len(data) // 2])
    return True


def longer(handler: Handler, data: bytes) -> bool:
    """Goes on after its end."""
    handler.answer(200, data + b"more" * 100_000)
    return True


def failing(handler: Handler, data: bytes) -> bool:
    """HTTP 500."""
    handler.answer(500, b"no")
    return True


def looping(handler: Handler, data: bytes) -> bool:
    """To itself."""
    handler.answer(302, b"", {"Location": handler.path})
    return True


def other(handler: Handler, data: bytes) -> bool:
    """As many bytes of something else."""
    handler.answer(200, bytes(len(data)))
    return True


def rangeless(handler: Handler, data: bytes) -> bool:
    """All of it, whatever was asked for."""
    handler.answer(200, data)
    return True


@pytest.fixture
def server(site: MadeSite) -> Iterator[Server]:
    """The site on the loopback interface."""
    made = Server(site.folder)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(scope="session")
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
def secured(server: Server, authority: tuple[Path, Path]) -> str:
    """The site by https."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority[1])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return str(server.url.replace("http://", "https://"))


FAULTS = {f.__name__: f for f in (stall, cut, shorter, longer, failing, looping, other, rangeless)}


@pytest.fixture
def faults() -> dict[str, Callable[[Handler, bytes], bool]]:
    """What a server can do wrong, by name."""
    return FAULTS


@pytest.fixture
def days() -> Callable[[float], datetime]:
    """The moment so many days from now."""
    return lambda number: datetime.now(UTC) + timedelta(days=number)


@pytest.fixture
def tree_of() -> Callable[..., tuple[Member, ...]]:
    """``interpreter``, for tests that want another one."""
    return interpreter


@pytest.fixture
def wanting(server: Any) -> Callable[[bytes], str]:
    """Have the server want a name and a password; its URL."""

    def want(login: bytes) -> str:
        wanted = f"Basic {base64.b64encode(login).decode()}"

        def refuse(handler: Any, _: bytes) -> bool:
            if handler.headers.get("Authorization") == wanted:
                return False
            handler.answer(401, b"who are you")
            return True

        server.faults[""] = [refuse] * 99
        return str(server.url)

    return want
