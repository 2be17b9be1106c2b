"""``fetch`` of several interpreters at once."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from sites import FAULTS, Handler, MadeSite, Server

from manypython.cli import main
from manypython.model import errors
from manypython.store import installed


@pytest.fixture
def wide(site: MadeSite) -> MadeSite:
    """A site with four versions."""
    for version in ("3.11.9", "3.12.4", "3.14.1"):
        site.add(version)
    site.publish()
    return site


def test_several_are_printed_in_the_order_they_were_asked_for(
    wide: MadeSite, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    argv = ["fetch", "3.12", "3.13", "3.11", ">=3.13,<3.14", "--index", server.url, "--trust", wide.trust]
    for _ in range(2):
        assert main(argv) == 0
        names = [Path(line).name for line in capfd.readouterr().out.splitlines()]
        assert names == ["python3.12", "python3.13", "python3.11", "python3.13"]
        assert server.requests("install_only.zip") == 3, "each once, and never again"
    assert main([*argv, "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert [(row["request"], row["version"]) for row in rows] == [
        ("3.12", "3.12.4"), ("3.13", "3.13.15"), ("3.11", "3.11.9"), (">=3.13,<3.14", "3.13.15")
    ]  # fmt: skip


def test_downloads_run_side_by_side(wide: MadeSite, server: Server) -> None:
    """None is answered before three are asked for."""
    barrier = threading.Barrier(3)

    def together(_: Handler, __: bytes) -> bool:
        barrier.wait(10)
        return False

    server.faults["install_only.zip"] = [together] * 3
    assert main(["fetch", "3.11", "3.12", "3.13", "--index", server.url, "--trust", wide.trust]) == 0
    assert not barrier.broken


def test_one_that_no_build_answers_keeps_the_others_from_being_downloaded(
    wide: MadeSite, server: Server, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    argv = ["fetch", "3.11", "3.99", "3.12", "--index", server.url, "--trust", wide.trust]
    assert main(argv) == errors.NoBuildError.exit_code
    told = capfd.readouterr()
    assert "3.99" in told.err
    assert told.out == ""
    assert server.requests("install_only.zip") == 0
    assert installed.installed(f"{home}/.local/share/manypython/pythons") == []


def test_one_that_cannot_be_downloaded_ends_the_others(
    wide: MadeSite, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    def endless(handler: Handler, data: bytes) -> bool:
        """Byte by byte, for half a minute."""
        handler.answer(200, b"", length=len(data))
        for each in data[:300]:
            handler.wfile.write(bytes([each]) * 8)
            handler.wfile.flush()
            time.sleep(0.1)
        return True

    server.faults["3.11.9"] = [endless]
    server.faults["3.12.4"] = [FAULTS["other"]] * 9
    begun = time.monotonic()
    argv = ["fetch", "3.11", "3.12", "--index", server.url, "--trust", wide.trust]
    assert main(argv) == errors.DownloadError.exit_code
    assert time.monotonic() - begun < 20, "the slow one is not waited for"
    error = capfd.readouterr().err
    assert "3.12.4" in error
    assert "sha256" in error
    server.faults.clear()
    assert main(argv) == 0, "the next run succeeds"


def test_a_project_is_asked_what_it_wants(
    wide: MadeSite, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tox = home / "tox.ini"
    tox.write_text("[tox]\nenv_list = py3{11,13}, pypy3.10, lint\n")
    argv = ["fetch", "--from", str(tox), "--index", str(wide.folder), "--trust", wide.trust]
    assert main(argv) == 0
    told = capfd.readouterr()
    assert [Path(line).name for line in told.out.splitlines()] == ["python3.11", "python3.13"]
    assert "pypy3.10" in told.err
    (home / ".python-version").write_text("3.12\n")
    assert main([*argv, "--from", str(home / ".python-version"), "3.11", "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert [row["request"] for row in rows] == ["3.11", "3.13", "3.12"]


def test_nothing_asked_for_is_said(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch"]) == errors.UsageError.exit_code
    assert "--from tox.ini" in capfd.readouterr().err
    (home / "tox.ini").write_text("[tox]\nenv_list = lint\n")
    assert main(["fetch", "--from", "tox.ini"]) == errors.UsageError.exit_code
    assert "asks for no CPython" in capfd.readouterr().err
