"""Real TLS with a private CA, names and passwords: all on the loopback interface."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sites import MadeSite, Server

from manypython import fetch
from manypython.cli import main
from manypython.model.errors import DownloadError


def test_a_private_ca_is_believed_when_it_is_named(
    site: MadeSite, secured: str, authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
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
    site: MadeSite, secured: str, authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority[0]))
    assert fetch("3.13", index=secured, trust=site.trust).version == "3.13.15"


@pytest.fixture
def locked_up(wanting: Callable[[bytes], str]) -> str:
    """The server wants a name and a password from now on."""
    return wanting(b"me:secret")


def test_netrc_gives_name_and_password(site: MadeSite, locked_up: str, home: Path, server: Server) -> None:
    with pytest.raises(DownloadError, match="401"):
        fetch("3.13", index=locked_up, trust=site.trust)
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (home / ".netrc").chmod(0o600)
    assert fetch("3.13", index=locked_up, trust=site.trust).version == "3.13.15"


def test_so_does_the_url_and_nobody_is_told_the_password(
    site: MadeSite, locked_up: str, home: Path, server: Server, capfd: pytest.CaptureFixture[str]
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
