"""The page's one file, made on this machine, in other people's userlands."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from driving import Page, Served, attempt, clean, run
from foreign import Foreign, host_packages

pytestmark = pytest.mark.slow
EXAMPLE = Path(__file__).parents[3] / "examples/pyinstaller"
EXPIRES = dt.datetime(2031, 5, 17, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def made_by_the_page(
    served: Served,
    tool: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, str]:
    """The program, in a folder of its own, and what the page's commands printed."""
    host_packages("binutils")
    folder = tmp_path_factory.mktemp("pyinstaller") / "project"
    shutil.copytree(EXAMPLE, folder)
    env = clean(folder.parent / "home", tool("manypython"))
    said = Page.of("pyinstaller").run(env, folder, served)
    # PyInstaller's starter wants the system's zlib, which the root of glibc 2.17, barer than any machine, has not
    (folder / "dist/lib").mkdir()
    shutil.copy(next((folder.parent / "home").rglob("python.libs/libz-*")), folder / "dist/lib/libz.so.1")
    return folder / "dist/certwatch", said


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def certificate(made_by_the_page: tuple[Path, str], key: ec.EllipticCurvePrivateKey) -> Path:
    """A certificate of ``localhost``, signed by itself, beside the program."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(EXPIRES)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = made_by_the_page[0].with_name("localhost.pem")
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def server(certificate: Path, key: ec.EllipticCurvePrivateKey, tmp_path: Path) -> Iterator[str]:
    """``localhost:PORT`` of a server that shakes hands once."""
    private = tmp_path / "key.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)

        def answer() -> None:
            connection, _ = listening.accept()
            with (
                contextlib.suppress(ssl.SSLError),  # who does not trust it hangs up
                connection,
                context.wrap_socket(connection, server_side=True) as secured,
            ):
                secured.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"localhost:{listening.getsockname()[1]}"
        thread.join()


def test_what_the_page_shows(made_by_the_page: tuple[Path, str]) -> None:
    _, said = made_by_the_page
    assert "\nGLIBC_2.17\n" in said
    assert "\nPython 3.13." in said


@pytest.mark.parametrize(("root", "glibc"), [("glibc-2.17", "2.17"), ("debian-11", "2.31")])
def test_it_runs_elsewhere(
    root: str, glibc: str, made_by_the_page: tuple[Path, str], certificate: Path
) -> None:
    program, _ = made_by_the_page
    there = Foreign(root)
    library = {"LD_LIBRARY_PATH": "/opt/app/lib"}
    assert there.execute(program, "--version", **library).endswith(f"; glibc {glibc}\n")
    said = there.execute(program, "--database", "/tmp/known", f"/opt/app/{certificate.name}", **library)
    assert said == f"2031-05-17  /opt/app/{certificate.name}\n"


def test_it_asks_a_server_and_remembers(
    made_by_the_page: tuple[Path, str], certificate: Path, server: str, tmp_path: Path
) -> None:
    program, _ = made_by_the_page
    trusting = clean(tmp_path / "home", SSL_CERT_FILE=str(certificate))
    assert run(trusting, program, server, cwd=tmp_path) == f"2031-05-17  {server}\n"
    assert run(trusting, program, cwd=tmp_path) == f"2031-05-17  {server}\n"


def test_a_certificate_that_nobody_vouches_for(
    made_by_the_page: tuple[Path, str], server: str, tmp_path: Path
) -> None:
    program, _ = made_by_the_page
    done = attempt(clean(tmp_path / "home"), program, server, cwd=tmp_path)
    assert done.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
    assert "Traceback" not in done.stderr
