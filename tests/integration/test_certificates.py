"""Certificates of the system, wherever it keeps them: a real TLS handshake on loopback for each place."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from builds import Made
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from foreign import host_packages

from manypython.verify import surroundings

FILES = (
    "/etc/ssl/cert.pem",  # Alpine
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch, Gentoo, NixOS
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL, CentOS 7
    "/etc/pki/tls/certs/ca-bundle.crt",  # older ones
    "/var/lib/ca-certificates/ca-bundle.pem",  # SUSE
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/certs/ca-bundle.crt",
    "/data/data/com.termux/files/usr/etc/tls/cert.pem",
)
FOLDERS = ("/etc/ssl/certs", "/etc/pki/tls/certs", "/system/etc/security/cacerts")
HANDSHAKES = '''\
"""Shakes hands with a server that has each certificate; prints what came of it."""
import json, socket, ssl, sys, threading, urllib.request

def serve(listener, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"/opt/tls/{name}.pem")
    try:
        with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            connection.recv(1)
            connection.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    except OSError:
        pass

answers = {}
for name in ("good", "expired", "elsewhere"):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, name))
        thread.start()
        try:
            url = f"https://localhost:{listener.getsockname()[1]}/"
            answers[name] = urllib.request.urlopen(url, timeout=10).read().decode()
        except OSError as error:
            answers[name] = str(error)
        thread.join()
paths = ssl.get_default_verify_paths()
print(json.dumps([answers, paths.cafile, paths.capath]))
'''


@dataclass(frozen=True)
class Authority:
    """A folder with ``ca.pem`` and servers' certificates that it signed."""

    folder: Path

    def hashed(self) -> str:
        """The name by which OpenSSL looks for it in a folder."""
        host_packages("openssl")
        words = ("openssl", "x509", "-noout", "-subject_hash", "-in", self.folder / "ca.pem")
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() + ".0"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if reason := surroundings.works():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("tls")
    now, year = dt.datetime.now(dt.UTC), dt.timedelta(days=365)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")])
    own_key = ec.generate_private_key(ec.SECP256R1())

    def certificate(
        key: ec.EllipticCurvePrivateKey, subject: str, *, ends: dt.datetime, ca: bool = False
    ) -> bytes:
        builder = x509.CertificateBuilder(
            name, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]), key.public_key(),
            x509.random_serial_number(), now - 2 * year, ends,
        )  # fmt: skip
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        alternative = x509.SubjectAlternativeName([x509.DNSName(subject.replace(" ", "-"))])
        usage = x509.KeyUsage(
            digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        for extension in (
            alternative,
            usage,
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(own_key.public_key()),
        ):
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(own_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    (folder / "ca.pem").write_bytes(certificate(own_key, "an authority", ends=now + year, ca=True))
    for server, subject, ends in (
        ("good", "localhost", now + year),
        ("expired", "localhost", now - year),
        ("elsewhere", "example.org", now + year),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{server}.pem").write_bytes(secret + certificate(key, subject, ends=ends))
    (folder / "handshakes.py").write_text(HANDSHAKES)
    return Authority(folder)


def shake(
    made: Made, authority: Authority, places: tuple[str, ...], **env: str
) -> tuple[dict[str, str], str | None, str | None]:
    """Shake hands in a root that has this machine's C library, and the authority in these places alone."""
    words = [surroundings.bubblewrap(), "--unshare-all", "--die-with-parent", "--clearenv"]
    for name in ("/usr", "/lib", "/lib64", "/bin"):
        if Path(name).is_symlink():
            words += ["--symlink", str(Path(name).readlink()), name]
        elif Path(name).is_dir():
            words += ["--ro-bind", name, name]
    words += ["--ro-bind", str(made.tree), "/opt/python", "--ro-bind", str(authority.folder), "/opt/tls"]
    hosts = authority.folder / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    words += ["--ro-bind", str(hosts), "/etc/hosts", "--dev", "/dev"]
    for place in places:
        words += ["--ro-bind", str(authority.folder / "ca.pem"), place]
    for name, value in env.items():
        words += ["--setenv", name, value]
    program = ("/opt/python/bin/python3", "-B", "/opt/tls/handshakes.py")
    done = subprocess.run((*words, *program), capture_output=True, text=True, check=True)
    answers, file, folder = json.loads(done.stdout)
    return answers, file, folder


def insist_verified(answers: dict[str, str]) -> None:
    assert answers["good"] == "ok"
    assert "certificate has expired" in answers["expired"]
    assert "Hostname mismatch" in answers["elsewhere"]


@pytest.mark.parametrize("place", FILES)
def test_a_file_of_certificates_is_found_where_systems_keep_it(
    made: Made, authority: Authority, place: str
) -> None:
    answers, file, _ = shake(made, authority, (place,))
    insist_verified(answers)
    assert file == place


@pytest.mark.parametrize("place", FOLDERS)
def test_a_folder_of_certificates_is_found_where_systems_keep_it(
    made: Made, authority: Authority, place: str
) -> None:
    answers, file, folder = shake(made, authority, (f"{place}/{authority.hashed()}",))
    insist_verified(answers)
    assert (file, folder) == (None, place)


def test_without_certificates_nobody_is_trusted(made: Made, authority: Authority) -> None:
    answers, file, _ = shake(made, authority, ())
    assert "unable to get local issuer certificate" in answers["good"]
    assert file is None


def test_variables_count_more_than_what_the_system_has(made: Made, authority: Authority) -> None:
    insist_verified(shake(made, authority, (), SSL_CERT_FILE="/opt/tls/ca.pem")[0])
    hashed = f"/opt/own/{authority.hashed()}"
    insist_verified(shake(made, authority, (hashed,), SSL_CERT_DIR="/opt/own")[0])
    answers, _, _ = shake(made, authority, (FILES[1],), SSL_CERT_FILE="/opt/tls/hosts")
    assert "unable to get local issuer certificate" in answers["good"]
